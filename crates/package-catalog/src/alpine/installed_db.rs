//! The records of apk's database of installed packages.

use model::{DiagnosticCode, OwnedFile};

use crate::parse::{ParseInput, Problems, lines};

/// One record, as written. Every field is trimmed and not empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RawRecord {
    /// Where it begins.
    pub(crate) offset: usize,
    /// `P`
    pub(crate) name: String,
    /// `V`
    pub(crate) version: Option<String>,
    /// `A`
    pub(crate) architecture: Option<String>,
    /// `o`
    pub(crate) origin: Option<String>,
    /// `L`
    pub(crate) license: Option<String>,
    /// `m`
    pub(crate) maintainer: Option<String>,
    /// `I`
    pub(crate) installed_size: Option<u64>,
    /// `F`, `M`, `R`, `a` and `Z`
    pub(crate) files: Vec<OwnedFile>,
}

/// Parses the database of installed packages of apk.
///
/// Shape:  records split by an empty line, one `K:value` a line. `F` opens a folder, `R` is a file in it, `Z` its checksum. `M` of
///         a folder and `a` of a file are `USER:GROUP:MODE`, with the mode in octal; without `a` a file has mode 644. Folders
///         are listed where they have an `M`: all others are as everywhere.
/// Units:  `I` is bytes.
/// Limits: `packages_max` records, `value_bytes_max` for each value, `owned_files_max` files; the file itself is bounded by the reader of the layer.
/// Result: every record with a `P`. A bad line is told and left out, the rest of its record counts. Never fails.
/// Source: wiki.alpinelinux.org, "Apk spec", read 2026-08; apk-tools 2.14.
pub(crate) fn parse(input: &ParseInput<'_>, problems: &mut Problems<'_>) -> Vec<RawRecord> {
    let packages_left = input.packages_left();
    let mut reading = Reading { input, found: Vec::new(), current: None, folder: String::new() };
    for (offset, line) in lines(input.bytes) {
        match line {
            [] => reading.close(problems),
            [key, b':', value @ ..] => reading.take(offset, *key, value, problems),
            _ => problems.add(DiagnosticCode::BrokenRecord, offset, "line has no key"),
        }
        if reading.found.len() >= packages_left && reading.current.is_some() {
            let maximum = input.limits.packages_max;
            let message = format!("more than {maximum} packages: the others are not in this inventory");
            problems.add(DiagnosticCode::PackagesLeftOut, offset, message);
            return reading.found;
        }
    }
    reading.close(problems);
    reading.found
}

struct Reading<'a> {
    input: &'a ParseInput<'a>,
    found: Vec<RawRecord>,
    current: Option<RawRecord>,
    folder: String,
}

impl Reading<'_> {
    fn take(&mut self, offset: usize, key: u8, value: &[u8], problems: &mut Problems<'_>) {
        if !b"PVAoLmIFMRaZ".contains(&key) {
            self.current.get_or_insert_with(|| RawRecord { offset, ..RawRecord::default() });
            return;
        }
        let value = problems.value(offset, value);
        let has_name = self.current.as_ref().is_some_and(|record| !record.name.is_empty());
        if key == b'P' && has_name {
            problems.add(DiagnosticCode::BrokenRecord, offset, "records are not split by an empty line");
            self.close(problems);
        }
        let record = self.current.get_or_insert_with(|| RawRecord { offset, ..RawRecord::default() });
        let stated = (!value.is_empty()).then_some(value);
        match key {
            b'P' => record.name = stated.unwrap_or_default(),
            b'V' => record.version = stated,
            b'A' => record.architecture = stated,
            b'o' => record.origin = stated,
            b'L' => record.license = stated,
            b'm' => record.maintainer = stated,
            b'I' => {
                record.installed_size = stated.as_ref().and_then(|size| size.parse().ok());
                if record.installed_size.is_none() {
                    problems.add(DiagnosticCode::BrokenRecord, offset, "installed size is not a number");
                }
            }
            b'F' => self.folder = stated.unwrap_or_default(),
            b'R' | b'M' => {
                let permissions = match key {
                    b'R' => Some(FILE_PERMISSIONS),
                    _ => stated.as_deref().and_then(to_permissions),
                };
                let name = if key == b'R' { stated.unwrap_or_default() } else { String::new() };
                let slash = if self.folder.is_empty() || name.is_empty() { "" } else { "/" };
                let path = format!("/{}{slash}{name}", self.folder);
                if self.input.spent.take_owned(path.len(), self.input.limits) {
                    record.files.push(OwnedFile { path, permissions, ..OwnedFile::default() });
                } else {
                    let message = self.input.limits.too_many_owned();
                    problems.add(DiagnosticCode::FileTooLarge, offset, message);
                }
            }
            b'a' => {
                if let Some(file) = record.files.last_mut() {
                    file.permissions = stated.as_deref().and_then(to_permissions);
                }
            }
            b'Z' => {
                if let Some(file) = record.files.last_mut() {
                    file.checksum = stated.as_deref().and_then(to_checksum);
                }
            }
            _ => {}
        }
    }

    fn close(&mut self, problems: &mut Problems<'_>) {
        self.folder.clear();
        let Some(mut record) = self.current.take() else { return };
        if record.name.is_empty() {
            problems.add(DiagnosticCode::BrokenRecord, record.offset, "record names no package");
            return;
        }
        record.files.sort();
        self.found.push(record);
    }
}

/// What a file has of which nothing else is said.
const FILE_PERMISSIONS: u32 = 0o644;

/// `0:42:2755` → `0o2755`; a fourth field is about extended attributes.
fn to_permissions(written: &str) -> Option<u32> {
    let mode = written.split(':').nth(2)?;
    u32::from_str_radix(mode, 8).ok().filter(|mode| *mode <= 0o7777)
}

/// `Q1` and 20 bytes of SHA-1 in base64 → `sha1:` and hex; `Q2` is SHA-256, of apk 3.
fn to_checksum(written: &str) -> Option<String> {
    use std::fmt::Write as _;
    let (name, length, encoded) = match written.split_at_checked(2)? {
        ("Q1", encoded) => ("sha1:", 20, encoded),
        ("Q2", encoded) => ("sha256:", 32, encoded),
        _ => return None,
    };
    let bytes = decode_base64(encoded)?;
    (bytes.len() == length).then(|| {
        bytes.iter().fold(name.to_owned(), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("writing to a String cannot fail");
            hex
        })
    })
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut bits, mut bit_count) = (0_u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(value)) & 0xffff;
        bit_count += 6;
        if bit_count >= 8 {
            bit_count -= 8;
            bytes.push(bits.checked_shr(bit_count)?.to_le_bytes()[0]);
        }
    }
    Some(bytes)
}
