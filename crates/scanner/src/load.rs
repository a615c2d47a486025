//! The way from a source to facts and inventory.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use image_layers::{Layer, LayerError, ReadBudget, squash_tracing};
use model::{
    Digest, DockerfileMode, ImageContents, ImageFacts, ImageReference, Inventory, LayerFacts, Platform,
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::all_layers::read_all;
use crate::base_image;
use crate::cache::KnownImage;
use crate::contents::LayerFindings;
use crate::dockerfile::guess_dockerfile;
use crate::error::{ScanError, ScanErrorKind};
use crate::interest::Interest;
use crate::layers::{LayerJob, Reading, Wanted};
use crate::open::{LayerPlace, OpenedImage, open_documents, open_registry, open_source};
use crate::options::ScanOptions;
use crate::partial::PartsRead;
use crate::progress::{LayerStart, Stage};
use crate::source::{DaemonKind, ImageSource};

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
    if let ImageSource::Daemon { kind, name } = source
        && *kind != DaemonKind::Containerd
    {
        return crate::daemon::load(*kind, name, options).await;
    }
    let opening = open_source(source, options).instrument(tracing::info_span!("open_image"));
    let (opened, origin) = opening.await?;
    // Cancelled when this function is left, however it is left: threads that still read then stop.
    let stop = CancellationToken::new();
    let _stop_at_return = stop.clone().drop_guard();
    let cache = options.layer_cache.clone().filter(|_| options.contents.is_none());
    let (has_kept, parts) = (AtomicBool::new(false), PartsRead::default());
    let reading_table = tokio::sync::Mutex::default();
    let reading = Reading { origin, options, stop, cache, has_kept, parts, reading_table };
    let (known, contents) = match reading.read(&opened).await {
        Err(_) if reading.parts.are_lost() => {
            let options = &ScanOptions { partial_reads: false, ..options.clone() };
            let reading = Reading { options, parts: PartsRead::default(), ..reading };
            reading.read(&opened).await?
        }
        read => read?,
    };
    Ok(to_scanned(opened, known, contents))
}

impl Reading<'_> {
    /// Reads all layers and lists what is in them.
    async fn read(&self, opened: &OpenedImage) -> Result<(KnownImage, Option<ImageContents>), ScanError> {
        let (reading, options) = (self, self.options);
        if let Some(progress) = &options.progress {
            let starts: Vec<LayerStart> = opened
                .layers
                .iter()
                .map(|layer| LayerStart { diff_id: layer.diff_id.clone(), size_bytes: layer.size })
                .collect();
            progress.layers(&starts);
        }
        report(options, Stage::ReadingLayers);
        let image_key = reading.image_key(&opened.layers);
        if let Some(known) = reading.find_image(image_key.as_ref(), &opened.layers).await? {
            return Ok((known, None));
        }
        let budget = ReadBudget::new();
        let wanted: Wanted = Arc::new(package_catalog::is_wanted);
        let interest = Interest::new(options)?;
        let sizes: Vec<u64> = opened.layers.iter().map(|layer| layer.size).collect();
        let read_layer = |index| {
            let place: &LayerPlace = &opened.layers[index];
            let (extractor, observer) = interest.lookers();
            let (wanted, limits, budget) = (Arc::clone(&wanted), options.limits.clone(), budget.clone());
            let span = tracing::info_span!("read_layer", layer.index = index, layer.bytes = place.size);
            reading
                .layer(LayerJob { index, place, wanted, extractor, observer, limits, budget })
                .instrument(span)
        };
        let read = read_all(&sizes, options.layers_at_once, read_layer).await?;
        let (layers, findings): (Vec<Layer>, Vec<LayerFindings>) = read.into_iter().unzip();
        let unpacked_bytes: Vec<u64> = layers.iter().map(Layer::unpacked_bytes).collect();
        let single_layers = interest.single_layers(&layers);
        let squashing = move || {
            let tree = squash_tracing(layers, &package_catalog::is_traced);
            let missing = interest.missing(&tree);
            (tree, missing, interest)
        };
        let (tree, missing, interest) = on_thread(squashing).await?;
        let tree = reading.fill_linked(tree, &missing, &opened.layers, &budget).await?;

        report(options, Stage::Cataloging);
        let span = tracing::info_span!("catalog_packages");
        let progress = options.progress.clone();
        let cataloging = move || {
            let _in_span = span.enter();
            let found = interest.catalog(&tree, single_layers, &findings, progress.as_deref());
            (found, tree)
        };
        let ((mut inventory, contents), tree) = on_thread(cataloging).await?;
        // Nobody waits until the memory of a million entries is given back.
        drop(tokio::task::spawn_blocking(move || drop(tree)));
        // What is kept of an image was held against its digests.
        let image_key = image_key.filter(|_| reading.parts.is_empty());
        reading.parts.tell(&opened.layers, &mut inventory);
        let known = reading.keep_image(image_key, inventory, unpacked_bytes).await?;
        Ok((known, contents))
    }
}

fn to_scanned(opened: OpenedImage, known: KnownImage, contents: Option<ImageContents>) -> ScannedImage {
    let KnownImage { inventory, unpacked_bytes } = known;
    ScannedImage { facts: to_facts(opened, &unpacked_bytes), inventory, contents }
}

pub(crate) fn report(options: &ScanOptions, stage: Stage) {
    if let Some(progress) = &options.progress {
        progress.stage(stage);
    }
}

/// Runs work of the processor beside the async threads. A panic in it is an error here.
pub(crate) async fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ScanError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| ScanError::ReaderStopped)
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
        | LayerError::PartMismatch { .. }
        | LayerError::WrongCompression { .. }
        | LayerError::Truncated { .. }
        | LayerError::BadCompression { .. }
        | LayerError::BadArchive { .. } => ScanErrorKind::BadImage,
    }
}

/// `unpacked_bytes` by layer, as far as layers were read.
pub(crate) fn to_facts(opened: OpenedImage, unpacked_bytes: &[u64]) -> ImageFacts {
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
    let base = base_image::stated(&manifest, &config.labels);
    ImageFacts {
        digest,
        parent_digest,
        image_id,
        platform: config.platform,
        layers,
        base,
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
