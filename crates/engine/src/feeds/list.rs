//! The feeds as they are shown: everything together under one name, then each source.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::state::SourceState;
use super::{ALL_FEEDS, facts, read_fact};
use crate::{DatabaseState, Engine, StorageError};

/// One feed: a source, or all of them together.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedStatus {
    /// The source; [`ALL_FEEDS`] for all together.
    pub name: String,
    /// Whether it is fetched and used.
    pub is_enabled: bool,
    /// When it was first known.
    pub created_at: Timestamp,
    /// When something about it changed last.
    pub updated_at: Timestamp,
    /// The last good answer of it; for all together that of the oldest group. `None`: there is no data.
    pub synced_at: Option<Timestamp>,
    /// Its bodies of packages.
    pub groups: Vec<FeedGroupStatus>,
    /// Why the last attempt failed.
    pub problem: Option<String>,
    /// One sentence for people; for all together only.
    pub state: Option<String>,
    /// Addresses without secrets, for sources.
    pub addresses: Vec<String>,
    /// How often it is asked; `None` for all together.
    pub interval: Option<Duration>,
    /// When the last attempt failed.
    pub failed_at: Option<Timestamp>,
    /// When its data changed last.
    pub changed_at: Option<Timestamp>,
    /// Failed attempts since the last good answer.
    pub failures: i64,
    /// Records in use or ready for it, without withdrawn ones.
    pub records: Option<i64>,
    /// The last time images were judged again; for all together only.
    pub last_judgement: Option<LastJudgement>,
}

/// One body of packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedGroupStatus {
    /// Its name: `debian:12`.
    pub name: String,
    /// Whether it is used.
    pub is_enabled: bool,
    /// When it was first known.
    pub created_at: Timestamp,
    /// When something about it changed last.
    pub updated_at: Timestamp,
    /// When its data was confirmed last. `None`: there is none.
    pub synced_at: Option<Timestamp>,
    /// Its records.
    pub records: Option<u64>,
}

/// Numbers of one time that images were judged again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastJudgement {
    /// When it ended.
    pub ended_at: Timestamp,
    /// Images with an analysis.
    pub images: u64,
    /// Those that were looked at, because they have a package that something new is said about.
    pub images_looked_at: u64,
    /// Those whose findings changed.
    pub images_changed: u64,
}

impl Engine {
    /// All feeds, everything together first.
    pub async fn feeds(&self) -> Result<Vec<FeedStatus>, StorageError> {
        let state = self.feeds_state().await?;
        let data = self.vulnerability_data().await;
        let mut groups: BTreeMap<String, FeedGroupStatus> = BTreeMap::new();
        let mut created_at = self.started_at();
        let mut updated_at = None;
        if let DatabaseState::Loaded { status, .. } = &data.state {
            for group in &status.ecosystems {
                let name = group.ecosystem.to_string();
                let synced_at = self.synced_at(&name, &data).await?.unwrap_or(group.synced_at);
                created_at = created_at.min(group.synced_at);
                updated_at = updated_at.max(Some(synced_at));
                let shown = FeedGroupStatus {
                    name: name.clone(),
                    is_enabled: true,
                    created_at: group.synced_at,
                    updated_at: synced_at,
                    synced_at: Some(synced_at),
                    records: Some(group.records),
                };
                groups.insert(name, shown);
            }
        }
        for (name, said) in &state.all_groups {
            let shown = groups.entry(name.clone()).or_insert_with(|| FeedGroupStatus {
                name: name.clone(),
                is_enabled: true,
                created_at: said.created_at,
                updated_at: said.updated_at,
                synced_at: None,
                records: None,
            });
            shown.is_enabled = said.is_enabled;
        }
        let failure = read_fact(&self.storage, facts::BUILD_FAILURE).await?.filter(|it| !it.is_empty());
        let judgement = read_fact(&self.storage, facts::LAST_JUDGEMENT).await?;
        let groups: Vec<FeedGroupStatus> = groups.into_values().collect();
        let mut feeds = vec![FeedStatus {
            name: ALL_FEEDS.to_owned(),
            is_enabled: state.is_enabled,
            created_at,
            updated_at: updated_at.unwrap_or(created_at),
            // The whole is as old as its oldest part.
            synced_at: groups.iter().filter_map(|group| group.synced_at).min(),
            groups,
            problem: failure,
            state: Some(data.state.describe()),
            addresses: Vec::new(),
            interval: None,
            failed_at: None,
            changed_at: None,
            failures: 0,
            records: None,
            last_judgement: judgement.and_then(|text| serde_json::from_str(&text).ok()),
        }];
        for source in &self.settings.feeds.sources {
            // What the configuration leaves out is shown once an administrator has switched it on.
            let is_shown = |known: &&SourceState| source.is_enabled || known.is_enabled;
            if let Some(known) = state.sources.get(&source.name).filter(is_shown) {
                let addresses =
                    source.files.iter().map(|file| advisory_feeds::fetch::shown_address(&file.url));
                feeds.push(source_status(known, addresses.collect(), source.interval));
            }
        }
        Ok(feeds)
    }
}

fn source_status(known: &SourceState, addresses: Vec<String>, interval: Duration) -> FeedStatus {
    let group = |(name, group): (&String, &super::state::GroupState)| FeedGroupStatus {
        name: name.clone(),
        is_enabled: group.is_enabled,
        created_at: group.created_at,
        updated_at: group.updated_at,
        synced_at: group.records.and(known.succeeded_at),
        records: group.records.and_then(|records| u64::try_from(records).ok()),
    };
    FeedStatus {
        name: known.name.clone(),
        is_enabled: known.is_enabled,
        created_at: known.created_at,
        updated_at: known.updated_at,
        synced_at: known.succeeded_at,
        groups: known.groups.iter().map(group).collect(),
        problem: known.failure.clone(),
        state: None,
        addresses,
        interval: Some(interval),
        failed_at: known.failed_at,
        changed_at: known.changed_at,
        failures: known.failures,
        records: known.counts.map(|counts| counts.records),
        last_judgement: None,
    }
}
