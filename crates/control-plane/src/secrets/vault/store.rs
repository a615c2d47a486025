//! Vault as a place for secrets.

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::super::{
    ExpectedVersion, NewSecret, Secret, SecretId, SecretKind, SecretStore, SecretStoreError, SecretSummary,
    SecretValue,
};
use super::connection::VaultAnswer;
use super::session::Sessions;
use super::{VaultError, VaultSettings};

/// Secrets of a list that are read at the same time.
const READS: usize = 8;
const SECRETS_MAX: usize = 10_000;
/// How often a secret may change between being looked at and being written.
const ATTEMPTS_MAX: usize = 5;

/// A place in a Vault.
#[derive(Debug)]
pub(crate) struct VaultStore {
    sessions: Sessions,
    mount: String,
    base: String,
    /// Set once the mount was seen to be what it must be.
    is_checked: OnceCell<()>,
}

/// What lies under the key `value`.
#[derive(Serialize, Deserialize)]
struct PayloadWire {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    values: Option<BTreeMap<String, String>>,
    #[serde(default)]
    tags: Option<Vec<String>>,
    #[serde(default, rename = "updatedBy")]
    updated_by: String,
}

#[derive(Deserialize)]
struct ReadWire {
    data: ReadDataWire,
}

#[derive(Deserialize)]
struct ReadDataWire {
    data: Option<Value>,
    metadata: MetadataWire,
}

#[derive(Deserialize)]
struct WrittenWire {
    data: MetadataWire,
}

#[derive(Deserialize)]
struct MetadataWire {
    version: i64,
    created_time: Timestamp,
}

/// What is at a path: a version, and the secret unless that version was deleted.
struct Found {
    version: i64,
    secret: Option<Secret>,
}

impl VaultStore {
    /// Nothing is asked yet: Vault may be sealed while the control plane starts.
    pub(crate) fn new(settings: &VaultSettings) -> Result<Self, VaultError> {
        let sessions = Sessions::new(settings)?;
        Ok(Self {
            sessions,
            mount: settings.mount.clone(),
            base: settings.base.clone(),
            is_checked: OnceCell::new(),
        })
    }

    fn data_path(&self, organization: i64, id: &SecretId) -> String {
        format!("{}/data/{}/{organization}/{id}", self.mount, self.base)
    }

    async fn find(&self, organization: i64, id: &SecretId) -> Result<Option<Found>, VaultError> {
        let path = self.data_path(organization, id);
        let value = match self.sessions.call(Method::GET, &path, None).await? {
            VaultAnswer::Value(value) => value,
            // A deleted version is not found, and yet described; without a description there never was one.
            VaultAnswer::NotFound(value) if value.pointer("/data/metadata").is_some() => value,
            VaultAnswer::NotFound(_) | VaultAnswer::Nothing => return Ok(None),
        };
        // The errors of the parser could quote values.
        let wrong =
            |problem: &str| VaultError::Unreadable { path: path.clone(), problem: problem.to_owned() };
        let ReadWire { data: ReadDataWire { data, metadata } } = serde_json::from_value(value)
            .map_err(|_| wrong("is no secret of a key-value engine, version 2"))?;
        let Some(mut data) = data else {
            return Ok(Some(Found { version: metadata.version, secret: None }));
        };
        let payload = data.get_mut("value").map(Value::take).unwrap_or_default();
        let payload: PayloadWire =
            serde_json::from_value(payload).map_err(|_| wrong("has no secret under the key `value`"))?;
        let PayloadWire { name, kind, values, tags, updated_by } = payload;
        let kind = SecretKind::from_name(&kind).ok_or_else(|| {
            wrong(&format!("has the secret type `{}`, which is unknown", kind.escape_debug()))
        })?;
        let mut tags = tags.unwrap_or_default();
        tags.sort();
        let values = values.unwrap_or_default();
        let secret = Secret {
            id: id.clone(),
            name,
            kind,
            values: values.into_iter().map(|(key, value)| (key, SecretValue::new(value))).collect(),
            tags,
            version: metadata.version,
            updated_at: metadata.created_time,
            updated_by,
        };
        Ok(Some(Found { version: metadata.version, secret: Some(secret) }))
    }

    async fn list_ids(&self, organization: i64) -> Result<Vec<SecretId>, VaultError> {
        let path = format!("{}/metadata/{}/{organization}", self.mount, self.base);
        let value = match self.sessions.call(Method::GET, &format!("{path}?list=true"), None).await? {
            VaultAnswer::Value(value) => value,
            VaultAnswer::Nothing | VaultAnswer::NotFound(_) => return Ok(Vec::new()),
        };
        let keys = value
            .pointer("/data/keys")
            .and_then(Value::as_array)
            .ok_or_else(|| VaultError::Unreadable { path: path.clone(), problem: "is no list".to_owned() })?;
        if keys.len() > SECRETS_MAX {
            let problem = format!("has {} entries (limit {SECRETS_MAX})", keys.len());
            return Err(VaultError::Unreadable { path, problem });
        }
        // What has another form was put there by somebody else.
        Ok(keys.iter().filter_map(|key| SecretId::parse(organization, key.as_str()?)).collect())
    }

    /// For lists: one secret that somebody damaged does not hide the others.
    async fn find_readable(
        &self,
        organization: i64,
        id: SecretId,
    ) -> Result<Option<SecretSummary>, VaultError> {
        match self.find(organization, &id).await {
            Ok(found) => Ok(found.and_then(|found| found.secret).map(|secret| secret.summary())),
            Err(VaultError::Unreadable { problem, .. }) => {
                tracing::warn!(organization.id = organization, secret.id = %id, problem, "an entry of Vault is no secret");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// An engine of version 1 would take what is written for one of version 2, and keep it in a wrong place.
    async fn check_mount(&self) -> Result<(), VaultError> {
        let mount = &self.mount;
        let path = format!("sys/internal/ui/mounts/{mount}");
        let value = match self.sessions.call(Method::GET, &path, None).await {
            // Who may not look at the mount may write to it all the same.
            Err(VaultError::Denied { .. }) => return Ok(()),
            answer => answer?.value(&path)?,
        };
        let text = |pointer| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        match (text("/data/type"), text("/data/options/version")) {
            ("kv", "2") => Ok(()),
            ("kv", _) => Err(VaultError::Mount(format!(
                "`{mount}` of Vault is a key-value engine of version 1: `vault kv enable-versioning {mount}` makes it one of \
                 version 2"
            ))),
            _ => Err(VaultError::Mount(format!(
                "`{mount}` of Vault is no key-value engine: `vault secrets enable -path={mount} -version=2 kv` makes one"
            ))),
        }
    }

    async fn write(
        &self,
        organization: i64,
        id: &SecretId,
        secret: &NewSecret,
        version: i64,
    ) -> Result<MetadataWire, VaultError> {
        let payload = PayloadWire {
            name: secret.name.clone(),
            kind: secret.kind.name().to_owned(),
            values: Some(
                secret.values.iter().map(|(key, value)| (key.clone(), value.reveal().to_owned())).collect(),
            ),
            tags: Some(secret.tags.clone()),
            updated_by: secret.updated_by.clone(),
        };
        let body = json!({"options": {"cas": version}, "data": {"value": payload}});
        let path = self.data_path(organization, id);
        let answer = self.sessions.call(Method::POST, &path, Some(&body)).await?.value(&path)?;
        let wrong = |_| VaultError::Unreadable { path: path.clone(), problem: "names no version".to_owned() };
        Ok(serde_json::from_value::<WrittenWire>(answer).map_err(wrong)?.data)
    }
}

#[async_trait]
impl SecretStore for VaultStore {
    async fn list(&self, organization: i64) -> Result<Vec<SecretSummary>, SecretStoreError> {
        let ids = self.list_ids(organization).await?;
        let found: Vec<Option<SecretSummary>> = futures_util::stream::iter(ids)
            .map(|id| self.find_readable(organization, id))
            .buffer_unordered(READS)
            .try_collect()
            .await?;
        let mut secrets: Vec<SecretSummary> = found.into_iter().flatten().collect();
        secrets.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(secrets)
    }

    async fn get(&self, organization: i64, id: &SecretId) -> Result<Option<Secret>, SecretStoreError> {
        Ok(self.find(organization, id).await?.and_then(|found| found.secret))
    }

    async fn describe(
        &self,
        organization: i64,
        id: &SecretId,
    ) -> Result<Option<SecretSummary>, SecretStoreError> {
        Ok(self.get(organization, id).await?.map(|secret| secret.summary()))
    }

    async fn put(
        &self,
        organization: i64,
        secret: &NewSecret,
        expected: ExpectedVersion,
        _now: Timestamp,
    ) -> Result<SecretSummary, SecretStoreError> {
        self.is_checked.get_or_try_init(|| self.check_mount()).await?;
        let id = SecretId::of_name(&secret.name);
        let mut version = match expected {
            ExpectedVersion::Exactly(version) => version,
            ExpectedVersion::Absent | ExpectedVersion::Any => 0,
        };
        for _ in 0..ATTEMPTS_MAX {
            match self.write(organization, &id, secret, version).await {
                Ok(MetadataWire { version, created_time }) => {
                    return Ok(SecretSummary {
                        id,
                        name: secret.name.clone(),
                        kind: secret.kind,
                        keys: secret.values.keys().cloned().collect(),
                        tags: secret.tags.clone(),
                        version,
                        updated_at: created_time,
                        updated_by: secret.updated_by.clone(),
                    });
                }
                Err(VaultError::Conflict) if !matches!(expected, ExpectedVersion::Exactly(_)) => {}
                Err(error) => return Err(error.into()),
            }
            // Where nothing is expected, a deleted version is as good as none.
            let found = self.find(organization, &id).await?;
            if expected == ExpectedVersion::Absent
                && found.as_ref().is_some_and(|found| found.secret.is_some())
            {
                return Err(SecretStoreError::Conflict);
            }
            version = found.map_or(0, |found| found.version);
        }
        Err(SecretStoreError::Conflict)
    }

    async fn delete(&self, organization: i64, id: &SecretId) -> Result<bool, SecretStoreError> {
        let was_there = self.find(organization, id).await?.is_some_and(|found| found.secret.is_some());
        let path = format!("{}/metadata/{}/{organization}/{id}", self.mount, self.base);
        self.sessions.call(Method::DELETE, &path, None).await?;
        Ok(was_there)
    }

    async fn check(&self) -> Result<(), SecretStoreError> {
        Ok(self.check_mount().await?)
    }
}
