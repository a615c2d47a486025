//! Finding the section of an executable while it streams by.
//!
//! Where it lies only the section table knows, which stands at the end of the file. So every place where a compressed text may
//! begin is looked at: its first bytes tell nearly always that none does; of the few others a few bytes are inflated.
//!
//! Source: rust-secure-code/cargo-auditable, `PARSING.md`.

use std::fmt;

use flate2::{Decompress, FlushDecompress, Status};

use super::TAG_CRATES;
use super::deflate::{BEGINNING, may_begin};
use crate::extract::{ContentSearch, SearchedFile, Sections, broken_section, kept_section};

/// So many bytes are looked at in one go.
const BLOCK_BYTES: usize = 64 * 1024;
/// Behind so many compressed bytes the beginning of the text is there.
const AHEAD_BYTES: usize = 1024;
/// The output grows by so much.
const GROWTH_BYTES: usize = 16 * 1024;

/// Looks for it in one file after the other.
pub(crate) struct AuditSearch {
    section_bytes_max: usize,
    inflater: Decompress,
    pending: Vec<u8>,
    state: State,
}

#[derive(Debug)]
enum State {
    Looking,
    /// The text as far as it is there.
    Inflating(Vec<u8>),
    /// The section.
    Done(Vec<u8>),
}

impl fmt::Debug for AuditSearch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AuditSearch").field("state", &self.state).finish_non_exhaustive()
    }
}

impl AuditSearch {
    pub(crate) fn new(section_bytes_max: usize) -> Self {
        Self {
            section_bytes_max,
            inflater: Decompress::new(true),
            pending: Vec::new(),
            state: State::Looking,
        }
    }

    /// Looks at the places before `end`. Returns where the text begins.
    fn look(&mut self, end: usize) -> Option<usize> {
        let mut at = 0;
        while let Some(position) = memchr::memchr(b'x', &self.pending[at..end]) {
            at += position;
            if may_begin(&self.pending[at..]) && self.is_beginning(at) {
                return Some(at);
            }
            at += 1;
        }
        None
    }

    fn is_beginning(&mut self, at: usize) -> bool {
        let ahead = &self.pending[at..self.pending.len().min(at + AHEAD_BYTES)];
        let mut output = [0; BEGINNING.len()];
        self.inflater.reset(true);
        let inflated = self.inflater.decompress(ahead, &mut output, FlushDecompress::None);
        inflated.is_ok() && output == *BEGINNING
    }

    /// Looks through a block; what is left of it may be the beginning of something.
    fn look_through(&mut self, is_last: bool) {
        let end = self.pending.len() - if is_last { 0 } else { AHEAD_BYTES };
        match self.look(end) {
            None => drop(self.pending.drain(..end)),
            Some(at) => {
                self.inflater.reset(true);
                self.state = State::Inflating(Vec::new());
                let pending = std::mem::take(&mut self.pending);
                self.inflate(&pending[at..]);
            }
        }
    }

    fn inflate(&mut self, mut bytes: &[u8]) {
        let State::Inflating(text) = &mut self.state else { return };
        let section = loop {
            text.reserve(GROWTH_BYTES);
            let (read, written) = (self.inflater.total_in(), text.len());
            let status = self.inflater.decompress_vec(bytes, text, FlushDecompress::None);
            let consumed = usize::try_from(self.inflater.total_in() - read).unwrap_or(usize::MAX);
            bytes = bytes.get(consumed..).unwrap_or_default();
            match status {
                Ok(_) if text.len() > self.section_bytes_max => {
                    let why = format!("list of crates is larger than {} bytes", self.section_bytes_max);
                    break broken_section(&why);
                }
                Ok(Status::StreamEnd) => break kept_section(text),
                Err(_) => break broken_section("list of crates is not compressed as it should be"),
                // No progress without more bytes.
                Ok(_) if bytes.is_empty() && text.len() == written => return,
                Ok(_) => {}
            }
        };
        self.state = State::Done(section);
    }
}

impl ContentSearch for AuditSearch {
    fn is_for_executables(&self) -> bool {
        true
    }

    fn start(&mut self, file: &SearchedFile<'_>) -> bool {
        self.pending.clear();
        self.state = State::Looking;
        file.is_executable()
    }

    fn read(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match self.state {
                State::Looking => {
                    let (piece, rest) = bytes.split_at(bytes.len().min(BLOCK_BYTES - self.pending.len()));
                    self.pending.extend_from_slice(piece);
                    bytes = rest;
                    if self.pending.len() == BLOCK_BYTES {
                        self.look_through(false);
                    }
                }
                State::Inflating(_) => return self.inflate(bytes),
                State::Done(_) => return,
            }
        }
    }

    fn end(&mut self, sections: &mut Sections) {
        if matches!(self.state, State::Looking) {
            self.look_through(true);
        }
        match std::mem::replace(&mut self.state, State::Looking) {
            State::Looking => {}
            State::Inflating(_) => {
                sections.add(TAG_CRATES, &broken_section("list of crates ends before it is whole"));
            }
            State::Done(section) => sections.add(TAG_CRATES, &section),
        }
        self.pending.clear();
    }
}
