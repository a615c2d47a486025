//! Policy bundles of the accounts: stored as posted, checked on the way in, one active per account.

use std::sync::Arc;

use jiff::Timestamp;
use policy::{Bundle, BundleError};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use storage::{Database, Row, WriteTransaction, from_micros, to_micros};

use crate::events::{Level, NewEvent, Resource, Service, record};
use crate::{Engine, StorageError};

/// `policy_source` of bundles that users post.
pub(crate) const SOURCE_LOCAL: &str = "local";
/// `policy_source` of the bundle that a new account starts with.
const SOURCE_BOOTSTRAP: &str = "true";

/// A stored bundle.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyRecord {
    /// The account it belongs to.
    pub account: String,
    /// Its id.
    pub id: String,
    /// Its name, for people.
    pub name: String,
    /// The bundle as posted.
    pub document: Value,
    /// Digest of the document: equal revisions judge equally.
    pub revision: String,
    /// Whether it judges when none is named.
    pub is_active: bool,
    /// Where it comes from.
    pub source: String,
    /// When the id was first stored.
    pub created_at: Timestamp,
    /// When it was changed or activated.
    pub updated_at: Timestamp,
}

/// Why a bundle was not stored, changed or deleted.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// There is none of this id.
    #[error("Policy bundle {0} not found in DB")]
    NotFound(String),
    /// There is no such account.
    #[error("account `{0}` does not exist")]
    NoAccount(String),
    /// The document is no good bundle.
    #[error("Bundle failed validation")]
    BadBundle(#[source] BundleError),
    /// The active bundle can only be replaced.
    #[error("cannot deactivate an active policy - can only activate an inactive policy")]
    CannotDeactivate,
    /// The active bundle cannot be deleted.
    #[error("cannot delete an active policy - activate a different policy then delete this one")]
    CannotDeleteActive,
    /// The tables cannot be read or written.
    #[error("store the policy bundle")]
    Storage(#[source] StorageError),
}

impl PolicyError {
    fn storage<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        action: &'static str,
    ) -> impl FnOnce(E) -> Self {
        move |source| Self::Storage(StorageError::new(action, source))
    }
}

const COLUMNS: &str = "account, id, name, document, revision, is_active, source, created_us, updated_us";

impl Engine {
    /// All bundles of an account, oldest first.
    pub async fn list_policies(&self, account: &str) -> Result<Vec<PolicyRecord>, StorageError> {
        let rows = storage::query_built(format!(
            "SELECT {COLUMNS} FROM policies WHERE account = $1 ORDER BY created_us, id"
        ))
        .bind(account)
        .fetch_all(&self.storage)
        .await
        .map_err(StorageError::at("list policies"))?;
        rows.iter().map(read_record).collect()
    }

    /// The bundle of this id.
    pub async fn find_policy(&self, account: &str, id: &str) -> Result<Option<PolicyRecord>, StorageError> {
        let row =
            storage::query_built(format!("SELECT {COLUMNS} FROM policies WHERE account = $1 AND id = $2"))
                .bind(account)
                .bind(id)
                .fetch_optional(&self.storage)
                .await
                .map_err(StorageError::at("read a policy"))?;
        row.as_ref().map(read_record).transpose()
    }

    /// The bundle that judges when none is named.
    pub async fn find_active_policy(&self, account: &str) -> Result<Option<PolicyRecord>, StorageError> {
        let row = storage::query_built(format!(
            "SELECT {COLUMNS} FROM policies WHERE account = $1 AND is_active = 1"
        ))
        .bind(account)
        .fetch_optional(&self.storage)
        .await
        .map_err(StorageError::at("read the active policy"))?;
        row.as_ref().map(read_record).transpose()
    }

    /// Stores a posted bundle. One of the same id is replaced and stays active if it is: the account must never be
    /// without a policy because of an upload.
    pub async fn add_policy(&self, account: &str, document: &Value) -> Result<PolicyRecord, PolicyError> {
        let bundle = Bundle::parse(document).map_err(PolicyError::BadBundle)?;
        self.require_account(account).await?;
        let mut tx = self.storage.begin().await.map_err(PolicyError::storage("begin"))?;
        let record = NewRecord {
            account,
            id: bundle.id(),
            name: bundle.name().unwrap_or_default(),
            document,
            source: SOURCE_LOCAL,
            activate: false,
        };
        let stored = store(&mut tx, &record, self.now()).await?;
        tx.commit().await.map_err(PolicyError::storage("commit"))?;
        Ok(stored)
    }

    /// Replaces the bundle stored under an id, and makes it the active one if asked to.
    pub async fn update_policy(
        &self,
        account: &str,
        id: &str,
        document: &Value,
        active: Option<bool>,
    ) -> Result<PolicyRecord, PolicyError> {
        let current = self.find_policy(account, id).await.map_err(PolicyError::Storage)?;
        let current = current.ok_or_else(|| PolicyError::NotFound(id.to_owned()))?;
        if current.is_active && active == Some(false) {
            return Err(PolicyError::CannotDeactivate);
        }
        let bundle = Bundle::parse(document).map_err(PolicyError::BadBundle)?;
        let mut tx = self.storage.begin().await.map_err(PolicyError::storage("begin"))?;
        let record = NewRecord {
            account,
            id,
            name: bundle.name().unwrap_or_default(),
            document,
            source: &current.source,
            activate: active == Some(true),
        };
        let before = active_id(&mut tx, account).await?;
        let stored = store(&mut tx, &record, self.now()).await?;
        if stored.is_active {
            self.tell_change(&mut tx, &stored, before.as_deref(), &current.revision).await?;
        }
        tx.commit().await.map_err(PolicyError::storage("commit"))?;
        if stored.is_active {
            self.hurry_duty("policy_evaluation").await.map_err(PolicyError::Storage)?;
        }
        Ok(stored)
    }

    /// Deletes a bundle that is not active.
    pub async fn delete_policy(&self, account: &str, id: &str) -> Result<(), PolicyError> {
        let mut tx = self.storage.begin().await.map_err(PolicyError::storage("begin"))?;
        let is_active: Option<bool> =
            storage::query("SELECT is_active FROM policies WHERE account = $1 AND id = $2")
                .bind(account)
                .bind(id)
                .fetch_optional_value(&mut tx)
                .await
                .map_err(PolicyError::storage("read a policy"))?;
        match is_active {
            None => return Err(PolicyError::NotFound(id.to_owned())),
            Some(true) => return Err(PolicyError::CannotDeleteActive),
            Some(false) => {}
        }
        for statement in [
            "DELETE FROM policies WHERE account = $1 AND id = $2",
            "DELETE FROM evaluations WHERE account = $1 AND policy_id = $2",
        ] {
            storage::query(statement)
                .bind(account)
                .bind(id)
                .execute(&mut tx)
                .await
                .map_err(PolicyError::storage("delete a policy"))?;
        }
        tx.commit().await.map_err(PolicyError::storage("commit"))
    }

    /// Records that another bundle judges now, or that the one that judges has changed.
    async fn tell_change(
        &self,
        tx: &mut WriteTransaction,
        stored: &PolicyRecord,
        active_before: Option<&str>,
        revision_before: &str,
    ) -> Result<(), PolicyError> {
        let (kind, message, details) = if active_before != Some(&stored.id) {
            (
                "user.policy.active.updated",
                "Active policy bundle updated to a different bundle",
                json!({"last_policy_bundle_id": active_before, "current_policy_bundle_id": stored.id}),
            )
        } else if stored.revision != revision_before {
            (
                "user.policy.active.content_change",
                "Active policy bundle content changed",
                json!({
                    "policy_id": stored.id,
                    "last_policy_bundle_digest": revision_before.trim_start_matches("sha256:"),
                    "current_policy_bundle_digest": stored.revision.trim_start_matches("sha256:"),
                }),
            )
        } else {
            return Ok(());
        };
        let event = NewEvent {
            account: &stored.account,
            kind,
            level: Level::Info,
            message: message.to_owned(),
            details,
            resource: Resource { kind: "policy_bundle", id: None },
            service: Service::Catalog,
        };
        record(self, tx, &event, self.now()).await.map_err(PolicyError::Storage)
    }

    async fn require_account(&self, account: &str) -> Result<(), PolicyError> {
        match crate::accounts::find_account(&self.storage, account).await {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(PolicyError::NoAccount(account.to_owned())),
            Err(error) => Err(PolicyError::Storage(error)),
        }
    }

    /// The compiled form of a stored bundle.
    pub(crate) fn compiled(&self, record: &PolicyRecord) -> Result<Arc<Bundle>, BundleError> {
        if let Some(bundle) = self.bundles.get(&record.revision) {
            return Ok(bundle);
        }
        let bundle = Arc::new(Bundle::load(&record.document)?);
        self.bundles.insert(record.revision.clone(), bundle.clone());
        Ok(bundle)
    }
}

async fn active_id(tx: &mut WriteTransaction, account: &str) -> Result<Option<String>, PolicyError> {
    storage::query("SELECT id FROM policies WHERE account = $1 AND is_active = 1")
        .bind(account)
        .fetch_optional_value(tx)
        .await
        .map_err(PolicyError::storage("read the active policy"))
}

struct NewRecord<'a> {
    account: &'a str,
    id: &'a str,
    name: &'a str,
    document: &'a Value,
    source: &'a str,
    activate: bool,
}

async fn store(
    tx: &mut WriteTransaction,
    record: &NewRecord<'_>,
    now: Timestamp,
) -> Result<PolicyRecord, PolicyError> {
    if record.activate {
        storage::query("UPDATE policies SET is_active = 0 WHERE account = $1 AND is_active = 1 AND id <> $2")
            .bind(record.account)
            .bind(record.id)
            .execute(&mut *tx)
            .await
            .map_err(PolicyError::storage("deactivate the other policy"))?;
    }
    let document = record.document.to_string();
    let row = storage::query_built(format!(
        "INSERT INTO policies ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) \
         ON CONFLICT (account, id) DO UPDATE SET name = excluded.name, document = excluded.document, \
           revision = excluded.revision, \
           is_active = CASE WHEN excluded.is_active = 1 THEN 1 ELSE policies.is_active END, \
           updated_us = excluded.updated_us \
         RETURNING {COLUMNS}"
    ))
    .bind(record.account)
    .bind(record.id)
    .bind(record.name)
    .bind(&document)
    .bind(revision(&document))
    .bind(record.activate)
    .bind(record.source)
    .bind(to_micros(now))
    .fetch_one(tx)
    .await
    .map_err(PolicyError::storage("store a policy"))?;
    read_record(&row).map_err(PolicyError::Storage)
}

fn revision(document: &str) -> String {
    model::Digest::from_sha256(&Sha256::digest(document.as_bytes()).into()).to_string()
}

fn read_record(row: &Row) -> Result<PolicyRecord, StorageError> {
    let read = || -> Result<PolicyRecord, Box<dyn std::error::Error + Send + Sync>> {
        Ok(PolicyRecord {
            account: row.get("account")?,
            id: row.get("id")?,
            name: row.get("name")?,
            document: serde_json::from_str(&row.get::<String>("document")?)?,
            revision: row.get("revision")?,
            is_active: row.get("is_active")?,
            source: row.get("source")?,
            created_at: from_micros(row.get("created_us")?),
            updated_at: from_micros(row.get("updated_us")?),
        })
    };
    read().map_err(StorageError::at("read a policy record"))
}

/// Gives an account that has no bundle yet the first one, active, and the predefined ones beside it.
///
/// Runs at every start, so that a process that died right after making the account leaves no account without a policy.
pub(crate) async fn install_first_policies(
    database: &Database,
    account: &str,
    now: Timestamp,
) -> Result<(), PolicyError> {
    let mut tx = database.begin().await.map_err(PolicyError::storage("begin"))?;
    let has_any: bool = storage::query("SELECT EXISTS (SELECT 1 FROM policies WHERE account = $1)")
        .bind(account)
        .fetch_value(&mut tx)
        .await
        .map_err(PolicyError::storage("look for policies"))?;
    if has_any {
        return Ok(());
    }
    install(&mut tx, account, SOURCE_BOOTSTRAP, now).await?;
    tx.commit().await.map_err(PolicyError::storage("commit"))
}

/// The same for an account that is made in this transaction.
pub(crate) async fn install_policies_of_new_account(
    tx: &mut WriteTransaction,
    account: &str,
    now: Timestamp,
) -> Result<(), PolicyError> {
    install(tx, account, SOURCE_LOCAL, now).await
}

async fn install(
    tx: &mut WriteTransaction,
    account: &str,
    default_source: &str,
    now: Timestamp,
) -> Result<(), PolicyError> {
    let all = std::iter::once((policy::default_bundle(), default_source, true))
        .chain(policy::predefined_bundles().iter().map(|bundle| (bundle, SOURCE_LOCAL, false)));
    for (bundle, source, activate) in all {
        let document: Value =
            serde_json::from_str(bundle.json).map_err(PolicyError::storage("read a shipped bundle"))?;
        let record =
            NewRecord { account, id: bundle.id, name: bundle.name, document: &document, source, activate };
        store(tx, &record, now).await?;
    }
    Ok(())
}
