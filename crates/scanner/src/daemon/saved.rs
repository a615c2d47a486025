//! What `docker save` writes, read in one pass: layers come in any order, and before the documents that name them.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image_layers::{Compression, ImageLimits, Layer, ReadBudget};
use model::Digest;

use crate::archive::{DockerImage, SavedFiles, find_docker_image};
use crate::contents::LayerFindings;
use crate::error::ScanError;
use crate::interest::Interest;
use crate::layers::{LayerTask, Wanted};
use crate::manifest::CONFIG_BYTES_MAX;
use crate::pipe::pump;
use crate::registry::length;

/// All manifests and configurations together, of all images in the stream.
const DOCUMENTS_BYTES_MAX: u64 = 64 << 20;
/// Members of the archive.
const MEMBERS_MAX: u64 = 100_000;
/// A block of a tar file; in the first one a layer shows that it is one.
const BLOCK_BYTES: usize = 512;
const TAR_MAGIC_AT: usize = 257;
const TAR_MAGIC: &[u8] = b"ustar";

/// How a stream is read.
pub(super) struct SavedReader {
    /// Where it comes from, for messages.
    pub(super) source: PathBuf,
    pub(super) wanted: Wanted,
    /// Nobody, when only the wanted files are wanted.
    pub(super) interest: Option<Arc<Interest>>,
    pub(super) limits: ImageLimits,
    /// What the image has cost so far.
    pub(super) budget: ReadBudget,
}

/// What was in it.
pub(super) struct SavedImage {
    source: PathBuf,
    documents: BTreeMap<String, Vec<u8>>,
    /// By name in the archive.
    sizes: BTreeMap<String, u64>,
    layers: BTreeMap<Digest, (Layer, LayerFindings)>,
}

impl SavedReader {
    /// Reads the stream to its end. Blocking.
    pub(super) fn read(&self, stream: impl Read) -> Result<SavedImage, ScanError> {
        let failed = |source| ScanError::Io { path: self.source.clone(), source };
        let mut saved = SavedImage {
            source: self.source.clone(),
            documents: BTreeMap::new(),
            sizes: BTreeMap::new(),
            layers: BTreeMap::new(),
        };
        let mut archive = tar::Archive::new(stream);
        let (mut links, mut documents_bytes, mut members) = (Vec::new(), 0, 0);
        for member in archive.entries().map_err(failed)? {
            let mut member = member.map_err(failed)?;
            members += 1;
            check("members of the stream", members, MEMBERS_MAX, "files")?;
            let name = String::from_utf8_lossy(&member.path_bytes()).trim_start_matches("./").to_owned();
            if let Some(target) = member.link_name_bytes() {
                links.push((name, String::from_utf8_lossy(&target).into_owned()));
                continue;
            }
            if !member.header().entry_type().is_file() {
                continue;
            }
            saved.sizes.insert(name.clone(), member.size());
            let head = read_head(&mut member).map_err(failed)?;
            if is_layer(&head) {
                self.read_layer(&name, head.chain(member), &mut saved)?;
            } else if member.size() <= CONFIG_BYTES_MAX {
                documents_bytes += member.size();
                check("documents of the stream", documents_bytes, DOCUMENTS_BYTES_MAX, "bytes")?;
                let mut bytes = Vec::new();
                io::copy(&mut head.chain(member), &mut bytes).map_err(failed)?;
                saved.documents.insert(name, bytes);
            }
        }
        saved.follow(&links);
        Ok(saved)
    }

    fn read_layer(&self, name: &str, mut reader: impl Read, saved: &mut SavedImage) -> Result<(), ScanError> {
        // Of a layer that is read once more nothing but the bodies stays.
        let (extractor, observer, limits, budget) = match &self.interest {
            Some(interest) => {
                let (extractor, observer) = interest.lookers();
                (extractor, observer, self.limits.clone(), self.budget.clone())
            }
            None => (None, None, self.limits.left_by(&self.budget), ReadBudget::new()),
        };
        let task = LayerTask {
            digest: None,
            diff_id: None,
            compression: None,
            wanted: Arc::clone(&self.wanted),
            extractor,
            observer,
            limits,
            budget,
        };
        let number = saved.layers.len() + 1;
        let bad = |source| ScanError::in_layer(number, name.to_owned(), source);
        let (mut layer, findings) = pump(&mut reader, |reader| task.read(reader)).map_err(bad)?;
        if self.interest.is_none() {
            layer = layer.into_bodies();
            layer.spend_bodies(&self.limits, &self.budget).map_err(bad)?;
        }
        saved.layers.insert(layer.diff_id().clone(), (layer, findings));
        Ok(())
    }
}

impl SavedImage {
    /// Links of older archives lead from one layer's name to another's.
    fn follow(&mut self, links: &[(String, String)]) {
        for (name, target) in links {
            let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
            let sibling = target.strip_prefix("../").map_or_else(
                || format!("{folder}/{target}"),
                |rest| {
                    folder.rsplit_once('/').map_or(rest.to_owned(), |(parent, _)| format!("{parent}/{rest}"))
                },
            );
            let size = self.sizes.get(&sibling).or_else(|| self.sizes.get(target)).copied();
            if let Some(size) = size {
                self.sizes.insert(name.clone(), size);
            }
        }
    }

    /// The image, and its layers from the lowest: those whose content is what the configuration says.
    pub(super) fn choose(mut self) -> Result<(DockerImage, Vec<(Layer, LayerFindings)>), ScanError> {
        let image = find_docker_image(&self, None)?;
        let mut layers = Vec::new();
        let diff_ids = &image.config.diff_ids;
        for (index, diff_id) in diff_ids.iter().enumerate() {
            // Steps that change nothing leave the same layer several times.
            let is_last = !diff_ids[index + 1..].contains(diff_id);
            let layer = match is_last {
                true => self.layers.remove(diff_id),
                false => self.layers.get(diff_id).cloned(),
            };
            let layer = layer.ok_or_else(|| ScanError::BlobMissing {
                name: diff_id.to_string(),
                referrer: "image configuration".to_owned(),
            })?;
            layers.push(layer);
        }
        Ok((image, layers))
    }
}

impl SavedFiles for SavedImage {
    fn path(&self) -> &Path {
        &self.source
    }

    fn size(&self, name: &str) -> Option<u64> {
        self.sizes.get(name).copied()
    }

    fn read_small(&self, name: &str, limit: u64, what: &str) -> Result<Option<Vec<u8>>, ScanError> {
        let Some(bytes) = self.documents.get(name) else { return Ok(None) };
        check(what, length(bytes), limit, "bytes")?;
        Ok(Some(bytes.clone()))
    }
}

fn check(what: &str, actual: u64, limit: u64, unit: &'static str) -> Result<(), ScanError> {
    if actual <= limit {
        return Ok(());
    }
    Err(ScanError::TooLarge { what: what.to_owned(), actual, limit, unit })
}

fn read_head(reader: &mut impl Read) -> io::Result<io::Cursor<Vec<u8>>> {
    let mut head = vec![0; BLOCK_BYTES];
    let mut filled = 0;
    while filled < head.len() {
        match reader.read(&mut head[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    head.truncate(filled);
    Ok(io::Cursor::new(head))
}

/// A compressed file, a tar file, or the empty one, which has only zeros.
fn is_layer(head: &io::Cursor<Vec<u8>>) -> bool {
    let head = head.get_ref();
    let is_tar = head.get(TAR_MAGIC_AT..).is_some_and(|rest| rest.starts_with(TAR_MAGIC));
    let is_empty = head.len() == BLOCK_BYTES && head.iter().all(|byte| *byte == 0);
    is_tar || is_empty || Compression::sniff(head) != Compression::None
}
