//! Archives that are a package each, with its description in them: eggs of Python, and what Yarn keeps of packages of Node where it
//! unpacks none.
//!
//! The description stands near the beginning, so of a large archive the beginning is looked at. What is kept of it is what would be
//! kept of the same file outside.
//! Sources: PKWARE, APPNOTE.TXT, section 4.3.7; the internal structure of Python eggs; the documentation of Yarn about Plug'n'Play.

use flate2::{Decompress, FlushDecompress, Status};

use crate::extract::{ContentSearch, SearchedFile, Sections, broken_section, kept_section, roles_of};
use crate::{node, python};

/// One kind of such archives.
#[derive(Debug)]
pub(crate) struct PackedKind {
    /// The tag of a section of the description outside of archives.
    pub(crate) tag: u8,
    /// Whether the file at a path is one.
    pub(crate) is_archive: fn(&str) -> bool,
    /// Whether the entry of this name is the description.
    pub(crate) is_description: fn(&str) -> bool,
    /// What is kept of it.
    pub(crate) reduce: fn(&[u8]) -> Result<Vec<u8>, String>,
}

static KINDS: [&PackedKind; 2] = [&python::EGG, &node::YARN_CACHE];

/// One bit for each kind that the file at this path is of.
pub(crate) fn packed_roles(path: &str) -> u64 {
    roles_of(KINDS.iter().map(|kind| (kind.is_archive)(path)))
}

/// What an archive begins with, and each entry in it.
const LOCAL_HEADER: [u8; 4] = *b"PK\x03\x04";
const HEADER_BYTES: usize = 30;
/// Longer names are passed: what only looks like many headers must not make each of them cost the length of its name.
const NAME_BYTES_MAX: usize = 1024;
/// Bytes of a description.
const DESCRIPTION_BYTES_MAX: usize = 1 << 20;

/// Reads one archive after the other.
#[derive(Debug)]
pub(crate) struct PackedSearch {
    content_max: usize,
    kind: Option<&'static PackedKind>,
    content: Vec<u8>,
    is_larger: bool,
}

impl PackedSearch {
    /// One that holds no more than this of an archive.
    pub(crate) fn new(content_max: usize) -> Self {
        Self { content_max, kind: None, content: Vec::new(), is_larger: false }
    }
}

impl ContentSearch for PackedSearch {
    fn start(&mut self, file: &SearchedFile<'_>) -> bool {
        self.content = Vec::new();
        self.is_larger = false;
        self.kind = match file.head == LOCAL_HEADER {
            true => KINDS.into_iter().find(|kind| (kind.is_archive)(file.path)),
            false => None,
        };
        self.kind.is_some()
    }

    fn read(&mut self, bytes: &[u8]) {
        let room = self.content_max - self.content.len();
        self.is_larger |= bytes.len() > room;
        self.content.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn end(&mut self, sections: &mut Sections) {
        let Some(kind) = self.kind.take() else { return };
        let content = std::mem::take(&mut self.content);
        let section = match description(&content, kind).and_then(|description| (kind.reduce)(&description)) {
            Ok(kept) => kept_section(&kept),
            Err(_) if self.is_larger => {
                broken_section(&format!("archive has no description in its first {} bytes", self.content_max))
            }
            Err(why) => broken_section(&why),
        };
        sections.add(kind.tag, &section);
    }
}

/// The content of the description's entry.
fn description(archive: &[u8], kind: &PackedKind) -> Result<Vec<u8>, String> {
    for at in memchr::memmem::find_iter(archive, &LOCAL_HEADER) {
        let Some((header, rest)) = archive[at..].split_at_checked(HEADER_BYTES) else { break };
        let number = |at: usize| usize::from(header[at]) | usize::from(header[at + 1]) << 8;
        let Some((name, rest)) = rest.split_at_checked(number(26)) else { continue };
        if name.len() > NAME_BYTES_MAX || !str::from_utf8(name).is_ok_and(kind.is_description) {
            continue;
        }
        let content = rest.get(number(28)..).unwrap_or_default();
        let stored_bytes = number(18) | number(20) << 16;
        return match number(8) {
            0 => content.get(..stored_bytes).map(<[u8]>::to_vec).ok_or_else(ends_early),
            8 => inflate(content),
            method => Err(format!("description in the archive is compressed by method {method}")),
        };
    }
    Err("archive has no description in it".to_owned())
}

fn inflate(compressed: &[u8]) -> Result<Vec<u8>, String> {
    let mut description = Vec::with_capacity(DESCRIPTION_BYTES_MAX);
    match Decompress::new(false).decompress_vec(compressed, &mut description, FlushDecompress::Finish) {
        Ok(Status::StreamEnd) => Ok(description),
        Ok(_) if description.len() == DESCRIPTION_BYTES_MAX => {
            Err(format!("description in the archive is larger than {DESCRIPTION_BYTES_MAX} bytes"))
        }
        Ok(_) => Err(ends_early()),
        Err(error) => Err(format!("description in the archive cannot be read: {error}")),
    }
}

fn ends_early() -> String {
    "archive ends within its description".to_owned()
}
