//! What is taken out of files that are too large to be kept, while their layer streams by.
//!
//! Executables are known by their first bytes, descriptions of packages by their paths. An extract is a row of sections, each with a
//! tag; in the squashed tree every section goes to the parser that [`SECTIONS`] names for it.

mod likely;
mod manifest;
mod sections;

use std::fmt;

use image_layers::{FileExtractor, FileStart};

pub(crate) use manifest::{ManifestKind, broken, broken_section, kept_section, left_out, read_section};
pub(crate) use sections::{Sections, read_sections, section_of};

use crate::binary::{self, ClassifierSearch};
use crate::busybox::BusyBoxSearch;
use crate::described::{DescriptionSearch, PackedSearch, description_roles, packed_roles};
use crate::dotnet::{self, BundleSearch, ResourceSearch};
use crate::elf::{self, NoteSearch};
use crate::go::{self, BuildInfoSearch};
use crate::java::{self, ArchiveSearch};
use crate::kernel::{self, KernelSearch};
use crate::parse::{CatalogLimits, ParseInput, Parsed};
use crate::python::RecordSearch;
use crate::rust::{self, AuditSearch};
use crate::{
    bitnami, conda, dart, erlang, julia, jvm, lua, node, php, python, r, ruby, swift, wolfi, wordpress,
};
use manifest::ManifestReader;

/// Version of what catalogers take out of layers: facts that another version took are not used.
///
/// It is made of the sources by `build.rs`, so a new row below, a changed search or a changed path pattern makes a new one.
pub const CATALOG_VERSION: &str = env!("CATALOG_SOURCES");

/// A file of a certain content is known by so many bytes at its beginning.
const HEAD_BYTES: usize = 4;
/// Smaller files are no executables.
const EXECUTABLE_BYTES_MIN: u64 = 64;

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
    Section { tag: java::TAG_ARCHIVE, parse: java::parse_archive },
    Section { tag: ruby::GEMSPEC.tag, parse: ruby::parse },
    Section { tag: php::INSTALLED.tag, parse: php::parse_installed },
    Section { tag: php::REGISTRY.tag, parse: php::parse_registry },
    Section { tag: conda::RECORD.tag, parse: conda::parse },
    Section { tag: lua::ROCKSPEC.tag, parse: lua::parse },
    Section { tag: wordpress::PLUGIN.tag, parse: wordpress::parse },
    Section { tag: bitnami::DOCUMENT.tag, parse: bitnami::parse },
    Section { tag: bitnami::COMPONENTS.tag, parse: bitnami::parse },
    Section { tag: wolfi::DOCUMENT.tag, parse: wolfi::parse },
    Section { tag: rust::TAG_CRATES, parse: rust::parse },
    Section { tag: elf::TAG_NOTE, parse: elf::parse },
    Section { tag: kernel::TAG_KERNEL, parse: kernel::parse },
    Section { tag: binary::TAG_PROGRAM, parse: binary::parse_program },
    Section { tag: binary::TAG_LEFT_OUT, parse: binary::parse_left_out },
    Section { tag: jvm::MANIFEST.tag, parse: jvm::parse },
    Section { tag: dotnet::MANIFEST.tag, parse: dotnet::parse_dependencies },
    Section { tag: dotnet::TAG_ASSEMBLY, parse: dotnet::parse_assembly },
    Section { tag: r::DESCRIPTION.tag, parse: r::parse },
    Section { tag: erlang::APPLICATION.tag, parse: erlang::parse_application },
    Section { tag: erlang::HEX_METADATA.tag, parse: erlang::parse_hex_metadata },
    Section { tag: julia::PROJECT.tag, parse: julia::parse },
    Section { tag: dart::PUBSPEC.tag, parse: dart::parse },
    Section { tag: swift::WORKSPACE_STATE.tag, parse: swift::parse },
];

static MANIFESTS: &[&ManifestKind] = &[
    &node::MANIFEST,
    &python::MANIFEST,
    &python::DIRECT_URL,
    &bitnami::DOCUMENT,
    &bitnami::COMPONENTS,
    &wolfi::DOCUMENT,
    &jvm::MANIFEST,
    &dotnet::MANIFEST,
];

/// What the file at this path is taken for because of its path: a bit for each kind of descriptions, and one for archives of Java.
pub(crate) fn roles(path: &str) -> u64 {
    let manifests = roles_of(MANIFESTS.iter().map(|kind| (kind.is_manifest)(path)));
    let java = u64::from(java::is_archive_name(path));
    manifests | description_roles(path) << 24 | packed_roles(path) << 48 | java << 63
}

/// One bit for each that is so.
pub(crate) fn roles_of(are: impl Iterator<Item = bool>) -> u64 {
    are.enumerate().map(|(bit, is_so)| u64::from(is_so) << bit).fold(0, |roles, role| roles | role)
}

/// Finds something in files of a certain content, one after the other, and keeps only that in memory.
pub(crate) trait ContentSearch: fmt::Debug + Send {
    /// Whether it looks at nothing but executables and libraries: it is not asked about other files.
    fn is_for_executables(&self) -> bool {
        false
    }

    /// A file begins. Returns whether it is looked at; if not, neither `read` nor `end` follow.
    fn start(&mut self, file: &SearchedFile<'_>) -> bool;

    /// The next bytes of the file, its first ones included.
    fn read(&mut self, bytes: &[u8]);

    /// The file is over: adds what was found.
    fn end(&mut self, sections: &mut Sections);
}

/// What is known of a file when its first bytes are there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SearchedFile<'a> {
    /// Its path in the archive.
    pub(crate) path: &'a str,
    /// Bytes of its content.
    pub(crate) size_bytes: u64,
    /// Its first four bytes.
    pub(crate) head: [u8; HEAD_BYTES],
}

impl SearchedFile<'_> {
    /// Whether its first bytes are those of an executable or a library.
    pub(crate) fn is_executable(&self) -> bool {
        self.size_bytes >= EXECUTABLE_BYTES_MIN && is_executable(&self.head)
    }
}

/// All searches, each with its own memory.
fn searches(limits: &CatalogLimits) -> Vec<Box<dyn ContentSearch>> {
    vec![
        Box::new(BuildInfoSearch::new(limits.section_bytes_max)),
        Box::new(ArchiveSearch::new(&limits.archives, limits.section_bytes_max)),
        Box::new(DescriptionSearch::new(limits.section_bytes_max)),
        Box::new(PackedSearch::new(limits.section_bytes_max)),
        Box::new(BusyBoxSearch::new()),
        Box::new(ClassifierSearch::default()),
        Box::new(ResourceSearch::new()),
        Box::new(AuditSearch::new(limits.section_bytes_max)),
        Box::new(BundleSearch::new(limits.section_bytes_max)),
        Box::new(NoteSearch::default()),
        Box::new(KernelSearch::default()),
        Box::new(RecordSearch::default()),
    ]
}

/// Looks into the files of one layer.
#[derive(Debug)]
pub struct LayerExtractor {
    searches: Vec<Searching>,
    manifest: ManifestReader,
    path: String,
    size_bytes: u64,
    head: Vec<u8>,
    interest: Interest,
}

/// A search and whether it looks at the current file.
#[derive(Debug)]
struct Searching {
    search: Box<dyn ContentSearch>,
    is_for_executables: bool,
    is_active: bool,
}

/// What the current file is.
#[derive(Debug, Clone, Copy)]
enum Interest {
    /// Its first bytes have to tell.
    Unknown,
    Searched,
    Manifest(&'static ManifestKind),
    None,
}

impl LayerExtractor {
    /// One that keeps to these limits.
    pub fn new(limits: &CatalogLimits) -> Self {
        let searches = searches(limits).into_iter().map(|search| {
            let is_for_executables = search.is_for_executables();
            Searching { search, is_for_executables, is_active: false }
        });
        Self {
            searches: searches.collect(),
            manifest: ManifestReader::new(limits.section_bytes_max),
            path: String::new(),
            size_bytes: 0,
            head: Vec::with_capacity(HEAD_BYTES),
            interest: Interest::None,
        }
    }

    /// Takes the first bytes; when they are there, every search says whether it looks at the file. Returns the rest.
    fn look_at_head<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let (head, rest) = bytes.split_at(bytes.len().min(HEAD_BYTES - self.head.len()));
        self.head.extend_from_slice(head);
        let Ok(head) = <[u8; HEAD_BYTES]>::try_from(self.head.as_slice()) else { return rest };
        let file = SearchedFile { path: &self.path, size_bytes: self.size_bytes, head };
        self.interest = Interest::None;
        let is_executable = file.is_executable();
        for Searching { search, is_for_executables, is_active } in &mut self.searches {
            *is_active = (is_executable || !*is_for_executables) && search.start(&file);
            if *is_active {
                search.read(&head);
                self.interest = Interest::Searched;
            }
        }
        rest
    }

    fn active(&mut self) -> impl Iterator<Item = &mut Box<dyn ContentSearch>> {
        self.searches.iter_mut().filter(|it| it.is_active).map(|it| &mut it.search)
    }
}

impl FileExtractor for LayerExtractor {
    fn start(&mut self, file: &FileStart<'_>) -> bool {
        let manifest = MANIFESTS.iter().copied().find(|kind| (kind.is_manifest)(file.path));
        self.interest = match manifest {
            Some(kind) if file.size_bytes > 0 => Interest::Manifest(kind),
            None if file.size_bytes >= HEAD_BYTES as u64 => Interest::Unknown,
            _ => Interest::None,
        };
        match self.interest {
            Interest::Manifest(_) => self.manifest.start(),
            Interest::Unknown => {
                self.head.clear();
                self.path.clear();
                self.path.push_str(file.path);
                self.size_bytes = file.size_bytes;
            }
            Interest::Searched | Interest::None => {}
        }
        !matches!(self.interest, Interest::None)
    }

    fn read(&mut self, bytes: &[u8]) {
        let rest = match self.interest {
            Interest::Unknown => self.look_at_head(bytes),
            _ => bytes,
        };
        match self.interest {
            Interest::Searched => self.active().for_each(|search| search.read(rest)),
            Interest::Manifest(_) => self.manifest.read(rest),
            Interest::Unknown | Interest::None => {}
        }
    }

    fn end(&mut self) -> Option<Vec<u8>> {
        let mut sections = Sections::default();
        match self.interest {
            Interest::Searched => self.active().for_each(|search| search.end(&mut sections)),
            Interest::Manifest(kind) => sections.add(kind.tag, &self.manifest.end(kind)),
            Interest::Unknown | Interest::None => {}
        }
        sections.finish()
    }
}

/// ELF, Mach-O of either width and byte order and with several architectures, PE and XCOFF.
fn is_executable(magic: &[u8; HEAD_BYTES]) -> bool {
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

/// What one search finds in a file that comes in pieces of so many bytes.
#[cfg(test)]
pub(crate) fn search_file(
    search: &mut dyn ContentSearch,
    path: &str,
    bytes: &[u8],
    piece: usize,
) -> Vec<(u8, Vec<u8>)> {
    let Some(head) = bytes.first_chunk().copied() else { return Vec::new() };
    let mut sections = Sections::default();
    if search.start(&SearchedFile { path, size_bytes: bytes.len() as u64, head }) {
        bytes.chunks(piece).for_each(|piece| search.read(piece));
        search.end(&mut sections);
    }
    let extract = sections.finish().unwrap_or_default();
    read_sections(&extract).map(|(tag, section)| (tag, section.to_vec())).collect()
}
