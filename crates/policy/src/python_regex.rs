//! Regular expressions as Python writes them, rewritten where our engine reads the same characters in another way.
//!
//! What the engine refuses is not touched: that is told on upload. Only what it would accept with another meaning is, and
//! brackets in character classes, which are common.

use std::iter::Peekable;
use std::str::Chars;

/// The expression for our engine.
pub(crate) fn rewrite(pattern: &str) -> String {
    // In the verbose notation brackets may stand in remarks, so the classes cannot be told.
    if is_verbose(pattern) {
        return pattern.to_owned();
    }
    let mut rewritten = String::with_capacity(pattern.len());
    let mut characters = pattern.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                // The very end, not also the place before a last newline.
                Some('Z') => rewritten.push_str("\\z"),
                // Edges of words in our engine, plain characters in Python.
                Some(bracket @ ('<' | '>')) => rewritten.push(bracket),
                escaped => {
                    rewritten.push('\\');
                    rewritten.extend(escaped);
                }
            },
            '[' => {
                rewritten.push('[');
                rewrite_class(&mut characters, &mut rewritten);
            }
            character => rewritten.push(character),
        }
    }
    rewritten
}

/// A character class from behind its bracket on. In Python it holds no other classes and is never computed with.
fn rewrite_class(characters: &mut Peekable<Chars<'_>>, rewritten: &mut String) {
    rewritten.extend(characters.next_if_eq(&'^'));
    // A bracket that comes first is a plain character.
    if characters.next_if_eq(&']').is_some() {
        rewritten.push_str("\\]");
    }
    while let Some(character) = characters.next() {
        match character {
            '\\' => {
                rewritten.push('\\');
                rewritten.extend(characters.next());
            }
            '[' | '&' | '~' => {
                rewritten.push('\\');
                rewritten.push(character);
            }
            '-' if characters.peek() == Some(&'-') => {
                characters.next();
                rewritten.push_str("-\\-");
            }
            ']' => {
                rewritten.push(']');
                return;
            }
            character => rewritten.push(character),
        }
    }
}

/// Whether a group of flags turns the verbose notation on.
fn is_verbose(pattern: &str) -> bool {
    pattern.split("(?").skip(1).any(|flags| {
        let end = flags.find(|character: char| !character.is_ascii_lowercase()).unwrap_or(flags.len());
        flags[..end].contains('x')
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budget;
    use crate::prefix_regex::RegexCompiler;

    #[test]
    fn expressions_mean_what_they_mean_in_python() {
        // Expression, text, what Python's `re.match` says.
        let rows = [
            (r"ab\Z", "ab\n", false),
            (r"ab\Z", "ab", true),
            (r"\Aab\Z", "ab", true),
            (r"\<a\>", "<a>", true),
            (r"\<a", "a", false),
            (r"\\<a", "\\<a", true),
            (r"[\<]", "<", true),
            ("[[a]+$", "[a", true),
            ("[^[]+$", "a[", false),
            ("[]a]+$", "]a", true),
            ("[^]a]", "b", true),
            ("[^]a]", "]", false),
            ("[a&&b]+$", "a&b", true),
            ("[a~~b]+$", "a~b", true),
            ("[+--]+$", "+,-", true),
            (r"[\w.-]+$", "a.-b", true),
            (r"[\]a]+$", "a]", true),
            ("[[:alpha:]]$", "a]", true),
            ("[[:alpha:]]$", "a", false),
            ("a{,3}b", "aab", true),
            ("a{,3}b", "aaaab", false),
            ("x{a}", "x{a}", true),
            (r"\d+$", "\u{663}", true),
            (r"\w+$", "\u{e9}", true),
            (r#"\"\'\/\@\:\=\,\ \!\%\;\-\#\&\~\`"#, "\"'/@:=, !%;-#&~`", true),
            (r"(a)?(?(1)b|c)$", "ab", true),
            (r"(a)?(?(1)b|c)$", "c", true),
            (r"(?:(a)|b)*\1", "ab", false),
            (r"(?i)k", "\u{212a}", true),
            (r".", "\r", true),
            (r".", "\n", false),
            (r"(?x) a [b] # [c", "ab", true),
            (r"(?i:A)b", "ab", true),
            (r"", "x", true),
        ];
        for (pattern, subject, expected) in rows {
            let regex = RegexCompiler::default().compile(pattern).unwrap();
            assert_eq!(regex.pattern(), pattern);
            let found = regex.is_match(subject, &mut Budget::new(1_000_000));
            assert_eq!(found, Ok(expected), "{pattern} on {subject:?} as {}", rewrite(pattern));
        }
    }

    #[test]
    fn broken_expressions_stay_broken() {
        for pattern in ["[", "[a", "[^", "[]", "\\", "[\\", "(?", "(?x", "a**[", "[--"] {
            assert!(RegexCompiler::default().compile(pattern).is_err(), "{pattern}");
        }
    }
}
