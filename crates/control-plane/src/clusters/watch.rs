//! Looks at every cluster now and then, and at new ones at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Cluster, ClusterStatus, store};
use crate::ControlPlane;
use crate::storage_error::chain;

/// Clusters that are asked at the same time. Each takes a bounded time, also those that never answer.
const INSPECTIONS_MAX: usize = 16;
/// One that did not answer is asked once more before anybody is told: networks hiccup.
const SECOND_TRY_AFTER: Duration = Duration::from_secs(2);
/// Pause between two looks whether the services of a cluster that goes are gone.
const DELETION_CHECK_EVERY: Duration = Duration::from_secs(1);
/// Pause after the tables could not be read.
const FAILURE_PAUSE: Duration = Duration::from_secs(5);

impl ControlPlane {
    /// Keeps the status of all clusters like the clusters, until `shutdown`. Begins with every one of them.
    pub async fn watch_clusters(self: Arc<Self>, shutdown: CancellationToken) {
        let mut rounds = Rounds::new();
        loop {
            let is_listed = match store::list_all(&self.storage).await {
                Ok(clusters) => {
                    rounds.begin(&self, clusters);
                    true
                }
                Err(error) => {
                    tracing::error!(error = chain(&error), "the clusters cannot be listed");
                    false
                }
            };
            // The list is read again when it is somebody's turn, not with every answer.
            loop {
                let pause =
                    if is_listed { rounds.pause(self.settings.cluster_check_every) } else { FAILURE_PAUSE };
                tokio::select! {
                    () = shutdown.cancelled() => return rounds.running.shutdown().await,
                    Some(ended) = rounds.running.join_next() => rounds.ended(ended),
                    () = self.wake_clusters.notified() => break,
                    () = tokio::time::sleep(pause) => break,
                }
            }
        }
    }

    /// Asks a cluster how it is and stores what changed, or goes on with its deletion. Returns the cluster's number.
    async fn refresh_cluster(self: Arc<Self>, cluster: Cluster) -> i64 {
        if cluster.status == ClusterStatus::Deleting {
            if let Err(error) = self.continue_deletion(&cluster).await {
                tracing::error!(cluster.id = cluster.id, error = chain(&error), "a deletion does not go on");
            }
            return cluster.id;
        }
        let mut seen = self.inspect(&cluster).await;
        if seen.status == ClusterStatus::Error && cluster.status == ClusterStatus::Running {
            tokio::time::sleep(SECOND_TRY_AFTER).await;
            seen = self.inspect(&cluster).await;
        }
        if seen != cluster {
            if seen.status != cluster.status {
                tracing::info!(
                    cluster.id = cluster.id,
                    cluster.name = cluster.name,
                    "cluster is {}: {}",
                    seen.status.name(),
                    seen.status_message
                );
            }
            if let Err(error) = self.store_cluster_state(&seen).await {
                tracing::error!(cluster.id = cluster.id, error = chain(&error), "a status is not stored");
            }
        }
        cluster.id
    }
}

/// Who is being asked, and who was asked when.
struct Rounds {
    running: JoinSet<i64>,
    places: Arc<Semaphore>,
    asked: BTreeSet<i64>,
    last: BTreeMap<i64, Instant>,
    /// Whether one is being deleted, which is looked at more often.
    has_deletions: bool,
}

impl Rounds {
    fn new() -> Self {
        Self {
            running: JoinSet::new(),
            places: Arc::new(Semaphore::new(INSPECTIONS_MAX)),
            asked: BTreeSet::new(),
            last: BTreeMap::new(),
            has_deletions: false,
        }
    }

    /// Begins with those whose turn it is.
    fn begin(&mut self, plane: &Arc<ControlPlane>, clusters: Vec<Cluster>) {
        let known: BTreeSet<i64> = clusters.iter().map(|cluster| cluster.id).collect();
        self.last.retain(|id, _| known.contains(id));
        self.has_deletions = false;
        for cluster in clusters {
            let every = match cluster.status {
                ClusterStatus::Deleting => DELETION_CHECK_EVERY,
                _ => plane.settings.cluster_check_every,
            };
            self.has_deletions |= cluster.status == ClusterStatus::Deleting;
            let is_changing = cluster.status == ClusterStatus::Updating;
            let is_recent = self.last.get(&cluster.id).is_some_and(|at| at.elapsed() < every);
            if is_changing || is_recent || !self.asked.insert(cluster.id) {
                continue;
            }
            // Its next turn is counted from the answer.
            self.last.remove(&cluster.id);
            let (plane, places) = (Arc::clone(plane), Arc::clone(&self.places));
            self.running.spawn(async move {
                let _place = places.acquire_owned().await;
                plane.refresh_cluster(cluster).await
            });
        }
    }

    fn ended(&mut self, ended: Result<i64, tokio::task::JoinError>) {
        match ended {
            Ok(id) => {
                self.asked.remove(&id);
                self.last.insert(id, Instant::now());
            }
            // Whose task it was is not told; asking one twice does no harm.
            Err(error) => {
                tracing::error!(error = error.to_string(), "asking a cluster ended badly");
                self.asked.clear();
            }
        }
    }

    /// Until the next turn of anybody.
    fn pause(&self, every: Duration) -> Duration {
        let every = if self.has_deletions { every.min(DELETION_CHECK_EVERY) } else { every };
        let next = self.last.values().map(|at| every.saturating_sub(at.elapsed())).min();
        next.unwrap_or(every).max(Duration::from_millis(100))
    }
}
