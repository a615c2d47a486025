//! From the caller's reader to unpacked bytes, hashing on both sides.

use std::io::{self, BufRead, Read};

use flate2::bufread::MultiGzDecoder;
use model::Digest;

use crate::error::SourceFailure;
use crate::hashing::Hasher;
use crate::limits::{self, ImageLimits, LimitBreach, ReadBudget};
use crate::{Compression, LayerError};

/// Large enough that a read, a hash update and a decoder call are rare next to the bytes they move.
const BUFFER_BYTES: usize = 128 * 1024;

/// The transported bytes: counted, hashed and held against the layer limit.
pub(crate) struct Source<'a> {
    reader: &'a mut dyn Read,
    hasher: Hasher,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    bytes_read: u64,
    bytes_max: u64,
}

impl<'a> Source<'a> {
    fn new(reader: &'a mut dyn Read, expected: Option<&Digest>, bytes_max: u64) -> Self {
        let buffer = vec![0; BUFFER_BYTES].into_boxed_slice();
        Self {
            reader,
            hasher: Hasher::for_digest(expected),
            buffer,
            start: 0,
            end: 0,
            bytes_read: 0,
            bytes_max,
        }
    }

    /// Bytes that the decoder has taken.
    fn consumed(&self) -> u64 {
        self.bytes_read - (self.end - self.start) as u64
    }

    /// The next `count` bytes, fewer only at the end of the input.
    fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        while self.end < count && self.fill_behind()? {}
        Ok(&self.buffer[self.start..self.end])
    }

    fn fill_behind(&mut self) -> io::Result<bool> {
        loop {
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(count) => {
                    self.hasher.update(&self.buffer[self.end..self.end + count]);
                    self.bytes_read += count as u64;
                    self.end += count;
                    limits::check("compressed bytes", self.bytes_read, self.bytes_max)
                        .map_err(LimitBreach::into_io)?;
                    return Ok(count > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(io::Error::other(SourceFailure(error))),
            }
        }
    }
}

impl Read for Source<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(out.len());
        out[..count].copy_from_slice(&available[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Source<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            self.fill_behind()?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    fn consume(&mut self, count: usize) {
        self.start += count;
    }
}

enum Decoder<'a> {
    Plain(Source<'a>),
    Gzip(Box<MultiGzDecoder<Source<'a>>>),
    Zstd(zstd::stream::read::Decoder<'static, Source<'a>>),
}

impl<'a> Decoder<'a> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(source) => source.read(out),
            Self::Gzip(decoder) => decoder.read(out),
            Self::Zstd(decoder) => decoder.read(out),
        }
    }

    fn source(&self) -> &Source<'a> {
        match self {
            Self::Plain(source) => source,
            Self::Gzip(decoder) => decoder.get_ref(),
            Self::Zstd(decoder) => decoder.get_ref(),
        }
    }

    fn into_source(self) -> Source<'a> {
        match self {
            Self::Plain(source) => source,
            Self::Gzip(decoder) => decoder.into_inner(),
            Self::Zstd(decoder) => decoder.finish(),
        }
    }
}

/// What the whole stream turned out to be.
pub(crate) struct StreamFacts {
    pub(crate) digest: Digest,
    pub(crate) diff_id: Digest,
    pub(crate) compressed_bytes: u64,
    pub(crate) unpacked_bytes: u64,
}

/// The unpacked bytes: counted, hashed, held against the limits, and readable by length.
pub(crate) struct Unpacked<'a> {
    layer: String,
    compression: Compression,
    decoder: Decoder<'a>,
    hasher: Hasher,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    bytes_unpacked: u64,
    limits: &'a ImageLimits,
    budget: &'a ReadBudget,
}

impl<'a> Unpacked<'a> {
    /// Starts reading. The first bytes decide about the compression; a declared one must agree with them.
    pub(crate) fn open(
        input: crate::LayerInput<'a>,
        limits: &'a ImageLimits,
        budget: &'a ReadBudget,
    ) -> Result<Self, LayerError> {
        let layer = match (&input.digest, &input.diff_id) {
            (Some(digest), _) | (None, Some(digest)) => digest.to_string(),
            (None, None) => "unnamed".to_owned(),
        };
        let mut source = Source::new(input.reader, input.digest.as_ref(), limits.layer_bytes_max);
        let found = match source.peek(4) {
            Ok(head) => Compression::sniff(head),
            Err(error) => return Err(to_layer_error(error, &layer, Compression::None, 0)),
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
        let decoder = match found {
            Compression::None => Decoder::Plain(source),
            Compression::Gzip => Decoder::Gzip(Box::new(MultiGzDecoder::new(source))),
            Compression::Zstd => Decoder::Zstd(
                open_zstd(source, limits.zstd_window_log_max)
                    .map_err(|error| to_layer_error(error, &layer, found, 0))?,
            ),
        };
        Ok(Self {
            layer,
            compression: found,
            decoder,
            hasher: Hasher::for_digest(input.diff_id.as_ref()),
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
            start: 0,
            end: 0,
            bytes_unpacked: 0,
            limits,
            budget,
        })
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

    /// Unpacks the next piece; false at the end.
    fn fill(&mut self) -> Result<bool, LayerError> {
        let count = loop {
            match self.decoder.read(&mut self.buffer) {
                Ok(count) => break count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(self.decoder_error(error));
                }
            }
        };
        (self.start, self.end) = (0, count);
        self.hasher.update(&self.buffer[..count]);
        self.bytes_unpacked += count as u64;
        self.check_totals(count as u64).map_err(|breach| self.breach(breach))?;
        Ok(count > 0)
    }

    fn decoder_error(&self, error: io::Error) -> LayerError {
        // The library has no code for a window above the limit, only this text.
        if self.compression == Compression::Zstd && error.to_string().contains("too much memory") {
            let maximum = u64::from(self.limits.zstd_window_log_max);
            let limit = "bits of zstd window";
            return self.breach(LimitBreach { limit, value: maximum + 1, maximum, path: None });
        }
        to_layer_error(error, &self.layer, self.compression, self.bytes_unpacked)
    }

    fn check_totals(&self, count: u64) -> Result<(), LimitBreach> {
        self.budget.spend_unpacked(count, self.limits)?;
        if self.bytes_unpacked > self.limits.ratio_free_bytes {
            let consumed = self.decoder.source().consumed().max(1);
            // Rounded up, so that one byte above the ratio counts.
            limits::check(
                "unpacked bytes per compressed byte",
                self.bytes_unpacked.div_ceil(consumed),
                self.limits.ratio_max,
            )?;
        }
        Ok(())
    }

    /// Fills `out` completely. `Ok(false)` when the stream is at its end before the first byte.
    pub(crate) fn read_full(&mut self, out: &mut [u8]) -> Result<bool, LayerError> {
        let mut done = 0;
        while done < out.len() {
            if self.start == self.end && !self.fill()? {
                return if done == 0 { Ok(false) } else { Err(self.truncated()) };
            }
            let count = (self.end - self.start).min(out.len() - done);
            out[done..done + count].copy_from_slice(&self.buffer[self.start..self.start + count]);
            self.start += count;
            done += count;
        }
        Ok(true)
    }

    /// Appends exactly `length` bytes to `out`. Room is made as bytes come, not as a header promises them.
    pub(crate) fn read_into(&mut self, mut length: u64, out: &mut Vec<u8>) -> Result<(), LayerError> {
        while length > 0 {
            if self.start == self.end && !self.fill()? {
                return Err(self.truncated());
            }
            let available = &self.buffer[self.start..self.end];
            let count = usize::try_from(length).unwrap_or(usize::MAX).min(available.len());
            out.extend_from_slice(&available[..count]);
            self.start += count;
            length -= count as u64;
        }
        Ok(())
    }

    /// Passes over exactly `length` bytes.
    pub(crate) fn skip(&mut self, length: u64) -> Result<(), LayerError> {
        self.visit(length, &mut |_| {})
    }

    /// Passes over exactly `length` bytes and shows them piece by piece.
    pub(crate) fn visit(&mut self, mut length: u64, visit: &mut dyn FnMut(&[u8])) -> Result<(), LayerError> {
        while length > 0 {
            if self.start == self.end && !self.fill()? {
                return Err(self.truncated());
            }
            let count = usize::try_from(length).unwrap_or(usize::MAX).min(self.end - self.start);
            visit(&self.buffer[self.start..self.start + count]);
            self.start += count;
            length -= count as u64;
        }
        Ok(())
    }

    /// Reads to the very end on both sides, because digests cover all bytes.
    pub(crate) fn finish(mut self) -> Result<StreamFacts, LayerError> {
        while self.fill()? {}
        let unpacked_bytes = self.bytes_unpacked;
        let mut source = self.decoder.into_source();
        loop {
            source.start = source.end;
            match source.fill_buf() {
                Ok([]) => break,
                Ok(_) => {}
                Err(error) => {
                    return Err(to_layer_error(error, &self.layer, self.compression, unpacked_bytes));
                }
            }
        }
        Ok(StreamFacts {
            compressed_bytes: source.bytes_read,
            digest: source.hasher.finish(),
            diff_id: self.hasher.finish(),
            unpacked_bytes,
        })
    }
}

fn open_zstd(
    source: Source<'_>,
    window_log_max: u32,
) -> io::Result<zstd::stream::read::Decoder<'static, Source<'_>>> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(source)?;
    decoder.window_log_max(window_log_max)?;
    Ok(decoder)
}

/// Says whose fault an error is: a limit, the caller's reader, an early end or damaged data.
fn to_layer_error(error: io::Error, layer: &str, compression: Compression, offset: u64) -> LayerError {
    let layer = layer.to_owned();
    if let Some(breach) = LimitBreach::from_io(&error) {
        return LayerError::Limit { layer, breach: breach.clone() };
    }
    if error.get_ref().is_some_and(|inner| inner.is::<SourceFailure>()) {
        let failure = error.into_inner().and_then(|inner| inner.downcast::<SourceFailure>().ok());
        let source = failure.map_or_else(|| io::Error::other("reader failed"), |failure| failure.0);
        return LayerError::Source { layer, source };
    }
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return LayerError::Truncated { layer, offset };
    }
    LayerError::BadCompression { layer, compression, offset, source: error }
}
