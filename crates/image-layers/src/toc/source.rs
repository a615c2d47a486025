//! The fetched ranges of a layer, read as one stream in which every place of the layer is found again.

use std::io::{self, BufRead, Read};
use std::ops::Range;

use flate2::bufread::MultiGzDecoder;

use super::Place;
use crate::Compression;
use crate::error::SourceFailure;
use crate::inflate::open_zstd;

const BUFFER_BYTES: usize = 64 * 1024;

/// The bytes of the ranges, one after the other.
pub(super) struct RangeSource<'a> {
    reader: &'a mut dyn Read,
    ranges: &'a [Range<u64>],
    /// The range that `position` is in.
    current: usize,
    /// Where in the layer the next byte lies.
    position: u64,
    /// A decoder sees no byte behind this place.
    limit: u64,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl<'a> RangeSource<'a> {
    fn new(reader: &'a mut dyn Read, ranges: &'a [Range<u64>]) -> Self {
        let position = ranges.first().map_or(0, |range| range.start);
        let buffer = vec![0; BUFFER_BYTES].into_boxed_slice();
        Self { reader, ranges, current: 0, position, limit: position, buffer, start: 0, end: 0 }
    }

    /// Goes forward to a place, which lies within one range.
    fn seek(&mut self, place: &Range<u64>) -> io::Result<()> {
        let not_fetched = || io::Error::other("a place that was not fetched");
        loop {
            let range = self.ranges.get(self.current).ok_or_else(not_fetched)?;
            if place.start < self.position || place.start < range.start {
                return Err(not_fetched());
            }
            if place.end <= range.end {
                self.skip(place.start - self.position)?;
                self.limit = place.end;
                return Ok(());
            }
            self.skip(range.end - self.position)?;
            self.current += 1;
            self.position = self.ranges.get(self.current).ok_or_else(not_fetched)?.start;
        }
    }

    fn skip(&mut self, mut count: u64) -> io::Result<()> {
        while count > 0 {
            if self.start == self.end && !self.fill()? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let available = self.end - self.start;
            let step = usize::try_from(count).unwrap_or(usize::MAX).min(available);
            self.consume(step);
            count -= step as u64;
        }
        Ok(())
    }

    fn fill(&mut self) -> io::Result<bool> {
        loop {
            match self.reader.read(&mut self.buffer) {
                Ok(count) => {
                    (self.start, self.end) = (0, count);
                    return Ok(count > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(io::Error::other(SourceFailure(error))),
            }
        }
    }

    /// Reads what nobody needed, to the end.
    fn drain(&mut self) -> io::Result<()> {
        while self.fill()? {}
        Ok(())
    }
}

impl Read for RangeSource<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(out)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for RangeSource<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.position < self.limit && self.start == self.end {
            self.fill()?;
        }
        let room = usize::try_from(self.limit - self.position).unwrap_or(usize::MAX);
        Ok(&self.buffer[self.start..self.end.min(self.start.saturating_add(room))])
    }

    fn consume(&mut self, count: usize) {
        self.start += count;
        self.position += count as u64;
    }
}

enum Decoder<'a> {
    Idle(RangeSource<'a>),
    Gzip(Box<MultiGzDecoder<RangeSource<'a>>>),
    Zstd(zstd::stream::read::Decoder<'static, RangeSource<'a>>),
}

impl<'a> Decoder<'a> {
    fn into_source(self) -> RangeSource<'a> {
        match self {
            Self::Idle(source) => source,
            Self::Gzip(decoder) => decoder.into_inner(),
            Self::Zstd(decoder) => decoder.finish(),
        }
    }

    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Idle(_) => Ok(0),
            Self::Gzip(decoder) => decoder.read(out),
            Self::Zstd(decoder) => decoder.read(out),
        }
    }
}

/// Inflates one compressed stream after the other.
pub(super) struct Streams<'a> {
    compression: Compression,
    zstd_window_log_max: u32,
    /// `None` after an error.
    decoder: Option<Decoder<'a>>,
    /// Where the open stream begins.
    open: Option<u64>,
    /// Inflated bytes of it.
    inner: u64,
    /// Inflated bytes of all.
    pub(super) bytes_inflated: u64,
}

impl<'a> Streams<'a> {
    pub(super) fn new(
        reader: &'a mut dyn Read,
        ranges: &'a [Range<u64>],
        compression: Compression,
        zstd_window_log_max: u32,
    ) -> Self {
        let decoder = Some(Decoder::Idle(RangeSource::new(reader, ranges)));
        Self { compression, zstd_window_log_max, decoder, open: None, inner: 0, bytes_inflated: 0 }
    }

    /// Goes to a place. Places ascend. Returns how many inflated bytes are still to be passed over.
    pub(super) fn seek(&mut self, place: &Place) -> io::Result<u64> {
        let stopped = || io::Error::other("reading stopped before");
        if self.open == Some(place.packed.start) && self.inner <= place.inner {
            return Ok(place.inner - self.inner);
        }
        let mut source = self.decoder.take().ok_or_else(stopped)?.into_source();
        source.seek(&place.packed)?;
        self.decoder = Some(match self.compression {
            Compression::Zstd => Decoder::Zstd(open_zstd(source, self.zstd_window_log_max)?),
            Compression::Gzip | Compression::None => Decoder::Gzip(Box::new(MultiGzDecoder::new(source))),
        });
        (self.open, self.inner) = (Some(place.packed.start), 0);
        Ok(place.inner)
    }

    /// The next inflated bytes; zero at the end of the stream.
    pub(super) fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let Some(decoder) = &mut self.decoder else { return Ok(0) };
        loop {
            match decoder.read(out) {
                Ok(count) => {
                    self.inner += count as u64;
                    self.bytes_inflated += count as u64;
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads the rest of the ranges: whoever sends them waits for that.
    pub(super) fn finish(mut self) -> io::Result<()> {
        match self.decoder.take() {
            Some(decoder) => decoder.into_source().drain(),
            None => Ok(()),
        }
    }
}
