//! Where verdicts come from: one trait with two implementations, an engine elsewhere and the engine in the same process.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use model::{Digest, ImageReference, Severity};

/// Asks what a policy says about images.
#[async_trait]
pub trait VerdictSource: Send + Sync + 'static {
    /// The verdict about one image. Returns before `question.deadline`, with [`VerdictError::NotYet`] if need be.
    async fn verdict(&self, question: &VerdictQuestion) -> Result<Verdict, VerdictError>;

    /// What verdicts are made from at the moment. Cheap; asked every few seconds.
    async fn state(&self) -> Result<SourceState, VerdictError>;
}

/// A question about one image.
#[derive(Debug, Clone)]
pub struct VerdictQuestion {
    /// The image as written, completed.
    pub reference: ImageReference,
    /// When the answer is of no use any more.
    pub deadline: tokio::time::Instant,
}

/// What a policy says about one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The image that was judged.
    pub digest: Digest,
    /// When the tag was resolved to that digest.
    pub resolved_at: Timestamp,
    /// Whether it may run.
    pub is_pass: bool,
    /// The bundle that decided.
    pub policy_id: String,
    /// Which state of the bundle.
    pub policy_revision: String,
    /// Which state of the vulnerability data.
    pub database_revision: String,
    /// Why it may not run.
    pub reasons: Vec<Reason>,
    /// What is wrong with it although it may run.
    pub warnings: Vec<Reason>,
    /// When it was judged.
    pub evaluated_at: Timestamp,
}

/// One match of one rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reason {
    /// Gate of the rule.
    pub gate: String,
    /// Trigger of the rule.
    pub trigger: String,
    /// What the rule says.
    pub message: String,
    /// The vulnerability, for rules about one.
    pub vulnerability: Option<String>,
    /// The package it is in.
    pub package: Option<String>,
    /// The installed version.
    pub installed: Option<String>,
    /// The version that fixes it.
    pub fixed_in: Option<String>,
    /// How bad it is.
    pub severity: Option<Severity>,
}

/// What verdicts are made from at the moment.
#[derive(Debug, Clone)]
pub struct SourceState {
    /// State of the active bundle: equal revisions judge equally.
    pub policy_revision: String,
    /// State of the vulnerability data.
    pub database_revision: String,
    /// The active bundle; `None` where it is not known.
    pub bundle: Option<Arc<policy::Bundle>>,
}

/// Why there is no verdict.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerdictError {
    /// It is being worked on.
    #[error("the image is still being analysed")]
    NotYet,
    /// The registry has no such image.
    #[error("the registry has no such image")]
    NotFound,
    /// The registry or the engine does not let us in.
    #[error("access is refused: {0}")]
    Unauthorized(String),
    /// The engine does not answer.
    #[error("the engine cannot be reached: {0}")]
    Unreachable(String),
    /// The engine tried and failed.
    #[error("the image could not be analysed: {0}")]
    AnalysisFailed(String),
    /// There is no active policy.
    #[error("no policy is active")]
    NoPolicy,
    /// The engine says something that is not understood.
    #[error("the engine's answer is not understood: {0}")]
    BadAnswer(String),
}
