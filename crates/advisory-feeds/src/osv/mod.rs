//! Records in the Open Source Vulnerability format.

mod intervals;
mod module_build;
mod raw;
mod record;

use model::{DiagnosticCode, FeedKind};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::{FeedError, FeedLimits, ParsedFeed};

/// Parses one file of records.
///
/// Shape:  one JSON object, a JSON list of them, or one per line (schema 1.7, older ones are subsets).
/// Result: one advisory per record. A record that cannot be read becomes a diagnostic with its offset.
/// Errors: no JSON at all, or more records than the limits allow.
/// Source: <https://ossf.github.io/osv-schema/>, read 2026-08.
pub fn parse(bytes: &[u8], name: &str, limits: &FeedLimits) -> Result<ParsedFeed, FeedError> {
    let mut parsed = ParsedFeed::default();
    add_file(bytes, name, limits, &mut parsed)?;
    sort(&mut parsed);
    Ok(parsed)
}

/// Sorts by identifier; records with the same one stay in the order of the files.
pub(crate) fn sort(parsed: &mut ParsedFeed) {
    parsed.advisories.sort_by(|a, b| a.id.cmp(&b.id));
}

/// Adds the records of one file.
pub(crate) fn add_file(
    bytes: &[u8],
    name: &str,
    limits: &FeedLimits,
    parsed: &mut ParsedFeed,
) -> Result<(), FeedError> {
    let not_a_feed =
        |reason: String| FeedError::NotAFeed { path: name.to_owned(), kind: FeedKind::Osv.name(), reason };
    let content = bytes.trim_ascii();
    if content.is_empty() {
        return Err(not_a_feed("it is empty".to_owned()));
    }
    if content.starts_with(b"[") {
        let records: Vec<&RawValue> =
            serde_json::from_slice(content).map_err(|error| not_a_feed(error.to_string()))?;
        for record in records {
            let offset = (record.get().as_ptr() as usize).saturating_sub(bytes.as_ptr() as usize);
            add_record(record.get().as_bytes(), name, offset, limits, parsed)?;
        }
        return Ok(());
    }
    if !content.starts_with(b"{") {
        return Err(not_a_feed("it is no JSON".to_owned()));
    }
    if !has_one_record_per_line(content) {
        return add_record(content, name, 0, limits, parsed);
    }
    let mut offset = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if !line.trim_ascii().is_empty() {
            add_record(line.trim_ascii(), name, offset, limits, parsed)?;
        }
        offset += line.len();
    }
    Ok(())
}

/// Whether the first of several lines is a value of its own; in a document over many lines it is not.
fn has_one_record_per_line(content: &[u8]) -> bool {
    let mut lines = content.split(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    lines.next().is_some() && serde_json::from_slice::<IgnoredAny>(first).is_ok()
}

fn add_record(
    bytes: &[u8],
    name: &str,
    offset: usize,
    limits: &FeedLimits,
    parsed: &mut ParsedFeed,
) -> Result<(), FeedError> {
    if parsed.records() >= limits.records_max {
        return Err(FeedError::LimitExceeded {
            path: name.to_owned(),
            limit: "records_max",
            allowed: limits.records_max as u64,
        });
    }
    if bytes.len() > limits.record_bytes_max {
        let message = format!("record has {} bytes (limit {})", bytes.len(), limits.record_bytes_max);
        parsed.add_diagnostic(DiagnosticCode::BrokenRecord, name, Some(offset), message);
        return Ok(());
    }
    match serde_json::from_slice::<raw::RawRecord>(bytes) {
        Ok(raw) if !raw.id.trim().is_empty() => {
            let (advisory, problems) = record::to_advisory(raw);
            for message in problems {
                let subject = format!("{name}: {}", advisory.id);
                parsed.add_diagnostic(DiagnosticCode::UnparsableBound, subject, Some(offset), message);
            }
            parsed.advisories.push(advisory);
        }
        Ok(_) => parsed.add_diagnostic(
            DiagnosticCode::BrokenRecord,
            name,
            Some(offset),
            "record has an empty identifier",
        ),
        Err(error) => {
            parsed.add_diagnostic(DiagnosticCode::BrokenRecord, name, Some(offset), error.to_string());
        }
    }
    Ok(())
}
