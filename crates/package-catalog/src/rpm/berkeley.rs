//! The hash database of Berkeley DB, as rpm had it until 2020.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::rpm::reading::Reading;

const HASH_MAGIC: u32 = 0x0006_1561;
const TREE_MAGIC: u32 = 0x0005_3162;
const VERSIONS: std::ops::RangeInclusive<u32> = 7..=10;
const PAGE_HEAD_BYTES: usize = 26;

const PAGE_HASH_UNSORTED: u8 = 2;
const PAGE_OVERFLOW: u8 = 7;
const PAGE_HASH: u8 = 13;
const PAGE_HASH_META: u8 = 8;

const ITEM_INLINE: u8 = 1;
const ITEM_OVERFLOW: u8 = 3;

/// Reads `Packages`.
///
/// Shape:  words in the byte order of the machine that made it. Page 0: magic number at 12, version, page size, cipher at 24, page
///         type, flags, last page at 32. Every page: its number at 8, the next one of an overflow at 16, count of items at 20, place
///         of the data or, of an overflow, its length at 22, type at 25. Hash pages: the place of each item, 16 bits each, the items
///         from the end of the page; keys and values take turns. A value is inline, or a page number and a length.
/// Limits: `record_bytes_max` for each value; all values together a few times the file.
/// Result: whether it is such a database. All hash pages are read in their order in the file, so that no chain of pages can be a
///         circle. An item that cannot be read is told, the others count.
/// Source: src/dbinc/db_page.h of Berkeley DB 5.3; lib/backend/db3.c of rpm 4.14.
pub(super) fn read(reading: &mut Reading<'_>) -> bool {
    let bytes = reading.input.bytes;
    let file = match File::parse(bytes) {
        Ok(file) => file,
        Err(message) => {
            reading.lose(0, message);
            return false;
        }
    };
    let page_count = bytes.len() / file.page_bytes;
    if page_count <= file.last_page || !bytes.len().is_multiple_of(file.page_bytes) {
        reading.lose(bytes.len(), "file ends before its last page");
    }
    for number in 1..page_count {
        if reading.is_stopped() {
            break;
        }
        let Some(page) = file.page(number) else { continue };
        if matches!(page[25], PAGE_HASH | PAGE_HASH_UNSORTED) {
            read_page(reading, &file, number, page);
        }
    }
    true
}

fn read_page(reading: &mut Reading<'_>, file: &File<'_>, number: usize, page: &[u8]) {
    let page_offset = number * file.page_bytes;
    let count = usize::from(file.half(page, 20));
    if PAGE_HEAD_BYTES + 2 * count > page.len() || !count.is_multiple_of(2) {
        reading.lose(page_offset, "hash page has more items than room, or a key without a value");
        return;
    }
    let places: Vec<usize> =
        (0..count).map(|index| usize::from(file.half(page, PAGE_HEAD_BYTES + 2 * index))).collect();
    // An item ends where the one before it begins.
    let item = |index: usize| {
        let end = if index == 0 { page.len() } else { places[index - 1] };
        page.get(places[index]..end).filter(|item| !item.is_empty())
    };
    for index in (0..count).step_by(2) {
        if reading.is_stopped() {
            return;
        }
        let offset = page_offset + places[index + 1];
        let (Some(key), Some(value)) = (item(index), item(index + 1)) else {
            reading.lose(offset, "item is outside of its page");
            continue;
        };
        // Number zero is no package: its value is the last number that was given away.
        if key == [ITEM_INLINE, 0, 0, 0, 0] {
            continue;
        }
        match read_value(reading, file, offset, value) {
            Ok(Some(header)) => reading.add_header(offset, &header),
            Ok(None) => {}
            Err(message) => reading.lose(offset, message),
        }
    }
}

/// `None` when the limits leave no room for it, which is told then.
fn read_value<'a>(
    reading: &mut Reading<'_>,
    file: &File<'a>,
    offset: usize,
    value: &'a [u8],
) -> Result<Option<Cow<'a, [u8]>>, &'static str> {
    if value[0] == ITEM_INLINE {
        return Ok(reading.take(offset, value.len()).then_some(Cow::Borrowed(&value[1..])));
    }
    if value[0] != ITEM_OVERFLOW || value.len() < 12 {
        return Err("value is of a kind that rpm does not use");
    }
    let (mut next, length) = (file.word(value, 4), file.word(value, 8));
    let length = usize::try_from(length).map_err(|_| "value is longer than memory")?;
    if !reading.take(offset, length) {
        return Ok(None);
    }
    let mut header = Vec::with_capacity(length.min(file.bytes.len()));
    let mut seen = BTreeSet::new();
    while header.len() < length {
        if !seen.insert(next) {
            return Err("value goes on in a circle of pages");
        }
        let number = usize::try_from(next).ok().filter(|number| *number != 0);
        let page = number.and_then(|number| file.page(number)).filter(|page| page[25] == PAGE_OVERFLOW);
        let page = page.ok_or("value goes on in a page that is none of its kind")?;
        let content = page.get(PAGE_HEAD_BYTES..PAGE_HEAD_BYTES + usize::from(file.half(page, 22)));
        let content = content.ok_or("page says that more is in it than it has room for")?;
        header.extend_from_slice(&content[..content.len().min(length - header.len())]);
        next = file.word(page, 16);
    }
    Ok(Some(Cow::Owned(header)))
}

/// The whole file.
struct File<'a> {
    bytes: &'a [u8],
    is_big_endian: bool,
    page_bytes: usize,
    last_page: usize,
}

impl<'a> File<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, String> {
        const META_BYTES: usize = 72;
        let unknown = || "file is neither of SQLite nor ndb nor Berkeley DB".to_owned();
        let magic = bytes.get(12..16).ok_or_else(unknown)?;
        let is = |wanted: u32| (magic == wanted.to_be_bytes(), magic == wanted.to_le_bytes());
        let is_big_endian = match (is(HASH_MAGIC), is(TREE_MAGIC)) {
            ((true, _), _) => true,
            ((_, true), _) => false,
            (_, (true, _) | (_, true)) => {
                return Err("database of Berkeley DB is a tree, not a hash".to_owned());
            }
            _ => return Err(unknown()),
        };
        if bytes.len() < META_BYTES {
            return Err("file ends in its first page".to_owned());
        }
        let mut file = Self { bytes, is_big_endian, page_bytes: 0, last_page: 0 };
        let number = |offset| usize::try_from(file.word(bytes, offset)).unwrap_or(usize::MAX);
        let (page_bytes, last_page) = (number(20), number(32));
        let version = file.word(bytes, 16);
        if !VERSIONS.contains(&version) {
            return Err(format!("database of Berkeley DB has version {version}, which is not read"));
        }
        if !page_bytes.is_power_of_two() || !(512..=65_536).contains(&page_bytes) {
            return Err(format!("database of Berkeley DB has pages of {page_bytes} bytes, which cannot be"));
        }
        // Checksums and ciphers make the heads of pages longer; rpm never asks for them.
        if bytes[24] != 0 || bytes[25] != PAGE_HASH_META || bytes[26] & 1 != 0 {
            return Err("database of Berkeley DB is encrypted, has checksums or no first page".to_owned());
        }
        (file.page_bytes, file.last_page) = (page_bytes, last_page);
        Ok(file)
    }

    fn page(&self, number: usize) -> Option<&'a [u8]> {
        let start = number.checked_mul(self.page_bytes)?;
        self.bytes.get(start..start.checked_add(self.page_bytes)?)
    }

    /// Zero where the bytes end before.
    fn half(&self, bytes: &[u8], offset: usize) -> u16 {
        let half = bytes.get(offset..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default();
        if self.is_big_endian { u16::from_be_bytes(half) } else { u16::from_le_bytes(half) }
    }

    /// Zero where the bytes end before.
    fn word(&self, bytes: &[u8], offset: usize) -> u32 {
        let word = bytes.get(offset..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default();
        if self.is_big_endian { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
    }
}
