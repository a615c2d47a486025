//! The first thread of a layer: the transported bytes are read, hashed and inflated, and go to the others piece by piece.
//!
//! A second thread hashes what comes of it, a third one walks over the archive and looks into files: of few large files hashing
//! takes longer, of many small ones the walk. A fixed number of buffers goes round between them, so whoever is faster waits.

use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use flate2::bufread::MultiGzDecoder;
use model::Digest;

use crate::Compression;
use crate::error::SourceFailure;
use crate::hashing::Hasher;
use crate::limits::{self, LimitBreach};

/// Large enough that a read, a hash update and a decoder call are rare next to the bytes they move.
const BUFFER_BYTES: usize = 256 * 1024;
/// Buffers that go round; what one layer has in flight is this often the size of one.
const BUFFERS_MAX: usize = 4;

/// The transported bytes: counted, hashed and held against the layer limit.
pub(crate) struct Source<'a> {
    reader: &'a mut (dyn Read + Send),
    hasher: Hasher,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    pub(crate) bytes_read: u64,
    bytes_max: u64,
}

impl<'a> Source<'a> {
    pub(crate) fn new(reader: &'a mut (dyn Read + Send), expected: Option<&Digest>, bytes_max: u64) -> Self {
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
    pub(crate) fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
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
        let count = self.fill_buf()?.read(out)?;
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

    fn source_mut(&mut self) -> &mut Source<'a> {
        match self {
            Self::Plain(source) => source,
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Zstd(decoder) => decoder.get_mut(),
        }
    }
}

/// Unpacked bytes. Whoever is the last to let go of them sends the buffer home, to be filled anew.
pub(crate) struct Filled {
    buffer: Box<[u8]>,
    length: usize,
    home: Sender<Box<[u8]>>,
}

impl Filled {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.length]
    }
}

impl Drop for Filled {
    fn drop(&mut self) {
        // Nobody takes it back when the first thread is done.
        let _ = self.home.send(std::mem::take(&mut self.buffer));
    }
}

/// What the first thread says.
pub(crate) enum Piece {
    /// More bytes; `consumed` transported bytes have gone into all so far.
    Bytes { filled: Arc<Filled>, consumed: u64 },
    /// That was all; both sides were read to their very end, because digests cover all bytes.
    End { digest: Digest, compressed_bytes: u64 },
    /// It could not go on.
    Failed(io::Error),
}

/// The second thread's work: hashing the unpacked bytes.
pub(crate) struct Hashing {
    pieces: Receiver<Arc<Filled>>,
    hasher: Hasher,
    finished: Sender<Digest>,
}

impl Hashing {
    /// Hashes until there is no more, which may be too early: whoever asks for the digest knows.
    pub(crate) fn run(mut self) {
        while let Ok(filled) = self.pieces.recv() {
            self.hasher.update(filled.bytes());
        }
        // Nobody wants it of a layer that was given up.
        let _ = self.finished.send(self.hasher.finish());
    }
}

/// The third thread's end.
pub(crate) struct Pieces {
    pub(crate) received: Receiver<Piece>,
    /// The digest of the unpacked bytes, once all have been received; `None` where they are the transported ones.
    pub(crate) hashed: Option<Receiver<Digest>>,
}

/// The work of the first thread.
pub(crate) struct Inflating<'a> {
    decoder: Decoder<'a>,
    pieces: SyncSender<Piece>,
    hashed_pieces: Option<Sender<Arc<Filled>>>,
    home: Sender<Box<[u8]>>,
    buffers: Receiver<Box<[u8]>>,
    /// Behind bytes that were still good.
    failure: Option<io::Error>,
}

/// All that has to run for the bytes of a layer to come.
pub(crate) struct Workers<'a> {
    pub(crate) inflating: Inflating<'a>,
    pub(crate) hashing: Option<Hashing>,
}

impl<'a> Workers<'a> {
    /// Prepares to inflate what a source delivers, and to hash what comes of it.
    pub(crate) fn new(
        source: Source<'a>,
        compression: Compression,
        zstd_window_log_max: u32,
        hasher: Option<Hasher>,
    ) -> io::Result<(Self, Pieces)> {
        let decoder = match compression {
            Compression::None => Decoder::Plain(source),
            Compression::Gzip => Decoder::Gzip(Box::new(MultiGzDecoder::new(source))),
            Compression::Zstd => Decoder::Zstd(open_zstd(source, zstd_window_log_max)?),
        };
        let (pieces, received) = sync_channel(BUFFERS_MAX);
        let (home, buffers) = channel();
        let (hashing, hashed_pieces, hashed) = match hasher {
            Some(hasher) => {
                let (sender, pieces) = channel();
                let (finished, hashed) = channel();
                (Some(Hashing { pieces, hasher, finished }), Some(sender), Some(hashed))
            }
            None => (None, None, None),
        };
        let inflating = Inflating { decoder, pieces, hashed_pieces, home, buffers, failure: None };
        Ok((Self { inflating, hashing }, Pieces { received, hashed }))
    }
}

impl Inflating<'_> {
    /// Inflates to the end, until something fails, or until nobody wants more.
    pub(crate) fn run(mut self) {
        let mut made = 0;
        loop {
            let buffer = match self.buffers.try_recv() {
                Ok(buffer) => buffer,
                Err(_) if made < BUFFERS_MAX => {
                    made += 1;
                    vec![0; BUFFER_BYTES].into_boxed_slice()
                }
                // However the others end, they let go of what they have.
                Err(_) => match self.buffers.recv() {
                    Ok(buffer) => buffer,
                    Err(_) => return,
                },
            };
            let piece = self.next_piece(buffer);
            if let (Piece::Bytes { filled, .. }, Some(hashed)) = (&piece, &self.hashed_pieces) {
                // If that thread is gone, there is no digest, which the third one will see.
                let _ = hashed.send(Arc::clone(filled));
            }
            let is_last = !matches!(piece, Piece::Bytes { .. });
            if self.pieces.send(piece).is_err() || is_last {
                return;
            }
        }
    }

    fn next_piece(&mut self, mut buffer: Box<[u8]>) -> Piece {
        if let Some(error) = self.failure.take() {
            return Piece::Failed(error);
        }
        let mut length = 0;
        while length < buffer.len() {
            match self.decoder.read(&mut buffer[length..]) {
                Ok(0) => break,
                Ok(count) => length += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // What came before the error is looked at first: it may be wrong for a reason that says more.
                Err(error) if length == 0 => return Piece::Failed(error),
                Err(error) => {
                    self.failure = Some(error);
                    break;
                }
            }
        }
        match length {
            0 => self.end(),
            _ => {
                let filled = Arc::new(Filled { buffer, length, home: self.home.clone() });
                Piece::Bytes { filled, consumed: self.decoder.source().consumed() }
            }
        }
    }

    /// Reads what the decoder left of the transported bytes.
    fn end(&mut self) -> Piece {
        let source = self.decoder.source_mut();
        loop {
            source.start = source.end;
            match source.fill_buf() {
                Ok([]) => break,
                Ok(_) => {}
                Err(error) => return Piece::Failed(error),
            }
        }
        Piece::End { digest: source.hasher.finish(), compressed_bytes: source.bytes_read }
    }
}

/// A decoder that takes no more memory than a window of so many bits.
pub(crate) fn open_zstd<R: BufRead>(
    source: R,
    window_log_max: u32,
) -> io::Result<zstd::stream::read::Decoder<'static, R>> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(source)?;
    decoder.window_log_max(window_log_max)?;
    Ok(decoder)
}
