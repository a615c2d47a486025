//! The third thread's view of a layer: the unpacked bytes, held against the limits, readable by length.

use std::io;
use std::sync::Arc;

use model::{Digest, DigestAlgorithm};

use crate::error::SourceFailure;
use crate::hashing::Hasher;
use crate::inflate::{Filled, Piece, Pieces, Source, Workers};
use crate::limits::{self, ImageLimits, LimitBreach, ReadBudget};
use crate::{Compression, LayerError};

/// What the whole stream turned out to be.
pub(crate) struct StreamFacts {
    pub(crate) digest: Digest,
    pub(crate) diff_id: Digest,
    pub(crate) compressed_bytes: u64,
    pub(crate) unpacked_bytes: u64,
}

/// The unpacked bytes: counted, held against the limits, and readable by length.
pub(crate) struct Unpacked<'a> {
    layer: String,
    compression: Compression,
    pieces: Pieces,
    filled: Option<Arc<Filled>>,
    start: usize,
    end: usize,
    bytes_unpacked: u64,
    /// Transported bytes that became these.
    bytes_consumed: u64,
    /// Digest and number of the transported bytes, when the end was seen.
    ended: Option<(Digest, u64)>,
    limits: &'a ImageLimits,
    budget: &'a ReadBudget,
}

impl<'a> Unpacked<'a> {
    /// Starts reading. The first bytes decide about the compression; a declared one must agree with them.
    ///
    /// The other parts of the work have to run on other threads, or nothing comes.
    pub(crate) fn open(
        input: crate::LayerInput<'a>,
        limits: &'a ImageLimits,
        budget: &'a ReadBudget,
    ) -> Result<(Self, Workers<'a>), LayerError> {
        let layer = match (&input.digest, &input.diff_id) {
            (Some(digest), _) | (None, Some(digest)) => digest.to_string(),
            (None, None) => "unnamed".to_owned(),
        };
        let mut source = Source::new(input.reader, input.digest.as_ref(), limits.layer_bytes_max);
        let found = match source.peek(4) {
            Ok(head) => Compression::sniff(head),
            Err(error) => return Err(to_layer_error(error, &layer, Compression::None, 0, limits)),
        };
        if let Some(declared) = input.compression
            && declared != found
        {
            // Nothing at all is an early end, not another compression.
            return Err(match source.bytes_read {
                0 => LayerError::Truncated { layer, offset: 0 },
                _ => LayerError::WrongCompression { layer, declared, found },
            });
        }
        let algorithm =
            |digest: &Option<Digest>| digest.as_ref().map_or(DigestAlgorithm::Sha256, Digest::algorithm);
        let is_same = found == Compression::None && algorithm(&input.digest) == algorithm(&input.diff_id);
        // The same bytes have the same hash.
        let hasher = (!is_same).then(|| Hasher::for_digest(input.diff_id.as_ref()));
        let (workers, pieces) = Workers::new(source, found, limits.zstd_window_log_max, hasher)
            .map_err(|error| to_layer_error(error, &layer, found, 0, limits))?;
        let unpacked = Self {
            layer,
            compression: found,
            pieces,
            filled: None,
            start: 0,
            end: 0,
            bytes_unpacked: 0,
            bytes_consumed: 0,
            ended: None,
            limits,
            budget,
        };
        Ok((unpacked, workers))
    }

    /// The name of the layer in errors.
    pub(crate) fn layer(&self) -> &str {
        &self.layer
    }

    /// Offset of the next byte that the caller has not seen.
    pub(crate) fn offset(&self) -> u64 {
        self.bytes_unpacked - (self.end - self.start) as u64
    }

    pub(crate) fn limits(&self) -> &'a ImageLimits {
        self.limits
    }

    pub(crate) fn budget(&self) -> &'a ReadBudget {
        self.budget
    }

    pub(crate) fn breach(&self, breach: LimitBreach) -> LayerError {
        LayerError::Limit { layer: self.layer.clone(), breach }
    }

    pub(crate) fn truncated(&self) -> LayerError {
        LayerError::Truncated { layer: self.layer.clone(), offset: self.bytes_unpacked }
    }

    /// Takes the next piece; false at the end.
    fn fill(&mut self) -> Result<bool, LayerError> {
        if self.ended.is_some() {
            return Ok(false);
        }
        self.filled = None;
        (self.start, self.end) = (0, 0);
        match self.pieces.received.recv() {
            Ok(Piece::Bytes { filled, consumed }) => {
                let length = filled.bytes().len();
                (self.filled, self.end, self.bytes_consumed) = (Some(filled), length, consumed);
                self.bytes_unpacked += length as u64;
                self.check_totals(length as u64).map_err(|breach| self.breach(breach))?;
                Ok(true)
            }
            Ok(Piece::End { digest, compressed_bytes }) => {
                self.ended = Some((digest, compressed_bytes));
                Ok(false)
            }
            Ok(Piece::Failed(error)) => {
                let (layer, offset) = (&self.layer, self.bytes_unpacked);
                Err(to_layer_error(error, layer, self.compression, offset, self.limits))
            }
            Err(_) => Err(self.stopped("the thread that inflates stopped")),
        }
    }

    fn stopped(&self, what: &'static str) -> LayerError {
        LayerError::Source { layer: self.layer.clone(), source: io::Error::other(what) }
    }

    fn check_totals(&self, count: u64) -> Result<(), LimitBreach> {
        self.budget.spend_unpacked(count, self.limits)?;
        if self.bytes_unpacked > self.limits.ratio_free_bytes {
            let consumed = self.bytes_consumed.max(1);
            // Rounded up, so that one byte above the ratio counts.
            limits::check(
                "unpacked bytes per compressed byte",
                self.bytes_unpacked.div_ceil(consumed),
                self.limits.ratio_max,
            )?;
        }
        Ok(())
    }

    /// What of the current piece was not seen yet.
    fn available(&self) -> &[u8] {
        self.filled.as_ref().map_or(&[], |filled| &filled.bytes()[self.start..])
    }

    /// Fills `out` completely. `Ok(false)` when the stream is at its end before the first byte.
    pub(crate) fn read_full(&mut self, out: &mut [u8]) -> Result<bool, LayerError> {
        if let Some(bytes) = self.available().get(..out.len()) {
            out.copy_from_slice(bytes);
            self.start += out.len();
            return Ok(true);
        }
        let mut done = 0;
        while done < out.len() {
            if self.start == self.end && !self.fill()? {
                return if done == 0 { Ok(false) } else { Err(self.truncated()) };
            }
            let available = self.available();
            let count = available.len().min(out.len() - done);
            out[done..done + count].copy_from_slice(&available[..count]);
            self.start += count;
            done += count;
        }
        Ok(true)
    }

    /// Appends exactly `length` bytes to `out`. Room is made as bytes come, not as a header promises them.
    pub(crate) fn read_into(&mut self, length: u64, out: &mut Vec<u8>) -> Result<(), LayerError> {
        self.visit(length, |bytes| out.extend_from_slice(bytes))
    }

    /// Passes over exactly `length` bytes.
    pub(crate) fn skip(&mut self, length: u64) -> Result<(), LayerError> {
        self.visit(length, |_| {})
    }

    /// Passes over exactly `length` bytes and shows them piece by piece.
    pub(crate) fn visit(&mut self, mut length: u64, mut visit: impl FnMut(&[u8])) -> Result<(), LayerError> {
        while length > 0 {
            if self.start == self.end && !self.fill()? {
                return Err(self.truncated());
            }
            let available = self.available();
            let count = usize::try_from(length).unwrap_or(usize::MAX).min(available.len());
            visit(&available[..count]);
            self.start += count;
            length -= count as u64;
        }
        Ok(())
    }

    /// Reads to the very end, because digests cover all bytes.
    pub(crate) fn finish(mut self) -> Result<StreamFacts, LayerError> {
        while self.fill()? {}
        let (digest, compressed_bytes) = self.ended.take().ok_or_else(|| self.truncated())?;
        let diff_id = match &self.pieces.hashed {
            Some(hashed) => hashed.recv().map_err(|_| self.stopped("the thread that hashes stopped"))?,
            None => digest.clone(),
        };
        Ok(StreamFacts { digest, diff_id, compressed_bytes, unpacked_bytes: self.bytes_unpacked })
    }
}

/// Says whose fault an error is: a limit, the caller's reader, an early end or damaged data.
pub(crate) fn to_layer_error(
    error: io::Error,
    layer: &str,
    compression: Compression,
    offset: u64,
    limits: &ImageLimits,
) -> LayerError {
    let layer = layer.to_owned();
    if let Some(breach) = LimitBreach::from_io(&error) {
        return LayerError::Limit { layer, breach: breach.clone() };
    }
    if error.get_ref().is_some_and(|inner| inner.is::<SourceFailure>()) {
        let failure = error.into_inner().and_then(|inner| inner.downcast::<SourceFailure>().ok());
        let source = failure.map_or_else(|| io::Error::other("reader failed"), |failure| failure.0);
        return LayerError::Source { layer, source };
    }
    // The library has no code for a window above the limit, only this text.
    if compression == Compression::Zstd && error.to_string().contains("too much memory") {
        let maximum = u64::from(limits.zstd_window_log_max);
        let limit = "bits of zstd window";
        let breach = LimitBreach { limit, value: maximum + 1, maximum, path: None };
        return LayerError::Limit { layer, breach };
    }
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return LayerError::Truncated { layer, offset };
    }
    LayerError::BadCompression { layer, compression, offset, source: error }
}
