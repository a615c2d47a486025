//! Versions of Gentoo packages: `digits{.digits}{letter}{_suffix{digits}}{-r digits}`.
//!
//! A version is a sequence of steps, and the order of the kinds in [`Step`] says which of two versions is greater that
//! go on differently. A component behind the first that begins with a zero is a fraction: `1.05` < `1.1`.
//!
//! Source: Gentoo's Package Manager Specification 8, section 3.3, read 2026-11.

use std::cmp::Ordering;

use crate::digits::{Number, split_digits, split_run};

/// Suffixes that come before the version without a suffix, in order.
const PRE_SUFFIXES: [&str; 4] = ["alpha", "beta", "pre", "rc"];

/// One step of a version. The order of the variants is the order of versions that differ in this step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step<'a> {
    PreSuffix(usize, Number<'a>),
    End,
    PostSuffix(Number<'a>),
    Letter(u8),
    /// Text without the zeros at its end.
    Fraction(&'a str),
    Number(Number<'a>),
}

/// The steps and the revision; `None` for what is no version.
fn parse(text: &str) -> Option<(Vec<Step<'_>>, Number<'_>)> {
    let (first, mut rest) = split_digits(text)?;
    let mut steps = vec![Step::Number(Number::new(first))];
    while let Some((digits, next)) = rest.strip_prefix('.').and_then(split_digits) {
        rest = next;
        steps.push(match digits.starts_with('0') {
            true => Step::Fraction(digits.trim_end_matches('0')),
            false => Step::Number(Number::new(digits)),
        });
    }
    if let Some(letter) = rest.bytes().next().filter(u8::is_ascii_lowercase) {
        steps.push(Step::Letter(letter));
        rest = &rest[1..];
    }
    while let Some(suffix) = rest.strip_prefix('_') {
        let (name, after) = split_run(suffix, |byte| byte.is_ascii_lowercase());
        let (digits, next) = split_run(after, |byte| byte.is_ascii_digit());
        rest = next;
        let number = Number::new(digits);
        steps.push(match PRE_SUFFIXES.iter().position(|suffix| *suffix == name) {
            Some(place) => Step::PreSuffix(place, number),
            None => (name == "p").then_some(Step::PostSuffix(number))?,
        });
    }
    steps.push(Step::End);
    if rest.is_empty() {
        return Some((steps, Number::new("")));
    }
    let (revision, end) = rest.strip_prefix("-r").and_then(split_digits)?;
    end.is_empty().then_some((steps, Number::new(revision)))
}

/// Whether it is a version.
pub(crate) fn is_well_formed(text: &str) -> bool {
    parse(text).is_some()
}

/// The order of the package manager.
pub(crate) fn compare(a: &str, b: &str) -> Option<Ordering> {
    Some(parse(a)?.cmp(&parse(b)?))
}
