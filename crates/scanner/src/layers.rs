//! Reading the layers of an image, from wherever they are, or finding what an earlier scan took out of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use image_layers::{
    Compression, FileExtractor, FileObserver, ImageLimits, ImageTree, Layer, LayerError, LayerInput,
    LayerReaders, MissingBody, ReadBudget, read_layer_with,
};
use model::Digest;
use package_catalog::LayerExtractor;
use tokio_util::sync::CancellationToken;

use crate::cache::{LayerCache, LayerKey};
use crate::contents::{LayerFindings, LayerObserver};
use crate::error::ScanError;
use crate::load::{on_thread, report};
use crate::open::{LayerPlace, Origin};
use crate::options::ScanOptions;
use crate::partial::PartsRead;
use crate::pipe::{BlobReader, Transfer, WatchedReader, pipe};
use crate::progress::Stage;

pub(crate) type Wanted = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// Wants these files and no others.
pub(crate) fn wanted_of(mut paths: Vec<String>) -> Wanted {
    paths.sort_unstable();
    Arc::new(move |path| paths.binary_search_by(|known| known.as_str().cmp(path)).is_ok())
}

/// What is the same for all layers of one load.
pub(crate) struct Reading<'a> {
    pub(crate) origin: Origin,
    pub(crate) options: &'a ScanOptions,
    pub(crate) stop: CancellationToken,
    /// Where facts of layers and inventories are found and kept; never with an observer.
    pub(crate) cache: Option<LayerCache>,
    /// Whether something was added to it.
    pub(crate) has_kept: AtomicBool,
    /// Layers of which only parts were read.
    pub(crate) parts: PartsRead,
    /// Of all layers one table of contents is read at a time: for a moment it takes several times its size.
    pub(crate) reading_table: tokio::sync::Mutex<()>,
}

/// One layer to read.
pub(crate) struct LayerJob<'a> {
    pub(crate) index: usize,
    pub(crate) place: &'a LayerPlace,
    pub(crate) wanted: Wanted,
    /// Nobody, when only the wanted files are wanted.
    pub(crate) extractor: Option<LayerExtractor>,
    /// Who looks at the files; nobody, when nobody asked.
    pub(crate) observer: Option<LayerObserver>,
    pub(crate) limits: ImageLimits,
    pub(crate) budget: ReadBudget,
}

impl Reading<'_> {
    /// Reads a layer, or takes its facts out of the cache.
    pub(crate) async fn layer(&self, job: LayerJob<'_>) -> Result<(Layer, LayerFindings), ScanError> {
        let key = LayerKey::of_layer(&job.place.diff_id, &self.options.limits);
        self.through_cache(key, job, |layer| layer).await
    }

    /// What is kept of the layer is what `reduce` leaves of it.
    async fn through_cache(
        &self,
        key: LayerKey,
        job: LayerJob<'_>,
        reduce: fn(Layer) -> Layer,
    ) -> Result<(Layer, LayerFindings), ScanError> {
        let (index, place) = (job.index, job.place);
        if place.size > job.limits.layer_bytes_max {
            return Err(ScanError::TooLarge {
                what: format!("layer {} (`{}`)", index + 1, place.name()),
                actual: place.size,
                limit: job.limits.layer_bytes_max,
                unit: "bytes",
            });
        }
        // What a verified reading left has members of other numbers.
        let cache = self.cache.clone().filter(|_| !self.parts.contains(index));
        let Some(cache) = cache else { return self.read_layer(job).await };
        let (asked, of_place, wanted_key) = (cache.clone(), place.clone(), key.clone());
        let limits = self.options.limits.clone();
        let found = on_thread(move || asked.find(&wanted_key, &of_place, &limits)).await?;
        if let Some(layer) = found {
            let bad = |source| ScanError::in_layer(index + 1, place.name(), source);
            layer.spend(&job.limits, &job.budget).map_err(bad)?;
            self.tell_known(index, place.size);
            return Ok((layer, LayerFindings::default()));
        }
        let (layer, findings) = self.read_layer(job).await?;
        // Nothing has shown that it is the layer of this key.
        if layer.is_in_parts() {
            return Ok((layer, findings));
        }
        let keep = move || {
            let layer = reduce(layer);
            let is_kept = cache.keep(&key, &layer);
            (layer, is_kept)
        };
        let (layer, is_kept) = on_thread(keep).await?;
        self.has_kept.fetch_or(is_kept, Ordering::Relaxed);
        Ok((layer, findings))
    }

    /// Tells of a layer that need not be read.
    pub(crate) fn tell_known(&self, index: usize, size_bytes: u64) {
        if let Some(progress) = &self.options.progress {
            progress.layer_known(index);
            progress.layer_bytes(index, size_bytes);
            progress.layer_done(index);
        }
    }

    /// Brings the cache back within its size after something was added to it.
    pub(crate) async fn shrink_cache(&self) -> Result<(), ScanError> {
        match &self.cache {
            Some(cache) if self.has_kept.load(Ordering::Relaxed) => {
                let cache = cache.clone();
                on_thread(move || cache.shrink()).await
            }
            _ => Ok(()),
        }
    }

    /// Reads a layer: parts of it, where that is allowed and enough, else the whole archive. When it returns a layer that is not in
    /// parts, both digests and the size are what image and manifest say.
    async fn read_layer(&self, job: LayerJob<'_>) -> Result<(Layer, LayerFindings), ScanError> {
        if let Some(parts) = self.find_parts(&job).await? {
            match self.read_parts(&job, parts).await? {
                Ok(layer) => return Ok((layer, LayerFindings::default())),
                Err(reason) => self.tell_whole(&job, &reason),
            }
        }
        let LayerJob { index, place, wanted, extractor, observer, limits, budget } = job;
        let start = |reader| {
            let task = LayerTask {
                digest: place.digest.clone(),
                diff_id: Some(place.diff_id.clone()),
                compression: place.compression,
                wanted,
                extractor,
                observer,
                limits,
                budget,
            };
            on_thread(move || task.run(reader))
        };
        let (transferred, read) = match &self.origin {
            Origin::Registry(client) => {
                let digest = place.digest.as_ref().ok_or(ScanError::ReaderStopped)?;
                let progress = self.options.progress.as_deref();
                let transfer = Transfer { client, digest, size: place.size, layer_index: index, progress };
                let (sender, reader) = pipe();
                tokio::join!(transfer.run(sender), start(LayerReader::Registry(reader)))
            }
            Origin::Containerd(client) => {
                let digest = place.digest.as_ref().ok_or(ScanError::ReaderStopped)?;
                let (sender, reader) = pipe();
                tokio::join!(client.transfer(digest, sender), start(LayerReader::Registry(reader)))
            }
            Origin::Archive(store) => {
                let (store, file) = (Arc::clone(store), place.file.clone());
                let opened = on_thread(move || store.reader(&file)).await??;
                let inner = opened.ok_or_else(|| ScanError::BlobMissing {
                    name: place.name(),
                    referrer: "manifest".to_owned(),
                })?;
                let (stop, progress) = (self.stop.clone(), self.options.progress.clone());
                let reader = WatchedReader { inner, stop, layer_index: index, progress };
                (Ok(()), start(LayerReader::Archive(reader)).await)
            }
        };
        let (layer, findings) = match (transferred, read?) {
            (Ok(()), Ok(read)) => read,
            // The reader saw only that the transfer stopped; the transfer knows why.
            (Err(error), Ok(_) | Err(LayerError::Source { .. })) => return Err(error),
            (_, Err(source)) => {
                return Err(ScanError::in_layer(index + 1, place.name(), source));
            }
        };
        if layer.compressed_bytes() != place.size {
            let what = format!("layer {} (`{}`)", index + 1, place.name());
            return Err(ScanError::SizeMismatch {
                what,
                expected: place.size,
                actual: layer.compressed_bytes(),
            });
        }
        if let Some(progress) = &self.options.progress {
            progress.layer_done(index);
        }
        Ok((layer, findings))
    }

    /// Reads once more the layers with files that only a link makes wanted.
    pub(crate) async fn fill_linked(
        &self,
        mut tree: ImageTree,
        missing: &[MissingBody],
        places: &[LayerPlace],
        budget: &ReadBudget,
    ) -> Result<ImageTree, ScanError> {
        if missing.is_empty() {
            return Ok(tree);
        }
        report(self.options, Stage::ReadingLinked);
        let all_limits = &self.options.limits;
        let mut at = 0;
        while let Some(first) = missing.get(at) {
            let index = first.layer_index;
            let end = at + missing[at..].iter().take_while(|body| body.layer_index == index).count();
            let paths: Vec<String> = missing[at..end].iter().map(|body| body.archive_path.clone()).collect();
            at = end;
            let Some(place) = places.get(index) else { continue };
            let key = LayerKey::of_bodies(&place.diff_id, all_limits, &paths);
            let wanted = wanted_of(paths);
            // The layers were counted once. Of what is counted again nothing but the bodies stays, and that is the same wherever they
            // come from.
            let (limits, once) = (all_limits.left_by(budget), ReadBudget::new());
            let job =
                LayerJob { index, place, wanted, extractor: None, observer: None, limits, budget: once };
            let (layer, _) = self.through_cache(key, job, Layer::into_bodies).await?;
            let bad = |source| ScanError::in_layer(index + 1, place.name(), source);
            layer.spend_bodies(all_limits, budget).map_err(bad)?;
            tree.fill(index, layer);
        }
        Ok(tree)
    }
}

/// Where the bytes of a layer come from.
enum LayerReader {
    Registry(BlobReader),
    Archive(WatchedReader<Box<dyn std::io::Read + Send>>),
}

/// What a thread needs to read one layer.
pub(crate) struct LayerTask {
    pub(crate) digest: Option<Digest>,
    /// `None` where only the bytes tell.
    pub(crate) diff_id: Option<Digest>,
    pub(crate) compression: Option<Compression>,
    pub(crate) wanted: Wanted,
    /// Nobody, when only the wanted files are wanted.
    pub(crate) extractor: Option<LayerExtractor>,
    /// Who looks at the files; nobody, when nobody asked.
    pub(crate) observer: Option<LayerObserver>,
    pub(crate) limits: ImageLimits,
    pub(crate) budget: ReadBudget,
}

impl LayerTask {
    fn run(self, mut reader: LayerReader) -> Result<(Layer, LayerFindings), LayerError> {
        match &mut reader {
            LayerReader::Registry(reader) => self.read(reader),
            LayerReader::Archive(reader) => self.read(reader),
        }
    }

    /// Reads the layer to its end. Blocking.
    pub(crate) fn read(
        self,
        reader: &mut (dyn std::io::Read + Send),
    ) -> Result<(Layer, LayerFindings), LayerError> {
        let Self { digest, diff_id, compression, wanted, mut extractor, mut observer, limits, budget } = self;
        let input = LayerInput { digest, diff_id, compression, reader };
        let readers = LayerReaders {
            is_wanted: &*wanted,
            extractor: extractor.as_mut().map(|extractor| extractor as &mut dyn FileExtractor),
            observer: observer.as_mut().map(|observer| observer as &mut dyn FileObserver),
        };
        let layer = read_layer_with(input, readers, &limits, &budget)?;
        Ok((layer, observer.map(LayerObserver::finish).unwrap_or_default()))
    }
}
