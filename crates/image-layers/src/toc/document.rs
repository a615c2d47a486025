//! The JSON document of a table of contents, which both forms share but for a few fields.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::TocError;
use crate::limits::{self, LimitBreach};

/// One entry as it is written. What has no meaning here (times, names of owners, attributes, devices) is passed over.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawEntry {
    pub(super) name: Box<str>,
    #[serde(rename = "type")]
    pub(super) kind: RawKind,
    #[serde(default)]
    pub(super) link_name: Box<str>,
    #[serde(default)]
    pub(super) size: u64,
    #[serde(default)]
    pub(super) mode: u64,
    #[serde(default)]
    pub(super) uid: u64,
    #[serde(default)]
    pub(super) gid: u64,
    #[serde(default)]
    pub(super) digest: Option<Box<str>>,
    /// Of the compressed bytes of the chunk, or of the stream that it is in.
    #[serde(default)]
    pub(super) offset: u64,
    /// Behind the compressed bytes of the whole file.
    #[serde(default)]
    pub(super) end_offset: Option<u64>,
    /// In the inflated bytes.
    #[serde(default)]
    pub(super) inner_offset: u64,
    /// In the file.
    #[serde(default)]
    pub(super) chunk_offset: u64,
    /// Zero: up to the next chunk or the end of the file.
    #[serde(default)]
    pub(super) chunk_size: u64,
    #[serde(default)]
    pub(super) chunk_digest: Option<Box<str>>,
    #[serde(default)]
    pub(super) chunk_type: Option<RawChunkType>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawKind {
    Dir,
    Reg,
    Symlink,
    Hardlink,
    Char,
    Block,
    Fifo,
    /// A further piece of the file before it.
    Chunk,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawChunkType {
    #[serde(rename = "")]
    Data,
    Zeros,
}

/// Reads the document.
///
/// Shape:  JSON, `{"version": 1, "entries": [{"name": …, "type": …}, …]}`, the entries in the order of the archive.
/// Limits: entries; room is made as they come. The caller bounds the bytes.
/// Errors: `Limit`, `BadDocument`, and `Unusable` for another version.
pub(super) fn parse(json: &[u8], entries_max: u64) -> Result<Vec<RawEntry>, TocError> {
    let mut breach = None;
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let seed = DocumentSeed { entries_max, breach: &mut breach };
    let parsed = seed
        .deserialize(&mut deserializer)
        .and_then(|document| deserializer.end().map(|()| document))
        .map_err(|error| (error.line(), error.column()));
    match (parsed, breach) {
        (_, Some(breach)) => Err(TocError::Limit(breach)),
        (Err((line, column)), None) => Err(TocError::BadDocument { line, column }),
        (Ok(Document { version: Some(1), entries: Some(entries) }), None) => Ok(entries),
        (Ok(_), None) => Err(TocError::Unusable("it has no entries, or another version than 1")),
    }
}

#[derive(Default)]
struct Document {
    version: Option<u64>,
    entries: Option<Vec<RawEntry>>,
}

struct DocumentSeed<'a> {
    entries_max: u64,
    breach: &'a mut Option<LimitBreach>,
}

impl<'de> DeserializeSeed<'de> for DocumentSeed<'_> {
    type Value = Document;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Document, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for DocumentSeed<'_> {
    type Value = Document;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a table of contents")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document, A::Error> {
        let mut document = Document::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "version" if document.version.is_none() => document.version = Some(map.next_value()?),
                "entries" if document.entries.is_none() => {
                    let seed = EntriesSeed { entries_max: self.entries_max, breach: self.breach };
                    document.entries = Some(map.next_value_seed(seed)?);
                }
                "version" | "entries" => return Err(serde::de::Error::custom("key twice")),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(document)
    }
}

struct EntriesSeed<'a> {
    entries_max: u64,
    breach: &'a mut Option<LimitBreach>,
}

impl<'de> DeserializeSeed<'de> for EntriesSeed<'_> {
    type Value = Vec<RawEntry>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for EntriesSeed<'_> {
    type Value = Vec<RawEntry>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of entries")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(entry) = entries.next_element()? {
            if let Err(breach) = limits::check("entries", list.len() as u64 + 1, self.entries_max) {
                *self.breach = Some(breach);
                return Err(serde::de::Error::custom("too many entries"));
            }
            list.push(entry);
        }
        Ok(list)
    }
}
