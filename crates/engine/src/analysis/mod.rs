//! What is in an image: found once per digest by workers. Of the content of files nothing is stored but `/etc/passwd` and the
//! files that a setting names.

mod chains;
mod pull;
mod row;
mod stored;
mod stored_contents;
mod stored_package;
mod told;
mod worker;

pub(crate) use chains::LayerChains;
pub(crate) use row::AnalysisRow;
pub(crate) use stored::{Analysis, DecodeError, FORM, decode, encode};
pub(crate) use stored_contents::{CONTENTS_FORM, decode_contents, encode_contents};
pub(crate) use told::{AddedTag, tell_added};
pub(crate) use told::{tell_end, tell_status};
pub(crate) use worker::{AnalysisJob, JOB_KIND, reconcile, release_expired};
