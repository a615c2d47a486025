//! What an image may cost, and what it has cost so far.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::item::Item;

/// The longest path that the index can hold whatever the limits say: lengths are stored in 16 bits.
pub(crate) const PATH_BYTES_CEILING: u64 = u16::MAX as u64;

/// What one entry takes: while layers are laid over each other, the old tree and the new one are there.
const ENTRY_BYTES: u64 = 2 * size_of::<Item>() as u64;

const UNPACKED_BYTES: &str = "unpacked bytes";
const ENTRIES: &str = "entries";
const PATH_BYTES: &str = "bytes of paths";
const KEPT_BYTES: &str = "bytes of wanted files";
const HELD_BYTES: &str = "bytes in memory";

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

    /// Whether it is about all layers of the image together: then it depends on the order of reading in which one it showed.
    pub fn is_of_image(&self) -> bool {
        [UNPACKED_BYTES, ENTRIES, PATH_BYTES, KEPT_BYTES, HELD_BYTES].contains(&self.limit)
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
    /// What this one and its clones have spent of it, where that may be given back.
    attempt: Option<Arc<Spent>>,
}

/// Of two threads that add to different counters at least one sees the sum of both.
const SUMMED: Ordering = Ordering::SeqCst;

#[derive(Debug, Default)]
struct Spent {
    unpacked_bytes: AtomicU64,
    entries: AtomicU64,
    index_bytes: AtomicU64,
    kept_bytes: AtomicU64,
}

impl ReadBudget {
    /// A budget of which nothing is spent.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same budget for a reading that may turn out to be in vain: [`Self::give_back`] takes back what it has spent.
    pub fn attempt(&self) -> Self {
        Self { spent: Arc::clone(&self.spent), attempt: Some(Arc::default()) }
    }

    /// Nothing of what was read with this budget since [`Self::attempt`] is held any more.
    pub fn give_back(self) {
        let Some(attempt) = self.attempt else { return };
        for (sum, part) in self.spent.counters().into_iter().zip(attempt.counters()) {
            sum.fetch_sub(part.swap(0, Ordering::Relaxed), Ordering::Relaxed);
        }
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
        self.spent.held_bytes()
    }

    pub(crate) fn spend_unpacked(&self, bytes: u64, limits: &ImageLimits) -> Result<(), LimitBreach> {
        self.spend(|spent| &spent.unpacked_bytes, bytes, UNPACKED_BYTES, limits.unpacked_bytes_max)
    }

    pub(crate) fn spend_entries(&self, count: u64, limits: &ImageLimits) -> Result<(), LimitBreach> {
        self.spend(|spent| &spent.entries, count, ENTRIES, limits.entries_max)?;
        self.check_held(limits)
    }

    /// Whether so many entries may come, however long their texts are.
    pub(crate) fn has_room(&self, entries: u64, limits: &ImageLimits) -> bool {
        // A path and a link, of which each byte may become four when it is no text.
        let text = entries.saturating_mul(5 * limits.path_bytes_max.min(PATH_BYTES_CEILING));
        let index_bytes = self.spent.index_bytes.load(SUMMED);
        let held = entries.saturating_mul(ENTRY_BYTES).saturating_add(text);
        self.entries().saturating_add(entries) <= limits.entries_max
            && index_bytes.saturating_add(text) <= limits.index_bytes_max
            && self.held_bytes().saturating_add(held) <= limits.held_bytes_max
    }

    pub(crate) fn spend_index(&self, bytes: u64, limits: &ImageLimits) -> Result<(), LimitBreach> {
        self.spend(|spent| &spent.index_bytes, bytes, PATH_BYTES, limits.index_bytes_max)?;
        self.check_held(limits)
    }

    pub(crate) fn spend_kept(&self, bytes: u64, limits: &ImageLimits) -> Result<(), LimitBreach> {
        self.spend(|spent| &spent.kept_bytes, bytes, KEPT_BYTES, limits.kept_bytes_max)?;
        self.check_held(limits)
    }

    fn check_held(&self, limits: &ImageLimits) -> Result<(), LimitBreach> {
        check(HELD_BYTES, self.held_bytes(), limits.held_bytes_max)
    }

    fn spend(
        &self,
        counter: fn(&Spent) -> &AtomicU64,
        amount: u64,
        limit: &'static str,
        maximum: u64,
    ) -> Result<(), LimitBreach> {
        if let Some(attempt) = &self.attempt {
            counter(attempt).fetch_add(amount, Ordering::Relaxed);
        }
        let before = counter(&self.spent).fetch_add(amount, SUMMED);
        check(limit, before.saturating_add(amount), maximum)
    }
}

impl Spent {
    fn counters(&self) -> [&AtomicU64; 4] {
        let Self { unpacked_bytes, entries, index_bytes, kept_bytes } = self;
        [unpacked_bytes, entries, index_bytes, kept_bytes]
    }

    /// What takes memory. It is summed up where it is asked for: that costs less than a counter of its own for every entry.
    fn held_bytes(&self) -> u64 {
        let entries = self.entries.load(SUMMED).saturating_mul(ENTRY_BYTES);
        let [index, kept] = [&self.index_bytes, &self.kept_bytes].map(|bytes| bytes.load(SUMMED));
        entries.saturating_add(index).saturating_add(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_attempt_has_spent_can_be_given_back() {
        let (budget, limits) = (ReadBudget::new(), ImageLimits::default());
        budget.spend_kept(10, &limits).unwrap();
        let attempt = budget.attempt();
        let clone = attempt.clone();
        clone.spend_kept(5, &limits).unwrap();
        clone.spend_entries(2, &limits).unwrap();
        assert_eq!((budget.kept_bytes(), budget.entries()), (15, 2));
        attempt.give_back();
        clone.give_back();
        assert_eq!((budget.kept_bytes(), budget.entries(), budget.held_bytes()), (10, 0, 10));
        let short = ImageLimits { kept_bytes_max: 10, ..limits };
        assert!(budget.spend_kept(1, &short).unwrap_err().is_of_image());
        assert!(!check("bits of zstd window", 2, 1).unwrap_err().is_of_image());
    }
}
