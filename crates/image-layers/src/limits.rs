//! What an image may cost, and what it has cost so far.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::item::Item;

/// The longest path that the index can hold whatever the limits say: lengths are stored in 16 bits.
pub(crate) const PATH_BYTES_CEILING: u64 = u16::MAX as u64;

/// What one entry takes: while layers are laid over each other, the old tree and the new one are there.
const ENTRY_BYTES: u64 = 2 * size_of::<Item>() as u64;

/// Limits for reading one image. Every value is the largest that is still accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageLimits {
    /// Bytes of one layer as it is transported.
    pub layer_bytes_max: u64,
    /// Bytes of all layers together after decompression.
    pub unpacked_bytes_max: u64,
    /// Entries of all layers together, folders that only appear inside paths included.
    pub entries_max: u64,
    /// Bytes of one path or link target; never more than 65 535.
    pub path_bytes_max: u64,
    /// Bytes of all paths and link targets together.
    pub index_bytes_max: u64,
    /// How many times larger than its compressed form a layer may become.
    pub ratio_max: u64,
    /// So many unpacked bytes of a layer are accepted at any ratio: short runs of zeros compress very well.
    pub ratio_free_bytes: u64,
    /// Components of one path.
    pub nesting_max: u64,
    /// Bytes of one wanted file. A larger one is [`crate::Body::TooLarge`], a fact and not an error.
    pub file_bytes_max: u64,
    /// Bytes of all wanted files together.
    pub kept_bytes_max: u64,
    /// Bytes that paths, link targets, entries and wanted files of all layers take in memory together.
    pub held_bytes_max: u64,
    /// Bytes of one extension header (pax records, GNU long name).
    pub extension_bytes_max: u64,
    /// Base-two logarithm of the window that a zstd frame may ask for.
    pub zstd_window_log_max: u32,
}

impl Default for ImageLimits {
    /// Room for the largest images in public registries; far below what would exhaust a usual machine.
    fn default() -> Self {
        const MIB: u64 = 1 << 20;
        Self {
            layer_bytes_max: 16 * 1024 * MIB,
            unpacked_bytes_max: 64 * 1024 * MIB,
            entries_max: 2_000_000,
            path_bytes_max: 4096,
            index_bytes_max: 256 * MIB,
            ratio_max: 500,
            ratio_free_bytes: 256 * MIB,
            nesting_max: 256,
            file_bytes_max: 128 * MIB,
            kept_bytes_max: 256 * MIB,
            held_bytes_max: 1024 * MIB,
            extension_bytes_max: MIB,
            zstd_window_log_max: 27,
        }
    }
}

impl ImageLimits {
    /// The same limits with what `budget` has left of the memory, for what is read besides what is held already.
    #[must_use]
    pub fn left_by(&self, budget: &ReadBudget) -> Self {
        Self {
            kept_bytes_max: self.kept_bytes_max.saturating_sub(budget.kept_bytes()),
            held_bytes_max: self.held_bytes_max.saturating_sub(budget.held_bytes()),
            ..self.clone()
        }
    }
}

/// A limit was passed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value} {limit} (limit {maximum}){}", self.place())]
pub struct LimitBreach {
    /// Name of the limit, as a plural noun: `entries`.
    pub limit: &'static str,
    /// The value that was reached when reading stopped; the whole input may be larger.
    pub value: u64,
    /// The largest accepted value.
    pub maximum: u64,
    /// The path it is about, where there is one.
    pub path: Option<String>,
}

impl LimitBreach {
    /// The breach inside an error that came out of a [`crate::LimitedReader`].
    pub fn from_io(error: &std::io::Error) -> Option<&Self> {
        error.get_ref().and_then(|inner| inner.downcast_ref())
    }

    pub(crate) fn into_io(self) -> std::io::Error {
        std::io::Error::new(std::io::ErrorKind::InvalidData, self)
    }

    fn place(&self) -> String {
        self.path.as_ref().map(|path| format!(" at `{path}`")).unwrap_or_default()
    }
}

/// Fails when `value` is above `maximum`.
pub(crate) fn check(limit: &'static str, value: u64, maximum: u64) -> Result<(), LimitBreach> {
    if value > maximum { Err(LimitBreach { limit, value, maximum, path: None }) } else { Ok(()) }
}

/// What all layers of one image have cost so far.
///
/// Clones share the same counters, so that layers may be read at the same time.
#[derive(Debug, Clone, Default)]
pub struct ReadBudget {
    spent: Arc<Spent>,
}

#[derive(Debug, Default)]
struct Spent {
    unpacked_bytes: AtomicU64,
    entries: AtomicU64,
    index_bytes: AtomicU64,
    kept_bytes: AtomicU64,
    held_bytes: AtomicU64,
}

impl ReadBudget {
    /// A budget of which nothing is spent.
    pub fn new() -> Self {
        Self::default()
    }

    /// Unpacked bytes of all layers read so far.
    pub fn unpacked_bytes(&self) -> u64 {
        self.spent.unpacked_bytes.load(Ordering::Relaxed)
    }

    /// Entries of all layers read so far.
    pub fn entries(&self) -> u64 {
        self.spent.entries.load(Ordering::Relaxed)
    }

    /// Bytes of the wanted files that are held.
    pub(crate) fn kept_bytes(&self) -> u64 {
        self.spent.kept_bytes.load(Ordering::Relaxed)
    }

    /// Bytes that what was read so far takes in memory.
    pub(crate) fn held_bytes(&self) -> u64 {
        self.spent.held_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn spend_unpacked(&self, bytes: u64, limits: &ImageLimits) -> Result<(), LimitBreach> {
        spend(&self.spent.unpacked_bytes, bytes, "unpacked bytes", limits.unpacked_bytes_max)
    }

    pub(crate) fn spend_entries(&self, count: u64, limits: &ImageLimits) -> Result<(), LimitBreach> {
        spend(&self.spent.entries, count, "entries", limits.entries_max)?;
        self.hold(count.saturating_mul(ENTRY_BYTES), limits)
    }

    pub(crate) fn spend_index(&self, bytes: u64, limits: &ImageLimits) -> Result<(), LimitBreach> {
        spend(&self.spent.index_bytes, bytes, "bytes of paths", limits.index_bytes_max)?;
        self.hold(bytes, limits)
    }

    pub(crate) fn spend_kept(&self, bytes: u64, limits: &ImageLimits) -> Result<(), LimitBreach> {
        spend(&self.spent.kept_bytes, bytes, "bytes of wanted files", limits.kept_bytes_max)?;
        self.hold(bytes, limits)
    }

    fn hold(&self, bytes: u64, limits: &ImageLimits) -> Result<(), LimitBreach> {
        spend(&self.spent.held_bytes, bytes, "bytes in memory", limits.held_bytes_max)
    }
}

fn spend(counter: &AtomicU64, amount: u64, limit: &'static str, maximum: u64) -> Result<(), LimitBreach> {
    let before = counter.fetch_add(amount, Ordering::Relaxed);
    check(limit, before.saturating_add(amount), maximum)
}
