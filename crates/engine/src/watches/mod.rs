//! Watching what accounts subscribed to: verdicts, vulnerabilities, tags and repositories.
//!
//! [`judge_tag`] is the one way to find out whether a verdict or the vulnerabilities of a tagged image changed and to tell it;
//! who learns that something may have changed (new data, a new policy, time) calls it. It compares with what was told last, so
//! calling it twice tells once.

mod findings;
mod judge;
mod politeness;
mod repositories;
mod results;
mod scan_result;
mod subscribed;
mod tags;

pub(crate) use findings::remember_findings;
pub(crate) use judge::judge_tag;
pub(crate) use repositories::watch_repositories;
pub use repositories::{RepositoryError, WatchedRepository};
pub(crate) use scan_result::tell_scan_result;
pub(crate) use subscribed::{begin_watching, watch_policies, watch_vulnerabilities};
pub(crate) use tags::watch_tags;
