//! Images built in memory, every byte of them chosen by the test.

use std::io::Write as _;
use std::path::Path;

use model::Digest;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const OCI_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

pub(crate) const STATUS: &str = "Package: zlib1g\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:1.2.13.dfsg-1\n\
    Source: zlib\nMaintainer: Someone <someone@example.org>\nDescription: library\n";
pub(crate) const OS_RELEASE: &str =
    "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n";

pub(crate) fn digest(bytes: &[u8]) -> Digest {
    Digest::from_sha256(&Sha256::digest(bytes).into())
}

pub(crate) fn describe(media_type: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": digest(bytes).to_string(), "size": bytes.len()})
}

/// A tar archive of regular files.
pub(crate) fn tar(files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, body) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(body.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, body.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// An image of gzip layers.
pub(crate) struct TestImage {
    pub(crate) manifest: Vec<u8>,
    pub(crate) config: Vec<u8>,
    pub(crate) layers: Vec<Vec<u8>>,
}

impl TestImage {
    /// One layer for each list of files.
    pub(crate) fn new(layers: &[&[(&str, &str)]], run: &Value) -> Self {
        let tars: Vec<Vec<u8>> = layers.iter().map(|files| tar(files)).collect();
        let diff_ids: Vec<String> = tars.iter().map(|tar| digest(tar).to_string()).collect();
        let config = json!({
            "os": "linux", "architecture": "amd64", "created": "2024-05-01T10:00:00Z",
            "rootfs": {"type": "layers", "diff_ids": diff_ids}, "config": run,
            "history": [{"created": "2024-05-01T10:00:00Z", "created_by": "/bin/sh -c #(nop) ADD file:1 in / "}],
        });
        Self::from_parts(config.to_string().into_bytes(), tars.iter().map(|tar| gzip(tar)).collect())
    }

    /// With these very bytes.
    pub(crate) fn from_parts(config: Vec<u8>, layers: Vec<Vec<u8>>) -> Self {
        let descriptors: Vec<Value> = layers.iter().map(|layer| describe(OCI_GZIP, layer)).collect();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST,
            "config": describe(OCI_CONFIG, &config), "layers": descriptors,
        });
        Self { manifest: manifest.to_string().into_bytes(), config, layers }
    }

    /// A Debian image with one package.
    pub(crate) fn debian() -> Self {
        let files: &[(&str, &str)] = &[("etc/os-release", OS_RELEASE), ("var/lib/dpkg/status", STATUS)];
        Self::new(&[files, &[("srv/app", "hello")]], &json!({"User": "app", "ExposedPorts": {"80/tcp": {}}}))
    }

    pub(crate) fn digest(&self) -> Digest {
        digest(&self.manifest)
    }

    pub(crate) fn describe(&self) -> Value {
        describe(OCI_MANIFEST, &self.manifest)
    }

    /// All bytes that digests name.
    pub(crate) fn blobs(&self) -> impl Iterator<Item = &Vec<u8>> {
        self.layers.iter().chain([&self.manifest, &self.config])
    }

    /// An OCI layout of some images under names.
    pub(crate) fn write_layout(folder: &Path, images: &[(&Self, &str)]) {
        let entries: Vec<Value> = images
            .iter()
            .map(|(image, name)| {
                let mut entry = image.describe();
                entry["annotations"] = json!({"org.opencontainers.image.ref.name": name});
                entry
            })
            .collect();
        write_layout(folder, &entries, images.iter().flat_map(|(image, _)| image.blobs()));
    }
}

/// An OCI layout with these entries in its index.
pub(crate) fn write_layout<'a>(folder: &Path, entries: &[Value], blobs: impl Iterator<Item = &'a Vec<u8>>) {
    let blob_folder = folder.join("blobs/sha256");
    std::fs::create_dir_all(&blob_folder).unwrap();
    for blob in blobs {
        std::fs::write(blob_folder.join(digest(blob).hex()), blob).unwrap();
    }
    std::fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries});
    std::fs::write(folder.join("index.json"), index.to_string()).unwrap();
}

/// The tar file of a folder.
pub(crate) fn tar_folder(folder: &Path) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_dir_all("", folder).unwrap();
    builder.into_inner().unwrap()
}

/// Names, configuration and layers of an image for [`docker_archive`].
pub(crate) type Saved<'a> = (&'a [&'a str], &'a [u8], &'a [Vec<u8>]);

/// What `docker save` writes.
pub(crate) fn docker_archive(images: &[Saved<'_>]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut add = |name: &str, body: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(body.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, body).unwrap();
    };
    let mut entries = Vec::new();
    for (names, config, layers) in images {
        let config_name = format!("{}.json", digest(config).hex());
        let layer_names: Vec<String> =
            layers.iter().map(|layer| format!("{}/layer.tar", digest(layer).hex())).collect();
        add(&config_name, config);
        for (name, layer) in layer_names.iter().zip(*layers) {
            add(name, layer);
        }
        entries.push(json!({"Config": config_name, "RepoTags": names, "Layers": layer_names}));
    }
    add("manifest.json", Value::from(entries).to_string().as_bytes());
    builder.into_inner().unwrap()
}
