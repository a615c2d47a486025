//! What a caller may see of a running load.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use model::Digest;
use package_catalog::CatalogWatcher;

/// The steps of a load, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Manifest and configuration.
    Resolving,
    /// The layers.
    ReadingLayers,
    /// The layers are laid over each other.
    Squashing,
    /// Files that only links lead to, in a second pass.
    ReadingLinked,
    /// Packages.
    Cataloging,
}

/// A layer that is about to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerStart {
    /// Digest of the uncompressed tar.
    pub diff_id: Digest,
    /// Compressed size in bytes.
    pub size_bytes: u64,
}

/// Is told how a load goes on. Called from several threads; must return at once.
pub trait Progress: Send + Sync {
    /// A step begins.
    fn stage(&self, stage: Stage) {
        let _ = stage;
    }
    /// The layers are known, lowest first; later calls name them by index.
    fn layers(&self, layers: &[LayerStart]) {
        let _ = layers;
    }
    /// So many more compressed bytes of a layer have come.
    fn layer_bytes(&self, layer_index: usize, bytes: u64) {
        let _ = (layer_index, bytes);
    }
    /// A layer need not be read: what is in it was found in the cache. [`Self::layer_done`] follows.
    fn layer_known(&self, layer_index: usize) {
        let _ = layer_index;
    }
    /// A layer that might have been read in parts is read as a whole.
    fn layer_whole(&self, layer_index: usize, reason: &str) {
        let _ = (layer_index, reason);
    }
    /// How long each cataloger took, and how many packages it has found.
    fn catalogers(&self, times: &BTreeMap<&'static str, CatalogerTime>) {
        let _ = times;
    }
    /// A layer has been read to its end.
    fn layer_done(&self, layer_index: usize) {
        let _ = layer_index;
    }
}

/// What one cataloger took beside reading the layers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CatalogerTime {
    /// All its calls together.
    pub time: Duration,
    /// Packages that it has found, before those that are one are put together.
    pub package_count: usize,
}

/// Takes the time of catalogers.
#[derive(Debug, Default)]
pub(crate) struct Stopwatch {
    current: Option<(&'static str, Instant)>,
    pub(crate) times: BTreeMap<&'static str, CatalogerTime>,
}

impl CatalogWatcher for Stopwatch {
    fn begins(&mut self, name: &'static str) {
        self.current = Some((name, Instant::now()));
    }

    fn ends(&mut self, package_count: usize) {
        if let Some((name, began)) = self.current.take() {
            let sum = self.times.entry(name).or_default();
            sum.time += began.elapsed();
            sum.package_count += package_count;
        }
    }
}
