//! Versions of Composer packages (PHP): runs of digits and of letters, ordered like PHP's `version_compare` does.
//!
//! `dev` < `alpha` < `beta` < `rc` < the release < a further number < `pl`; unknown words are below all of them. Upper and lower case are the
//! same, `v` in front, `-stable` and build metadata do not count. Branches (`dev-main`, `2.x-dev`) are no versions.
//!
//! Source: https://www.php.net/version_compare and https://getcomposer.org/doc/articles/versions.md, read 2026-11; PHP is
//! asked as the judge in a test.

use std::cmp::Ordering;

use crate::digits::{Number, split_run};

/// Words of versions.
const WORDS: [&str; 10] = ["dev", "alpha", "a", "beta", "b", "rc", "pl", "patch", "p", "stable"];

/// One step of a version. The order of the variants is the order of versions that differ in this step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step<'a> {
    Unknown,
    Dev,
    Alpha,
    Beta,
    Candidate,
    End,
    /// Any number, and no number: PHP's own placeholder.
    Placeholder,
    Number(Number<'a>),
    Patch,
}

impl<'a> Step<'a> {
    fn of_word(word: &'a str) -> Self {
        match word.as_bytes() {
            [b'd', b'e', b'v', ..] => Self::Dev,
            [b'a', ..] => Self::Alpha,
            [b'b', ..] => Self::Beta,
            [b'r', b'c', ..] => Self::Candidate,
            [b'p', ..] => Self::Patch,
            _ => Self::Unknown,
        }
    }

    fn compare(self, other: Self) -> Ordering {
        let fits_placeholder = |step| matches!(step, Self::End | Self::Placeholder | Self::Number(_));
        let has_placeholder = self == Self::Placeholder || other == Self::Placeholder;
        match has_placeholder && fits_placeholder(self) && fits_placeholder(other) {
            true => Ordering::Equal,
            false => self.cmp(&other),
        }
    }
}

/// In lower case, without what does not count.
fn normalize(text: &str) -> String {
    let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
    text.split_once('+').map_or(text, |(text, _)| text).to_ascii_lowercase()
}

/// Whether it is a version and not a branch.
pub(crate) fn is_well_formed(text: &str) -> bool {
    let text = normalize(text);
    text.starts_with(|first: char| first.is_ascii_digit())
        && text.ends_with(|last: char| last.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
        && text
            .split(|character: char| !character.is_ascii_lowercase())
            .all(|word| word.is_empty() || WORDS.contains(&word))
}

/// The order of `version_compare`, also for text that is no version.
pub(crate) fn compare(a: &str, b: &str) -> Option<Ordering> {
    let (a, b) = (normalize(a), normalize(b));
    let (mut a, mut b) = (a.as_str(), b.as_str());
    loop {
        let ((a_step, a_rest), (b_step, b_rest)) = (next_step(a), next_step(b));
        let order = a_step.compare(b_step);
        if order.is_ne() || (a_step == Step::End && b_step == Step::End) {
            return Some(order);
        }
        (a, b) = (a_rest, b_rest);
    }
}

fn next_step(mut text: &str) -> (Step<'_>, &str) {
    loop {
        let (_, rest) = split_run(text, |byte| !byte.is_ascii_alphanumeric() && byte != b'#');
        let Some(first) = rest.bytes().next() else { return (Step::End, "") };
        if first == b'#' {
            return (Step::Placeholder, &rest[1..]);
        }
        if first.is_ascii_digit() {
            let (digits, rest) = split_run(rest, |byte| byte.is_ascii_digit());
            return (Step::Number(Number::new(digits)), rest);
        }
        let (word, rest) = split_run(rest, |byte| byte.is_ascii_alphabetic());
        if word != "stable" {
            return (Step::of_word(word), rest);
        }
        text = rest;
    }
}
