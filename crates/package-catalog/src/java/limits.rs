//! What reading one Java archive may cost.

use super::entry::Spares;

const MIB: u64 = 1 << 20;

/// Limits of one archive file with all archives in it. Every value is the largest that is still accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveLimits {
    /// Archives in archives: the file itself is at depth 0.
    pub nesting_max: usize,
    /// Entries of all archives together.
    pub entries_max: u64,
    /// Bytes that come out of all compressed entries that are looked into.
    pub inflated_bytes_max: u64,
    /// How many times its own size a file may become. Small files may become [`Self::ratio_bytes_free`] in any case.
    pub ratio_max: u64,
    /// Bytes that may come out whatever the ratio is.
    pub ratio_bytes_free: u64,
    /// Bytes of one manifest's main part, of Maven properties or of a Maven project file.
    pub metadata_bytes_max: usize,
    /// Problems that are told one by one, by file.
    pub problems_max: usize,
}

impl Default for ArchiveLimits {
    /// Several times what the largest known archives have.
    fn default() -> Self {
        Self {
            nesting_max: 8,
            entries_max: 1_000_000,
            inflated_bytes_max: 8 * 1024 * MIB,
            ratio_max: 50,
            ratio_bytes_free: 64 * MIB,
            metadata_bytes_max: 1 << 20,
            problems_max: 100,
        }
    }
}

/// What one file has taken of them so far.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) limits: ArchiveLimits,
    /// Bytes of sections that may be kept.
    pub(super) kept_bytes_max: usize,
    file_bytes: u64,
    entries: u64,
    inflated_bytes: u64,
    kept_bytes: usize,
    section_bytes: usize,
    problems: usize,
    /// The limit that ended it all.
    pub(super) over: Option<String>,
    pub(super) spares: Spares,
    /// What is finished.
    pub(super) sections: Vec<Vec<u8>>,
}

impl Work {
    pub(super) fn new(limits: &ArchiveLimits, kept_bytes_max: usize) -> Self {
        Self { limits: limits.clone(), kept_bytes_max, ..Self::default() }
    }

    pub(super) fn start(&mut self, file_bytes: u64) {
        let spares = std::mem::take(&mut self.spares);
        *self = Self { spares, ..Self::new(&self.limits, self.kept_bytes_max) };
        self.file_bytes = file_bytes;
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.is_some()
    }

    pub(super) fn count_entry(&mut self) {
        self.entries += 1;
        if self.entries > self.limits.entries_max {
            self.stop(format!("more than {} entries", self.limits.entries_max));
        }
    }

    pub(super) fn count_inflated(&mut self, bytes: usize) {
        self.inflated_bytes += bytes as u64;
        let by_ratio =
            self.file_bytes.saturating_mul(self.limits.ratio_max).max(self.limits.ratio_bytes_free);
        if self.inflated_bytes > self.limits.inflated_bytes_max {
            self.stop(format!("more than {} bytes come out of it", self.limits.inflated_bytes_max));
        } else if self.inflated_bytes > by_ratio {
            self.stop(format!("more than {by_ratio} bytes come out of {} (ratio limit)", self.file_bytes));
        }
    }

    /// So many bytes more are kept until the file is over.
    pub(super) fn take_kept(&mut self, bytes: usize) {
        self.kept_bytes += bytes;
        if self.kept_bytes > self.kept_bytes_max {
            self.stop(format!("archives in it say more than {} bytes about themselves", self.kept_bytes_max));
        }
    }

    /// Adds what is finished of one archive, if there is room; what is said of the file itself is always added.
    pub(super) fn add_section(&mut self, section: Vec<u8>, is_file: bool) {
        self.section_bytes += section.len();
        if self.section_bytes <= self.kept_bytes_max || is_file {
            self.sections.push(section);
        } else {
            self.take_kept(self.kept_bytes_max);
        }
    }

    /// Room for one more problem.
    pub(super) fn take_problem(&mut self) -> bool {
        self.problems += 1;
        self.problems <= self.limits.problems_max
    }

    fn stop(&mut self, limit: String) {
        self.over.get_or_insert(limit);
    }
}
