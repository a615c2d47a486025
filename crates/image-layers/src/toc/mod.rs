//! Tables of contents of layers: which members a layer has and where in its compressed bytes their contents lie, so that a layer
//! can be read without all of it.
//!
//! Such a table is what whoever pushed the image says about the layer. A runtime that unpacks the layer never looks into it. What
//! is read by it is therefore never a verified layer: contents are held against the checksums of the table, and the table against
//! its digest in the manifest, but nothing tells whether the archive has these members and no others.

mod build;
mod document;
mod estargz;
mod parts;
mod plan;
mod source;
#[cfg(test)]
mod tests;
mod zstd_chunked;

use std::io::Read;
use std::ops::Range;

use model::Digest;

pub use estargz::{ESTARGZ_FOOTER_BYTES, estargz_toc_offset, read_estargz_toc};
pub use parts::{PartsInput, read_layer_in_parts};
pub use plan::{PartPlan, PlanLimits};
pub use zstd_chunked::{ZSTD_CHUNKED_HEADER_BYTES, ZstdChunkedPosition, read_zstd_chunked_toc};

use crate::hashing::Hasher;
use crate::limits;
use crate::tar_stream::{Member, MemberKind};
use crate::{Compression, LimitBreach, LimitedReader, ReadAllError};

/// What a table of contents may cost. Every value is the largest that is still accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TocLimits {
    /// Bytes of the table as it is transported.
    pub packed_bytes_max: u64,
    /// Bytes of its JSON document.
    pub document_bytes_max: u64,
    /// Its entries, of which a file may have many.
    pub entries_max: u64,
    /// Base-two logarithm of the window that a zstd frame may ask for.
    pub zstd_window_log_max: u32,
}

impl Default for TocLimits {
    /// Room for layers with some hundred thousand files; more is read as a whole.
    fn default() -> Self {
        const MIB: u64 = 1 << 20;
        Self {
            packed_bytes_max: 16 * MIB,
            document_bytes_max: 96 * MIB,
            entries_max: 400_000,
            zstd_window_log_max: 27,
        }
    }
}

impl TocLimits {
    fn check_packed(&self, packed: &[u8]) -> Result<(), TocError> {
        let checked = limits::check("compressed bytes", packed.len() as u64, self.packed_bytes_max);
        checked.map_err(TocError::Limit)
    }
}

fn check_digest(bytes: &[u8], expected: &Digest) -> Result<(), TocError> {
    let mut hasher = Hasher::for_digest(Some(expected));
    hasher.update(bytes);
    let actual = hasher.finish();
    if actual == *expected {
        return Ok(());
    }
    Err(TocError::DigestMismatch { expected: expected.clone(), actual })
}

/// Inflates all there is; `broken` is the error when that cannot be done.
fn inflate(decoder: impl Read, bytes_max: u64, broken: TocError) -> Result<Vec<u8>, TocError> {
    LimitedReader::new(decoder, "inflated bytes", bytes_max).read_all().map_err(|error| match error {
        ReadAllError::Limit(breach) => TocError::Limit(breach),
        ReadAllError::Io(_) => broken,
    })
}

/// Why a layer cannot be read by its table of contents.
#[derive(Debug, thiserror::Error)]
pub enum TocError {
    /// The table is larger than allowed in some way.
    #[error("table of contents has {0}")]
    Limit(LimitBreach),
    /// There is none, or it does not describe the layer in a way that can be followed.
    #[error("table of contents cannot be used: {0}")]
    Unusable(&'static str),
    /// It is not the JSON document that it should be.
    #[error("table of contents is not understood at line {line}, column {column}")]
    BadDocument {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// It is not the table that the manifest names.
    #[error("table of contents has digest `{actual}`, the manifest says `{expected}`")]
    DigestMismatch {
        /// What the manifest says.
        expected: Digest,
        /// What came.
        actual: Digest,
    },
}

/// A SHA-256.
type Checksum = [u8; 32];

/// The table of contents of a layer, checked in itself: the contents of its members lie one behind the other.
#[derive(Debug, Clone)]
pub struct Toc {
    compression: Compression,
    /// In the order of the archive.
    entries: Vec<TocEntry>,
    /// Of all files, in the order of their places.
    chunks: Vec<Chunk>,
}

/// A member of the archive.
#[derive(Debug, Clone)]
struct TocEntry {
    name: Box<str>,
    link: Box<str>,
    kind: MemberKind,
    size: u64,
    mode: u32,
    user_id: u64,
    group_id: u64,
    /// Indexes of its chunks; none where the content is empty or not known.
    chunks: Range<u32>,
}

impl TocEntry {
    fn fill(&self, member: &mut Member) {
        let Member { path, link, kind, size, file_size, segments, mode, user_id, group_id } = member;
        path.clear();
        path.extend_from_slice(self.name.as_bytes());
        link.clear();
        link.extend_from_slice(self.link.as_bytes());
        segments.clear();
        (*kind, *size, *file_size) = (self.kind, self.size, self.size);
        (*mode, *user_id, *group_id) = (self.mode, self.user_id, self.group_id);
    }

    fn chunk_range(&self) -> Range<usize> {
        self.chunks.start as usize..self.chunks.end as usize
    }
}

/// A piece of a file.
#[derive(Debug, Clone)]
struct Chunk {
    /// `None`: it is nothing but zeros.
    place: Option<Place>,
    size: u64,
    checksum: Checksum,
}

/// Where a chunk begins.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    /// The bytes of the layer that have to be inflated.
    packed: Range<u64>,
    /// So many inflated bytes come before it.
    inner: u64,
}
