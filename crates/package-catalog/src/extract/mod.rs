//! What is taken out of files that are too large to be kept, while their layer streams by.
//!
//! Executables are known by their first bytes, descriptions of packages by their paths. An extract is a row of sections, each with a
//! tag; in the squashed tree every section goes to the parser that [`SECTIONS`] names for it.

mod manifest;
mod sections;

use image_layers::{FileExtractor, FileStart};

pub(crate) use manifest::{ManifestKind, read_section};
pub(crate) use sections::{Sections, read_sections};

use crate::go::{self, BuildInfoSearch};
use crate::parse::{CatalogLimits, ParseInput, Parsed};
use crate::{node, python};
use manifest::ManifestReader;

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
    Section { tag: node::MANIFEST.tag, parse: node::parse },
    Section { tag: python::MANIFEST.tag, parse: python::parse },
];

static MANIFESTS: [&ManifestKind; 2] = [&node::MANIFEST, &python::MANIFEST];

/// Looks into the files of one layer.
#[derive(Debug)]
pub struct LayerExtractor {
    build_info: BuildInfoSearch,
    manifest: ManifestReader,
    magic: Vec<u8>,
    interest: Interest,
}

/// What the current file is.
#[derive(Debug, Clone, Copy)]
enum Interest {
    /// Its first bytes have to tell.
    Unknown,
    Executable,
    Manifest(&'static ManifestKind),
    None,
}

impl LayerExtractor {
    /// One that keeps to these limits.
    pub fn new(limits: &CatalogLimits) -> Self {
        Self {
            build_info: BuildInfoSearch::new(limits.section_bytes_max),
            manifest: ManifestReader::new(limits.section_bytes_max),
            magic: Vec::with_capacity(MAGIC_BYTES),
            interest: Interest::None,
        }
    }

    /// Takes the first bytes; when they are there, what follows is looked at, or is not. Returns the rest.
    fn look_at_magic<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let (head, rest) = bytes.split_at(bytes.len().min(MAGIC_BYTES - self.magic.len()));
        self.magic.extend_from_slice(head);
        if self.magic.len() == MAGIC_BYTES {
            self.interest = if is_executable(&self.magic) { Interest::Executable } else { Interest::None };
            self.build_info.start();
        }
        rest
    }
}

impl FileExtractor for LayerExtractor {
    fn start(&mut self, file: &FileStart<'_>) -> bool {
        self.magic.clear();
        let manifest = MANIFESTS.into_iter().find(|kind| (kind.is_manifest)(file.path));
        self.interest = match manifest {
            Some(kind) if file.size_bytes > 0 => Interest::Manifest(kind),
            None if file.size_bytes >= EXECUTABLE_BYTES_MIN => Interest::Unknown,
            _ => Interest::None,
        };
        self.manifest.start();
        !matches!(self.interest, Interest::None)
    }

    fn read(&mut self, bytes: &[u8]) {
        let rest = match self.interest {
            Interest::Unknown => self.look_at_magic(bytes),
            _ => bytes,
        };
        match self.interest {
            Interest::Executable => self.build_info.read(rest),
            Interest::Manifest(_) => self.manifest.read(rest),
            Interest::Unknown | Interest::None => {}
        }
    }

    fn end(&mut self) -> Option<Vec<u8>> {
        let mut sections = Sections::default();
        match self.interest {
            Interest::Executable => {
                if let Some((tag, section)) = self.build_info.end() {
                    sections.add(tag, &section);
                }
            }
            Interest::Manifest(kind) => sections.add(kind.tag, &self.manifest.end(kind)),
            Interest::Unknown | Interest::None => {}
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
