//! What earlier scans found out: facts of layers, one file each, so that a second image on the same base costs its own layers
//! only; and inventories of whole images, so that the same image costs nothing but the look at another database.
//!
//! A layer is found by its diff id and by everything that decides what is taken out of it: the version of the catalogers, the form
//! of the facts and the limits. It is written only after both digests were checked, and used only for a transport of it (digest
//! and size of the blob) that was checked then, so an image whose manifest lies about a layer is read and refused as before.
//! An inventory is found by the same of all its layers, and by the options that decide what is found in them, see `image.rs`.
//!
//! What a daemon exports is found by what the daemon says of it, see `saved.rs`.
//!
//! Many processes may share the folder: a file appears by renaming, never changes, and is a miss unless every byte of it is as
//! it was written. What goes wrong with the folder makes a scan slower, never wrong, and never fail.

mod file;
mod folder;
mod image;
mod saved;
mod stored;

use std::path::{Path, PathBuf};

use image_layers::{FACTS_VERSION, ImageLimits, Layer};
use model::Digest;
use package_catalog::{CATALOG_VERSION, CatalogLimits};
use sha2::{Digest as _, Sha256};

use crate::open::LayerPlace;
use file::Transport;
pub use folder::CacheSummary;
pub(crate) use image::{ImageKey, KnownImage};
pub(crate) use saved::KnownSaved;

/// So many forms of transport of one layer are remembered.
const TRANSPORTS_MAX: usize = 16;
const LAYER_ENDING: &str = "layer";
const IMAGE_ENDING: &str = "image";

/// A folder with facts of layers and inventories of images, and how large it may become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerCache {
    folder: PathBuf,
    bytes_max: u64,
}

impl LayerCache {
    /// What a folder may hold where nobody says otherwise: 2 GiB.
    pub const BYTES_MAX_DEFAULT: u64 = 2 << 30;

    /// A cache in a folder, which need not be there yet.
    pub fn new(folder: PathBuf, bytes_max: u64) -> Self {
        Self { folder, bytes_max }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The facts of a layer, if it was read before in this form of transport.
    pub(crate) fn find(&self, key: &LayerKey, place: &LayerPlace, limits: &ImageLimits) -> Option<Layer> {
        let path = self.folder.join(&key.name);
        let stored = folder::open(&self.folder, &path).and_then(|file| file::read(file, &key.hash, limits));
        let stored = match stored {
            Ok(stored) => stored,
            Err(error) => {
                if error.kind() != std::io::ErrorKind::NotFound {
                    tracing::debug!(cache.file = %path.display(), %error, "facts of a layer are not used");
                }
                return None;
            }
        };
        let layer = stored.layer;
        if layer.diff_id() != &place.diff_id {
            return None;
        }
        // An archive of docker names layers by their diff ids alone: there is no more to be checked.
        let transport = match &place.digest {
            Some(digest) => {
                let wanted = Transport { digest: digest.clone(), size_bytes: place.size };
                stored.transports.into_iter().find(|known| *known == wanted)?
            }
            None => Transport { digest: layer.digest().clone(), size_bytes: place.size },
        };
        folder::note_use(&path);
        Some(layer.transported_as(transport.digest, transport.size_bytes))
    }

    /// Keeps the facts of a layer whose digests were checked. Returns whether they are there now.
    pub(crate) fn keep(&self, key: &LayerKey, layer: &Layer) -> bool {
        let path = self.folder.join(&key.name);
        let mut transports =
            vec![Transport { digest: layer.digest().clone(), size_bytes: layer.compressed_bytes() }];
        // What another process adds at this moment is lost: it costs one more reading.
        let known = folder::open(&self.folder, &path).and_then(|file| file::read_transports(file, &key.hash));
        for other in known.unwrap_or_default() {
            if transports.len() < TRANSPORTS_MAX && !transports.contains(&other) {
                transports.push(other);
            }
        }
        let kept =
            folder::replace(&self.folder, &path, |out| file::write(out, &key.hash, &transports, layer));
        if let Err(error) = &kept {
            tracing::warn!(cache.folder = %self.folder.display(), %error, "facts of a layer are not kept");
        }
        kept.is_ok()
    }

    /// Removes what was not used for longest until the folder is within its size.
    pub(crate) fn shrink(&self) {
        if let Err(error) = folder::shrink(&self.folder, self.bytes_max) {
            tracing::debug!(cache.folder = %self.folder.display(), %error, "the layer cache was not shrunk");
        }
    }
}

/// What facts are found by.
#[derive(Debug, Clone)]
pub(crate) struct LayerKey {
    name: String,
    hash: [u8; 32],
}

impl LayerKey {
    /// The key of a whole layer.
    pub(crate) fn of_layer(diff_id: &Digest, limits: &ImageLimits) -> Self {
        Self::new(diff_id, limits, "")
    }

    /// The key of some bodies of a layer, by their paths in the archive.
    pub(crate) fn of_bodies(diff_id: &Digest, limits: &ImageLimits, paths: &[String]) -> Self {
        Self::new(diff_id, limits, &format!("{paths:?}"))
    }

    /// All of the limits: some decide what is kept, some what is refused, and they seldom change.
    fn new(diff_id: &Digest, limits: &ImageLimits, part: &str) -> Self {
        let text = format!(
            "{diff_id}\n{FACTS_VERSION}\n{CATALOG_VERSION}\n{limits:?}\n{:?}\n{part}",
            CatalogLimits::default()
        );
        let hash: [u8; 32] = Sha256::digest(text).into();
        let short = data_encoding::HEXLOWER.encode(&hash[..8]);
        Self { name: format!("{}-{short}.{LAYER_ENDING}", diff_id.hex()), hash }
    }
}
