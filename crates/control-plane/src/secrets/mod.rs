//! Secrets of organizations: what they are, what people may see of them, and the two places that keep them.

mod checks;
mod embedded;
mod kind;
mod operations;
mod password;
mod people;
mod store;
mod vault;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

pub(crate) use embedded::EmbeddedStore;
pub use embedded::count_sealed as count_sealed_secrets;
pub use kind::{SecretField, SecretKind};
pub use operations::SecretError;
pub use password::generate_password;
pub(crate) use people::SecretFilter;
pub use store::{ExpectedVersion, SecretStore, SecretStoreError, SecretStoreSettings};
pub(crate) use vault::VaultStore;
pub use vault::{VaultError, VaultLogin, VaultSettings};

/// People do not see the values: the secret of a technical user, which services made and use.
pub const TAG_HIDDEN: &str = "banzai:hidden";
/// People neither change nor delete the secret.
pub const TAG_READ_ONLY: &str = "banzai:readonly";
/// A way into a cluster: not listed, and people neither change nor delete it.
pub const TAG_KUBECONFIG: &str = "KubeConfig";

/// What lists show instead of a value.
pub(crate) const HIDDEN: &str = "<hidden>";

/// A value of a secret; its `Debug` form hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(String);

impl SecretValue {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself: for whoever it is meant for, never for logs and errors.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretValue(…)")
    }
}

/// The id of a secret in its organization: SHA-256 of the name, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretId(String);

const ID_CHARS: usize = 64;

impl SecretId {
    /// The id that a name always has.
    pub fn of_name(name: &str) -> Self {
        Self(data_encoding::HEXLOWER.encode(&Sha256::digest(name.as_bytes())))
    }

    /// Reads an id, bare or as `brn:ORGANIZATION:secret:ID`. One that names another organization is no id here: nobody gets at
    /// a secret of others by saying whose it is.
    pub fn parse(organization: i64, text: &str) -> Option<Self> {
        let id = match text.strip_prefix("brn:") {
            Some(rest) => rest.strip_prefix(&organization.to_string())?.strip_prefix(":secret:")?,
            None => text,
        };
        let is_hex = |letter: u8| letter.is_ascii_digit() || (b'a'..=b'f').contains(&letter);
        (id.len() == ID_CHARS && id.bytes().all(is_hex)).then(|| Self(id.to_owned()))
    }

    /// The 64 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A secret with its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// Its id, which follows from the name.
    pub id: SecretId,
    /// Its name, once in an organization.
    pub name: String,
    /// What it is for.
    pub kind: SecretKind,
    /// What it holds.
    pub values: BTreeMap<String, SecretValue>,
    /// Sorted, each once.
    pub tags: Vec<String>,
    /// Counts its changes, from 1.
    pub version: i64,
    /// When it was changed.
    pub updated_at: Timestamp,
    /// Who changed it.
    pub updated_by: String,
}

impl Secret {
    /// The value of a key; `None`: it has no such key.
    pub fn value(&self, key: &str) -> Option<&SecretValue> {
        self.values.get(key)
    }

    /// The same without what must be hidden.
    pub fn summary(&self) -> SecretSummary {
        SecretSummary {
            id: self.id.clone(),
            name: self.name.clone(),
            kind: self.kind,
            keys: self.values.keys().cloned().collect(),
            tags: self.tags.clone(),
            version: self.version,
            updated_at: self.updated_at,
            updated_by: self.updated_by.clone(),
        }
    }
}

/// A secret without its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretSummary {
    /// Its id.
    pub id: SecretId,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub kind: SecretKind,
    /// The names of its values.
    pub keys: BTreeSet<String>,
    /// Sorted, each once.
    pub tags: Vec<String>,
    /// Counts its changes, from 1.
    pub version: i64,
    /// When it was changed.
    pub updated_at: Timestamp,
    /// Who changed it.
    pub updated_by: String,
}

impl SecretSummary {
    pub(crate) fn has_tag(&self, tag: &str) -> bool {
        self.tags.iter().any(|has| has == tag)
    }
}

/// A secret to keep, new or in place of the one of the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSecret {
    /// Its name: lower-case letters, digits, `-` and `.`.
    pub name: String,
    /// What it is for.
    pub kind: SecretKind,
    /// What it holds.
    pub values: BTreeMap<String, SecretValue>,
    /// Tags, in any order.
    pub tags: Vec<String>,
    /// Who keeps it.
    pub updated_by: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_a_secret_of_its_own_organization_only() {
        let id = SecretId::of_name("registry");
        assert_eq!(id.as_str(), "872491a30d60d598962de6e7b834ab76b2aa65fbab102c6ebaaae6acdc238822");
        let parsed = |text: &str| SecretId::parse(1, text).map(|id| id.to_string());
        assert_eq!(parsed(id.as_str()), Some(id.to_string()));
        assert_eq!(parsed(&format!("brn:1:secret:{id}")), Some(id.to_string()));
        for text in [
            format!("brn:2:secret:{id}"),
            format!("brn:11:secret:{id}"),
            format!("brn:01:secret:{id}"),
            format!("brn::secret:{id}"),
            format!("brn:1:cluster:{id}"),
            format!("../2/{id}"),
            format!("{id}/"),
            id.to_string().to_uppercase(),
            String::new(),
        ] {
            assert_eq!(parsed(&text), None, "{text}");
        }
    }

    #[test]
    fn no_debug_form_shows_a_value() {
        let secret = NewSecret {
            name: "registry".to_owned(),
            kind: SecretKind::Password,
            values: BTreeMap::from([("password".to_owned(), SecretValue::new("hunter2"))]),
            tags: Vec::new(),
            updated_by: "ada".to_owned(),
        };
        let text = format!("{secret:?} {:#?}", SecretValue::new("hunter2"));
        assert!(!text.contains("hunter2") && text.contains("password"), "{text}");
    }
}
