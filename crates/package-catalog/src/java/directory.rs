//! The directory at the end of an archive against the entries that were read: programs go by the directory, and so do not see what it
//! does not list.
//!
//! Of an entry no more is kept than where it is and a fingerprint of its name, so a large archive takes a few megabytes.
//! Source: PKWARE, APPNOTE.TXT 6.3, sections 4.3.12 to 4.3.16 and 4.5.3.

use std::hash::{DefaultHasher, Hasher};

use super::zip::{self, SIGNATURE_BYTES};

const CENTRAL_BYTES: usize = 46;
const END_BYTES: usize = 22;
const LOCATOR_BYTES: usize = 20;
const END64_FIXED_BYTES: usize = 12;
/// More than any end of a large archive has.
const END64_BYTES_MAX: u64 = 64 * 1024;

/// A record of the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Record {
    /// An entry.
    Entry,
    /// The end of the archive, with a comment of so many bytes behind it.
    End(u64),
    /// Something that does not matter here.
    Other,
    /// Nothing that stands in a directory; an encrypted one looks like this too.
    Unknown,
}

/// What begins here, and how many bytes it has as far as that can be said already.
pub(super) fn record(bytes: &[u8]) -> (Record, usize) {
    let length = |at| zip::u16_at(bytes, at).map_or(0, usize::from);
    let Some(signature) = bytes.first_chunk::<SIGNATURE_BYTES>() else {
        return (Record::Other, SIGNATURE_BYTES);
    };
    match signature {
        b"PK\x01\x02" => (Record::Entry, CENTRAL_BYTES + length(28) + length(30) + length(32)),
        b"PK\x05\x06" => (Record::End(length(20) as u64), END_BYTES),
        b"PK\x06\x07" => (Record::Other, LOCATOR_BYTES),
        b"PK\x05\x05" => (Record::Other, 6 + length(4)),
        b"PK\x06\x06" => match zip::u64_at(bytes, SIGNATURE_BYTES).unwrap_or(0) {
            rest if rest > END64_BYTES_MAX => (Record::Unknown, SIGNATURE_BYTES),
            rest => (Record::Other, END64_FIXED_BYTES + usize::try_from(rest).unwrap_or_default()),
        },
        _ => (Record::Unknown, SIGNATURE_BYTES),
    }
}

#[derive(Debug)]
struct Local {
    offset: u64,
    fingerprint: u64,
    /// The number of the directory that lists it.
    listed_in: u32,
}

/// What was read, and what the directory says of it.
#[derive(Debug, Default)]
pub(super) struct Directory {
    locals: Vec<Local>,
    /// How many directories have begun.
    number: u32,
    /// How far offsets may be off: archives may stand behind something else.
    starts: [u64; 2],
    /// How far they are.
    shift: Option<u64>,
    is_new_part: bool,
    unknown_count: u64,
    first_unknown: Option<String>,
}

/// Of the name of an entry, as it is written, and its method.
pub(super) fn fingerprint(name: &[u8], method: u16) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(name);
    hasher.write_u16(method);
    hasher.finish()
}

impl Directory {
    /// An entry that was read.
    pub(super) fn add_local(&mut self, offset: u64, fingerprint: u64) {
        if self.locals.is_empty() {
            self.starts = [offset; 2];
        } else if self.is_new_part {
            self.starts[1] = offset;
        }
        self.is_new_part = false;
        self.locals.push(Local { offset, fingerprint, listed_in: 0 });
    }

    /// A directory begins: where there are several, the last one counts.
    pub(super) fn begin(&mut self) {
        self.number = self.number.saturating_add(1);
        (self.shift, self.unknown_count, self.first_unknown) = (None, 0, None);
        self.is_new_part = true;
    }

    /// An entry of the directory.
    pub(super) fn list(&mut self, record: &[u8]) {
        let number = |at| zip::u16_at(record, at).unwrap_or_default();
        let name_end = CENTRAL_BYTES + usize::from(number(28));
        let name = record.get(CENTRAL_BYTES..name_end).unwrap_or_default();
        let extra = record.get(name_end..name_end + usize::from(number(30))).unwrap_or_default();
        let offset = zip::offset_of(record, extra);
        let fingerprint = fingerprint(name, number(10));
        let shifts = match self.shift {
            Some(shift) => [Some(shift), None, None],
            // The last part first: what stands before it may be an older form of the same.
            None => [Some(self.starts[1]), Some(self.starts[0]), Some(0)],
        };
        for shift in shifts.into_iter().flatten() {
            let wanted = offset.wrapping_add(shift);
            if let Ok(at) = self.locals.binary_search_by_key(&wanted, |local| local.offset)
                && self.locals[at].fingerprint == fingerprint
            {
                self.locals[at].listed_in = self.number;
                self.shift = Some(shift);
                return;
            }
        }
        self.unknown_count += 1;
        self.first_unknown.get_or_insert_with(|| String::from_utf8_lossy(name).into_owned());
    }

    /// How many entries the directory does not list, with the place of the first one.
    pub(super) fn unlisted(&self) -> Option<(u64, usize)> {
        let mut unlisted = self.locals.iter().filter(|local| local.listed_in != self.number);
        let first = unlisted.next()?.offset;
        Some((first, unlisted.count() + 1))
    }

    /// How many entries of the directory were not where it says, with the name of the first one.
    pub(super) fn unknown(&self) -> Option<(&str, u64)> {
        self.first_unknown.as_deref().map(|name| (name, self.unknown_count))
    }
}
