//! Clusters go: first what services put into them and into engines, then the row.

use storage::to_micros;

use super::{Cluster, ClusterStatus};
use crate::processes::{self, NewProcess};
use crate::services::find_service;
use crate::{ControlPlane, ProcessKind, ProcessStatus, ServiceError, ServiceStatus, StorageError, User};

/// Why a cluster was not deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    /// Something goes on in it that has to end first.
    #[error("cluster `{name}` is {status}: wait until it is RUNNING, or delete it with `force=true`", status = status.name())]
    NotReady {
        /// Its name.
        name: String,
        /// How it is.
        status: ClusterStatus,
    },
    /// A service in it cannot be deactivated.
    #[error(transparent)]
    Service(ServiceError),
    /// The tables cannot be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl ControlPlane {
    /// Takes a cluster away. Its services are deactivated before; with `force` nothing of the cluster is waited for, so that what
    /// they put into it stays there, and only what they put into engines is taken away.
    pub async fn delete_cluster(
        &self,
        cluster: &Cluster,
        user: &User,
        force: bool,
    ) -> Result<(), DeleteError> {
        if cluster.status == ClusterStatus::Updating && !force {
            return Err(DeleteError::NotReady { name: cluster.name.clone(), status: cluster.status });
        }
        // First of all: from now on nobody activates anything in it.
        self.store_deleting(cluster, "Cluster is being deleted: its services are deactivated first").await?;
        self.begin_deletion(cluster, user).await?;
        let services = self.service_rows(cluster.organization_id, cluster.id).await?;
        for (name, _) in &services {
            match self.deactivate_service(cluster, name, false, user).await {
                Ok(()) | Err(ServiceError::NotActive { .. }) => {}
                Err(ServiceError::Storage(error)) => return Err(error.into()),
                Err(error) => return Err(DeleteError::Service(error)),
            }
        }
        if services.is_empty() || force {
            self.remove_cluster(cluster).await?;
        }
        self.wake_clusters.notify_one();
        Ok(())
    }

    /// Who asks again goes on with the same process.
    async fn begin_deletion(&self, cluster: &Cluster, user: &User) -> Result<(), StorageError> {
        let about = (cluster.id, super::PROCESS);
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        if processes::is_running(&mut tx, about, ProcessKind::ClusterDelete).await? {
            return Ok(());
        }
        let process = NewProcess {
            organization: cluster.organization_id,
            about,
            kind: ProcessKind::ClusterDelete,
            by: &user.login,
        };
        processes::begin(&mut tx, &process, self.now()).await?;
        tx.commit().await.map_err(StorageError::at("commit"))
    }

    /// Goes on with a deletion: removes the cluster when its services are gone, else says what it waits for.
    pub(super) async fn continue_deletion(&self, cluster: &Cluster) -> Result<(), StorageError> {
        let services = self.service_rows(cluster.organization_id, cluster.id).await?;
        let Some((name, _)) = services.first() else { return self.remove_cluster(cluster).await };
        let row = find_service(&self.storage, cluster.id, name).await?;
        match row.filter(|row| row.status == ServiceStatus::Error) {
            Some(row) => {
                let text = format!(
                    "Cluster is being deleted, but its service `{name}` cannot be deactivated: {}. Delete it again to try again, or \
                     with `force=true` to leave in the cluster what is there",
                    row.reason
                );
                self.store_deleting(cluster, &text).await
            }
            None => Ok(()),
        }
    }

    async fn store_deleting(&self, cluster: &Cluster, message: &str) -> Result<(), StorageError> {
        if cluster.status == ClusterStatus::Deleting && cluster.status_message == message {
            return Ok(());
        }
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        storage::query(
            "UPDATE plane_clusters SET status = 'DELETING', status_message = $3, updated_us = $4 \
             WHERE organization_id = $1 AND id = $2",
        )
        .bind(cluster.organization_id)
        .bind(cluster.id)
        .bind(message)
        .bind(to_micros(self.now()))
        .execute(&mut tx)
        .await
        .map_err(StorageError::at("mark a cluster as being deleted"))?;
        let event = ("services", ProcessStatus::Running.name(), message);
        processes::note(&mut tx, (cluster.id, super::PROCESS), event, self.now()).await?;
        tx.commit().await.map_err(StorageError::at("commit"))
    }

    async fn remove_cluster(&self, cluster: &Cluster) -> Result<(), StorageError> {
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        storage::query("DELETE FROM plane_clusters WHERE organization_id = $1 AND id = $2")
            .bind(cluster.organization_id)
            .bind(cluster.id)
            .execute(&mut tx)
            .await
            .map_err(StorageError::at("delete a cluster"))?;
        let about = (cluster.id, super::PROCESS);
        processes::end(&mut tx, about, (ProcessStatus::Finished, ""), self.now()).await?;
        tx.commit().await.map_err(StorageError::at("commit"))?;
        self.clients.forget(cluster.id);
        Ok(())
    }
}
