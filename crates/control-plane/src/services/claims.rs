//! Which work on services is done next. Clusters that do not answer hold a place for as long as their deadlines allow, so no
//! organization has more than its share of places, and what failed before waits behind what did not.

use storage::{Executor, Job, LeaseScope, to_micros};

use super::worker::JOB_KIND;
use crate::leases::LEASE;
use crate::{ControlPlane, StorageError};

/// Services that this process works on at the same time.
pub(super) const JOBS_AT_ONCE: usize = 32;
/// As many of them may be of one organization.
const JOBS_OF_ORGANIZATION: i64 = 8;

/// Under which this process has its leases.
pub(super) fn worker_name(plane: &ControlPlane) -> String {
    format!("control plane {}", plane.instance)
}

impl ControlPlane {
    /// Takes the work that is next; `None`: there is none that may be begun now.
    pub(super) async fn claim_service_job(&self) -> Result<Option<Job>, StorageError> {
        let now = self.now();
        let look = StorageError::at("look for work on services");
        if !storage::has_due(&self.storage, JOB_KIND, now).await.map_err(look)? {
            return Ok(None);
        }
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        storage::release_leases(&mut tx, LeaseScope::Expired, now)
            .await
            .map_err(StorageError::at("take over work on services"))?;
        let worker = worker_name(self);
        let job = match next_key(&mut tx, &worker, to_micros(now)).await? {
            Some(key) => storage::claim_key(&mut tx, (JOB_KIND, &key), &worker, now + LEASE, now)
                .await
                .map_err(StorageError::at("claim work on services"))?,
            None => None,
        };
        tx.commit().await.map_err(StorageError::at("commit"))?;
        Ok(job)
    }
}

/// The key of the job whose turn it is: of the organization that is worked for least, what did not fail yet, what is wanted
/// longest. Work on a service that is gone belongs to nobody and is done at once.
async fn next_key(on: impl Executor<'_>, worker: &str, now: i64) -> Result<Option<String>, StorageError> {
    storage::query(
        "SELECT waiting.dedupe_key FROM jobs waiting \
         LEFT JOIN plane_services wanted \
            ON waiting.dedupe_key = CAST(wanted.cluster_id AS TEXT) || '/' || wanted.name \
         LEFT JOIN (SELECT held.organization_id AS organization_id, count(*) AS places FROM jobs running \
                    JOIN plane_services held \
                        ON running.dedupe_key = CAST(held.cluster_id AS TEXT) || '/' || held.name \
                    WHERE running.kind = $1 AND running.state = 'running' AND running.lease_owner = $2 \
                    GROUP BY held.organization_id) busy \
            ON busy.organization_id = wanted.organization_id \
         WHERE waiting.kind = $1 AND waiting.state = 'queued' AND waiting.run_at_us <= $3 \
            AND coalesce(busy.places, 0) < $4 \
         ORDER BY coalesce(busy.places, 0), CASE WHEN coalesce(wanted.failures, 0) > 0 THEN 1 ELSE 0 END, \
            waiting.priority DESC, waiting.run_at_us, waiting.id LIMIT 1",
    )
    .bind(JOB_KIND)
    .bind(worker)
    .bind(now)
    .bind(JOBS_OF_ORGANIZATION)
    .fetch_optional_value(on)
    .await
    .map_err(StorageError::at("choose work on services"))
}
