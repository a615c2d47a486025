//! The pages of an SQLite file, with those that its write-ahead log has newer ones of.

use image_layers::FindError;
use model::DiagnosticCode;

use crate::rpm::reading::Reading;
use crate::rpm::sqlite_table::{self, Cell};
use crate::rpm::write_ahead_log::Log;

const MAGIC: &[u8] = b"SQLite format 3\0";
/// The table with one header a row, and the column that has it.
const TABLE: &str = "Packages";
const BLOB_COLUMN: usize = 1;

/// Whether a file begins as one of SQLite.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// Reads an rpm database that SQLite keeps.
///
/// Shape:  pages of one size, numbered from one; the first begins with a header of 100 bytes and is the root of the schema, a table
///         that names the root page of every table. Row two of `Packages` is a header.
/// Limits: `record_bytes_max` for each row; every page of a table once; all rows together a few times the file.
/// Result: whether it is such a database. A page or a row that cannot be read is told, the others count.
/// Source: sqlite.org, "Database File Format", read 2026-08; lib/backend/sqlite.c of rpm 4.18.
pub(super) fn read(reading: &mut Reading<'_>) -> bool {
    let log = find_log(reading);
    let log_page_bytes = log.as_ref().map(|log| log.page_bytes);
    let Some(pages) = Pages::new(reading.input.bytes, log) else {
        if is_one(reading.input.bytes) {
            reading.lose(0, "SQLite file has no usable page size");
        }
        return false;
    };
    if log_page_bytes.is_some_and(|bytes| bytes != pages.page_bytes) {
        reading.lose(0, "write-ahead log has pages of another size than the database: it is not read");
    }
    reading.allow(pages.log.as_ref().map_or(0, |log| log.bytes.len()));
    let Some(root) = find_root(reading, &pages) else {
        reading.lose(0, format!("SQLite file has no table `{TABLE}` that can be read"));
        return false;
    };
    sqlite_table::visit_rows(reading, &pages, root, &mut |reading, cell: &Cell<'_>| match cell
        .column(BLOB_COLUMN)
        .and_then(|column| column.bytes())
    {
        Some(header) => reading.add_header(cell.offset, header),
        None => reading.lose(cell.offset, "row has no header of a package"),
    });
    true
}

/// The root page of the table of packages, out of the schema.
fn find_root(reading: &mut Reading<'_>, pages: &Pages<'_>) -> Option<u32> {
    const SCHEMA_ROOT: u32 = 1;
    let mut root = None;
    sqlite_table::visit_rows(reading, pages, SCHEMA_ROOT, &mut |_, cell| {
        let text = |index: usize| cell.column(index).and_then(|column| column.bytes());
        let is_table = text(0) == Some(b"table");
        if is_table && text(1).is_some_and(|name| name.eq_ignore_ascii_case(TABLE.as_bytes())) {
            let number = cell.column(3).and_then(|column| column.integer());
            root = root.or_else(|| number.and_then(|number| u32::try_from(number).ok()));
        }
    });
    root
}

/// The write-ahead log lies beside the file; a commit that was not copied back yet is only there.
fn find_log<'a>(reading: &mut Reading<'a>) -> Option<Log<'a>> {
    let input = reading.input;
    let path = format!("{}-wal", input.location.path);
    let entry = match input.tree.resolve(&path) {
        Ok(entry) if entry.size() == 0 => return None,
        Ok(_) => input.read(&path),
        Err(FindError::NotFound) => return None,
        Err(_) => None,
    };
    let Some(bytes) = entry else {
        let message =
            "write-ahead log beside the database is not read: what only it has is not in this inventory";
        reading.problems.add(DiagnosticCode::PackagesLeftOut, 0, message);
        return None;
    };
    match Log::parse(bytes) {
        Ok(log) => {
            if let Some(offset) = log.broken_at {
                let message = "write-ahead log is broken: what it says from here on is not in this inventory";
                reading.lose(offset, message);
            }
            log.has_pages().then_some(log)
        }
        Err(message) => {
            reading.lose(0, format!("write-ahead log cannot be read: {message}"));
            None
        }
    }
}

/// All pages.
pub(super) struct Pages<'a> {
    bytes: &'a [u8],
    log: Option<Log<'a>>,
    page_bytes: usize,
    /// Bytes of a page without those that an extension may have reserved at its end.
    pub(super) usable_bytes: usize,
    /// Pages of the file after the last commit.
    pub(super) count: u32,
}

impl<'a> Pages<'a> {
    /// `None` when the size of a page is none that can be.
    fn new(bytes: &'a [u8], log: Option<Log<'a>>) -> Option<Self> {
        const USABLE_MIN: usize = 480;
        let first = log.as_ref().and_then(|log| log.page(1)).unwrap_or(bytes);
        let head = first.get(..100).filter(|head| head.starts_with(MAGIC))?;
        let page_bytes = match usize::from(u16::from_be_bytes([head[16], head[17]])) {
            1 => 65_536,
            bytes => bytes,
        };
        let is_size = page_bytes.is_power_of_two() && (512..=65_536).contains(&page_bytes);
        let usable_bytes = page_bytes.checked_sub(usize::from(head[20]))?;
        // A log with pages of another size is one of another file.
        let log = log.filter(|log| log.page_bytes == page_bytes);
        let in_file = u32::try_from(bytes.len().div_ceil(page_bytes.max(1))).ok()?;
        let count = log.as_ref().map_or(in_file, |log| log.page_count);
        (is_size && usable_bytes >= USABLE_MIN).then_some(Self {
            bytes,
            log,
            page_bytes,
            usable_bytes,
            count,
        })
    }

    /// One page; `None` when it is not there, or not whole.
    pub(super) fn page(&self, number: u32) -> Option<&[u8]> {
        if number == 0 || number > self.count {
            return None;
        }
        if let Some(page) = self.log.as_ref().and_then(|log| log.page(number)) {
            return Some(page);
        }
        let start = self.offset(number);
        self.bytes.get(start..start.checked_add(self.page_bytes)?)
    }

    /// Where a page begins in the file.
    pub(super) fn offset(&self, number: u32) -> usize {
        usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX).saturating_mul(self.page_bytes)
    }
}
