//! What can go wrong with Vault, and what to do about it.

use std::path::PathBuf;
use std::sync::Arc;

use super::super::SecretStoreError;
use crate::storage_error::chain;

/// Why Vault did not do what it was asked for. No text has a value, a token or a secret id in it.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// Nobody answers, or too late.
    #[error("Vault at `{address}` does not answer")]
    Unreachable {
        /// Where it was looked for.
        address: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// It is there but closed.
    #[error("Vault at `{address}` is sealed: unseal it")]
    Sealed {
        /// Where it is.
        address: String,
    },
    /// It sends to another address, where the token will not go.
    #[error(
        "Vault at `{address}` is a standby that sends to `{target}`: set the address of the active node or of what is in \
         front of all"
    )]
    Standby {
        /// Where it is.
        address: String,
        /// Where it sends to.
        target: String,
    },
    /// It is overloaded or broken.
    #[error("Vault at `{address}` answered {status}: {text}")]
    Broken {
        /// Where it is.
        address: String,
        /// Of the answer.
        status: u16,
        /// What it says.
        text: String,
    },
    /// It knows us, and does not let us; or it does not know us any more.
    #[error("Vault denies `{path}`: {text}; the policy needs create, read, update, delete and list there")]
    Denied {
        /// What was asked for.
        path: String,
        /// What it says.
        text: String,
    },
    /// It does not know us.
    #[error("Vault refuses the login by {method}: {text}")]
    LoginRefused {
        /// How we tried, and where.
        method: String,
        /// What it says.
        text: String,
    },
    /// The token of the service account cannot be read.
    #[error("read the token of the service account `{}`", path.display())]
    ServiceAccount {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// There is no such engine, or it is another one.
    #[error("{0}")]
    Mount(String),
    /// It took the question for a wrong one.
    #[error("Vault answered {status} to `{path}`: {text}")]
    Refused {
        /// What was asked for.
        path: String,
        /// Of the answer.
        status: u16,
        /// What it says.
        text: String,
    },
    /// What is there is in another version.
    #[error("the secret is not in the expected version")]
    Conflict,
    /// The answer cannot be understood.
    #[error("Vault's answer to `{path}` {problem}")]
    Unreadable {
        /// What was asked for.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The token that somebody gave us will end.
    #[error("the token ends and cannot be renewed: set another one")]
    Ending,
    /// The login failed just now for somebody else.
    #[error(transparent)]
    Again(Arc<VaultError>),
    /// The settings cannot be used.
    #[error("prepare connections to Vault: {0}")]
    Settings(String),
}

impl From<VaultError> for SecretStoreError {
    fn from(error: VaultError) -> Self {
        Self::from(&error)
    }
}

impl From<&VaultError> for SecretStoreError {
    fn from(error: &VaultError) -> Self {
        match error {
            VaultError::Again(first) => Self::from(&**first),
            VaultError::Conflict => Self::Conflict,
            VaultError::Unreachable { .. }
            | VaultError::Sealed { .. }
            | VaultError::Standby { .. }
            | VaultError::Broken { .. } => Self::Unavailable(chain(error)),
            VaultError::Denied { .. }
            | VaultError::LoginRefused { .. }
            | VaultError::ServiceAccount { .. }
            | VaultError::Mount(_)
            | VaultError::Refused { .. }
            | VaultError::Ending
            | VaultError::Settings(_) => Self::Refused(chain(error)),
            VaultError::Unreadable { .. } => Self::Unreadable(chain(error)),
        }
    }
}
