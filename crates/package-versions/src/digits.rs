//! Runs of digits and of other characters: what most orders of versions are made of.

use std::cmp::Ordering;

/// A number of any length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Number<'a> {
    // The derived order compares the length first: the digits have no leading zeros.
    length: usize,
    digits: &'a str,
}

impl<'a> Number<'a> {
    /// No digits at all are zero.
    pub(crate) fn new(digits: &'a str) -> Self {
        let digits = digits.trim_start_matches('0');
        Self { length: digits.len(), digits }
    }

    pub(crate) fn is_zero(self) -> bool {
        self.length == 0
    }
}

/// Orders numbers of any length; no digits at all are zero.
pub(crate) fn compare_digits(a: &str, b: &str) -> Ordering {
    Number::new(a).cmp(&Number::new(b))
}

/// The longest beginning of which all bytes satisfy the condition, and the rest.
///
/// Invariant: the condition is the same for all bytes beyond ASCII, so that no character is cut.
pub(crate) fn split_run(text: &str, is_inside: impl Fn(u8) -> bool) -> (&str, &str) {
    let end = text.bytes().position(|byte| !is_inside(byte)).unwrap_or(text.len());
    text.split_at(end)
}

/// The digits at the beginning, at least one, and the rest.
pub(crate) fn split_digits(text: &str) -> Option<(&str, &str)> {
    let (digits, rest) = split_run(text, |byte| byte.is_ascii_digit());
    (!digits.is_empty()).then_some((digits, rest))
}

/// Whether it is a number: digits, at least one.
pub(crate) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The numbers at the beginning that have dots between them (`1.2.3`), and the rest; `None` when there is none.
pub(crate) fn split_release(text: &str) -> Option<(&str, &str)> {
    let (_, mut rest) = split_digits(text)?;
    while let Some((_, next)) = rest.strip_prefix('.').and_then(split_digits) {
        rest = next;
    }
    Some(text.split_at(text.len() - rest.len()))
}

/// Orders numbers with dots between them; missing ones are zero.
pub(crate) fn compare_releases(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let order = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (a, b) => compare_digits(a.unwrap_or_default(), b.unwrap_or_default()),
        };
        if order.is_ne() {
            return order;
        }
    }
}
