//! The way from a source to facts and inventory.

use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _};
use image_layers::{
    Compression, ImageLimits, ImageTree, Layer, LayerError, LayerInput, ReadBudget, read_layer, squash,
};
use model::{Digest, DockerfileMode, ImageFacts, ImageReference, Inventory, LayerFacts, Platform};
use package_catalog::CatalogLimits;
use tokio_util::sync::CancellationToken;

use crate::dockerfile::guess_dockerfile;
use crate::error::{ScanError, ScanErrorKind};
use crate::open::{LayerPlace, OpenedImage, Origin, open_registry, open_source};
use crate::options::ScanOptions;
use crate::pipe::{BlobReader, Transfer, WatchedReader, pipe};
use crate::progress::{LayerStart, Stage};
use crate::source::ImageSource;

/// Layers that are read at the same time: one is unpacked while the other is waited for.
const LAYERS_AT_ONCE: usize = 2;

/// What a reference means right now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedImage {
    /// Digest of the platform's manifest: what identifies the image.
    pub digest: Digest,
    /// Digest of the index that the reference named, or equal to `digest`.
    pub parent_digest: Digest,
    /// Digest of the configuration.
    pub image_id: Digest,
    /// What the image says it is for.
    pub platform: Platform,
    /// Everything that manifest and configuration say.
    pub facts: ImageFacts,
}

/// What an image holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScannedImage {
    /// What manifest and configuration say.
    pub facts: ImageFacts,
    /// The packages.
    pub inventory: Inventory,
}

/// Finds out what a reference means: manifest and configuration, no layers.
///
/// Of a reference with tag and digest only the digest counts.
pub async fn resolve(reference: &ImageReference, options: &ScanOptions) -> Result<ResolvedImage, ScanError> {
    bounded(options, async {
        let (opened, _) = open_registry(reference, options).await?;
        let OpenedImage { digest, parent_digest, image_id, .. } = opened.clone();
        let facts = to_facts(opened);
        Ok(ResolvedImage { digest, parent_digest, image_id, platform: facts.platform.clone(), facts })
    })
    .await
}

/// Reads an image: manifest, configuration, all layers, packages.
pub async fn load(source: &ImageSource, options: &ScanOptions) -> Result<ScannedImage, ScanError> {
    bounded(options, load_unbounded(source, options)).await
}

/// Runs the work until it is done, cancelled, or out of time. Work on other threads notices within one read.
async fn bounded<T>(
    options: &ScanOptions,
    work: impl Future<Output = Result<T, ScanError>>,
) -> Result<T, ScanError> {
    tokio::select! {
        biased;
        () = options.cancellation.cancelled() => Err(ScanError::Cancelled),
        done = tokio::time::timeout(options.time_max, work) => {
            done.unwrap_or(Err(ScanError::TooSlow { limit: options.time_max }))
        }
    }
}

async fn load_unbounded(source: &ImageSource, options: &ScanOptions) -> Result<ScannedImage, ScanError> {
    report(options, Stage::Resolving);
    let (opened, origin) = open_source(source, options).await?;
    if let Some(progress) = &options.progress {
        let starts: Vec<LayerStart> = opened
            .layers
            .iter()
            .map(|layer| LayerStart { diff_id: layer.diff_id.clone(), size_bytes: layer.size })
            .collect();
        progress.layers(&starts);
    }
    // Cancelled when this function is left, however it is left: threads that still read then stop.
    let stop = CancellationToken::new();
    let _stop_at_return = stop.clone().drop_guard();
    let reading = Reading { origin, options, stop };

    report(options, Stage::ReadingLayers);
    let budget = ReadBudget::new();
    let wanted: Wanted = Arc::new(package_catalog::is_wanted);
    let layers: Vec<Layer> = futures_util::stream::iter(opened.layers.iter().enumerate())
        .map(|(index, place)| {
            reading.read_layer(index, place, Arc::clone(&wanted), options.limits.clone(), budget.clone())
        })
        .buffered(LAYERS_AT_ONCE)
        .try_collect()
        .await?;
    let tree = on_thread(move || squash(layers)).await?;
    let tree = reading.fill_linked(tree, &opened.layers, &budget).await?;

    report(options, Stage::Cataloging);
    let inventory = on_thread(move || package_catalog::catalog(&tree, &CatalogLimits::default())).await?;
    Ok(ScannedImage { facts: to_facts(opened), inventory })
}

fn report(options: &ScanOptions, stage: Stage) {
    if let Some(progress) = &options.progress {
        progress.stage(stage);
    }
}

/// Runs work of the processor beside the async threads. A panic in it is an error here.
async fn on_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ScanError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| ScanError::ReaderStopped)
}

type Wanted = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// What is the same for all layers of one load.
struct Reading<'a> {
    origin: Origin,
    options: &'a ScanOptions,
    stop: CancellationToken,
}

impl Reading<'_> {
    async fn read_layer(
        &self,
        index: usize,
        place: &LayerPlace,
        wanted: Wanted,
        limits: ImageLimits,
        budget: ReadBudget,
    ) -> Result<Layer, ScanError> {
        if place.size > limits.layer_bytes_max {
            return Err(ScanError::TooLarge {
                what: format!("layer {} (`{}`)", index + 1, place.name()),
                actual: place.size,
                limit: limits.layer_bytes_max,
                unit: "bytes",
            });
        }
        let start = |reader| {
            let task = LayerTask {
                digest: place.digest.clone(),
                diff_id: place.diff_id.clone(),
                compression: place.compression,
                wanted,
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
        let layer = match (transferred, read?) {
            (Ok(()), Ok(layer)) => layer,
            // The reader saw only that the transfer stopped; the transfer knows why.
            (Err(error), Ok(_) | Err(LayerError::Source { .. })) => return Err(error),
            (_, Err(source)) => {
                return Err(ScanError::BadLayer { number: index + 1, layer: place.name(), source });
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
        Ok(layer)
    }

    /// Reads once more the layers with files that only a link makes wanted.
    async fn fill_linked(
        &self,
        mut tree: ImageTree,
        places: &[LayerPlace],
        budget: &ReadBudget,
    ) -> Result<ImageTree, ScanError> {
        let missing = tree.missing(package_catalog::wanted_paths(), &package_catalog::is_wanted);
        if missing.is_empty() {
            return Ok(tree);
        }
        report(self.options, Stage::ReadingLinked);
        let mut limits = self.options.limits.clone();
        limits.kept_bytes_max = limits.kept_bytes_max.saturating_sub(budget.kept_bytes());
        // The layers were counted once; what is counted again is bounded again.
        let budget = ReadBudget::new();
        let mut at = 0;
        while let Some(first) = missing.get(at) {
            let index = first.layer_index;
            let end = at + missing[at..].iter().take_while(|body| body.layer_index == index).count();
            let paths: Vec<String> = missing[at..end].iter().map(|body| body.archive_path.clone()).collect();
            at = end;
            let Some(place) = places.get(index) else { continue };
            // Sorted by layer, then path: the list can be searched.
            let wanted: Wanted =
                Arc::new(move |path| paths.binary_search_by(|known| known.as_str().cmp(path)).is_ok());
            let layer = self.read_layer(index, place, wanted, limits.clone(), budget.clone()).await?;
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
struct LayerTask {
    digest: Option<Digest>,
    diff_id: Digest,
    compression: Option<Compression>,
    wanted: Wanted,
    limits: ImageLimits,
    budget: ReadBudget,
}

impl LayerTask {
    fn run(self, mut reader: LayerReader) -> Result<Layer, LayerError> {
        let reader: &mut dyn std::io::Read = match &mut reader {
            LayerReader::Registry(reader) => reader,
            LayerReader::Archive(reader) => reader,
        };
        let Self { digest, diff_id, compression, wanted, limits, budget } = self;
        let input = LayerInput { digest, diff_id: Some(diff_id), compression, reader };
        read_layer(input, &*wanted, &limits, &budget)
    }
}

/// The class of a layer's error.
pub(crate) fn kind_of_layer_error(error: &LayerError) -> ScanErrorKind {
    match error {
        LayerError::Limit { .. } => ScanErrorKind::LimitExceeded,
        LayerError::Source { .. } => ScanErrorKind::Io,
        LayerError::DigestMismatch { .. }
        | LayerError::DiffIdMismatch { .. }
        | LayerError::WrongCompression { .. }
        | LayerError::Truncated { .. }
        | LayerError::BadCompression { .. }
        | LayerError::BadArchive { .. } => ScanErrorKind::BadImage,
    }
}

fn to_facts(opened: OpenedImage) -> ImageFacts {
    let OpenedImage { digest, parent_digest, image_id, manifest, config, config_bytes, layers } = opened;
    let dockerfile = guess_dockerfile(&config);
    let size_bytes = layers.iter().fold(config_bytes, |sum, layer| sum.saturating_add(layer.size));
    let layers = layers
        .into_iter()
        .map(|layer| LayerFacts {
            digest: layer.digest,
            diff_id: layer.diff_id,
            size_bytes: layer.size,
            unpacked_bytes: 0,
        })
        .collect();
    let has_health_check = config.has_health_check();
    ImageFacts {
        digest,
        parent_digest,
        image_id,
        platform: config.platform,
        layers,
        size_bytes,
        created: config.created,
        user: config.user,
        exposed_ports: config.exposed_ports,
        environment: config.environment,
        entrypoint: config.entrypoint,
        command: config.command,
        working_directory: config.working_directory,
        labels: config.labels,
        has_health_check,
        history: config.history,
        dockerfile_mode: DockerfileMode::Guessed,
        dockerfile,
        manifest,
    }
}
