//! What `scan` and `sbom` share: from an argument to an inventory, with progress and Ctrl-C.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use model::{Inventory, Platform};
use scanner::{
    ContentSettings, ExcludedPaths, ImageIdentity, ImageSource, Progress, ScanError, ScanOptions,
    ScannedImage,
};

use crate::config::ImageConfig;
use crate::progress::TerminalProgress;
use crate::terminal;

/// Reads an image to its end, or until Ctrl-C; looks into its files when `contents` says for what.
pub(super) fn load(
    source: &ImageSource,
    image_name: &str,
    platform: &Platform,
    images: &ImageConfig,
    contents: Option<ContentSettings>,
) -> anyhow::Result<ScannedImage> {
    let loading = async |options: &ScanOptions| scanner::load(source, options).await;
    let options = ScanOptions { platform: platform.clone(), contents, ..options(images)? };
    run(options, images, image_name, loading)
}

/// Reads a folder or a file of this machine likewise.
pub(super) fn load_files(path: &Path, images: &ImageConfig) -> anyhow::Result<Inventory> {
    let loading = async |options: &ScanOptions| scanner::load_files(path, options).await;
    run(options(images)?, images, &path.display().to_string(), loading)
}

/// Finds out which image a source means; its layers are not read.
pub(super) fn identify(
    source: &ImageSource,
    image_name: &str,
    platform: &Platform,
    images: &ImageConfig,
) -> anyhow::Result<ImageIdentity> {
    let identifying = async |options: &ScanOptions| scanner::identify(source, options).await;
    run(ScanOptions { platform: platform.clone(), ..options(images)? }, images, image_name, identifying)
}

fn options(images: &ImageConfig) -> anyhow::Result<ScanOptions> {
    let mut options = ScanOptions {
        registry: images.registry_options(),
        layer_cache: images.layer_cache.clone(),
        partial_reads: images.partial_reads,
        excluded: ExcludedPaths::new(images.excluded.clone()).context("failed to read --exclude")?,
        scope: images.scope,
        daemons: images.daemons.clone(),
        ..ScanOptions::default()
    };
    options.layers_at_once = images.layers_at_once.unwrap_or(options.layers_at_once);
    options.bound_memory(images.memory_bytes_max.unwrap_or(ScanOptions::MEMORY_BYTES_MAX_DEFAULT));
    Ok(options)
}

fn run<T>(
    options: ScanOptions,
    images: &ImageConfig,
    name: &str,
    loading: impl AsyncFnOnce(&ScanOptions) -> Result<T, ScanError>,
) -> anyhow::Result<T> {
    let shows_progress = terminal::shows_progress() && !images.is_quiet;
    let drawing = shows_progress.then(|| Arc::new(TerminalProgress::new()));
    let drawn = drawing.clone().map(|drawing| drawing as Arc<dyn Progress>);
    let progress = match &images.timing {
        Some(timing) => Some(timing.beside(drawn)),
        None => drawn,
    };
    let options = ScanOptions { progress, ..options };
    let result = super::runtime()?.block_on(async {
        tokio::select! {
            result = loading(&options) => Some(result),
            _ = tokio::signal::ctrl_c() => {
                options.cancellation.cancel();
                None
            }
        }
    });
    if let Some(drawing) = drawing {
        drawing.clear();
    }
    match result {
        Some(result) => result.with_context(|| format!("failed to read `{name}`")),
        None => bail!("interrupted"),
    }
}
