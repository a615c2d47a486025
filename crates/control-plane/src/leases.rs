//! The leases of durable jobs that this process works on.

use std::time::Duration;

use jiff::SignedDuration;
use storage::Job;

use crate::storage_error::chain;
use crate::{ControlPlane, StorageError};

/// How long a lease holds; it is prolonged long before, and whoever does not do so has died.
pub(crate) const LEASE: SignedDuration = SignedDuration::from_secs(60);
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Prolongs the lease of a job again and again. Ends when somebody else has it.
pub(crate) async fn keep_lease(plane: &ControlPlane, job: &Job) {
    loop {
        tokio::time::sleep(HEARTBEAT).await;
        match beat(plane, job).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => tracing::warn!(error = chain(&error), "a lease is not prolonged"),
        }
    }
}

async fn beat(plane: &ControlPlane, job: &Job) -> Result<bool, StorageError> {
    let mut tx = plane.storage.begin().await.map_err(StorageError::at("begin"))?;
    let is_ours = storage::heartbeat(&mut tx, job.lease, plane.now() + LEASE)
        .await
        .map_err(StorageError::at("prolong a lease"))?;
    tx.commit().await.map_err(StorageError::at("commit"))?;
    Ok(is_ours)
}
