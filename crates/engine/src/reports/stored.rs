//! How a report is kept: what it takes to see a change, as JSON compressed with zstd.

use std::io::Read as _;

use jiff::Timestamp;
use model::Finding;
use serde::{Deserialize, Serialize};
use storage::{Executor, WriteTransaction, to_micros};

use super::index::store_findings;
use crate::StorageError;

const COMPRESSION_LEVEL: i32 = 3;
const UNPACKED_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// The findings of one image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredReport {
    pub(crate) findings: Vec<StoredFinding>,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct StoredFinding {
    pub(crate) id: String,
    /// Type in a package URL.
    pub(crate) kind: String,
    pub(crate) package: String,
    pub(crate) version: String,
    pub(crate) path: String,
    pub(crate) severity: String,
    pub(crate) fixed_in: Vec<String>,
    pub(crate) state: String,
    pub(crate) url: String,
    /// In which body of packages it was found.
    pub(crate) group: String,
    /// When it was first found in this image.
    pub(crate) detected_us: Option<i64>,
    /// When a fix was first seen; absent while there is none, and when it was there from the beginning.
    pub(crate) fix_observed_us: Option<i64>,
}

/// What makes two findings the same one.
pub(crate) type FindingKey<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str);

impl StoredFinding {
    pub(crate) fn key(&self) -> FindingKey<'_> {
        (&self.id, &self.kind, &self.package, &self.version, &self.path)
    }
}

/// The key of a finding that is not stored.
pub(crate) fn finding_key(finding: &Finding) -> FindingKey<'_> {
    let Finding { id, package_kind, package, version, package_path, .. } = finding;
    (id, package_kind.purl_type(), package, version, package_path)
}

impl From<&Finding> for StoredFinding {
    fn from(finding: &Finding) -> Self {
        Self {
            id: finding.id.clone(),
            kind: finding.package_kind.purl_type().to_owned(),
            package: finding.package.clone(),
            version: finding.version.clone(),
            path: finding.package_path.clone(),
            severity: finding.severity.name().to_owned(),
            fixed_in: finding.fixed_in.clone(),
            state: finding.state.name().to_owned(),
            url: finding.url.clone().unwrap_or_default(),
            group: finding.evidence.ecosystem.to_string(),
            detected_us: None,
            fix_observed_us: None,
        }
    }
}

/// The stored report of an image, with the revision of the data it was computed from.
///
/// `None`: none was ever computed, or the image could not be judged.
pub(crate) async fn load_report<'c>(
    on: impl Executor<'c>,
    digest: &str,
) -> Result<Option<(String, StoredReport)>, StorageError> {
    let row: Option<(String, Vec<u8>)> =
        storage::query("SELECT database_revision, content FROM image_reports WHERE digest = $1")
            .bind(digest)
            .fetch_optional_as(on)
            .await
            .map_err(StorageError::at("read a report"))?;
    match row {
        Some((revision, content)) if !content.is_empty() => {
            let report = decode(&content).map_err(StorageError::at("unpack a report"))?;
            Ok(Some((revision, report)))
        }
        _ => Ok(None),
    }
}

/// Keeps the report of an image; `None`: it cannot be judged with this data, and will not be tried again before the next.
pub(crate) async fn store_report(
    tx: &mut WriteTransaction,
    digest: &str,
    revision: &str,
    report: Option<&StoredReport>,
    now: Timestamp,
) -> Result<(), StorageError> {
    let content = report.map(encode).transpose().map_err(StorageError::at("pack a report"))?;
    storage::query(
        "INSERT INTO image_reports (digest, database_revision, content, updated_us, is_indexed) \
         VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (digest) DO UPDATE SET database_revision = excluded.database_revision, \
           content = excluded.content, updated_us = excluded.updated_us, is_indexed = excluded.is_indexed",
    )
    .bind(digest)
    .bind(revision)
    .bind(content.unwrap_or_default())
    .bind(to_micros(now))
    .bind(report.is_some())
    .execute(&mut *tx)
    .await
    .map_err(StorageError::at("store a report"))?;
    store_findings(tx, digest, report.map_or(&[], |report| &report.findings)).await
}

fn encode(report: &StoredReport) -> std::io::Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(Vec::new(), COMPRESSION_LEVEL)?;
    serde_json::to_writer(&mut encoder, report)?;
    encoder.finish()
}

fn decode(content: &[u8]) -> std::io::Result<StoredReport> {
    let mut text = Vec::new();
    let mut bounded = zstd::Decoder::new(content)?.take(UNPACKED_BYTES_MAX);
    std::io::copy(&mut bounded, &mut text)?;
    Ok(serde_json::from_slice(&text)?)
}
