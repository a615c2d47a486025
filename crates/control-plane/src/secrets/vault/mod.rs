//! Secrets in Vault: the key-value engine, version 2, one path per secret.
//!
//! ```text
//! MOUNT/data/BASE/ORGANIZATION/ID      {"value": {"name", "type", "values", "tags", "updatedBy"}}
//! MOUNT/metadata/BASE/ORGANIZATION/    lists the ids
//! ```
//!
//! With the defaults (`secret`, `orgs`) this is where and how Banzai Cloud Pipeline keeps its secrets, so they can be taken over.
//!
//! Source: <https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2>, read 2026-11; tried with Vault 1.21.4.

mod connection;
mod error;
mod login;
mod session;
mod settings;
mod store;

pub use error::VaultError;
pub use settings::{VaultLogin, VaultSettings};
pub(crate) use store::VaultStore;
