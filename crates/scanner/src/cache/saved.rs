//! Images of Docker and Podman, found by what the daemon says of them before it exports a byte.
//!
//! Beside the inventory stands the configuration, which only the export has: what is told of the image follows from it and from
//! the sizes of the layers, as it does after an export.

use std::io::{self, Read, Write};

use model::Digest;

use super::{ImageKey, KnownImage, LayerCache, file, folder, stored};
use crate::archive::DockerImage;
use crate::manifest::CONFIG_BYTES_MAX;
use crate::open::LayerPlace;
use crate::options::ScanOptions;
use crate::registry::length;

const MAGIC: &[u8; 8] = b"LAZSAVE1";

/// What an earlier scan found in an image that a daemon exported.
pub(crate) struct KnownSaved {
    pub(crate) image: DockerImage,
    pub(crate) known: KnownImage,
}

impl ImageKey {
    /// By what a daemon says: its id for the image and the platform, both of which the layers alone do not tell.
    pub(crate) fn of_saved(options: &ScanOptions, identity: &str, diff_ids: &[Digest]) -> Option<Self> {
        let place = |diff_id: &Digest| LayerPlace {
            digest: None,
            diff_id: diff_id.clone(),
            size: 0,
            compression: None,
            file: String::new(),
            toc: None,
        };
        let layers: Vec<LayerPlace> = diff_ids.iter().map(place).collect();
        Self::with(options, &layers, &format!("saved\n{identity}\n"))
    }
}

impl LayerCache {
    /// What is in an image, if it was exported before.
    pub(crate) fn find_saved(&self, key: &ImageKey, diff_ids: &[Digest]) -> Option<KnownSaved> {
        let path = self.folder.join(&key.name);
        let found = folder::open(&self.folder, &path).and_then(|file| {
            file::read_whole(file, |input| key.check_head(MAGIC, input), |input| read(input, diff_ids))
        });
        match found {
            Ok(((), saved)) => {
                folder::note_use(&path);
                Some(saved)
            }
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::debug!(cache.file = %path.display(), %error, "the inventory of an image is not used");
                }
                None
            }
        }
    }

    /// Keeps what was found in an image whose layers are those of its configuration.
    pub(crate) fn keep_saved(
        &self,
        key: &ImageKey,
        config: &[u8],
        sizes: &[u64],
        known: &KnownImage,
    ) -> bool {
        let head = [&MAGIC[..], &key.hash].concat();
        let write_body = |out: &mut dyn Write| {
            write_sized(out, config)?;
            out.write_all(&(sizes.len() as u64).to_le_bytes())?;
            sizes.iter().try_for_each(|size| out.write_all(&size.to_le_bytes()))?;
            stored::write(known, out)
        };
        let path = self.folder.join(&key.name);
        let kept = folder::replace(&self.folder, &path, |out| file::write_whole(out, &head, write_body));
        if let Err(error) = &kept {
            tracing::warn!(cache.folder = %self.folder.display(), %error, "the inventory of an image is not kept");
        }
        kept.is_ok()
    }
}

fn write_sized(out: &mut dyn Write, bytes: &[u8]) -> io::Result<()> {
    out.write_all(&length(bytes).to_le_bytes())?;
    out.write_all(bytes)
}

fn read_number(input: &mut dyn Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    input.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

fn read(input: &mut dyn Read, diff_ids: &[Digest]) -> io::Result<KnownSaved> {
    let config_bytes = read_number(input)?;
    if config_bytes > CONFIG_BYTES_MAX {
        return Err(file::bad("a configuration that is too large"));
    }
    let mut config = Vec::new();
    io::copy(&mut input.take(config_bytes), &mut config)?;
    if read_number(input)? != diff_ids.len() as u64 {
        return Err(file::bad("sizes of other layers"));
    }
    let sizes = diff_ids.iter().map(|_| read_number(input)).collect::<io::Result<Vec<u64>>>()?;
    let image = DockerImage::of_config(&config, sizes).map_err(io::Error::other)?;
    let known = stored::read(input)?;
    if image.config.diff_ids != diff_ids || known.inventory.layers != diff_ids {
        return Err(file::bad("another image"));
    }
    Ok(KnownSaved { image, known })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contents::ContentSettings;
    use crate::options::Scope;

    #[test]
    fn id_layers_and_options_make_another_key() {
        let digest = |fill: u8| Digest::from_sha256(&[fill; 32]);
        let options = ScanOptions::default();
        let key = |options: &ScanOptions, identity: &str, layers: &[Digest]| {
            ImageKey::of_saved(options, identity, layers).map(|key| key.name)
        };
        let other = ScanOptions { scope: Scope::AllLayers, ..ScanOptions::default() };
        let keys = [
            key(&options, "a", &[digest(1)]),
            key(&options, "b", &[digest(1)]),
            key(&options, "a", &[digest(2)]),
            key(&other, "a", &[digest(1)]),
        ];
        assert!(keys.iter().all(Option::is_some));
        assert_eq!(keys.iter().collect::<std::collections::BTreeSet<_>>().len(), keys.len());
        let searching = ScanOptions { contents: Some(ContentSettings::default()), ..ScanOptions::default() };
        assert_eq!(key(&searching, "a", &[digest(1)]), None);
    }
}
