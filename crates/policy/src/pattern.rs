//! The two pattern languages of a bundle: `*` and `regexp:`.
//!
//! Regular expressions follow Python's `re.match`: they must match at the start of the text and may end anywhere, and
//! `.` excludes the newline. Look-around and back references are allowed. They differ from Python in one point that no
//! image can use to get past a rule: `$` matches at the very end only, not also before a last newline.

use fancy_regex::{Error, RegexBuilder, RegexInput};

use crate::budget::{BACKTRACKING_STEPS, Budget, Failure};
use crate::problem::quote;

/// How often one match may go back before it is given up.
const BACKTRACK_MAX: usize = 10_000;
/// Longest text that an expression is compared with.
const SUBJECT_BYTES_MAX: usize = 256 * 1024;
/// Longest text that an expression with look-around or back references is compared with.
const BACKTRACKING_SUBJECT_BYTES_MAX: usize = 16 * 1024;
/// Longest expression.
const PATTERN_BYTES_MAX: usize = 4096;
/// Memory of one compiled expression, about.
const COMPILED_BYTES_MAX: usize = 1024 * 1024;
/// Instructions of one compiled expression.
const INSTRUCTIONS_MAX: usize = 20_000;
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
}

/// Compiles the expressions of one bundle and counts them.
#[derive(Debug, Default)]
pub(crate) struct RegexCompiler {
    compiled: usize,
}

/// An expression that is matched at the start of a text.
#[derive(Debug)]
pub(crate) struct PrefixRegex {
    regex: fancy_regex::Regex,
    is_backtracking: bool,
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
        let regex = RegexBuilder::new(pattern)
            .backtrack_limit(BACKTRACK_MAX)
            .delegate_size_limit(COMPILED_BYTES_MAX)
            .delegate_dfa_size_limit(COMPILED_BYTES_MAX)
            .delegate_dfa_skip_cache_capacity_check(false)
            .max_prog_size(INSTRUCTIONS_MAX)
            .build()
            .map_err(|error| RegexError::Invalid {
                pattern: quote(pattern),
                reason: quote(&error.to_string()),
            })?;
        // What the plain engine accepts takes linear time; the other engine does not say which way it will go.
        let is_backtracking =
            regex::RegexBuilder::new(pattern).size_limit(COMPILED_BYTES_MAX).build().is_err();
        Ok(PrefixRegex { regex, is_backtracking })
    }
}

impl PrefixRegex {
    pub(crate) fn is_empty(&self) -> bool {
        self.regex.as_str().is_empty()
    }

    pub(crate) fn is_match(&self, subject: &str, budget: &mut Budget) -> Result<bool, Failure> {
        let subject_bytes = subject.len();
        let (limit, steps) = if self.is_backtracking {
            (BACKTRACKING_SUBJECT_BYTES_MAX, BACKTRACKING_STEPS)
        } else {
            (SUBJECT_BYTES_MAX, 1 + subject_bytes as u64 / 16)
        };
        budget.spend(steps)?;
        let pattern = || quote(self.regex.as_str());
        if subject_bytes > limit {
            return Err(Failure::SubjectTooLong { pattern: pattern(), subject_bytes, limit });
        }
        match self.regex.is_match_input(RegexInput::new(subject).anchored(true)) {
            Ok(is_match) => Ok(is_match),
            Err(Error::ParseError(..) | Error::CompileError(_) | Error::RuntimeError(_) | _) => {
                Err(Failure::BacktracksTooLong { pattern: pattern(), subject_bytes })
            }
        }
    }
}

/// A pattern for registries, repositories, tags and trigger ids.
#[derive(Debug)]
pub(crate) enum Pattern {
    /// Exactly this text.
    Literal(String),
    /// The texts between the `*`, at least two.
    Wildcard(Vec<String>),
    /// Behind `regexp:`.
    Regex(PrefixRegex),
    /// An expression that cannot be compiled, kept from a stored bundle: asking it is a failure.
    Broken(RegexError),
}

impl Pattern {
    pub(crate) fn new(text: &str, regexes: &mut RegexCompiler) -> Self {
        if text.trim().starts_with("regexp:") {
            // The first seven characters of the text as written go, even if a blank is among them: that is the language.
            let expression: String = text.chars().skip("regexp:".len()).collect();
            return match regexes.compile(&expression) {
                Ok(regex) => Self::Regex(regex),
                Err(error) => Self::Broken(error),
            };
        }
        if text.contains('*') {
            return Self::Wildcard(text.split('*').map(str::to_owned).collect());
        }
        Self::Literal(text.to_owned())
    }

    /// Whether it is `*` alone, which also stands for "no tag at all".
    pub(crate) fn is_anything(&self) -> bool {
        matches!(self, Self::Wildcard(parts) if parts.len() == 2 && parts.iter().all(String::is_empty))
    }

    pub(crate) fn is_match(&self, subject: &str, budget: &mut Budget) -> Result<bool, Failure> {
        // One last newline counts as the end of the text in this language.
        let without_newline = subject.strip_suffix('\n');
        match self {
            Self::Literal(text) => {
                budget.spend(1)?;
                Ok(text == subject || without_newline.is_some_and(|subject| text == subject))
            }
            Self::Wildcard(parts) => {
                budget.spend(1 + subject.len() as u64 / 16)?;
                Ok(is_wildcard_match(parts, subject)
                    || without_newline.is_some_and(|subject| is_wildcard_match(parts, subject)))
            }
            Self::Regex(regex) => regex.is_match(subject, budget),
            Self::Broken(error) => Err(Failure::BrokenPattern(error.to_string())),
        }
    }
}

/// Whether `subject` is the parts with runs of anything but newlines between them.
///
/// Taking the first place for each part is enough: what a later place could match, the run before it can take.
fn is_wildcard_match(parts: &[String], subject: &str) -> bool {
    let [first, middle @ .., last] = parts else {
        return false;
    };
    let Some(mut rest) = subject.strip_prefix(first.as_str()) else {
        return false;
    };
    for part in middle {
        let Some((run, behind)) = rest.split_once(part.as_str()) else {
            return false;
        };
        if run.contains('\n') {
            return false;
        }
        rest = behind;
    }
    rest.strip_suffix(last.as_str()).is_some_and(|run| !run.contains('\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, subject: &str, expected: bool) {
        let pattern_value = Pattern::new(pattern, &mut RegexCompiler::default());
        let found = pattern_value.is_match(subject, &mut Budget::new(1_000_000));
        assert_eq!(found, Ok(expected), "`{pattern}` on `{subject:?}`");
    }

    #[test]
    fn stars_match_runs_and_all_else_is_literal() {
        let rows = [
            ("*", "", true),
            ("*", "anything/at:all", true),
            ("*", "a\nb", false),
            ("*", "a\n", true),
            ("nginx", "nginx", true),
            ("nginx", "nginx\n", true),
            ("nginx", "nginx\n\n", false),
            ("nginx", "nginx2", false),
            ("nginx", "Nginx", false),
            ("lib*/nginx", "library/nginx", true),
            ("lib*", "library/nginx", true),
            ("*nginx", "library/nginx", true),
            ("*nginx", "nginx2", false),
            ("a*b*c", "abc", true),
            ("a*b*c", "axxbxxbc", true),
            ("a*b*c", "ac", false),
            ("a*a", "a", false),
            ("a**b", "ab", true),
            ("a.c", "abc", false),
            ("a?c", "abc", false),
            ("a,b", "a", false),
            ("[ab]", "a", false),
            ("CVE-2023-*", "CVE-2023-0001+openssl", true),
            ("*+openssl", "CVE-2023-0001+openssl", true),
            ("CVE-2023-0001+lib+", "CVE-2023-0001+libb", false),
            ("", "", true),
            ("", "a", false),
        ];
        for (pattern, subject, expected) in rows {
            check(pattern, subject, expected);
        }
    }

    #[test]
    fn expressions_match_at_the_start_only() {
        let rows = [
            ("regexp:ngin", "nginx", true),
            ("regexp:inx", "nginx", false),
            ("regexp:a|inx", "nginx", false),
            ("regexp:nginx$", "nginx2", false),
            ("regexp:.*x", "a\nx", false),
            ("regexp:", "anything", true),
            ("regexp:(?i)NGINX", "nginx", true),
            ("regexp:(?x) nginx # comment", "nginx", true),
            ("regexp:(?!library/).*", "library/nginx", false),
            ("regexp:(?!library/).*", "team/nginx", true),
            ("regexp:(?<=x)nginx", "xnginx", false),
            ("regexp:(a+)-\\1$", "aa-aa", true),
            ("regexp:(a+)-\\1$", "aa-a", false),
            ("regexp:(?P<part>a)(?P=part)", "aab", true),
            // Seven characters go from the text as written.
            (" regexp:a", ":a", true),
            (" regexp:a", "a", false),
        ];
        for (pattern, subject, expected) in rows {
            check(pattern, subject, expected);
        }
    }

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
        for pattern in ["(", "[", "a{1000}{1000}{1000}", "(?<=a*)(?P<x", "*a", r"\1", &"(".repeat(4000)] {
            assert!(matches!(regexes.compile(pattern), Err(RegexError::Invalid { .. })), "{pattern}");
        }
        for (length, is_good) in
            [(PATTERN_BYTES_MAX - 1, true), (PATTERN_BYTES_MAX, true), (PATTERN_BYTES_MAX + 1, false)]
        {
            assert_eq!(regexes.compile(&"a".repeat(length)).is_ok(), is_good, "{length}");
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
