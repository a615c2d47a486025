//! Versions of Arch Linux packages: `[epoch:]version[-release]`.
//!
//! Like the versions of rpm before it knew `~` and `^`, with two differences: letters that follow a number at once come before
//! its end (`1.0rc1` < `1.0`), and more separators in a row are greater than fewer.
//!
//! A release counts only if both versions have one, which makes no order; in an order every version has one.
//!
//! Source: vercmp(8) of pacman 6, read 2026-11.

use std::cmp::Ordering;

use crate::digits::{Number, compare_digits, split_run};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Run<'a> {
    Letters(&'a str),
    Number(Number<'a>),
}

/// One step of a version. The order of the variants is the order of versions that differ in this step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Segment<'a> {
    AttachedLetters(&'a str),
    End,
    /// Behind so many separators.
    Separated(usize, Run<'a>),
}

/// Epoch, version and release.
fn split(text: &str) -> (&str, &str, Option<&str>) {
    let (epoch, rest) = match text.split_once(':') {
        Some((epoch, rest)) if epoch.bytes().all(|byte| byte.is_ascii_digit()) => (epoch, rest),
        _ => ("", text),
    };
    match rest.rsplit_once('-') {
        Some((version, release)) => (epoch, version, Some(release)),
        None => (epoch, rest, None),
    }
}

/// Whether a package could have it.
pub(crate) fn is_well_formed(text: &str) -> bool {
    let (_, version, release) = split(text);
    let is_part = |part: &str| {
        let is_edge = |edge: Option<u8>| edge.is_some_and(|byte| byte.is_ascii_alphanumeric());
        is_edge(part.bytes().next())
            && is_edge(part.bytes().last())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._+~^@".contains(&byte))
    };
    !text.starts_with(':') && is_part(version) && release.is_none_or(is_part)
}

/// The order of the package manager.
pub(crate) fn compare(a: &str, b: &str) -> Option<Ordering> {
    if !is_well_formed(a) || !is_well_formed(b) {
        return None;
    }
    let ((a_epoch, a_version, a_release), (b_epoch, b_version, b_release)) = (split(a), split(b));
    let versions = compare_digits(a_epoch, b_epoch).then_with(|| compare_segments(a_version, b_version));
    Some(versions.then_with(|| match (a_release, b_release) {
        (Some(a), Some(b)) => compare_segments(a, b),
        _ => Ordering::Equal,
    }))
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
    let (separators, text) = split_run(text, |byte| !byte.is_ascii_alphanumeric());
    let (digits, rest) = split_run(text, |byte| byte.is_ascii_digit());
    if !digits.is_empty() {
        return (Segment::Separated(separators.len(), Run::Number(Number::new(digits))), rest);
    }
    let (letters, rest) = split_run(text, |byte| byte.is_ascii_alphabetic());
    let segment = match (letters, separators) {
        ("", _) => Segment::End,
        (letters, "") => Segment::AttachedLetters(letters),
        (letters, separators) => Segment::Separated(separators.len(), Run::Letters(letters)),
    };
    (segment, rest)
}
