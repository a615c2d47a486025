//! Which bytes of a layer are needed when only some of its files are.

use std::ops::Range;

use super::Toc;
use crate::extract::FileStart;
use crate::path;
use crate::tar_stream::MemberKind;

/// How the bytes of a layer are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanLimits {
    /// Bytes that nobody needs between two needed ones, and that are still fetched to spare a request.
    pub gap_bytes_max: u64,
    /// Requests; with more, larger gaps are fetched.
    pub ranges_max: usize,
}

/// The needed files of a layer, and where their bytes lie.
#[derive(Debug, Clone)]
pub struct PartPlan {
    /// By entry of the table.
    is_needed: Vec<bool>,
    ranges: Vec<Range<u64>>,
}

impl PartPlan {
    /// What has to be fetched, ascending, without overlaps.
    pub fn ranges(&self) -> &[Range<u64>] {
        &self.ranges
    }

    /// How many bytes that is.
    pub fn byte_count(&self) -> u64 {
        self.ranges.iter().map(|range| range.end - range.start).sum()
    }

    pub(super) fn is_needed(&self, entry: usize) -> bool {
        self.is_needed.get(entry).copied().unwrap_or_default()
    }
}

impl Toc {
    /// Asks of every file whether its content is needed.
    pub fn plan(&self, needs: &mut dyn FnMut(&FileStart<'_>) -> bool, limits: &PlanLimits) -> PartPlan {
        let mut path = String::new();
        let mut is_needed = Vec::with_capacity(self.entries.len());
        let mut pieces: Vec<Range<u64>> = Vec::new();
        for entry in &self.entries {
            let chunks = self.chunks.get(entry.chunk_range()).unwrap_or_default();
            if entry.kind != MemberKind::File || chunks.is_empty() {
                // What is empty is there without being fetched.
                is_needed.push(entry.size == 0);
                continue;
            }
            path::normalise(entry.name.as_bytes(), &mut path);
            let start =
                FileStart { path: &path, size_bytes: entry.size, is_executable: entry.mode & 0o111 != 0 };
            let is_wanted = needs(&start);
            is_needed.push(is_wanted);
            if is_wanted {
                let places = chunks.iter().filter_map(|chunk| chunk.place.as_ref());
                pieces.extend(places.map(|place| place.packed.clone()));
            }
        }
        let mut gap = limits.gap_bytes_max;
        let mut ranges = join(pieces, gap);
        while ranges.len() > limits.ranges_max.max(1) {
            gap = gap.saturating_mul(2).max(1);
            ranges = join(ranges, gap);
        }
        PartPlan { is_needed, ranges }
    }
}

/// Joins pieces, which ascend, where they overlap or are near each other.
fn join(pieces: Vec<Range<u64>>, gap: u64) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for piece in pieces {
        match ranges.last_mut() {
            Some(last) if piece.start <= last.end.saturating_add(gap) => last.end = last.end.max(piece.end),
            _ => ranges.push(piece),
        }
    }
    ranges
}
