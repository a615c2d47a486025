//! Starts and stops the parts in the right order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kube::Client;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::certificate::CertificateSlot;
use crate::certificate_store::CertificateKeeper;
use crate::review_gate::ReviewGate;
use crate::reviews::ClusterReviews;
use crate::server::{ServerState, serve_health, serve_reviews};
use crate::settings::Settings;
use crate::source::VerdictSource;
use crate::spool::SpoolError;

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
    reviews: TcpListener,
    health: TcpListener,
    state: Arc<ServerState>,
    keeper: CertificateKeeper,
    parts: ClusterReviews,
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
        let parts =
            ClusterReviews::open(&settings, source, client.clone()).await.map_err(RunError::Audits)?;
        let certificate = Arc::new(CertificateSlot::default());
        let keeper = CertificateKeeper {
            source: settings.certificate.clone(),
            client: Some(client),
            webhook_configuration: settings.webhook_configuration.clone(),
            slot: Arc::clone(&certificate),
            clock: settings.clock,
        };
        let state = Arc::new(ServerState {
            reviewer: Arc::clone(&parts.reviewer),
            certificate,
            limits: settings.server.clone(),
            gate: ReviewGate::new(&settings.server),
            is_stopping: AtomicBool::new(false),
        });
        Ok(Self { settings, reviews, health, state, keeper, parts })
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
        let Self { settings, reviews, health, state, keeper, parts } = self;
        let running = parts.start(&settings);
        running.spawn(keeper.run(settings.certificate_check_every, running.stop()));
        let health_stop = CancellationToken::new();
        let health = tokio::spawn(serve_health(health, Arc::clone(&state), health_stop.clone()));
        tracing::info!(listen = %settings.listen, health_listen = %settings.health_listen, "admission webhook is listening");

        let serving = tokio::spawn(serve_reviews(reviews, Arc::clone(&state), shutdown.clone()));
        shutdown.cancelled().await;
        state.is_stopping.store(true, Ordering::Relaxed);
        let _ = serving.await;
        let written = running.end().await;
        health_stop.cancel();
        let _ = health.await;
        written.map_err(RunError::Audits)
    }
}
