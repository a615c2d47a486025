//! The engine in the webhook's own process: verdicts without a hop.

use std::sync::Arc;

use admission::{SourceState, Verdict, VerdictError, VerdictQuestion, VerdictSource};
use async_trait::async_trait;
use engine::{Engine, Urgency};
use scanner::ScanErrorKind;

/// Asks an engine that this process holds, for one of its accounts.
#[derive(Debug)]
pub(in crate::commands) struct OwnEngine {
    pub(in crate::commands) engine: Arc<Engine>,
    pub(in crate::commands) account: String,
    pub(in crate::commands) urgency: Urgency,
}

#[async_trait]
impl VerdictSource for OwnEngine {
    async fn verdict(&self, question: &VerdictQuestion) -> Result<Verdict, VerdictError> {
        let Self { engine, account, urgency } = self;
        engine
            .verdict_with(account, &question.reference, question.deadline, *urgency)
            .await
            .map_err(to_verdict_error)
    }

    async fn state(&self) -> Result<SourceState, VerdictError> {
        let state = self.engine.verdict_state(&self.account).await.map_err(to_verdict_error)?;
        Ok(SourceState {
            policy_revision: state.policy_revision,
            database_revision: state.database_revision,
            bundle: Some(state.bundle),
        })
    }
}

fn to_verdict_error(error: engine::VerdictError) -> VerdictError {
    match error {
        engine::VerdictError::Undecided { reason } => VerdictError::Unreachable(reason),
        engine::VerdictError::Unavailable { kind: ScanErrorKind::NotFound, .. } => VerdictError::NotFound,
        engine::VerdictError::Unavailable { kind: ScanErrorKind::Unauthorized, reason, .. } => {
            VerdictError::Unauthorized(reason)
        }
        engine::VerdictError::Unavailable { reason, .. } => VerdictError::AnalysisFailed(reason),
        engine::VerdictError::AnalysisFailed { reason, .. } => VerdictError::AnalysisFailed(reason),
        engine::VerdictError::NoActivePolicy => VerdictError::NoPolicy,
        engine::VerdictError::Internal(error) => {
            VerdictError::BadAnswer(crate::terminal::chain(&anyhow::Error::new(error)))
        }
    }
}
