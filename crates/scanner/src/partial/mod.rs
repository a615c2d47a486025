//! Layers of registries that are read in parts: the table of contents first, then the bytes of the files that are looked into.
//!
//! A whole layer is held against its digest and its diff id; a part of one is held against neither. What is left is a chain from the
//! manifest: it names the digest of the table, and the table has a checksum of each content. So nobody between the pusher and
//! here can change anything, but the pusher himself can: his table may leave out a file that the archive has, or list one with
//! other content, and a runtime that unpacks the archive runs what no scan has seen. That is why this is off until somebody
//! asks for it, why each such layer is told in the inventory, and why nothing of it goes into the layer cache.
//!
//! Two kinds of trouble are kept apart. A layer that cannot be read in parts (no ranges, no table, one that is not understood, or
//! too much that is wanted, a registry that stops sending them in the middle) is read as a whole, which checks more, not less. But bytes whose digest somebody has stated and that
//! have another one are an error, as they are in a whole layer: the registry or the pusher says something false, and
//! reading on in another way would hide that.

mod fetch;
mod reading;
mod transfer;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use image_layers::{ImageLimits, PlanLimits, TocLimits, ZstdChunkedPosition};
use model::{Diagnostic, DiagnosticCode, Digest, Inventory};

use crate::open::LayerPlace;

const ESTARGZ_TOC_DIGEST: &str = "containerd.io/snapshot/stargz/toc.digest";
/// The name of today, and the one of releases up to 2023 and of nerdctl.
const ZSTD_CHUNKED_PREFIXES: [&str; 2] =
    ["io.github.containers.zstd-chunked.", "io.containers.zstd-chunked."];
/// Smaller layers are had as a whole before an answer about a part is there.
const LAYER_BYTES_MIN: u64 = 64 << 10;
/// When more of a layer is wanted, it is read as a whole.
const SHARE_PERCENT_MAX: u64 = 60;

/// What the manifest says about the table of contents of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TocPlace {
    /// The last bytes of the layer tell where it is.
    Estargz {
        /// Of its document.
        digest: Digest,
    },
    ZstdChunked {
        /// Of its compressed bytes.
        digest: Digest,
        position: ZstdChunkedPosition,
    },
}

impl TocPlace {
    /// Reads the annotations of a layer; `None` where they name no table, or none that is known here.
    pub(crate) fn parse(annotations: &BTreeMap<String, String>) -> Option<Self> {
        for prefix in ZSTD_CHUNKED_PREFIXES {
            let find = |name: &str| annotations.get(&format!("{prefix}{name}"));
            if let (Some(digest), Some(position)) = (find("manifest-checksum"), find("manifest-position"))
                && let (Ok(digest), Some(position)) = (digest.parse(), ZstdChunkedPosition::parse(position))
            {
                return Some(Self::ZstdChunked { digest, position });
            }
        }
        let digest = annotations.get(ESTARGZ_TOC_DIGEST)?.parse().ok()?;
        Some(Self::Estargz { digest })
    }
}

/// While a table is read, its document and what is made of it are held besides what the image holds.
fn toc_limits(limits: &ImageLimits) -> TocLimits {
    /// What an entry takes as it is written and as it is kept.
    const ENTRY_BYTES: u64 = 320;
    let TocLimits { packed_bytes_max, document_bytes_max, entries_max, zstd_window_log_max } =
        TocLimits::default();
    let share = limits.held_bytes_max / 8;
    TocLimits {
        packed_bytes_max: packed_bytes_max.min(share),
        document_bytes_max: document_bytes_max.min(share),
        entries_max: entries_max.min(share / ENTRY_BYTES),
        zstd_window_log_max: zstd_window_log_max.min(limits.zstd_window_log_max),
    }
}

/// A request is worth about as much as these bytes.
fn plan_limits() -> PlanLimits {
    PlanLimits { gap_bytes_max: 32 << 10, ranges_max: 64 }
}

/// Which layers of one image were read in parts, and how many bytes of each were fetched.
#[derive(Debug, Default)]
pub(crate) struct PartsRead {
    layers: Mutex<BTreeMap<usize, u64>>,
    are_lost: AtomicBool,
}

impl PartsRead {
    pub(crate) fn contains(&self, layer_index: usize) -> bool {
        self.layers.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&layer_index)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.layers.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// More of a layer is wanted that was read in parts, and cannot be had in parts any more.
    fn lose(&self) {
        self.are_lost.store(true, Ordering::Relaxed);
    }

    /// Whether that is why reading ended.
    pub(crate) fn are_lost(&self) -> bool {
        self.are_lost.load(Ordering::Relaxed)
    }

    fn add(&self, layer_index: usize, bytes: u64) {
        let mut layers = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        *layers.entry(layer_index).or_default() += bytes;
    }

    /// Tells of each in the inventory.
    pub(crate) fn tell(&self, places: &[LayerPlace], inventory: &mut Inventory) {
        let layers = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        if layers.is_empty() {
            return;
        }
        for (index, bytes) in layers.iter() {
            let Some(place) = places.get(*index) else { continue };
            inventory.diagnostics.push(Diagnostic {
                code: DiagnosticCode::LayerReadInParts,
                subject: place.name(),
                offset: None,
                message: format!(
                    "layer {} was read in parts: {bytes} of {} bytes; held against its table of contents, not against its digest",
                    index + 1,
                    place.size
                ),
            });
        }
        inventory.diagnostics.sort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_take_a_share_of_the_memory_of_an_image() {
        let defaults = || (ImageLimits::default(), TocLimits::default());
        assert_eq!(toc_limits(&defaults().0), defaults().1);
        let small = ImageLimits { held_bytes_max: 64 << 20, zstd_window_log_max: 23, ..defaults().0 };
        let expected = TocLimits {
            packed_bytes_max: 8 << 20,
            document_bytes_max: 8 << 20,
            entries_max: 26_214,
            zstd_window_log_max: 23,
        };
        assert_eq!(toc_limits(&small), expected);
        let large = ImageLimits { held_bytes_max: u64::MAX, zstd_window_log_max: 31, ..defaults().0 };
        assert_eq!(toc_limits(&large), defaults().1);
    }

    #[test]
    fn annotations_name_a_table_or_none() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let parse = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            TocPlace::parse(&pairs.collect())
        };
        let estargz = parse(&[(ESTARGZ_TOC_DIGEST, &digest)]);
        assert_eq!(estargz, Some(TocPlace::Estargz { digest: digest.parse().unwrap() }));
        assert_eq!(parse(&[(ESTARGZ_TOC_DIGEST, "sha256:1")]), None);
        assert_eq!(parse(&[]), None);
        for prefix in ZSTD_CHUNKED_PREFIXES {
            let (checksum, position) =
                (format!("{prefix}manifest-checksum"), format!("{prefix}manifest-position"));
            let found = parse(&[(&checksum, &digest), (&position, "10:20:30:1")]);
            assert!(matches!(found, Some(TocPlace::ZstdChunked { .. })), "{found:?}");
            for bad in
                ["10:20:30:2", "10:20:30", "10:20:30:1:5", "+1:20:30:1", "", "99999999999999999999:1:1:1"]
            {
                assert_eq!(parse(&[(&checksum, &digest), (&position, bad)]), None, "{bad}");
            }
            assert_eq!(parse(&[(&checksum, &digest)]), None);
        }
    }
}
