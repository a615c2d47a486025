//! Rows of processes and of their events.

use jiff::Timestamp;
use storage::{Executor, WriteTransaction, to_micros};

use super::{ProcessKind, ProcessStatus};
use crate::StorageError;

/// Ended processes that are kept of an organization; older ones are forgotten when a new one begins.
const KEPT_MAX: i64 = 500;
/// More events of one process are not kept: an activation that is tried again and again has no other end.
const EVENTS_MAX: i64 = 500;
const LOG_CHARS_MAX: usize = 1000;

/// A process that begins.
#[derive(Debug)]
pub(crate) struct NewProcess<'a> {
    pub(crate) organization: i64,
    /// The cluster, and what of it: see the table.
    pub(crate) about: (i64, &'a str),
    pub(crate) kind: ProcessKind,
    pub(crate) by: &'a str,
}

/// Writes down that a process begins. One that runs about the same ends: something newer is wanted.
pub(crate) async fn begin(
    tx: &mut WriteTransaction,
    new: &NewProcess<'_>,
    now: Timestamp,
) -> Result<(), StorageError> {
    end(tx, new.about, (ProcessStatus::Canceled, "something newer is wanted"), now).await?;
    let parent: Option<String> = storage::query(
        "SELECT id FROM plane_processes WHERE cluster_id = $1 AND kind = $2 AND status = 'running'",
    )
    .bind(new.about.0)
    .bind(ProcessKind::ClusterDelete.name())
    .fetch_optional_value(&mut *tx)
    .await
    .map_err(StorageError::at("look for a process"))?;
    storage::query(
        "INSERT INTO plane_processes (id, parent_id, organization_id, cluster_id, subject, kind, status, log, started_by, \
            canceled_by, started_us, finished_us) \
         VALUES ($1, $2, $3, $4, $5, $6, 'running', '', $7, '', $8, NULL)",
    )
    .bind(uuid::Uuid::new_v4().to_string())
    .bind(parent.unwrap_or_default())
    .bind(new.organization)
    .bind(new.about.0)
    .bind(new.about.1)
    .bind(new.kind.name())
    .bind(new.by)
    .bind(to_micros(now))
    .execute(&mut *tx)
    .await
    .map_err(StorageError::at("begin a process"))?;
    storage::query(
        "DELETE FROM plane_processes WHERE organization_id = $1 AND status <> 'running' AND started_us <= \
            (SELECT started_us FROM plane_processes WHERE organization_id = $1 AND status <> 'running' \
             ORDER BY started_us DESC LIMIT 1 OFFSET $2)",
    )
    .bind(new.organization)
    .bind(KEPT_MAX)
    .execute(tx)
    .await
    .map_err(StorageError::at("forget old processes"))?;
    Ok(())
}

/// Writes down what happened in the process that runs about this; without one, nothing.
pub(crate) async fn note(
    tx: &mut WriteTransaction,
    (cluster, subject): (i64, &str),
    (kind, status, log): (&str, &str, &str),
    now: Timestamp,
) -> Result<(), StorageError> {
    storage::query(
        "INSERT INTO plane_process_events (process_id, position, kind, status, log, timestamp_us) \
         SELECT p.id, (SELECT count(*) + 1 FROM plane_process_events e WHERE e.process_id = p.id), $3, $4, $5, $6 \
         FROM plane_processes p WHERE p.cluster_id = $1 AND p.subject = $2 AND p.status = 'running' \
            AND (SELECT count(*) FROM plane_process_events e WHERE e.process_id = p.id) < $7",
    )
    .bind(cluster)
    .bind(subject)
    .bind(kind)
    .bind(status)
    .bind(shortened(log))
    .bind(to_micros(now))
    .bind(EVENTS_MAX)
    .execute(tx)
    .await
    .map_err(StorageError::at("note an event of a process"))?;
    Ok(())
}

/// Ends the process that runs about this; without one, nothing. Whoever fails after somebody canceled was canceled.
pub(crate) async fn end(
    tx: &mut WriteTransaction,
    (cluster, subject): (i64, &str),
    (status, log): (ProcessStatus, &str),
    now: Timestamp,
) -> Result<(), StorageError> {
    storage::query(
        "UPDATE plane_processes SET log = $4, finished_us = $5, \
            status = CASE WHEN canceled_by <> '' AND $3 = 'failed' THEN 'canceled' ELSE $3 END \
         WHERE cluster_id = $1 AND subject = $2 AND status = 'running'",
    )
    .bind(cluster)
    .bind(subject)
    .bind(status.name())
    .bind(shortened(log))
    .bind(to_micros(now))
    .execute(tx)
    .await
    .map_err(StorageError::at("end a process"))?;
    Ok(())
}

/// Whether a process of a kind runs about this.
pub(crate) async fn is_running(
    tx: &mut WriteTransaction,
    (cluster, subject): (i64, &str),
    kind: ProcessKind,
) -> Result<bool, StorageError> {
    storage::query(
        "SELECT EXISTS (SELECT 1 FROM plane_processes \
         WHERE cluster_id = $1 AND subject = $2 AND kind = $3 AND status = 'running')",
    )
    .bind(cluster)
    .bind(subject)
    .bind(kind.name())
    .fetch_value(tx)
    .await
    .map_err(StorageError::at("look for a process"))
}

/// Who wants the process that runs about this to stop.
pub(crate) async fn canceled_by<'c>(
    on: impl Executor<'c>,
    (cluster, subject): (i64, &str),
) -> Result<Option<String>, StorageError> {
    storage::query(
        "SELECT canceled_by FROM plane_processes \
         WHERE cluster_id = $1 AND subject = $2 AND status = 'running' AND canceled_by <> ''",
    )
    .bind(cluster)
    .bind(subject)
    .fetch_optional_value(on)
    .await
    .map_err(StorageError::at("look whether a process was canceled"))
}

fn shortened(text: &str) -> String {
    text.chars().take(LOG_CHARS_MAX).collect()
}
