//! One listener for the webhooks of many clusters: each has a path of its own, and behind it an index, verdicts and audits of
//! its own. For clusters that have no node to run a webhook on, and for laptops.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use kube::Client;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::audit_writer::AuditLimits;
use crate::certificate::{CertificateError, CertificateSlot, certified_key};
use crate::certificate_store::{StoreError, ensure, reconcile_ca_bundle};
use crate::metrics::Metrics;
use crate::reviewer::Reviewer;
use crate::reviews::{ClusterReviews, RunningReviews};
use crate::server::{Listening, REVIEW_PATH, answer_review, serve};
use crate::settings::Settings;
use crate::source::VerdictSource;
use crate::spool::SpoolError;

/// How long one cluster may take to learn whom to trust; the others wait for it.
const TRUST_TIME: Duration = Duration::from_secs(5);

/// Why the listener cannot be shared, or a cluster not be added.
#[derive(Debug, thiserror::Error)]
pub enum SharedWebhookError {
    /// The address cannot be listened on.
    #[error("address `{address}` cannot be listened on")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What happened.
        #[source]
        source: std::io::Error,
    },
    /// There is no certificate.
    #[error("the certificate of the webhooks cannot be provided")]
    Store(#[source] StoreError),
    /// The certificate cannot be used.
    #[error("the certificate of the webhooks cannot be used")]
    Certificate(#[source] CertificateError),
    /// Audits of the last run cannot be read, or those of this one cannot be kept.
    #[error("audits cannot be kept")]
    Audits(#[source] SpoolError),
}

/// A listener with one webhook for each cluster that was added.
pub struct SharedWebhook {
    settings: Settings,
    /// Folder for audits that wait for their cluster; one file each.
    spools: PathBuf,
    address: SocketAddr,
    listener: Mutex<Option<TcpListener>>,
    certificate: Arc<CertificateSlot>,
    authorities: ArcSwap<String>,
    clusters: RwLock<BTreeMap<String, Member>>,
    reviews: Semaphore,
}

struct Member {
    reviewer: Arc<Reviewer>,
    running: RunningReviews,
    client: Client,
    /// The ValidatingWebhookConfiguration that names this listener.
    configuration: String,
}

impl SharedWebhook {
    /// Takes the address and prepares the certificate. Answers nothing before [`Self::run`].
    pub async fn bind(settings: Settings, spools: PathBuf) -> Result<Arc<Self>, SharedWebhookError> {
        let failed = |source| SharedWebhookError::Listen { address: settings.listen, source };
        let listener = TcpListener::bind(settings.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let shared = Self {
            address,
            listener: Mutex::new(Some(listener)),
            certificate: Arc::default(),
            authorities: ArcSwap::default(),
            clusters: RwLock::default(),
            reviews: Semaphore::new(settings.server.reviews_max),
            settings,
            spools,
        };
        shared.keep_certificate().await?;
        Ok(Arc::new(shared))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// PEM of the authorities to trust; empty where the certificate is somebody else's.
    pub fn authorities(&self) -> String {
        String::clone(&self.authorities.load())
    }

    /// The path of a cluster's reviews.
    pub fn path(cluster: &str) -> String {
        format!("{REVIEW_PATH}/{cluster}")
    }

    /// Answers the reviews of one more cluster, with verdicts from this source; one that is there already is replaced.
    pub async fn add(
        &self,
        cluster: &str,
        configuration: &str,
        source: Arc<dyn VerdictSource>,
        client: Client,
    ) -> Result<(), SharedWebhookError> {
        let audits = AuditLimits {
            spool: Some(self.spools.join(format!("audits-{cluster}.json"))),
            ..self.settings.audits.clone()
        };
        let settings = Settings { audits, ..self.settings.clone() };
        // The former one writes what waits first: both have the same file.
        self.remove(cluster).await;
        let parts = ClusterReviews::open(&settings, source, client.clone())
            .await
            .map_err(SharedWebhookError::Audits)?;
        let reviewer = Arc::clone(&parts.reviewer);
        let running = parts.start(&settings);
        let member = Member { reviewer, running, client, configuration: configuration.to_owned() };
        let former = self.write().insert(cluster.to_owned(), member);
        if let Some(former) = former {
            end(cluster, former).await;
        }
        Ok(())
    }

    /// Answers no reviews of this cluster any more; what is known about audits is written.
    pub async fn remove(&self, cluster: &str) {
        let member = self.write().remove(cluster);
        if let Some(member) = member {
            end(cluster, member).await;
        }
    }

    /// Whose reviews are answered.
    pub fn clusters(&self) -> Vec<String> {
        self.clusters.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// Whether everything about the cluster is known that decisions need.
    pub fn is_ready(&self, cluster: &str) -> bool {
        self.find(cluster).is_some_and(|reviewer| reviewer.index.is_synced()) && self.certificate.is_loaded()
    }

    /// Answers until `shutdown`; then open reviews finish, and their audits are written or spooled.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        let Some(listener) = self.listener.lock().await.take() else { return };
        let keeping = tokio::spawn(Arc::clone(&self).keep_certificates(shutdown.clone()));
        let acceptor = TlsAcceptor::from(self.certificate.server_config());
        let path = Self::path("{cluster}");
        let router = Router::new()
            .route(&path, any(review))
            .with_state(Arc::clone(&self))
            .layer(axum::middleware::from_fn_with_state("admission", telemetry::guard));
        let listening =
            Listening { limits: self.settings.server.clone(), metrics: Arc::new(Metrics::default()) };
        tracing::info!(listen = %self.address, "webhooks of clusters are listening");
        serve(listener, Some(acceptor), router, listening, shutdown).await;
        let _ = keeping.await;
        for cluster in self.clusters() {
            self.remove(&cluster).await;
        }
    }

    async fn keep_certificates(self: Arc<Self>, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(self.settings.certificate_check_every) => {}
            }
            if let Err(error) = self.keep_certificate().await {
                let error: &dyn std::error::Error = &error;
                tracing::error!(error, "certificate of the webhooks is not renewed");
            }
        }
    }

    /// One round: load or renew, tell the clusters whom to trust, then serve with it.
    async fn keep_certificate(&self) -> Result<(), SharedWebhookError> {
        let source = &self.settings.certificate;
        let served =
            ensure(source, None, (self.settings.clock)()).await.map_err(SharedWebhookError::Store)?;
        if let Some(authorities) = &served.authorities {
            self.authorities.store(Arc::new(authorities.clone()));
            // The order matters: a certificate whose authority nobody trusts yet fails every Pod.
            let telling = self.members().into_iter().map(|(client, configuration)| async move {
                let told = reconcile_ca_bundle(&client, &configuration, authorities);
                match tokio::time::timeout(TRUST_TIME, told).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => {
                        let error: &dyn std::error::Error = &error;
                        tracing::debug!(error, "CA bundle of a webhook cannot be looked after");
                    }
                    Err(_) => tracing::debug!("CA bundle of a webhook cannot be looked after in time"),
                }
            });
            futures_util::future::join_all(telling).await;
        }
        let (certificate, key) = served.files();
        let key = certified_key(certificate, key).map_err(SharedWebhookError::Certificate)?;
        self.certificate.set(key);
        Ok(())
    }

    fn members(&self) -> Vec<(Client, String)> {
        let clusters = self.clusters.read().unwrap_or_else(PoisonError::into_inner);
        clusters.values().map(|member| (member.client.clone(), member.configuration.clone())).collect()
    }

    fn find(&self, cluster: &str) -> Option<Arc<Reviewer>> {
        let clusters = self.clusters.read().unwrap_or_else(PoisonError::into_inner);
        clusters.get(cluster).map(|member| Arc::clone(&member.reviewer))
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, BTreeMap<String, Member>> {
        self.clusters.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for SharedWebhook {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SharedWebhook").field("address", &self.address).finish_non_exhaustive()
    }
}

async fn end(cluster: &str, member: Member) {
    if let Err(error) = member.running.end().await {
        let error: &dyn std::error::Error = &error;
        tracing::warn!(cluster.uid = cluster, error, "audits of a cluster are lost");
    }
}

async fn review(
    State(shared): State<Arc<SharedWebhook>>,
    Path(cluster): Path<String>,
    request: Request,
) -> Response {
    match shared.find(&cluster) {
        Some(reviewer) => answer_review(&reviewer, &shared.reviews, &shared.settings.server, request).await,
        // The API server then does what the failure policy says.
        None => (StatusCode::NOT_FOUND, "no webhook for this cluster here").into_response(),
    }
}
