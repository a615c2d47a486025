//! What is the same for every form of the database: its records go in, packages and what is wrong with them come out.

use model::{DiagnosticCode, Package};

use crate::parse::{ParseInput, Parsed, Problems};
use crate::rpm::header::Header;
use crate::rpm::package::{self, RawPackage};

/// Every database holds each of its bytes once. More than so many times its own size is only read from one whose records
/// overlap; a few broken records that claim too much leave the others readable.
const READ_TIMES_MAX: usize = 4;
/// What a record costs at least, however short it says it is.
const RECORD_COST_MIN: usize = 64;

/// One database while it is read.
pub(super) struct Reading<'a> {
    pub(super) input: &'a ParseInput<'a>,
    pub(super) problems: Problems<'a>,
    packages: Vec<Package>,
    /// Records that were understood, also those that are no packages.
    record_count: usize,
    lost_count: usize,
    bytes_left: usize,
    is_stopped: bool,
}

impl<'a> Reading<'a> {
    pub(super) fn new(input: &'a ParseInput<'a>) -> Self {
        let mut reading = Self {
            input,
            problems: Problems::new(input),
            packages: Vec::new(),
            record_count: 0,
            lost_count: 0,
            bytes_left: 0,
            is_stopped: false,
        };
        reading.allow(input.bytes.len());
        reading
    }

    /// Another part of the database, of so many bytes, may be read.
    pub(super) fn allow(&mut self, bytes: usize) {
        self.bytes_left = self.bytes_left.saturating_add(bytes.saturating_mul(READ_TIMES_MAX));
    }

    /// Whether a limit ended the reading.
    pub(super) fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// A record, or a part of the database that may hold some, cannot be read.
    pub(super) fn lose(&mut self, offset: usize, message: impl Into<String>) {
        self.lost_count += 1;
        self.problems.add(DiagnosticCode::BrokenRecord, offset, message);
    }

    /// Room for one more record of so many bytes; told when there is none.
    pub(super) fn take(&mut self, offset: usize, bytes: usize) -> bool {
        let maximum = self.input.limits.record_bytes_max;
        let cost = bytes.max(RECORD_COST_MIN);
        if bytes > maximum {
            let message = format!("record of {bytes} bytes is left out (limit {maximum})");
            self.problems.add(DiagnosticCode::PackagesLeftOut, offset, message);
            self.bytes_left = self.bytes_left.saturating_sub(RECORD_COST_MIN);
            return false;
        }
        if cost > self.bytes_left {
            let message = format!(
                "records overlap: reading them would cost more than {READ_TIMES_MAX} times the database, the others are not in this inventory"
            );
            self.stop(offset, message);
            return false;
        }
        self.bytes_left -= cost;
        true
    }

    /// One header, whichever form of database it was in.
    pub(super) fn add_header(&mut self, offset: usize, bytes: &[u8]) {
        match Header::parse(bytes) {
            Ok(header) => match RawPackage::from_header(&header, offset, &mut self.problems) {
                Some(raw) => self.add(raw, Some(&header)),
                None => self.lose(offset, "header names no package"),
            },
            Err(error) => self.lose(offset, format!("header cannot be read: {error}")),
        }
    }

    /// One package. A key that signatures are checked with stands in the database like a package and is none.
    pub(super) fn add(&mut self, raw: RawPackage, header: Option<&Header<'_>>) {
        self.record_count += 1;
        if raw.name == "gpg-pubkey" || self.is_stopped {
            return;
        }
        if self.packages.len() >= self.input.packages_left() {
            let maximum = self.input.limits.packages_max;
            let message = format!("more than {maximum} packages: the others are not in this inventory");
            self.stop(raw.offset, message);
            return;
        }
        self.packages.push(package::to_package(raw, header, self.input, &mut self.problems));
    }

    fn stop(&mut self, offset: usize, message: String) {
        self.is_stopped = true;
        self.problems.add(DiagnosticCode::PackagesLeftOut, offset, message);
    }

    /// `is_understood`: the file is a database even if there is no record in it.
    pub(super) fn finish(mut self, is_understood: bool) -> Parsed {
        if self.lost_count > 0 && (self.record_count > 0 || is_understood) {
            // Each of them may have been a package: nobody may take what is left for all there is.
            let message = format!(
                "{} broken records or pages: what they name is not in this inventory",
                self.lost_count
            );
            self.problems.add(DiagnosticCode::PackagesLeftOut, 0, message);
        }
        let count = self.record_count.max(usize::from(is_understood));
        Parsed {
            packages: self.packages,
            diagnostics: self.problems.finish(count, "a package database of rpm"),
        }
    }
}
