//! Registries: who an account is at a registry, or at a part of one.
//!
//! Passwords are sealed, and leave only for the registry that they are for: no answer, log or error holds one.

mod amazon;
mod choice;
mod login;
mod records;

use jiff::Timestamp;
use scanner::{ScanError, Secret};

pub(crate) use amazon::AmazonLogins;
pub use amazon::AmazonSettings;
pub(crate) use login::PullChoice;
pub use records::count_sealed as count_sealed_passwords;
pub(crate) use records::reseal;

use crate::StorageError;

/// The kind of registry whose logins Amazon gives.
pub(crate) const AMAZON: &str = "awsecr";
const TABLE: &str = "registries";

/// A registry as it was stored, without its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryRecord {
    /// The account.
    pub account: String,
    /// `host[:port]`, `host/repository` or anything with `*` at the end.
    pub registry: String,
    /// For people.
    pub name: String,
    /// `docker_v2` or `awsecr`, as it was given.
    pub kind: Option<String>,
    /// User, or name of an access key.
    pub user: String,
    /// Whether its certificate is checked, as it was given: nothing means yes.
    pub verify: Option<bool>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed.
    pub updated_at: Timestamp,
}

impl RegistryRecord {
    /// Host and port, as references have them.
    pub(crate) fn host(&self) -> &str {
        self.registry.split('/').next().unwrap_or_default()
    }
}

/// A registry to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRegistry {
    /// See [`RegistryRecord`].
    pub registry: String,
    /// `None`: what `registry` says.
    pub name: Option<String>,
    /// See [`RegistryRecord`].
    pub kind: Option<String>,
    /// See [`RegistryRecord`].
    pub user: String,
    /// Password, or access key.
    pub password: Secret,
    /// See [`RegistryRecord`].
    pub verify: Option<bool>,
}

/// Why something about registries was not done. The texts are those that clients know.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// There is no such record.
    #[error("registry not found in DB")]
    NotFound,
    /// There is none to change.
    #[error("could not find existing registry to update")]
    NothingToUpdate,
    /// There is one.
    #[error("registry already exists in DB")]
    AlreadyExists,
    /// There is no such account.
    #[error("account `{0}` does not exist")]
    NoAccount(String),
    /// The registry did not let the user in.
    #[error("failed check to access registry (https://{host},{user})")]
    Refused {
        /// The registry.
        host: String,
        /// The user.
        user: String,
        /// Why.
        #[source]
        source: LoginError,
    },
    /// The registry asks nobody who he is, so nothing was checked.
    #[error("could not retrieve an auth URL from response: the registry lets everybody in")]
    LetsEverybodyIn,
    /// The password cannot be sealed.
    #[error("seal the password")]
    Sealing(#[source] storage::KeyFileError),
    /// The tables cannot be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl RegistryError {
    pub(super) fn at<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        action: &'static str,
    ) -> impl FnOnce(E) -> Self {
        move |source| Self::Storage(StorageError::new(action, source))
    }
}

/// Why there is no login for a registry.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The stored password cannot be opened.
    #[error("open the password of registry `{registry}`")]
    Sealed {
        /// The record.
        registry: String,
        /// Why.
        #[source]
        source: storage::UnsealError,
    },
    /// The registry, or the service that gives logins for it, refused or cannot be reached.
    #[error(transparent)]
    Scan(#[from] Box<ScanError>),
    /// The record says that it is one of Amazon's, but nothing says in which region.
    #[error(
        "`{0}` is not the name of a registry of Amazon, such as 123456789012.dkr.ecr.eu-west-1.amazonaws.com"
    )]
    NotAmazons(String),
    /// The record names no access key.
    #[error(
        "`{0}` is not the name of an access key: roles of machines are not supported, give an access key"
    )]
    NoAccessKey(String),
    /// The tables cannot be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
