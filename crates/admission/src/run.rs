//! Starts and stops the parts in the right order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::audit_writer::{AuditQueue, AuditWriter, reap};
use crate::cache::VerdictBook;
use crate::certificate::CertificateSlot;
use crate::certificate_store::CertificateKeeper;
use crate::crd::WhiteListItem;
use crate::index::ClusterIndex;
use crate::metrics::Metrics;
use crate::reviewer::Reviewer;
use crate::server::{ServerState, serve_health, serve_reviews};
use crate::settings::Settings;
use crate::source::VerdictSource;
use crate::spool::SpoolError;
use crate::watch::watch_into;

/// Why the webhook cannot run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// An address cannot be listened on.
    #[error("address `{address}` cannot be listened on")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What happened.
        #[source]
        source: std::io::Error,
    },
    /// Audits of the last run cannot be read, or those of this one cannot be kept.
    #[error("audits cannot be kept")]
    Audits(#[source] SpoolError),
}

/// The webhook with its addresses taken, not yet answering.
pub struct Admission {
    settings: Settings,
    client: Client,
    reviews: TcpListener,
    health: TcpListener,
    state: Arc<ServerState>,
    keeper: CertificateKeeper,
    writer: AuditWriter,
    queue: tokio::sync::mpsc::Receiver<crate::audits::AuditRecord>,
    /// Stops everything but the audit writer.
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// Runs the webhook until `shutdown`.
pub async fn run(
    settings: Settings,
    source: Arc<dyn VerdictSource>,
    client: Client,
    shutdown: CancellationToken,
) -> Result<(), RunError> {
    Admission::bind(settings, source, client).await?.run(shutdown).await
}

impl Admission {
    /// Takes the addresses and reads what the last run left behind.
    pub async fn bind(
        settings: Settings,
        source: Arc<dyn VerdictSource>,
        client: Client,
    ) -> Result<Self, RunError> {
        let listen = async |address: SocketAddr| {
            TcpListener::bind(address).await.map_err(|source| RunError::Listen { address, source })
        };
        let reviews = listen(settings.listen).await?;
        let health = listen(settings.health_listen).await?;
        let metrics = Arc::new(Metrics::default());
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let (audits, queue) = AuditQueue::new(&settings.audits, Arc::clone(&metrics));
        let writer = AuditWriter::open(client.clone(), settings.audits.clone(), Arc::clone(&metrics))
            .await
            .map_err(RunError::Audits)?;
        let book = Arc::new(VerdictBook::new(
            source,
            settings.verdicts.clone(),
            Arc::clone(&metrics),
            tasks.clone(),
            stop.clone(),
        ));
        let reviewer = Arc::new(Reviewer {
            index: Arc::default(),
            book,
            audits,
            settings: settings.decision.clone(),
            audits_keep_for: settings.audits.keep_for,
            metrics,
            clock: settings.clock,
            tasks: tasks.clone(),
            background: Arc::new(Semaphore::new(settings.decision.background_max)),
            shutdown: stop.clone(),
        });
        let certificate = Arc::new(CertificateSlot::default());
        let keeper = CertificateKeeper {
            source: settings.certificate.clone(),
            client: Some(client.clone()),
            webhook_configuration: settings.webhook_configuration.clone(),
            slot: Arc::clone(&certificate),
            clock: settings.clock,
        };
        let state = Arc::new(ServerState {
            reviewer,
            certificate,
            limits: settings.server.clone(),
            reviews: Semaphore::new(settings.server.reviews_max),
            is_stopping: AtomicBool::new(false),
        });
        Ok(Self { settings, client, reviews, health, state, keeper, writer, queue, stop, tasks })
    }

    /// The address of reviews.
    pub fn review_address(&self) -> std::io::Result<SocketAddr> {
        self.reviews.local_addr()
    }

    /// The address of health and metrics.
    pub fn health_address(&self) -> std::io::Result<SocketAddr> {
        self.health.local_addr()
    }

    /// Answers until `shutdown`. Then: no new connections, open reviews finish, their audits are written or spooled.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), RunError> {
        let Self { settings, client, reviews, health, state, keeper, writer, queue, stop, tasks } = self;
        let index: &Arc<ClusterIndex> = &state.reviewer.index;
        let metrics = Arc::clone(&state.reviewer.metrics);
        tasks.spawn(watch_into::<WhiteListItem>(client.clone(), Arc::clone(index), stop.clone()));
        tasks.spawn(watch_into::<Namespace>(client.clone(), Arc::clone(index), stop.clone()));
        tasks.spawn(Arc::clone(&state.reviewer.book).poll_state(settings.state_every));
        tasks.spawn(keeper.run(settings.certificate_check_every, stop.clone()));
        tasks.spawn(reap(client, settings.audits.reap_every, settings.clock, metrics, stop.clone()));
        let health_stop = CancellationToken::new();
        let health = tokio::spawn(serve_health(health, Arc::clone(&state), health_stop.clone()));
        let writer_stop = CancellationToken::new();
        let writer = tokio::spawn(writer.run(queue, writer_stop.clone()));
        tracing::info!(listen = %settings.listen, health_listen = %settings.health_listen, "admission webhook is listening");

        let serving = tokio::spawn(serve_reviews(reviews, Arc::clone(&state), shutdown.clone()));
        shutdown.cancelled().await;
        state.is_stopping.store(true, Ordering::Relaxed);
        let _ = serving.await;
        stop.cancel();
        tasks.close();
        tasks.wait().await;
        // Every review is over and every audit is in the queue: now the writer may end.
        writer_stop.cancel();
        let written = writer.await;
        health_stop.cancel();
        let _ = health.await;
        match written {
            Ok(result) => result.map_err(RunError::Audits),
            // The writer panicked; the panic is already on the log and there is nothing left to save.
            Err(_) => Ok(()),
        }
    }
}
