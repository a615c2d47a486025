//! Secrets in the control plane's own tables: the values sealed with the key file, bound to their organization and id.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use storage::{Database, Row, Sealer, from_micros, to_micros};

use super::{
    ExpectedVersion, NewSecret, Secret, SecretId, SecretKind, SecretStore, SecretStoreError, SecretSummary,
    SecretValue,
};
use crate::StorageError;
use crate::storage_error::chain;

const TABLE: &str = "plane_secrets";
const COLUMNS: &str = "id, name, kind, keys, tags, version, updated_us, updated_by";

/// The tables as a place for secrets.
pub(crate) struct EmbeddedStore {
    storage: Database,
    sealer: Arc<Sealer>,
}

/// How many secrets are sealed with which key, the key of tokens among them.
pub async fn count_sealed(storage: &Database) -> Result<BTreeMap<String, usize>, StorageError> {
    let rows: Vec<(Vec<u8>,)> =
        storage::query("SELECT sealed FROM plane_secrets UNION ALL SELECT sealed FROM plane_keys")
            .fetch_all_as(storage)
            .await
            .map_err(StorageError::at("read sealed secrets"))?;
    Ok(Sealer::count_by_key(rows.iter().map(|(sealed,)| sealed.as_slice())))
}

impl EmbeddedStore {
    pub(crate) fn new(storage: Database, sealer: Arc<Sealer>) -> Self {
        Self { storage, sealer }
    }

    /// How many secrets are here.
    pub(crate) async fn count(&self) -> Result<i64, SecretStoreError> {
        let count = storage::query("SELECT count(*) FROM plane_secrets").fetch_value(&self.storage).await;
        Ok(count.map_err(StorageError::at("count secrets"))?)
    }

    /// Seals again what was sealed with a key that is no longer the first.
    pub(crate) async fn reseal(&self) -> Result<(), SecretStoreError> {
        let rows: Vec<(i64, String, Vec<u8>)> =
            storage::query("SELECT organization_id, id, sealed FROM plane_secrets")
                .fetch_all_as(&self.storage)
                .await
                .map_err(StorageError::at("read sealed secrets"))?;
        for (organization, id, old) in rows.into_iter().filter(|(.., sealed)| !self.sealer.is_current(sealed))
        {
            let row = row_name(organization, &id);
            let opened = match self.sealer.open(TABLE, &row, &old) {
                Ok(opened) => opened,
                Err(error) => {
                    tracing::error!(
                        organization.id = organization,
                        secret.id = id,
                        error = chain(&error),
                        "a secret cannot be opened"
                    );
                    continue;
                }
            };
            let sealed = self.sealer.seal(TABLE, &row, &opened).map_err(SecretStoreError::Seal)?;
            let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
            storage::query(
                "UPDATE plane_secrets SET sealed = $4 WHERE organization_id = $1 AND id = $2 AND sealed = $3",
            )
            .bind(organization)
            .bind(&id)
            .bind(old)
            .bind(sealed)
            .execute(&mut tx)
            .await
            .map_err(StorageError::at("store a secret"))?;
            tx.commit().await.map_err(StorageError::at("commit"))?;
        }
        Ok(())
    }

    fn seal(
        &self,
        organization: i64,
        id: &SecretId,
        values: &BTreeMap<String, SecretValue>,
    ) -> Result<Vec<u8>, SecretStoreError> {
        let values: BTreeMap<&str, &str> =
            values.iter().map(|(key, value)| (key.as_str(), value.reveal())).collect();
        let text = serde_json::to_vec(&values).map_err(StorageError::at("write a secret"))?;
        self.sealer.seal(TABLE, &row_name(organization, id.as_str()), &text).map_err(SecretStoreError::Seal)
    }

    fn open(
        &self,
        organization: i64,
        id: &SecretId,
        sealed: &[u8],
    ) -> Result<BTreeMap<String, SecretValue>, SecretStoreError> {
        let opened = self
            .sealer
            .open(TABLE, &row_name(organization, id.as_str()), sealed)
            .map_err(|source| SecretStoreError::Unseal { id: id.clone(), source })?;
        // The error of the parser may quote what it read, so it is not told.
        let values: BTreeMap<String, String> = serde_json::from_slice(&opened).map_err(|_| {
            SecretStoreError::Unreadable(format!("secret `{id}` holds no values: keep it anew"))
        })?;
        Ok(values.into_iter().map(|(key, value)| (key, SecretValue::new(value))).collect())
    }
}

#[async_trait]
impl SecretStore for EmbeddedStore {
    async fn list(&self, organization: i64) -> Result<Vec<SecretSummary>, SecretStoreError> {
        let rows = storage::query_built(format!(
            "SELECT {COLUMNS} FROM plane_secrets WHERE organization_id = $1 ORDER BY name"
        ))
        .bind(organization)
        .fetch_all(&self.storage)
        .await
        .map_err(StorageError::at("list secrets"))?;
        rows.iter().map(|row| Ok(read_summary(row)?)).collect()
    }

    async fn get(&self, organization: i64, id: &SecretId) -> Result<Option<Secret>, SecretStoreError> {
        let row = storage::query_built(format!(
            "SELECT {COLUMNS}, sealed FROM plane_secrets WHERE organization_id = $1 AND id = $2"
        ))
        .bind(organization)
        .bind(id.as_str())
        .fetch_optional(&self.storage)
        .await
        .map_err(StorageError::at("read a secret"))?;
        let Some(row) = row else { return Ok(None) };
        let sealed: Vec<u8> = row.get("sealed").map_err(StorageError::at("read a secret"))?;
        let values = self.open(organization, id, &sealed)?;
        let SecretSummary { id, name, kind, keys: _, tags, version, updated_at, updated_by } =
            read_summary(&row)?;
        Ok(Some(Secret { id, name, kind, values, tags, version, updated_at, updated_by }))
    }

    async fn describe(
        &self,
        organization: i64,
        id: &SecretId,
    ) -> Result<Option<SecretSummary>, SecretStoreError> {
        let row = storage::query_built(format!(
            "SELECT {COLUMNS} FROM plane_secrets WHERE organization_id = $1 AND id = $2"
        ))
        .bind(organization)
        .bind(id.as_str())
        .fetch_optional(&self.storage)
        .await
        .map_err(StorageError::at("read a secret"))?;
        Ok(row.as_ref().map(read_summary).transpose()?)
    }

    async fn put(
        &self,
        organization: i64,
        secret: &NewSecret,
        expected: ExpectedVersion,
        now: Timestamp,
    ) -> Result<SecretSummary, SecretStoreError> {
        let id = SecretId::of_name(&secret.name);
        let sealed = self.seal(organization, &id, &secret.values)?;
        let keys: BTreeSet<&String> = secret.values.keys().collect();
        let (statement, version) = match expected {
            ExpectedVersion::Absent => (format!("{INSERT} ON CONFLICT (organization_id, id) DO NOTHING"), 1),
            ExpectedVersion::Any => (format!("{INSERT} ON CONFLICT (organization_id, id) {REPLACE}"), 1),
            ExpectedVersion::Exactly(version) => (UPDATE.to_owned(), version),
        };
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        let row = storage::query_built(format!("{statement} RETURNING {COLUMNS}"))
            .bind(organization)
            .bind(id.as_str())
            .bind(&secret.name)
            .bind(secret.kind.name())
            .bind(serde_json::to_string(&keys).map_err(StorageError::at("write a secret"))?)
            .bind(serde_json::to_string(&secret.tags).map_err(StorageError::at("write a secret"))?)
            .bind(sealed)
            .bind(version)
            .bind(to_micros(now))
            .bind(&secret.updated_by)
            .fetch_optional(&mut tx)
            .await
            .map_err(StorageError::at("store a secret"))?;
        let row = row.ok_or(SecretStoreError::Conflict)?;
        tx.commit().await.map_err(StorageError::at("commit"))?;
        Ok(read_summary(&row)?)
    }

    async fn delete(&self, organization: i64, id: &SecretId) -> Result<bool, SecretStoreError> {
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        let gone = storage::query("DELETE FROM plane_secrets WHERE organization_id = $1 AND id = $2")
            .bind(organization)
            .bind(id.as_str())
            .execute(&mut tx)
            .await
            .map_err(StorageError::at("delete a secret"))?;
        tx.commit().await.map_err(StorageError::at("commit"))?;
        Ok(gone > 0)
    }

    async fn check(&self) -> Result<(), SecretStoreError> {
        self.count().await.map(drop)
    }
}

const INSERT: &str = "INSERT INTO plane_secrets \
    (organization_id, id, name, kind, keys, tags, sealed, version, updated_us, updated_by) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
const REPLACE: &str = "DO UPDATE SET name = excluded.name, kind = excluded.kind, keys = excluded.keys, \
    tags = excluded.tags, sealed = excluded.sealed, version = plane_secrets.version + 1, \
    updated_us = excluded.updated_us, updated_by = excluded.updated_by";
const UPDATE: &str = "UPDATE plane_secrets SET name = $3, kind = $4, keys = $5, tags = $6, sealed = $7, \
    version = version + 1, updated_us = $9, updated_by = $10 \
    WHERE organization_id = $1 AND id = $2 AND version = $8";

/// What a sealed value is bound to: in the row of another organization it does not open.
fn row_name(organization: i64, id: &str) -> String {
    format!("{organization}/{id}")
}

fn read_summary(row: &Row) -> Result<SecretSummary, StorageError> {
    let read = || -> Result<SecretSummary, Box<dyn std::error::Error + Send + Sync>> {
        let kind: String = row.get("kind")?;
        let (keys, tags): (String, String) = (row.get("keys")?, row.get("tags")?);
        let id: String = row.get("id")?;
        Ok(SecretSummary {
            id: SecretId::parse(0, &id).ok_or_else(|| format!("secret id `{id}` is none"))?,
            name: row.get("name")?,
            kind: SecretKind::from_name(&kind).ok_or_else(|| format!("secret type `{kind}` is unknown"))?,
            keys: serde_json::from_str(&keys)?,
            tags: serde_json::from_str(&tags)?,
            version: row.get("version")?,
            updated_at: from_micros(row.get("updated_us")?),
            updated_by: row.get("updated_by")?,
        })
    };
    read().map_err(StorageError::at("read a secret"))
}

impl fmt::Debug for EmbeddedStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("EmbeddedStore").finish_non_exhaustive()
    }
}
