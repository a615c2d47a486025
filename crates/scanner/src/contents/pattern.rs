//! Patterns that are searched in files: compiled, bounded, with the literals that every match must have.

use fancy_regex::{Error, Expr, RegexInput};
use regex_bounds::{PARTS_MAX, PATTERN_BYTES_MAX};

/// Steps back of one comparison with a line.
const BACKTRACK_MAX: usize = 100_000;
/// A shorter literal is in too many lines to help.
const ANCHOR_BYTES_MIN: usize = 3;
/// More alternatives help as little.
const ANCHORS_MAX: usize = 32;

/// A pattern with the name that policies know it by.
///
/// It is compared with every line of a file, from the start of the line; the match may end before the line does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamedPattern {
    /// Name; empty when there is none.
    pub name: String,
    /// Regular expression.
    pub pattern: String,
}

/// Why a pattern cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It is empty and would be found everywhere.
    #[error("pattern `{name}` is empty and would be found in every line")]
    Empty {
        /// Its name.
        name: String,
    },
    /// It is too long.
    #[error("pattern has {length} bytes (limit {PATTERN_BYTES_MAX})")]
    TooLong {
        /// Its length.
        length: usize,
    },
    /// It is no regular expression.
    #[error("pattern `{pattern}` is not a valid regular expression: {reason}")]
    Invalid {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It could take too long.
    #[error(
        "pattern `{pattern}` has {parts} parts with its repetitions (limit {PARTS_MAX} with look-around or back references)"
    )]
    TooComplex {
        /// The pattern.
        pattern: String,
        /// How many parts it has.
        parts: u64,
    },
}

impl NamedPattern {
    /// Reads `name=pattern`, or a pattern without a name.
    ///
    /// Errors: everything of [`PatternError`].
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let pattern = Self::split(text);
        LinePattern::compile(&pattern)?;
        Ok(pattern)
    }

    /// What is before the first `=` is a name if it looks like one; else the `=` belongs to the pattern.
    pub(crate) fn split(text: &str) -> Self {
        let is_name = |name: &str| {
            let is_allowed =
                |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b' ');
            !name.is_empty() && name.bytes().all(is_allowed)
        };
        match text.split_once('=').filter(|(name, _)| is_name(name)) {
            Some((name, pattern)) => Self { name: name.to_owned(), pattern: pattern.to_owned() },
            None => Self { name: String::new(), pattern: text.to_owned() },
        }
    }
}

/// A compiled pattern.
#[derive(Debug)]
pub(crate) struct LinePattern {
    regex: fancy_regex::Regex,
    /// Whether matching may go back and is therefore limited.
    pub(crate) goes_back: bool,
    /// Whether it begins with `.*`, so that any piece of a line will do.
    pub(crate) is_floating: bool,
    /// One of these is in every line that matches, in any case; empty: nothing is known of the lines.
    pub(crate) anchors: Vec<String>,
}

impl LinePattern {
    pub(crate) fn compile(named: &NamedPattern) -> Result<Self, PatternError> {
        let pattern = named.pattern.as_str();
        if pattern.is_empty() {
            return Err(PatternError::Empty { name: named.name.clone() });
        }
        if pattern.len() > PATTERN_BYTES_MAX {
            return Err(PatternError::TooLong { length: pattern.len() });
        }
        let invalid = |reason: String| PatternError::Invalid { pattern: pattern.to_owned(), reason };
        let regex = regex_bounds::compile(pattern, BACKTRACK_MAX).map_err(invalid)?;
        let tree = regex_bounds::parse(pattern).map_err(invalid)?;
        let is_linear = regex_bounds::is_linear(pattern, &tree);
        if !is_linear {
            let parts = regex_bounds::count_parts(&tree).ok_or_else(|| {
                invalid("it has a construct that is not part of the pattern language".to_owned())
            })?;
            if parts > PARTS_MAX {
                return Err(PatternError::TooComplex { pattern: pattern.to_owned(), parts });
            }
        }
        let anchors = find_anchors(&tree).filter(|anchors| is_useful(anchors)).unwrap_or_default();
        Ok(Self { regex, goes_back: !is_linear, is_floating: is_floating(&tree), anchors })
    }

    /// Whether a line matches from its start; `None` when it takes too many steps to know.
    pub(crate) fn is_match(&self, line: &str) -> Option<bool> {
        match self.regex.find_input(RegexInput::new(line).anchored(true)) {
            Ok(found) => Some(found.is_some()),
            Err(Error::ParseError(..) | Error::CompileError(_) | Error::RuntimeError(_) | _) => None,
        }
    }
}

/// Whether an expression begins with `.*`.
fn is_floating(expression: &Expr) -> bool {
    match expression {
        Expr::Concat(children) => {
            children.iter().find(|child| !matches!(child, Expr::Empty)).is_some_and(is_floating)
        }
        Expr::Repeat { child, lo: 0, hi: usize::MAX, .. } => matches!(**child, Expr::Any { .. }),
        _ => false,
    }
}

/// Literals of which every match has one, the longest that can be found.
fn find_anchors(expression: &Expr) -> Option<Vec<String>> {
    match expression {
        Expr::Literal { val, .. } => Some(vec![val.clone()]).filter(|_| val.is_ascii()),
        Expr::Group(child) => find_anchors(child),
        Expr::AtomicGroup(child) => find_anchors(child),
        Expr::Repeat { child, lo, .. } if *lo > 0 => find_anchors(child),
        Expr::Alt(children) => {
            let each: Option<Vec<_>> = children.iter().map(find_anchors).collect();
            each.map(|anchors| anchors.concat())
        }
        Expr::Concat(children) => {
            let mut best: Option<Vec<String>> = None;
            let mut take = |anchors: Option<Vec<String>>| {
                if let Some(anchors) = anchors
                    && worth(&anchors) > best.as_deref().map_or(0, worth)
                {
                    best = Some(anchors);
                }
            };
            // Neighbours of which all texts are known make longer ones: `api(-|_)key` is `api-key` or `api_key`.
            let mut run = vec![String::new()];
            for child in children {
                let texts = find_texts(child).filter(|texts| texts.len() * run.len() <= ANCHORS_MAX);
                match texts {
                    Some(texts) => run = join_all(&run, &texts),
                    None => {
                        take(Some(std::mem::replace(&mut run, vec![String::new()])));
                        take(find_anchors(child));
                    }
                }
            }
            take(Some(run));
            best
        }
        _ => None,
    }
}

/// All texts that an expression matches, where these are few.
fn find_texts(expression: &Expr) -> Option<Vec<String>> {
    match expression {
        Expr::Empty | Expr::LookAround(..) => Some(vec![String::new()]),
        Expr::Literal { val, .. } => Some(vec![val.clone()]).filter(|_| val.is_ascii()),
        Expr::Group(child) => find_texts(child),
        Expr::Concat(children) => children.iter().try_fold(vec![String::new()], |starts, child| {
            let ends = find_texts(child).filter(|ends| starts.len() * ends.len() <= ANCHORS_MAX)?;
            Some(join_all(&starts, &ends))
        }),
        Expr::Alt(children) if children.len() <= ANCHORS_MAX => {
            let each: Option<Vec<_>> = children.iter().map(find_texts).collect();
            each.map(|texts| texts.concat()).filter(|texts| texts.len() <= ANCHORS_MAX)
        }
        _ => None,
    }
}

/// Every text of `starts` with every one of `ends` behind it.
fn join_all(starts: &[String], ends: &[String]) -> Vec<String> {
    starts.iter().flat_map(|start| ends.iter().map(move |end| format!("{start}{end}"))).collect()
}

/// Length of the shortest one.
fn worth(anchors: &[String]) -> usize {
    anchors.iter().map(String::len).min().unwrap_or_default()
}

fn is_useful(anchors: &[String]) -> bool {
    worth(anchors) >= ANCHOR_BYTES_MIN && anchors.len() <= ANCHORS_MAX
}

#[cfg(test)]
mod tests {
    use super::super::ContentSettings;
    use super::*;

    fn compile(text: &str) -> Result<LinePattern, PatternError> {
        LinePattern::compile(&NamedPattern::split(text))
    }

    #[test]
    fn a_name_is_split_off_if_it_is_one() {
        for (text, name, pattern) in [
            ("A=b", "A", "b"),
            ("A=b=c", "A", "b=c"),
            ("(?i)a=b", "", "(?i)a=b"),
            ("=b", "", "=b"),
            ("b", "", "b"),
        ] {
            let split = NamedPattern::split(text);
            assert_eq!((split.name.as_str(), split.pattern.as_str()), (name, pattern), "{text}");
        }
    }

    #[test]
    fn the_literals_of_a_pattern_are_found() {
        let rows: [(&str, &[&str]); 13] = [
            (r"(?i).*aws_access_key_id( *=+ *).*x", &["aws_access_key_id"]),
            ("(?i)-+BEGIN(.*)PRIVATE KEY-+", &["PRIVATE KEY"]),
            (r"(?i).*api(-|_)key( *=+ *).*", &["api-key", "api_key"]),
            ("abc|defg", &["abc", "defg"]),
            ("(abc|.)x", &[]),
            ("(a|b)(c|d)ef", &["acef", "adef", "bcef", "bdef"]),
            ("(longer|thing)ab", &["longerab", "thingab"]),
            ("(abc)?de", &[]),
            ("(?:abc){2}", &["abc"]),
            ("a(?=secret)b.", &[]),
            ("(?!secret)abc", &["abc"]),
            (".*", &[]),
            ("pässword", &["ssword"]),
        ];
        for (pattern, expected) in rows {
            assert_eq!(compile(pattern).unwrap().anchors, expected, "{pattern}");
        }
    }

    #[test]
    fn the_five_defaults_compile_and_are_anchored() {
        let patterns = ContentSettings::default_secret_patterns();
        let names: Vec<_> = patterns.iter().map(|pattern| pattern.name.as_str()).collect();
        assert_eq!(names, ["AWS_ACCESS_KEY", "AWS_SECRET_KEY", "PRIV_KEY", "DOCKER_AUTH", "API_KEY"]);
        let compiled: Vec<_> =
            patterns.iter().map(|pattern| LinePattern::compile(pattern).unwrap()).collect();
        assert!(compiled.iter().all(|pattern| !pattern.anchors.is_empty()));
        let goes_back: Vec<_> = compiled.iter().map(|pattern| pattern.goes_back).collect();
        assert_eq!(goes_back, [true, true, false, false, true]);
        let is_floating: Vec<_> = compiled.iter().map(|pattern| pattern.is_floating).collect();
        assert_eq!(is_floating, [true, true, false, true, true]);
    }

    #[test]
    fn what_cannot_be_bounded_is_refused() {
        for pattern in ["(", "", "NAME=", "(?R)?a(?=b)", &"a".repeat(PATTERN_BYTES_MAX + 1)] {
            assert!(compile(pattern).is_err(), "{pattern}");
        }
        assert!(compile("(?=a)x{400}").is_ok());
        assert!(matches!(compile("(?=a)(x{99}){99}"), Err(PatternError::TooComplex { .. })));
        assert_eq!(
            compile(r"(?=(a+))(?:a|aa|\1)+$").unwrap().is_match(&format!("{}b", "a".repeat(90))),
            None
        );
    }
}
