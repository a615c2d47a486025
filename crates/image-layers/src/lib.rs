//! Layer archives in, one read-only [`ImageTree`] out.
//!
//! [`read_layer`] streams one archive a single time: it verifies both digests, keeps the bodies of the files that the caller
//! wants and an index of everything else. [`squash`] lays the layers over each other the way a container runtime unpacks them.
//! Nothing is written to disk, and every length that an archive may choose is held against [`ImageLimits`].
//!
//! The text of paths has no leading slash and no `.` or `..`: `var/lib/dpkg/status`. Bytes that are not UTF-8 are shown as `\xHH`.

mod collector;
mod compression;
mod counting;
mod error;
mod extract;
mod facts;
mod finish;
mod hashing;
mod header;
mod inflate;
mod item;
mod layer;
mod limited_reader;
mod limits;
mod merge;
mod path;
mod pax;
mod record;
mod renamed;
mod sort;
mod sparse;
mod squash;
mod stream;
mod tar_stream;
mod toc;
mod tree;

#[cfg(test)]
mod tests;

pub use compression::{Compression, UnknownMediaType};
pub use error::LayerError;
pub use extract::{FileExtractor, FileStart};
pub use facts::FACTS_VERSION;
pub use layer::{Layer, LayerInput, LayerReaders, read_layer, read_layer_with};
pub use limited_reader::{LimitedReader, ReadAllError};
pub use limits::{ImageLimits, LimitBreach, ReadBudget};
pub use record::{Attributes, ContentId, FileObserver, FileWishes};
pub use squash::{squash, squash_tracing};
pub use toc::{
    ESTARGZ_FOOTER_BYTES, PartPlan, PartsInput, PlanLimits, Toc, TocError, TocLimits,
    ZSTD_CHUNKED_HEADER_BYTES, ZstdChunkedPosition, estargz_toc_offset, read_estargz_toc,
    read_layer_in_parts, read_zstd_chunked_toc,
};
pub use tree::{Body, Entry, EntryKind, FindError, ImageTree, MissingBody};
