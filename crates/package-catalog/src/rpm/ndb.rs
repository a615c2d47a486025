//! The database that rpm keeps itself, as SUSE has it.

use crate::rpm::reading::Reading;

const FILE_MAGIC: &[u8] = b"RpmP";
const SLOT_MAGIC: &[u8] = b"Slot";
const BLOB_MAGIC: &[u8] = b"BlbS";
const BLOB_END_MAGIC: &[u8] = b"BlbE";
const PAGE_BYTES: usize = 4096;
const SLOT_BYTES: usize = 16;
const BLOCK_BYTES: usize = 16;
/// The header of the file takes the place of the first slots.
const FILE_HEADER_BYTES: usize = 32;
const BLOB_HEAD_BYTES: usize = 16;
const BLOB_TAIL_BYTES: usize = 12;
const VERSION: u32 = 0;

/// Whether a file begins as one of these.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    bytes.starts_with(FILE_MAGIC)
}

/// Reads `Packages.db`.
///
/// Shape:  little-endian. Header: magic number, version, generation, pages of slots. Slots of four words: magic number, number of the
///         package or zero, first block, count of blocks. A block has 16 bytes; the blob in it is magic number, number of the package,
///         generation, length, the header, zeros, Adler-32 of all that, length, magic number.
/// Limits: `record_bytes_max` for each blob; all blobs together a few times the file.
/// Result: whether it is such a database. A slot or blob that is broken is told, the others count.
/// Source: lib/backend/ndb/rpmpkg.c of rpm 4.18.
pub(super) fn read(reading: &mut Reading<'_>) -> bool {
    let bytes = reading.input.bytes;
    let (Some(version), Some(slot_pages)) = (word(bytes, 4), word(bytes, 12)) else {
        reading.lose(0, "ndb file ends in its header");
        return false;
    };
    if version != VERSION {
        reading.lose(4, format!("ndb file has version {version}; this is read: {VERSION}"));
        return false;
    }
    let stated = usize::try_from(slot_pages).unwrap_or(usize::MAX).saturating_mul(PAGE_BYTES);
    if stated > bytes.len() {
        reading.lose(12, "ndb file ends in its slots");
    }
    let end = stated.min(bytes.len());
    for offset in (FILE_HEADER_BYTES..end).step_by(SLOT_BYTES) {
        if reading.is_stopped() {
            break;
        }
        let Some(slot) = bytes.get(offset..offset + SLOT_BYTES) else { break };
        if !slot.starts_with(SLOT_MAGIC) {
            reading.lose(offset, "slot has another magic number");
            continue;
        }
        let [number, block, count] = [4, 8, 12].map(|at| word(slot, at).unwrap_or_default());
        // A slot without a package has no blocks.
        if number == 0 || block == 0 {
            continue;
        }
        read_blob(reading, offset, number, (block, count));
    }
    true
}

fn read_blob(reading: &mut Reading<'_>, slot_offset: usize, number: u32, (block, count): (u32, u32)) {
    let to_bytes =
        |blocks: u32| usize::try_from(blocks).ok().and_then(|blocks| blocks.checked_mul(BLOCK_BYTES));
    let range = to_bytes(block).zip(to_bytes(count)).and_then(|(start, length)| {
        Some(start..start.checked_add(length).filter(|end| *end <= reading.input.bytes.len())?)
    });
    let Some(range) = range else {
        reading.lose(slot_offset, "blob of a slot is behind the end of the file");
        return;
    };
    let (offset, blob) = (range.start, &reading.input.bytes[range]);
    if !reading.take(offset, blob.len()) {
        return;
    }
    match check_blob(blob, number) {
        Ok(header) => reading.add_header(offset, header),
        Err(message) => reading.lose(offset, message),
    }
}

/// The header in a blob, when the blob is whole.
fn check_blob(blob: &[u8], number: u32) -> Result<&[u8], &'static str> {
    let tail_start = blob.len().checked_sub(BLOB_TAIL_BYTES).filter(|start| *start >= BLOB_HEAD_BYTES);
    let tail_start = tail_start.ok_or("blob has no room for its ends")?;
    let (body, tail) = blob.split_at(tail_start);
    if !body.starts_with(BLOB_MAGIC) || !tail.ends_with(BLOB_END_MAGIC) {
        return Err("blob has another magic number");
    }
    if word(body, 4) != Some(number) {
        return Err("blob is one of another slot");
    }
    let length = word(body, 12).filter(|length| word(tail, 4) == Some(*length));
    let length = length.and_then(|length| usize::try_from(length).ok()).ok_or("blob has two lengths")?;
    let header = BLOB_HEAD_BYTES.checked_add(length).and_then(|end| body.get(BLOB_HEAD_BYTES..end));
    let header = header.ok_or("blob is longer than its blocks")?;
    if word(tail, 0) != Some(adler32(body)) {
        return Err("checksum of the blob is wrong");
    }
    Ok(header)
}

/// Source: RFC 1950.
pub(super) fn adler32(bytes: &[u8]) -> u32 {
    const MODULUS: u32 = 65_521;
    // So many bytes fit before a sum of 32 bits can overflow.
    const RUN: usize = 5552;
    let (mut low, mut high) = (1_u32, 0_u32);
    for run in bytes.chunks(RUN) {
        for byte in run {
            low += u32::from(*byte);
            high += low;
        }
        low %= MODULUS;
        high %= MODULUS;
    }
    high << 16 | low
}

fn word(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}
