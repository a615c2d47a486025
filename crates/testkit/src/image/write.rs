//! The forms an image takes outside a registry: OCI layout, OCI archive, Docker archive.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::layer::Layer;
use super::{Image, LayerBlob};

impl Image {
    /// Writes an OCI layout into a folder, which is made; `tag` names the image in its index.
    pub fn write_oci_layout(&self, folder: &Path, tag: &str) -> Result<()> {
        for (path, bytes) in self.oci_files(tag) {
            let file = folder.join(path);
            let parent = file.parent().context("a file of a layout lies in a folder")?;
            fs_err::create_dir_all(parent)?;
            fs_err::write(&file, bytes)?;
        }
        Ok(())
    }

    /// The same layout as one tar archive.
    pub fn oci_archive(&self, tag: &str) -> Vec<u8> {
        self.oci_files(tag)
            .into_iter()
            .fold(Layer::new(), |tar, (path, bytes)| tar.file(&path, bytes))
            .to_tar()
    }

    /// The archive that `docker save` writes, with the layers unpacked; `reference` is its name: `example.org/nginx:1`.
    ///
    /// Errors: an index has no such form.
    pub fn docker_archive(&self, reference: &str) -> Result<Vec<u8>> {
        let single = self.single.as_ref().context("an index of images cannot be a Docker archive")?;
        let config = self.blobs.get(&single.config_digest).context("the image has lost its config")?;
        let config_name = format!("{}.json", single.config_digest.hex());
        let layer_name = |layer: &LayerBlob| format!("{}/layer.tar", layer.diff_id.hex());
        let layers: Vec<String> = single.layers.iter().map(layer_name).collect();
        let manifest = json!([{ "Config": config_name, "RepoTags": [reference], "Layers": layers }]);

        let mut archive = Layer::new().file(&config_name, config);
        for layer in &single.layers {
            archive = archive.file(&layer_name(layer), &layer.tar);
        }
        Ok(archive.file("manifest.json", manifest.to_string()).to_tar())
    }

    fn oci_files(&self, tag: &str) -> Vec<(String, Vec<u8>)> {
        let mut descriptor = self.descriptor();
        descriptor["annotations"] = json!({ "org.opencontainers.image.ref.name": tag });
        let index: Value = json!({ "schemaVersion": 2, "manifests": [descriptor] });
        let mut files = vec![
            ("oci-layout".to_owned(), json!({ "imageLayoutVersion": "1.0.0" }).to_string().into_bytes()),
            ("index.json".to_owned(), index.to_string().into_bytes()),
        ];
        files.extend(self.blobs.iter().map(|(digest, bytes)| {
            (format!("blobs/{}/{}", digest.algorithm().name(), digest.hex()), bytes.clone())
        }));
        files
    }
}
