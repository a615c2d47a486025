//! The rows of one table of an SQLite file.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::rpm::reading::Reading;
use crate::rpm::sqlite::Pages;

const FILE_HEADER_BYTES: usize = 100;
const TYPE_INTERIOR: u8 = 0x05;
const TYPE_LEAF: u8 = 0x0d;

/// One row.
pub(super) struct Cell<'a> {
    /// Where it begins in the file.
    pub(super) offset: usize,
    record: Cow<'a, [u8]>,
}

/// One value of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Column<'a> {
    serial_type: u64,
    bytes: &'a [u8],
}

/// Visits every row, in the order of the table.
///
/// Shape:  a tree of pages. A page begins with its type, a free block, the number of cells, where they begin, a free count, and in
///         an interior page the page to the right of all cells; then the place of each cell, 16 bits each. A cell of an interior page
///         begins with the page to its left. A cell of a leaf is the length of the record, the number of the row, the record, and
///         the page on which a record goes on that does not fit.
/// Limits: every page once, so that a circle of pages ends.
pub(super) fn visit_rows(
    reading: &mut Reading<'_>,
    pages: &Pages<'_>,
    root: u32,
    visit: &mut dyn FnMut(&mut Reading<'_>, &Cell<'_>),
) {
    let page_count = usize::try_from(pages.count).unwrap_or(usize::MAX).min(PAGES_MAX);
    let mut pending = Pending { seen: vec![false; page_count], pages: Vec::new() };
    pending.push(reading, pages, root);
    while let Some(number) = pending.pages.pop() {
        if reading.is_stopped() {
            return;
        }
        let offset = pages.offset(number);
        let Some(node) = Node::parse(pages, number) else {
            reading.lose(offset, "page is not one of a table");
            continue;
        };
        if node.kind == TYPE_INTERIOR {
            let children = node.cells().map(|start| node.word(start)).chain([node.word(node.head + 8)]);
            let start = pending.pages.len();
            for child in children {
                match child {
                    Some(child) => pending.push(reading, pages, child),
                    None => reading.lose(offset, "cell is outside of its page"),
                }
            }
            // The leftmost comes first.
            pending.pages[start..].reverse();
            continue;
        }
        for start in node.cells() {
            if reading.is_stopped() {
                return;
            }
            match read_cell(reading, pages, &node, start) {
                Ok(Some(cell)) => visit(reading, &cell),
                Ok(None) => {}
                Err(message) => reading.lose(offset.saturating_add(start), message),
            }
        }
    }
}

/// A log may claim any number of pages; so many of the smallest size fill eight gibibytes.
const PAGES_MAX: usize = 1 << 24;

/// Pages that are to be visited: each at most once.
struct Pending {
    seen: Vec<bool>,
    pages: Vec<u32>,
}

impl Pending {
    fn push(&mut self, reading: &mut Reading<'_>, pages: &Pages<'_>, number: u32) {
        let index = usize::try_from(number).unwrap_or(usize::MAX).wrapping_sub(1);
        match self.seen.get_mut(index) {
            Some(true) => reading.lose(pages.offset(number), "page is in the table twice"),
            Some(seen) => {
                *seen = true;
                self.pages.push(number);
            }
            None => reading.lose(pages.offset(number), "page is behind the end of the file"),
        }
    }
}

struct Node<'a> {
    page: &'a [u8],
    offset: usize,
    kind: u8,
    head: usize,
    head_bytes: usize,
    count: usize,
}

impl<'a> Node<'a> {
    fn parse(pages: &'a Pages<'_>, number: u32) -> Option<Self> {
        let page = pages.page(number)?.get(..pages.usable_bytes)?;
        let head = if number == 1 { FILE_HEADER_BYTES } else { 0 };
        let kind = *page.get(head)?;
        let head_bytes = match kind {
            TYPE_INTERIOR => 12,
            TYPE_LEAF => 8,
            _ => return None,
        };
        let count = usize::from(u16::from_be_bytes([*page.get(head + 3)?, *page.get(head + 4)?]));
        let is_room = head + head_bytes + 2 * count <= page.len();
        is_room.then_some(Self { page, offset: pages.offset(number), kind, head, head_bytes, count })
    }

    /// Where each cell begins.
    fn cells(&self) -> impl Iterator<Item = usize> + use<'a> {
        let start = self.head + self.head_bytes;
        let places = &self.page[start..start + 2 * self.count];
        places.chunks_exact(2).map(|place| usize::from(u16::from_be_bytes([place[0], place[1]])))
    }

    fn word(&self, offset: usize) -> Option<u32> {
        self.page.get(offset..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
    }
}

/// `None` when the limits leave no room for it, which is told then.
fn read_cell<'a>(
    reading: &mut Reading<'_>,
    pages: &Pages<'_>,
    node: &Node<'a>,
    start: usize,
) -> Result<Option<Cell<'a>>, &'static str> {
    const OUTSIDE: &str = "cell is outside of its page";
    let rest = node.page.get(start..).ok_or(OUTSIDE)?;
    let (record_bytes, rest) = variable_integer(rest).ok_or(OUTSIDE)?;
    let (_, rest) = variable_integer(rest).ok_or(OUTSIDE)?;
    let record_bytes = usize::try_from(record_bytes).map_err(|_| "length of a row is no length")?;
    let offset = node.offset.saturating_add(start);
    if !reading.take(offset, record_bytes) {
        return Ok(None);
    }
    let local_bytes = local_bytes(record_bytes, pages.usable_bytes);
    let local = rest.get(..local_bytes).ok_or(OUTSIDE)?;
    if local_bytes == record_bytes {
        return Ok(Some(Cell { offset, record: Cow::Borrowed(local) }));
    }
    let mut record = local.to_vec();
    let mut next = word(rest, local_bytes).ok_or(OUTSIDE)?;
    let mut seen = BTreeSet::new();
    while record.len() < record_bytes {
        let page = pages.page(next).and_then(|page| page.get(..pages.usable_bytes));
        let page = page.ok_or("row goes on behind the end of the file")?;
        if !seen.insert(next) {
            return Err("row goes on in a circle of pages");
        }
        next = word(page, 0).ok_or(OUTSIDE)?;
        let content = &page[4..];
        record.extend_from_slice(&content[..content.len().min(record_bytes - record.len())]);
    }
    Ok(Some(Cell { offset, record: Cow::Owned(record) }))
}

/// How much of a record is in its own page.
fn local_bytes(record_bytes: usize, usable_bytes: usize) -> usize {
    let maximum = usable_bytes - 35;
    if record_bytes <= maximum {
        return record_bytes;
    }
    let minimum = (usable_bytes - 12) * 32 / 255 - 23;
    let fitting = minimum + (record_bytes - minimum) % (usable_bytes - 4);
    if fitting <= maximum { fitting } else { minimum }
}

impl Cell<'_> {
    /// A value by its place.
    ///
    /// Shape:  the length of the list of types, itself included; the types; the values one after another.
    pub(super) fn column(&self, wanted: usize) -> Option<Column<'_>> {
        let (head_bytes, types) = variable_integer(&self.record)?;
        let mut values = self.record.get(usize::try_from(head_bytes).ok()?..)?;
        let mut types = types.get(..types.len().checked_sub(values.len())?)?;
        for index in 0..=wanted {
            let (serial_type, rest) = variable_integer(types)?;
            types = rest;
            let length = match serial_type {
                0 | 8 | 9 => 0,
                1..=4 => serial_type,
                5 => 6,
                6 | 7 => 8,
                10 | 11 => return None,
                _ => (serial_type - 12) / 2,
            };
            let (bytes, rest) = values.split_at_checked(usize::try_from(length).ok()?)?;
            values = rest;
            if index == wanted {
                return Some(Column { serial_type, bytes });
            }
        }
        None
    }
}

impl<'a> Column<'a> {
    /// A text or a blob.
    pub(super) fn bytes(self) -> Option<&'a [u8]> {
        (self.serial_type >= 12).then_some(self.bytes)
    }

    /// A whole number that is not negative.
    pub(super) fn integer(self) -> Option<u64> {
        match self.serial_type {
            1..=6 if self.bytes.first().is_some_and(|first| first & 0x80 == 0) => {
                Some(self.bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
            }
            8 => Some(0),
            9 => Some(1),
            _ => None,
        }
    }
}

/// Seven bits a byte, the highest first, as long as the eighth is set; a ninth byte counts whole.
fn variable_integer(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (index, byte) in bytes.iter().enumerate().take(9) {
        if index == 8 {
            return Some((value << 8 | u64::from(*byte), &bytes[9..]));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[index + 1..]));
        }
    }
    None
}

fn word(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::{local_bytes, variable_integer};

    #[test]
    fn variable_integers_have_up_to_nine_bytes() {
        let rows: [(&[u8], Option<u64>); 7] = [
            (&[0x7f], Some(0x7f)),
            (&[0x81, 0x00], Some(0x80)),
            (&[0xff, 0x7f, 9], Some(0x3fff)),
            (&[0xff; 9], Some(u64::MAX)),
            (&[0xff; 8], None),
            (&[0x80], None),
            (&[], None),
        ];
        for (bytes, expected) in rows {
            assert_eq!(variable_integer(bytes).map(|(value, _)| value), expected, "{bytes:?}");
        }
    }

    #[test]
    fn long_records_leave_a_part_in_their_page() {
        // Out of the format's own formula, for pages of 4096 bytes.
        for (record, local) in [(4061, 4061), (4062, 489), (489 + 4092, 489), (490 + 4092, 490), (8153, 4061)]
        {
            assert_eq!(local_bytes(record, 4096), local, "{record}");
        }
    }
}
