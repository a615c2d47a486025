//! Versions of dpkg: `[epoch:]upstream[-revision]`.
//!
//! Source: Debian Policy 5.6.12 and deb-version(7), read 2026-08; dpkg 1.21 is asked as the judge in a test.

use std::cmp::Ordering;

use crate::ParseVersionError;
use crate::digits::{compare_digits, split_run};

/// A version in its three parts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Version<'a> {
    /// Digits; empty means zero.
    epoch: &'a str,
    upstream: &'a str,
    /// Without the dash; a missing revision is empty and equals `0`.
    revision: &'a str,
}

impl<'a> Version<'a> {
    /// Splits a version.
    ///
    /// Refuses what dpkg refuses. What dpkg only warns about (a first character that is no digit, characters that
    /// the policy does not name) is ordered, since dpkg installs and orders such packages, too.
    pub(crate) fn parse(version: &'a str) -> Result<Self, ParseVersionError> {
        let (epoch, rest) = match version.split_once(':') {
            None => ("", version),
            Some((epoch, rest)) => {
                if epoch.is_empty() || !epoch.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err(ParseVersionError::BadEpoch {
                        version: version.to_owned(),
                        epoch: epoch.to_owned(),
                    });
                }
                (epoch, rest)
            }
        };
        let (upstream, revision) = match rest.rsplit_once('-') {
            None => (rest, ""),
            Some((_, "")) => return Err(empty_part(version, "revision")),
            Some(parts) => parts,
        };
        if upstream.is_empty() {
            return Err(empty_part(version, "upstream version"));
        }
        Ok(Self { epoch, upstream, revision })
    }

    fn compare(&self, other: &Self) -> Ordering {
        compare_digits(self.epoch, other.epoch)
            .then_with(|| compare_parts(self.upstream, other.upstream))
            .then_with(|| compare_parts(self.revision, other.revision))
    }
}

/// Whether dpkg takes it.
pub(crate) fn is_well_formed(version: &str) -> bool {
    Version::parse(version).is_ok()
}

/// The order of `dpkg --compare-versions`.
pub(crate) fn compare(a: &str, b: &str) -> Option<Ordering> {
    Some(Version::parse(a).ok()?.compare(&Version::parse(b).ok()?))
}

fn empty_part(version: &str, part: &'static str) -> ParseVersionError {
    ParseVersionError::EmptyPart { version: version.to_owned(), part }
}

/// Orders two upstream versions or revisions: runs of other characters and runs of digits in turn.
pub(crate) fn compare_parts(mut a: &str, mut b: &str) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        let (a_text, a_rest) = split_run(a, |byte| !byte.is_ascii_digit());
        let (b_text, b_rest) = split_run(b, |byte| !byte.is_ascii_digit());
        let (a_digits, a_next) = split_run(a_rest, |byte| byte.is_ascii_digit());
        let (b_digits, b_next) = split_run(b_rest, |byte| byte.is_ascii_digit());
        let order = compare_text(a_text, b_text).then_with(|| compare_digits(a_digits, b_digits));
        if order.is_ne() {
            return order;
        }
        (a, b) = (a_next, b_next);
    }
    Ordering::Equal
}

/// Orders runs without digits byte by byte; the end of a run has its own place in the order.
fn compare_text(a: &str, b: &str) -> Ordering {
    let weights = |text: &str, position: usize| weight(text.as_bytes().get(position).copied());
    (0..a.len().max(b.len()))
        .map(|position| weights(a, position).cmp(&weights(b, position)))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// Tilde, then the end, then letters, then everything else.
fn weight(byte: Option<u8>) -> (u8, u8) {
    match byte {
        Some(b'~') => (0, 0),
        None => (1, 0),
        Some(letter) if letter.is_ascii_alphabetic() => (2, letter),
        Some(other) => (3, other),
    }
}
