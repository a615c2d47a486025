//! From the entries of a document to a table in which every content has one place, behind all earlier ones.

use std::mem;
use std::ops::Range;

use model::{Digest, DigestAlgorithm};

use super::document::{RawChunkType, RawEntry, RawKind};
use super::{Checksum, Chunk, Place, Toc, TocEntry, TocError};
use crate::Compression;
use crate::tar_stream::MemberKind;

/// How names show bytes that JSON cannot hold; another name than the archive has.
const NO_CHARACTER: char = char::REPLACEMENT_CHARACTER;

/// Checks the entries against each other. The contents lie before `data_end`.
///
/// Errors: `Unusable`, where they lie in another order than the archive, overlap, leave gaps in files, or have no checksum that is
/// known here. Nothing of that is a lie by itself: whoever wants to know reads the whole layer.
pub(super) fn build(
    raw_entries: Vec<RawEntry>,
    compression: Compression,
    data_end: u64,
) -> Result<Toc, TocError> {
    let mut builder = Builder {
        toc: Toc { compression, entries: Vec::new(), chunks: Vec::new() },
        starts: Vec::new(),
        file: Vec::new(),
        occupied: 0,
        data_end,
    };
    for raw in raw_entries {
        if raw.name.contains(NO_CHARACTER) || raw.link_name.contains(NO_CHARACTER) {
            return Err(TocError::Unusable("a path in it is not text"));
        }
        if raw.name.contains('\0') || raw.link_name.contains('\0') {
            return Err(TocError::Unusable("a path in it has a zero byte"));
        }
        if raw.kind == RawKind::Chunk {
            builder.add_chunk(raw)?;
            continue;
        }
        builder.end_file()?;
        builder.add_entry(raw)?;
    }
    builder.end_file()?;
    builder.find_ends();
    Ok(builder.toc)
}

struct Builder {
    toc: Toc,
    /// Where the compressed bytes of each chunk begin, and where those of its file end if that is said.
    starts: Vec<Option<Start>>,
    /// Pieces of the last file, as written but for its name.
    file: Vec<RawEntry>,
    /// All bytes before this belong to earlier files that say where they end.
    occupied: u64,
    data_end: u64,
}

#[derive(Clone, Copy)]
struct Start {
    offset: u64,
    inner: u64,
    size: u64,
    file_end: Option<u64>,
}

impl Builder {
    fn add_entry(&mut self, mut raw: RawEntry) -> Result<(), TocError> {
        let kind = match raw.kind {
            RawKind::Dir => MemberKind::Folder,
            RawKind::Reg => MemberKind::File,
            RawKind::Symlink => MemberKind::Symlink,
            RawKind::Hardlink => MemberKind::HardLink,
            RawKind::Char | RawKind::Block | RawKind::Fifo | RawKind::Chunk => MemberKind::Other,
        };
        let size = if kind == MemberKind::File { raw.size } else { 0 };
        let count = self.chunk_count()?;
        self.toc.entries.push(TocEntry {
            name: mem::take(&mut raw.name),
            link: mem::take(&mut raw.link_name),
            kind,
            size,
            // Only some of the lowest bits mean anything.
            mode: u32::try_from(raw.mode & u64::from(u32::MAX)).unwrap_or_default(),
            user_id: raw.uid,
            group_id: raw.gid,
            chunks: count..count,
        });
        if size > 0 {
            self.file.push(raw);
        }
        Ok(())
    }

    fn add_chunk(&mut self, raw: RawEntry) -> Result<(), TocError> {
        // While a file has pieces it is the last entry.
        match self.toc.entries.last() {
            Some(entry) if !self.file.is_empty() && entry.name == raw.name => {
                self.file.push(raw);
                Ok(())
            }
            _ => Err(TocError::Unusable("a part in it follows no file of its name")),
        }
    }

    /// Puts the pieces of the last file together: they fill it without gaps.
    fn end_file(&mut self) -> Result<(), TocError> {
        let pieces = mem::take(&mut self.file);
        let Some(first) = pieces.first() else { return Ok(()) };
        let file_end = first.end_offset;
        let mut at = 0;
        for (index, piece) in pieces.iter().enumerate() {
            let end = pieces.get(index + 1).map_or(first.size, |next| next.chunk_offset);
            let size = end.checked_sub(at).filter(|size| *size > 0);
            let size = size.filter(|size| piece.chunk_size == 0 || piece.chunk_size == *size);
            let Some(size) = size.filter(|_| piece.chunk_offset == at) else {
                return Err(TocError::Unusable("parts of a file in it leave gaps or overlap"));
            };
            at = end;
            let digest = match &piece.chunk_digest {
                Some(digest) => Some(digest),
                None if pieces.len() == 1 => first.digest.as_ref(),
                None => None,
            };
            let checksum = digest.and_then(|text| to_checksum(text));
            let checksum = checksum.ok_or(TocError::Unusable("a part of a file in it has no SHA-256"))?;
            let is_zeros = piece.chunk_type == Some(RawChunkType::Zeros);
            let (offset, inner) = (piece.offset, piece.inner_offset);
            let start = Start { offset, inner, size, file_end };
            if !is_zeros {
                self.check_start(start)?;
            }
            self.starts.push((!is_zeros).then_some(start));
            self.toc.chunks.push(Chunk { place: None, size, checksum });
        }
        if let Some(end) = file_end {
            self.occupied = self.occupied.max(end);
        }
        let end = self.chunk_count()?;
        if let Some(entry) = self.toc.entries.last_mut() {
            entry.chunks.end = end;
        }
        Ok(())
    }

    /// A content begins behind the content before it, in the same compressed stream or in a later one.
    fn check_start(&self, start: Start) -> Result<(), TocError> {
        let is_behind = match self.starts.iter().rev().flatten().next() {
            None => true,
            Some(last) if last.offset == start.offset => {
                last.inner.checked_add(last.size).is_some_and(|end| end <= start.inner)
            }
            Some(last) => last.offset < start.offset,
        };
        let end = start.file_end.unwrap_or(self.data_end);
        if is_behind && start.offset >= self.occupied && start.offset < end && end <= self.data_end {
            return Ok(());
        }
        Err(TocError::Unusable("contents in it overlap, or are not in the order of the archive"))
    }

    /// A compressed stream ends at the latest where the next one begins.
    fn find_ends(&mut self) {
        let mut next = self.data_end;
        let mut current = self.data_end;
        for (chunk, start) in self.toc.chunks.iter_mut().zip(&self.starts).rev() {
            let Some(start) = start else { continue };
            if start.offset < current {
                next = current;
                current = start.offset;
            }
            let end = start.file_end.map_or(next, |end| end.min(next));
            chunk.place = Some(Place { packed: Range { start: start.offset, end }, inner: start.inner });
        }
    }

    fn chunk_count(&self) -> Result<u32, TocError> {
        u32::try_from(self.toc.chunks.len()).map_err(|_| TocError::Unusable("it has too many parts"))
    }
}

fn to_checksum(text: &str) -> Option<Checksum> {
    let digest: Digest = text.parse().ok()?;
    if digest.algorithm() != DigestAlgorithm::Sha256 {
        return None;
    }
    let mut checksum = [0; 32];
    for (byte, pair) in checksum.iter_mut().zip(digest.hex().as_bytes().chunks_exact(2)) {
        let text = str::from_utf8(pair).ok()?;
        *byte = u8::from_str_radix(text, 16).ok()?;
    }
    Some(checksum)
}
