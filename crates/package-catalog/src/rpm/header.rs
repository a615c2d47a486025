//! The header of a package, as every form of the database holds it.

use std::collections::BTreeMap;

/// The number of a field.
pub(super) type Tag = u32;

/// The tags that are read.
pub(super) mod tag {
    use super::Tag;
    pub(crate) const NAME: Tag = 1000;
    pub(crate) const VERSION: Tag = 1001;
    pub(crate) const RELEASE: Tag = 1002;
    pub(crate) const EPOCH: Tag = 1003;
    pub(crate) const SIZE: Tag = 1009;
    pub(crate) const VENDOR: Tag = 1011;
    pub(crate) const LICENSE: Tag = 1014;
    pub(crate) const ARCHITECTURE: Tag = 1022;
    pub(crate) const WHOLE_FILE_NAMES: Tag = 1027;
    pub(crate) const FILE_SIZES: Tag = 1028;
    pub(crate) const FILE_STATES: Tag = 1029;
    pub(crate) const FILE_MODES: Tag = 1030;
    pub(crate) const FILE_DIGESTS: Tag = 1035;
    pub(crate) const FILE_FLAGS: Tag = 1037;
    pub(crate) const SOURCE_RPM: Tag = 1044;
    pub(crate) const FOLDER_INDEXES: Tag = 1116;
    pub(crate) const BASE_NAMES: Tag = 1117;
    pub(crate) const FOLDER_NAMES: Tag = 1118;
    pub(crate) const LONG_FILE_SIZES: Tag = 5008;
    pub(crate) const LONG_SIZE: Tag = 5009;
    pub(crate) const FILE_DIGEST_ALGORITHM: Tag = 5011;
    pub(crate) const MODULARITY_LABEL: Tag = 5096;
    pub(super) const ALL: [Tag; 22] = [
        NAME,
        VERSION,
        RELEASE,
        EPOCH,
        SIZE,
        VENDOR,
        LICENSE,
        ARCHITECTURE,
        WHOLE_FILE_NAMES,
        FILE_SIZES,
        FILE_STATES,
        FILE_MODES,
        FILE_DIGESTS,
        FILE_FLAGS,
        SOURCE_RPM,
        FOLDER_INDEXES,
        BASE_NAMES,
        FOLDER_NAMES,
        LONG_FILE_SIZES,
        LONG_SIZE,
        FILE_DIGEST_ALGORITHM,
        MODULARITY_LABEL,
    ];
}

const INDEX_ENTRY_BYTES: usize = 16;
/// What rpm itself accepts.
const ENTRIES_MAX: usize = 0xffff;

/// Why a header cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum HeaderError {
    #[error("it has {0} bytes, which is less than its two lengths")]
    NoLengths(usize),
    #[error("it has {entries} entries (limit {ENTRIES_MAX})")]
    TooManyEntries { entries: usize },
    #[error("it says that it has {stated} bytes, and has {actual}")]
    TooShort { stated: usize, actual: usize },
}

/// The fields of one package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header<'a> {
    fields: BTreeMap<Tag, Field>,
    data: &'a [u8],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Field {
    kind: u32,
    offset: usize,
    count: usize,
}

const CHAR: u32 = 1;
const INT8: u32 = 2;
const INT16: u32 = 3;
const INT32: u32 = 4;
const INT64: u32 = 5;
const STRING: u32 = 6;
const STRING_ARRAY: u32 = 8;
const TRANSLATED_STRING: u32 = 9;

impl<'a> Header<'a> {
    /// Parses a header.
    ///
    /// Shape:  big-endian: number of entries and bytes of data, 32 bits each; entries of tag, type, offset into the data and
    ///         count, 32 bits each; the data. Text ends with a zero byte. An entry that comes later replaces an earlier one of
    ///         the same tag: what was added at installation stands behind the part that is signed.
    /// Limits: `ENTRIES_MAX`; the bytes are bounded by the caller.
    /// Errors: [`HeaderError`]. A field that lies outside of the data is absent.
    /// Source: rpm.org, "Package format V4", lib/header.c of rpm 4.18.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, HeaderError> {
        let number = |offset| integer(bytes, offset, 4).and_then(|number| usize::try_from(number).ok());
        let (Some(entries), Some(data_bytes)) = (number(0), number(4)) else {
            return Err(HeaderError::NoLengths(bytes.len()));
        };
        if entries > ENTRIES_MAX {
            return Err(HeaderError::TooManyEntries { entries });
        }
        let data_start = 8 + entries * INDEX_ENTRY_BYTES;
        let stated = data_start.saturating_add(data_bytes);
        let Some(data) = bytes.get(data_start..stated) else {
            return Err(HeaderError::TooShort { stated, actual: bytes.len() });
        };
        let mut fields = BTreeMap::new();
        for entry in bytes[8..data_start].chunks_exact(INDEX_ENTRY_BYTES) {
            let word = |index: usize| u32::from_be_bytes([0, 1, 2, 3].map(|byte| entry[4 * index + byte]));
            let (Ok(offset), Ok(count)) = (usize::try_from(word(2)), usize::try_from(word(3))) else {
                continue;
            };
            if tag::ALL.contains(&word(0)) && offset < data.len() {
                fields.insert(word(0), Field { kind: word(1), offset, count });
            }
        }
        Ok(Self { fields, data })
    }

    /// The bytes of a text; of a list or of translations the first.
    pub(super) fn text(&self, tag: Tag) -> Option<&'a [u8]> {
        let field = self.fields.get(&tag)?;
        let is_text = matches!(field.kind, STRING | STRING_ARRAY | TRANSLATED_STRING);
        (is_text && field.count > 0).then(|| until_zero(&self.data[field.offset..])).flatten()
    }

    /// All texts of a list; it ends where the data does.
    pub(super) fn texts(&self, tag: Tag) -> Texts<'a> {
        let none = Texts { rest: &[], left: 0 };
        self.fields.get(&tag).map_or(none, |field| match field.kind {
            STRING | STRING_ARRAY | TRANSLATED_STRING => {
                Texts { rest: &self.data[field.offset..], left: field.count }
            }
            _ => none,
        })
    }

    /// The number at a place of a list of numbers of any width, taken as unsigned.
    pub(super) fn number(&self, tag: Tag, index: usize) -> Option<u64> {
        let field = self.fields.get(&tag).filter(|field| index < field.count)?;
        let width = match field.kind {
            CHAR | INT8 => 1,
            INT16 => 2,
            INT32 => 4,
            INT64 => 8,
            _ => return None,
        };
        integer(self.data, field.offset.checked_add(index.checked_mul(width)?)?, width)
    }

    /// Whether there is such a field.
    pub(super) fn has(&self, tag: Tag) -> bool {
        self.fields.contains_key(&tag)
    }
}

/// The texts of a list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Texts<'a> {
    rest: &'a [u8],
    left: usize,
}

impl<'a> Iterator for Texts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.left = self.left.checked_sub(1)?;
        let text = until_zero(self.rest)?;
        self.rest = &self.rest[text.len() + 1..];
        Some(text)
    }
}

fn until_zero(bytes: &[u8]) -> Option<&[u8]> {
    bytes.iter().position(|byte| *byte == 0).map(|end| &bytes[..end])
}

fn integer(bytes: &[u8], offset: usize, width: usize) -> Option<u64> {
    let bytes = bytes.get(offset..offset.checked_add(width)?)?;
    Some(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}
