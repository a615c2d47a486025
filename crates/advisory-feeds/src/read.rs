//! The only part that opens files: from a path to the bytes of each file of a feed, within the limits.

use std::io::{self, BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};

use fs_err as fs;
use model::{DiagnosticCode, FeedKind};
use zip::ZipArchive;

use crate::{FeedError, FeedLimits, ParsedFeed, alpine_secdb, debian_tracker, osv};

/// How deep folders may lie in one another.
const FOLDER_DEPTH_MAX: usize = 32;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Reads a feed.
///
/// - `Osv`: a folder with `.json` and `.jsonl` files in it at any depth, a `.zip` of such files, or one such file.
/// - `AlpineSecdb`: one file, or a folder with `.yaml`, `.yml` and `.json` files at any depth.
/// - `DebianTracker`: one file.
///
/// A file that is packed with gzip or zstd is unpacked, within the same limits.
/// Files are read in the order of their paths. Names that begin with a dot and links to folders are left out.
///
/// Errors: a path that cannot be read, more than the limits allow, or nothing in it that is such a record.
pub fn read_feed(kind: FeedKind, path: &Path, limits: &FeedLimits) -> Result<ParsedFeed, FeedError> {
    let mut reader = FeedReader { feed: path.display().to_string(), limits, bytes_left: limits.bytes_max };
    let is_folder = fs::metadata(path).map_err(|source| reader.unreadable(source))?.is_dir();
    let is_zip = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zip"));
    let parsed = match kind {
        FeedKind::Osv if is_folder => reader.read_osv_folder(path)?,
        FeedKind::Osv if is_zip => reader.read_osv_zip(path)?,
        FeedKind::Osv => osv::parse(&reader.read_file(path)?, &reader.feed, limits)?,
        FeedKind::AlpineSecdb if is_folder => reader.read_secdb_folder(path)?,
        FeedKind::AlpineSecdb => alpine_secdb::parse(&reader.read_file(path)?, &reader.feed, limits)?,
        FeedKind::DebianTracker => debian_tracker::parse(&reader.read_file(path)?, &reader.feed, limits)?,
    };
    // Nothing readable, but something that should have been: not a feed, or a useless one.
    match parsed.diagnostics.first() {
        Some(first) if parsed.advisories.is_empty() => Err(FeedError::NotAFeed {
            path: reader.feed,
            kind: kind.name(),
            reason: format!(
                "no record can be read; the first problem is in `{}`: {}",
                first.subject, first.message
            ),
        }),
        _ => Ok(parsed),
    }
}

struct FeedReader<'a> {
    feed: String,
    limits: &'a FeedLimits,
    bytes_left: u64,
}

impl FeedReader<'_> {
    fn read_osv_folder(&mut self, path: &Path) -> Result<ParsedFeed, FeedError> {
        let mut parsed = ParsedFeed::default();
        for file in self.find_files(path, FeedKind::Osv, &["json", "jsonl"])? {
            let bytes = self.read_file(&file)?;
            let name = file.display().to_string();
            keep_going(osv::add_file(&bytes, &name, self.limits, &mut parsed), &name, &mut parsed)?;
        }
        osv::sort(&mut parsed);
        Ok(parsed)
    }

    fn read_secdb_folder(&mut self, path: &Path) -> Result<ParsedFeed, FeedError> {
        let mut builder = alpine_secdb::Builder::default();
        for file in self.find_files(path, FeedKind::AlpineSecdb, &["yaml", "yml", "json"])? {
            let bytes = self.read_file(&file)?;
            let name = file.display().to_string();
            let added = builder.add(&bytes, &name, self.limits);
            keep_going(added, &name, builder.parsed_mut())?;
        }
        Ok(builder.finish())
    }

    fn read_osv_zip(&mut self, path: &Path) -> Result<ParsedFeed, FeedError> {
        let file = fs::File::open(path).map_err(|source| self.unreadable(source))?;
        let bad = |source| FeedError::Archive { path: path.display().to_string(), source };
        let mut archive = ZipArchive::new(file).map_err(bad)?;
        if archive.len() > self.limits.records_max {
            return Err(self.exceeded("records_max", self.limits.records_max as u64));
        }
        let mut parsed = ParsedFeed::default();
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).map_err(bad)?;
            let entry_name = entry.name().map_err(bad)?.into_owned();
            let is_record = entry_name.ends_with(".json") || entry_name.ends_with(".jsonl");
            if entry.is_dir() || !is_record {
                continue;
            }
            let name = format!("{}!{entry_name}", self.feed);
            let bytes = self.read_bounded(&mut entry)?;
            keep_going(osv::add_file(&bytes, &name, self.limits, &mut parsed), &name, &mut parsed)?;
        }
        if parsed.records() == 0 {
            return Err(self.nothing_inside(FeedKind::Osv, "the archive has no `.json` file"));
        }
        osv::sort(&mut parsed);
        Ok(parsed)
    }

    fn read_file(&mut self, path: &Path) -> Result<Vec<u8>, FeedError> {
        let file = fs::File::open(path).map_err(|source| self.unreadable(source))?;
        let mut file = BufReader::new(file);
        // By their first bytes: a mirror may keep a packed file under any name.
        let start = file.fill_buf().map_err(|source| self.unreadable(source))?;
        if start.starts_with(&GZIP_MAGIC) {
            return self.read_bounded(&mut flate2::bufread::MultiGzDecoder::new(file));
        }
        if start.starts_with(&ZSTD_MAGIC) {
            let decoder = zstd::stream::read::Decoder::with_buffer(file);
            return self.read_bounded(&mut decoder.map_err(|source| self.unreadable(source))?);
        }
        self.read_bounded(&mut file)
    }

    fn read_bounded(&mut self, reader: &mut dyn Read) -> Result<Vec<u8>, FeedError> {
        let mut bytes = Vec::new();
        let file_max = self.limits.file_bytes_max;
        let mut limited = reader.take(self.bytes_left.min(file_max).saturating_add(1));
        let read = io::copy(&mut limited, &mut bytes).map_err(|source| self.unreadable(source))?;
        match self.bytes_left.checked_sub(read) {
            Some(_) if read > file_max => Err(self.exceeded("file_bytes_max", file_max)),
            Some(left) => {
                self.bytes_left = left;
                Ok(bytes)
            }
            None => Err(self.exceeded("bytes_max", self.limits.bytes_max)),
        }
    }

    /// All files with such an ending, sorted by path.
    fn find_files(
        &self,
        root: &Path,
        kind: FeedKind,
        extensions: &[&str],
    ) -> Result<Vec<PathBuf>, FeedError> {
        let mut files = Vec::new();
        let mut folders = vec![(root.to_owned(), 0)];
        while let Some((folder, depth)) = folders.pop() {
            if depth > FOLDER_DEPTH_MAX {
                return Err(self.exceeded("FOLDER_DEPTH_MAX", FOLDER_DEPTH_MAX as u64));
            }
            for entry in fs::read_dir(&folder).map_err(|source| self.unreadable(source))? {
                let entry = entry.map_err(|source| self.unreadable(source))?;
                if entry.file_name().to_string_lossy().starts_with('.') {
                    continue;
                }
                let path = entry.path();
                let has_ending =
                    path.extension().is_some_and(|extension| extensions.iter().any(|e| extension == *e));
                if entry.file_type().map_err(|source| self.unreadable(source))?.is_dir() {
                    folders.push((path, depth + 1));
                } else if has_ending
                    && fs::metadata(&path).map_err(|source| self.unreadable(source))?.is_file()
                {
                    files.push(path);
                }
            }
            if files.len() + folders.len() > self.limits.records_max {
                return Err(self.exceeded("records_max", self.limits.records_max as u64));
            }
        }
        if files.is_empty() {
            let reason = format!("the folder has no file that ends in .{}", extensions.join(" or ."));
            return Err(self.nothing_inside(kind, &reason));
        }
        files.sort();
        Ok(files)
    }

    fn unreadable(&self, source: io::Error) -> FeedError {
        FeedError::Read { path: self.feed.clone(), source }
    }

    fn exceeded(&self, limit: &'static str, allowed: u64) -> FeedError {
        FeedError::LimitExceeded { path: self.feed.clone(), limit, allowed }
    }

    fn nothing_inside(&self, kind: FeedKind, reason: &str) -> FeedError {
        FeedError::NotAFeed { path: self.feed.clone(), kind: kind.name(), reason: reason.to_owned() }
    }
}

/// In a feed of many files, one that is no such file does not stop the others.
fn keep_going(added: Result<(), FeedError>, name: &str, parsed: &mut ParsedFeed) -> Result<(), FeedError> {
    match added {
        Err(FeedError::NotAFeed { reason, .. }) => {
            parsed.add_diagnostic(DiagnosticCode::BrokenRecord, name, None, reason);
            Ok(())
        }
        other => other,
    }
}
