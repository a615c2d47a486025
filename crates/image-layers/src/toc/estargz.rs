//! eStargz: a gzip layer in which every content is a stream of its own and the last member is the table of contents.

use std::ops::Range;

use flate2::bufread::GzDecoder;
use model::Digest;

use super::{Toc, TocEntry, TocError, TocLimits, build, check_digest, document, inflate};
use crate::Compression;
use crate::header::{BLOCK_BYTES, Header};
use crate::tar_stream::MemberKind;

/// So many bytes at the end of the layer say where the table begins.
pub const ESTARGZ_FOOTER_BYTES: u64 = 51;

/// The member of the archive that holds the table.
const TOC_NAME: &str = "stargz.index.json";

/// Where the table begins, by the last bytes of a layer.
///
/// Shape:  an empty gzip stream whose header has a field `SG` of 22 bytes: an offset as 16 hex digits, and `STARGZ`.
/// Result: `None` for everything else, also for the older footer of 47 bytes, whose table nobody names in a manifest.
/// Source: stargz-snapshotter, `docs/estargz.md`, read 2026-11.
pub fn estargz_toc_offset(footer: &[u8]) -> Option<u64> {
    const FIELD: Range<usize> = 16..32;
    let footer: &[u8; 51] = footer.try_into().ok()?;
    let has_header = footer[..4] == [0x1f, 0x8b, 8, 4] && footer[10..16] == [26, 0, b'S', b'G', 22, 0];
    if !has_header || &footer[32..38] != b"STARGZ" {
        return None;
    }
    let digits = str::from_utf8(&footer[FIELD]).ok()?;
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    u64::from_str_radix(digits, 16).ok()
}

/// Reads the table of a layer, the bytes from `toc_offset` to the footer.
///
/// Shape:  gzip of a tar archive with one member, a JSON document.
/// Limits: all of `limits`.
/// Errors: all of [`TocError`]; `DigestMismatch` when the document is not the one that the manifest names.
/// Source: stargz-snapshotter, `docs/estargz.md`, read 2026-11; library 0.19.
pub fn read_estargz_toc(
    packed: &[u8],
    toc_offset: u64,
    expected: &Digest,
    limits: &TocLimits,
) -> Result<Toc, TocError> {
    limits.check_packed(packed)?;
    let archive_max = limits.document_bytes_max.saturating_add(4 * BLOCK_BYTES as u64);
    let archive = inflate(GzDecoder::new(packed), archive_max, TocError::Unusable("it is not gzip"))?;
    let json = find_document(&archive).ok_or(TocError::Unusable("it is not an archive with one document"))?;
    check_digest(json, expected)?;
    let size = json.len() as u64;
    let entries = document::parse(json, limits.entries_max)?;
    drop(archive);
    let mut toc = build::build(entries, Compression::Gzip, toc_offset)?;
    // The table is a file of the image like any other; it does not list itself.
    let chunk_count = toc.entries.last().map_or(0, |entry| entry.chunks.end);
    toc.entries.push(TocEntry {
        name: TOC_NAME.into(),
        link: "".into(),
        kind: MemberKind::File,
        size,
        mode: 0,
        user_id: 0,
        group_id: 0,
        chunks: chunk_count..chunk_count,
    });
    Ok(toc)
}

fn find_document(archive: &[u8]) -> Option<&[u8]> {
    let (block, rest) = archive.split_first_chunk()?;
    let header = Header { block: *block };
    let mut name = Vec::new();
    header.push_path(&mut name);
    if name != TOC_NAME.as_bytes() {
        return None;
    }
    rest.get(..usize::try_from(header.size()?).ok()?)
}
