//! Looks for all patterns in one content: literals first, then the lines around them.

use aho_corasick::AhoCorasick;

use super::ContentSettings;
use super::paths::RetrievedPaths;
use super::pattern::LinePattern;
use super::settings::{ContentLimits, ContentSettingsError};

/// Patterns of both kinds together.
const PATTERNS_MAX: usize = 200;
/// A comparison that may go back counts as at least so many bytes: short lines can take long, too.
const COMPARISON_BYTES: usize = 1024;
/// What a comparison counts that had to be given up, for then it took all steps.
const GIVEN_UP_BYTES: usize = 64 * 1024;

/// Settings in the form in which they are used.
#[derive(Debug)]
pub(crate) struct Search {
    /// The secret patterns, then the content patterns.
    patterns: Vec<LinePattern>,
    literals: Option<AhoCorasick>,
    /// Which pattern a literal belongs to.
    pattern_of_literal: Vec<usize>,
    /// Patterns about whose lines nothing is known: compared with every line.
    without_literal: Vec<usize>,
    pub(crate) paths: RetrievedPaths,
    pub(crate) limits: ContentLimits,
}

/// What was not searched in a content.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Gaps {
    /// The rest of a text file, after the limit.
    pub(crate) rest_of_text: bool,
    /// The rest of another file, after the limit.
    pub(crate) rest_of_binary: bool,
    /// A line of a text file was searched in pieces.
    pub(crate) long_line: bool,
    /// What counts as a line in another file was searched in pieces.
    pub(crate) long_piece: bool,
    /// A comparison was given up.
    pub(crate) given_up: bool,
}

impl Gaps {
    pub(crate) fn is_any(&self) -> bool {
        *self != Self::default()
    }
}

impl Search {
    pub(crate) fn new(settings: &ContentSettings) -> Result<Self, ContentSettingsError> {
        let named = || settings.secret_patterns.iter().chain(&settings.content_patterns);
        let count = named().count();
        if count > PATTERNS_MAX {
            return Err(ContentSettingsError::TooManyPatterns { count, maximum: PATTERNS_MAX });
        }
        let patterns = named().map(LinePattern::compile).collect::<Result<Vec<_>, _>>()?;
        let (mut literals, mut pattern_of_literal, mut without_literal) =
            (Vec::new(), Vec::new(), Vec::new());
        for (index, pattern) in patterns.iter().enumerate() {
            if pattern.anchors.is_empty() {
                without_literal.push(index);
            }
            for anchor in &pattern.anchors {
                literals.push(anchor.as_str());
                pattern_of_literal.push(index);
            }
        }
        let automaton = (!literals.is_empty())
            .then(|| AhoCorasick::builder().ascii_case_insensitive(true).build(&literals))
            .transpose()
            .map_err(|error| {
                ContentSettingsError::Pattern(super::PatternError::Invalid {
                    pattern: literals.join(", "),
                    reason: error.to_string(),
                })
            })?;
        Ok(Self {
            patterns,
            literals: automaton,
            pattern_of_literal,
            without_literal,
            paths: RetrievedPaths::new(&settings.retrieved_paths)?,
            limits: settings.limits.clone(),
        })
    }

    /// Whether there is anything to look for.
    pub(crate) fn is_needed(&self) -> bool {
        !self.patterns.is_empty()
    }

    /// Searches the beginning of a file; appends the numbers of the patterns that are in it. `budget` is what may still be
    /// compared with patterns that go back.
    pub(crate) fn run(&self, content: &[u8], budget: &mut usize, found: &mut Vec<u16>) -> Gaps {
        let mut run = Run {
            search: self,
            content,
            budget,
            // Nothing is allocated for the many files without any literal.
            done: Vec::new(),
            checked_until: Vec::new(),
            gaps: Gaps::default(),
        };
        if let Some(literals) = &self.literals {
            let mut line = 0..0;
            for hit in literals.find_overlapping_iter(content) {
                if !line.contains(&hit.start()) {
                    line = line_around(content, hit.start());
                }
                run.check(self.pattern_of_literal[hit.pattern().as_usize()], line.clone(), hit.start());
            }
        }
        // The end of the last line begins no further line.
        let lines = content.strip_suffix(b"\n").unwrap_or(content);
        for pattern in &self.without_literal {
            let mut start = 0;
            for line in lines.split(|byte| *byte == b'\n') {
                run.check(*pattern, start..start + line.len(), start);
                start += line.len() + 1;
            }
        }
        let Run { done, gaps, .. } = run;
        let number = |index: usize| u16::try_from(index).unwrap_or(u16::MAX);
        found.extend(
            done.iter().enumerate().filter(|(_, is_found)| **is_found).map(|(index, _)| number(index)),
        );
        gaps
    }
}

/// The line with a byte, without its end.
fn line_around(content: &[u8], position: usize) -> std::ops::Range<usize> {
    let is_end = |byte: &u8| *byte == b'\n';
    let start = content[..position].iter().rposition(is_end).map_or(0, |end| end + 1);
    let end = content[position..].iter().position(is_end).map_or(content.len(), |end| position + end);
    start..end
}

struct Run<'a> {
    search: &'a Search,
    content: &'a [u8],
    budget: &'a mut usize,
    /// By pattern: found, so not looked for again.
    done: Vec<bool>,
    /// By pattern: where the next comparison may begin.
    checked_until: Vec<usize>,
    gaps: Gaps,
}

impl Run<'_> {
    /// Compares the line with one pattern, because a literal of it is at `hit`.
    fn check(&mut self, index: usize, line: std::ops::Range<usize>, hit: usize) {
        let patterns = &self.search.patterns;
        if self.done.is_empty() {
            self.done.resize(patterns.len(), false);
            self.checked_until.resize(patterns.len(), 0);
        }
        if self.done[index] || hit < self.checked_until[index] {
            return;
        }
        let pattern = &patterns[index];
        let piece = self.piece(pattern, line, hit);
        self.checked_until[index] = piece.end.max(hit + 1);
        if pattern.goes_back {
            let Some(left) = self.budget.checked_sub(piece.len().max(COMPARISON_BYTES)) else {
                self.gaps.given_up = true;
                return;
            };
            *self.budget = left;
        }
        match pattern.is_match(&String::from_utf8_lossy(&self.content[piece])) {
            Some(is_match) => self.done[index] = is_match,
            None => {
                *self.budget = self.budget.saturating_sub(GIVEN_UP_BYTES);
                self.gaps.given_up = true;
            }
        }
    }

    /// The line, or of a long one the piece that is compared.
    fn piece(
        &mut self,
        pattern: &LinePattern,
        line: std::ops::Range<usize>,
        hit: usize,
    ) -> std::ops::Range<usize> {
        let maximum = self.search.limits.line_bytes_max;
        if line.len() <= maximum {
            return line;
        }
        self.gaps.long_line = true;
        let start = match pattern.is_floating {
            // Some of what is before the literal, most of what is behind it.
            true => hit.saturating_sub(maximum / 8).max(line.start),
            false => line.start,
        };
        start..line.end.min(start + maximum)
    }
}
