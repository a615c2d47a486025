//! Writers of headers and of the three forms of the database, for what no tool would write.

use crate::rpm::header::{Tag, tag};
use crate::rpm::ndb::adler32;

/// The value of a field.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(&'static str),
    Texts(Vec<&'static str>),
    Numbers(Vec<u32>),
    Halves(Vec<u16>),
    Bytes(Vec<u8>),
}

/// A header with these fields.
pub(super) fn header(fields: &[(Tag, Value)]) -> Vec<u8> {
    let (mut index, mut data) = (Vec::new(), Vec::new());
    for (tag, value) in fields {
        let start = u32::try_from(data.len()).unwrap();
        let (kind, count) = match value {
            Value::Text(text) => (6, add_texts(&mut data, &[text])),
            Value::Texts(texts) => (8, add_texts(&mut data, texts)),
            Value::Numbers(numbers) => {
                data.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
                (4, numbers.len())
            }
            Value::Halves(numbers) => {
                data.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
                (3, numbers.len())
            }
            Value::Bytes(bytes) => {
                data.extend(bytes);
                (1, bytes.len())
            }
        };
        for word in [*tag, kind, start, u32::try_from(count).unwrap()] {
            index.extend(word.to_be_bytes());
        }
    }
    let words = [fields.len(), data.len()].map(|length| u32::try_from(length).unwrap().to_be_bytes());
    [words.concat(), index, data].concat()
}

fn add_texts(data: &mut Vec<u8>, texts: &[&str]) -> usize {
    for text in texts {
        data.extend(text.as_bytes());
        data.push(0);
    }
    texts.len()
}

/// A small package.
pub(super) fn package(name: &'static str, more: &[(Tag, Value)]) -> Vec<u8> {
    let fields =
        [(tag::NAME, Value::Text(name)), (tag::VERSION, Value::Text("1")), (tag::RELEASE, Value::Text("2"))];
    header(&[&fields, more].concat())
}

/// A database of ndb.
pub(super) fn ndb(headers: &[Vec<u8>]) -> Vec<u8> {
    let slot_pages = (headers.len() + 2).div_ceil(256);
    let mut file = vec![0; slot_pages * 4096];
    let word = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
    file[..20]
        .copy_from_slice(&[*b"RpmP", word(0), word(1), word(slot_pages), word(headers.len() + 1)].concat());
    for slot in file[32..].chunks_exact_mut(16) {
        slot[..4].copy_from_slice(b"Slot");
    }
    for (index, header) in headers.iter().enumerate() {
        let number = word(index + 1);
        let blocks = (16 + header.len() + 12).div_ceil(16);
        let slot = [*b"Slot", number, word(file.len() / 16), word(blocks)].concat();
        file[32 + 16 * index..48 + 16 * index].copy_from_slice(&slot);
        let mut blob = [[*b"BlbS", number, word(1), word(header.len())].concat(), header.clone()].concat();
        blob.resize(blocks * 16 - 12, 0);
        let tail = [adler32(&blob).to_le_bytes(), word(header.len()), *b"BlbE"].concat();
        file.extend(blob);
        file.extend(tail);
    }
    file
}

/// A database of Berkeley DB with one hash page for each header, and overflow pages behind.
pub(super) fn berkeley(headers: &[Vec<u8>], is_big_endian: bool) -> Vec<u8> {
    const PAGE: usize = 512;
    let word = |number: usize| {
        let number = u32::try_from(number).unwrap();
        if is_big_endian { number.to_be_bytes() } else { number.to_le_bytes() }
    };
    let half = |number: usize| {
        let number = u16::try_from(number).unwrap();
        if is_big_endian { number.to_be_bytes() } else { number.to_le_bytes() }
    };
    let page = |number: usize, next: usize, count: usize, place: usize, kind: u8| {
        let mut page = vec![0; PAGE];
        page[8..12].copy_from_slice(&word(number));
        page[16..20].copy_from_slice(&word(next));
        page[20..24].copy_from_slice(&[half(count), half(place)].concat());
        page[25] = kind;
        page
    };
    let mut overflow: Vec<Vec<u8>> = Vec::new();
    let mut hash: Vec<Vec<u8>> = Vec::new();
    for (index, header) in headers.iter().enumerate() {
        let first = 1 + headers.len() + overflow.len();
        let chunks: Vec<&[u8]> = header.chunks(PAGE - 26).collect();
        for (position, chunk) in chunks.iter().enumerate() {
            let next = if position + 1 == chunks.len() { 0 } else { first + position + 1 };
            let mut page = page(first + position, next, 1, chunk.len(), 7);
            page[26..26 + chunk.len()].copy_from_slice(chunk);
            overflow.push(page);
        }
        let mut page = page(1 + index, 0, 2, PAGE - 17, 13);
        page[26..30].copy_from_slice(&[half(PAGE - 5), half(PAGE - 17)].concat());
        page[PAGE - 5..].copy_from_slice(&[&[1], &word(index + 1)[..]].concat());
        page[PAGE - 17..PAGE - 5].copy_from_slice(&[[3, 0, 0, 0], word(first), word(header.len())].concat());
        hash.push(page);
    }
    let mut meta = page(0, 0, 0, 0, 8);
    meta[12..24].copy_from_slice(&[word(0x0006_1561), word(9), word(PAGE)].concat());
    meta[32..36].copy_from_slice(&word(hash.len() + overflow.len()));
    [vec![meta], hash, overflow].concat().concat()
}

/// A database of SQLite with a page for each header, and pages behind that headers go on in.
pub(super) fn sqlite(headers: &[Vec<u8>]) -> Vec<u8> {
    const PAGE: usize = 512;
    assert!(headers.len() <= 60, "one interior page must hold them");
    let integer = |number: usize| -> Vec<u8> {
        // Three bytes are enough for every length here.
        let bits = |shift: usize| u8::try_from(number >> shift & 0x7f).unwrap();
        vec![bits(14) | 0x80, bits(7) | 0x80, bits(0)]
    };
    let word = |number: usize| u32::try_from(number).unwrap().to_be_bytes();
    let half = |number: usize| u16::try_from(number).unwrap().to_be_bytes();
    // A page with cells, from its end.
    let tree_page = |head: usize, kind: u8, right: &[u8], cells: &[Vec<u8>]| {
        let mut page = vec![0; PAGE];
        let head_bytes = 8 + right.len();
        page[head] = kind;
        page[head + 3..head + 5].copy_from_slice(&half(cells.len()));
        page[head + 8..head + head_bytes].copy_from_slice(right);
        let mut end = PAGE;
        for (index, cell) in cells.iter().enumerate() {
            let start = end - cell.len();
            page[start..end].copy_from_slice(cell);
            let place = head + head_bytes + 2 * index;
            page[place..place + 2].copy_from_slice(&half(start));
            end = start;
        }
        page
    };
    // Pages: schema, root, one leaf for each header, overflow.
    let mut leaves: Vec<Vec<u8>> = Vec::new();
    let mut overflow: Vec<Vec<u8>> = Vec::new();
    for (index, header) in headers.iter().enumerate() {
        let record = [vec![5, 0], integer(header.len() * 2 + 12), header.clone()].concat();
        let (maximum, minimum) = (PAGE - 35, (PAGE - 12) * 32 / 255 - 23);
        let local = match record.len() {
            length if length <= maximum => length,
            length => match minimum + (length - minimum) % (PAGE - 4) {
                fitting if fitting <= maximum => fitting,
                _ => minimum,
            },
        };
        let mut cell = [integer(record.len()), integer(index + 1), record[..local].to_vec()].concat();
        let first = 3 + headers.len() + overflow.len();
        let chunks: Vec<&[u8]> = record[local..].chunks(PAGE - 4).collect();
        if !chunks.is_empty() {
            cell.extend(word(first));
        }
        for (position, chunk) in chunks.iter().enumerate() {
            let next = if position + 1 == chunks.len() { 0 } else { first + position + 1 };
            let mut page = [&word(next)[..], chunk].concat();
            page.resize(PAGE, 0);
            overflow.push(page);
        }
        leaves.push(tree_page(0, 0x0d, &[], &[cell]));
    }
    let cells: Vec<Vec<u8>> =
        (1..headers.len()).map(|index| [&word(index + 2)[..], &integer(index)].concat()).collect();
    let root = match headers.len() {
        0 => tree_page(0, 0x0d, &[], &[]),
        count => tree_page(0, 0x05, &word(count + 2), &cells),
    };
    let row = [&[6_u8, 23, 29, 29, 1, 13][..], b"table", b"Packages", b"Packages", &[2]].concat();
    let cell = [integer(row.len()), integer(1), row].concat();
    let mut schema = tree_page(100, 0x0d, &[], &[cell]);
    schema[..16].copy_from_slice(b"SQLite format 3\0");
    schema[16..18].copy_from_slice(&half(PAGE));
    [vec![schema, root], leaves, overflow].concat().concat()
}
