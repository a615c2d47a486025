//! Versions of rpm: `[epoch:]version[-release]`.
//!
//! Version and release are sequences of segments, and their order is that of the sequences: the order of the kinds
//! in [`Segment`] says which one is greater when they go on differently (`1.0~rc1` < `1.0` < `1.0^git1` < `1.0a` <
//! `1.0.1`). Separators only divide.
//!
//! Source: rpm-version(7) and the behaviour of rpm 4.18, which is asked as the judge in a test.

use std::cmp::Ordering;

use crate::digits::{Number, compare_digits, split_run};

/// One step of a version. The order of the variants is the order of versions that differ in this step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Segment<'a> {
    Tilde,
    End,
    Caret,
    Letters(&'a str),
    Number(Number<'a>),
}

/// A version in its three parts.
struct Version<'a> {
    /// Digits; none mean zero.
    epoch: &'a str,
    version: &'a str,
    /// A missing release is below every release, the empty one included.
    release: Option<&'a str>,
}

impl<'a> Version<'a> {
    fn parse(text: &'a str) -> Self {
        let (epoch, rest) = match text.split_once(':') {
            Some((epoch, rest)) if epoch.bytes().all(|byte| byte.is_ascii_digit()) => (epoch, rest),
            _ => ("", text),
        };
        match rest.rsplit_once('-') {
            Some((version, release)) => Self { epoch, version, release: Some(release) },
            None => Self { epoch, version: rest, release: None },
        }
    }
}

/// Whether rpm would build a package with it.
pub(crate) fn is_well_formed(text: &str) -> bool {
    let Version { epoch: _, version, release } = Version::parse(text);
    let is_part = |part: &str| {
        part.bytes().any(|byte| byte.is_ascii_alphanumeric())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._+~^%{}".contains(&byte))
    };
    !text.starts_with(':') && is_part(version) && release.is_none_or(is_part)
}

/// The order of the package manager, also for text that no package has.
pub(crate) fn compare(a: &str, b: &str) -> Option<Ordering> {
    let (a, b) = (Version::parse(a), Version::parse(b));
    let order = compare_digits(a.epoch, b.epoch)
        .then_with(|| compare_segments(a.version, b.version))
        .then_with(|| match (a.release, b.release) {
            (Some(a), Some(b)) => compare_segments(a, b),
            (a, b) => a.is_some().cmp(&b.is_some()),
        });
    Some(order)
}

fn compare_segments(mut a: &str, mut b: &str) -> Ordering {
    loop {
        let ((a_segment, a_rest), (b_segment, b_rest)) = (next_segment(a), next_segment(b));
        let order = a_segment.cmp(&b_segment);
        if order.is_ne() || a_segment == Segment::End {
            return order;
        }
        (a, b) = (a_rest, b_rest);
    }
}

fn next_segment(text: &str) -> (Segment<'_>, &str) {
    let is_separator = |byte: u8| !byte.is_ascii_alphanumeric() && byte != b'~' && byte != b'^';
    let (_, text) = split_run(text, is_separator);
    match text.bytes().next() {
        None => (Segment::End, ""),
        Some(b'~') => (Segment::Tilde, &text[1..]),
        Some(b'^') => (Segment::Caret, &text[1..]),
        Some(byte) if byte.is_ascii_digit() => {
            let (digits, rest) = split_run(text, |byte| byte.is_ascii_digit());
            (Segment::Number(Number::new(digits)), rest)
        }
        Some(_) => {
            let (letters, rest) = split_run(text, |byte| byte.is_ascii_alphabetic());
            (Segment::Letters(letters), rest)
        }
    }
}
