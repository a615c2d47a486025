//! One synchronisation: all sources that are due, then the database, then the images it is about.

use std::collections::BTreeMap;
use std::sync::Arc;

use advisory_feeds::fetch::{BuildFetcherError, Fetcher};
use advisory_feeds::sources::FeedSource;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::build::BuildOutcome;
use super::folder::FeedFolder;
use super::state::{FeedsState, SourceState};
use super::told::SyncNews;
use super::update::Outcome;
use super::{ALL_FEEDS, LastJudgement};
use crate::storage_error::chain;
use crate::{Engine, StorageError};

/// Sources that are asked at the same time.
const CONCURRENT_MAX: usize = 4;

/// What is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SyncOptions {
    /// Takes over feeds that have shrunk.
    pub is_forced: bool,
    /// Fetches files that have not changed as well.
    pub is_flushed: bool,
    /// Leaves out sources whose time has not come.
    pub is_only_due: bool,
}

/// How a source, or all of them together, came out.
#[derive(Debug, Clone, PartialEq)]
pub struct SyncResult {
    /// The source; [`ALL_FEEDS`] for all together.
    pub feed: String,
    /// What went wrong; the old data is in force then.
    pub problem: Option<String>,
    /// How long it took.
    pub seconds: f64,
    /// By body of packages.
    pub groups: Vec<SyncGroup>,
    /// The images that were looked at because of it; for all together only.
    pub judgement: Option<LastJudgement>,
}

/// How one body of packages came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncGroup {
    /// Its name.
    pub name: String,
    /// Records that were taken over; 0 when nothing has changed.
    pub updated_records: i64,
}

/// Why nothing was synchronised.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// Somebody else is at it.
    #[error("a feed sync is already in progress; wait for it to end and ask again")]
    AlreadyInProgress,
    /// The folder of feeds cannot be used.
    #[error("use the folder of feeds")]
    Folder(#[source] std::io::Error),
    /// Certificates or proxies of the configuration cannot be used.
    #[error("prepare the fetching of feeds")]
    Fetcher(#[source] BuildFetcherError),
    /// The engine's tables.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// One turn of the duty: sources whose time has come, and what else has changed.
pub(crate) async fn update_due(engine: &Arc<Engine>) -> Result<(), StorageError> {
    match engine.sync_feeds(&SyncOptions { is_only_due: true, ..SyncOptions::default() }).await {
        Ok(_) | Err(SyncError::AlreadyInProgress) => Ok(()),
        Err(SyncError::Storage(error)) => Err(error),
        Err(error) => Err(StorageError::new("update feeds; their state is", error)),
    }
}

impl Engine {
    /// Asks the sources, builds a database of what they gave, puts it in force and judges again what it is about.
    pub async fn sync_feeds(self: &Arc<Self>, options: &SyncOptions) -> Result<Vec<SyncResult>, SyncError> {
        let folder = FeedFolder::new(&self.settings.data_dir);
        let lock = folder.try_lock().map_err(SyncError::Folder)?.ok_or(SyncError::AlreadyInProgress)?;
        let begun = Instant::now();
        let before = self.feeds_state().await?;
        let due = self.due(&before, options);
        if due.is_empty() && options.is_only_due {
            return Ok(Vec::new());
        }
        let fetcher =
            Fetcher::new(&self.settings.feeds.fetch, self.settings.clock).map_err(SyncError::Fetcher)?;
        let names: Vec<&str> = due.iter().map(|(source, _)| source.name.as_str()).collect();
        self.tell_sync(&SyncNews::Started, &names).await?;
        let mut asked: Vec<BoxFuture<'_, Result<SyncResult, StorageError>>> = Vec::with_capacity(due.len());
        for (source, state) in due {
            asked.push(Box::pin(self.sync_source(&fetcher, source, state, options)));
        }
        let asked = futures_util::stream::iter(asked).buffer_unordered(CONCURRENT_MAX);
        let results: Vec<_> = asked.collect().await;
        let mut results: Vec<SyncResult> = results.into_iter().collect::<Result<_, _>>()?;
        results.sort_by(|left, right| left.feed.cmp(&right.feed));
        let all = self.build_and_judge(&results, options, begun).await?;
        drop(lock);
        results.insert(0, all);
        Ok(results)
    }

    async fn sync_source(
        &self,
        fetcher: &Fetcher,
        source: &FeedSource,
        state: &SourceState,
        options: &SyncOptions,
    ) -> Result<SyncResult, StorageError> {
        let begun = Instant::now();
        let span = tracing::info_span!("feed_update", feed.source = source.name);
        let outcome = self.update_source(fetcher, source, state, options).instrument(span).await?;
        Ok(to_result(state, outcome, begun.elapsed().as_secs_f64()))
    }

    async fn build_and_judge(
        self: &Arc<Self>,
        results: &[SyncResult],
        options: &SyncOptions,
        begun: Instant,
    ) -> Result<SyncResult, SyncError> {
        let state = self.feeds_state().await?;
        let span = tracing::info_span!("build_vulnerability_database");
        let build = self.build_if_needed(&state, options.is_forced).instrument(span).await?;
        let judgement = self.judge_again_locked().instrument(tracing::info_span!("judge_again")).await?;
        let mut problems: Vec<String> = results
            .iter()
            .filter_map(|result| Some(format!("{}: {}", result.feed, result.problem.as_ref()?)))
            .collect();
        if let BuildOutcome::Failed(reason) = build {
            problems.insert(0, reason);
        }
        let mut groups: BTreeMap<&str, i64> = BTreeMap::new();
        for group in results.iter().flat_map(|result| &result.groups) {
            *groups.entry(&group.name).or_default() += group.updated_records;
        }
        let groups = groups
            .into_iter()
            .map(|(name, updated_records)| SyncGroup { name: name.to_owned(), updated_records });
        let all = SyncResult {
            feed: ALL_FEEDS.to_owned(),
            problem: (!problems.is_empty()).then(|| problems.join("; ")),
            seconds: begun.elapsed().as_secs_f64(),
            groups: groups.collect(),
            judgement,
        };
        let names: Vec<&str> = results.iter().map(|result| result.feed.as_str()).collect();
        let news = all.problem.as_deref().map_or(SyncNews::Completed, SyncNews::Failed);
        self.tell_sync(&news, &names).await?;
        Ok(all)
    }

    /// The sources to ask, each with what is known about it.
    fn due<'a>(
        &'a self,
        state: &'a FeedsState,
        options: &SyncOptions,
    ) -> Vec<(&'a FeedSource, &'a SourceState)> {
        if !state.is_enabled {
            return Vec::new();
        }
        let now = self.now();
        let known = |source: &'a FeedSource| {
            let known = state.sources.get(&source.name)?;
            let is_due = !options.is_only_due || known.next_at.is_none_or(|next| next <= now);
            (known.is_enabled && is_due).then_some((source, known))
        };
        self.settings.feeds.sources.iter().filter_map(known).collect()
    }
}

fn to_result(state: &SourceState, outcome: Outcome, seconds: f64) -> SyncResult {
    let unchanged = || {
        let groups = state.groups.iter().filter(|(_, group)| group.records.is_some());
        groups.map(|(name, _)| SyncGroup { name: name.clone(), updated_records: 0 }).collect()
    };
    let (problem, groups) = match outcome {
        Outcome::Unchanged => (None, unchanged()),
        Outcome::Failed(reason) => (Some(reason), unchanged()),
        Outcome::Accepted(groups) => {
            let group = |(name, updated_records)| SyncGroup { name, updated_records };
            (None, groups.into_iter().map(group).collect())
        }
    };
    SyncResult { feed: state.name.clone(), problem, seconds, groups, judgement: None }
}

impl From<SyncError> for StorageError {
    fn from(error: SyncError) -> Self {
        match error {
            SyncError::Storage(error) => error,
            other => Self::new("synchronise feeds", chain(&other)),
        }
    }
}
