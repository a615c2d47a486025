//! Eggs: packages of old installers, each an archive with its description in it.
//!
//! Tools that build eggs put the description near the beginning, so of a large archive the beginning is looked at.
//! Source: the internal structure of Python eggs, in the documentation of setuptools.

use flate2::{Decompress, FlushDecompress};

use super::{MANIFEST, reduce};
use crate::extract::{ContentSearch, SearchedFile, Sections, broken_section, kept_section};

const ENDING: &[u8] = b".egg";
/// What an archive begins with, and each entry in it.
const LOCAL_HEADER: [u8; 4] = *b"PK\x03\x04";
const HEADER_BYTES: usize = 30;
const ENTRY: &[u8] = b"EGG-INFO/PKG-INFO";
/// Bytes of a description.
const DESCRIPTION_BYTES_MAX: usize = 1 << 20;

/// Reads one egg after the other.
#[derive(Debug)]
pub(crate) struct EggSearch {
    content_max: usize,
    content: Vec<u8>,
    is_larger: bool,
}

impl EggSearch {
    /// One that holds no more than this of an archive.
    pub(crate) fn new(content_max: usize) -> Self {
        Self { content_max, content: Vec::new(), is_larger: false }
    }
}

impl ContentSearch for EggSearch {
    fn start(&mut self, file: &SearchedFile<'_>) -> bool {
        let ending = file.path.len().checked_sub(ENDING.len()).and_then(|at| file.path.as_bytes().get(at..));
        self.content = Vec::new();
        self.is_larger = false;
        file.head == LOCAL_HEADER && ending.is_some_and(|ending| ending.eq_ignore_ascii_case(ENDING))
    }

    fn read(&mut self, bytes: &[u8]) {
        let room = self.content_max - self.content.len();
        self.is_larger |= bytes.len() > room;
        self.content.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn end(&mut self, sections: &mut Sections) {
        let content = std::mem::take(&mut self.content);
        let described = description(&content).and_then(|description| reduce(&description));
        let section = match described {
            Ok(kept) => kept_section(&kept),
            Err(_) if self.is_larger => {
                broken_section(&format!("egg has no description in its first {} bytes", self.content_max))
            }
            Err(why) => broken_section(&why),
        };
        sections.add(MANIFEST.tag, &section);
    }
}

/// The content of the description's entry.
fn description(archive: &[u8]) -> Result<Vec<u8>, String> {
    for at in memchr::memmem::find_iter(archive, ENTRY) {
        let Some(header) = at.checked_sub(HEADER_BYTES).map(|start| &archive[start..at]) else { continue };
        let number = |at: usize| usize::from(header[at]) | usize::from(header[at + 1]) << 8;
        if !header.starts_with(&LOCAL_HEADER) || number(26) != ENTRY.len() {
            continue;
        }
        let content = archive.get(at + ENTRY.len() + number(28)..).unwrap_or_default();
        let stored_bytes = number(18) | number(20) << 16;
        return match number(8) {
            0 => content
                .get(..stored_bytes)
                .map(<[u8]>::to_vec)
                .ok_or("egg ends within its description".to_owned()),
            8 => inflate(content),
            method => Err(format!("description of the egg is compressed by method {method}")),
        };
    }
    Err("egg has no description".to_owned())
}

fn inflate(compressed: &[u8]) -> Result<Vec<u8>, String> {
    let mut description = Vec::with_capacity(DESCRIPTION_BYTES_MAX);
    match Decompress::new(false).decompress_vec(compressed, &mut description, FlushDecompress::Finish) {
        Ok(flate2::Status::StreamEnd) => Ok(description),
        Ok(_) if description.len() == DESCRIPTION_BYTES_MAX => {
            Err(format!("description of the egg is larger than {DESCRIPTION_BYTES_MAX} bytes"))
        }
        Ok(_) => Err("egg ends within its description".to_owned()),
        Err(error) => Err(format!("description of the egg cannot be read: {error}")),
    }
}
