//! The inventory of a whole image: what it is found by, and its file.
//!
//! What is found in an image follows from its layers, the program and some of the options. All of that is in the key, so an inventory
//! is never older than what decides it; limits that would refuse the image make another key, and the image is refused as ever.

use std::fmt::Write as _;
use std::io::{self, Read};

use data_encoding::HEXLOWER;
use image_layers::FACTS_VERSION;
use model::Inventory;
use package_catalog::{CATALOG_VERSION, CatalogLimits};
use sha2::{Digest as _, Sha256};

use super::{IMAGE_ENDING, LayerCache, LayerKey, file, folder, stored};
use crate::open::LayerPlace;
use crate::options::ScanOptions;

const MAGIC: &[u8; 8] = b"LAZIMAG1";
/// Made of the sources by `build.rs`.
const INVENTORY_VERSION: &str = env!("INVENTORY_SOURCES");

/// What an earlier scan found in an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KnownImage {
    pub(crate) inventory: Inventory,
    /// Of each layer, lowest first.
    pub(crate) unpacked_bytes: Vec<u64>,
}

/// What an inventory is found by.
#[derive(Debug, Clone)]
pub(crate) struct ImageKey {
    pub(super) name: String,
    pub(super) hash: [u8; 32],
    /// Files of its layers: as long as the image is used, so are they.
    layer_names: Vec<String>,
}

impl ImageKey {
    /// `None` where files are looked into: nothing of that is kept.
    pub(crate) fn new(options: &ScanOptions, layers: &[LayerPlace]) -> Option<Self> {
        Self::with(options, layers, "")
    }

    /// Whether a file begins as one of this key does.
    pub(super) fn check_head(&self, magic: &[u8; 8], input: &mut dyn Read) -> io::Result<()> {
        let mut head = [0; 8 + 32];
        input.read_exact(&mut head)?;
        let is_ours = head[..8] == magic[..] && head[8..] == self.hash[..];
        if is_ours { Ok(()) } else { Err(file::bad("the inventory of something else")) }
    }

    /// `more`: what else the image is found by.
    pub(super) fn with(options: &ScanOptions, layers: &[LayerPlace], more: &str) -> Option<Self> {
        // Taken apart, so that whoever adds an option decides here whether it changes what is found.
        let ScanOptions {
            limits,
            contents,
            excluded,
            scope,
            // What was read so is never kept.
            partial_reads: _,
            // They choose the image, and the layers say which that is.
            platform: _,
            registry: _,
            daemons: _,
            // They change how long it takes.
            layer_cache: _,
            layers_at_once: _,
            progress: _,
            cancellation: _,
            time_max: _,
        } = options;
        if contents.is_some() {
            return None;
        }
        let mut text = format!(
            "{INVENTORY_VERSION}\n{FACTS_VERSION}\n{CATALOG_VERSION}\n{limits:?}\n{:?}\n{scope:?}\n{:?}\n{more}",
            CatalogLimits::default(),
            excluded.expressions(),
        );
        for LayerPlace { digest, diff_id, size, compression, file: _, toc: _ } in layers {
            let digest = digest.as_ref().map(ToString::to_string).unwrap_or_default();
            writeln!(text, "{diff_id} {digest} {size} {compression:?}")
                .expect("writing to a String cannot fail");
        }
        let hash: [u8; 32] = Sha256::digest(text).into();
        let short = HEXLOWER.encode(&hash[..16]);
        let layer_names = layers.iter().map(|layer| LayerKey::of_layer(&layer.diff_id, limits).name);
        Some(Self { name: format!("{short}.{IMAGE_ENDING}"), hash, layer_names: layer_names.collect() })
    }
}

impl LayerCache {
    /// What is in an image, if its layers were read before in this form of transport.
    pub(crate) fn find_image(&self, key: &ImageKey) -> Option<KnownImage> {
        let path = self.folder.join(&key.name);
        let known = folder::open(&self.folder, &path).and_then(|file| {
            file::read_whole(file, |input| key.check_head(MAGIC, input), |input| stored::read(input))
        });
        match known {
            Ok(((), known)) => {
                let layers = key.layer_names.iter().map(|name| self.folder.join(name));
                layers.chain([path]).for_each(|path| folder::note_use(&path));
                Some(known)
            }
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::debug!(cache.file = %path.display(), %error, "the inventory of an image is not used");
                }
                None
            }
        }
    }

    /// Keeps what was found in an image all of whose layers were checked. Returns whether it is there now.
    pub(crate) fn keep_image(&self, key: &ImageKey, known: &KnownImage) -> bool {
        let head = [&MAGIC[..], &key.hash].concat();
        let write_body = |out: &mut dyn io::Write| stored::write(known, out);
        let kept = folder::replace(&self.folder, &self.folder.join(&key.name), |out| {
            file::write_whole(out, &head, write_body)
        });
        if let Err(error) = &kept {
            tracing::warn!(cache.folder = %self.folder.display(), %error, "the inventory of an image is not kept");
        }
        kept.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use globset::{Glob, GlobBuilder};
    use image_layers::{Compression, ImageLimits};
    use model::Digest;

    use super::*;
    use crate::contents::ContentSettings;
    use crate::excluded::ExcludedPaths;
    use crate::options::Scope;
    use crate::progress::Progress;

    fn place(fill: u8) -> LayerPlace {
        LayerPlace {
            toc: None,
            digest: Some(Digest::from_sha256(&[fill; 32])),
            diff_id: Digest::from_sha256(&[fill + 100; 32]),
            size: 10,
            compression: Some(Compression::Gzip),
            file: String::new(),
        }
    }

    fn hash(options: &ScanOptions, layers: &[LayerPlace]) -> [u8; 32] {
        ImageKey::new(options, layers).unwrap().hash
    }

    #[test]
    fn everything_that_decides_what_is_found_makes_another_key() {
        let layers = [place(1), place(2)];
        let plain = hash(&ScanOptions::default(), &layers);
        let mut all = vec![plain];
        let limits: [fn(&mut ImageLimits); 13] = [
            |limits| limits.layer_bytes_max -= 1,
            |limits| limits.unpacked_bytes_max -= 1,
            |limits| limits.entries_max -= 1,
            |limits| limits.path_bytes_max -= 1,
            |limits| limits.index_bytes_max -= 1,
            |limits| limits.ratio_max -= 1,
            |limits| limits.ratio_free_bytes -= 1,
            |limits| limits.nesting_max -= 1,
            |limits| limits.file_bytes_max -= 1,
            |limits| limits.kept_bytes_max -= 1,
            |limits| limits.held_bytes_max -= 1,
            |limits| limits.extension_bytes_max -= 1,
            |limits| limits.zstd_window_log_max -= 1,
        ];
        for change in limits {
            let mut options = ScanOptions::default();
            change(&mut options.limits);
            all.push(hash(&options, &layers));
        }
        let glob = |text: &str| Glob::new(text).unwrap();
        let narrow = GlobBuilder::new("a/*").literal_separator(true).build().unwrap();
        let excluded = [vec![glob("a/*")], vec![narrow], vec![glob("b/*")], vec![glob("a/*"), glob("b/*")]];
        for globs in excluded {
            let excluded = ExcludedPaths::new(globs).unwrap();
            all.push(hash(&ScanOptions { excluded, ..ScanOptions::default() }, &layers));
        }
        let scope = Scope::AllLayers;
        all.push(hash(&ScanOptions { scope, ..ScanOptions::default() }, &layers));

        let changes: [fn(&mut LayerPlace); 5] = [
            |layer| layer.digest = Some(Digest::from_sha256(&[9; 32])),
            |layer| layer.digest = None,
            |layer| layer.diff_id = Digest::from_sha256(&[9; 32]),
            |layer| layer.size += 1,
            |layer| layer.compression = None,
        ];
        for change in changes {
            let mut changed = layers.clone();
            change(&mut changed[1]);
            all.push(hash(&ScanOptions::default(), &changed));
        }
        for others in [vec![place(2), place(1)], vec![place(1)], vec![place(1), place(2), place(2)], vec![]] {
            all.push(hash(&ScanOptions::default(), &others));
        }
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn what_decides_nothing_leaves_the_key_as_it_is() {
        struct Nobody;
        impl Progress for Nobody {}
        let layers = [place(1)];
        let plain = hash(&ScanOptions::default(), &layers);
        let options = ScanOptions {
            layers_at_once: 1,
            time_max: Duration::from_secs(1),
            progress: Some(Arc::new(Nobody)),
            layer_cache: Some(LayerCache::new("/nowhere".into(), 1)),
            ..ScanOptions::default()
        };
        assert_eq!(hash(&options, &layers), plain);
        let contents = Some(ContentSettings::default());
        assert!(ImageKey::new(&ScanOptions { contents, ..ScanOptions::default() }, &layers).is_none());
    }
}
