//! Recording one event.

use jiff::Timestamp;
use serde_json::Value;
use storage::{WriteTransaction, to_micros};

use crate::{Engine, StorageError};

/// Longer details are left out: rows should stay small, and the log has the rest.
const DETAILS_BYTES_MAX: usize = 1024 * 1024;
const MESSAGE_CHARS_MAX: usize = 2000;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// It happened.
    Info,
    /// It should not have happened.
    Error,
}

impl Level {
    /// The word on the wire and in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Error => "error",
        }
    }
}

/// Which part of the engine says so. Clients know the parts as services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// Images, policies, subscriptions.
    Catalog,
    /// Analysis.
    Analyzer,
    /// Vulnerabilities and what policies say about them.
    PolicyEngine,
}

impl Service {
    /// The word on the wire and in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Catalog => "catalog",
            Self::Analyzer => "analyzer",
            Self::PolicyEngine => "policy_engine",
        }
    }
}

/// What an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resource {
    /// `image_digest`, `image_tag`, `image_reference`, `policy_bundle`, `feeds`, `feed`, `feed_group`, …
    pub(crate) kind: &'static str,
    /// Its identifier, where it has one.
    pub(crate) id: Option<String>,
}

impl Resource {
    pub(crate) fn new(kind: &'static str, id: impl Into<String>) -> Self {
        Self { kind, id: Some(id.into()) }
    }
}

/// An event that has just happened.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NewEvent<'a> {
    /// In which account.
    pub(crate) account: &'a str,
    /// `user.image.analysis.completed`.
    pub(crate) kind: &'static str,
    /// How bad it is.
    pub(crate) level: Level,
    /// For people.
    pub(crate) message: String,
    /// For programs: an object.
    pub(crate) details: Value,
    /// What it is about.
    pub(crate) resource: Resource,
    /// Who says so.
    pub(crate) service: Service,
}

/// Records an event in the caller's transaction.
pub(crate) async fn record(
    engine: &Engine,
    tx: &mut WriteTransaction,
    event: &NewEvent<'_>,
    now: Timestamp,
) -> Result<(), StorageError> {
    let NewEvent { account, kind, level, message, details, resource, service } = event;
    let details = details.to_string();
    let details =
        if details.len() > DETAILS_BYTES_MAX { "{\"is_left_out\":true}".to_owned() } else { details };
    storage::query(
        "INSERT INTO events (id, account, type, level, message, details, resource_type, resource_id, service, host, \
                             created_us) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(uuid::Uuid::new_v4().simple().to_string())
    .bind(*account)
    .bind(*kind)
    .bind(level.name())
    .bind(message.chars().take(MESSAGE_CHARS_MAX).collect::<String>())
    .bind(details)
    .bind(resource.kind)
    .bind(resource.id.clone())
    .bind(service.name())
    .bind(&engine.settings.host_id)
    .bind(to_micros(now))
    .execute(tx)
    .await
    .map_err(StorageError::at("record an event"))?;
    Ok(())
}

/// Deletes events that are older than the settings keep them.
pub(crate) async fn expire(engine: &Engine) -> Result<(), StorageError> {
    let oldest = engine.now().checked_sub(engine.settings.events_kept).unwrap_or(Timestamp::MIN);
    let mut tx = engine.storage.begin().await.map_err(StorageError::at("begin"))?;
    let deleted = storage::query("DELETE FROM events WHERE created_us < $1")
        .bind(to_micros(oldest))
        .execute(&mut tx)
        .await
        .map_err(StorageError::at("delete old events"))?;
    tx.commit().await.map_err(StorageError::at("commit"))?;
    if deleted > 0 {
        tracing::info!(events.deleted = deleted, "old events deleted");
    }
    Ok(())
}
