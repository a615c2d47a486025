//! Numbers of an executable, and its segments, as far as the first part of the file goes.
//!
//! Source: System V ABI, ELF header and program headers.

pub(super) const MAGIC: [u8; 4] = *b"\x7fELF";

/// Reads numbers of one width and byte order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub(crate) bytes: &'a [u8],
    is_wide: bool,
    is_little: bool,
}

/// A part of the file, and where it is loaded to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Segment {
    pub(crate) kind: u64,
    pub(crate) offset: u64,
    pub(crate) address: u64,
    pub(crate) file_bytes: u64,
    pub(crate) alignment: u64,
}

impl<'a> Reader<'a> {
    /// One for what an executable begins with.
    pub(crate) fn of(head: &'a [u8]) -> Option<Self> {
        let [width, order] = *head.strip_prefix(&MAGIC)?.first_chunk()?;
        let is_second = |byte: u8| matches!(byte, 1 | 2).then_some(byte == 2);
        Some(Self { bytes: head, is_wide: is_second(width)?, is_little: !is_second(order)? })
    }

    /// One for other bytes of the same file.
    pub(crate) fn with(self, bytes: &[u8]) -> Reader<'_> {
        Reader { bytes, is_wide: self.is_wide, is_little: self.is_little }
    }

    /// A number of so many bytes.
    pub(crate) fn number(&self, at: usize, count: usize) -> Option<u64> {
        let bytes = self.bytes.get(at..at.checked_add(count)?)?;
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        Some(if self.is_little { bytes.iter().rev().fold(0, add) } else { bytes.iter().fold(0, add) })
    }

    /// Bytes of an address.
    pub(crate) fn word_bytes(&self) -> usize {
        if self.is_wide { 8 } else { 4 }
    }

    /// An address, or a number as long as one.
    pub(crate) fn word(&self, at: usize) -> Option<u64> {
        self.number(at, self.word_bytes())
    }

    /// The segments whose descriptions are there.
    pub(crate) fn segments(self) -> impl Iterator<Item = Segment> {
        let (table_at, size_at) = if self.is_wide { (32, 54) } else { (28, 42) };
        let table = self.word(table_at).and_then(|table| usize::try_from(table).ok());
        let two_bytes = |at: usize| self.number(at, 2).and_then(|number| usize::try_from(number).ok());
        let (size, count) = (two_bytes(size_at), two_bytes(size_at + 2));
        let rows =
            (0..count.unwrap_or_default()).map_while(move |row| table?.checked_add(row.checked_mul(size?)?));
        rows.map_while(move |row| self.segment(row))
    }

    fn segment(&self, row: usize) -> Option<Segment> {
        let word = |wide: usize, narrow: usize| {
            self.word(row.checked_add(if self.is_wide { wide } else { narrow })?)
        };
        Some(Segment {
            kind: self.number(row, 4)?,
            offset: word(8, 4)?,
            address: word(16, 8)?,
            file_bytes: word(32, 16)?,
            alignment: word(48, 28)?,
        })
    }
}
