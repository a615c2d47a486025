//! The rows of clusters.

use std::collections::BTreeSet;

use storage::{Row, WriteTransaction, from_micros, to_micros};

use super::{Cluster, ClusterStatus};
use crate::services::SECURITY_SCAN;
use crate::{ControlPlane, StorageError};

const COLUMNS: &str = "id, uid, organization_id, name, cloud, distribution, location, version, secret_id, status, \
    status_message, creator_id, creator_name, created_us, started_us, updated_us";

impl ControlPlane {
    /// The clusters of an organization, oldest first.
    pub async fn list_clusters(&self, organization: i64) -> Result<Vec<Cluster>, StorageError> {
        let rows = storage::query_built(format!(
            "SELECT {COLUMNS} FROM plane_clusters WHERE organization_id = $1 ORDER BY id"
        ))
        .bind(organization)
        .fetch_all(&self.storage)
        .await
        .map_err(StorageError::at("list clusters"))?;
        rows.iter().map(read_cluster).collect()
    }

    /// The clusters of an organization in which the security scan service is active.
    pub async fn scanned_clusters(&self, organization: i64) -> Result<BTreeSet<i64>, StorageError> {
        let rows: Vec<(i64,)> = storage::query(
            "SELECT cluster_id FROM plane_services WHERE organization_id = $1 AND name = $2 AND status = 'ACTIVE'",
        )
        .bind(organization)
        .bind(SECURITY_SCAN)
        .fetch_all_as(&self.storage)
        .await
        .map_err(StorageError::at("list services"))?;
        Ok(rows.into_iter().map(|(cluster,)| cluster).collect())
    }

    /// A cluster of an organization; one of another organization is not there.
    pub async fn find_cluster(&self, organization: i64, id: i64) -> Result<Option<Cluster>, StorageError> {
        let row = storage::query_built(format!(
            "SELECT {COLUMNS} FROM plane_clusters WHERE organization_id = $1 AND id = $2"
        ))
        .bind(organization)
        .bind(id)
        .fetch_optional(&self.storage)
        .await
        .map_err(StorageError::at("read a cluster"))?;
        row.as_ref().map(read_cluster).transpose()
    }

    /// The same by name.
    pub async fn find_cluster_by_name(
        &self,
        organization: i64,
        name: &str,
    ) -> Result<Option<Cluster>, StorageError> {
        let row = storage::query_built(format!(
            "SELECT {COLUMNS} FROM plane_clusters WHERE organization_id = $1 AND name = $2"
        ))
        .bind(organization)
        .bind(name)
        .fetch_optional(&self.storage)
        .await
        .map_err(StorageError::at("read a cluster"))?;
        row.as_ref().map(read_cluster).transpose()
    }
}

/// Every cluster of every organization, for what goes on in the background.
pub(super) async fn list_all(storage: &storage::Database) -> Result<Vec<Cluster>, StorageError> {
    let rows = storage::query_built(format!("SELECT {COLUMNS} FROM plane_clusters ORDER BY id"))
        .fetch_all(storage)
        .await
        .map_err(StorageError::at("list clusters"))?;
    rows.iter().map(read_cluster).collect()
}

pub(super) async fn find_by_name_in(
    tx: &mut WriteTransaction,
    organization: i64,
    name: &str,
) -> Result<Option<Cluster>, StorageError> {
    let row = storage::query_built(format!(
        "SELECT {COLUMNS} FROM plane_clusters WHERE organization_id = $1 AND name = $2"
    ))
    .bind(organization)
    .bind(name)
    .fetch_optional(tx)
    .await
    .map_err(StorageError::at("read a cluster"))?;
    row.as_ref().map(read_cluster).transpose()
}

/// Whether a cluster is gone or being deleted, as the transaction sees it.
pub(crate) async fn is_going(tx: &mut WriteTransaction, cluster: &Cluster) -> Result<bool, StorageError> {
    let status: Option<String> =
        storage::query("SELECT status FROM plane_clusters WHERE organization_id = $1 AND id = $2")
            .bind(cluster.organization_id)
            .bind(cluster.id)
            .fetch_optional_value(tx)
            .await
            .map_err(StorageError::at("read the status of a cluster"))?;
    Ok(status.is_none_or(|word| word == ClusterStatus::Deleting.name()))
}

pub(super) async fn insert(tx: &mut WriteTransaction, cluster: &Cluster) -> Result<(), StorageError> {
    storage::query_built(format!(
        "INSERT INTO plane_clusters ({COLUMNS}) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"
    ))
    .bind(cluster.id)
    .bind(&cluster.uid)
    .bind(cluster.organization_id)
    .bind(&cluster.name)
    .bind(&cluster.cloud)
    .bind(&cluster.distribution)
    .bind(&cluster.location)
    .bind(&cluster.version)
    .bind(&cluster.secret_id)
    .bind(cluster.status.name())
    .bind(&cluster.status_message)
    .bind(cluster.creator_id)
    .bind(&cluster.creator_name)
    .bind(to_micros(cluster.created_at))
    .bind(cluster.started_at.map(to_micros))
    .bind(to_micros(cluster.updated_at))
    .execute(tx)
    .await
    .map_err(StorageError::at("store a cluster"))?;
    Ok(())
}

fn read_cluster(row: &Row) -> Result<Cluster, StorageError> {
    let read = || -> Result<Cluster, Box<dyn std::error::Error + Send + Sync>> {
        let word: String = row.get("status")?;
        let started: Option<i64> = row.get("started_us")?;
        Ok(Cluster {
            id: row.get("id")?,
            uid: row.get("uid")?,
            organization_id: row.get("organization_id")?,
            name: row.get("name")?,
            cloud: row.get("cloud")?,
            distribution: row.get("distribution")?,
            location: row.get("location")?,
            version: row.get("version")?,
            secret_id: row.get("secret_id")?,
            status: ClusterStatus::from_name(&word)
                .ok_or_else(|| format!("cluster status `{word}` is unknown"))?,
            status_message: row.get("status_message")?,
            creator_id: row.get("creator_id")?,
            creator_name: row.get("creator_name")?,
            created_at: from_micros(row.get("created_us")?),
            started_at: started.map(from_micros),
            updated_at: from_micros(row.get("updated_us")?),
        })
    };
    read().map_err(StorageError::at("read a cluster"))
}
