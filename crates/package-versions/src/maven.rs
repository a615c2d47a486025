//! Versions of Maven artifacts: levels of numbers and qualifiers, each dash and each change between digits and letters
//! beginning the next level (`1.0-alpha-2` is `1`, then `alpha`, then `2`).
//!
//! Numbers of zero and qualifiers that mean the release do not count at the end of a level. Order: `alpha` < `beta` <
//! `milestone` < `rc` < `snapshot` < the release < `sp` < other words < a deeper level < a number.
//!
//! Source: https://maven.apache.org/pom.html#version-order-specification and the behaviour of `ComparableVersion` in
//! Maven 3.8.7, which is asked as the judge in a test.

use std::cmp::Ordering;

use crate::digits::{Number, split_run};

/// Place of a word that means the release.
const RELEASE: Word<'static> = Word { place: 5, unknown: "" };
/// Known words and their places; all others come behind them.
const WORDS: [(&str, u8); 10] = [
    ("alpha", 0),
    ("beta", 1),
    ("milestone", 2),
    ("rc", 3),
    ("cr", 3),
    ("snapshot", 4),
    ("ga", 5),
    ("final", 5),
    ("release", 5),
    ("sp", 6),
];
/// Letters that are words when a digit follows.
const LETTERS: [(&str, u8); 3] = [("a", 0), ("b", 1), ("m", 2)];
const UNKNOWN: u8 = 7;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Word<'a> {
    place: u8,
    /// Only of unknown words.
    unknown: &'a str,
}

impl<'a> Word<'a> {
    fn new(text: &'a str, has_digit_behind: bool) -> Self {
        let letters: &[_] = if has_digit_behind { &LETTERS } else { &[] };
        match WORDS.iter().chain(letters).find(|(word, _)| *word == text) {
            Some((_, place)) => Self { place: *place, unknown: "" },
            None => Self { place: UNKNOWN, unknown: text },
        }
    }
}

/// One step in a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item<'a> {
    Number(Number<'a>),
    Word(Word<'a>),
}

impl<'a> Item<'a> {
    fn new(text: &'a str) -> Self {
        match text.bytes().next().is_none_or(|first| first.is_ascii_digit()) {
            true => Self::Number(Number::new(text)),
            false => Self::Word(Word::new(text, false)),
        }
    }

    /// Against nothing at all.
    fn compare_to_none(self) -> Ordering {
        match self {
            Self::Number(number) => number.cmp(&Number::new("")),
            Self::Word(word) => word.cmp(&RELEASE),
        }
    }

    fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.cmp(&b),
            (Self::Word(a), Self::Word(b)) => a.cmp(&b),
            (Self::Number(_), Self::Word(_)) => Ordering::Greater,
            (Self::Word(_), Self::Number(_)) => Ordering::Less,
        }
    }
}

/// Whether it is a version; Maven takes any text, but text without a digit (`latest`) and placeholders say nothing.
pub(crate) fn is_well_formed(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_+~".contains(&byte))
}

/// The order of the package manager.
pub(crate) fn compare(a: &str, b: &str) -> Option<Ordering> {
    let (a, b) = (a.to_ascii_lowercase(), b.to_ascii_lowercase());
    Some(compare_levels(&to_levels(&a), &to_levels(&b)))
}

/// What a level has at a place.
#[derive(Clone, Copy)]
enum Step<'a> {
    Item(Item<'a>),
    /// All deeper levels.
    Deeper,
    End,
}

fn step<'a>(levels: &[Vec<Item<'a>>], depth: usize, place: usize) -> Step<'a> {
    let level = levels.get(depth).map(Vec::as_slice).unwrap_or_default();
    match level.get(place) {
        Some(item) => Step::Item(*item),
        None if place == level.len() && depth + 1 < levels.len() => Step::Deeper,
        None => Step::End,
    }
}

fn compare_levels(a: &[Vec<Item<'_>>], b: &[Vec<Item<'_>>]) -> Ordering {
    let (mut depth, mut place) = (0, 0);
    loop {
        let order = match (step(a, depth, place), step(b, depth, place)) {
            (Step::End, Step::End) => return Ordering::Equal,
            (Step::Deeper, Step::Deeper) => {
                (depth, place) = (depth + 1, 0);
                continue;
            }
            (Step::Item(a), Step::Item(b)) => a.compare(b),
            (Step::Item(a), Step::End) => a.compare_to_none(),
            (Step::End, Step::Item(b)) => b.compare_to_none().reverse(),
            (Step::Item(Item::Number(_)), Step::Deeper) => Ordering::Greater,
            (Step::Deeper, Step::Item(Item::Number(_))) => Ordering::Less,
            (Step::Item(Item::Word(_)), Step::Deeper) => Ordering::Less,
            (Step::Deeper, Step::Item(Item::Word(_))) => Ordering::Greater,
            (Step::Deeper, Step::End) => return compare_to_none(&a[depth + 1..]),
            (Step::End, Step::Deeper) => return compare_to_none(&b[depth + 1..]).reverse(),
        };
        if order.is_ne() {
            return order;
        }
        place += 1;
    }
}

fn compare_to_none(levels: &[Vec<Item<'_>>]) -> Ordering {
    let orders = levels.iter().flatten().map(|item| item.compare_to_none());
    orders.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// The levels of a version in lower case. None is empty but the first one.
fn to_levels(text: &str) -> Vec<Vec<Item<'_>>> {
    let mut levels = vec![Vec::new()];
    let mut rest = text;
    loop {
        let is_digit = |byte: u8| byte.is_ascii_digit();
        let is_word = |byte: u8| !is_digit(byte) && byte != b'.' && byte != b'-';
        let (digits, after_digits) = split_run(rest, is_digit);
        let (run, next) = if digits.is_empty() { split_run(rest, is_word) } else { (digits, after_digits) };
        let is_text = digits.is_empty() && !run.is_empty();
        let next_byte = next.bytes().next();
        let has_digit_behind = next_byte.is_some_and(is_digit);
        // A word begins a level of its own. Maven itself does not do so where a dot or a dash comes behind the word, and
        // then has circles: `1.x.1` < `1-rc` < `1` < `1.x.1`.
        if is_text && levels.last().is_some_and(|level| !level.is_empty()) {
            levels.push(Vec::new());
        }
        let item = match is_text {
            true => Some(Item::Word(Word::new(run, has_digit_behind))),
            // Two separators have a zero between them, but nothing is behind the last one.
            false => (!run.is_empty() || next_byte.is_some()).then(|| Item::new(run)),
        };
        if let (Some(level), Some(item)) = (levels.last_mut(), item) {
            level.push(item);
        }
        rest = match next_byte {
            None => break,
            Some(b'.') => &next[1..],
            Some(separator) => {
                levels.push(Vec::new());
                if separator == b'-' { &next[1..] } else { next }
            }
        };
    }
    for level in &mut levels {
        let counted = level.iter().rposition(|item: &Item<'_>| item.compare_to_none().is_ne());
        level.truncate(counted.map_or(0, |last| last + 1));
    }
    // `1-ga-1` is `1-1`, as the specification says; Maven itself counts the level between.
    let mut is_first = true;
    levels.retain(|level| std::mem::take(&mut is_first) || !level.is_empty());
    levels
}
