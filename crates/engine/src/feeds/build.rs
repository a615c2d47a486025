//! A new database out of all accepted files, beside the old one and swapped in.

use std::collections::BTreeSet;
use std::path::PathBuf;

use advisory_feeds::sources::FeedSource;
use advisory_feeds::{FeedError, FeedLimits};
use jiff::Timestamp;
use model::{Advisory, DatabaseIdentity};
use serde_json::json;
use vulnerability_db::{BuildError, DatabaseSource, DatabaseStatus, WriteError};

use super::folder::FeedFolder;
use super::state::{FeedsState, store_build};
use super::update::read_source;
use super::{facts, read_fact, write_fact};
use crate::storage_error::chain;
use crate::{DatabaseState, Engine, StorageError};

/// How the building ended; it is stored already.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BuildOutcome {
    /// Nothing is different from what the last one was made of.
    NotNeeded,
    /// A new database is in force.
    Swapped,
    /// The old one stays in force.
    Failed(String),
}

/// Why the old database stays in force.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("read the files of `{name}` again")]
    Read {
        name: String,
        #[source]
        source: FeedError,
    },
    #[error("build the database")]
    Build(#[from] BuildError),
    #[error("put the new database in place")]
    Write(#[from] WriteError),
    #[error("make the folder of the database")]
    Folder(#[from] std::io::Error),
    #[error("the building broke off")]
    Panicked(#[source] tokio::task::JoinError),
    #[error(
        "the database in force was imported and has {before} records about `{group}`, a new one would have {after}; if \
         this is right, accept it with `POST /v1/system/feeds?force=true`"
    )]
    Shrunk { group: String, before: u64, after: u64 },
}

/// One source with its accepted files.
struct Part {
    source: FeedSource,
    folder: PathBuf,
    synced_at: Timestamp,
    disabled_groups: BTreeSet<String>,
}

impl Engine {
    /// Builds a database if its parts differ from those of the last one, and puts it in force.
    pub(super) async fn build_if_needed(
        &self,
        state: &FeedsState,
        is_forced: bool,
    ) -> Result<BuildOutcome, StorageError> {
        let parts = self.parts(state);
        let inputs = inputs_text(state, &parts);
        let data = self.vulnerability_data_now().await;
        let is_there = data.database.is_some();
        let last = read_fact(&self.storage, facts::BUILD_INPUTS).await?;
        // Before anything was fetched there is nothing to build of, and what was imported stays.
        let is_first = parts.is_empty() && last.is_none();
        if is_first || (is_there && last.as_ref() == Some(&inputs)) {
            return Ok(BuildOutcome::NotNeeded);
        }
        let in_force = match &data.state {
            DatabaseState::Loaded { identity, status, .. } if !is_forced => {
                let built = read_fact(&self.storage, facts::BUILD_IDENTITY).await?;
                (built != Some(identity_text(identity))).then(|| (**status).clone())
            }
            _ => None,
        };
        let used: Vec<String> = parts.iter().map(|part| part.source.name.clone()).collect();
        let now = self.now();
        let (limits, path) = (self.settings.feeds.limits, self.settings.database_path.clone());
        let built =
            tokio::task::spawn_blocking(move || build_and_swap(parts, &limits, path, now, in_force.as_ref()));
        let built = built.await.map_err(Failure::Panicked).and_then(|built| built);
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        let outcome = match built {
            Ok(identity) => {
                store_build(&mut tx, (&inputs, &identity_text(&identity)), &used, now).await?;
                tracing::info!(
                    database.revision = identity.revision,
                    "a new vulnerability database is in place"
                );
                BuildOutcome::Swapped
            }
            Err(failure) => {
                let reason = chain(&failure);
                tracing::error!(error = reason, "the old vulnerability database stays in force");
                write_fact(&mut tx, facts::BUILD_FAILURE, &reason, now).await?;
                BuildOutcome::Failed(reason)
            }
        };
        tx.commit().await.map_err(StorageError::at("commit"))?;
        if outcome == BuildOutcome::Swapped {
            self.vulnerability_data_now().await;
            self.remove_old_versions(state);
        }
        Ok(outcome)
    }

    fn parts(&self, state: &FeedsState) -> Vec<Part> {
        let folder = FeedFolder::new(&self.settings.data_dir);
        let sources = self.settings.feeds.sources.iter();
        let part = |source: &FeedSource| {
            let known = state.sources.get(&source.name).filter(|known| known.is_enabled)?;
            let version = folder.version(&source.name, known.version.as_ref()?);
            let groups = known.groups.keys().filter(|group| !state.is_group_enabled(&source.name, group));
            version.is_dir().then(|| Part {
                source: source.clone(),
                folder: version,
                synced_at: known.succeeded_at.unwrap_or(known.updated_at),
                disabled_groups: groups.cloned().collect(),
            })
        };
        sources.filter_map(part).collect()
    }

    fn remove_old_versions(&self, state: &FeedsState) {
        let folder = FeedFolder::new(&self.settings.data_dir);
        for source in state.sources.values() {
            if let Some(version) = &source.version
                && let Err(error) = folder.remove_others(&source.name, Some(version))
            {
                tracing::warn!(
                    feed.source = source.name,
                    error = chain(&error),
                    "cannot remove old feed files"
                );
            }
        }
    }
}

/// What a database is made of, in words that are compared.
fn inputs_text(state: &FeedsState, parts: &[Part]) -> String {
    let part = |part: &Part| {
        let version = state.sources.get(&part.source.name).and_then(|known| known.version.clone());
        json!([part.source.name, version, part.disabled_groups])
    };
    json!(parts.iter().map(part).collect::<Vec<_>>()).to_string()
}

pub(super) fn identity_text(identity: &DatabaseIdentity) -> String {
    format!("{}@{}", identity.revision, identity.built_at)
}

fn build_and_swap(
    parts: Vec<Part>,
    limits: &FeedLimits,
    path: PathBuf,
    now: Timestamp,
    in_force: Option<&DatabaseStatus>,
) -> Result<DatabaseIdentity, Failure> {
    let mut sources = Vec::with_capacity(parts.len());
    for Part { source, folder, synced_at, disabled_groups } in parts {
        let parsed = read_source(&source, &folder, limits)
            .map_err(|error| Failure::Read { name: source.name.clone(), source: error })?;
        sources.push(DatabaseSource {
            kind: source.kind,
            name: source.name,
            advisories: without_groups(parsed.advisories, &disabled_groups),
            diagnostics_count: parsed.diagnostics.len(),
            synced_at,
        });
    }
    if let Some(status) = in_force {
        check_against(status, &sources)?;
    }
    let image = vulnerability_db::build(sources, now)?;
    if let Some(parent) = path.parent() {
        fs_err::create_dir_all(parent)?;
    }
    vulnerability_db::write(&image, &path)?;
    Ok(image.identity().clone())
}

/// What others say about a vulnerability stays; a record that speaks about disabled groups only goes.
fn without_groups(advisories: Vec<Advisory>, disabled: &BTreeSet<String>) -> Vec<Advisory> {
    if disabled.is_empty() {
        return advisories;
    }
    let strip = |mut advisory: Advisory| {
        let had_parts = !advisory.affected.is_empty();
        advisory.affected.retain(|part| !disabled.contains(&part.ecosystem.to_string()));
        (!had_parts || !advisory.affected.is_empty()).then_some(advisory)
    };
    advisories.into_iter().filter_map(strip).collect()
}

/// A database that somebody imported knows more than half-fetched sources: it is not replaced by less.
fn check_against(status: &DatabaseStatus, sources: &[DatabaseSource]) -> Result<(), Failure> {
    let mut counts = std::collections::BTreeMap::new();
    for advisory in sources.iter().flat_map(|source| &source.advisories).filter(|it| !it.is_withdrawn) {
        let ecosystems: BTreeSet<_> = advisory.affected.iter().map(|part| part.ecosystem.clone()).collect();
        for ecosystem in ecosystems {
            *counts.entry(ecosystem).or_insert(0_u64) += 1;
        }
    }
    for group in &status.ecosystems {
        let after = counts.get(&group.ecosystem).copied().unwrap_or_default();
        if after.saturating_mul(2) < group.records {
            let (group, before) = (group.ecosystem.to_string(), group.records);
            return Err(Failure::Shrunk { group, before, after });
        }
    }
    Ok(())
}
