//! When findings were first seen, and when the data they rest on was confirmed last.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::{Digest, DistroCoverage, FindingTimes, MatchReport};
use storage::from_micros;

use super::stored::{finding_key, load_report};
use crate::feeds::{facts, read_fact};
use crate::vulnerability_database::Snapshot;
use crate::{DatabaseState, Engine, StorageError};

impl Engine {
    /// The times of the findings of a report, in their order.
    pub(crate) async fn finding_times(
        &self,
        digest: &Digest,
        report: &MatchReport,
    ) -> Result<Vec<FindingTimes>, StorageError> {
        let stored = load_report(&self.storage, &digest.to_string()).await?;
        let Some((_, stored)) = stored else { return Ok(Vec::new()) };
        let known: BTreeMap<_, _> = stored.findings.iter().map(|finding| (finding.key(), finding)).collect();
        let times = |finding| match known.get(&finding_key(finding)) {
            Some(stored) => FindingTimes {
                detected_at: stored.detected_us.map(from_micros),
                fix_observed_at: stored.fix_observed_us.map(from_micros),
            },
            None => FindingTimes::default(),
        };
        Ok(report.findings.iter().map(times).collect())
    }

    /// When what is known about a body of packages was confirmed last by all sources that speak about it.
    ///
    /// `None`: the database in force was not built from sources of this engine; its own times hold.
    pub(crate) async fn synced_at(
        &self,
        group: &str,
        data: &Snapshot,
    ) -> Result<Option<Timestamp>, StorageError> {
        let DatabaseState::Loaded { identity, .. } = &data.state else { return Ok(None) };
        let built = read_fact(&self.storage, facts::BUILD_IDENTITY).await?;
        if built != Some(format!("{}@{}", identity.revision, identity.built_at)) {
            return Ok(None);
        }
        let oldest: Option<(Option<i64>,)> = storage::query(
            "SELECT min(feed_sources.succeeded_us) FROM feed_groups \
             JOIN feed_sources ON feed_sources.name = feed_groups.source \
             WHERE feed_groups.name = $1 AND feed_groups.records > 0 AND feed_sources.is_used = 1",
        )
        .bind(group)
        .fetch_optional_as(&self.storage)
        .await
        .map_err(StorageError::at("read when feeds were confirmed"))?;
        Ok(oldest.and_then(|(oldest,)| oldest).map(from_micros))
    }

    /// The report with the time when its data was confirmed last: a source that says "nothing is new" makes data fresh
    /// without a new database, and one that fails lets it age whatever else is rebuilt.
    pub(crate) async fn with_sync_time(
        &self,
        report: std::sync::Arc<MatchReport>,
        data: &Snapshot,
    ) -> Result<std::sync::Arc<MatchReport>, StorageError> {
        let DistroCoverage::Covered { ecosystem, synced_at } = &report.coverage else { return Ok(report) };
        match self.synced_at(&ecosystem.to_string(), data).await? {
            Some(confirmed) if confirmed != *synced_at => {
                let coverage = DistroCoverage::Covered { ecosystem: ecosystem.clone(), synced_at: confirmed };
                Ok(std::sync::Arc::new(MatchReport { coverage, ..MatchReport::clone(&report) }))
            }
            _ => Ok(report),
        }
    }
}
