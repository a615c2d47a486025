//! From a registry's blob to the blocking reader of a layer, with a bounded number of bytes between them.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_RANGE, HeaderMap};
use model::Digest;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::error::ScanError;
use crate::progress::Progress;
use crate::registry::{RegistryClient, length};

/// So many pieces of at most some 10 kB wait for the reader.
const PIECES_MAX: usize = 16;

/// A piece of the blob. Without an `End` the transfer has failed, which must never look like a short layer.
enum Piece {
    Bytes(Bytes),
    End,
}

/// The writing side.
pub(crate) struct BlobSender(mpsc::Sender<Piece>);

/// The reading side, for a thread that may block.
pub(crate) struct BlobReader {
    pieces: mpsc::Receiver<Piece>,
    current: Bytes,
    is_at_end: bool,
}

pub(crate) fn pipe() -> (BlobSender, BlobReader) {
    let (sender, pieces) = mpsc::channel(PIECES_MAX);
    (BlobSender(sender), BlobReader { pieces, current: Bytes::new(), is_at_end: false })
}

impl BlobSender {
    /// Hands bytes over, waiting for room; `false` when the reader is gone.
    pub(crate) async fn send(&self, bytes: Bytes) -> bool {
        bytes.is_empty() || self.0.send(Piece::Bytes(bytes)).await.is_ok()
    }

    /// All was sent. Without this the reader sees a transfer that failed.
    pub(crate) async fn finish(self) {
        // A reader that is gone has said why itself.
        let _ = self.0.send(Piece::End).await;
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            if self.is_at_end {
                return Ok(0);
            }
            match self.pieces.blocking_recv() {
                Some(Piece::Bytes(bytes)) => self.current = bytes,
                Some(Piece::End) => self.is_at_end = true,
                None => return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "transfer stopped")),
            }
        }
        let count = self.current.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.current.split_to(count));
        Ok(count)
    }
}

/// What is transferred.
pub(crate) struct Transfer<'a> {
    pub(crate) client: &'a RegistryClient,
    pub(crate) digest: &'a Digest,
    /// What the descriptor promises.
    pub(crate) size: u64,
    pub(crate) layer_index: usize,
    pub(crate) progress: Option<&'a dyn Progress>,
}

impl Transfer<'_> {
    /// Sends the blob into the pipe; a connection that breaks in the middle is continued where it broke.
    ///
    /// Errors: `SizeMismatch` when there are more or fewer bytes than promised, `BlobMissing`, and those of the client.
    /// A reader that hangs up early ends the transfer without an error.
    pub(crate) async fn run(&self, sender: BlobSender) -> Result<(), ScanError> {
        let what = format!("layer `{}`", self.digest);
        let mut received = 0;
        let mut tries = 1;
        loop {
            match self.run_once(&sender, &mut received, &what).await {
                Ok(()) => return Ok(()),
                Err(error) if tries < self.client.tries_max() && is_broken_off(&error, self.size) => {
                    tracing::debug!(layer.digest = %self.digest, layer.received = received, "continuing a layer");
                    tries += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn run_once(&self, sender: &BlobSender, received: &mut u64, what: &str) -> Result<(), ScanError> {
        let response = self.client.blob(self.digest, *received, what).await?;
        let mut response = response.ok_or_else(|| ScanError::BlobMissing {
            name: self.digest.to_string(),
            referrer: "manifest".to_owned(),
        })?;
        // A server without ranges sends the blob from its start.
        let mut to_skip = if response.status() == StatusCode::PARTIAL_CONTENT {
            self.check_range(response.headers(), *received, what)?;
            0
        } else {
            *received
        };
        while let Some(mut bytes) = self.client.next_chunk(&mut response, what).await? {
            let skipped = to_skip.min(length(&bytes));
            to_skip -= skipped;
            drop(bytes.split_to(usize::try_from(skipped).unwrap_or(bytes.len())));
            *received += length(&bytes);
            if *received > self.size {
                return Err(self.wrong_size(*received, what));
            }
            if let Some(progress) = self.progress {
                progress.layer_bytes(self.layer_index, length(&bytes));
            }
            if !bytes.is_empty() && sender.0.send(Piece::Bytes(bytes)).await.is_err() {
                return Ok(());
            }
        }
        if *received < self.size {
            return Err(self.wrong_size(*received, what));
        }
        // A reader that is gone has said why itself.
        let _ = sender.0.send(Piece::End).await;
        Ok(())
    }

    fn wrong_size(&self, actual: u64, what: &str) -> ScanError {
        ScanError::SizeMismatch { what: what.to_owned(), expected: self.size, actual }
    }

    /// `bytes 100-199/200`: the answer must start where we asked.
    fn check_range(&self, headers: &HeaderMap, start: u64, what: &str) -> Result<(), ScanError> {
        let stated = headers.get(CONTENT_RANGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let begins = stated
            .strip_prefix("bytes ")
            .and_then(|rest| rest.split_once('-'))
            .map(|(first, _)| first.trim());
        if begins.and_then(|text| text.parse().ok()) == Some(start) {
            return Ok(());
        }
        Err(ScanError::BadAnswer {
            host: self.client.registry().to_owned(),
            what: what.to_owned(),
            problem: format!("asked for bytes from {start}, got another range"),
        })
    }
}

/// A connection that was cut, with or without noticing.
fn is_broken_off(error: &ScanError, size: u64) -> bool {
    match error {
        ScanError::Unreachable { .. } => true,
        ScanError::SizeMismatch { actual, .. } => *actual < size,
        _ => false,
    }
}

/// A local file that is read: counted, and stopped when nobody waits for it any more.
pub(crate) struct WatchedReader<R> {
    pub(crate) inner: R,
    pub(crate) stop: CancellationToken,
    pub(crate) layer_index: usize,
    pub(crate) progress: Option<Arc<dyn Progress>>,
}

impl<R: Read> Read for WatchedReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.is_cancelled() {
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "reading was stopped"));
        }
        let count = self.inner.read(buffer)?;
        if let Some(progress) = &self.progress {
            progress.layer_bytes(self.layer_index, u64::try_from(count).unwrap_or(u64::MAX));
        }
        Ok(count)
    }
}

/// A reader that may not leave its thread, for work on another one: this thread reads, a bounded number of pieces ahead.
pub(crate) fn pump<T: Send>(
    reader: &mut dyn Read,
    work: impl FnOnce(&mut (dyn Read + Send)) -> T + Send,
) -> T {
    let (sender, pieces) = std::sync::mpsc::sync_channel(PIECES_MAX);
    std::thread::scope(|scope| {
        let working = scope.spawn(move || work(&mut PumpedReader { pieces, current: io::Cursor::default() }));
        loop {
            let mut bytes = vec![0; PUMPED_BYTES];
            let piece = reader.read(&mut bytes).map(|count| {
                bytes.truncate(count);
                bytes
            });
            let is_last =
                piece.as_ref().map_or_else(|error| error.kind() != io::ErrorKind::Interrupted, Vec::is_empty);
            // Whoever is gone has said why himself.
            if sender.send(piece).is_err() || is_last {
                break;
            }
        }
        drop(sender);
        working.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

const PUMPED_BYTES: usize = 64 * 1024;

struct PumpedReader {
    pieces: std::sync::mpsc::Receiver<io::Result<Vec<u8>>>,
    current: io::Cursor<Vec<u8>>,
}

impl Read for PumpedReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.current.read(buffer)?;
        if count > 0 || buffer.is_empty() {
            return Ok(count);
        }
        // An empty piece is the end, and so is nobody who sends.
        let Ok(piece) = self.pieces.recv() else { return Ok(0) };
        self.current = io::Cursor::new(piece?);
        self.current.read(buffer)
    }
}
