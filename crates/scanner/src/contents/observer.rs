//! Searches each content once, while its layer streams by.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use image_layers::{FileObserver, FileWishes};

use super::owned;
use super::search::{Gaps, Search};

/// A file with a zero byte in so much of its beginning is no text.
const TEXT_SAMPLE_BYTES: usize = 8 * 1024;

/// What was found in the files of one layer, by the number of the member.
#[derive(Debug, Clone, Default)]
pub(crate) struct LayerFindings {
    /// Sorted by member: which patterns are in it.
    pub(crate) matches: Vec<(u32, u16)>,
    /// Sorted by member: what was not searched.
    pub(crate) gaps: Vec<(u32, Gaps)>,
    /// The first member of which no matches were kept, because there are too many.
    pub(crate) matches_end: Option<u32>,
}

/// Bytes that all layers of an image keep together while they are read.
pub(crate) type KeptBytes = Arc<AtomicU64>;

/// Looks at the files of one layer.
pub(crate) struct LayerObserver {
    search: Arc<Search>,
    kept_bytes: KeptBytes,
    budget: usize,
    /// The beginning of the current file.
    buffer: Vec<u8>,
    is_binary: bool,
    is_longer: bool,
    found: Vec<u16>,
    findings: LayerFindings,
}

impl LayerObserver {
    pub(crate) fn new(search: Arc<Search>, kept_bytes: KeptBytes) -> Self {
        let budget = search.limits.backtracking_bytes_max;
        Self {
            search,
            kept_bytes,
            budget,
            buffer: Vec::new(),
            is_binary: false,
            is_longer: false,
            found: Vec::new(),
            findings: LayerFindings::default(),
        }
    }

    pub(crate) fn finish(self) -> LayerFindings {
        self.findings
    }
}

impl FileObserver for LayerObserver {
    fn start(&mut self, path: &str, size_bytes: u64) -> FileWishes {
        self.buffer.clear();
        self.is_binary = false;
        self.is_longer = false;
        // What is not kept here for want of room is read again if it is left in the image.
        let limits = &self.search.limits;
        let keeps_body = size_bytes <= limits.retrieved_file_bytes_max
            && self.search.paths.is_wanted(path)
            && self.kept_bytes.fetch_add(size_bytes, Ordering::Relaxed) + size_bytes
                <= limits.retrieved_bytes_max;
        FileWishes { keeps_body, has_package_checksums: owned::may_be_owned(path) }
    }

    fn read(&mut self, bytes: &[u8]) {
        if !self.search.is_needed() || self.is_longer {
            return;
        }
        let sample = &bytes[..bytes.len().min(TEXT_SAMPLE_BYTES.saturating_sub(self.buffer.len()))];
        self.is_binary |= sample.contains(&0);
        let room = self.search.limits.bytes_max(self.is_binary).saturating_sub(self.buffer.len());
        self.is_longer = bytes.len() > room;
        self.buffer.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn end(&mut self, member: u32) {
        if self.buffer.is_empty() && !self.is_longer {
            return;
        }
        self.found.clear();
        let gaps = self.search.run(&self.buffer, &mut self.budget, &mut self.found);
        let gaps = Gaps {
            rest_of_text: self.is_longer && !self.is_binary,
            rest_of_binary: self.is_longer && self.is_binary,
            long_line: gaps.long_line && !self.is_binary,
            long_piece: gaps.long_line && self.is_binary,
            ..gaps
        };
        if gaps.is_any() {
            self.findings.gaps.push((member, gaps));
        }
        if self.findings.matches.len() + self.found.len() > self.search.limits.matches_max {
            self.findings.matches_end.get_or_insert(member);
        } else {
            self.findings.matches.extend(self.found.iter().map(|pattern| (member, *pattern)));
        }
    }
}
