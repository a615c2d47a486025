//! Pods that run already: their images are scanned and judged when the service becomes active, and again after every change of
//! the policy, the data, the whitelist, and now and then. What the policy would refuse is told; nothing is ever evicted.
//!
//! [`worker`] holds a durable job for each cluster and sees what changed; [`look`] lists the Pods and asks for verdicts; [`tell`]
//! compares with what was told before. Everything is in tables ([`store`]), so that a restart neither loses nor repeats.

mod change;
mod fresh;
mod judgement;
mod look;
mod message;
mod pod;
mod report;
mod store;
mod tell;
mod worker;

pub use report::{ImageReport, JudgedPod, RunningFilter, RunningPage, RunningSummary, Told};

use std::time::Duration;

/// What the program decides about Pods that run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningSettings {
    /// After this, everything is looked at again although nothing changed.
    pub every: Duration,
    /// Pause between two questions whether policy, data or whitelist changed.
    pub check_every: Duration,
    /// After this a look ends, and goes on when the other clusters had their turn: a slow engine must not hold them up.
    pub judge_time: Duration,
}

impl Default for RunningSettings {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(3600),
            check_every: Duration::from_secs(10),
            judge_time: Duration::from_secs(300),
        }
    }
}

/// What is known about a Pod, or an image, that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PodState {
    /// Nobody has asked yet.
    New,
    /// The policy would let it in.
    Passed,
    /// Its release is on the whitelist.
    Exempt,
    /// Nobody knows.
    Undecided,
    /// The policy would refuse it.
    Refused,
}

impl PodState {
    const ALL: [Self; 5] = [Self::New, Self::Passed, Self::Exempt, Self::Undecided, Self::Refused];

    /// The word on the wire and in the tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Passed => "passed",
            Self::Exempt => "exempt",
            Self::Undecided => "undecided",
            Self::Refused => "refused",
        }
    }

    /// The state of this word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}
