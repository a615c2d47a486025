//! Semantic versions, as leniently as the data of real packages needs it: `1`, `v1.2`, `1.2.3.4`, `1.2.3beta`,
//! `1.2.3.Final`.
//!
//! Missing numbers are zero, numbers have any length, leading zeros do not count, build metadata neither.
//!
//! Source: https://semver.org 2.0.0; what is accepted beyond it is what node-semver accepts when it is lenient.

use std::cmp::Ordering;

use crate::digits::{Number, compare_releases, is_number, split_release};

/// Words behind the numbers that mean the release itself.
const RELEASE_WORDS: [&str; 3] = ["final", "release", "ga"];

/// A version in its parts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Version<'a> {
    /// Numbers with dots between them.
    pub(crate) release: &'a str,
    /// Identifiers with dots between them.
    pub(crate) pre_release: Option<&'a str>,
    /// Identifiers with dots between them.
    pub(crate) build: Option<&'a str>,
}

impl<'a> Version<'a> {
    /// `None` for what is no version.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim_start_matches([' ', 'v', 'V', '=']).trim_end_matches(' ');
        let (text, build) = match text.split_once('+') {
            Some((text, build)) => (text, Some(build)),
            None => (text, None),
        };
        let (release, rest) = split_release(text)?;
        let pre_release = match rest.strip_prefix('-') {
            Some(pre_release) => Some(pre_release),
            None if rest.is_empty() || is_release_word(rest) => None,
            // `1.2.3beta` is `1.2.3-beta`; but nobody has said what `1.2.3.beta` is.
            None => Some(rest).filter(|rest| rest.starts_with(|first: char| first.is_ascii_alphabetic())),
        };
        let is_understood = pre_release.is_some() || rest.is_empty() || is_release_word(rest);
        (is_understood && pre_release.is_none_or(are_identifiers) && build.is_none_or(are_identifiers))
            .then_some(Self { release, pre_release, build })
    }

    /// The order of precedence, which does not look at the build metadata.
    pub(crate) fn compare(&self, other: &Self) -> Ordering {
        compare_releases(self.release, other.release).then_with(|| {
            match (self.pre_release, other.pre_release) {
                (Some(a), Some(b)) => compare_identifiers(a, b),
                (a, b) => a.is_none().cmp(&b.is_none()),
            }
        })
    }

    /// The order of those who order builds, too: no build comes first.
    pub(crate) fn compare_with_build(&self, other: &Self) -> Ordering {
        self.compare(other).then_with(|| match (self.build, other.build) {
            (Some(a), Some(b)) => compare_identifiers(a, b),
            (a, b) => a.is_some().cmp(&b.is_some()),
        })
    }
}

fn is_release_word(rest: &str) -> bool {
    let word = rest.strip_prefix('.').unwrap_or(rest);
    RELEASE_WORDS.iter().any(|release| word.eq_ignore_ascii_case(release))
}

fn are_identifiers(text: &str) -> bool {
    text.split('.').all(|identifier| {
        !identifier.is_empty() && identifier.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    })
}

/// Numbers are below words, and the longer of two lists that begin alike is greater.
pub(crate) fn compare_identifiers(a: &str, b: &str) -> Ordering {
    #[derive(PartialEq, Eq, PartialOrd, Ord)]
    enum Identifier<'a> {
        /// Only Julia has it.
        Empty,
        Number(Number<'a>),
        Word(&'a str),
    }
    let order_of = |identifier| match identifier {
        "" => Identifier::Empty,
        digits if is_number(digits) => Identifier::Number(Number::new(digits)),
        word => Identifier::Word(word),
    };
    a.split('.').map(order_of).cmp(b.split('.').map(order_of))
}

/// Whether it is a version.
pub(crate) fn is_well_formed(text: &str) -> bool {
    Version::parse(text).is_some()
}

/// The order of precedence.
pub(crate) fn compare(a: &str, b: &str) -> Option<Ordering> {
    Some(Version::parse(a)?.compare(&Version::parse(b)?))
}
