//! What an engine said about an image, as it is kept.

use std::sync::Arc;

use admission::decision::{ImageOutcome, sort_reasons};
use admission::{SourceState, Verdict, VerdictError, VerdictReason};
use jiff::Timestamp;
use model::{Digest, ImageReference, Severity};
use serde::{Deserialize, Serialize};

use super::PodState;

/// The reasons that are kept of each image: people read the worst, and tables stay small.
const REASONS_MAX: usize = 20;

/// A judgement. All of it is in one column but what is asked for by SQL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Judgement {
    pub(super) outcome: Outcome,
    /// What was judged; for an image that is known by its tag only, what the tag named.
    pub(super) digest: Option<String>,
    pub(super) policy_id: Option<String>,
    pub(super) policy_revision: String,
    pub(super) database_revision: String,
    pub(super) resolved_at: Timestamp,
    pub(super) judged_at: Timestamp,
}

/// What became of the question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    Passed {
        warnings: Vec<KeptReason>,
    },
    Refused {
        reasons: Vec<KeptReason>,
    },
    /// Whatever is in it.
    RefusedUnseen {
        why: String,
    },
    Undecided {
        why: String,
        is_retryable: bool,
    },
}

/// A reason as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptReason {
    pub(super) gate: String,
    pub(super) trigger: String,
    pub(super) message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) vulnerability: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) package: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) installed: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) fixed_in: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) severity: Option<String>,
}

impl Judgement {
    /// What an answer of the engine means.
    pub(super) fn new(
        reference: &ImageReference,
        state: &SourceState,
        answer: Result<Verdict, VerdictError>,
        now: Timestamp,
    ) -> Self {
        match answer {
            Ok(verdict) => Self::of_verdict(verdict, now),
            Err(error) => Self::of_error(reference, state, &error, now),
        }
    }

    /// Nobody needs to ask an engine about this image.
    pub(super) fn undecided(why: String, state: &SourceState, now: Timestamp) -> Self {
        Self::without_verdict(Outcome::Undecided { why, is_retryable: false }, None, state, now)
    }

    /// What no verdict is known about is of the state that was asked, so that it is not asked for again in the same.
    fn without_verdict(
        outcome: Outcome,
        policy_id: Option<String>,
        state: &SourceState,
        now: Timestamp,
    ) -> Self {
        Self {
            outcome,
            digest: None,
            policy_id,
            policy_revision: state.policy_revision.clone(),
            database_revision: state.database_revision.clone(),
            resolved_at: now,
            judged_at: now,
        }
    }

    fn of_verdict(verdict: Verdict, now: Timestamp) -> Self {
        let kept = |reasons: &[VerdictReason]| {
            sort_reasons(reasons).into_iter().take(REASONS_MAX).map(KeptReason::new).collect()
        };
        let outcome = match verdict.is_pass {
            true => Outcome::Passed { warnings: kept(&verdict.warnings) },
            false => Outcome::Refused { reasons: kept(&verdict.reasons) },
        };
        let Verdict { digest, resolved_at, policy_id, policy_revision, database_revision, .. } = verdict;
        Self {
            outcome,
            digest: Some(digest.to_string()),
            policy_id: Some(policy_id),
            policy_revision,
            database_revision,
            resolved_at,
            // When it was asked for: an engine may have computed it long before.
            judged_at: now,
        }
    }

    fn of_error(
        reference: &ImageReference,
        state: &SourceState,
        error: &VerdictError,
        now: Timestamp,
    ) -> Self {
        let unseen = state
            .bundle
            .as_ref()
            .and_then(|bundle| policy::judge_without_image(bundle, reference, now))
            .filter(|decision| !decision.is_pass());
        let (outcome, policy_id) = match &unseen {
            Some(decision) => match ImageOutcome::from_unseen(decision) {
                ImageOutcome::RefusedUnseen { why, policy_id } => (Outcome::RefusedUnseen { why }, policy_id),
                _ => (undecided(error), None),
            },
            None => (undecided(error), None),
        };
        Self::without_verdict(outcome, policy_id, state, now)
    }

    pub(super) fn state(&self) -> PodState {
        match &self.outcome {
            Outcome::Passed { .. } => PodState::Passed,
            Outcome::Refused { .. } | Outcome::RefusedUnseen { .. } => PodState::Refused,
            Outcome::Undecided { .. } => PodState::Undecided,
        }
    }

    pub(super) fn is_retryable(&self) -> bool {
        matches!(self.outcome, Outcome::Undecided { is_retryable: true, .. })
    }

    /// The same as the webhook has it, for audits and messages.
    pub(super) fn to_outcome(&self) -> ImageOutcome {
        let verdict = |is_pass: bool, reasons: &[KeptReason], warnings: &[KeptReason]| {
            let all = |kept: &[KeptReason]| kept.iter().map(KeptReason::to_reason).collect();
            let digest: Option<Digest> = self.digest.as_ref().and_then(|digest| digest.parse().ok());
            let (Some(digest), Some(policy_id)) = (digest, self.policy_id.clone()) else {
                return ImageOutcome::Undecided { why: "the verdict was not kept whole".to_owned() };
            };
            ImageOutcome::from_verdict(Arc::new(Verdict {
                digest,
                resolved_at: self.resolved_at,
                is_pass,
                policy_id,
                policy_revision: self.policy_revision.clone(),
                database_revision: self.database_revision.clone(),
                reasons: all(reasons),
                warnings: all(warnings),
                evaluated_at: self.judged_at,
            }))
        };
        match &self.outcome {
            Outcome::Passed { warnings } => verdict(true, &[], warnings),
            Outcome::Refused { reasons } => verdict(false, reasons, &[]),
            Outcome::RefusedUnseen { why } => {
                ImageOutcome::RefusedUnseen { why: why.clone(), policy_id: self.policy_id.clone() }
            }
            Outcome::Undecided { why, .. } => ImageOutcome::Undecided { why: why.clone() },
        }
    }
}

fn undecided(error: &VerdictError) -> Outcome {
    let is_retryable = match error {
        VerdictError::NotYet | VerdictError::Unreachable(_) | VerdictError::BadAnswer(_) => true,
        VerdictError::NotFound
        | VerdictError::Unauthorized(_)
        | VerdictError::AnalysisFailed(_)
        | VerdictError::NoPolicy => false,
    };
    Outcome::Undecided { why: error.to_string(), is_retryable }
}

impl KeptReason {
    fn new(reason: &VerdictReason) -> Self {
        let VerdictReason { gate, trigger, message, vulnerability, package, installed, fixed_in, severity } =
            reason.clone();
        let severity = severity.map(|severity| severity.name().to_owned());
        Self { gate, trigger, message, vulnerability, package, installed, fixed_in, severity }
    }

    fn to_reason(&self) -> VerdictReason {
        let Self { gate, trigger, message, vulnerability, package, installed, fixed_in, severity } =
            self.clone();
        let severity: Option<Severity> = severity.and_then(|name| name.parse().ok());
        VerdictReason { gate, trigger, message, vulnerability, package, installed, fixed_in, severity }
    }
}
