//! zstd:chunked: a zstd layer in which every content is a frame of its own, with the table of contents in a frame that decoders
//! skip.

use model::Digest;

use super::{Toc, TocError, TocLimits, build, check_digest, document, inflate};
use crate::Compression;
use crate::inflate::open_zstd;
use crate::limits;
use crate::pax::parse_decimal;

/// So many bytes before the table are the header of its frame.
pub const ZSTD_CHUNKED_HEADER_BYTES: u64 = 8;
/// The only kind of table: a document like that of eStargz.
const TOC_TYPE: &str = "1";

/// Where the table lies, as the manifest says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZstdChunkedPosition {
    /// Of its first byte in the layer.
    pub offset: u64,
    /// Its bytes.
    pub packed_bytes: u64,
    /// Bytes of its document.
    pub document_bytes: u64,
}

impl ZstdChunkedPosition {
    /// Reads `offset:compressed:uncompressed:type`, all decimal; `None` for everything else.
    pub fn parse(text: &str) -> Option<Self> {
        let number = |part: &str| parse_decimal(part.as_bytes());
        let mut parts = text.split(':');
        let (offset, packed_bytes) = (number(parts.next()?)?, number(parts.next()?)?);
        let document_bytes = number(parts.next()?)?;
        let is_known = parts.next() == Some(TOC_TYPE) && parts.next().is_none();
        is_known.then_some(Self { offset, packed_bytes, document_bytes })
    }
}

/// Reads the table of a layer: the bytes of its frame, header included.
///
/// Shape:  header of a skippable frame (magic and length, little-endian), then a zstd stream of a JSON document.
/// Limits: all of `limits`.
/// Errors: all of [`TocError`]. Without such a header where the manifest says there is one, the layer was compressed anew and its
///         annotations are old: `Unusable`. With one, other bytes than the manifest names are a `DigestMismatch`.
/// Source: containers/storage, `docs/containers-storage-zstd-chunked.md`, read 2026-11; annotations of the OCI manifest.
pub fn read_zstd_chunked_toc(
    frame: &[u8],
    position: &ZstdChunkedPosition,
    expected: &Digest,
    limits: &TocLimits,
) -> Result<Toc, TocError> {
    limits.check_packed(frame)?;
    limits::check("inflated bytes", position.document_bytes, limits.document_bytes_max)
        .map_err(TocError::Limit)?;
    let [kind, 0x2a, 0x4d, 0x18, first, second, third, fourth, packed @ ..] = frame else {
        return Err(TocError::Unusable("it is not where the manifest says"));
    };
    let length = u32::from_le_bytes([*first, *second, *third, *fourth]);
    let is_framed = *kind >> 4 == 5 && u64::from(length) == position.packed_bytes;
    if !is_framed || packed.len() as u64 != position.packed_bytes {
        return Err(TocError::Unusable("it is not where the manifest says"));
    }
    check_digest(packed, expected)?;
    let not_zstd = TocError::Unusable("it is not zstd");
    let Ok(decoder) = open_zstd(packed, limits.zstd_window_log_max) else { return Err(not_zstd) };
    let json = inflate(decoder, position.document_bytes, not_zstd)?;
    let entries = document::parse(&json, limits.entries_max)?;
    drop(json);
    let data_end = position.offset.saturating_sub(ZSTD_CHUNKED_HEADER_BYTES);
    build::build(entries, Compression::Zstd, data_end)
}
