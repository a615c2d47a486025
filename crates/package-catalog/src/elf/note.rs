//! Finding the note in the first part of an executable: program headers say where notes lie, and linkers put them to the front.

use super::TAG_NOTE;
use super::reader::{MAGIC, Reader};
use crate::extract::{ContentSearch, SearchedFile, Sections};

/// Notes behind so many bytes are not looked at.
const HEAD_BYTES: usize = 64 * 1024;
const SEGMENT_OF_NOTES: u64 = 4;
const OWNER: &[u8] = b"FDO\0";
const TYPE_OF_PACKAGE: u64 = 0xcafe_1a7e;

/// Keeps the first part of one file after the other.
#[derive(Debug, Default)]
pub(crate) struct NoteSearch {
    head: Vec<u8>,
}

impl ContentSearch for NoteSearch {
    fn is_for_executables(&self) -> bool {
        true
    }

    fn start(&mut self, file: &SearchedFile<'_>) -> bool {
        self.head.clear();
        file.is_executable() && file.head == MAGIC
    }

    fn read(&mut self, bytes: &[u8]) {
        let room = HEAD_BYTES - self.head.len();
        self.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn end(&mut self, sections: &mut Sections) {
        if let Some(note) = Reader::of(&self.head).and_then(package_note) {
            sections.add(TAG_NOTE, note);
        }
        self.head.clear();
    }
}

/// The content of the note of the package.
fn package_note(reader: Reader<'_>) -> Option<&[u8]> {
    reader.segments().filter(|segment| segment.kind == SEGMENT_OF_NOTES).find_map(|segment| {
        let start = usize::try_from(segment.offset).ok()?;
        let end = start.checked_add(usize::try_from(segment.file_bytes).ok()?)?;
        let notes = reader.bytes.get(start..end.min(reader.bytes.len()))?;
        find(reader.with(notes), if segment.alignment == 8 { 8 } else { 4 })
    })
}

/// The same among these.
fn find(notes: Reader<'_>, alignment: usize) -> Option<&[u8]> {
    let mut at = 0;
    loop {
        let part = |index: usize| usize::try_from(notes.number(at + 4 * index, 4)?).ok();
        let (owner_bytes, content_bytes) = (part(0)?, part(1)?);
        let owner_at = at + 12;
        let content_at = owner_at.checked_add(owner_bytes)?.checked_next_multiple_of(alignment)?;
        let content_end = content_at.checked_add(content_bytes)?;
        if notes.number(at + 8, 4)? == TYPE_OF_PACKAGE
            && notes.bytes.get(owner_at..owner_at + owner_bytes) == Some(OWNER)
        {
            return notes.bytes.get(content_at..content_end);
        }
        at = content_end.checked_next_multiple_of(alignment)?;
    }
}
