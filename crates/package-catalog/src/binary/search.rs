//! Looking for versions in files that a classifier claims, while they stream by.
//!
//! Bytes are gathered into blocks, so that what an expression sees depends on the file alone and not on the pieces it comes in.

use super::classifier::{Condition, Rule};
use super::index::{INDEX, Use};
use super::{TAG_LEFT_OUT, TAG_PROGRAM};
use crate::extract::{ContentSearch, SearchedFile, Sections};
use crate::pattern_index::name;

/// Bytes before or behind a literal that an expression sees at most.
pub(super) const WINDOW_BYTES_MAX: usize = 1024;
/// So many bytes are looked at in one go.
const BLOCK_BYTES: usize = 64 * 1024;
/// Longer than any literal.
const LITERAL_BYTES_MAX: usize = 64;
/// Bytes of one file that expressions are tried on: literals can be put into a file as often as somebody likes.
const TRIED_BYTES_MAX: usize = 8 << 20;
/// Longer texts are no versions.
const VERSION_BYTES_MAX: usize = 64;

/// Looks into one file after the other.
#[derive(Debug, Default)]
pub(crate) struct ClassifierSearch {
    claimed: Vec<Claimed>,
    /// The part of the file that is not done with.
    pending: Vec<u8>,
    /// Where in it literals are looked for next.
    next: usize,
    tried_bytes: usize,
    state: State,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Looking,
    /// Everything is found.
    Done,
    /// Expressions were tried on too many bytes.
    LeftOut,
}

/// A classifier that claims the current file.
#[derive(Debug)]
struct Claimed {
    number: usize,
    /// What the version must begin with.
    name_numbers: String,
    /// By rule: what was found first.
    found: Vec<Option<Found>>,
    /// By rule: whether the path forbids it.
    is_out: Vec<bool>,
    /// Literals of conditions that were seen.
    seen: Vec<usize>,
}

/// What stands in a section.
#[derive(Debug, Clone, Default)]
struct Found {
    version: String,
    release: String,
    update: String,
}

impl ContentSearch for ClassifierSearch {
    fn start(&mut self, file: &SearchedFile<'_>) -> bool {
        self.pending.clear();
        self.next = 0;
        self.tried_bytes = 0;
        self.state = State::Looking;
        let base_name = name(file.path);
        self.claimed.clear();
        for (number, name_numbers) in INDEX.claims(base_name) {
            // Several forms of names of one classifier may fit.
            if self.claimed.iter().all(|claimed| claimed.number != number) {
                self.claimed.push(Claimed::new(number, name_numbers, file.path));
            }
        }
        !self.claimed.is_empty()
    }

    fn read(&mut self, mut bytes: &[u8]) {
        while self.state == State::Looking && !bytes.is_empty() {
            let (piece, rest) = bytes.split_at(bytes.len().min(BLOCK_BYTES - self.pending.len()));
            self.pending.extend_from_slice(piece);
            bytes = rest;
            if self.pending.len() == BLOCK_BYTES {
                let end = BLOCK_BYTES - WINDOW_BYTES_MAX - LITERAL_BYTES_MAX;
                self.look(end);
                let kept_from = end - WINDOW_BYTES_MAX;
                self.pending.drain(..kept_from);
                self.next = end - kept_from;
            }
        }
    }

    fn end(&mut self, sections: &mut Sections) {
        if self.state == State::Looking {
            self.look(self.pending.len());
        }
        for claimed in &self.claimed {
            if let Some((rule, found)) = claimed.result() {
                let Found { version, release, update } = found;
                let section = format!("{}\n{version}\n{release}\n{update}", rule.product.id);
                sections.add(TAG_PROGRAM, section.as_bytes());
            }
        }
        if self.state == State::LeftOut && self.claimed.iter().all(|claimed| claimed.result().is_none()) {
            sections.add(TAG_LEFT_OUT, &[]);
        }
        self.claimed.clear();
        self.pending.clear();
    }
}

impl ClassifierSearch {
    /// Looks at the literals that begin before `end`.
    fn look(&mut self, end: usize) {
        let text = self.pending.get(self.next..).unwrap_or_default();
        for hit in INDEX.literals.find_overlapping_iter(text) {
            let (start, behind) = (self.next + hit.start(), self.next + hit.end());
            if start >= end {
                continue;
            }
            let pattern = hit.pattern().as_usize();
            for one in &INDEX.uses[pattern] {
                let Some(claimed) = self.claimed.iter_mut().find(|it| it.number == one.classifier) else {
                    continue;
                };
                self.tried_bytes += claimed.take(*one, pattern, &self.pending, start, behind);
            }
            self.state = match () {
                () if self.claimed.iter().all(Claimed::is_settled) => State::Done,
                () if self.tried_bytes > TRIED_BYTES_MAX => State::LeftOut,
                () => continue,
            };
            return;
        }
    }
}

impl Claimed {
    fn new(number: usize, name_numbers: &str, path: &str) -> Self {
        let rules = INDEX.entries[number].classifier.rules;
        Self {
            number,
            name_numbers: name_numbers.to_owned(),
            found: vec![None; rules.len()],
            is_out: rules.iter().map(|rule| !is_path_of(rule, path)).collect(),
            seen: Vec::new(),
        }
    }

    /// Takes one literal. Returns how many bytes an expression was tried on.
    fn take(&mut self, one: Use, pattern: usize, pending: &[u8], start: usize, behind: usize) -> usize {
        let entry = &INDEX.entries[self.number];
        let Some(number) = one.rule else {
            if !self.seen.contains(&pattern) {
                self.seen.push(pattern);
            }
            return 0;
        };
        if self.is_out[number] || self.found[number].is_some() {
            return 0;
        }
        let rule = &entry.classifier.rules[number];
        let window = &pending[start.saturating_sub(rule.before)..pending.len().min(behind + rule.after)];
        if let Some(captures) = entry.expression(number).captures(window) {
            let text = |name: &str| {
                captures
                    .name(name)
                    .map(|it| String::from_utf8_lossy(it.as_bytes()).into_owned())
                    .unwrap_or_default()
            };
            let (version, release, update) = (text("version"), text("release"), text("update"));
            if version.len() <= VERSION_BYTES_MAX && begins_with(&version, &self.name_numbers) {
                self.found[number] = Some(Found { version, release, update });
            }
        }
        window.len()
    }

    /// Whether nothing that follows can change the result.
    fn is_settled(&self) -> bool {
        let rules = INDEX.entries[self.number].classifier.rules;
        let first = rules.iter().zip(&self.is_out).position(|(_, is_out)| !is_out);
        first.is_none_or(|first| self.found[first].is_some() && !rules[first].depends_on_content())
    }

    fn result(&self) -> Option<(&'static Rule, &Found)> {
        let rules = INDEX.entries[self.number].classifier.rules;
        let found = rules.iter().zip(&self.found).filter_map(|(rule, found)| Some((rule, found.as_ref()?)));
        found.into_iter().find(|(rule, _)| rule.conditions.iter().all(|condition| self.holds(condition)))
    }

    fn holds(&self, condition: &Condition) -> bool {
        let is_seen = |literal: &str| {
            let is_it = |pattern: &usize| INDEX.literal(*pattern) == literal;
            self.seen.iter().any(is_it)
        };
        match condition {
            Condition::Contains(literal) => is_seen(literal),
            Condition::Lacks(literal) => !is_seen(literal),
            // Looked at when the file began.
            Condition::Path(_) => true,
        }
    }
}

fn is_path_of(rule: &Rule, path: &str) -> bool {
    rule.conditions.iter().all(|condition| match condition {
        Condition::Path(text) => format!("/{path}").contains(text),
        Condition::Contains(_) | Condition::Lacks(_) => true,
    })
}

/// `3.11.4` begins with the numbers `3.11`, `3.110` does not.
fn begins_with(version: &str, numbers: &str) -> bool {
    let rest = version.strip_prefix(numbers);
    rest.is_some_and(|rest| numbers.is_empty() || !rest.starts_with(|next: char| next.is_ascii_digit()))
}
