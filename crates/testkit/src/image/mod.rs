//! Small images described in a test, written in every form an image has; the same description gives the same bytes.

mod layer;
#[cfg(test)]
mod tests;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;

use model::Digest;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

pub use layer::{Layer, LayerCompression};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// The digest by which an image names these bytes.
pub fn digest_of(bytes: &[u8]) -> Digest {
    Digest::from_sha256(&Sha256::digest(bytes).into())
}

/// Describes an image. Everything can also be made wrong on purpose: see [`ImageBuilder::layer_blob`],
/// [`ImageBuilder::edit_config`] and [`ImageBuilder::edit_manifest`].
#[derive(Clone)]
pub struct ImageBuilder {
    layers: Vec<LayerBlob>,
    compression: LayerCompression,
    config: Value,
    config_edits: Vec<Edit>,
    manifest_edits: Vec<Edit>,
}

type Edit = Arc<dyn Fn(&mut Value) + Send + Sync>;

/// A layer as it lies in a registry, and what manifest and config say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerBlob {
    /// The bytes, packed.
    pub bytes: Vec<u8>,
    /// The bytes before packing, for the forms of an image that do not pack.
    pub tar: Vec<u8>,
    /// The media type in the manifest.
    pub media_type: String,
    /// The digest in the manifest; that of `bytes` unless the test lies.
    pub digest: Digest,
    /// The digest of the unpacked bytes, in the config.
    pub diff_id: Digest,
}

impl Default for ImageBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl ImageBuilder {
    /// An image for linux/amd64 without layers; layers will be packed with gzip.
    pub fn new() -> Self {
        let config = json!({
            "created": "2024-01-01T00:00:00Z",
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "history": [],
        });
        Self {
            layers: Vec::new(),
            compression: LayerCompression::Gzip,
            config,
            config_edits: Vec::new(),
            manifest_edits: Vec::new(),
        }
    }

    /// How the layers added from now on are packed.
    #[must_use]
    pub fn compression(mut self, compression: LayerCompression) -> Self {
        self.compression = compression;
        self
    }

    /// Adds a layer on top, with a line of history.
    #[must_use]
    pub fn layer(self, layer: Layer) -> Self {
        self.layer_tar(&layer.to_tar())
    }

    /// Adds a layer from the bytes of a tar archive, with a line of history.
    #[must_use]
    pub fn layer_tar(self, tar: &[u8]) -> Self {
        let bytes = self.compression.compress(tar);
        let blob = LayerBlob {
            media_type: self.compression.media_type().to_owned(),
            digest: digest_of(&bytes),
            diff_id: digest_of(tar),
            tar: tar.to_vec(),
            bytes,
        };
        let number = self.layers.len() + 1;
        self.layer_blob(blob).history(&format!("COPY layer {number}"), false)
    }

    /// Adds a layer whose bytes, type and digests are exactly as given, true or not. Adds no history.
    #[must_use]
    pub fn layer_blob(mut self, blob: LayerBlob) -> Self {
        self.layers.push(blob);
        self
    }

    /// The CPU architecture of the config: `amd64`, `arm64`, …
    #[must_use]
    pub fn architecture(mut self, architecture: &str) -> Self {
        self.config["architecture"] = json!(architecture);
        self
    }

    /// The user its processes run as.
    #[must_use]
    pub fn user(mut self, user: &str) -> Self {
        self.config["config"]["User"] = json!(user);
        self
    }

    /// A port it exposes: `8080/tcp`.
    #[must_use]
    pub fn port(mut self, port: &str) -> Self {
        self.config["config"]["ExposedPorts"][port] = json!({});
        self
    }

    /// An environment variable.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        let mut list = self.config["config"]["Env"].as_array().cloned().unwrap_or_default();
        list.push(json!(format!("{name}={value}")));
        self.config["config"]["Env"] = Value::Array(list);
        self
    }

    /// What it runs.
    #[must_use]
    pub fn command(mut self, command: &[&str]) -> Self {
        self.config["config"]["Cmd"] = json!(command);
        self
    }

    /// What it runs before its command.
    #[must_use]
    pub fn entrypoint(mut self, entrypoint: &[&str]) -> Self {
        self.config["config"]["Entrypoint"] = json!(entrypoint);
        self
    }

    /// A label.
    #[must_use]
    pub fn label(mut self, name: &str, value: &str) -> Self {
        self.config["config"]["Labels"][name] = json!(value);
        self
    }

    /// A health check: `["CMD", "true"]`.
    #[must_use]
    pub fn healthcheck(mut self, test: &[&str]) -> Self {
        self.config["config"]["Healthcheck"] = json!({ "Test": test });
        self
    }

    /// A line of history.
    #[must_use]
    pub fn history(mut self, created_by: &str, is_empty_layer: bool) -> Self {
        let mut line = json!({ "created": "2024-01-01T00:00:00Z", "created_by": created_by });
        if is_empty_layer {
            line["empty_layer"] = json!(true);
        }
        if let Some(history) = self.config["history"].as_array_mut() {
            history.push(line);
        }
        self
    }

    /// Changes the finished config: `.edit_config(|config| config["os"] = json!("plan9"))`.
    #[must_use]
    pub fn edit_config(mut self, edit: impl Fn(&mut Value) + Send + Sync + 'static) -> Self {
        self.config_edits.push(Arc::new(edit));
        self
    }

    /// Changes the finished manifest: `.edit_manifest(|manifest| manifest["layers"][0]["size"] = json!(1))`.
    #[must_use]
    pub fn edit_manifest(mut self, edit: impl Fn(&mut Value) + Send + Sync + 'static) -> Self {
        self.manifest_edits.push(Arc::new(edit));
        self
    }

    /// The finished image.
    pub fn build(&self) -> Image {
        let mut config = self.config.clone();
        let diff_ids: Vec<String> = self.layers.iter().map(|layer| layer.diff_id.to_string()).collect();
        config["rootfs"] = json!({ "type": "layers", "diff_ids": diff_ids });
        self.config_edits.iter().for_each(|edit| edit(&mut config));
        let config_bytes = config.to_string().into_bytes();

        let layers: Vec<Value> = self
            .layers
            .iter()
            .map(|layer| {
                json!({ "mediaType": layer.media_type, "digest": layer.digest.to_string(), "size": layer.bytes.len() })
            })
            .collect();
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": { "mediaType": CONFIG, "digest": digest_of(&config_bytes).to_string(), "size": config_bytes.len() },
            "layers": layers,
        });
        self.manifest_edits.iter().for_each(|edit| edit(&mut manifest));
        let manifest_bytes = manifest.to_string().into_bytes();

        let mut blobs: BTreeMap<Digest, Vec<u8>> =
            self.layers.iter().map(|layer| (layer.digest.clone(), layer.bytes.clone())).collect();
        let config_digest = digest_of(&config_bytes);
        let digest = digest_of(&manifest_bytes);
        blobs.insert(config_digest.clone(), config_bytes);
        blobs.insert(digest.clone(), manifest_bytes);
        Image {
            media_type: manifest["mediaType"].as_str().unwrap_or(MANIFEST).to_owned(),
            platform: json!({ "os": config["os"], "architecture": config["architecture"] }),
            digest,
            single: Some(SingleImage { config_digest, layers: self.layers.clone() }),
            blobs,
        }
    }
}

/// A finished image, or an index of images.
#[derive(Debug, Clone)]
pub struct Image {
    digest: Digest,
    media_type: String,
    platform: Value,
    /// What an index has not.
    single: Option<SingleImage>,
    blobs: BTreeMap<Digest, Vec<u8>>,
}

#[derive(Debug, Clone)]
struct SingleImage {
    config_digest: Digest,
    layers: Vec<LayerBlob>,
}

impl Image {
    /// An index that offers one image for several platforms.
    pub fn index(images: &[Self]) -> Self {
        let manifests: Vec<Value> = images
            .iter()
            .map(|image| {
                let mut descriptor = image.descriptor();
                descriptor["platform"] = image.platform.clone();
                descriptor
            })
            .collect();
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests })
            .to_string()
            .into_bytes();
        let mut blobs: BTreeMap<Digest, Vec<u8>> =
            images.iter().flat_map(|image| image.blobs.clone()).collect();
        let digest = digest_of(&index);
        blobs.insert(digest.clone(), index);
        Self { digest, media_type: INDEX.to_owned(), platform: Value::Null, single: None, blobs }
    }

    /// The digest of the manifest or index: the image's identity in a registry.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The digest of the config, which Docker calls the image's id; an index has none.
    pub fn config_digest(&self) -> Option<&Digest> {
        self.single.as_ref().map(|single| &single.config_digest)
    }

    /// The layers, lowest first; none for an index.
    pub fn layers(&self) -> &[LayerBlob] {
        self.single.as_ref().map_or(&[], |single| &single.layers)
    }

    /// All its blobs, as a registry or layout stores them.
    pub fn blobs(&self) -> &BTreeMap<Digest, Vec<u8>> {
        &self.blobs
    }

    /// Replaces the bytes of a blob and keeps its name: damage that a reader must see.
    #[must_use]
    pub fn with_blob(mut self, digest: &Digest, bytes: &[u8]) -> Self {
        self.blobs.insert(digest.clone(), bytes.to_vec());
        self
    }

    fn descriptor(&self) -> Value {
        let size = self.blobs.get(&self.digest).map_or(0, Vec::len);
        json!({ "mediaType": self.media_type, "digest": self.digest.to_string(), "size": size })
    }
}
