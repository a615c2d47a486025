//! Why something about accounts and users was not done.

use super::{AccountState, HashPasswordError};
use crate::{PolicyError, StorageError};

/// Why something about accounts and users was not done. The texts are those that clients know.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// There is no such account.
    #[error("Account not found")]
    NotFound,
    /// There is no such user in that account.
    #[error("User not found")]
    UserNotFound,
    /// There is an account of this name, perhaps one that is being deleted.
    #[error("Account already exists")]
    AlreadyExists,
    /// The name is not for users of the API.
    #[error("Invalid account request: Cannot use name {0}")]
    ReservedName(String),
    /// The state machine has no such step.
    #[error("Invalid account state change requested. Cannot go from state {} to state {}", from.name(), to.name())]
    StateChange {
        /// The state it is in.
        from: AccountState,
        /// The state that was wanted.
        to: AccountState,
    },
    /// Without it nobody could enable it again.
    #[error("Cannot disable the admin account")]
    CannotDisable,
    /// The account is one that an installation cannot be without.
    #[error("Account cannot be deleted")]
    CannotBeDeleted,
    /// Usernames are unique over all accounts.
    #[error("User already exists")]
    UserExists,
    /// The user is one that an installation cannot be without.
    #[error("User not allowed to be deleted due to system constraints")]
    UserCannotBeDeleted,
    /// Nobody deletes himself.
    #[error("Cannot delete credential used for authentication of the request")]
    DeletesHimself,
    /// Nobody takes his own password away.
    #[error("Cannot delete credential of authenticated user")]
    DeletesOwnCredential,
    /// The password cannot be hashed.
    #[error("prepare the password")]
    Password(#[source] HashPasswordError),
    /// The first bundles cannot be stored.
    #[error("install the first policy bundles")]
    Policies(#[source] PolicyError),
    /// The tables cannot be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl AccountError {
    /// For `map_err`.
    pub(super) fn at<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        action: &'static str,
    ) -> impl FnOnce(E) -> Self {
        move |source| Self::Storage(StorageError::new(action, source))
    }
}
