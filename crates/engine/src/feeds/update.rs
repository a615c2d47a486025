//! One source: asked, checked, and accepted or refused as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use advisory_feeds::fetch::{FeedRequest, FetchError, FetchOutcome, Fetcher, Validators};
use advisory_feeds::sources::FeedSource;
use advisory_feeds::{FeedError, FeedLimits, ParsedFeed};
use fs_err as fs;
use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::folder::FeedFolder;
use super::state::{Counts, SourceState, StoredFile, store_accepted, store_failure, store_unchanged};
use super::sync::SyncOptions;
use super::told::SourceRun;
use crate::storage_error::chain;
use crate::{Engine, StorageError};

/// A group with fewer records may lose any number of them: one record more or less says nothing.
const SMALL_GROUP_RECORDS: i64 = 10;
/// After the first failure; it doubles with each one, up to the source's interval.
const RETRY_FIRST: Duration = Duration::from_secs(300);

/// How an update of a source ended; it is stored already.
#[derive(Debug)]
pub(super) enum Outcome {
    Unchanged,
    /// Records by group.
    Accepted(BTreeMap<String, i64>),
    Failed(String),
}

impl Outcome {
    /// Its name for monitoring.
    fn name(&self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Accepted(_) => "updated",
            Self::Failed(_) => "failed",
        }
    }
}

/// Why new files are not accepted.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Read(#[from] FeedError),
    #[error("keep the fetched files")]
    Disk(#[from] std::io::Error),
    #[error("no record is in it, so the old ones stay in force")]
    Empty,
    #[error("{diagnostics} records cannot be read and {records} can, so the old ones stay in force")]
    MostlyBroken { records: i64, diagnostics: i64 },
    #[error(
        "{} shrunk from {before} records to {after}, so the old ones stay in force; if this is right, accept it with \
         `POST /v1/system/feeds?force=true`", shrunk_name(group.as_deref())
    )]
    Shrunk { group: Option<String>, before: i64, after: i64 },
    #[error("the reading of it broke off")]
    Panicked(#[source] tokio::task::JoinError),
}

impl Refusal {
    /// The group that it is about; `None`: the source as a whole.
    fn group(&self) -> Option<&str> {
        match self {
            Self::Shrunk { group, .. } => group.as_deref(),
            _ => None,
        }
    }
}

fn shrunk_name(group: Option<&str>) -> String {
    group.map_or_else(|| "it has".to_owned(), |group| format!("its group `{group}` has"))
}

/// Files that have passed all checks.
struct Checked {
    version: String,
    files: Vec<StoredFile>,
    counts: Counts,
    groups: BTreeMap<String, i64>,
}

enum Fetched {
    Unchanged(Vec<StoredFile>),
    New(Box<Checked>),
}

impl Engine {
    /// Asks a source, and stores how it ended.
    pub(super) async fn update_source(
        &self,
        fetcher: &Fetcher,
        source: &FeedSource,
        state: &SourceState,
        options: &SyncOptions,
    ) -> Result<Outcome, StorageError> {
        let begun_at = self.now();
        let fetched = self.fetch_source(fetcher, source, state, options).await;
        let now = self.now();
        let run = SourceRun { source: &source.name, begun_at, ended_at: now };
        let times = (now, later(now, source.interval));
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        let outcome = match fetched {
            Ok(Fetched::Unchanged(files)) => {
                store_unchanged(&mut tx, &source.name, &files, times).await?;
                // Nobody asked, and there is nothing new: the list of feeds says that it was confirmed.
                if !options.is_only_due {
                    let groups = state.groups.iter().filter(|(_, group)| group.records.is_some());
                    let groups = groups.map(|(name, _)| (name.clone(), 0)).collect();
                    self.tell_completed(&mut tx, &run, &groups, json!({})).await?;
                }
                Outcome::Unchanged
            }
            Ok(Fetched::New(checked)) => {
                let Checked { version, files, counts, groups } = *checked;
                store_accepted(&mut tx, &source.name, (&version, &files), (counts, &groups), times).await?;
                let details = json!({"records": counts.records, "unreadable": counts.diagnostics});
                self.tell_completed(&mut tx, &run, &groups, details).await?;
                Outcome::Accepted(groups)
            }
            Err(refusal) => {
                let reason = chain(&refusal);
                let wait = match &refusal {
                    Refusal::Fetch(error) => error.retry_after().unwrap_or_default(),
                    _ => Duration::ZERO,
                };
                let next = later(now, wait.max(pause_after(state.failures, source.interval)));
                store_failure(&mut tx, &source.name, &reason, (now, next)).await?;
                let details = json!({"error": reason, "failures": state.failures + 1});
                self.tell_failed(&mut tx, &run, refusal.group(), details).await?;
                tracing::warn!(feed.source = source.name, error = reason, "a feed was not taken over");
                Outcome::Failed(reason)
            }
        };
        tx.commit().await.map_err(StorageError::at("commit"))?;
        self.settings.metrics.feed_update(&source.name, outcome.name());
        if let Outcome::Accepted(_) = &outcome {
            tracing::info!(feed.source = source.name, "a feed was taken over");
        }
        Ok(outcome)
    }

    async fn fetch_source(
        &self,
        fetcher: &Fetcher,
        source: &FeedSource,
        state: &SourceState,
        options: &SyncOptions,
    ) -> Result<Fetched, Refusal> {
        let folder = FeedFolder::new(&self.settings.data_dir);
        let new = folder.begin(&source.name)?;
        let fetched = self.fetch_into(fetcher, source, state, options, &folder, &new).await;
        if !matches!(fetched, Ok(Fetched::New(_))) {
            // What cannot be removed now is removed by the next attempt.
            let _ = fs::remove_dir_all(&new);
        }
        fetched
    }

    async fn fetch_into(
        &self,
        fetcher: &Fetcher,
        source: &FeedSource,
        state: &SourceState,
        options: &SyncOptions,
        folder: &FeedFolder,
        new: &Path,
    ) -> Result<Fetched, Refusal> {
        let accepted = state.version.as_ref().map(|version| folder.version(&source.name, version));
        let mut files = Vec::with_capacity(source.files.len());
        for file in &source.files {
            let destination = new.join(&file.name);
            let known = state.files.iter().find(|known| known.name == file.name && known.url == file.url);
            let old_path =
                accepted.as_ref().map(|folder| folder.join(&file.name)).filter(|path| path.is_file());
            let old = known.zip(old_path).filter(|_| !options.is_flushed);
            let validators = old.as_ref().map_or_else(Validators::default, |(known, _)| known.validators());
            let request =
                FeedRequest { url: &file.url, kind: source.kind, validators, destination: &destination };
            match (fetcher.fetch(&request).await?, old) {
                (FetchOutcome::NotModified, Some((known, path))) => {
                    fs::hard_link(path, &destination)?;
                    files.push(known.clone());
                }
                (FetchOutcome::NotModified, None) => {
                    let problem = "it says that nothing has changed where nothing is known".to_owned();
                    return Err(FetchError::BadAnswer { url: source.name.clone(), problem }.into());
                }
                (FetchOutcome::Fetched(fetched), _) => files.push(StoredFile {
                    name: file.name.clone(),
                    url: file.url.clone(),
                    etag: fetched.validators.etag,
                    last_modified: fetched.validators.last_modified,
                    sha256: fetched.sha256,
                    bytes: fetched.bytes,
                }),
            }
        }
        let version = version_of(&files);
        let is_there = accepted.is_some_and(|path| path.is_dir());
        if is_there && state.version.as_ref() == Some(&version) {
            return Ok(Fetched::Unchanged(files));
        }
        let (counts, groups) = self.count(source, new).await?;
        if !options.is_forced {
            check_size(state, counts, &groups)?;
        }
        folder.finish(&source.name, new, &version)?;
        Ok(Fetched::New(Box::new(Checked { version, files, counts, groups })))
    }

    async fn count(
        &self,
        source: &FeedSource,
        new: &Path,
    ) -> Result<(Counts, BTreeMap<String, i64>), Refusal> {
        let (source, limits, new) = (source.clone(), self.settings.feeds.limits, new.to_owned());
        // One after the other: a feed in memory is large.
        let _turn = self.feed_reading.lock().await;
        let counted = tokio::task::spawn_blocking(move || {
            read_source(&source, &new, &limits).map(|parsed| counts_of(&parsed))
        });
        let (counts, groups) = counted.await.map_err(Refusal::Panicked)??;
        match counts {
            Counts { records: 0, withdrawn: 0, .. } => Err(Refusal::Empty),
            Counts { records, withdrawn, diagnostics } if diagnostics > records + withdrawn => {
                Err(Refusal::MostlyBroken { records, diagnostics })
            }
            _ => Ok((counts, groups)),
        }
    }
}

/// Reads the files of a source that lie in a folder.
pub(super) fn read_source(
    source: &FeedSource,
    folder: &Path,
    limits: &FeedLimits,
) -> Result<ParsedFeed, FeedError> {
    let path: PathBuf = match source.files.as_slice() {
        [one] => folder.join(&one.name),
        _ => folder.to_owned(),
    };
    advisory_feeds::read_feed(source.kind, &path, limits)
}

fn counts_of(parsed: &ParsedFeed) -> (Counts, BTreeMap<String, i64>) {
    let count = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
    let withdrawn = parsed.advisories.iter().filter(|advisory| advisory.is_withdrawn).count();
    let mut groups: BTreeMap<String, i64> = BTreeMap::new();
    for advisory in parsed.advisories.iter().filter(|advisory| !advisory.is_withdrawn) {
        let ecosystems: BTreeSet<_> = advisory.affected.iter().map(|part| &part.ecosystem).collect();
        for ecosystem in ecosystems {
            *groups.entry(ecosystem.to_string()).or_default() += 1;
        }
    }
    let counts = Counts {
        records: count(parsed.advisories.len() - withdrawn),
        withdrawn: count(withdrawn),
        diagnostics: count(parsed.diagnostics.len()),
    };
    (counts, groups)
}

/// A feed that loses more than half of what it had is more likely broken than right.
fn check_size(state: &SourceState, counts: Counts, groups: &BTreeMap<String, i64>) -> Result<(), Refusal> {
    let is_shrunk = |before: i64, after: i64| after.saturating_mul(2) < before;
    if let Some(before) = state.counts
        && is_shrunk(before.records, counts.records)
    {
        return Err(Refusal::Shrunk { group: None, before: before.records, after: counts.records });
    }
    for (name, group) in &state.groups {
        let before = group.records.unwrap_or_default();
        let after = groups.get(name).copied().unwrap_or_default();
        if group.is_enabled && before >= SMALL_GROUP_RECORDS && is_shrunk(before, after) {
            return Err(Refusal::Shrunk { group: Some(name.clone()), before, after });
        }
    }
    Ok(())
}

/// Equal files have equal versions.
fn version_of(files: &[StoredFile]) -> String {
    let mut hasher = Sha256::new();
    for file in files {
        hasher.update(format!("{} {}\n", file.name, file.sha256));
    }
    let hex: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    hex.chars().take(32).collect()
}

fn pause_after(failures: i64, interval: Duration) -> Duration {
    let doublings = u32::try_from(failures.clamp(0, 16)).unwrap_or_default();
    RETRY_FIRST.saturating_mul(1 << doublings).min(interval)
}

pub(super) fn later(now: Timestamp, pause: Duration) -> Timestamp {
    now.checked_add(pause).unwrap_or(Timestamp::MAX)
}
