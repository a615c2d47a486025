//! What `docker save` writes: `manifest.json` with the names of a configuration and of layer archives.

use std::path::Path;

use serde::Deserialize;

use crate::archive::names::{is_same_name, list};
use crate::archive::store::Store;
use crate::config::{ImageConfig, parse_config};
use crate::error::{BadJson, ScanError};
use crate::manifest::{
    CONFIG_BYTES_MAX, DOCKER_CONFIG, DOCKER_MANIFEST, MANIFEST_BYTES_MAX, check_layer_count, null_is_default,
};
use crate::registry::{digest_of, length};
use model::{Digest, DigestAlgorithm};

pub(crate) const MANIFEST_FILE: &str = "manifest.json";
const LAYER_TYPE: &str = "application/vnd.docker.image.rootfs.diff.tar";

/// An image without a manifest of its own.
pub(crate) struct DockerImage {
    /// The manifest that the archive implies: Docker's kind, its layers named by diff id and the size they have here.
    ///
    /// The archive does not hold what a registry would: layers are compressed anew when they are pushed.
    pub(crate) implied_manifest: Vec<u8>,
    pub(crate) config: ImageConfig,
    /// The configuration as it is written.
    pub(crate) config_text: Vec<u8>,
    pub(crate) image_id: Digest,
    /// Name in the archive and size, lowest first.
    pub(crate) layers: Vec<(String, u64)>,
}

#[derive(Deserialize, Clone)]
#[serde(rename_all = "PascalCase")]
struct RawEntry {
    config: String,
    #[serde(default, deserialize_with = "null_is_default")]
    repo_tags: Vec<String>,
    #[serde(default, deserialize_with = "null_is_default")]
    layers: Vec<String>,
}

/// What `docker save` wrote, kept as a file or passed by.
pub(crate) trait SavedFiles {
    /// How errors name it.
    fn path(&self) -> &Path;

    /// The size of a file, `None` if there is none.
    fn size(&self, name: &str) -> Option<u64>;

    /// A small file as a whole; `None` if there is none.
    fn read_small(&self, name: &str, limit: u64, what: &str) -> Result<Option<Vec<u8>>, ScanError>;
}

impl SavedFiles for Store {
    fn path(&self) -> &Path {
        Store::path(self)
    }

    fn size(&self, name: &str) -> Option<u64> {
        Store::size(self, name)
    }

    fn read_small(&self, name: &str, limit: u64, what: &str) -> Result<Option<Vec<u8>>, ScanError> {
        Store::read_small(self, name, limit, what)
    }
}

/// Chooses an image: the named one (also by image id), else the only one.
pub(crate) fn find_docker_image(
    store: &impl SavedFiles,
    name: Option<&str>,
) -> Result<DockerImage, ScanError> {
    let entry = choose(store, name)?;
    let missing =
        |name: &str| ScanError::BlobMissing { name: name.to_owned(), referrer: MANIFEST_FILE.to_owned() };
    let what = format!("configuration `{}`", entry.config);
    let bytes =
        store.read_small(&entry.config, CONFIG_BYTES_MAX, &what)?.ok_or_else(|| missing(&entry.config))?;
    let config = parse_config(&bytes)?;
    check_layer_count(&what, entry.layers.len())?;
    if config.diff_ids.len() != entry.layers.len() {
        return Err(ScanError::Inconsistent {
            what,
            problem: format!("it has {} diff ids for {} layers", config.diff_ids.len(), entry.layers.len()),
        });
    }
    let mut layers = Vec::new();
    for layer in entry.layers {
        let size = store.size(&layer).ok_or_else(|| missing(&layer))?;
        layers.push((layer, size));
    }
    Ok(DockerImage::new(config, bytes, layers))
}

impl DockerImage {
    fn new(config: ImageConfig, config_text: Vec<u8>, layers: Vec<(String, u64)>) -> Self {
        let image_id = digest_of(&config_text, DigestAlgorithm::Sha256);
        let sized: Vec<(&Digest, u64)> =
            config.diff_ids.iter().zip(layers.iter().map(|(_, size)| *size)).collect();
        let implied_manifest = imply_manifest(&image_id, length(&config_text), &sized);
        Self { implied_manifest, config, config_text, image_id, layers }
    }

    /// An image that was exported before, and whose layers had these sizes.
    pub(crate) fn of_config(config_text: &[u8], sizes: Vec<u64>) -> Result<Self, ScanError> {
        let layers = sizes.into_iter().map(|size| (String::new(), size)).collect();
        Ok(Self::new(parse_config(config_text)?, config_text.to_vec(), layers))
    }
}

fn choose(store: &impl SavedFiles, name: Option<&str>) -> Result<RawEntry, ScanError> {
    let path = || store.path().to_owned();
    let what = format!("`{MANIFEST_FILE}` of `{}`", store.path().display());
    let bytes = store.read_small(MANIFEST_FILE, MANIFEST_BYTES_MAX, &what)?.ok_or_else(|| {
        ScanError::NotAnArchive {
            path: path(),
            problem: format!("it has no `{MANIFEST_FILE}`; archives of Docker before 1.10 are not read"),
        }
    })?;
    let entries: Option<Vec<RawEntry>> = serde_json::from_slice(&bytes)
        .map_err(|error| ScanError::Malformed { what, source: BadJson::new(&error, false) })?;
    let entries = entries.unwrap_or_default();
    let id_of =
        |entry: &RawEntry| entry.config.rsplit(['/', ':']).next().unwrap_or_default().replace(".json", "");
    let names =
        || list(entries.iter().map(|entry| entry.repo_tags.first().cloned().unwrap_or_else(|| id_of(entry))));
    if let Some(wanted) = name {
        let id = wanted.strip_prefix("sha256:").unwrap_or(wanted);
        let found = entries.iter().find(|entry| {
            id_of(entry) == id || entry.repo_tags.iter().any(|there| is_same_name(wanted, there))
        });
        return found.cloned().ok_or_else(|| ScanError::ImageNotInArchive {
            path: path(),
            wanted: wanted.to_owned(),
            names: names(),
        });
    }
    match &entries[..] {
        [] => Err(ScanError::NotAnArchive {
            path: path(),
            problem: format!("`{MANIFEST_FILE}` names no image"),
        }),
        [only] => Ok(only.clone()),
        _ => Err(ScanError::SeveralImages { path: path(), names: names() }),
    }
}

/// The same image always implies the same bytes.
fn imply_manifest(image_id: &Digest, config_bytes: u64, layers: &[(&Digest, u64)]) -> Vec<u8> {
    let describe = |media_type: &str, size: u64, digest: &Digest| serde_json::json!({"mediaType": media_type, "size": size, "digest": digest.to_string()});
    let layers: Vec<_> = layers.iter().map(|(digest, size)| describe(LAYER_TYPE, *size, digest)).collect();
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST,
        "config": describe(DOCKER_CONFIG, config_bytes, image_id),
        "layers": layers,
    });
    manifest.to_string().into_bytes()
}
