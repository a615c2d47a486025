//! From a source to a manifest, a configuration, and where the layers are.

use std::sync::Arc;

use image_layers::Compression;
use model::{Digest, DigestAlgorithm, ImageReference};

use crate::archive::{self, ArchiveImage, DockerImage, Expected, Store};
use crate::config::{ImageConfig, parse_config};
use crate::daemon::Containerd;
use crate::error::ScanError;
use crate::manifest::{
    CONFIG_BYTES_MAX, Descriptor, INDEX_NESTING_MAX, ImageManifest, MANIFEST_BYTES_MAX, Manifest,
    parse_manifest, select_platform, shorten,
};
use crate::options::ScanOptions;
use crate::partial::TocPlace;
use crate::registry::{FetchedManifest, RegistryClient, check_digest, digest_of, length};
use crate::source::ImageSource;

/// An image whose layers have not been read.
#[derive(Debug, Clone)]
pub(crate) struct OpenedImage {
    pub(crate) digest: Digest,
    pub(crate) parent_digest: Digest,
    pub(crate) image_id: Digest,
    pub(crate) manifest: String,
    pub(crate) config: ImageConfig,
    pub(crate) config_bytes: u64,
    pub(crate) layers: Vec<LayerPlace>,
}

/// Where a layer is and what is known of it.
#[derive(Debug, Clone)]
pub(crate) struct LayerPlace {
    /// Digest of the bytes as they are kept, where something names it.
    pub(crate) digest: Option<Digest>,
    pub(crate) diff_id: Digest,
    pub(crate) size: u64,
    /// What the media type says; `None` leaves it to the bytes.
    pub(crate) compression: Option<Compression>,
    /// Name in an archive; unused for registries.
    pub(crate) file: String,
    /// Its table of contents, where the manifest names one.
    pub(crate) toc: Option<TocPlace>,
}

impl LayerPlace {
    /// For messages.
    pub(crate) fn name(&self) -> String {
        self.digest.as_ref().map_or_else(|| self.file.clone(), ToString::to_string)
    }
}

/// Where blobs come from.
pub(crate) enum Origin {
    Registry(Box<RegistryClient>),
    Archive(Arc<Store>),
    Containerd(Containerd),
}

/// Opens whatever the source names.
pub(crate) async fn open_source(
    source: &ImageSource,
    options: &ScanOptions,
) -> Result<(OpenedImage, Origin), ScanError> {
    let (path, name, expected) = match source {
        ImageSource::Registry(reference) => return open_registry(reference, options).await,
        ImageSource::OciArchive { path, name } | ImageSource::OciLayout { path, name } => {
            (path, name, Expected::Oci)
        }
        ImageSource::DockerArchive { path, name } => (path, name, Expected::Docker),
        ImageSource::Archive { path, name } => (path, name, Expected::Either),
        // The others write an image as one stream and are not opened.
        ImageSource::Daemon { name, .. } => return open_containerd(name, options).await,
    };
    let (path, name) = (path.clone(), name.clone());
    let (platform, limits) = (options.platform.clone(), options.limits.clone());
    let open = move || archive::open(&path, name.as_deref(), expected, &platform, &limits);
    let (store, image) = tokio::task::spawn_blocking(open).await.map_err(|_| ScanError::ReaderStopped)??;
    let origin = Origin::Archive(store);
    let opened = match image {
        ArchiveImage::Docker(image) => open_docker(*image),
        ArchiveImage::Oci(descriptor) => {
            let bytes = origin.manifest(&descriptor).await?;
            let stated = Some(descriptor.media_type).filter(|text| !text.is_empty());
            let first = FetchedManifest { bytes, digest: descriptor.digest, media_type: stated };
            origin.descend(first, options).await?
        }
    };
    Ok((opened, origin))
}

async fn open_containerd(name: &str, options: &ScanOptions) -> Result<(OpenedImage, Origin), ScanError> {
    let client = Containerd::new(options)?;
    let descriptor = client.image(name).await?;
    let origin = Origin::Containerd(client);
    let bytes = origin.manifest(&descriptor).await?;
    let media_type = Some(descriptor.media_type).filter(|text| !text.is_empty());
    let first = FetchedManifest { bytes, digest: descriptor.digest, media_type };
    let opened = origin.descend(first, options).await?;
    Ok((opened, origin))
}

/// Opens an image of a registry by digest, else by tag.
pub(crate) async fn open_registry(
    reference: &ImageReference,
    options: &ScanOptions,
) -> Result<(OpenedImage, Origin), ScanError> {
    let client = RegistryClient::new(reference, &options.registry)?;
    let name = match (reference.digest(), reference.tag()) {
        (Some(digest), _) => digest.to_string(),
        (None, tag) => tag.unwrap_or(model::DEFAULT_TAG).to_owned(),
    };
    let first = client.manifest(&name, reference.digest()).await?;
    let first = first.ok_or_else(|| ScanError::ImageNotFound { reference: reference.to_string() })?;
    let origin = Origin::Registry(Box::new(client));
    let opened = origin.descend(first, options).await?;
    Ok((opened, origin))
}

fn check_layer_count(config: &ImageConfig, layers: usize, digest: &Digest) -> Result<(), ScanError> {
    if config.diff_ids.len() == layers {
        return Ok(());
    }
    Err(ScanError::Inconsistent {
        what: format!("image `{digest}`"),
        problem: format!("its configuration has {} diff ids for {layers} layers", config.diff_ids.len()),
    })
}

/// What the manifest and the configuration of an image say, when somebody has both and nobody pulls it.
///
/// Errors: one of them cannot be read, the manifest is a list, or names another configuration.
pub(crate) fn open_documents(manifest: &[u8], config_bytes: &[u8]) -> Result<OpenedImage, ScanError> {
    let digest = digest_of(manifest, DigestAlgorithm::Sha256);
    let what = format!("manifest `{digest}`");
    let Manifest::Image(parsed) = parse_manifest(manifest, None, &what)? else {
        return Err(ScanError::Inconsistent { what, problem: "it is a list of manifests".to_owned() });
    };
    check_digest(config_bytes, &parsed.config.digest, "image configuration")?;
    let config = parse_config(config_bytes)?;
    check_layer_count(&config, parsed.layers.len(), &digest)?;
    let place = |(layer, diff_id): (crate::manifest::Descriptor, &Digest)| LayerPlace {
        file: String::new(),
        digest: Some(layer.digest),
        diff_id: diff_id.clone(),
        size: layer.size,
        compression: None,
        toc: None,
    };
    Ok(OpenedImage {
        parent_digest: digest.clone(),
        digest,
        image_id: parsed.config.digest,
        manifest: String::from_utf8_lossy(manifest).into_owned(),
        layers: parsed.layers.into_iter().zip(&config.diff_ids).map(place).collect(),
        config,
        config_bytes: length(config_bytes),
    })
}

pub(crate) fn open_docker(image: DockerImage) -> OpenedImage {
    let DockerImage { implied_manifest, config, config_text, image_id, layers } = image;
    let digest = digest_of(&implied_manifest, DigestAlgorithm::Sha256);
    let layers = config
        .diff_ids
        .iter()
        .zip(layers)
        .map(|(diff_id, (file, size))| LayerPlace {
            digest: None,
            diff_id: diff_id.clone(),
            size,
            compression: None,
            file,
            toc: None,
        })
        .collect();
    OpenedImage {
        parent_digest: digest.clone(),
        digest,
        image_id,
        manifest: String::from_utf8_lossy(&implied_manifest).into_owned(),
        config,
        config_bytes: length(&config_text),
        layers,
    }
}

impl Origin {
    /// From the first document through indexes to the platform's image.
    async fn descend(&self, first: FetchedManifest, options: &ScanOptions) -> Result<OpenedImage, ScanError> {
        let parent_digest = first.digest.clone();
        let FetchedManifest { mut bytes, mut digest, mut media_type } = first;
        for _ in 0..=INDEX_NESTING_MAX {
            let what = format!("manifest `{digest}`");
            match parse_manifest(&bytes, media_type.as_deref(), &what)? {
                Manifest::Image(manifest) => {
                    return self.open_image(manifest, bytes, digest, parent_digest).await;
                }
                Manifest::Index(manifests) => {
                    let chosen = select_platform(&manifests, &options.platform)?;
                    bytes = self.manifest(chosen).await?;
                    digest = chosen.digest.clone();
                    media_type = Some(chosen.media_type.clone()).filter(|text| !text.is_empty());
                }
            }
        }
        Err(ScanError::TooLarge {
            what: format!("index `{parent_digest}`"),
            actual: u64::try_from(INDEX_NESTING_MAX + 1).unwrap_or(u64::MAX),
            limit: u64::try_from(INDEX_NESTING_MAX).unwrap_or(u64::MAX),
            unit: "nested indexes",
        })
    }

    async fn open_image(
        &self,
        manifest: ImageManifest,
        manifest_bytes: Vec<u8>,
        digest: Digest,
        parent_digest: Digest,
    ) -> Result<OpenedImage, ScanError> {
        let ImageManifest { config: config_descriptor, layers } = manifest;
        let compressions = layers.iter().enumerate().map(|(index, layer)| layer_compression(index, layer));
        let compressions = compressions.collect::<Result<Vec<_>, _>>()?;
        let config_bytes =
            self.small_blob(&config_descriptor, CONFIG_BYTES_MAX, "image configuration").await?;
        let config = parse_config(&config_bytes)?;
        check_layer_count(&config, layers.len(), &digest)?;
        let layers = layers
            .into_iter()
            .zip(compressions)
            .zip(&config.diff_ids)
            .map(|((layer, compression), diff_id)| LayerPlace {
                file: archive::blob_file(&layer.digest),
                toc: TocPlace::parse(&layer.annotations),
                digest: Some(layer.digest),
                diff_id: diff_id.clone(),
                size: layer.size,
                compression,
            })
            .collect();
        Ok(OpenedImage {
            digest,
            parent_digest,
            image_id: config_descriptor.digest,
            manifest: String::from_utf8_lossy(&manifest_bytes).into_owned(),
            config,
            config_bytes: length(&config_bytes),
            layers,
        })
    }

    async fn manifest(&self, descriptor: &Descriptor) -> Result<Vec<u8>, ScanError> {
        let what = format!("manifest `{}`", descriptor.digest);
        let Self::Registry(client) = self else {
            return self.small_blob(descriptor, MANIFEST_BYTES_MAX, &what).await;
        };
        let fetched = client.manifest(&descriptor.digest.to_string(), Some(&descriptor.digest)).await?;
        let bytes = fetched.map(|fetched| fetched.bytes).ok_or_else(|| missing(&descriptor.digest))?;
        check_size(&bytes, descriptor.size, &what)?;
        Ok(bytes)
    }

    async fn small_blob(
        &self,
        descriptor: &Descriptor,
        limit: u64,
        what: &str,
    ) -> Result<Vec<u8>, ScanError> {
        let Descriptor { digest, size, .. } = descriptor;
        match self {
            Self::Registry(client) => {
                client.small_blob(digest, *size, limit, what).await?.ok_or_else(|| missing(digest))
            }
            Self::Containerd(client) => {
                let bytes = client.small_blob(digest, limit, what).await?.ok_or_else(|| missing(digest))?;
                check_size(&bytes, *size, what)?;
                check_digest(&bytes, digest, what)?;
                Ok(bytes)
            }
            Self::Archive(store) => {
                let (store, file, text) = (Arc::clone(store), archive::blob_file(digest), what.to_owned());
                let read = tokio::task::spawn_blocking(move || store.read_small(&file, limit, &text));
                let bytes = read.await.map_err(|_| ScanError::ReaderStopped)??;
                let bytes = bytes.ok_or_else(|| missing(digest))?;
                check_size(&bytes, *size, what)?;
                check_digest(&bytes, digest, what)?;
                Ok(bytes)
            }
        }
    }
}

fn missing(digest: &Digest) -> ScanError {
    ScanError::BlobMissing { name: digest.to_string(), referrer: "manifest".to_owned() }
}

fn check_size(bytes: &[u8], expected: u64, what: &str) -> Result<(), ScanError> {
    let actual = length(bytes);
    if actual != expected {
        return Err(ScanError::SizeMismatch { what: what.to_owned(), expected, actual });
    }
    Ok(())
}

/// Bytes of a foreign layer lie on a server that the manifest names. They are not fetched: that address was chosen by
/// whoever pushed the image.
fn layer_compression(index: usize, layer: &Descriptor) -> Result<Option<Compression>, ScanError> {
    let number = index + 1;
    let media_type = shorten(&layer.media_type);
    if media_type.contains(".foreign.") || media_type.contains(".nondistributable.") {
        return Err(ScanError::ForeignLayer { number, media_type });
    }
    Compression::from_media_type(&layer.media_type)
        .map_err(|_| ScanError::UnsupportedType { what: format!("layer {number}"), media_type })
}
