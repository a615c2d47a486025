//! Kubernetes clusters of organizations.

mod access;
mod connection;
mod deletion;
mod explain;
mod import;
mod inspect;
mod kubeconfig;
mod store;
mod watch;

pub(crate) use access::Clients;
pub use access::ClusterError;
pub use deletion::DeleteError;
pub use import::{ImportError, Imported, NewCluster};
pub use kubeconfig::{CleanKubeconfig, KubeconfigError};
pub(crate) use store::is_going;

use jiff::Timestamp;

/// What processes about a cluster itself are about: it comes, it goes.
const PROCESS: &str = "cluster";

/// A cluster of an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Its number.
    pub id: i64,
    /// Its name towards engines, which no other cluster ever has.
    pub uid: String,
    /// Whose it is.
    pub organization_id: i64,
    /// Its name, once in an organization.
    pub name: String,
    /// Where it runs: `kubernetes`.
    pub cloud: String,
    /// Which Kubernetes it is; `unknown` where nobody said.
    pub distribution: String,
    /// Where it stands; may be empty.
    pub location: String,
    /// Version of its API server; empty until it answered once.
    pub version: String,
    /// The secret with its kubeconfig.
    pub secret_id: String,
    /// How it is.
    pub status: ClusterStatus,
    /// The same in a sentence.
    pub status_message: String,
    /// Who brought it.
    pub creator_id: i64,
    /// His login.
    pub creator_name: String,
    /// When it was brought.
    pub created_at: Timestamp,
    /// When it first answered.
    pub started_at: Option<Timestamp>,
    /// When it was changed.
    pub updated_at: Timestamp,
}

/// How a cluster is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClusterStatus {
    /// Brought, and not seen yet.
    Creating,
    /// It answers.
    Running,
    /// It is being changed.
    Updating,
    /// It is being taken away.
    Deleting,
    /// It answers, but something is wrong.
    Warning,
    /// It does not answer.
    Error,
}

impl ClusterStatus {
    const ALL: [Self; 6] =
        [Self::Creating, Self::Running, Self::Updating, Self::Deleting, Self::Warning, Self::Error];

    /// The word on the wire and in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Creating => "CREATING",
            Self::Running => "RUNNING",
            Self::Updating => "UPDATING",
            Self::Deleting => "DELETING",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
        }
    }

    /// The status of this word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}
