//! What services and clusters do with secrets. What people may do is narrower: see `people`.

use super::checks::{Moment, check};
use super::{ExpectedVersion, NewSecret, Secret, SecretId, SecretKind, SecretStoreError, SecretSummary};
use crate::{ControlPlane, StorageError};

/// Why a secret was not kept, read or deleted. No text has a value in it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The organization has none of this id.
    #[error("There's no secret with this ID")]
    NotFound,
    /// The organization has one of this name.
    #[error("Secret with this name already exists")]
    AlreadyExists,
    /// Somebody changed it meanwhile.
    #[error("the secret is not in version {expected}: read it again and change that")]
    Changed {
        /// What the caller knew.
        expected: i64,
    },
    /// It cannot be kept as it is.
    #[error("{0}")]
    Invalid(String),
    /// People may not do this to it.
    #[error("{0}")]
    Protected(String),
    /// A cluster needs it.
    #[error("cluster `{cluster}` uses the secret: delete the cluster first")]
    InUse {
        /// Its name.
        cluster: String,
    },
    /// A service in a cluster needs it.
    #[error(
        "running cluster uses it: the service `securityscan` of cluster `{cluster}` needs the secret. Name another one in its spec, or \
         deactivate it first"
    )]
    InUseByService {
        /// The cluster's name.
        cluster: String,
    },
    /// The place that keeps it did not do it.
    #[error(transparent)]
    Store(#[from] SecretStoreError),
    /// The tables cannot be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl ControlPlane {
    /// Keeps a new secret. A password that is missing or asked for (`randAlphaNum,12`) is generated.
    pub async fn create_secret(
        &self,
        organization: i64,
        new: NewSecret,
    ) -> Result<SecretSummary, SecretError> {
        let new = check(new, Moment::New).map_err(SecretError::Invalid)?;
        match self.secrets.put(organization, &new, ExpectedVersion::Absent, self.now()).await {
            Err(SecretStoreError::Conflict) => Err(SecretError::AlreadyExists),
            kept => Ok(kept?),
        }
    }

    /// Keeps a secret in place of the one of its name, if that is as expected. An empty password is refused, never kept.
    pub async fn put_secret(
        &self,
        organization: i64,
        new: NewSecret,
        expected: ExpectedVersion,
    ) -> Result<SecretSummary, SecretError> {
        let new = check(new, Moment::Change).map_err(SecretError::Invalid)?;
        match (self.secrets.put(organization, &new, expected, self.now()).await, expected) {
            (Err(SecretStoreError::Conflict), ExpectedVersion::Exactly(expected)) => {
                Err(SecretError::Changed { expected })
            }
            (Err(SecretStoreError::Conflict), _) => Err(SecretError::AlreadyExists),
            (kept, _) => Ok(kept?),
        }
    }

    /// A secret of an organization with its values. One of another organization is not there, however it is named.
    pub async fn get_secret(&self, organization: i64, id: &str) -> Result<Secret, SecretError> {
        let id = SecretId::parse(organization, id).ok_or(SecretError::NotFound)?;
        self.secrets.get(organization, &id).await?.ok_or(SecretError::NotFound)
    }

    /// The same by name; `None`: there is none.
    pub async fn find_secret_by_name(
        &self,
        organization: i64,
        name: &str,
    ) -> Result<Option<Secret>, SecretError> {
        Ok(self.secrets.get(organization, &SecretId::of_name(name)).await?)
    }

    /// The secrets of an organization by name, without their values; of one kind if one is given.
    pub async fn list_secrets(
        &self,
        organization: i64,
        kind: Option<SecretKind>,
    ) -> Result<Vec<SecretSummary>, SecretError> {
        let mut secrets = self.secrets.list(organization).await?;
        secrets.retain(|secret| kind.is_none_or(|kind| secret.kind == kind));
        Ok(secrets)
    }

    /// Deletes a secret, whatever its tags say and whoever uses it.
    pub async fn delete_secret(&self, organization: i64, id: &str) -> Result<(), SecretError> {
        let id = SecretId::parse(organization, id).ok_or(SecretError::NotFound)?;
        match self.secrets.delete(organization, &id).await? {
            true => Ok(()),
            false => Err(SecretError::NotFound),
        }
    }

    /// Whether secrets can be read and written now.
    pub async fn check_secrets(&self) -> Result<(), SecretStoreError> {
        self.secrets.check().await
    }
}
