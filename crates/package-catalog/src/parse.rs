//! What a parser gets and what it gives back.

use std::cell::Cell;

use image_layers::{Body, ImageTree};
use model::{Diagnostic, DiagnosticCode, Distro, Location, Package, PackageKind};

use crate::java::ArchiveLimits;
use crate::renamed::RenamedFiles;

/// Limits of one image. Every value is the largest that is still accepted; what is above becomes a diagnostic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogLimits {
    /// Packages of all databases together.
    pub packages_max: usize,
    /// Files that all packages own together.
    pub owned_files_max: usize,
    /// Bytes of the paths of these files.
    pub owned_bytes_max: usize,
    /// Bytes of files beside databases, such as file lists. A file that is read twice counts twice, because one file
    /// can be named by any number of packages; a line counts as at least 32 bytes.
    pub companion_bytes_max: usize,
    /// Bytes of the path of a database, which each of its packages holds.
    pub database_path_bytes_max: usize,
    /// Bytes of one value of a record, such as a name or a version.
    pub value_bytes_max: usize,
    /// Bytes of one record of a database that is not text.
    pub record_bytes_max: usize,
    /// Bytes that are kept of one file that is looked at while it streams by.
    pub section_bytes_max: usize,
    /// What reading one Java archive may cost.
    pub archives: ArchiveLimits,
    /// Broken records that are told one by one, by database; the others are counted.
    pub diagnostics_max: usize,
    /// Diagnostics of all databases together that are told one by one; the others are counted.
    pub diagnostics_sum_max: usize,
}

impl Default for CatalogLimits {
    /// Several times what the largest known images have.
    fn default() -> Self {
        const MIB: usize = 1 << 20;
        Self {
            packages_max: 100_000,
            owned_files_max: 1_000_000,
            owned_bytes_max: 128 * MIB,
            companion_bytes_max: 256 * MIB,
            database_path_bytes_max: 256,
            value_bytes_max: 4096,
            record_bytes_max: 64 * MIB,
            section_bytes_max: 4 * MIB,
            archives: ArchiveLimits::default(),
            diagnostics_max: 100,
            diagnostics_sum_max: 1_000,
        }
    }
}

impl CatalogLimits {
    pub(crate) fn too_many_owned(&self) -> String {
        format!(
            "more than {} owned files or {} bytes of their paths",
            self.owned_files_max, self.owned_bytes_max
        )
    }
}

const LINE_BYTES_MIN: usize = 32;

/// What the databases of one image have taken of the limits so far.
#[derive(Debug, Default)]
pub(crate) struct Spent {
    pub(crate) packages: Cell<usize>,
    owned_files: Cell<usize>,
    owned_bytes: Cell<usize>,
    companion_bytes: Cell<usize>,
    /// Whether a file beside a database was left out for its size.
    pub(crate) is_companion_left_out: Cell<bool>,
}

impl Spent {
    /// Room for one more owned file with a path of so many bytes; `false` when there is none.
    pub(crate) fn take_owned(&self, path_bytes: usize, limits: &CatalogLimits) -> bool {
        let bytes = self.owned_bytes.get().saturating_add(path_bytes);
        let is_room = self.owned_files.get() < limits.owned_files_max && bytes <= limits.owned_bytes_max;
        if is_room {
            self.owned_files.set(self.owned_files.get() + 1);
            self.owned_bytes.set(bytes);
        }
        is_room
    }

    fn take_companion(&self, content: &[u8], limits: &CatalogLimits) -> bool {
        // What is left out once is not counted again either: counting costs as much as reading.
        if self.is_companion_left_out.get() {
            return false;
        }
        let line_count = content.iter().filter(|byte| **byte == b'\n').count();
        let cost = content.len().max(line_count.saturating_mul(LINE_BYTES_MIN));
        let bytes = self.companion_bytes.get().saturating_add(cost);
        let is_room = bytes <= limits.companion_bytes_max;
        if is_room {
            self.companion_bytes.set(bytes);
        } else {
            self.is_companion_left_out.set(true);
        }
        is_room
    }
}

/// One database to read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ParseInput<'a> {
    /// The whole image, for files beside the database.
    pub(crate) tree: &'a ImageTree,
    /// The path at which the database was found, without a leading slash; its neighbours are found from here.
    pub(crate) path: &'a str,
    /// Its content.
    pub(crate) bytes: &'a [u8],
    /// Where it really is.
    pub(crate) location: &'a Location,
    /// The operating system of the image.
    pub(crate) distro: Option<&'a Distro>,
    /// What may be read.
    pub(crate) limits: &'a CatalogLimits,
    /// What has been.
    pub(crate) spent: &'a Spent,
    /// What files are under the names that links give them.
    pub(crate) renamed: &'a RenamedFiles,
}

/// What a parser found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Parsed {
    /// Packages, in the order of the database.
    pub(crate) packages: Vec<Package>,
    /// What could not be read.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl<'a> ParseInput<'a> {
    /// The content of another file of the image, if it was kept and the limits leave room for it.
    pub(crate) fn read(&self, path: &str) -> Option<&'a [u8]> {
        match self.tree.read(path) {
            Some(Body::Kept(bytes)) => self.spent.take_companion(bytes, self.limits).then_some(bytes),
            _ => None,
        }
    }

    /// How many more packages this database may have.
    pub(crate) fn packages_left(&self) -> usize {
        self.limits.packages_max.saturating_sub(self.spent.packages.get())
    }

    /// A package of a programming language that this file describes, without its URL.
    pub(crate) fn language_package(
        &self,
        kind: PackageKind,
        name: String,
        version: Option<String>,
    ) -> Package {
        Package { locations: vec![self.location.clone()], ..Package::new(kind, name, version) }
    }

    /// The result of a file that describes one package.
    pub(crate) fn one_package(&self, package: Package, mut problems: Problems<'_>) -> Parsed {
        let mut packages = vec![package];
        if self.packages_left() == 0 {
            let message = format!("more than {} packages", self.limits.packages_max);
            problems.add(DiagnosticCode::PackagesLeftOut, 0, message);
            packages.clear();
        }
        Parsed { diagnostics: problems.finish(1, "a description of a package"), packages }
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
        if self.found.len() < self.input.limits.diagnostics_max || is_always_told(code, &self.found) {
            self.found.push(self.input.diagnostic(code, Some(offset), message.into()));
        } else {
            self.untold += 1;
        }
    }

    /// Text of a value of a record; told and left out when it is too long.
    pub(crate) fn value(&mut self, offset: usize, bytes: &[u8]) -> String {
        let (bytes, maximum) = (bytes.trim_ascii(), self.input.limits.value_bytes_max);
        if bytes.len() > maximum {
            let message = format!("value of {} bytes is left out (limit {maximum})", bytes.len());
            self.add(DiagnosticCode::FileTooLarge, offset, message);
            return String::new();
        }
        text(bytes)
    }

    /// All diagnostics. A file with content but without a single record is not the database that its name says.
    pub(crate) fn finish(mut self, record_count: usize, what: &str) -> Vec<Diagnostic> {
        let is_empty = self.input.bytes.iter().all(u8::is_ascii_whitespace);
        // A file that was not read because a limit was reached may well be one.
        let is_limited = self
            .found
            .iter()
            .any(|told| matches!(told.code, DiagnosticCode::FileTooLarge | DiagnosticCode::PackagesLeftOut));
        if record_count == 0 && !is_empty && !is_limited {
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

/// Decisions rest on this one, so a flood of other diagnostics must not drown it; once is enough.
pub(crate) fn is_always_told(code: DiagnosticCode, told: &[Diagnostic]) -> bool {
    code == DiagnosticCode::PackagesLeftOut && told.iter().all(|told| told.code != code)
}
