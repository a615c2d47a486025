//! Why a layer was not read.

use std::io;

use model::Digest;

use crate::{Compression, LimitBreach};

/// Why a layer was not read. `layer` is the digest the layer was asked for by, or `unnamed`.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// The layer is larger than allowed in some way.
    #[error("layer `{layer}` has {breach}")]
    Limit {
        /// The layer.
        layer: String,
        /// Which limit, and the value.
        breach: LimitBreach,
    },
    /// The bytes as transported are not the ones that were asked for.
    #[error("layer `{expected}` has digest `{actual}`")]
    DigestMismatch {
        /// What was asked for.
        expected: Digest,
        /// What came.
        actual: Digest,
    },
    /// The unpacked bytes are not the ones that the image configuration names.
    #[error("layer `{layer}` has diff id `{actual}`, the image configuration says `{expected}`")]
    DiffIdMismatch {
        /// The layer.
        layer: String,
        /// What the configuration says.
        expected: Digest,
        /// What the bytes say.
        actual: Digest,
    },
    /// A part of a file is not what the layer's table of contents says.
    #[error(
        "part of `{path}` in layer `{layer}` has digest `{actual}`, its table of contents says `{expected}`"
    )]
    PartMismatch {
        /// The layer.
        layer: String,
        /// The file.
        path: Box<str>,
        /// What the table of contents says.
        expected: Box<Digest>,
        /// What came.
        actual: Box<Digest>,
    },
    /// The media type says one compression and the bytes say another.
    #[error("layer `{layer}` is {found}, its media type says {declared}")]
    WrongCompression {
        /// The layer.
        layer: String,
        /// What was declared.
        declared: Compression,
        /// What the first bytes say.
        found: Compression,
    },
    /// The layer ends in the middle of something.
    #[error("layer `{layer}` ends too early, after {offset} unpacked bytes")]
    Truncated {
        /// The layer.
        layer: String,
        /// How far it could be unpacked.
        offset: u64,
    },
    /// The compressed data is damaged.
    #[error("layer `{layer}` is not valid {compression} data after {offset} unpacked bytes")]
    BadCompression {
        /// The layer.
        layer: String,
        /// How it was being read.
        compression: Compression,
        /// How far it could be unpacked.
        offset: u64,
        /// What the decoder says.
        #[source]
        source: io::Error,
    },
    /// The unpacked bytes are not a tar archive, or one that no container runtime would unpack.
    #[error("layer `{layer}` is not a valid tar archive at byte {offset}: {problem}")]
    BadArchive {
        /// The layer.
        layer: String,
        /// Offset in the unpacked bytes.
        offset: u64,
        /// What is wrong there.
        problem: &'static str,
    },
    /// The reader that delivers the layer failed.
    #[error("layer `{layer}` could not be read to its end")]
    Source {
        /// The layer.
        layer: String,
        /// The reader's own error.
        #[source]
        source: io::Error,
    },
}

/// An error of the caller's reader, marked so that it is not taken for damaged data.
#[derive(Debug, thiserror::Error)]
#[error("reader failed")]
pub(crate) struct SourceFailure(#[source] pub(crate) io::Error);
