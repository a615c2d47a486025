//! Where secrets are kept: what both places can do.

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use storage::{KeyFileError, UnsealError};

use super::{NewSecret, Secret, SecretId, SecretSummary, VaultSettings};
use crate::StorageError;

/// Which place keeps the secrets.
#[derive(Debug, Clone, Default)]
pub enum SecretStoreSettings {
    /// The control plane's own tables, sealed with the key file.
    #[default]
    Embedded,
    /// A Vault.
    Vault(Box<VaultSettings>),
}

/// A place that keeps secrets. It knows nothing of who may see them.
#[async_trait]
pub trait SecretStore: fmt::Debug + Send + Sync {
    /// The secrets of an organization, without their values, by name.
    async fn list(&self, organization: i64) -> Result<Vec<SecretSummary>, SecretStoreError>;

    /// One secret of an organization; `None`: it has no such secret.
    async fn get(&self, organization: i64, id: &SecretId) -> Result<Option<Secret>, SecretStoreError>;

    /// The same without its values, which nobody has to open for that.
    async fn describe(
        &self,
        organization: i64,
        id: &SecretId,
    ) -> Result<Option<SecretSummary>, SecretStoreError>;

    /// Keeps a secret under the id of its name, if what is there now is what was expected. Returns it as it was kept.
    async fn put(
        &self,
        organization: i64,
        secret: &NewSecret,
        expected: ExpectedVersion,
        now: Timestamp,
    ) -> Result<SecretSummary, SecretStoreError>;

    /// Deletes a secret with everything that is known of it; false: there was none.
    async fn delete(&self, organization: i64, id: &SecretId) -> Result<bool, SecretStoreError>;

    /// Whether secrets can be read and written now.
    async fn check(&self) -> Result<(), SecretStoreError>;
}

/// What must be there for a secret to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedVersion {
    /// Whatever it is, or nothing.
    Any,
    /// Nothing.
    Absent,
    /// This version.
    Exactly(i64),
}

/// Why a place did not do what it was asked for. No text has a value in it.
#[derive(Debug, thiserror::Error)]
pub enum SecretStoreError {
    /// Something else is there than was expected.
    #[error("the secret is not in the expected version")]
    Conflict,
    /// It cannot answer now; the text says why and what to do.
    #[error("{0}")]
    Unavailable(String),
    /// It answers, and does not let us; the text says what to set.
    #[error("{0}")]
    Refused(String),
    /// What it holds is no secret of ours.
    #[error("{0}")]
    Unreadable(String),
    /// The tables cannot be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The values cannot be sealed.
    #[error("seal a secret")]
    Seal(#[source] KeyFileError),
    /// The values cannot be opened.
    #[error("open secret `{id}`")]
    Unseal {
        /// Which.
        id: SecretId,
        /// Why.
        #[source]
        source: UnsealError,
    },
}
