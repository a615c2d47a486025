//! Processes: what was done about clusters and their services, step by step, for people to watch, look up and stop.
//!
//! They are written in the transactions of the work itself, so they say neither more nor less than what was done.

mod operations;
mod store;

pub(crate) use store::{NewProcess, begin, canceled_by, end, is_running, note};

use jiff::Timestamp;

use crate::StorageError;

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessKind {
    /// A cluster comes.
    ClusterImport,
    /// A cluster goes.
    ClusterDelete,
    /// A service becomes active.
    ServiceActivate,
    /// A service gets another spec.
    ServiceUpdate,
    /// A service goes.
    ServiceDeactivate,
}

impl ProcessKind {
    /// The word on the wire and in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::ClusterImport => "cluster-import",
            Self::ClusterDelete => "cluster-delete",
            Self::ServiceActivate => "service-activate",
            Self::ServiceUpdate => "service-update",
            Self::ServiceDeactivate => "service-deactivate",
        }
    }

    /// Whether it can be stopped half way without leaving anything in a state that nobody wanted.
    fn is_cancelable(kind: &str) -> bool {
        [Self::ServiceActivate, Self::ServiceUpdate].into_iter().any(|found| found.name() == kind)
    }
}

/// How a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessStatus {
    /// It goes on.
    Running,
    /// It ended without what it was for.
    Failed,
    /// It is done.
    Finished,
    /// Somebody stopped it, or something newer was wanted.
    Canceled,
}

impl ProcessStatus {
    const ALL: [Self; 4] = [Self::Running, Self::Failed, Self::Finished, Self::Canceled];

    /// The word on the wire and in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Failed => "failed",
            Self::Finished => "finished",
            Self::Canceled => "canceled",
        }
    }

    /// The status of this word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// One process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub id: String,
    /// The process that it is a part of; empty: none.
    pub parent_id: String,
    /// Whose it is.
    pub organization_id: i64,
    /// The cluster that it is about.
    pub cluster_id: i64,
    /// What it does: `service-activate`.
    pub kind: String,
    /// How it is.
    pub status: ProcessStatus,
    /// How it ended; empty: nothing to say.
    pub log: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// What happened, in order.
    pub events: Vec<ProcessEvent>,
}

/// Something that happened in a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessEvent {
    /// Counted from one in its process.
    pub position: i64,
    /// What was done.
    pub kind: String,
    /// How far it was.
    pub status: String,
    /// What there is to say about it; may be empty.
    pub log: String,
    /// When.
    pub timestamp: Timestamp,
}

/// Which processes somebody wants to see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProcessFilter {
    /// With this status.
    pub status: Option<ProcessStatus>,
    /// That do this.
    pub kind: Option<String>,
    /// About this cluster.
    pub cluster: Option<i64>,
}

/// Why nothing was done about a process.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// There is none.
    #[error("process `{0}` does not exist in the organization")]
    NotFound(String),
    /// It ended.
    #[error("process `{id}` is {status} already", status = status.name())]
    Ended {
        /// Its id.
        id: String,
        /// How it ended.
        status: ProcessStatus,
    },
    /// It is of a kind that is not stopped.
    #[error("a process of type `{0}` cannot be canceled: only activations and updates of services can")]
    NotCancelable(String),
    /// The tables cannot be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
