//! Where verdicts come from: one trait with two implementations, an engine elsewhere and the engine in the same process.

use std::sync::Arc;

use async_trait::async_trait;
use model::ImageReference;
pub use model::{Verdict, VerdictReason};

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
