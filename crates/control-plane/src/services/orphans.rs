//! What is left of clusters that were deleted with force: accounts in engines, secrets, rows. Nobody can ask for it any more, so it
//! is not given up, however long an engine does not answer.

use std::time::Duration;

use storage::Backoff;

use super::operations::enqueue_work;
use super::store::{NewWish, want};
use super::{SECURITY_SCAN, Wanted};
use crate::{ControlPlane, StorageError};

/// Pauses between attempts; nobody is waiting.
pub(super) const ORPHAN_BACKOFF: Backoff =
    Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(600) };

impl ControlPlane {
    /// Wants everything gone that services of deleted clusters left.
    pub(super) async fn sweep_orphans(&self) -> Result<(), StorageError> {
        const ORPHANS: &str = "SELECT cluster_id, organization_id, spec, created_by FROM plane_services \
            WHERE name = $1 AND (status <> 'PENDING' OR wanted = 'active') \
            AND NOT EXISTS (SELECT 1 FROM plane_clusters WHERE plane_clusters.id = plane_services.cluster_id) LIMIT 100";
        let find = StorageError::at("look for services of deleted clusters");
        let orphans: Vec<(i64, i64, String, String)> =
            storage::query(ORPHANS).bind(SECURITY_SCAN).fetch_all_as(&self.storage).await.map_err(find)?;
        for (cluster, organization, spec, by) in orphans {
            let now = self.now();
            let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
            let wish = NewWish {
                cluster,
                organization,
                name: SECURITY_SCAN,
                spec: &spec,
                wanted: Wanted::Removed,
                by: &by,
            };
            want(&mut tx, &wish, now).await?;
            enqueue_work(&mut tx, cluster, SECURITY_SCAN, now).await?;
            tx.commit().await.map_err(StorageError::at("commit"))?;
            tracing::info!(cluster.id = cluster, "what a deleted cluster left in engines is taken away");
        }
        Ok(())
    }
}
