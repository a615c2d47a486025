//! What people ask about processes: list, look, stop.

use std::collections::BTreeMap;

use storage::{Row, from_micros};

use super::{Process, ProcessError, ProcessEvent, ProcessFilter, ProcessKind, ProcessStatus, note};
use crate::services::hurry_service;
use crate::{ControlPlane, StorageError, User};

/// A list has no more.
const LISTED_MAX: i64 = 100;
const COLUMNS: &str =
    "id, parent_id, organization_id, cluster_id, kind, status, log, started_us, finished_us";

impl ControlPlane {
    /// The processes of an organization, newest first, up to a hundred.
    pub async fn list_processes(
        &self,
        organization: i64,
        filter: &ProcessFilter,
    ) -> Result<Vec<Process>, ProcessError> {
        let rows = storage::query_built(format!(
            "SELECT {COLUMNS} FROM plane_processes WHERE organization_id = $1 AND ($2 = '' OR status = $2) \
             AND ($3 = '' OR kind = $3) AND ($4 = 0 OR cluster_id = $4) ORDER BY started_us DESC, id LIMIT $5"
        ))
        .bind(organization)
        .bind(filter.status.map_or("", ProcessStatus::name))
        .bind(filter.kind.as_deref().unwrap_or_default())
        .bind(filter.cluster.unwrap_or_default())
        .bind(LISTED_MAX)
        .fetch_all(&self.storage)
        .await
        .map_err(StorageError::at("list processes"))?;
        let mut processes = rows.iter().map(read_process).collect::<Result<Vec<_>, _>>()?;
        let Some(oldest) = rows.last() else { return Ok(processes) };
        let since: i64 = oldest.get("started_us").map_err(StorageError::at("read a process"))?;
        let events = storage::query(
            "SELECT e.process_id, e.position, e.kind, e.status, e.log, e.timestamp_us FROM plane_process_events e \
             JOIN plane_processes p ON p.id = e.process_id \
             WHERE p.organization_id = $1 AND p.started_us >= $2 AND ($3 = '' OR p.status = $3) \
             AND ($4 = '' OR p.kind = $4) AND ($5 = 0 OR p.cluster_id = $5) ORDER BY e.process_id, e.position",
        )
        .bind(organization)
        .bind(since)
        .bind(filter.status.map_or("", ProcessStatus::name))
        .bind(filter.kind.as_deref().unwrap_or_default())
        .bind(filter.cluster.unwrap_or_default())
        .fetch_all(&self.storage)
        .await
        .map_err(StorageError::at("list the events of processes"))?;
        let mut by_process: BTreeMap<String, Vec<ProcessEvent>> = BTreeMap::new();
        for row in &events {
            let id = row.get("process_id").map_err(StorageError::at("read an event of a process"))?;
            by_process.entry(id).or_default().push(read_event(row)?);
        }
        for process in &mut processes {
            process.events = by_process.remove(&process.id).unwrap_or_default();
        }
        Ok(processes)
    }

    /// One process of an organization.
    pub async fn get_process(&self, organization: i64, id: &str) -> Result<Process, ProcessError> {
        let row = storage::query_built(format!(
            "SELECT {COLUMNS} FROM plane_processes WHERE organization_id = $1 AND id = $2"
        ))
        .bind(organization)
        .bind(id)
        .fetch_optional(&self.storage)
        .await
        .map_err(StorageError::at("read a process"))?;
        let row = row.ok_or_else(|| ProcessError::NotFound(id.to_owned()))?;
        let mut process = read_process(&row)?;
        let events = storage::query(
            "SELECT position, kind, status, log, timestamp_us FROM plane_process_events WHERE process_id = $1 \
             ORDER BY position",
        )
        .bind(id)
        .fetch_all(&self.storage)
        .await
        .map_err(StorageError::at("list the events of a process"))?;
        process.events = events.iter().map(read_event).collect::<Result<_, _>>()?;
        Ok(process)
    }

    /// Stops a process before its next step. What it did is taken back where it never was active before.
    pub async fn cancel_process(&self, organization: i64, id: &str, user: &User) -> Result<(), ProcessError> {
        let now = self.now();
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        let row = storage::query(
            "SELECT cluster_id, subject, kind, status, canceled_by FROM plane_processes \
             WHERE organization_id = $1 AND id = $2",
        )
        .bind(organization)
        .bind(id)
        .fetch_optional(&mut tx)
        .await
        .map_err(StorageError::at("read a process"))?;
        let row = row.ok_or_else(|| ProcessError::NotFound(id.to_owned()))?;
        let read = || -> Result<(i64, String, String, String, String), sqlx::Error> {
            Ok((
                row.get("cluster_id")?,
                row.get("subject")?,
                row.get("kind")?,
                row.get("status")?,
                row.get("canceled_by")?,
            ))
        };
        let (cluster, subject, kind, status, former) = read().map_err(StorageError::at("read a process"))?;
        match ProcessStatus::from_name(&status) {
            Some(ProcessStatus::Running) => {}
            Some(status) => return Err(ProcessError::Ended { id: id.to_owned(), status }),
            None => return Err(ProcessError::NotFound(id.to_owned())),
        }
        if !ProcessKind::is_cancelable(&kind) {
            return Err(ProcessError::NotCancelable(kind));
        }
        // Who says it twice says it once.
        if former.is_empty() {
            storage::query("UPDATE plane_processes SET canceled_by = $2 WHERE id = $1")
                .bind(id)
                .bind(&user.login)
                .execute(&mut tx)
                .await
                .map_err(StorageError::at("cancel a process"))?;
            let log = format!("canceled by {}", user.login);
            note(&mut tx, (cluster, &subject), ("cancel", ProcessStatus::Running.name(), &log), now).await?;
            hurry_service(&mut tx, cluster, &subject, now).await?;
        }
        tx.commit().await.map_err(StorageError::at("commit"))?;
        self.services_changed.notify_one();
        Ok(())
    }
}

fn read_process(row: &Row) -> Result<Process, StorageError> {
    let read = || -> Result<Process, Box<dyn std::error::Error + Send + Sync>> {
        let status: String = row.get("status")?;
        let finished: Option<i64> = row.get("finished_us")?;
        Ok(Process {
            id: row.get("id")?,
            parent_id: row.get("parent_id")?,
            organization_id: row.get("organization_id")?,
            cluster_id: row.get("cluster_id")?,
            kind: row.get("kind")?,
            status: ProcessStatus::from_name(&status)
                .ok_or_else(|| format!("process status `{status}` is unknown"))?,
            log: row.get("log")?,
            started_at: from_micros(row.get("started_us")?),
            finished_at: finished.map(from_micros),
            events: Vec::new(),
        })
    };
    read().map_err(StorageError::at("read a process"))
}

fn read_event(row: &Row) -> Result<ProcessEvent, StorageError> {
    let read = || -> Result<ProcessEvent, sqlx::Error> {
        Ok(ProcessEvent {
            position: row.get("position")?,
            kind: row.get("kind")?,
            status: row.get("status")?,
            log: row.get("log")?,
            timestamp: from_micros(row.get("timestamp_us")?),
        })
    };
    read().map_err(StorageError::at("read an event of a process"))
}
