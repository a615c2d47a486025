//! Rows of services and of their steps.

use jiff::Timestamp;
use storage::{Executor, Row, WriteTransaction, from_micros, to_micros};

use super::inventory::Inventory;
use super::{ServiceStatus, ServiceStep, StepState, Wanted};
use crate::{ControlPlane, StorageError};

/// What is wanted of a service, and how far it is.
#[derive(Debug, Clone)]
pub(crate) struct ServiceRow {
    pub(crate) cluster: i64,
    pub(crate) organization: i64,
    pub(crate) status: ServiceStatus,
    pub(crate) spec: String,
    pub(crate) wanted: Wanted,
    pub(crate) version: i64,
    pub(crate) was_active: bool,
    pub(crate) failures: i64,
    pub(crate) reason: String,
    pub(crate) inventory: Inventory,
    pub(crate) created_by: String,
}

impl ServiceRow {
    /// Whether the service shall be there.
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted == Wanted::Active
    }
}

const COLUMNS: &str = "cluster_id, organization_id, status, spec, wanted, version, was_active, failures, reason, inventory, \
    created_by";

fn read_row(row: &Row) -> Result<ServiceRow, StorageError> {
    let read = || -> Result<ServiceRow, Box<dyn std::error::Error + Send + Sync>> {
        let (status, wanted): (String, String) = (row.get("status")?, row.get("wanted")?);
        let inventory: String = row.get("inventory")?;
        Ok(ServiceRow {
            cluster: row.get("cluster_id")?,
            organization: row.get("organization_id")?,
            status: ServiceStatus::from_name(&status)
                .ok_or_else(|| format!("service status `{status}` is unknown"))?,
            spec: row.get("spec")?,
            wanted: Wanted::from_name(&wanted).ok_or_else(|| format!("`{wanted}` cannot be wanted"))?,
            version: row.get("version")?,
            was_active: row.get("was_active")?,
            failures: row.get("failures")?,
            reason: row.get("reason")?,
            inventory: serde_json::from_str(&inventory)?,
            created_by: row.get("created_by")?,
        })
    };
    read().map_err(StorageError::at("read a service"))
}

/// The row of a cluster's service, by whoever has the right to the cluster.
pub(crate) async fn find<'c>(
    on: impl Executor<'c>,
    cluster: i64,
    name: &str,
) -> Result<Option<ServiceRow>, StorageError> {
    let row = storage::query_built(format!(
        "SELECT {COLUMNS} FROM plane_services WHERE cluster_id = $1 AND name = $2"
    ))
    .bind(cluster)
    .bind(name)
    .fetch_optional(on)
    .await
    .map_err(StorageError::at("read a service"))?;
    row.as_ref().map(read_row).transpose()
}

impl ControlPlane {
    /// The services of a cluster that have a row.
    pub(crate) async fn service_rows(
        &self,
        organization: i64,
        cluster: i64,
    ) -> Result<Vec<(String, String)>, StorageError> {
        storage::query(
            "SELECT name, status FROM plane_services WHERE organization_id = $1 AND cluster_id = $2 ORDER BY name",
        )
        .bind(organization)
        .bind(cluster)
        .fetch_all_as(&self.storage)
        .await
        .map_err(StorageError::at("list services"))
    }

    /// All rows of a service, of all organizations: for this process's own work only.
    pub(crate) async fn all_services(&self, name: &str) -> Result<Vec<ServiceRow>, StorageError> {
        let rows = storage::query_built(format!(
            "SELECT {COLUMNS} FROM plane_services WHERE name = $1 ORDER BY cluster_id"
        ))
        .bind(name)
        .fetch_all(&self.storage)
        .await
        .map_err(StorageError::at("list services"))?;
        rows.iter().map(read_row).collect()
    }

    /// The services of an organization.
    pub(crate) async fn organization_services(
        &self,
        organization: i64,
    ) -> Result<Vec<ServiceRow>, StorageError> {
        let rows = storage::query_built(format!(
            "SELECT {COLUMNS} FROM plane_services WHERE organization_id = $1 ORDER BY cluster_id, name"
        ))
        .bind(organization)
        .fetch_all(&self.storage)
        .await
        .map_err(StorageError::at("list services"))?;
        rows.iter().map(read_row).collect()
    }

    /// The steps of the newest work.
    pub(crate) async fn service_steps(
        &self,
        cluster: i64,
        name: &str,
    ) -> Result<Vec<ServiceStep>, StorageError> {
        let rows = storage::query(
            "SELECT step, state, message, started_us, finished_us FROM plane_service_steps \
             WHERE cluster_id = $1 AND service = $2 ORDER BY position",
        )
        .bind(cluster)
        .bind(name)
        .fetch_all(&self.storage)
        .await
        .map_err(StorageError::at("list the steps of a service"))?;
        let read = |row: &Row| -> Result<ServiceStep, sqlx::Error> {
            let state: String = row.get("state")?;
            let finished: Option<i64> = row.get("finished_us")?;
            Ok(ServiceStep {
                name: row.get("step")?,
                state: StepState::from_name(&state).unwrap_or(StepState::Failed),
                message: row.get("message")?,
                started_at: from_micros(row.get("started_us")?),
                finished_at: finished.map(from_micros),
            })
        };
        let steps: Result<Vec<_>, sqlx::Error> = rows.iter().map(read).collect();
        steps.map_err(StorageError::at("read the steps of a service"))
    }
}

/// A row to write for what is wanted now.
#[derive(Debug)]
pub(crate) struct NewWish<'a> {
    pub(crate) cluster: i64,
    pub(crate) organization: i64,
    pub(crate) name: &'a str,
    pub(crate) spec: &'a str,
    pub(crate) wanted: Wanted,
    pub(crate) by: &'a str,
}

/// Stores what is wanted now under the next version; the work on the former one stops.
pub(crate) async fn want(
    tx: &mut WriteTransaction,
    wish: &NewWish<'_>,
    now: Timestamp,
) -> Result<(), StorageError> {
    storage::query(
        "INSERT INTO plane_services (cluster_id, name, organization_id, status, spec, wanted, version, was_active, failures, \
            reason, inventory, created_by, created_us, updated_us) \
         VALUES ($1, $2, $3, 'PENDING', $4, $5, 1, 0, 0, '', '{}', $6, $7, $7) \
         ON CONFLICT (cluster_id, name) DO UPDATE SET status = 'PENDING', spec = excluded.spec, wanted = excluded.wanted, \
            version = plane_services.version + 1, failures = 0, reason = '', updated_us = excluded.updated_us",
    )
    .bind(wish.cluster)
    .bind(wish.name)
    .bind(wish.organization)
    .bind(wish.spec)
    .bind(wish.wanted.name())
    .bind(wish.by)
    .bind(to_micros(now))
    .execute(&mut *tx)
    .await
    .map_err(StorageError::at("store a service"))?;
    storage::query("DELETE FROM plane_service_steps WHERE cluster_id = $1 AND service = $2")
        .bind(wish.cluster)
        .bind(wish.name)
        .execute(tx)
        .await
        .map_err(StorageError::at("forget the steps of a service"))?;
    Ok(())
}

/// Writes the inventory of a version that is still the newest. `false`: it is not.
pub(crate) async fn save_inventory(
    tx: &mut WriteTransaction,
    (cluster, name, version): (i64, &str, i64),
    inventory: &Inventory,
) -> Result<bool, StorageError> {
    let text = serde_json::to_string(inventory).map_err(StorageError::at("write an inventory"))?;
    let changed = storage::query(
        "UPDATE plane_services SET inventory = $4 WHERE cluster_id = $1 AND name = $2 AND version = $3",
    )
    .bind(cluster)
    .bind(name)
    .bind(version)
    .bind(text)
    .execute(tx)
    .await
    .map_err(StorageError::at("store an inventory"))?;
    Ok(changed == 1)
}

/// How an attempt ended.
#[derive(Debug)]
pub(crate) struct Outcome<'a> {
    pub(crate) status: ServiceStatus,
    pub(crate) was_active: bool,
    pub(crate) failures: i64,
    pub(crate) reason: &'a str,
}

/// Stores how the work on a version ended. `false`: something newer is wanted.
pub(crate) async fn conclude(
    tx: &mut WriteTransaction,
    (cluster, name, version): (i64, &str, i64),
    outcome: &Outcome<'_>,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let changed = storage::query(
        "UPDATE plane_services SET status = $4, was_active = $5, failures = $6, reason = $7, updated_us = $8 \
         WHERE cluster_id = $1 AND name = $2 AND version = $3",
    )
    .bind(cluster)
    .bind(name)
    .bind(version)
    .bind(outcome.status.name())
    .bind(outcome.was_active)
    .bind(outcome.failures)
    .bind(outcome.reason)
    .bind(to_micros(now))
    .execute(tx)
    .await
    .map_err(StorageError::at("store how a service is"))?;
    Ok(changed == 1)
}

/// Forgets a service that was taken away. `false`: something newer is wanted.
pub(crate) async fn remove(
    tx: &mut WriteTransaction,
    (cluster, name, version): (i64, &str, i64),
) -> Result<bool, StorageError> {
    let changed =
        storage::query("DELETE FROM plane_services WHERE cluster_id = $1 AND name = $2 AND version = $3")
            .bind(cluster)
            .bind(name)
            .bind(version)
            .execute(tx)
            .await
            .map_err(StorageError::at("forget a service"))?;
    Ok(changed == 1)
}

/// Notes how far a step is.
pub(crate) async fn note_step(
    tx: &mut WriteTransaction,
    (cluster, name): (i64, &str),
    (position, step): (i64, &str),
    (state, message): (StepState, &str),
    now: Timestamp,
) -> Result<(), StorageError> {
    let finished = (state != StepState::Running).then(|| to_micros(now));
    storage::query(
        "INSERT INTO plane_service_steps (cluster_id, service, position, step, state, message, started_us, finished_us) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
         ON CONFLICT (cluster_id, service, position) DO UPDATE SET step = excluded.step, state = excluded.state, \
            message = excluded.message, finished_us = excluded.finished_us",
    )
    .bind(cluster)
    .bind(name)
    .bind(position)
    .bind(step)
    .bind(state.name())
    .bind(message)
    .bind(to_micros(now))
    .bind(finished)
    .execute(tx)
    .await
    .map_err(StorageError::at("note a step of a service"))?;
    Ok(())
}
