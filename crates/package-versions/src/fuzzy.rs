//! Versions of software that no package manager brought: numbers, then letters (`1.1.1k`), patches (`8.9p1`) or
//! stages before the release (`6.1-rc1`, `2.0b2`). Missing numbers are zero; what stands behind `+` does not count, except for
//! fixes (`12.0.1+security-01`).
//!
//! A word that is not known here says nothing about the order, so such versions are not ordered.

use std::cmp::Ordering;

use crate::digits::{Number, compare_releases, split_release, split_run};

/// Words of stages before the release, in order.
const PRE_RELEASE_WORDS: [(&str, u8); 16] = [
    ("dev", 0),
    ("snapshot", 0),
    ("nightly", 0),
    ("canary", 0),
    ("next", 0),
    ("alpha", 1),
    ("beta", 2),
    ("milestone", 3),
    ("m", 3),
    ("pre", 4),
    ("preview", 4),
    ("prerelease", 4),
    ("rc", 5),
    ("cr", 5),
    ("a", 1),
    ("b", 2),
];
const PATCH_WORDS: [&str; 11] =
    ["p", "pl", "patch", "patchlevel", "post", "sp", "u", "update", "r", "hotfix", SECURITY_FIX];
const SECURITY_FIX: &str = "security";
/// Words that mean the release itself.
const RELEASE_WORDS: [&str; 6] = ["final", "release", "ga", "stable", "lts", "incubating"];

/// One step behind the first numbers. The order of the variants is the order of versions that differ in this step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step<'a> {
    Stage(u8),
    End,
    Number(Number<'a>),
    /// `1.1.1k`
    Letters(&'a str),
    Patch,
}

/// The first numbers and what is behind them, in lower case; `None` where there is an unknown word.
fn parse(text: &str) -> Option<(&str, Vec<Step<'_>>)> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let (text, is_security_fix) = match text.split_once('+') {
        // Grafana's fixes of a release.
        Some((_, build)) if build.starts_with(SECURITY_FIX) => (text, true),
        Some((text, _)) => (text, false),
        None => (text, false),
    };
    let (release, mut rest) = split_release(text)?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let is_separator = |byte: u8| b".-_~".contains(&byte) || (is_security_fix && byte == b'+');
        let (separators, after) = split_run(rest, is_separator);
        let (digits, after_digits) = split_run(after, |byte| byte.is_ascii_digit());
        if !digits.is_empty() {
            steps.push(Step::Number(Number::new(digits)));
            rest = after_digits;
            continue;
        }
        let (word, next) = split_run(after, |byte| byte.is_ascii_lowercase());
        let has_digit_behind = next.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
        let stage = PRE_RELEASE_WORDS.iter().find(|(known, _)| *known == word);
        // Letters at once behind a number are those of OpenSSL (after `z` comes `za`), unless a digit follows, as in `2.0b2`.
        let is_letters = separators.is_empty()
            && !has_digit_behind
            && (word.len() == 1 || (word.len() == 2 && word.starts_with('z')));
        match stage {
            _ if is_letters => steps.push(Step::Letters(word)),
            Some((_, place)) => steps.push(Step::Stage(*place)),
            _ if PATCH_WORDS.contains(&word) => steps.push(Step::Patch),
            _ if RELEASE_WORDS.contains(&word) => {}
            _ => return None,
        }
        rest = next;
    }
    steps.push(Step::End);
    Some((release, steps))
}

/// Whether it is a version of which all is understood.
pub(crate) fn is_well_formed(text: &str) -> bool {
    parse(&text.to_ascii_lowercase()).is_some()
}

/// The order that such versions mostly have.
pub(crate) fn compare(a: &str, b: &str) -> Option<Ordering> {
    let (a, b) = (a.to_ascii_lowercase(), b.to_ascii_lowercase());
    let ((a_release, a_steps), (b_release, b_steps)) = (parse(&a)?, parse(&b)?);
    Some(compare_releases(a_release, b_release).then_with(|| a_steps.cmp(&b_steps)))
}
