//! One entry of an archive that is being read: its content is inflated where it is wanted, and goes where it is needed.

use std::fmt;

use flate2::{Decompress, FlushDecompress, Status};

use super::archive::ArchiveReader;
use super::facts::Metadata;
use super::limits::Work;
use super::zip::LocalHeader;

const OUTPUT_BYTES: usize = 16 * 1024;

/// What becomes of the content.
#[derive(Debug)]
pub(super) enum Sink {
    Nothing,
    Metadata { kind: Metadata, content: Vec<u8>, is_larger: bool },
    Nested(Box<ArchiveReader>),
}

impl Sink {
    fn push(&mut self, bytes: &[u8], work: &mut Work) {
        match self {
            Self::Nothing => {}
            Self::Metadata { content, is_larger, .. } => {
                let room = work.limits.metadata_bytes_max.saturating_sub(content.len());
                *is_larger |= bytes.len() > room;
                content.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
            Self::Nested(reader) => reader.push(bytes, work),
        }
    }
}

/// Inflaters that are not in use. Making one costs more than inflating a small entry.
#[derive(Debug, Default)]
pub(super) struct Spares(Vec<Inflater>);

impl Spares {
    pub(super) fn take(&mut self) -> Inflater {
        self.0.pop().map_or_else(Inflater::new, Inflater::again)
    }

    pub(super) fn give_back(&mut self, inflater: Option<Inflater>) {
        self.0.extend(inflater);
    }
}

/// What inflating some bytes came to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inflated {
    /// How many were taken.
    pub(super) used: usize,
    pub(super) is_damaged: bool,
}

/// Inflates one entry after the other.
pub(super) struct Inflater {
    stream: Decompress,
    output: Vec<u8>,
    is_over: bool,
}

impl fmt::Debug for Inflater {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Inflater").field("is_over", &self.is_over).finish_non_exhaustive()
    }
}

impl Inflater {
    fn new() -> Self {
        Self { stream: Decompress::new(false), output: vec![0; OUTPUT_BYTES], is_over: false }
    }

    /// One that another entry has used, as if it were new.
    fn again(mut self) -> Self {
        self.stream.reset(false);
        Self { is_over: false, ..self }
    }

    fn inflate(&mut self, bytes: &[u8], sink: &mut Sink, work: &mut Work) -> Inflated {
        let mut used = 0;
        while !self.is_over && !work.is_over() {
            let (taken, given) = (self.stream.total_in(), self.stream.total_out());
            let status = self.stream.decompress(&bytes[used..], &mut self.output, FlushDecompress::None);
            let moved = |before, after: u64| usize::try_from(after - before).unwrap_or_default();
            let produced = moved(given, self.stream.total_out());
            let consumed = moved(taken, self.stream.total_in());
            used += consumed;
            work.count_inflated(produced);
            sink.push(&self.output[..produced], work);
            match status {
                Err(_) => return Inflated { used, is_damaged: true },
                Ok(Status::StreamEnd) => self.is_over = true,
                Ok(Status::Ok | Status::BufError) if produced < OUTPUT_BYTES && used == bytes.len() => break,
                Ok(Status::Ok | Status::BufError) if produced == 0 && consumed == 0 => {
                    return Inflated { used, is_damaged: true };
                }
                Ok(Status::Ok | Status::BufError) => {}
            }
        }
        Inflated { used, is_damaged: false }
    }
}

/// One entry.
#[derive(Debug)]
pub(super) struct OpenEntry {
    pub(super) name: String,
    /// Where its header is.
    pub(super) offset: u64,
    /// Whether lengths may stand behind it.
    pub(super) has_descriptor: bool,
    pub(super) sink: Sink,
    pub(super) inflater: Option<Inflater>,
}

impl OpenEntry {
    /// One whose content goes there; `inflater`: and is inflated before.
    pub(super) fn new(header: LocalHeader, offset: u64, sink: Sink, inflater: Option<Inflater>) -> Self {
        Self { name: header.name, offset, has_descriptor: header.has_descriptor, sink, inflater }
    }

    /// The next bytes, as they stand in the archive.
    pub(super) fn data(&mut self, bytes: &[u8], work: &mut Work) -> Inflated {
        match &mut self.inflater {
            Some(inflater) => inflater.inflate(bytes, &mut self.sink, work),
            None => {
                self.sink.push(bytes, work);
                Inflated { used: bytes.len(), is_damaged: false }
            }
        }
    }

    /// Whether the content has come to its own end.
    pub(super) fn is_content_over(&self) -> bool {
        self.inflater.as_ref().is_none_or(|inflater| inflater.is_over)
    }

    /// How many bytes were inflated.
    pub(super) fn passed(&self) -> u64 {
        self.inflater.as_ref().map_or(0, |inflater| inflater.stream.total_in())
    }

    /// From here on the content is only passed by.
    pub(super) fn give_up(&mut self) -> Sink {
        self.inflater = None;
        std::mem::replace(&mut self.sink, Sink::Nothing)
    }
}
