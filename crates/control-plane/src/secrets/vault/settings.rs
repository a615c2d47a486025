//! Which Vault, where in it, and how we are let in.

use std::path::PathBuf;
use std::time::Duration;

use super::super::SecretValue;

/// A Vault and our place in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultSettings {
    /// Its address without a path: `https://vault.example.com:8200`.
    pub address: String,
    /// The namespace of Vault Enterprise or OpenBao; `None`: the root.
    pub namespace: Option<String>,
    /// PEM files of certificate authorities beside those of the system.
    pub ca_certificates: Vec<PathBuf>,
    /// Path of the key-value engine.
    pub mount: String,
    /// What comes before the number of the organization.
    pub base: String,
    /// How we are let in.
    pub login: VaultLogin,
    /// Longest time for one call.
    pub time_max: Duration,
}

/// How Vault knows us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VaultLogin {
    /// By a token that somebody made; it is renewed while it may be.
    Token(SecretValue),
    /// By a role and its secret.
    AppRole {
        /// Path of the auth method.
        mount: String,
        /// Id of the role.
        role_id: String,
        /// The secret id.
        secret_id: SecretValue,
    },
    /// By the token of our service account.
    Kubernetes {
        /// Path of the auth method.
        mount: String,
        /// Name of the role.
        role: String,
        /// The file with the token, read at every login because the cluster replaces it.
        token_file: PathBuf,
    },
}
