//! Services in clusters. There is one, the security scan: what is wanted of it is a row, and what is done about it is a durable
//! job over idempotent steps, which anybody can take up again where somebody died.

mod activation;
mod attempt;
mod checks;
mod claims;
mod deactivation;
mod inventory;
mod operations;
mod orphans;
mod secret_use;
mod spec;
mod steps;
mod store;
mod validation;
mod webhooks;
mod worker;

pub(crate) use checks::SecretProblem;
pub(crate) use operations::hurry_service;
pub(crate) use store::{ServiceRow, find as find_service};
pub(crate) use webhooks::JoinedWebhooks;

use std::sync::Arc;
use std::time::Duration;

use admission::SharedWebhook;
use jiff::Timestamp;
use serde_json::Value;

use crate::{EngineAccess, RunningSummary, SecretError, StorageError};

/// The name of the one service.
pub const SECURITY_SCAN: &str = "securityscan";

/// What the program decides about services.
#[derive(Debug, Clone)]
pub struct ServiceSettings {
    /// The engine of this installation; `None`: only engines that organizations bring.
    pub engine: Option<EngineAccess>,
    /// The webhooks in this process, and where clusters reach them; `None`: webhooks run in clusters.
    pub webhook: Option<WebhookHere>,
    /// Namespace of what runs in clusters; never asked about.
    pub namespace: String,
    /// Image of this program for clusters; empty: none is known.
    pub image: String,
    /// After so many failures in a row a service is in error.
    pub attempts: i64,
    /// One attempt that takes longer is a failed one.
    pub attempt_time: Duration,
}

/// Webhooks in this process.
#[derive(Debug, Clone)]
pub struct WebhookHere {
    /// The listener.
    pub shared: Arc<SharedWebhook>,
    /// Where clusters reach it: `https://host:port`.
    pub url: String,
}

impl Default for ServiceSettings {
    fn default() -> Self {
        Self {
            engine: None,
            webhook: None,
            namespace: "pipeline-system".to_owned(),
            image: String::new(),
            attempts: 8,
            attempt_time: Duration::from_secs(600),
        }
    }
}

/// How a service is; no row means that it is not active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceStatus {
    /// It is being worked on.
    Pending,
    /// It does what its spec says.
    Active,
    /// It does not, and nobody works on it.
    Error,
}

impl ServiceStatus {
    /// The word on the wire and in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Active => "ACTIVE",
            Self::Error => "ERROR",
        }
    }

    /// The status of this word.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Pending, Self::Active, Self::Error].into_iter().find(|status| status.name() == name)
    }
}

/// What shall become of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Active,
    Removed,
    /// Also the definitions of the custom resources, with all whitelist items and audits.
    RemovedWithResources,
}

impl Wanted {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Removed => "removed",
            Self::RemovedWithResources => "removed_with_resources",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Active, Self::Removed, Self::RemovedWithResources]
            .into_iter()
            .find(|wanted| wanted.name() == name)
    }
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepState {
    /// Somebody works on it, or died over it.
    Running,
    /// It is done.
    Done,
    /// It did not work; it is tried again, or the service is in error.
    Failed,
}

impl StepState {
    /// The word on the wire and in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Running, Self::Done, Self::Failed].into_iter().find(|state| state.name() == name)
    }
}

/// A step of the newest work on a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceStep {
    /// What is done.
    pub name: String,
    /// How far it is.
    pub state: StepState,
    /// What went wrong, or what people should know.
    pub message: String,
    /// When it was first begun.
    pub started_at: Timestamp,
    /// When it was done.
    pub finished_at: Option<Timestamp>,
}

/// A service of a cluster, in full.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceDetails {
    /// How it is.
    pub status: ServiceStatus,
    /// As it was sent.
    pub spec: Value,
    /// Why it is in error, or what is being waited for; empty: nothing.
    pub reason: String,
    /// What is done about it.
    pub steps: Vec<ServiceStep>,
    /// Version of the engine; empty where it does not say.
    pub engine_version: String,
    /// Version of the webhook: that of this program; empty where none is installed.
    pub webhook_version: String,
    /// How the Pods that run were judged; `None`: they were not looked at yet.
    pub running: Option<RunningSummary>,
}

/// Why nothing was done about a service.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// There is no such kind of service.
    #[error("unknown integrated service `{0}`: there is `{SECURITY_SCAN}`")]
    Unknown(String),
    /// The body is none.
    #[error("{0}")]
    BadRequest(String),
    /// It is there already.
    #[error("Service \"{0}\" is already active.")]
    AlreadyActive(String),
    /// It is not there.
    #[error(
        "failed to retrieve integrated service details: IntegratedService \"{service}\" not found for cluster {cluster}"
    )]
    NotActive {
        /// Which service.
        service: String,
        /// In which cluster.
        cluster: i64,
    },
    /// Its cluster is being deleted.
    #[error("cluster `{0}` is being deleted")]
    ClusterGoes(String),
    /// The spec cannot be carried out.
    #[error("{detail}")]
    Invalid {
        /// All of it in one text.
        detail: String,
        /// One by one.
        problems: Vec<String>,
    },
    /// Secrets cannot be read.
    #[error(transparent)]
    Secrets(SecretError),
    /// The engine of this installation does not answer.
    #[error("the engine of this installation cannot be asked: {0}")]
    Engine(String),
    /// The tables cannot be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
