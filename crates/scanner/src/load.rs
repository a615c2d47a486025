//! The way from a source to facts and inventory.

use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _};
use image_layers::{
    Compression, FileExtractor, FileObserver, ImageLimits, ImageTree, Layer, LayerError, LayerInput,
    LayerReaders, MissingBody, ReadBudget, read_layer_with, squash,
};
use model::{
    Digest, DockerfileMode, ImageContents, ImageFacts, ImageReference, Inventory, LayerFacts, Platform,
};
use package_catalog::{CatalogLimits, LayerExtractor};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::contents::{Collection, KeptBytes, LayerFindings, LayerObserver, Search, compare_owned};
use crate::dockerfile::guess_dockerfile;
use crate::error::{ScanError, ScanErrorKind};
use crate::open::{LayerPlace, OpenedImage, Origin, open_documents, open_registry, open_source};
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
    /// What the files say; `None` when the options do not ask for it.
    pub contents: Option<ImageContents>,
}

/// Finds out what a reference means: manifest and configuration, no layers.
///
/// Of a reference with tag and digest only the digest counts.
pub async fn resolve(reference: &ImageReference, options: &ScanOptions) -> Result<ResolvedImage, ScanError> {
    bounded(options, async {
        let (opened, _) = open_registry(reference, options).await?;
        let OpenedImage { digest, parent_digest, image_id, .. } = opened.clone();
        let facts = to_facts(opened, &[]);
        Ok(ResolvedImage { digest, parent_digest, image_id, platform: facts.platform.clone(), facts })
    })
    .await
}

/// Reads an image: manifest, configuration, all layers, packages.
pub async fn load(source: &ImageSource, options: &ScanOptions) -> Result<ScannedImage, ScanError> {
    bounded(options, load_unbounded(source, options)).await
}

/// Runs the work until it is done, cancelled, or out of time. Work on other threads notices within one read.
pub(crate) async fn bounded<T>(
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
    let opening = open_source(source, options).instrument(tracing::info_span!("open_image"));
    let (opened, origin) = opening.await?;
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
    let contents = match &options.contents {
        Some(settings) => {
            let search = Search::new(settings).map_err(|source| ScanError::BadContentSettings { source })?;
            Some((settings.clone(), Arc::new(search)))
        }
        None => None,
    };
    let kept_bytes = KeptBytes::default();
    let lookers = || {
        let observer = contents
            .as_ref()
            .map(|(_, search)| LayerObserver::new(Arc::clone(search), Arc::clone(&kept_bytes)));
        (Some(LayerExtractor::new(&CatalogLimits::default())), observer)
    };
    let read: Vec<(Layer, LayerFindings)> = futures_util::stream::iter(opened.layers.iter().enumerate())
        .map(|(index, place)| {
            let budget = budget.clone();
            let span = tracing::info_span!("read_layer", layer.index = index, layer.bytes = place.size);
            reading
                .read_layer(index, place, Arc::clone(&wanted), lookers(), options.limits.clone(), budget)
                .instrument(span)
        })
        .buffered(LAYERS_AT_ONCE)
        .try_collect()
        .await?;
    let (layers, findings): (Vec<Layer>, Vec<LayerFindings>) = read.into_iter().unzip();
    let unpacked_bytes: Vec<u64> = layers.iter().map(Layer::unpacked_bytes).collect();
    let tree = on_thread(move || squash(layers)).await?;
    let mut missing = tree.missing(package_catalog::wanted_paths(), &package_catalog::is_wanted);
    if let Some((settings, search)) = &contents {
        missing.extend(Collection::new(settings, search, &tree).missing());
        missing.sort();
        missing.dedup();
    }
    let tree = reading.fill_linked(tree, &missing, &opened.layers, &budget).await?;

    report(options, Stage::Cataloging);
    let span = tracing::info_span!("catalog_packages");
    let (inventory, contents) = on_thread(move || {
        let _in_span = span.enter();
        let mut inventory = package_catalog::catalog(&tree, &CatalogLimits::default());
        if contents.is_some() {
            compare_owned(&tree, &mut inventory);
        }
        let contents =
            contents.map(|(settings, search)| Collection::new(&settings, &search, &tree).collect(&findings));
        (inventory, contents)
    })
    .await?;
    Ok(ScannedImage { facts: to_facts(opened, &unpacked_bytes), inventory, contents })
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
        (extractor, observer): (Option<LayerExtractor>, Option<LayerObserver>),
        limits: ImageLimits,
        budget: ReadBudget,
    ) -> Result<(Layer, LayerFindings), ScanError> {
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
        Ok((layer, findings))
    }

    /// Reads once more the layers with files that only a link makes wanted.
    async fn fill_linked(
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
            let (layer, _) =
                self.read_layer(index, place, wanted, (None, None), limits.clone(), budget.clone()).await?;
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
    /// Nobody, when only the wanted files are wanted.
    extractor: Option<LayerExtractor>,
    /// Who looks at the files; nobody, when nobody asked.
    observer: Option<LayerObserver>,
    limits: ImageLimits,
    budget: ReadBudget,
}

impl LayerTask {
    fn run(self, mut reader: LayerReader) -> Result<(Layer, LayerFindings), LayerError> {
        let reader: &mut dyn std::io::Read = match &mut reader {
            LayerReader::Registry(reader) => reader,
            LayerReader::Archive(reader) => reader,
        };
        let Self { digest, diff_id, compression, wanted, mut extractor, mut observer, limits, budget } = self;
        let input = LayerInput { digest, diff_id: Some(diff_id), compression, reader };
        let readers = LayerReaders {
            is_wanted: &*wanted,
            extractor: extractor.as_mut().map(|extractor| extractor as &mut dyn FileExtractor),
            observer: observer.as_mut().map(|observer| observer as &mut dyn FileObserver),
        };
        let layer = read_layer_with(input, readers, &limits, &budget)?;
        Ok((layer, observer.map(LayerObserver::finish).unwrap_or_default()))
    }
}

/// What the manifest and the configuration of an image say, for an image that nobody pulls.
///
/// Errors: one of the documents cannot be read, the manifest is a list, or the configuration is not the one it names.
pub fn describe_image(manifest: &[u8], config: &[u8]) -> Result<ImageFacts, ScanError> {
    Ok(to_facts(open_documents(manifest, config)?, &[]))
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

/// `unpacked_bytes` by layer, as far as layers were read.
fn to_facts(opened: OpenedImage, unpacked_bytes: &[u64]) -> ImageFacts {
    let OpenedImage { digest, parent_digest, image_id, manifest, config, config_bytes, layers } = opened;
    let dockerfile = guess_dockerfile(&config);
    let size_bytes = layers.iter().fold(config_bytes, |sum, layer| sum.saturating_add(layer.size));
    let layers = layers
        .into_iter()
        .enumerate()
        .map(|(index, layer)| LayerFacts {
            digest: layer.digest,
            diff_id: layer.diff_id,
            size_bytes: layer.size,
            unpacked_bytes: unpacked_bytes.get(index).copied().unwrap_or_default(),
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
