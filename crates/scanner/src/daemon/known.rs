//! Images of Docker and Podman that an earlier scan has read: found by what the daemon says of them, without an export.

use model::Digest;
use serde::Deserialize;

use super::Daemon;
use crate::cache::{ImageKey, KnownImage, KnownSaved, LayerCache};
use crate::error::ScanError;
use crate::identity::ImageIdentity;
use crate::load::{ScannedImage, on_thread, to_facts};
use crate::open::open_docker;
use crate::options::ScanOptions;

/// Where an image is looked for before it is exported.
pub(super) struct Lookup {
    cache: LayerCache,
    key: ImageKey,
    inspected: InspectedImage,
}

impl Lookup {
    /// `None` where nothing is kept, or where the daemon says nothing that an image can be found by.
    pub(super) async fn new(
        daemon: &Daemon,
        name: &str,
        options: &ScanOptions,
    ) -> Result<Option<Self>, ScanError> {
        let Some(cache) = options.layer_cache.clone().filter(|_| options.contents.is_none()) else {
            return Ok(None);
        };
        let inspected = match daemon.inspect(name).await {
            Ok(inspected) => inspected,
            Err(error @ ScanError::ImageNotInDaemon { .. }) => return Err(error),
            Err(error) => {
                tracing::debug!(%error, "what a daemon says about an image is not used");
                return Ok(None);
            }
        };
        Ok(inspected.key(options).map(|key| Self { cache, key, inspected }))
    }

    /// What was found in the image before.
    pub(super) async fn find(&self) -> Result<Option<ScannedImage>, ScanError> {
        let (cache, key) = (self.cache.clone(), self.key.clone());
        let diff_ids = self.inspected.identity.diff_ids.clone();
        let found = on_thread(move || cache.find_saved(&key, &diff_ids)).await?;
        Ok(found.map(|KnownSaved { image, known: KnownImage { inventory, unpacked_bytes } }| {
            let facts = to_facts(open_docker(image), &unpacked_bytes);
            ScannedImage { facts, inventory, contents: None }
        }))
    }

    /// Keeps what was read, if the name still means the image that it meant before the export.
    pub(super) async fn keep(
        self,
        daemon: &Daemon,
        name: &str,
        read: ScannedImage,
        config: Vec<u8>,
    ) -> Result<ScannedImage, ScanError> {
        let Self { cache, key, inspected } = self;
        let is_same = inspected.identity.diff_ids == read.inventory.layers
            && daemon.inspect(name).await.is_ok_and(|again| again == inspected);
        if !is_same {
            return Ok(read);
        }
        on_thread(move || {
            let ScannedImage { facts, inventory, contents } = read;
            let sizes: Vec<u64> = facts.layers.iter().map(|layer| layer.size_bytes).collect();
            let unpacked_bytes = facts.layers.iter().map(|layer| layer.unpacked_bytes).collect();
            let known = KnownImage { inventory, unpacked_bytes };
            if cache.keep_saved(&key, &config, &sizes, &known) {
                cache.shrink();
            }
            ScannedImage { facts, inventory: known.inventory, contents }
        })
        .await
    }
}

/// What is of interest of `/images/NAME/json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    id: String,
    os: Option<String>,
    architecture: Option<String>,
    variant: Option<String>,
    repo_digests: Option<Vec<String>>,
    #[serde(rename = "RootFS")]
    root_fs: RootFs,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RootFs {
    layers: Option<Vec<String>>,
}

/// What a daemon says about an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InspectedImage {
    pub(super) identity: ImageIdentity,
    /// Under one id a daemon may have an image for several platforms.
    platform: String,
}

impl InspectedImage {
    fn key(&self, options: &ScanOptions) -> Option<ImageKey> {
        let identity = format!("{} {}", self.identity.image_id, self.platform);
        ImageKey::of_saved(options, &identity, &self.identity.diff_ids)
    }
}

pub(super) fn parse_inspected(bytes: &[u8]) -> Result<InspectedImage, String> {
    let inspected: Inspected = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let Inspected { id, os, architecture, variant, repo_digests, root_fs } = inspected;
    let platform = format!("{os:?} {architecture:?} {variant:?}");
    // Podman leaves the algorithm away.
    let id = if id.contains(':') { id } else { format!("sha256:{id}") };
    let digests = repo_digests.unwrap_or_default();
    let mut digests: Vec<Digest> =
        digests.iter().filter_map(|name| name.rsplit_once('@')?.1.parse().ok()).collect();
    digests.sort();
    digests.dedup();
    let digest = |text: &String| text.parse().map_err(|_| "an id in it is no digest".to_owned());
    let diff_ids = root_fs.layers.unwrap_or_default();
    let diff_ids = diff_ids.iter().map(digest).collect::<Result<_, _>>()?;
    Ok(InspectedImage { identity: ImageIdentity { digests, image_id: digest(&id)?, diff_ids }, platform })
}
