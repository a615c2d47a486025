//! Versions of Java installations, of the old form (`1.8.0_302-b08`, `8u302`) and of the new one (`17.0.2+8`).
//!
//! Both become numbers, `8.0.302`, and whether it is a build before the release (`-ea`). Builds of the same release do not
//! count: advisories name releases.
//!
//! Source: JEP 223 and JEP 322, and the version strings of older installations, read 2026-11.

use std::cmp::Ordering;

use crate::digits::{Number, is_number, split_digits, split_release};

/// Words that mark a build before the release.
const PRE_RELEASE_WORDS: [&str; 6] = ["ea", "internal", "beta", "alpha", "rc", "snapshot"];
/// Words that say nothing about the order.
const OTHER_WORDS: [&str; 3] = ["lts", "ga", "fcs"];

/// The numbers without zeros at the end, and false for a build before the release.
type Version<'a> = (Vec<Number<'a>>, bool);

fn parse(text: &str) -> Option<Version<'_>> {
    let (release, rest) = split_release(text)?;
    let mut numbers: Vec<_> = release.split('.').map(Number::new).collect();
    // Until Java 8 all were called 1.N.
    if numbers.len() > 1 && release.starts_with("1.") {
        numbers.remove(0);
    }
    let mut is_old = false;
    let mut suffix = rest;
    if let Some((update, after)) = rest.strip_prefix(['_', 'u']).and_then(split_digits) {
        is_old = true;
        suffix = after;
        // `8u302` is `8.0_302`.
        numbers.resize(2, Number::new(""));
        numbers.push(Number::new(update));
    }
    let is_release = is_release(suffix, is_old)?;
    let counted = numbers.iter().rposition(|number| !number.is_zero());
    numbers.truncate(counted.map_or(0, |last| last + 1));
    Some((numbers, is_release))
}

/// What stands behind the numbers: `-ea+33`, `+8-LTS`, `-b08`.
fn is_release(suffix: &str, is_old: bool) -> Option<bool> {
    let (pre_release, build) = match suffix.split_once('+') {
        Some((pre_release, build)) => (pre_release, Some(build)),
        None => (suffix, None),
    };
    let is_build = |build: &str| {
        build.starts_with(|first: char| first.is_ascii_alphanumeric())
            && build.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-~+_".contains(&byte))
    };
    if !build.is_none_or(is_build) {
        return None;
    }
    let Some(words) = pre_release.strip_prefix('-') else { return pre_release.is_empty().then_some(true) };
    let words = words.to_ascii_lowercase();
    let mut is_release = true;
    for word in words.split('-') {
        let says_nothing = OTHER_WORDS.contains(&word) || is_build_number(word) || (is_old && is_build(word));
        if PRE_RELEASE_WORDS.contains(&word) {
            is_release = false;
        } else if !says_nothing {
            return None;
        }
    }
    Some(is_release)
}

/// `b08`
fn is_build_number(word: &str) -> bool {
    word.strip_prefix('b').is_some_and(is_number)
}

/// Whether it is a version.
pub(crate) fn is_well_formed(text: &str) -> bool {
    parse(text).is_some()
}

/// The order of the releases.
pub(crate) fn compare(a: &str, b: &str) -> Option<Ordering> {
    Some(parse(a)?.cmp(&parse(b)?))
}
