//! Finding the note in the first part of an executable: program headers say where notes lie, and linkers put them to the front.

use super::TAG_NOTE;
use crate::extract::{ContentSearch, SearchedFile, Sections};

const MAGIC: [u8; 4] = *b"\x7fELF";
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
    fn start(&mut self, file: &SearchedFile<'_>) -> bool {
        self.head.clear();
        file.is_executable() && file.head == MAGIC
    }

    fn read(&mut self, bytes: &[u8]) {
        let room = HEAD_BYTES - self.head.len();
        self.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn end(&mut self, sections: &mut Sections) {
        if let Some(note) = Reader::of(&self.head).and_then(|reader| reader.package_note()) {
            sections.add(TAG_NOTE, note);
        }
        self.head.clear();
    }
}

/// Reads numbers of one width and byte order.
#[derive(Clone, Copy)]
struct Reader<'a> {
    bytes: &'a [u8],
    is_wide: bool,
    is_little: bool,
}

impl<'a> Reader<'a> {
    fn of(bytes: &'a [u8]) -> Option<Self> {
        let is_wide = match bytes.get(4)? {
            1 => false,
            2 => true,
            _ => return None,
        };
        let is_little = match bytes.get(5)? {
            1 => true,
            2 => false,
            _ => return None,
        };
        Some(Self { bytes, is_wide, is_little })
    }

    /// A number of so many bytes.
    fn number(&self, at: usize, count: usize) -> Option<u64> {
        let bytes = self.bytes.get(at..at.checked_add(count)?)?;
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        Some(if self.is_little { bytes.iter().rev().fold(0, add) } else { bytes.iter().fold(0, add) })
    }

    fn place(&self, at: usize) -> Option<usize> {
        let count = if self.is_wide { 8 } else { 4 };
        usize::try_from(self.number(at, count)?).ok()
    }

    fn package_note(self) -> Option<&'a [u8]> {
        let (table_at, size_at) = if self.is_wide { (32, 54) } else { (28, 42) };
        let table = self.place(table_at)?;
        let size = usize::try_from(self.number(size_at, 2)?).ok()?;
        let count = usize::try_from(self.number(size_at + 2, 2)?).ok()?;
        // Offset, size and alignment of a segment.
        let (offset_at, bytes_at, alignment_at) = if self.is_wide { (8, 32, 48) } else { (4, 16, 28) };
        (0..count).find_map(|index| {
            let header = table.checked_add(index.checked_mul(size)?)?;
            if self.number(header, 4)? != SEGMENT_OF_NOTES {
                return None;
            }
            let start = self.place(header + offset_at)?;
            let end = start.checked_add(self.place(header + bytes_at)?)?;
            let alignment = if self.place(header + alignment_at)? == 8 { 8 } else { 4 };
            let notes = Reader { bytes: self.bytes.get(start..end.min(self.bytes.len()))?, ..self };
            notes.find(alignment)
        })
    }

    /// The content of the note among these.
    fn find(&self, alignment: usize) -> Option<&'a [u8]> {
        let mut at = 0;
        loop {
            let part = |index: usize| usize::try_from(self.number(at + 4 * index, 4)?).ok();
            let (owner_bytes, content_bytes) = (part(0)?, part(1)?);
            let owner_at = at + 12;
            let content_at = owner_at.checked_add(owner_bytes)?.checked_next_multiple_of(alignment)?;
            let content_end = content_at.checked_add(content_bytes)?;
            if self.number(at + 8, 4)? == TYPE_OF_PACKAGE
                && self.bytes.get(owner_at..owner_at + owner_bytes) == Some(OWNER)
            {
                return self.bytes.get(content_at..content_end);
            }
            at = content_end.checked_next_multiple_of(alignment)?;
        }
    }
}
