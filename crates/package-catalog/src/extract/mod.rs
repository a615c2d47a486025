//! What is taken out of files that are too large to be kept, while their layer streams by.
//!
//! Whether a file is of interest is decided by its first bytes, not by its name. An extract is a row of sections, each with a
//! tag; in the squashed tree every section goes to the parser that [`SECTIONS`] names for it.

mod sections;

use image_layers::{FileExtractor, FileStart};

pub(crate) use sections::{Sections, read_sections};

use crate::go::{self, BuildInfoSearch};
use crate::parse::{CatalogLimits, ParseInput, Parsed};

/// Smaller files are no executables.
const EXECUTABLE_BYTES_MIN: u64 = 64;
const MAGIC_BYTES: usize = 4;

/// What a section of an extract holds, and who reads it.
pub(crate) struct Section {
    /// The first byte of the section.
    pub(crate) tag: u8,
    /// Reads one section as if it were a database.
    pub(crate) parse: fn(&ParseInput<'_>) -> Parsed,
}

/// All sections.
pub(crate) static SECTIONS: &[Section] = &[
    Section { tag: go::TAG_BUILD_INFO, parse: go::parse_build_info },
    Section { tag: go::TAG_OLD_BUILD_INFO, parse: go::parse_old_build_info },
];

/// Looks into the files of one layer.
#[derive(Debug)]
pub struct LayerExtractor {
    build_info: BuildInfoSearch,
    magic: Vec<u8>,
    is_executable: bool,
}

impl LayerExtractor {
    /// One that keeps to these limits.
    pub fn new(limits: &CatalogLimits) -> Self {
        Self {
            build_info: BuildInfoSearch::new(limits.section_bytes_max),
            magic: Vec::with_capacity(MAGIC_BYTES),
            is_executable: false,
        }
    }

    /// The first bytes have come: what follows is looked at, or is not.
    fn decide(&mut self) {
        self.is_executable = is_executable(&self.magic);
        if self.is_executable {
            self.build_info.start();
        }
    }
}

impl FileExtractor for LayerExtractor {
    fn start(&mut self, file: &FileStart<'_>) -> bool {
        self.magic.clear();
        self.is_executable = false;
        file.size_bytes >= EXECUTABLE_BYTES_MIN
    }

    fn read(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        if self.magic.len() < MAGIC_BYTES {
            let (head, tail) = rest.split_at(rest.len().min(MAGIC_BYTES - self.magic.len()));
            self.magic.extend_from_slice(head);
            rest = tail;
            if self.magic.len() == MAGIC_BYTES {
                self.decide();
            }
        }
        if self.is_executable {
            self.build_info.read(rest);
        }
    }

    fn end(&mut self) -> Option<Vec<u8>> {
        if !self.is_executable {
            return None;
        }
        let mut sections = Sections::default();
        if let Some((tag, section)) = self.build_info.end() {
            sections.add(tag, &section);
        }
        sections.finish()
    }
}

/// ELF, Mach-O of either width and byte order and with several architectures, PE and XCOFF.
fn is_executable(magic: &[u8]) -> bool {
    matches!(
        magic,
        [0x7f, b'E', b'L', b'F']
            | [0xfe, 0xed, 0xfa, 0xce | 0xcf]
            | [0xce | 0xcf, 0xfa, 0xed, 0xfe]
            | [0xca, 0xfe, 0xba, 0xbe | 0xbf]
            | [b'M', b'Z', ..]
            | [0x01, 0xdf | 0xf7, ..]
    )
}
