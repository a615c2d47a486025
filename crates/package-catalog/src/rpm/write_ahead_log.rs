//! The write-ahead log of an SQLite file.

use std::collections::BTreeMap;

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
const MAGIC: u32 = 0x377f_0682;
const VERSION: u32 = 3_007_000;

/// The pages of all transactions that were committed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Log<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) page_bytes: usize,
    /// Pages of the database after the last commit.
    pub(super) page_count: u32,
    /// Where a frame of this log begins whose checksum is wrong: a commit may be lost.
    pub(super) broken_at: Option<usize>,
    /// Page number and where its newest content begins.
    pages: BTreeMap<u32, usize>,
}

impl<'a> Log<'a> {
    /// Parses a write-ahead log.
    ///
    /// Shape:  big-endian. Header: magic number, whose lowest bit is the byte order of checksums, version, page size, number, two salts,
    ///         two checksums. Frames: page number, pages after the commit or zero, the salts, two checksums over everything so far,
    ///         the page. Frames with other salts are left from an older use of the file; frames behind the last commit do not count.
    /// Limits: the bytes are bounded by the caller.
    /// Errors: it is no such log, or one of another version.
    /// Source: sqlite.org, "Database File Format" section 4, "WAL-mode File Format", read 2026-08.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, &'static str> {
        let word = |offset| word(bytes, offset).ok_or("it is shorter than its header");
        let magic = word(0)?;
        if magic & !1 != MAGIC || word(4)? != VERSION {
            return Err("it has another magic number or version");
        }
        let mut checksum = Checksum { is_big_endian: magic & 1 == 1, first: 0, second: 0 };
        let (salts, stated) = ((word(16)?, word(20)?), (word(24)?, word(28)?));
        checksum.add(&bytes[..24]);
        if checksum.value() != stated {
            return Err("the checksum of its header is wrong");
        }
        let page_bytes = usize::try_from(word(8)?).unwrap_or_default();
        if !page_bytes.is_power_of_two() || !(512..=65_536).contains(&page_bytes) {
            return Err("it has no usable page size");
        }
        let mut log = Self { bytes, page_bytes, page_count: 0, broken_at: None, pages: BTreeMap::new() };
        log.read_frames(salts, checksum);
        Ok(log)
    }

    fn read_frames(&mut self, salts: (u32, u32), mut checksum: Checksum) {
        let mut uncommitted: BTreeMap<u32, usize> = BTreeMap::new();
        let mut offset = HEADER_BYTES;
        let frame_bytes = FRAME_HEADER_BYTES + self.page_bytes;
        while let Some(frame) = self.bytes.get(offset..).filter(|rest| rest.len() >= FRAME_HEADER_BYTES) {
            let word = |at| word(frame, at).unwrap_or_default();
            if (word(8), word(12)) != salts {
                return;
            }
            let Some(page) = frame.get(FRAME_HEADER_BYTES..frame_bytes) else {
                self.broken_at = Some(offset);
                return;
            };
            checksum.add(&frame[..8]);
            checksum.add(page);
            if checksum.value() != (word(16), word(20)) {
                self.broken_at = Some(offset);
                return;
            }
            uncommitted.insert(word(0), offset + FRAME_HEADER_BYTES);
            if word(4) != 0 {
                self.page_count = word(4);
                self.pages.append(&mut uncommitted);
            }
            offset += frame_bytes;
        }
    }

    /// Whether anything was committed.
    pub(super) fn has_pages(&self) -> bool {
        self.page_count != 0
    }

    /// The newest content of a page, when the log has one.
    pub(super) fn page(&self, number: u32) -> Option<&'a [u8]> {
        let start = *self.pages.get(&number)?;
        self.bytes.get(start..start + self.page_bytes)
    }
}

/// Two sums that go on from frame to frame.
#[derive(Debug, Clone, Copy)]
struct Checksum {
    is_big_endian: bool,
    first: u32,
    second: u32,
}

impl Checksum {
    fn add(&mut self, bytes: &[u8]) {
        for pair in bytes.chunks_exact(8) {
            let word = |at: usize| {
                let bytes = [0, 1, 2, 3].map(|byte| pair[at + byte]);
                if self.is_big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
            };
            let (left, right) = (word(0), word(4));
            self.first = self.first.wrapping_add(left).wrapping_add(self.second);
            self.second = self.second.wrapping_add(right).wrapping_add(self.first);
        }
    }

    fn value(self) -> (u32, u32) {
        (self.first, self.second)
    }
}

fn word(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}
