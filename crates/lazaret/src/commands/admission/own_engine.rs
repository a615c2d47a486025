//! The engine in the webhook's own process: verdicts without a hop.

use std::sync::Arc;

use admission::{Reason, SourceState, Verdict, VerdictError, VerdictQuestion, VerdictSource};
use async_trait::async_trait;
use engine::{Engine, VerdictReason};
use scanner::ScanErrorKind;

/// Asks an engine that this process holds.
#[derive(Debug)]
pub(super) struct OwnEngine(pub(super) Arc<Engine>);

#[async_trait]
impl VerdictSource for OwnEngine {
    async fn verdict(&self, question: &VerdictQuestion) -> Result<Verdict, VerdictError> {
        let verdict =
            self.0.verdict(&question.reference, question.deadline).await.map_err(to_verdict_error)?;
        let engine::Verdict {
            digest,
            resolved_at,
            is_pass,
            policy_id,
            policy_revision,
            database_revision,
            reasons,
            warnings,
            evaluated_at,
        } = verdict;
        Ok(Verdict {
            digest,
            resolved_at,
            is_pass,
            policy_id,
            policy_revision,
            database_revision,
            reasons: reasons.into_iter().map(to_reason).collect(),
            warnings: warnings.into_iter().map(to_reason).collect(),
            evaluated_at,
        })
    }

    async fn state(&self) -> Result<SourceState, VerdictError> {
        let state = self.0.verdict_state().await.map_err(to_verdict_error)?;
        Ok(SourceState {
            policy_revision: state.policy_revision,
            database_revision: state.database_revision,
            bundle: Some(state.bundle),
        })
    }
}

fn to_reason(reason: VerdictReason) -> Reason {
    let VerdictReason { gate, trigger, message, vulnerability, package, installed, fixed_in, severity } =
        reason;
    Reason { gate, trigger, message, vulnerability, package, installed, fixed_in, severity }
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
