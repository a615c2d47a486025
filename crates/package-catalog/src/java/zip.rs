//! The parts of a zip archive as they lie one behind the other: local headers, and how the end of an entry is found whose length
//! stands only behind it.
//!
//! Source: PKWARE, APPNOTE.TXT 6.3, sections 4.3.7 to 4.3.9 and 4.5.3.

use memchr::memmem;

use super::directory;

pub(super) const SIGNATURE_BYTES: usize = 4;
pub(super) const LOCAL: [u8; 4] = *b"PK\x03\x04";
const CENTRAL: [u8; 4] = *b"PK\x01\x02";
const DESCRIPTOR: [u8; 4] = *b"PK\x07\x08";
pub(super) const HEADER_BYTES: usize = 30;
/// Bytes before a mark that may be a length without a mark of its own.
const BEHIND_BYTES: usize = 20;
const ZIP64: u16 = 1;
const IN_ZIP64: u64 = 0xffff_ffff;

/// Whether an archive goes on with its directory here, behind which there are no entries.
pub(super) fn is_directory(signature: [u8; 4]) -> bool {
    // Directory, its end in both widths, and what a signer puts before it.
    matches!(&signature, b"PK\x01\x02" | b"PK\x05\x06" | b"PK\x06\x06" | b"PK\x06\x08")
}

/// The first place at which an entry or the directory may begin.
pub(super) fn find_signature(bytes: &[u8]) -> Option<usize> {
    let is_signature = |at: &usize| {
        bytes[*at..]
            .first_chunk()
            .is_some_and(|found| *found == LOCAL || *found == CENTRAL || found == b"PK\x05\x06")
    };
    memmem::find_iter(bytes, b"PK").find(is_signature)
}

/// How an entry is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Stored,
    Deflated,
    Other(u16),
}

/// What stands before an entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LocalHeader {
    pub(super) name: String,
    /// Of the name as it is written, and the method.
    pub(super) fingerprint: u64,
    pub(super) method: Method,
    pub(super) is_encrypted: bool,
    /// Whether lengths stand behind the entry.
    pub(super) has_descriptor: bool,
    /// Bytes in the archive; `None` where only what stands behind it knows.
    pub(super) compressed_bytes: Option<u64>,
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().copied().map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_le_bytes).map(u64::from)
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().copied().map(u64::from_le_bytes)
}

/// Bytes of a header whose fixed part is there.
pub(super) fn header_length(fixed: &[u8]) -> usize {
    let length = |at| usize::from(u16_at(fixed, at).unwrap_or_default());
    HEADER_BYTES + length(26) + length(28)
}

impl LocalHeader {
    /// Reads a whole one.
    pub(super) fn read(header: &[u8]) -> Option<Self> {
        let flags = u16_at(header, 6)?;
        let method_number = u16_at(header, 8)?;
        let method = match method_number {
            0 => Method::Stored,
            8 => Method::Deflated,
            other => Method::Other(other),
        };
        let name_end = HEADER_BYTES + usize::from(u16_at(header, 26)?);
        let name = header.get(HEADER_BYTES..name_end)?;
        let fingerprint = directory::fingerprint(name, method_number);
        let name = String::from_utf8_lossy(name).into_owned();
        let has_descriptor = flags & 8 != 0;
        let (mut compressed, plain) = (u32_at(header, 18)?, u32_at(header, 22)?);
        if compressed == IN_ZIP64 {
            let before = usize::from(plain == IN_ZIP64);
            compressed = zip64_number(header.get(name_end..)?, before).unwrap_or(compressed);
        }
        // With a descriptor, a length of nothing means that it was not known yet.
        let compressed_bytes = (!has_descriptor || compressed > 0).then_some(compressed);
        let is_encrypted = flags & 1 != 0;
        Some(Self { name, fingerprint, method, is_encrypted, has_descriptor, compressed_bytes })
    }
}

/// Where the directory says that an entry is.
pub(super) fn offset_of(record: &[u8], extra: &[u8]) -> u64 {
    let offset = u32_at(record, 42).unwrap_or_default();
    let before = [20, 24].into_iter().filter(|at| u32_at(record, *at) == Some(IN_ZIP64)).count();
    match offset {
        IN_ZIP64 => zip64_number(extra, before).unwrap_or(offset),
        offset => offset,
    }
}

/// A number that is too large for its place, out of the extra field; so many others stand before it, which are too large too.
fn zip64_number(mut extra: &[u8], before: usize) -> Option<u64> {
    loop {
        let (id, length) = (u16_at(extra, 0)?, usize::from(u16_at(extra, 2)?));
        let field = extra.get(4..4 + length)?;
        if id == ZIP64 {
            return u64_at(field, before * 8);
        }
        extra = &extra[4 + length..];
    }
}

/// What stands behind an entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Behind {
    /// More bytes are needed to know.
    Needs(usize),
    /// Lengths, of so many bytes; the archive goes on behind them.
    Descriptor(usize),
    /// Nothing that belongs to it.
    Nothing,
    /// Neither lengths nor another entry.
    Unknown,
}

/// Looks at what stands behind an entry that may have a descriptor: with a mark or without, in either width.
pub(super) fn look_behind(bytes: &[u8]) -> Behind {
    let Some(signature) = bytes.first_chunk::<4>().copied() else { return Behind::Needs(4) };
    if signature == LOCAL || is_directory(signature) {
        return Behind::Nothing;
    }
    let mark = if signature == DESCRIPTOR { SIGNATURE_BYTES } else { 0 };
    for length in [mark + 12, mark + 20] {
        match bytes.get(length..length + 2) {
            None => return Behind::Needs(length + 2),
            Some(b"PK") => return Behind::Descriptor(length),
            Some(_) => {}
        }
    }
    Behind::Unknown
}

/// Where an entry ends whose length nothing before it says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// At this place of the window, with a descriptor of so many bytes.
    At(usize, usize),
    /// Not before this place; what stands from there is needed again.
    NotBefore(usize),
}

/// Looks for the end of an entry of which `passed` bytes stand before the window: for a descriptor that names just the length
/// that the entry has if it ends there, and behind which the archive goes on.
pub(super) fn find_end(window: &[u8], passed: u64) -> End {
    let mut at = 0;
    while let Some(found) = memmem::find(&window[at..], b"PK") {
        at += found;
        match end_at(window, at, passed) {
            Ok(Some(end)) => return end,
            Ok(None) => at += 2,
            Err(NeedsMore) => return End::NotBefore(at.saturating_sub(BEHIND_BYTES)),
        }
    }
    End::NotBefore(window.len().saturating_sub(BEHIND_BYTES + 1))
}

struct NeedsMore;

fn end_at(window: &[u8], at: usize, passed: u64) -> Result<Option<End>, NeedsMore> {
    let signature = window.get(at..at + 4).ok_or(NeedsMore)?;
    let length = passed + at as u64;
    if signature == DESCRIPTOR {
        if u32_at(window, at + 8).ok_or(NeedsMore)? != length & IN_ZIP64 {
            return Ok(None);
        }
        if window.get(at + 16..at + 18).ok_or(NeedsMore)? == b"PK" {
            return Ok((length <= IN_ZIP64).then_some(End::At(at, 16)));
        }
        let is_end =
            window.get(at + 24..at + 26).ok_or(NeedsMore)? == b"PK" && u64_at(window, at + 8) == Some(length);
        return Ok(is_end.then_some(End::At(at, 24)));
    }
    if signature == LOCAL || signature == CENTRAL {
        for (bytes, stated) in [
            (12, at.checked_sub(8).and_then(|at| u32_at(window, at))),
            (20, at.checked_sub(16).and_then(|at| u64_at(window, at))),
        ] {
            if let (Some(stated), Some(start)) = (stated, at.checked_sub(bytes))
                && stated == passed + start as u64
            {
                return Ok(Some(End::At(start, bytes)));
            }
        }
    }
    Ok(None)
}
