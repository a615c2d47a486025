//! Clusters come.

use storage::{WriteTransaction, to_micros};

use super::access::ClusterError;
use super::{Cluster, ClusterStatus};
use crate::processes::{self, NewProcess};
use crate::storage_error::next_number;
use crate::{ControlPlane, ProcessKind, ProcessStatus, StorageError, User};

const NAME_CHARS_MAX: usize = 128;
/// The one kind of cluster there is: made by somebody else, reached by its kubeconfig.
const CLOUD: &str = "kubernetes";

/// A cluster to import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCluster {
    /// Its name, once in an organization.
    pub name: String,
    /// The secret with its kubeconfig.
    pub secret_id: String,
    /// Where it runs.
    pub cloud: String,
    /// Where it stands; may be empty.
    pub location: String,
}

/// What became of an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Imported {
    /// There is a new cluster, which is looked at now.
    New(Cluster),
    /// The same import was made a moment ago, and the cluster has not answered yet.
    Already(Cluster),
}

/// Why a cluster was not imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Something in it cannot be used.
    #[error("{0}")]
    Invalid(String),
    /// There is one of this name.
    #[error("cluster `{0}` already exists in the organization: choose another name or delete that one")]
    Exists(String),
    /// There is no way in.
    #[error(transparent)]
    Access(#[from] ClusterError),
    /// The tables cannot be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl ControlPlane {
    /// Makes a cluster of what a secret leads to. It is CREATING until it answers.
    pub async fn import_cluster(
        &self,
        organization: i64,
        creator: &User,
        new: &NewCluster,
    ) -> Result<Imported, ImportError> {
        check(new)?;
        // Before anything is written: a kubeconfig that is not used makes no cluster.
        let (secret_id, _) = self.read_kubeconfig(organization, &new.secret_id).await?;
        let new = &NewCluster { secret_id: secret_id.to_string(), ..new.clone() };
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        let found = super::store::find_by_name_in(&mut tx, organization, &new.name).await?;
        if let Some(cluster) = found {
            return match cluster.status == ClusterStatus::Creating && cluster.secret_id == new.secret_id {
                true => Ok(Imported::Already(cluster)),
                false => Err(ImportError::Exists(new.name.clone())),
            };
        }
        let cluster = self.new_cluster(&mut tx, organization, creator, new).await?;
        super::store::insert(&mut tx, &cluster).await?;
        let process = NewProcess {
            organization,
            about: (cluster.id, super::PROCESS),
            kind: ProcessKind::ClusterImport,
            by: &creator.login,
        };
        processes::begin(&mut tx, &process, self.now()).await?;
        tx.commit().await.map_err(StorageError::at("commit"))?;
        self.wake_clusters.notify_one();
        Ok(Imported::New(cluster))
    }

    async fn new_cluster(
        &self,
        tx: &mut WriteTransaction,
        organization: i64,
        creator: &User,
        new: &NewCluster,
    ) -> Result<Cluster, StorageError> {
        let now = self.now();
        Ok(Cluster {
            id: next_number(tx, "cluster").await?,
            uid: uuid::Uuid::new_v4().to_string(),
            organization_id: organization,
            name: new.name.clone(),
            cloud: CLOUD.to_owned(),
            distribution: "unknown".to_owned(),
            location: new.location.clone(),
            version: String::new(),
            secret_id: new.secret_id.clone(),
            status: ClusterStatus::Creating,
            status_message: "Cluster is being created: its API server has not answered yet".to_owned(),
            creator_id: creator.id,
            creator_name: creator.login.clone(),
            created_at: now,
            started_at: None,
            updated_at: now,
        })
    }

    /// Stores what was found out about a cluster, unless somebody changes or deletes it meanwhile.
    pub(super) async fn store_cluster_state(&self, cluster: &Cluster) -> Result<(), StorageError> {
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        let changed = storage::query(
            "UPDATE plane_clusters SET status = $3, status_message = $4, version = $5, distribution = $6, \
             started_us = $7, updated_us = $8 WHERE organization_id = $1 AND id = $2 \
             AND status NOT IN ('UPDATING', 'DELETING')",
        )
        .bind(cluster.organization_id)
        .bind(cluster.id)
        .bind(cluster.status.name())
        .bind(&cluster.status_message)
        .bind(&cluster.version)
        .bind(&cluster.distribution)
        .bind(cluster.started_at.map(to_micros))
        .bind(to_micros(self.now()))
        .execute(&mut tx)
        .await
        .map_err(StorageError::at("store the state of a cluster"))?;
        let ended = match cluster.status {
            ClusterStatus::Running | ClusterStatus::Warning => Some(ProcessStatus::Finished),
            ClusterStatus::Error => Some(ProcessStatus::Failed),
            ClusterStatus::Creating | ClusterStatus::Updating | ClusterStatus::Deleting => None,
        };
        if changed == 1
            && let Some(status) = ended
        {
            let about = (cluster.id, super::PROCESS);
            processes::end(&mut tx, about, (status, &cluster.status_message), self.now()).await?;
        }
        tx.commit().await.map_err(StorageError::at("commit"))
    }
}

fn check(new: &NewCluster) -> Result<(), ImportError> {
    let invalid = |text: String| Err(ImportError::Invalid(text));
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if new.name.is_empty()
        || new.name.len() > NAME_CHARS_MAX
        || !new.name.chars().all(is_plain)
        || !new.name.starts_with(|letter: char| letter.is_ascii_alphanumeric())
    {
        return invalid(format!(
            "`name` of a cluster has up to {NAME_CHARS_MAX} letters, digits, `-`, `_` and `.`, and begins with a letter or digit"
        ));
    }
    if new.cloud != CLOUD {
        return invalid(format!(
            "`cloud` can only be `{CLOUD}`: clusters are imported, not made. Make it where it shall run, then import its kubeconfig"
        ));
    }
    if new.secret_id.is_empty() {
        return invalid(
            "`secretId` is missing: make a secret of type `kubernetes` and give its id".to_owned(),
        );
    }
    if new.location.chars().count() > NAME_CHARS_MAX || new.location.contains(char::is_control) {
        return invalid(format!("`location` has up to {NAME_CHARS_MAX} characters"));
    }
    Ok(())
}
