//! What `scan` and `sbom` share: from an argument to an inventory, with progress and Ctrl-C.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use model::Platform;
use scanner::{
    Credentials, DockerConfig, ImageSource, Progress, ProxyOptions, RegistryOptions, ScanOptions,
    ScannedImage, Secret,
};

use crate::config::{self, ImageConfig};
use crate::progress::TerminalProgress;
use crate::terminal;

/// Reads an image to its end, or until Ctrl-C.
pub(super) fn load(
    source: &ImageSource,
    image_name: &str,
    platform: &Platform,
    images: &ImageConfig,
) -> anyhow::Result<ScannedImage> {
    let drawing = terminal::shows_progress().then(|| Arc::new(TerminalProgress::new()));
    let options = ScanOptions {
        platform: platform.clone(),
        registry: registry_options(images),
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

/// How registries are spoken to, out of the program's settings.
pub(crate) fn registry_options(images: &ImageConfig) -> RegistryOptions {
    let ImageConfig { insecure_registries, ca_certificates, docker_config } = images;
    let variable = |upper: &str, lower: &str| config::variable(lower).or_else(|| config::variable(upper));
    RegistryOptions {
        insecure_registries: insecure_registries.clone(),
        ca_certificates: ca_certificates.clone(),
        credentials: docker_config.as_ref().map_or(Credentials::Anonymous, |path| {
            Credentials::DockerConfig(DockerConfig { path: path.clone(), helper_folder: None })
        }),
        proxy: ProxyOptions {
            https: variable("HTTPS_PROXY", "https_proxy").map(Secret::new),
            http: config::variable("http_proxy").map(Secret::new),
            exceptions: variable("NO_PROXY", "no_proxy"),
        },
        ..RegistryOptions::default()
    }
}
