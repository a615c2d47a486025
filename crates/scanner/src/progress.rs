//! What a caller may see of a running load.

use model::Digest;

/// The steps of a load, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Manifest and configuration.
    Resolving,
    /// The layers.
    ReadingLayers,
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
    /// A layer has been read to its end.
    fn layer_done(&self, layer_index: usize) {
        let _ = layer_index;
    }
}
