//! Reading a layer by its table of contents.

use std::io::{self, Read};

use model::Digest;
use sha2::{Digest as _, Sha256};

use super::source::Streams;
use super::{Chunk, PartPlan, Toc};
use crate::collector::{Collector, Members};
use crate::header;
use crate::layer::{Identity, LayerReaders};
use crate::limits;
use crate::stream::to_layer_error;
use crate::tar_stream::Member;
use crate::{ImageLimits, Layer, LayerError, LimitBreach, ReadBudget};

const BLOCK_BYTES: u64 = header::BLOCK_BYTES as u64;
const BUFFER_BYTES: usize = 64 * 1024;

/// A layer of which parts are there.
pub struct PartsInput<'a> {
    /// What the layer is called: nothing of it is held against this.
    pub digest: Digest,
    /// What it would unpack to, by the configuration of the image.
    pub diff_id: Digest,
    /// Bytes of the whole layer.
    pub size_bytes: u64,
    /// Its table of contents.
    pub toc: &'a Toc,
    /// Which files are there.
    pub plan: &'a PartPlan,
    /// The bytes of the ranges of the plan, one after the other.
    pub reader: &'a mut (dyn Read + Send),
}

/// Reads the needed files of a layer and lists all others.
///
/// What comes out is what [`crate::read_layer_with`] makes of the whole layer, as far as the table tells the truth: the same
/// paths, links and markers, the same bodies and extracts. Files that the plan leaves out have neither.
///
/// Limits: all of `limits`; `budget` carries the totals from layer to layer.
/// Errors: `PartMismatch` when a part has another checksum than the table says, else those of reading a layer. No part of a layer
///         is used unless all that were read have their checksums.
pub fn read_layer_in_parts<'a>(
    input: PartsInput<'a>,
    readers: LayerReaders<'a>,
    limits: &'a ImageLimits,
    budget: &'a ReadBudget,
) -> Result<Layer, LayerError> {
    let PartsInput { digest, diff_id, size_bytes, toc, plan, reader } = input;
    let layer_name = digest.to_string();
    let members = PartMembers {
        layer: layer_name.clone(),
        toc,
        plan,
        limits,
        budget,
        next: 0,
        streams: Streams::new(reader, plan.ranges(), toc.compression, limits.zstd_window_log_max),
        buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
        size_bytes,
        zero_bytes: 0,
        unpacked_bytes: 0,
    };
    let (members, gathered) = Collector::new(members, readers).gather()?;
    let unpacked_bytes = members.unpacked_bytes;
    members.finish()?;
    let identity =
        Identity { digest, diff_id, compressed_bytes: size_bytes, unpacked_bytes, is_in_parts: true };
    gathered.finish(identity, &layer_name, limits, budget)
}

/// The members that the table lists.
struct PartMembers<'a> {
    layer: String,
    toc: &'a Toc,
    plan: &'a PartPlan,
    limits: &'a ImageLimits,
    budget: &'a ReadBudget,
    /// Index of the next entry.
    next: usize,
    streams: Streams<'a>,
    buffer: Box<[u8]>,
    /// Bytes of the whole layer.
    size_bytes: u64,
    /// Bytes of contents that are nothing but zeros and lie nowhere.
    zero_bytes: u64,
    /// What the archive would be, as far as the table tells.
    unpacked_bytes: u64,
}

impl<'a> PartMembers<'a> {
    fn current(&self) -> usize {
        self.next.saturating_sub(1)
    }

    fn failed(&self, error: io::Error) -> LayerError {
        to_layer_error(error, &self.layer, self.toc.compression, self.unpacked_bytes, self.limits)
    }

    fn finish(self) -> Result<(), LayerError> {
        let (compression, offset) = (self.toc.compression, self.unpacked_bytes);
        let (layer, limits) = (&self.layer, self.limits);
        self.streams.finish().map_err(|error| to_layer_error(error, layer, compression, offset, limits))
    }

    /// Shows one chunk, and then holds it against its checksum.
    fn visit_chunk(&mut self, chunk: &Chunk, visit: &mut dyn FnMut(&[u8])) -> Result<(), LayerError> {
        let mut hasher = Sha256::new();
        match &chunk.place {
            Some(place) => {
                let before = self.streams.seek(place).map_err(|error| self.failed(error))?;
                self.inflate(before, &mut |_| {})?;
                self.inflate(chunk.size, &mut |bytes| {
                    hasher.update(bytes);
                    visit(bytes);
                })?;
            }
            None => {
                self.zero_bytes = self.zero_bytes.saturating_add(chunk.size);
                self.check_ratio().map_err(|breach| self.breach(breach))?;
                let mut left = chunk.size;
                self.buffer.fill(0);
                while left > 0 {
                    let step = usize::try_from(left).unwrap_or(usize::MAX).min(self.buffer.len());
                    hasher.update(&self.buffer[..step]);
                    visit(&self.buffer[..step]);
                    left -= step as u64;
                }
            }
        }
        let actual: [u8; 32] = hasher.finalize().into();
        if actual == chunk.checksum {
            return Ok(());
        }
        let entry = self.toc.entries.get(self.current());
        Err(LayerError::PartMismatch {
            layer: self.layer.clone(),
            path: entry
                .map(|entry| entry.name.chars().take(200).collect::<String>().into())
                .unwrap_or_default(),
            expected: Box::new(Digest::from_sha256(&chunk.checksum)),
            actual: Box::new(Digest::from_sha256(&actual)),
        })
    }

    fn inflate(&mut self, mut length: u64, visit: &mut dyn FnMut(&[u8])) -> Result<(), LayerError> {
        while length > 0 {
            let step = usize::try_from(length).unwrap_or(usize::MAX).min(self.buffer.len());
            let count = match self.streams.read(&mut self.buffer[..step]) {
                Ok(count) => count,
                Err(error) => return Err(self.failed(error)),
            };
            if count == 0 {
                return Err(LayerError::Truncated { layer: self.layer.clone(), offset: self.unpacked_bytes });
            }
            visit(&self.buffer[..count]);
            length -= count as u64;
            self.check_ratio().map_err(|breach| self.breach(breach))?;
        }
        Ok(())
    }

    /// What few bytes may become is what the whole layer might become.
    fn check_ratio(&self) -> Result<(), LimitBreach> {
        let inflated = self.streams.bytes_inflated.saturating_add(self.zero_bytes);
        if inflated <= self.limits.ratio_free_bytes {
            return Ok(());
        }
        let ratio = inflated.div_ceil(self.size_bytes.max(1));
        limits::check("unpacked bytes per compressed byte", ratio, self.limits.ratio_max)
    }
}

impl<'a> Members<'a> for PartMembers<'a> {
    fn next_member(&mut self, member: &mut Member) -> Result<bool, LayerError> {
        let Some(entry) = self.toc.entries.get(self.next) else { return Ok(false) };
        self.next += 1;
        let padded = entry.size.checked_next_multiple_of(BLOCK_BYTES).unwrap_or(u64::MAX);
        let bytes = padded.saturating_add(BLOCK_BYTES);
        self.unpacked_bytes = self.unpacked_bytes.saturating_add(bytes);
        self.budget.spend_unpacked(bytes, self.limits).map_err(|breach| self.breach(breach))?;
        entry.fill(member);
        Ok(true)
    }

    fn has_body(&self) -> bool {
        self.plan.is_needed(self.current())
    }

    fn skip_body(&mut self, _size: u64) -> Result<(), LayerError> {
        Ok(())
    }

    fn has_room_for_holes(&self, _member: &Member) -> bool {
        true
    }

    fn visit_content(&mut self, _member: &Member, mut visit: impl FnMut(&[u8])) -> Result<(), LayerError> {
        let toc = self.toc;
        let Some(entry) = toc.entries.get(self.current()) else { return Ok(()) };
        let chunks = toc.chunks.get(entry.chunk_range()).unwrap_or_default();
        chunks.iter().try_for_each(|chunk| self.visit_chunk(chunk, &mut visit))
    }

    fn read_content(&mut self, member: &Member) -> Result<Vec<u8>, LayerError> {
        let mut content = Vec::new();
        self.visit_content(member, |bytes| content.extend_from_slice(bytes))?;
        Ok(content)
    }

    fn bad(&self, problem: &'static str) -> LayerError {
        LayerError::BadArchive { layer: self.layer.clone(), offset: self.unpacked_bytes, problem }
    }

    fn breach(&self, breach: LimitBreach) -> LayerError {
        LayerError::Limit { layer: self.layer.clone(), breach }
    }

    fn limits(&self) -> &'a ImageLimits {
        self.limits
    }

    fn budget(&self) -> &'a ReadBudget {
        self.budget
    }
}
