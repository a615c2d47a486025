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
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use kube::Client;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, oneshot};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::audit_writer::AuditLimits;
use crate::certificate::{CertificateError, CertificateSlot, certified_key};
use crate::certificate_store::{StoreError, ensure, reconcile_ca_bundle};
use crate::metrics::Metrics;
use crate::review_gate::{ClusterGate, ReviewGate};
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
    clusters: RwLock<BTreeMap<String, Slot>>,
    gate: ReviewGate,
    /// Members that are to take the place of others.
    replacing: TaskTracker,
}

/// The place of one cluster.
struct Slot {
    /// Answers.
    current: Member,
    /// Ends the one that takes its place as soon as it knows the cluster.
    next: Option<CancellationToken>,
    gate: Arc<ClusterGate>,
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
            gate: ReviewGate::new(&settings.server),
            replacing: TaskTracker::new(),
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

    /// Answers the reviews of one more cluster, with verdicts from this source. What answers already goes on until the new one has
    /// listed the cluster, and is then replaced between two reviews.
    pub async fn add(
        self: &Arc<Self>,
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
        if self.find(cluster).is_some() {
            self.prepare_replacement(cluster, configuration, &settings, source, client);
            return Ok(());
        }
        let parts = ClusterReviews::open(&settings, source, client.clone())
            .await
            .map_err(SharedWebhookError::Audits)?;
        let reviewer = Arc::clone(&parts.reviewer);
        let running = parts.start(&settings);
        let current = Member { reviewer, running, client, configuration: configuration.to_owned() };
        let gate = Arc::new(ClusterGate::new(&self.settings.server));
        let former = self.write().insert(cluster.to_owned(), Slot { current, next: None, gate });
        // Somebody else was as fast.
        if let Some(former) = former {
            former.end(cluster).await;
        }
        Ok(())
    }

    fn prepare_replacement(
        self: &Arc<Self>,
        cluster: &str,
        configuration: &str,
        settings: &Settings,
        source: Arc<dyn VerdictSource>,
        client: Client,
    ) {
        let parts = ClusterReviews::without_writer(settings, source, client.clone());
        let reviewer = Arc::clone(&parts.reviewer);
        // Both have the same file of audits: the former one writes it first.
        let (former_ended, when_former_ended) = oneshot::channel();
        let running = parts.start_after(settings, Some(when_former_ended));
        let member = Member { reviewer, running, client, configuration: configuration.to_owned() };
        let stop = CancellationToken::new();
        let other = match self.write().get_mut(cluster) {
            Some(slot) => slot.next.replace(stop.clone()),
            // Taken away at this moment; then nobody is wanted in its place.
            None => Some(stop.clone()),
        };
        if let Some(other) = other {
            other.cancel();
        }
        let (shared, cluster) = (Arc::clone(self), cluster.to_owned());
        self.replacing.spawn(async move {
            let is_synced = tokio::select! {
                () = stop.cancelled() => false,
                () = member.reviewer.index.synced() => true,
            };
            match shared.replace(&cluster, member, &stop, is_synced) {
                Ok(former) => {
                    former.end(&cluster).await;
                    let _ = former_ended.send(());
                    tracing::info!(cluster.uid = cluster, "webhook of a cluster is replaced");
                }
                Err(unused) => {
                    drop(former_ended);
                    unused.end(&cluster).await;
                }
            }
        });
    }

    /// Puts a member in its place and gives the former one back. Errors: it is not wanted any more, and given back itself.
    fn replace(
        &self,
        cluster: &str,
        member: Member,
        stop: &CancellationToken,
        is_synced: bool,
    ) -> Result<Member, Box<Member>> {
        let mut clusters = self.write();
        match clusters.get_mut(cluster) {
            // Whoever wants it no more says so while he holds the lock.
            Some(slot) if is_synced && !stop.is_cancelled() && slot.next.is_some() => {
                slot.next = None;
                Ok(std::mem::replace(&mut slot.current, member))
            }
            _ => Err(Box::new(member)),
        }
    }

    /// Answers no reviews of this cluster any more; what is known about audits is written.
    pub async fn remove(&self, cluster: &str) {
        let slot = self.write().remove(cluster);
        if let Some(slot) = slot {
            slot.end(cluster).await;
        }
    }

    /// Whose reviews are answered.
    pub fn clusters(&self) -> Vec<String> {
        self.clusters.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// Whether everything about the cluster is known that decisions need.
    pub fn is_ready(&self, cluster: &str) -> bool {
        let clusters = self.clusters.read().unwrap_or_else(PoisonError::into_inner);
        let is_known = |slot: &Slot| slot.next.is_none() && slot.current.reviewer.index.is_synced();
        clusters.get(cluster).is_some_and(is_known) && self.certificate.is_loaded()
    }

    /// Why lists of the cluster are not used by what answers or is to answer, for people; empty where there is nothing to say.
    pub fn problem(&self, cluster: &str) -> String {
        self.find(cluster).map(|(reviewer, _)| reviewer.index.problem()).unwrap_or_default()
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
        self.replacing.close();
        self.replacing.wait().await;
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
        let members = clusters.values().map(|slot| &slot.current);
        members.map(|member| (member.client.clone(), member.configuration.clone())).collect()
    }

    fn find(&self, cluster: &str) -> Option<(Arc<Reviewer>, Arc<ClusterGate>)> {
        let clusters = self.clusters.read().unwrap_or_else(PoisonError::into_inner);
        clusters.get(cluster).map(|slot| (Arc::clone(&slot.current.reviewer), Arc::clone(&slot.gate)))
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, BTreeMap<String, Slot>> {
        self.clusters.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for SharedWebhook {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SharedWebhook").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Slot {
    async fn end(self, cluster: &str) {
        if let Some(next) = self.next {
            next.cancel();
        }
        self.current.end(cluster).await;
    }
}

impl Member {
    async fn end(self, cluster: &str) {
        if let Err(error) = self.running.end().await {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(cluster.uid = cluster, error, "audits of a cluster are lost");
        }
    }
}

async fn review(
    State(shared): State<Arc<SharedWebhook>>,
    Path(cluster): Path<String>,
    request: Request,
) -> Response {
    let Some((reviewer, gate)) = shared.find(&cluster) else {
        // The API server then does what the failure policy says.
        return (StatusCode::NOT_FOUND, "no webhook for this cluster here").into_response();
    };
    let is_review = !matches!(*request.method(), Method::GET | Method::HEAD);
    if is_review && !reviewer.index.is_synced() {
        // The same: nobody knows yet which namespaces are strict and what is exempt, and the failure policy does.
        reviewer.metrics.reviews_shed.add();
        let problem = reviewer.index.problem();
        let problem =
            if problem.is_empty() { "this takes a moment after a start".to_owned() } else { problem };
        let text = format!("namespaces and whitelist items of the cluster are not listed yet: {problem}");
        return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    }
    answer_review(&reviewer, (&shared.gate, Some(&gate)), &shared.settings.server, request).await
}

#[cfg(test)]
#[path = "shared_webhook_tests.rs"]
mod tests;
