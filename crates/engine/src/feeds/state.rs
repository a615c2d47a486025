//! What the tables know about sources and groups.

use std::collections::BTreeMap;

use advisory_feeds::fetch::Validators;
use advisory_feeds::sources::FeedSource;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use storage::{Database, Executor, Row, WriteTransaction, from_micros, to_micros};

use super::{ALL_FEEDS, facts};
use crate::{Engine, StorageError};

/// The groups of all sources together.
const ALL_SOURCES: &str = "";

/// One accepted file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredFile {
    pub(super) name: String,
    /// Validators hold for this address only.
    pub(super) url: String,
    pub(super) etag: Option<String>,
    pub(super) last_modified: Option<String>,
    pub(super) sha256: String,
    pub(super) bytes: u64,
}

impl StoredFile {
    pub(super) fn validators(&self) -> Validators {
        Validators { etag: self.etag.clone(), last_modified: self.last_modified.clone() }
    }
}

/// One source.
#[derive(Debug, Clone)]
pub(super) struct SourceState {
    pub(super) name: String,
    pub(super) is_enabled: bool,
    pub(super) version: Option<String>,
    pub(super) files: Vec<StoredFile>,
    pub(super) counts: Option<Counts>,
    pub(super) succeeded_at: Option<Timestamp>,
    pub(super) changed_at: Option<Timestamp>,
    pub(super) failed_at: Option<Timestamp>,
    pub(super) failure: Option<String>,
    pub(super) failures: i64,
    pub(super) next_at: Option<Timestamp>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) groups: BTreeMap<String, GroupState>,
}

/// How much is in the accepted files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) records: i64,
    pub(super) withdrawn: i64,
    pub(super) diagnostics: i64,
}

/// One group of a source, or of all sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GroupState {
    pub(super) records: Option<i64>,
    pub(super) is_enabled: bool,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

/// Everything about feeds.
#[derive(Debug, Clone)]
pub(super) struct FeedsState {
    /// By name, those of the configuration only.
    pub(super) sources: BTreeMap<String, SourceState>,
    /// What was said about groups of all sources.
    pub(super) all_groups: BTreeMap<String, GroupState>,
    pub(super) is_enabled: bool,
}

impl FeedsState {
    /// Whether what a source says about a group is used.
    pub(super) fn is_group_enabled(&self, source: &str, group: &str) -> bool {
        let is_off =
            |groups: &BTreeMap<String, GroupState>| groups.get(group).is_some_and(|it| !it.is_enabled);
        !is_off(&self.all_groups) && !self.sources.get(source).is_some_and(|source| is_off(&source.groups))
    }
}

/// Makes the rows of the configured sources.
pub(crate) async fn prepare(
    storage: &Database,
    sources: &[FeedSource],
    now: Timestamp,
) -> Result<(), StorageError> {
    let mut tx = storage.begin().await.map_err(StorageError::at("begin"))?;
    for source in sources {
        storage::query(
            "INSERT INTO feed_sources (name, is_used, files, failures, created_us, updated_us) \
             VALUES ($1, 0, '[]', 0, $2, $2) ON CONFLICT (name) DO NOTHING",
        )
        .bind(&source.name)
        .bind(to_micros(now))
        .execute(&mut tx)
        .await
        .map_err(StorageError::at("list a feed source"))?;
    }
    tx.commit().await.map_err(StorageError::at("commit"))
}

/// A single fact.
pub(crate) async fn read_fact<'c>(
    on: impl Executor<'c>,
    key: &'static str,
) -> Result<Option<String>, StorageError> {
    let row: Option<(String,)> = storage::query("SELECT value FROM feed_state WHERE key = $1")
        .bind(key)
        .fetch_optional_as(on)
        .await
        .map_err(StorageError::at("read what is known about feeds"))?;
    Ok(row.map(|(value,)| value))
}

/// Keeps a single fact.
pub(crate) async fn write_fact(
    tx: &mut WriteTransaction,
    key: &'static str,
    value: &str,
    now: Timestamp,
) -> Result<(), StorageError> {
    storage::query(
        "INSERT INTO feed_state (key, value, updated_us) VALUES ($1, $2, $3) \
         ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_us = excluded.updated_us",
    )
    .bind(key)
    .bind(value)
    .bind(to_micros(now))
    .execute(tx)
    .await
    .map_err(StorageError::at("keep what is known about feeds"))?;
    Ok(())
}

impl Engine {
    pub(super) async fn feeds_state(&self) -> Result<FeedsState, StorageError> {
        let failed = |error| StorageError::new("read the state of feeds", error);
        let rows = storage::query("SELECT * FROM feed_sources ORDER BY name").fetch_all(&self.storage).await;
        let mut sources = BTreeMap::new();
        for row in rows.map_err(StorageError::at("read the state of feeds"))? {
            let name: String = row.get("name").map_err(StorageError::at("read the state of feeds"))?;
            let Some(configured) = self.settings.feeds.sources.iter().find(|source| source.name == name)
            else {
                continue;
            };
            sources.insert(name, read_source(&row, configured).map_err(failed)?);
        }
        let rows = storage::query("SELECT * FROM feed_groups").fetch_all(&self.storage).await;
        let mut all_groups = BTreeMap::new();
        for row in rows.map_err(StorageError::at("read the groups of feeds"))? {
            let (source, name, group) =
                read_group(&row).map_err(StorageError::at("read the groups of feeds"))?;
            if source == ALL_SOURCES {
                all_groups.insert(name, group);
            } else if let Some(source) = sources.get_mut(&source) {
                source.groups.insert(name, group);
            }
        }
        let is_enabled = read_fact(&self.storage, facts::IS_ENABLED).await?;
        Ok(FeedsState { sources, all_groups, is_enabled: is_enabled.as_deref() != Some("false") })
    }
}

type BoxedError = Box<dyn std::error::Error + Send + Sync>;

fn read_source(row: &Row, configured: &FeedSource) -> Result<SourceState, BoxedError> {
    let time = |column: &str| Ok::<_, BoxedError>(row.get::<Option<i64>>(column)?.map(from_micros));
    let counts = match row.get::<Option<i64>>("records")? {
        None => None,
        Some(records) => Some(Counts {
            records,
            withdrawn: row.get::<Option<i64>>("withdrawn")?.unwrap_or_default(),
            diagnostics: row.get::<Option<i64>>("diagnostics")?.unwrap_or_default(),
        }),
    };
    let said: Option<i64> = row.get("is_enabled")?;
    Ok(SourceState {
        name: configured.name.clone(),
        is_enabled: said.map_or(configured.is_enabled, |said| said != 0),
        version: row.get("version")?,
        files: serde_json::from_str(&row.get::<String>("files")?)?,
        counts,
        succeeded_at: time("succeeded_us")?,
        changed_at: time("changed_us")?,
        failed_at: time("failed_us")?,
        failure: row.get("failure")?,
        failures: row.get("failures")?,
        next_at: time("next_us")?,
        created_at: from_micros(row.get("created_us")?),
        updated_at: from_micros(row.get("updated_us")?),
        groups: BTreeMap::new(),
    })
}

fn read_group(row: &Row) -> Result<(String, String, GroupState), sqlx::Error> {
    let group = GroupState {
        records: row.get("records")?,
        is_enabled: row.get("is_enabled")?,
        created_at: from_micros(row.get("created_us")?),
        updated_at: from_micros(row.get("updated_us")?),
    };
    Ok((row.get("source")?, row.get("name")?, group))
}

/// Keeps that a source was asked and gave nothing new.
pub(super) async fn store_unchanged(
    tx: &mut WriteTransaction,
    name: &str,
    files: &[StoredFile],
    (now, next): (Timestamp, Timestamp),
) -> Result<(), StorageError> {
    storage::query(
        "UPDATE feed_sources SET files = $2, succeeded_us = $3, updated_us = $3, next_us = $4, failure = NULL, \
         failures = 0 WHERE name = $1",
    )
    .bind(name)
    .bind(files_text(files))
    .bind(to_micros(now))
    .bind(to_micros(next))
    .execute(tx)
    .await
    .map_err(StorageError::at("keep the state of a feed"))?;
    Ok(())
}

/// Keeps that new files of a source are accepted.
pub(super) async fn store_accepted(
    tx: &mut WriteTransaction,
    name: &str,
    (version, files): (&str, &[StoredFile]),
    (counts, groups): (Counts, &BTreeMap<String, i64>),
    (now, next): (Timestamp, Timestamp),
) -> Result<(), StorageError> {
    storage::query(
        "UPDATE feed_sources SET version = $2, files = $3, records = $4, withdrawn = $5, diagnostics = $6, \
         succeeded_us = $7, changed_us = $7, updated_us = $7, next_us = $8, failure = NULL, failures = 0 \
         WHERE name = $1",
    )
    .bind(name)
    .bind(version)
    .bind(files_text(files))
    .bind(counts.records)
    .bind(counts.withdrawn)
    .bind(counts.diagnostics)
    .bind(to_micros(now))
    .bind(to_micros(next))
    .execute(&mut *tx)
    .await
    .map_err(StorageError::at("keep the state of a feed"))?;
    storage::query("UPDATE feed_groups SET records = NULL WHERE source = $1")
        .bind(name)
        .execute(&mut *tx)
        .await
        .map_err(StorageError::at("keep the groups of a feed"))?;
    for (group, records) in groups {
        storage::query(
            "INSERT INTO feed_groups (source, name, records, is_enabled, created_us, updated_us) \
             VALUES ($1, $2, $3, 1, $4, $4) \
             ON CONFLICT (source, name) DO UPDATE SET records = excluded.records, updated_us = excluded.updated_us",
        )
        .bind(name)
        .bind(group)
        .bind(*records)
        .bind(to_micros(now))
        .execute(&mut *tx)
        .await
        .map_err(StorageError::at("keep the groups of a feed"))?;
    }
    Ok(())
}

/// Keeps that a source was asked in vain.
pub(super) async fn store_failure(
    tx: &mut WriteTransaction,
    name: &str,
    failure: &str,
    (now, next): (Timestamp, Timestamp),
) -> Result<(), StorageError> {
    storage::query(
        "UPDATE feed_sources SET failure = $2, failures = failures + 1, failed_us = $3, updated_us = $3, next_us = $4 \
         WHERE name = $1",
    )
    .bind(name)
    .bind(failure)
    .bind(to_micros(now))
    .bind(to_micros(next))
    .execute(tx)
    .await
    .map_err(StorageError::at("keep the state of a feed"))?;
    Ok(())
}

/// Keeps whether a source is used.
pub(super) async fn store_source_enabled(
    tx: &mut WriteTransaction,
    name: &str,
    is_enabled: bool,
    now: Timestamp,
) -> Result<(), StorageError> {
    storage::query(
        "UPDATE feed_sources SET is_enabled = $2, updated_us = $3, next_us = NULL WHERE name = $1",
    )
    .bind(name)
    .bind(is_enabled)
    .bind(to_micros(now))
    .execute(tx)
    .await
    .map_err(StorageError::at("change a feed"))?;
    Ok(())
}

/// Keeps whether a group is used, of a source or of all of them.
pub(super) async fn store_group_enabled(
    tx: &mut WriteTransaction,
    feed: &str,
    group: &str,
    is_enabled: bool,
    now: Timestamp,
) -> Result<(), StorageError> {
    storage::query(
        "INSERT INTO feed_groups (source, name, is_enabled, created_us, updated_us) VALUES ($1, $2, $3, $4, $4) \
         ON CONFLICT (source, name) DO UPDATE SET is_enabled = excluded.is_enabled, updated_us = excluded.updated_us",
    )
    .bind(source_column(feed))
    .bind(group)
    .bind(is_enabled)
    .bind(to_micros(now))
    .execute(tx)
    .await
    .map_err(StorageError::at("change a group of a feed"))?;
    Ok(())
}

/// Forgets what a source brought, and what was said about its groups.
pub(super) async fn store_deleted(
    tx: &mut WriteTransaction,
    name: &str,
    now: Timestamp,
) -> Result<(), StorageError> {
    storage::query(
        "UPDATE feed_sources SET version = NULL, files = '[]', records = NULL, withdrawn = NULL, diagnostics = NULL, \
         succeeded_us = NULL, changed_us = NULL, failed_us = NULL, failure = NULL, failures = 0, next_us = NULL, \
         is_used = 0, updated_us = $2 WHERE name = $1",
    )
    .bind(name)
    .bind(to_micros(now))
    .execute(&mut *tx)
    .await
    .map_err(StorageError::at("forget a feed"))?;
    delete_groups(tx, name).await
}

/// Forgets what was said about the groups of a feed.
pub(super) async fn delete_groups(tx: &mut WriteTransaction, feed: &str) -> Result<(), StorageError> {
    storage::query("DELETE FROM feed_groups WHERE source = $1")
        .bind(source_column(feed))
        .execute(tx)
        .await
        .map_err(StorageError::at("forget the groups of a feed"))?;
    Ok(())
}

/// Keeps what was built, out of which sources.
pub(super) async fn store_build(
    tx: &mut WriteTransaction,
    (inputs, identity): (&str, &str),
    used: &[String],
    now: Timestamp,
) -> Result<(), StorageError> {
    write_fact(tx, facts::BUILD_INPUTS, inputs, now).await?;
    write_fact(tx, facts::BUILD_IDENTITY, identity, now).await?;
    write_fact(tx, facts::BUILD_FAILURE, "", now).await?;
    let failed = StorageError::at("keep which feeds are used");
    storage::query("UPDATE feed_sources SET is_used = 0").execute(&mut *tx).await.map_err(failed)?;
    for name in used {
        storage::query("UPDATE feed_sources SET is_used = 1 WHERE name = $1")
            .bind(name)
            .execute(&mut *tx)
            .await
            .map_err(StorageError::at("keep which feeds are used"))?;
    }
    Ok(())
}

fn source_column(feed: &str) -> &str {
    if feed == ALL_FEEDS { ALL_SOURCES } else { feed }
}

fn files_text(files: &[StoredFile]) -> String {
    serde_json::json!(files).to_string()
}
