//! What to do next, behind what went wrong.

use pipeline_client::CallError;

use crate::name::program_name;
use crate::terminal;

/// The error in one line, and below it what helps against it.
pub(super) fn with_advice(error: anyhow::Error) -> anyhow::Error {
    let Some(call) = error.chain().find_map(|cause| cause.downcast_ref::<CallError>()) else {
        return error;
    };
    match advice(call) {
        Some(advice) => anyhow::anyhow!("{}\nnext: {advice}", terminal::chain(&error)),
        None => error,
    }
}

fn advice(error: &CallError) -> Option<String> {
    let name = program_name();
    match error {
        CallError::Unreachable { .. } => Some(format!(
            "see that the server runs and that its address is right; `{name} login -e URL` sets another"
        )),
        CallError::Untrusted { .. } => Some(format!(
            "if the server got a new certificate, compare its fingerprint and run `{name} login --skip-verify`; to trust a \
             certificate authority, set `pipeline.tls-ca-file` in the configuration"
        )),
        CallError::Timeout { .. } => Some("try again; `--verbose` shows which call takes so long".to_owned()),
        CallError::Refused { status: 401, .. } => {
            Some(format!("your token counts no more: run `{name} login` with another"))
        }
        CallError::Refused { status: 403, .. } => Some(format!(
            "you may not do this in this organization: `{name} organization list` shows which one is selected; its \
             administrators can"
        )),
        CallError::Refused { status: 503, .. } => Some("wait a little and try again".to_owned()),
        CallError::Refused { status: 500.., .. } => {
            Some("nothing is wrong with what you typed; the log of the server says more".to_owned())
        }
        CallError::Unexpected { .. } => Some(format!(
            "see that the address is one of a Pipeline server, with its base path; `{name} login -e URL` sets another"
        )),
        CallError::Refused { .. } => None,
    }
}
