//! Regular expressions of bundles, matched as Python's `re.match` does: at the start of the text, ending anywhere.
//!
//! `.` excludes the newline, look-around and back references are allowed. They differ from Python in one point that no
//! image can use to get past a rule: `$` matches at the very end only, not also before a last newline.
//!
//! Invariant: compiling and matching are bounded. What the plain engine accepts takes linear time; all else is limited in
//! its parts, in the steps it may go back and in the length of the text, and reaching a limit is a [`Failure`].

use fancy_regex::RegexInput;
use regex_bounds::{PARTS_MAX, PATTERN_BYTES_MAX};

use crate::budget::{BACKTRACKING_STEPS, Budget, Failure, QUICK_BACKTRACKING_STEPS};
use crate::problem::quote;
use crate::python_regex::rewrite;

/// How often one match may go back before it is given up.
const BACKTRACK_MAX: usize = 5_000;
/// How often the first try of a match may go back. Honest expressions get by with it, and so cost little.
const QUICK_BACKTRACK_MAX: usize = 100;
/// Longest text that an expression is compared with.
const SUBJECT_BYTES_MAX: usize = 256 * 1024;
/// Longest text that an expression with look-around or back references is compared with.
const BACKTRACKING_SUBJECT_BYTES_MAX: usize = 16 * 1024;
/// Expressions of one bundle: together with the bound of one, this bounds the memory of a bundle.
pub(crate) const REGEXES_MAX: usize = 500;

/// Why an expression is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RegexError {
    #[error("regular expression has {length} bytes (limit {PATTERN_BYTES_MAX})")]
    TooLong { length: usize },
    #[error("bundle has more than {REGEXES_MAX} regular expressions")]
    TooMany,
    #[error("regular expression `{pattern}` is not valid: {reason}")]
    Invalid { pattern: String, reason: String },
    #[error(
        "regular expression `{pattern}` has {parts} parts with its repetitions (limit {PARTS_MAX} with look-around or back references)"
    )]
    TooComplex { pattern: String, parts: u64 },
}

/// Compiles the expressions of one bundle and counts them.
#[derive(Debug, Default)]
pub(crate) struct RegexCompiler {
    compiled: usize,
}

/// An expression that is matched at the start of a text.
#[derive(Debug)]
pub(crate) struct PrefixRegex {
    /// As written in the bundle.
    pattern: String,
    regex: fancy_regex::Regex,
    /// `None` for expressions that take linear time.
    backtracking: Option<Box<Backtracking>>,
}

/// What bounds an expression that goes back.
#[derive(Debug)]
struct Backtracking {
    /// The same expression with [`QUICK_BACKTRACK_MAX`].
    quick: fancy_regex::Regex,
    /// How much a match can cost.
    parts: u64,
}

impl RegexCompiler {
    pub(crate) fn compile(&mut self, pattern: &str) -> Result<PrefixRegex, RegexError> {
        if pattern.len() > PATTERN_BYTES_MAX {
            return Err(RegexError::TooLong { length: pattern.len() });
        }
        if self.compiled >= REGEXES_MAX {
            return Err(RegexError::TooMany);
        }
        self.compiled += 1;
        let invalid = |reason: &str| RegexError::Invalid { pattern: quote(pattern), reason: quote(reason) };
        let rewritten = rewrite(pattern);
        let build =
            |backtrack_max| regex_bounds::compile(&rewritten, backtrack_max).map_err(|error| invalid(&error));
        let regex = build(BACKTRACK_MAX)?;
        let tree = regex_bounds::parse(&rewritten).map_err(|error| invalid(&error))?;
        if regex_bounds::is_linear(&rewritten, &tree) {
            return Ok(PrefixRegex { pattern: pattern.to_owned(), regex, backtracking: None });
        }
        match regex_bounds::count_parts(&tree) {
            Some(parts) if parts <= PARTS_MAX => {
                let quick = build(QUICK_BACKTRACK_MAX)?;
                let pattern = pattern.to_owned();
                Ok(PrefixRegex {
                    pattern,
                    regex,
                    backtracking: Some(Box::new(Backtracking { quick, parts })),
                })
            }
            Some(parts) => Err(RegexError::TooComplex { pattern: quote(pattern), parts }),
            None => Err(invalid("it has a construct that is not part of the policy language")),
        }
    }
}

impl PrefixRegex {
    /// The expression as written.
    pub(crate) fn pattern(&self) -> &str {
        &self.pattern
    }

    pub(crate) fn is_match(&self, subject: &str, budget: &mut Budget) -> Result<bool, Failure> {
        let subject_bytes = subject.len();
        let limit = match self.backtracking {
            Some(_) => BACKTRACKING_SUBJECT_BYTES_MAX,
            None => SUBJECT_BYTES_MAX,
        };
        let pattern = || quote(&self.pattern);
        if subject_bytes > limit {
            return Err(Failure::SubjectTooLong { pattern: pattern(), subject_bytes, limit });
        }
        match &self.backtracking {
            None => budget.spend(1 + subject_bytes as u64 / 16)?,
            Some(backtracking) => {
                let Backtracking { quick, parts } = backtracking.as_ref();
                let effort = (1 + parts / 100) * (1 + subject_bytes as u64 / 256);
                budget.spend(QUICK_BACKTRACKING_STEPS * effort + parts * (1 + subject_bytes as u64 / 64))?;
                if let Ok(is_match) = matches_at_start(quick, subject) {
                    return Ok(is_match);
                }
                budget.spend(BACKTRACKING_STEPS * effort)?;
            }
        }
        matches_at_start(&self.regex, subject)
            .map_err(|_| Failure::BacktracksTooLong { pattern: pattern(), subject_bytes })
    }
}

/// Whether an expression matches at the start, or that it went back too often.
fn matches_at_start(regex: &fancy_regex::Regex, subject: &str) -> Result<bool, fancy_regex::Error> {
    // Not `is_match_input`: version 0.20 ignores the anchor there.
    regex.find_input(RegexInput::new(subject).anchored(true)).map(|found| found.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_expressions_are_bounded() {
        let mut regexes = RegexCompiler::default();
        let regex = regexes.compile(r"(?=(a+))(?:a|aa|\1)+$").unwrap();
        let subject = format!("{}b", "a".repeat(60));
        let failure = regex.is_match(&subject, &mut Budget::new(1_000_000)).unwrap_err();
        assert!(matches!(failure, Failure::BacktracksTooLong { subject_bytes: 61, .. }), "{failure}");
        // Linear expressions do not care.
        let regex = regexes.compile("(a+)+$").unwrap();
        assert_eq!(regex.is_match(&subject, &mut Budget::new(1_000_000)), Ok(false));
    }

    #[test]
    fn expressions_that_cannot_be_compiled_are_refused() {
        let mut regexes = RegexCompiler::default();
        for pattern in ["(", "[", "(?<=a*)(?P<x", "*a", r"\1", &"(".repeat(4000)] {
            assert!(matches!(regexes.compile(pattern), Err(RegexError::Invalid { .. })), "{pattern}");
        }
        for (length, is_good) in
            [(PATTERN_BYTES_MAX - 1, true), (PATTERN_BYTES_MAX, true), (PATTERN_BYTES_MAX + 1, false)]
        {
            assert_eq!(regexes.compile(&"a".repeat(length)).is_ok(), is_good, "{length}");
        }
    }

    #[test]
    fn repetition_is_limited_where_it_is_not_counted() {
        // Forward steps are not counted by the engine, so these would run for minutes without going back once.
        let mut regexes = RegexCompiler::default();
        let rows = [
            (r"(?:(?=(?=a)a*)a{0}){10000}{10000}b", false),
            (r"(?:(?=.*a)x?){9999}{9999}b", false),
            ("a{1000}{1000}{1000}", false),
            (r"(a)\g<1>", false),
            (r"(?R)?a(?=b)", false),
            (r"a\Kb(?=c)", false),
            (r"(?<![A-Z0-9])[A-Z0-9]{20}(?![A-Z0-9])", true),
            (r"(?=.{8,})(a|b)\1", true),
            (r"(?=a)x{498}", true),
            (r"(?=a)x{498}[yz]", true),
            (r"(?=a)x{498}[yz][yz]", false),
            (r"(?:x*+){250}", true),
            (r"(?:x*+){251}", false),
        ];
        for (pattern, is_good) in rows {
            let found = regexes
                .compile(pattern)
                .map(|regex| regex.backtracking.map(|backtracking| backtracking.parts));
            assert_eq!(found.is_ok(), is_good, "{pattern}: {found:?}");
        }
    }

    #[test]
    fn a_bundle_has_a_limited_number_of_expressions() {
        let mut regexes = RegexCompiler::default();
        for _ in 0..REGEXES_MAX {
            regexes.compile("a").unwrap();
        }
        assert_eq!(regexes.compile("a").unwrap_err(), RegexError::TooMany);
    }

    #[test]
    fn long_texts_are_refused_at_the_limit() {
        let mut regexes = RegexCompiler::default();
        for (pattern, limit) in [("a", SUBJECT_BYTES_MAX), ("(?=a)a", BACKTRACKING_SUBJECT_BYTES_MAX)] {
            let regex = regexes.compile(pattern).unwrap();
            for (length, is_good) in [(limit - 1, true), (limit, true), (limit + 1, false)] {
                let found = regex.is_match(&"a".repeat(length), &mut Budget::new(1_000_000));
                assert_eq!(found.is_ok(), is_good, "{pattern} {length}");
            }
        }
    }
}
