//! Applications in one file: the list of dependencies lies, not compressed, in the executable behind the program that starts it.
//!
//! That program has a mark with the place of the bundle's header before it. The header stands at the end, when everything else has
//! streamed by; so the list is found by how it begins.
//!
//! Source: .NET runtime, `docs/design/features/bundle.md` (designs repository: `single-file/bundler.md`).

use memchr::memmem;

use super::deps_json::{MANIFEST, reduce};
use crate::extract::{ContentSearch, SearchedFile, Sections, broken_section, kept_section};
use crate::pattern_index::name;

/// SHA-256 of `.net core bundle` and a line end.
pub(super) const MARK: [u8; 32] = [
    0x8b, 0x12, 0x02, 0xb9, 0x6a, 0x61, 0x20, 0x38, 0x72, 0x7b, 0x93, 0x02, 0x14, 0xd7, 0xa0, 0x32, 0x13,
    0xf5, 0xb9, 0xe6, 0xef, 0xae, 0x33, 0x18, 0xee, 0x3b, 0x2d, 0xce, 0x24, 0xb3, 0x6a, 0xae,
];
/// The place of the header before the mark; nothing where there is no bundle.
const PLACE_BYTES: usize = 8;
const BEGIN: &[u8] = b"\"runtimeTarget\"";
/// The brace and white space before it.
const BEFORE_BEGIN_BYTES: usize = 16;
/// More things that only look like a list are not tried.
const MISSES_MAX: usize = 64;

/// Looks for it in one file after the other.
#[derive(Debug)]
pub(crate) struct BundleSearch {
    list_bytes_max: usize,
    state: State,
    pending: Vec<u8>,
    /// What looked like something and was nothing.
    misses: usize,
}

#[derive(Debug)]
enum State {
    Mark,
    Begin,
    List(Braces),
    Found(Vec<u8>),
    Nothing,
}

/// Where in a JSON text a reader is, as far as it takes to find its end.
#[derive(Debug, Default)]
struct Braces {
    depth: usize,
    is_text: bool,
    is_escaped: bool,
    /// How much was looked at.
    seen: usize,
}

impl Braces {
    /// Goes on to the end of the bytes. Returns how many the text has, when it ends there.
    fn find_end(&mut self, bytes: &[u8]) -> Option<usize> {
        while let Some(byte) = bytes.get(self.seen) {
            self.seen += 1;
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' if self.is_text => self.is_escaped = true,
                b'"' => self.is_text = !self.is_text,
                b'{' if !self.is_text => self.depth += 1,
                b'}' if !self.is_text => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(self.seen);
                    }
                }
                _ => {}
            }
        }
        None
    }
}

/// Most bytes of executables are in libraries, none of which starts an application.
fn is_library(path: &str) -> bool {
    let name = name(path);
    name.contains(".so.")
        || [".so", ".dll", ".node", ".ko", ".dylib"].iter().any(|ending| name.ends_with(ending))
}

impl BundleSearch {
    pub(crate) fn new(list_bytes_max: usize) -> Self {
        Self { list_bytes_max, state: State::Nothing, pending: Vec::new(), misses: 0 }
    }

    /// Keeps only the last bytes, in which something may begin.
    fn keep(&mut self, bytes: usize) {
        self.pending.drain(..self.pending.len().saturating_sub(bytes));
    }

    /// Goes one step on; returns whether there is another.
    fn step(&mut self) -> bool {
        match &mut self.state {
            State::Mark => {
                let Some(at) = memmem::find(&self.pending, &MARK) else {
                    self.keep(PLACE_BYTES + MARK.len() - 1);
                    return false;
                };
                let place = self.pending.get(at.saturating_sub(PLACE_BYTES)..at).unwrap_or_default();
                match place.iter().any(|byte| *byte != 0) {
                    true => self.state = State::Begin,
                    false => self.misses += 1,
                }
                self.pending.drain(..at + MARK.len());
            }
            State::Begin => {
                let Some(at) = memmem::find(&self.pending, BEGIN) else {
                    self.keep(BEFORE_BEGIN_BYTES + BEGIN.len() - 1);
                    return false;
                };
                let before = &self.pending[at.saturating_sub(BEFORE_BEGIN_BYTES)..at];
                let white = before.iter().rev().take_while(|byte| byte.is_ascii_whitespace()).count();
                let is_list = before.len() > white && before[before.len() - white - 1] == b'{';
                let begin = if is_list { at - white - 1 } else { at + BEGIN.len() };
                self.pending.drain(..begin);
                match is_list {
                    true => self.state = State::List(Braces::default()),
                    false => self.misses += 1,
                }
            }
            State::List(braces) => match braces.find_end(&self.pending) {
                Some(end) if end <= self.list_bytes_max => match reduce(&self.pending[..end]) {
                    Ok(kept) => self.state = State::Found(kept),
                    Err(_) => self.begin_again(),
                },
                None if self.pending.len() <= self.list_bytes_max => return false,
                _ => self.begin_again(),
            },
            State::Found(_) | State::Nothing => {
                self.pending = Vec::new();
                return false;
            }
        }
        true
    }

    /// It was none: goes on behind its beginning.
    fn begin_again(&mut self) {
        self.state = State::Begin;
        self.misses += 1;
        let at = memmem::find(&self.pending, BEGIN).unwrap_or_default();
        self.pending.drain(..at + BEGIN.len());
    }
}

impl ContentSearch for BundleSearch {
    fn is_for_executables(&self) -> bool {
        true
    }

    fn start(&mut self, file: &SearchedFile<'_>) -> bool {
        self.pending.clear();
        self.misses = 0;
        self.state = State::Mark;
        file.is_executable() && !is_library(file.path)
    }

    fn read(&mut self, bytes: &[u8]) {
        if matches!(self.state, State::Found(_) | State::Nothing) {
            return;
        }
        self.pending.extend_from_slice(bytes);
        while self.misses <= MISSES_MAX && self.step() {}
        if self.misses > MISSES_MAX {
            self.state = State::Nothing;
            self.pending = Vec::new();
        }
    }

    fn end(&mut self, sections: &mut Sections) {
        // A list without an end hides what is behind its beginning.
        while matches!(self.state, State::List(_)) && self.misses <= MISSES_MAX {
            self.begin_again();
            while self.misses <= MISSES_MAX && self.step() {}
        }
        match &self.state {
            State::Found(kept) => sections.add(MANIFEST.tag, &kept_section(kept)),
            _ if self.misses > MISSES_MAX => {
                let why = format!(
                    "more than {MISSES_MAX} places in it look like a list of dependencies and are none"
                );
                sections.add(MANIFEST.tag, &broken_section(&why));
            }
            _ => {}
        }
        self.state = State::Nothing;
        self.pending = Vec::new();
    }
}
