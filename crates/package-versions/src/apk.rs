//! Versions of apk: `digits{.digits}{letter}{_suffix{digits}}{~hash}{-r digits}`.
//!
//! A version becomes a sequence of tokens, and two versions are ordered like their sequences. That is apk's own
//! rule, told the other way round: the order of the kinds in [`Token`] says which version is greater when they
//! go on differently (`1.2_rc1` < `1.2` < `1.2-r1` < `1.2_p1` < `1.2a` < `1.2.1`).
//! Being an order of sequences it is transitive by construction, also for text outside of the grammar.
//!
//! Source: apk-package(5) and the behaviour of apk-tools 3, read 2026-08.

use std::cmp::Ordering;

use crate::digits::{Number, split_digits};

/// Suffixes that come before the version without a suffix, in order.
const PRE_SUFFIXES: [&str; 4] = ["alpha", "beta", "pre", "rc"];
/// Suffixes that come after it, in order.
const POST_SUFFIXES: [&str; 5] = ["cvs", "svn", "git", "hg", "p"];

/// The order of the package manager, also for text outside of the grammar.
pub(crate) fn compare(a: &str, b: &str) -> Option<Ordering> {
    Some(Tokens::new(a).cmp(Tokens::new(b)))
}

/// The order, if it is decided before either version leaves the grammar. Equal text is equal.
pub(crate) fn compare_strictly(a: &str, b: &str) -> Option<Ordering> {
    if a == b {
        return Some(Ordering::Equal);
    }
    for (left, right) in Tokens::new(a).zip(Tokens::new(b)) {
        if left.is_junk() || right.is_junk() {
            return None;
        }
        if left != right {
            return Some(left.cmp(&right));
        }
    }
    Some(Ordering::Equal)
}

/// Whether the whole version follows the grammar.
pub(crate) fn is_well_formed(version: &str) -> bool {
    !Tokens::new(version).any(|token| token.is_junk())
}

/// A number after the first dot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Component<'a> {
    /// A leading zero makes it a fraction, compared as text: `1.05` < `1.1`, and below every whole number.
    Fraction(&'a str),
    Whole(Number<'a>),
}

/// One step of a version. The order of the variants is the order of versions that differ in this step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Token<'a> {
    PreSuffix(usize),
    /// The rest of a version from where it leaves the grammar; empty where it begins with a dash, since apk does
    /// not tell such rests apart.
    Junk(&'a str),
    End,
    Revision(Number<'a>),
    SuffixNumber(Number<'a>),
    PostSuffix(usize),
    Letter(u8),
    Component(Component<'a>),
    /// The number before the first dot, always compared as a number.
    First(Number<'a>),
}

impl Token<'_> {
    fn is_junk(self) -> bool {
        matches!(self, Self::Junk(_))
    }
}

/// How far a version has been read. The order is that of the grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Start,
    Components,
    Letter,
    Suffix,
    SuffixNumber,
    Hash,
    Revision,
    Done,
}

/// The tokens of a version; the last one is `End` or `Junk`.
struct Tokens<'a> {
    rest: &'a str,
    stage: Stage,
}

impl<'a> Tokens<'a> {
    fn new(version: &'a str) -> Self {
        Self { rest: version, stage: Stage::Start }
    }

    fn go_on(&mut self, rest: &'a str, stage: Stage, token: Token<'a>) -> Token<'a> {
        self.rest = rest;
        self.stage = stage;
        token
    }

    fn junk(&mut self) -> Token<'a> {
        self.stage = Stage::Done;
        Token::Junk(if self.rest.starts_with('-') { "" } else { self.rest })
    }

    /// A commit hash says nothing about the order.
    fn skip_hash(&mut self) {
        if let Some(after) = self.rest.strip_prefix('~')
            && (Stage::Components..Stage::Hash).contains(&self.stage)
        {
            let rest = after.trim_start_matches(|character: char| matches!(character, '0'..='9' | 'a'..='f'));
            if rest.len() < after.len() {
                self.rest = rest;
                self.stage = Stage::Hash;
            }
        }
    }

    fn component(&mut self) -> Option<Token<'a>> {
        let (digits, rest) = split_digits(self.rest.strip_prefix('.')?)?;
        let component = match digits.starts_with('0') {
            true => Component::Fraction(digits),
            false => Component::Whole(Number::new(digits)),
        };
        Some(self.go_on(rest, Stage::Components, Token::Component(component)))
    }

    fn suffix(&mut self) -> Option<Token<'a>> {
        let after = self.rest.strip_prefix('_')?;
        let rest = after.trim_start_matches(|character: char| character.is_ascii_lowercase());
        let name = after.strip_suffix(rest)?;
        let position = |suffixes: &[&str]| suffixes.iter().position(|suffix| *suffix == name);
        let token = match position(&PRE_SUFFIXES) {
            Some(place) => Token::PreSuffix(place),
            None => Token::PostSuffix(position(&POST_SUFFIXES)?),
        };
        Some(self.go_on(rest, Stage::Suffix, token))
    }

    fn revision(&mut self) -> Option<Token<'a>> {
        let after = self.rest.strip_prefix("-r")?;
        let (digits, rest) = match split_digits(after) {
            Some(parts) => parts,
            // `-r` alone counts as `-r0`; `-ruff` is no revision at all.
            None if after.is_empty() || after.starts_with('-') => ("", after),
            None => return None,
        };
        Some(self.go_on(rest, Stage::Revision, Token::Revision(Number::new(digits))))
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        if self.stage == Stage::Done {
            return None;
        }
        self.skip_hash();
        let Some(first) = self.rest.bytes().next() else {
            self.stage = Stage::Done;
            return Some(Token::End);
        };
        let token = match (first, self.stage) {
            (b'0'..=b'9', Stage::Start) => split_digits(self.rest)
                .map(|(digits, rest)| self.go_on(rest, Stage::Components, Token::First(Number::new(digits)))),
            (b'0'..=b'9', Stage::Suffix) => split_digits(self.rest).map(|(digits, rest)| {
                self.go_on(rest, Stage::SuffixNumber, Token::SuffixNumber(Number::new(digits)))
            }),
            (b'.', Stage::Components) => self.component(),
            (b'a'..=b'z', Stage::Components) => {
                self.rest.get(1..).map(|rest| self.go_on(rest, Stage::Letter, Token::Letter(first)))
            }
            (b'_', stage) if (Stage::Components..=Stage::SuffixNumber).contains(&stage) => self.suffix(),
            (b'-', stage) if (Stage::Components..=Stage::Hash).contains(&stage) => self.revision(),
            _ => None,
        };
        Some(token.unwrap_or_else(|| self.junk()))
    }
}
