//! The patterns of a bundle: exact texts, `*` for any run of characters, and `regexp:`.

use crate::budget::{Budget, Failure};
use crate::prefix_regex::{PrefixRegex, RegexCompiler, RegexError};

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
        Self::with_stars_only(text)
    }

    /// A text in which `*` stands for any run of characters and everything else for itself.
    pub(crate) fn with_stars_only(text: &str) -> Self {
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
}
