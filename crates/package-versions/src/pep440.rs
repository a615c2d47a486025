//! Versions of Python packages: `[N!]N(.N)*[{a|b|rc}N][.postN][.devN][+local]`, in many spellings.
//!
//! Text outside of the grammar is below all versions, as it was before the grammar; that order serves tables only.
//!
//! Source: https://packaging.python.org/specifications/version-specifiers, read 2026-11; `packaging` is asked as the
//! judge in a test.

use std::cmp::Ordering;

use crate::digits::{Number, compare_releases, is_number, split_digits, split_release, split_run};

/// The spellings of the stages before a release, longest first, and the place of each.
const PRE_SPELLINGS: [(&str, u8); 8] =
    [("preview", 2), ("alpha", 0), ("beta", 1), ("pre", 2), ("rc", 2), ("a", 0), ("b", 1), ("c", 2)];
const POST_SPELLINGS: [(&str, u8); 3] = [("post", 0), ("rev", 0), ("r", 0)];
const DEV_SPELLINGS: [(&str, u8); 1] = [("dev", 0)];

/// What stands behind the numbers. The order of the variants is the order of versions.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage<'a> {
    /// `1.0.dev1`: before all pre-releases.
    OnlyDev,
    Pre(u8, Number<'a>),
    Release,
}

/// A version in its parts.
#[derive(Debug)]
struct Version<'a> {
    epoch: Number<'a>,
    release: &'a str,
    stage: Stage<'a>,
    post: Option<Number<'a>>,
    /// None counts as the highest.
    dev: Option<Number<'a>>,
    local: Option<&'a str>,
}

impl<'a> Version<'a> {
    /// The text is in lower case.
    fn parse(text: &'a str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let (epoch, text) = match split_digits(text) {
            Some((epoch, rest)) if rest.starts_with('!') => (epoch, &rest[1..]),
            _ => ("", text),
        };
        let (text, local) = match text.split_once('+') {
            Some((text, local)) => (text, Some(local)),
            None => (text, None),
        };
        let (release, rest) = split_release(text)?;
        let (pre, rest) = split_stage(rest, &PRE_SPELLINGS);
        let (post, rest) = match rest.strip_prefix('-').and_then(split_digits) {
            Some((number, rest)) => (Some((0, Number::new(number))), rest),
            None => split_stage(rest, &POST_SPELLINGS),
        };
        let (dev, rest) = split_stage(rest, &DEV_SPELLINGS);
        let stage = match pre {
            Some((place, number)) => Stage::Pre(place, number),
            None if post.is_none() && dev.is_some() => Stage::OnlyDev,
            None => Stage::Release,
        };
        let is_local = |local: &str| {
            local
                .split(is_separator)
                .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        };
        (rest.is_empty() && local.is_none_or(is_local)).then_some(Self {
            epoch: Number::new(epoch),
            release,
            stage,
            post: post.map(|(_, number)| number),
            dev: dev.map(|(_, number)| number),
            local,
        })
    }

    fn compare(&self, other: &Self) -> Ordering {
        self.epoch
            .cmp(&other.epoch)
            .then_with(|| compare_releases(self.release, other.release))
            .then_with(|| self.stage.cmp(&other.stage))
            .then_with(|| self.post.cmp(&other.post))
            .then_with(|| match (self.dev, other.dev) {
                (Some(a), Some(b)) => a.cmp(&b),
                (a, b) => a.is_none().cmp(&b.is_none()),
            })
            .then_with(|| match (self.local, other.local) {
                (Some(a), Some(b)) => compare_locals(a, b),
                (a, b) => a.is_some().cmp(&b.is_some()),
            })
    }
}

fn is_separator(character: char) -> bool {
    matches!(character, '.' | '-' | '_')
}

/// `.rc-1`, `rc1`, `_rc`: the stage and its number, which may be left out; else nothing, and the text as it was.
fn split_stage<'a>(text: &'a str, spellings: &[(&str, u8)]) -> (Option<(u8, Number<'a>)>, &'a str) {
    let bare = text.strip_prefix(is_separator).unwrap_or(text);
    let found = spellings.iter().find_map(|(word, place)| Some((*place, bare.strip_prefix(word)?)));
    let Some((place, rest)) = found else { return (None, text) };
    match split_digits(rest.strip_prefix(is_separator).unwrap_or(rest)) {
        Some((digits, rest)) => (Some((place, Number::new(digits))), rest),
        None => (Some((place, Number::new(""))), rest),
    }
}

/// Words are below numbers here, other than in a semantic version.
fn compare_locals(a: &str, b: &str) -> Ordering {
    #[derive(PartialEq, Eq, PartialOrd, Ord)]
    enum Part<'a> {
        Word(&'a str),
        Number(Number<'a>),
    }
    let order_of = |part| if is_number(part) { Part::Number(Number::new(part)) } else { Part::Word(part) };
    a.split(is_separator).map(order_of).cmp(b.split(is_separator).map(order_of))
}

/// Whether it is a version of today's grammar.
pub(crate) fn is_well_formed(text: &str) -> bool {
    Version::parse(&text.to_ascii_lowercase()).is_some()
}

/// The order of the package manager; text outside of the grammar is below all versions.
pub(crate) fn compare(a: &str, b: &str) -> Option<Ordering> {
    let (a, b) = (a.to_ascii_lowercase(), b.to_ascii_lowercase());
    Some(match (Version::parse(&a), Version::parse(&b)) {
        (Some(a), Some(b)) => a.compare(&b),
        (None, None) => compare_legacy(&a, &b),
        (a, b) => a.is_some().cmp(&b.is_some()),
    })
}

/// Runs of digits as numbers, everything else as text.
fn compare_legacy(mut a: &str, mut b: &str) -> Ordering {
    while !a.is_empty() && !b.is_empty() {
        let ((a_text, a_rest), (b_text, b_rest)) = (split_text(a), split_text(b));
        let ((a_digits, a_next), (b_digits, b_next)) = (split_number(a_rest), split_number(b_rest));
        let order = a_text.cmp(b_text).then_with(|| Number::new(a_digits).cmp(&Number::new(b_digits)));
        if order.is_ne() {
            return order;
        }
        (a, b) = (a_next, b_next);
    }
    a.len().cmp(&b.len())
}

fn split_text(text: &str) -> (&str, &str) {
    split_run(text, |byte| !byte.is_ascii_digit())
}

fn split_number(text: &str) -> (&str, &str) {
    split_run(text, |byte| byte.is_ascii_digit())
}
