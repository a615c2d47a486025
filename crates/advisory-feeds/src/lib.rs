//! Reads vulnerability feeds: their bytes in, advisories in one shape out.
//!
//! One module per form of feed: [`osv`], [`alpine_secdb`], [`debian_tracker`]. They are pure; only [`read_feed`]
//! opens files, and only [`fetch`] has connections. [`sources`] says where the public feeds are. A broken record becomes a diagnostic and the others are read. What is not such a feed at all, or is
//! larger than the limits, is an error: a feed that was read by half must not look like a whole one.

pub mod alpine_secdb;
pub mod cvss_severity;
pub mod debian_tracker;
mod ecosystem;
mod error;
pub mod fetch;
mod node;
pub mod osv;
mod read;
mod severity_word;
pub mod sources;
mod text;

use model::{Advisory, Diagnostic, DiagnosticCode};

pub use ecosystem::parse_ecosystem;
pub use error::FeedError;
pub use read::read_feed;

/// How much a feed may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedLimits {
    /// Bytes of all files together, unpacked.
    pub bytes_max: u64,
    /// Bytes of one file, unpacked: it is held in memory.
    pub file_bytes_max: u64,
    /// Records and broken records together; also the number of files.
    pub records_max: usize,
    /// Bytes of one record; a larger one becomes a diagnostic.
    pub record_bytes_max: usize,
}

impl Default for FeedLimits {
    /// Several times what the largest public feed holds.
    fn default() -> Self {
        Self {
            bytes_max: 4 << 30,
            file_bytes_max: 400 << 20,
            records_max: 2_000_000,
            record_bytes_max: 16 << 20,
        }
    }
}

/// What a feed says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ParsedFeed {
    /// The records, sorted by identifier.
    pub advisories: Vec<Advisory>,
    /// What could not be read. The subject is the file, with the record where its name is known.
    pub diagnostics: Vec<Diagnostic>,
}

impl ParsedFeed {
    fn add_diagnostic(
        &mut self,
        code: DiagnosticCode,
        subject: impl Into<String>,
        offset: Option<usize>,
        message: impl Into<String>,
    ) {
        let offset = offset.and_then(|offset| u64::try_from(offset).ok());
        self.diagnostics.push(Diagnostic { code, subject: subject.into(), offset, message: message.into() });
    }

    /// How many records were met, readable or not.
    fn records(&self) -> usize {
        self.advisories.len() + self.diagnostics.len()
    }
}
