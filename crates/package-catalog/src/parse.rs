//! What a parser gets and what it gives back.

use image_layers::{Body, ImageTree};
use model::{Diagnostic, DiagnosticCode, Distro, Location, Package};

/// Limits of one catalog run. Every value is the largest that is still accepted; what is above becomes a diagnostic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogLimits {
    /// Packages of one database.
    pub packages_max: usize,
    /// Files that the packages of one database own.
    pub owned_files_max: usize,
    /// Broken records that are told one by one, by database; the others are counted.
    pub diagnostics_max: usize,
}

impl Default for CatalogLimits {
    /// Ten times what the largest known images have.
    fn default() -> Self {
        Self { packages_max: 100_000, owned_files_max: 5_000_000, diagnostics_max: 100 }
    }
}

/// One database to read.
#[derive(Debug, Clone, Copy)]
pub struct ParseInput<'a> {
    /// The whole image, for files beside the database.
    pub tree: &'a ImageTree,
    /// The path at which the database was found, without a leading slash; its neighbours are found from here.
    pub path: &'a str,
    /// Its content.
    pub bytes: &'a [u8],
    /// Where it really is.
    pub location: &'a Location,
    /// The operating system of the image.
    pub distro: Option<&'a Distro>,
    /// What may be read.
    pub limits: &'a CatalogLimits,
}

/// What a parser found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parsed {
    /// Packages, in the order of the database.
    pub packages: Vec<Package>,
    /// What could not be read.
    pub diagnostics: Vec<Diagnostic>,
}

impl<'a> ParseInput<'a> {
    /// The content of another file of the image, if it was kept.
    pub(crate) fn read(&self, path: &str) -> Option<&'a [u8]> {
        match self.tree.read(path) {
            Some(Body::Kept(bytes)) => Some(bytes),
            _ => None,
        }
    }

    /// A diagnostic about this database.
    pub(crate) fn diagnostic(
        &self,
        code: DiagnosticCode,
        offset: Option<usize>,
        message: String,
    ) -> Diagnostic {
        let offset = offset.map(|offset| offset as u64);
        Diagnostic { code, subject: self.location.path.clone(), offset, message }
    }
}

/// Collects what is wrong with one database: the first ones in full, the others as a number.
pub(crate) struct Problems<'a> {
    input: &'a ParseInput<'a>,
    found: Vec<Diagnostic>,
    untold: usize,
}

impl<'a> Problems<'a> {
    pub(crate) fn new(input: &'a ParseInput<'a>) -> Self {
        Self { input, found: Vec::new(), untold: 0 }
    }

    pub(crate) fn add(&mut self, code: DiagnosticCode, offset: usize, message: impl Into<String>) {
        if self.found.len() < self.input.limits.diagnostics_max {
            self.found.push(self.input.diagnostic(code, Some(offset), message.into()));
        } else {
            self.untold += 1;
        }
    }

    /// All diagnostics. A file with content but without a single record is not the database that its name says.
    pub(crate) fn finish(mut self, record_count: usize, what: &str) -> Vec<Diagnostic> {
        let is_empty = self.input.bytes.iter().all(u8::is_ascii_whitespace);
        if record_count == 0 && !is_empty {
            let message = format!("file is not {what}: no record in it could be read");
            return vec![self.input.diagnostic(DiagnosticCode::UnreadableDatabase, None, message)];
        }
        if self.untold > 0 {
            let message = format!("{} more broken records", self.untold);
            self.found.push(self.input.diagnostic(DiagnosticCode::BrokenRecord, None, message));
        }
        self.found
    }
}

/// Lines with the offset of their first byte, without line ends.
pub(crate) fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut offset = 0;
    bytes.split(|byte| *byte == b'\n').map(move |line| {
        let start = offset;
        offset += line.len() + 1;
        (start, line.strip_suffix(b"\r").unwrap_or(line))
    })
}

/// Text of a value: trimmed; what is not UTF-8 is replaced.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.trim_ascii()).into_owned()
}
