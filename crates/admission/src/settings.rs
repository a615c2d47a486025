//! What the program tells this crate at the start.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

use crate::audit_writer::AuditLimits;
use crate::cache::VerdictLimits;
use crate::index::UndecidedMode;

/// Tells the time.
pub type Clock = fn() -> Timestamp;

/// Where the serving certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateSource {
    /// Own authority, kept in a Secret; for a server inside the cluster.
    Secret {
        /// Namespace of the Secret.
        namespace: String,
        /// Its name.
        name: String,
        /// Names that the API server calls us by.
        host_names: Vec<String>,
    },
    /// Own authority, kept in a folder; for a server outside the cluster.
    Folder {
        /// The folder; made if it is not there.
        path: PathBuf,
        /// Names and addresses that the API server calls us by.
        host_names: Vec<String>,
    },
    /// Files that somebody else renews.
    Files {
        /// Certificate chain, PEM.
        certificate: PathBuf,
        /// Private key, PEM.
        key: PathBuf,
    },
}

/// How the server behaves under load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerLimits {
    /// Most open connections.
    pub connections_max: usize,
    /// Most of them from one address, or from one network of IPv6.
    pub connections_per_source_max: usize,
    /// Most reviews being worked on; more are turned away at once.
    pub reviews_max: usize,
    /// Most of them from one address.
    pub reviews_per_source_max: usize,
    /// Most of them of one cluster, where a listener has several.
    pub reviews_per_cluster_max: usize,
    /// Most bytes of bodies in memory.
    pub body_bytes_max: usize,
    /// Most of them of one cluster.
    pub body_bytes_per_cluster_max: usize,
    /// Longest TLS handshake.
    pub handshake_time: Duration,
    /// Longest wait for the head of a request.
    pub header_time: Duration,
    /// Longest wait for the body of a request.
    pub body_time: Duration,
    /// How long open requests may go on after the shutdown began.
    pub shutdown_time: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections_max: 1_024,
            connections_per_source_max: 256,
            reviews_max: 2_048,
            reviews_per_source_max: 1_024,
            reviews_per_cluster_max: 512,
            body_bytes_max: 256 << 20,
            body_bytes_per_cluster_max: 64 << 20,
            handshake_time: Duration::from_secs(5),
            header_time: Duration::from_secs(10),
            body_time: Duration::from_secs(5),
            shutdown_time: Duration::from_secs(15),
        }
    }
}

/// How decisions are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionSettings {
    /// What an image without a verdict means in namespaces that do not say so themselves.
    pub undecided: UndecidedMode,
    /// How long a Pod waits for verdicts in namespaces that do not say so themselves; the request's own time bounds it.
    pub wait: Duration,
    /// How long a Pod waits for details when the policy refuses it anyway.
    pub refusal_wait: Duration,
    /// What is left of the request's time to carry the answer back.
    pub margin: Duration,
    /// How many images of one Pod are asked for at once.
    pub images_at_once: usize,
    /// How many exempt Pods are looked at in the background at once.
    pub background_max: usize,
}

impl Default for DecisionSettings {
    fn default() -> Self {
        Self {
            undecided: UndecidedMode::Deny,
            wait: Duration::from_secs(30),
            refusal_wait: Duration::from_secs(2),
            margin: Duration::from_millis(500),
            images_at_once: 8,
            background_max: 64,
        }
    }
}

/// Everything.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where reviews come in, HTTPS.
    pub listen: SocketAddr,
    /// Where health and metrics are asked for, plain HTTP.
    pub health_listen: SocketAddr,
    /// The serving certificate.
    pub certificate: CertificateSource,
    /// The ValidatingWebhookConfiguration whose CA bundle is kept up to date; `None` leaves that to somebody else.
    pub webhook_configuration: Option<String>,
    /// How often certificate and CA bundle are looked after.
    pub certificate_check_every: Duration,
    /// How often the verdict source is asked for its state.
    pub state_every: Duration,
    /// Decisions.
    pub decision: DecisionSettings,
    /// Verdicts.
    pub verdicts: VerdictLimits,
    /// Audits.
    pub audits: AuditLimits,
    /// The server.
    pub server: ServerLimits,
    /// Tells the time.
    pub clock: Clock,
}

impl Settings {
    /// The defaults for everything that has one.
    pub fn new(certificate: CertificateSource, clock: Clock) -> Self {
        Self {
            listen: SocketAddr::from(([0, 0, 0, 0], 8443)),
            health_listen: SocketAddr::from(([0, 0, 0, 0], 8081)),
            certificate,
            webhook_configuration: Some(crate::manifests::DEFAULT_NAME.to_owned()),
            certificate_check_every: Duration::from_secs(10),
            state_every: Duration::from_secs(3),
            decision: DecisionSettings::default(),
            verdicts: VerdictLimits::default(),
            audits: AuditLimits::default(),
            server: ServerLimits::default(),
            clock,
        }
    }
}
