//! How much work one evaluation may do, counted in steps because the core reads no clock.

use model::EvaluationProblem;

use crate::problem;

/// Steps that one evaluation may take before it is refused.
///
/// A step is one comparison. A row costs 250 and a match of an expression that goes back a lot 5 000 (100 where it hardly
/// does), so that the limit also bounds memory (200 000 rows) and time (10 000 such matches of short texts).
pub const WORK_MAX: u64 = 50_000_000;

/// What one row costs.
pub(crate) const ROW_STEPS: u64 = 250;
/// What one match of a backtracking expression costs; more for long expressions and long texts.
pub(crate) const BACKTRACKING_STEPS: u64 = 5_000;
/// What the first, short try of such a match costs.
pub(crate) const QUICK_BACKTRACKING_STEPS: u64 = 100;

/// Why an evaluation cannot be finished. The image is then refused: unknown is never clean.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// The bundle asks for more than [`WORK_MAX`] steps on this image.
    #[error("the bundle needs more than {WORK_MAX} steps for this image")]
    WorkExceeded,
    /// An expression backtracks too long on a text of the image.
    #[error("regular expression `{pattern}` backtracks too long on a text of {subject_bytes} bytes")]
    BacktracksTooLong {
        /// The expression, shortened.
        pattern: String,
        /// The length of the text.
        subject_bytes: usize,
    },
    /// A text of the image is too long for an expression.
    #[error("regular expression `{pattern}` is asked about a text of {subject_bytes} bytes (limit {limit})")]
    SubjectTooLong {
        /// The expression, shortened.
        pattern: String,
        /// The length of the text.
        subject_bytes: usize,
        /// The most that is compared.
        limit: usize,
    },
    /// Nobody has recorded what the files of the image say.
    #[error(
        "gate `{gate}` asks about the files of the image, which were not recorded when it was analyzed: add the image again with `force` to analyze it anew"
    )]
    ContentsNotRecorded {
        /// The gate of the rule.
        gate: &'static str,
    },
    /// The list of the image's paths ends before the image does.
    #[error(
        "gate `{gate}` asks about the files of the image, which has more than the {listed} paths that are recorded"
    )]
    PathsLeftOut {
        /// The gate of the rule.
        gate: &'static str,
        /// How many are recorded.
        listed: usize,
    },
    /// Nobody can tell which of two versions is lower.
    #[error("package `{package}`: {reason}")]
    VersionsNotComparable {
        /// Its name, shortened.
        package: String,
        /// Which versions, and why not.
        reason: String,
    },
    /// A pattern of a stored bundle was never valid.
    #[error("{0}")]
    BrokenPattern(String),
}

impl Failure {
    pub(crate) fn to_problem(&self) -> EvaluationProblem {
        match self {
            Self::BrokenPattern(_) => problem::error("ValidationError", self.to_string()),
            Self::ContentsNotRecorded { .. } => {
                problem::error("ImageContentsNotRecordedError", self.to_string())
            }
            Self::VersionsNotComparable { .. } => {
                problem::error("VersionsNotComparableError", self.to_string())
            }
            Self::WorkExceeded
            | Self::PathsLeftOut { .. }
            | Self::BacktracksTooLong { .. }
            | Self::SubjectTooLong { .. } => problem::error("EvaluationLimitError", self.to_string()),
        }
    }
}

/// The steps that are left.
#[derive(Debug)]
pub(crate) struct Budget {
    steps_left: u64,
}

impl Budget {
    pub(crate) fn new(steps_max: u64) -> Self {
        Self { steps_left: steps_max }
    }

    /// Takes `steps`, or says that they are not there.
    pub(crate) fn spend(&mut self, steps: u64) -> Result<(), Failure> {
        match self.steps_left.checked_sub(steps) {
            Some(steps_left) => {
                self.steps_left = steps_left;
                Ok(())
            }
            None => Err(Failure::WorkExceeded),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_step_is_given_and_the_next_is_not() {
        for (steps, expected) in [(9, Ok(())), (10, Ok(())), (11, Err(Failure::WorkExceeded))] {
            assert_eq!(Budget::new(10).spend(steps), expected, "{steps}");
        }
        let mut budget = Budget::new(2);
        assert_eq!(budget.spend(1), Ok(()));
        assert_eq!(budget.spend(2), Err(Failure::WorkExceeded));
        assert_eq!(budget.spend(1), Ok(()));
    }
}
