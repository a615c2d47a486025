//! Which image a source means, without looking into its layers.

use model::Digest;

use crate::error::ScanError;
use crate::load::bounded;
use crate::open::{OpenedImage, open_source};
use crate::options::ScanOptions;
use crate::source::{DaemonKind, ImageSource};

/// What identifies an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageIdentity {
    /// Digest of its manifest, then of the index that the source names; empty where there is no manifest.
    pub digests: Vec<Digest>,
    /// Digest of its configuration; what a daemon calls its id may be another one.
    pub image_id: Digest,
    /// Of its layers, the lowest first.
    pub diff_ids: Vec<Digest>,
}

/// Finds out which image a source means: no layer is read, nor exported.
pub async fn identify(source: &ImageSource, options: &ScanOptions) -> Result<ImageIdentity, ScanError> {
    bounded(options, async {
        match source {
            ImageSource::Daemon { kind: kind @ (DaemonKind::Docker | DaemonKind::Podman), name } => {
                crate::daemon::identify(*kind, name, options).await
            }
            _ => Ok(identity(open_source(source, options).await?.0)),
        }
    })
    .await
}

fn identity(opened: OpenedImage) -> ImageIdentity {
    let OpenedImage { digest, parent_digest, image_id, manifest: _, config, config_bytes: _, layers } =
        opened;
    // What docker saves has no manifest: its digest is that of one that nobody has.
    let has_manifest = layers.iter().all(|layer| layer.digest.is_some());
    let mut digests = if has_manifest { vec![digest, parent_digest] } else { Vec::new() };
    digests.dedup();
    ImageIdentity { digests, image_id, diff_ids: config.diff_ids }
}
