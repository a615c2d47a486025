//! What is in an image: found once per digest by workers, stored without any file content.

mod stored;
mod stored_package;
mod told;
mod worker;

pub(crate) use stored::{Analysis, DecodeError, FORM, decode, encode};
pub(crate) use worker::{AnalysisJob, JOB_KIND, reconcile, release_expired};
