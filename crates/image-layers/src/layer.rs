//! Reading one layer archive.

use std::io::Read;

use model::Digest;

use crate::collector::Collector;
use crate::extract::FileExtractor;
use crate::finish::{self, Finished};
use crate::inflate::Workers;
use crate::item::Item;
use crate::limits::{ImageLimits, ReadBudget};
use crate::record::{FileObserver, Recording};
use crate::sort::Sorted;
use crate::stream::{StreamFacts, Unpacked};
use crate::tar_stream::TarStream;
use crate::{Compression, LayerError};

/// One layer archive and what is expected of it.
pub struct LayerInput<'a> {
    /// Digest of the bytes as transported, when known.
    pub digest: Option<Digest>,
    /// Digest of the unpacked bytes, when known.
    pub diff_id: Option<Digest>,
    /// The compression that the media type states; `None` lets the first bytes decide.
    pub compression: Option<Compression>,
    /// The bytes.
    pub reader: &'a mut (dyn Read + Send),
}

/// One layer: an index of all its entries, and the bodies of the wanted files.
#[derive(Debug, Clone)]
pub struct Layer {
    pub(crate) digest: Digest,
    pub(crate) diff_id: Digest,
    pub(crate) compressed_bytes: u64,
    pub(crate) unpacked_bytes: u64,
    /// What it costs of the limit on entries.
    pub(crate) entry_count: u64,
    pub(crate) text: String,
    pub(crate) items: Vec<Item>,
    pub(crate) bodies: Vec<Box<[u8]>>,
    /// By member, ascending.
    pub(crate) extracts: Vec<(u32, Box<[u8]>)>,
    /// Empty when nobody asked for it.
    pub(crate) recording: Recording,
    /// Whether it was read by its table of contents, so that its digests were not checked.
    pub(crate) is_in_parts: bool,
}

impl Layer {
    /// Digest of the bytes as transported.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Digest of the unpacked bytes.
    pub fn diff_id(&self) -> &Digest {
        &self.diff_id
    }

    /// How many bytes were transported.
    pub fn compressed_bytes(&self) -> u64 {
        self.compressed_bytes
    }

    /// How many bytes they became; of a layer that was read in parts, about as many as they would become.
    pub fn unpacked_bytes(&self) -> u64 {
        self.unpacked_bytes
    }

    /// Whether only parts of it were read, and its digests are what others say of it.
    pub fn is_in_parts(&self) -> bool {
        self.is_in_parts
    }
}

/// Reads a layer archive in one pass.
///
/// `is_wanted` is asked for every regular file, with its path in the archive (`var/lib/dpkg/status`).
///
/// Shape:  tar (old, ustar, pax, GNU), plain or as gzip or zstd. Where archives are ambiguous they are read as Go's `archive/tar`
///         reads them; paths are brought into the root.
/// Limits: all of `limits`; `budget` carries the totals from layer to layer.
/// Errors: `Limit`, `DigestMismatch`, `DiffIdMismatch` and the like for a layer that must not be used; `Source` when `reader` fails.
/// Source: OCI image specification 1.1, `layer.md`; POSIX.1-2017 pax; GNU tar manual, "Basic Tar Format".
pub fn read_layer<'a>(
    input: LayerInput<'a>,
    is_wanted: &'a dyn Fn(&str) -> bool,
    limits: &'a ImageLimits,
    budget: &'a ReadBudget,
) -> Result<Layer, LayerError> {
    let readers = LayerReaders { is_wanted, extractor: None, observer: None };
    read_layer_with(input, readers, limits, budget)
}

/// Who looks at the files of a layer.
pub struct LayerReaders<'a> {
    /// Is asked for every regular file, with its path in the archive, whether its body is kept.
    pub is_wanted: &'a dyn Fn(&str) -> bool,
    /// Keeps a little of files whose bodies are not kept, or of those as well.
    pub extractor: Option<&'a mut dyn FileExtractor>,
    /// Sees every content as it passes; a body is kept when `is_wanted` or the observer wants it. With an observer the
    /// attributes of all members and the checksums of all files are written down.
    pub observer: Option<&'a mut dyn FileObserver>,
}

/// Like [`read_layer`], with more who look at the files.
pub fn read_layer_with<'a>(
    input: LayerInput<'a>,
    readers: LayerReaders<'a>,
    limits: &'a ImageLimits,
    budget: &'a ReadBudget,
) -> Result<Layer, LayerError> {
    let expected = (input.digest.clone(), input.diff_id.clone());
    let (unpacked, Workers { inflating, hashing }) = Unpacked::open(input, limits, budget)?;
    let layer = unpacked.layer().to_owned();
    let named = |name: &str| std::thread::Builder::new().name(name.to_owned());
    std::thread::scope(|scope| {
        let inflater = named("inflate").spawn_scoped(scope, || inflating.run());
        let hasher = hashing.map(|hashing| named("hash").spawn_scoped(scope, || hashing.run()));
        if let Err(source) = inflater.and_then(|_| hasher.transpose()) {
            return Err(LayerError::Source { layer, source });
        }
        collect(unpacked, readers, expected, limits, budget)
    })
}

/// The third thread's work: everything but inflating and hashing.
fn collect<'a>(
    unpacked: Unpacked<'a>,
    readers: LayerReaders<'a>,
    (expected_digest, expected_diff_id): (Option<Digest>, Option<Digest>),
    limits: &'a ImageLimits,
    budget: &'a ReadBudget,
) -> Result<Layer, LayerError> {
    let (tar, gathered) = Collector::new(TarStream::new(unpacked), readers).gather()?;
    let layer_name = tar.unpacked.layer().to_owned();
    let StreamFacts { digest, diff_id, compressed_bytes, unpacked_bytes } = tar.unpacked.finish()?;
    if let Some(expected) = expected_digest
        && expected != digest
    {
        return Err(LayerError::DigestMismatch { expected, actual: digest });
    }
    if let Some(expected) = expected_diff_id
        && expected != diff_id
    {
        return Err(LayerError::DiffIdMismatch { layer: layer_name, expected, actual: diff_id });
    }
    let identity = Identity { digest, diff_id, compressed_bytes, unpacked_bytes, is_in_parts: false };
    gathered.finish(identity, &layer_name, limits, budget)
}

/// What a layer is known by.
pub(crate) struct Identity {
    pub(crate) digest: Digest,
    pub(crate) diff_id: Digest,
    pub(crate) compressed_bytes: u64,
    pub(crate) unpacked_bytes: u64,
    pub(crate) is_in_parts: bool,
}

/// What the members of a layer have left.
pub(crate) struct Gathered {
    pub(crate) member_count: u32,
    pub(crate) text: String,
    pub(crate) sorted: Sorted,
    pub(crate) bodies: Vec<Box<[u8]>>,
    pub(crate) extracts: Vec<(u32, Box<[u8]>)>,
    pub(crate) recording: Recording,
}

impl Gathered {
    /// Makes a layer of them.
    pub(crate) fn finish(
        self,
        identity: Identity,
        layer_name: &str,
        limits: &ImageLimits,
        budget: &ReadBudget,
    ) -> Result<Layer, LayerError> {
        let Self { member_count, mut text, sorted, bodies, extracts, recording } = self;
        let Identity { digest, diff_id, compressed_bytes, unpacked_bytes, is_in_parts } = identity;
        text.shrink_to_fit();
        let implied_max = limits.entries_max.saturating_sub(budget.entries());
        let Finished { items, implied_count, conflict } = finish::finish(sorted, &text, implied_max);
        if let Err(breach) = budget.spend_entries(implied_count, limits) {
            return Err(LayerError::Limit { layer: layer_name.to_owned(), breach });
        }
        if conflict.is_some() {
            let (layer, problem) = (layer_name.to_owned(), "a file is used as a folder");
            return Err(LayerError::BadArchive { layer, offset: unpacked_bytes, problem });
        }
        Ok(Layer {
            digest,
            diff_id,
            compressed_bytes,
            unpacked_bytes,
            entry_count: u64::from(member_count) + implied_count,
            text,
            items,
            bodies,
            extracts,
            recording,
            is_in_parts,
        })
    }
}
