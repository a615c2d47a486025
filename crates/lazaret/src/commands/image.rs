//! What `scan` and `sbom` share: from an argument to an inventory, with progress and Ctrl-C.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use model::Platform;
use scanner::{ContentSettings, ImageSource, Progress, ScanOptions, ScannedImage};

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
    let shows_progress = terminal::shows_progress() && !images.is_quiet;
    let drawing = shows_progress.then(|| Arc::new(TerminalProgress::new()));
    let options = ScanOptions {
        platform: platform.clone(),
        registry: images.registry_options(),
        contents,
        layer_cache: images.layer_cache.clone(),
        progress: drawing.clone().map(|drawing| drawing as Arc<dyn Progress>),
        ..ScanOptions::default()
    };
    let result = super::runtime()?.block_on(async {
        tokio::select! {
            result = scanner::load(source, &options) => Some(result),
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
        Some(result) => result.with_context(|| format!("failed to read image `{image_name}`")),
        None => bail!("interrupted"),
    }
}
