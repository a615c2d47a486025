//! Versions of Ruby gems: segments of digits and of letters; a segment of letters makes a pre-release of it.
//!
//! Zeros at the end do not count, neither those in front of the first letters. A dash begins a pre-release, except before
//! the name of a platform, which is part of a gem's file name and says nothing about the order.
//!
//! Source: the documentation of `Gem::Version`, and its behaviour in Ruby 3.1, which is asked as the judge in a test.

use std::cmp::Ordering;

use crate::digits::{Number, split_run};

/// First words of the platforms that gems are built for.
const PLATFORMS: [&str; 20] = [
    "aarch64",
    "arm",
    "arm64",
    "armv5",
    "armv6",
    "armv7",
    "dalvik",
    "i386",
    "i686",
    "java",
    "jruby",
    "mingw32",
    "mswin32",
    "mswin64",
    "powerpc",
    "universal",
    "x64",
    "x86",
    "x86_64",
    "riscv64",
];

/// One step of a version. The order of the variants is the order of versions that differ in this step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Segment<'a> {
    Letters(&'a str),
    Number(Number<'a>),
}

impl Segment<'_> {
    fn is_zero(self) -> bool {
        matches!(self, Self::Number(number) if number.is_zero())
    }
}

fn without_platform(text: &str) -> &str {
    match text.split_once('-') {
        Some((version, rest)) if PLATFORMS.contains(&rest.split('-').next().unwrap_or_default()) => version,
        _ => text,
    }
}

/// Whether it is a version.
pub(crate) fn is_well_formed(text: &str) -> bool {
    let text = without_platform(text);
    let (numbers, pre_release) = match text.split_once('-') {
        Some((numbers, pre_release)) => (numbers, Some(pre_release)),
        None => (text, None),
    };
    let are_words = |text: &str, is_inside: fn(u8) -> bool| {
        text.split('.').all(|word| !word.is_empty() && word.bytes().all(is_inside))
    };
    numbers.starts_with(|first: char| first.is_ascii_digit())
        && split_run(numbers, |byte| byte.is_ascii_digit()).1.bytes().next().is_none_or(|byte| byte == b'.')
        && are_words(numbers, |byte| byte.is_ascii_alphanumeric())
        && pre_release.is_none_or(|text| are_words(text, |byte| byte.is_ascii_alphanumeric() || byte == b'-'))
}

/// The order of the package manager.
pub(crate) fn compare(a: &str, b: &str) -> Option<Ordering> {
    let (a, b) = (to_segments(a), to_segments(b));
    // Versions go on with zeros for ever.
    let at = |segments: &[_], place| segments.get(place).copied().unwrap_or(Segment::Number(Number::new("")));
    let orders = (0..a.len().max(b.len())).map(|place| at(&a, place).cmp(&at(&b, place)));
    orders.into_iter().find(|order| order.is_ne()).or(Some(Ordering::Equal))
}

/// The segments without the zeros that do not count.
fn to_segments(text: &str) -> Vec<Segment<'_>> {
    let mut segments = Vec::new();
    let mut has_letters = false;
    let mut rest = without_platform(text);
    while let Some(first) = rest.bytes().next() {
        let letters = match first {
            b'0'..=b'9' => {
                let (digits, next) = split_run(rest, |byte| byte.is_ascii_digit());
                rest = next;
                segments.push(Segment::Number(Number::new(digits)));
                continue;
            }
            b'a'..=b'z' | b'A'..=b'Z' => {
                let (letters, next) = split_run(rest, |byte| byte.is_ascii_alphabetic());
                rest = next;
                letters
            }
            separator => {
                rest = &rest[1..];
                match separator {
                    b'-' => "pre",
                    _ => continue,
                }
            }
        };
        if !has_letters {
            let counted = segments.iter().rposition(|segment: &Segment<'_>| !segment.is_zero());
            segments.truncate(counted.map_or(0, |last| last + 1));
            has_letters = true;
        }
        segments.push(Segment::Letters(letters));
    }
    segments
}
