//! Recording one event.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use storage::{WriteTransaction, to_micros};

use super::{EventRecord, precise_time};
use crate::notifications::{EventLevel, Notification, NotificationKind, notify};
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
    let details = if event.details.to_string().len() > DETAILS_BYTES_MAX {
        json!({"is_left_out": true})
    } else {
        event.details.clone()
    };
    let record = EventRecord {
        id: uuid::Uuid::new_v4().simple().to_string(),
        account: event.account.to_owned(),
        kind: event.kind.to_owned(),
        level: event.level.name().to_owned(),
        message: event.message.chars().take(MESSAGE_CHARS_MAX).collect(),
        details,
        resource_kind: event.resource.kind.to_owned(),
        resource_id: event.resource.id.clone(),
        service: event.service.name().to_owned(),
        host: engine.settings.host_id.clone(),
        request_id: None,
        created_at: now,
    };
    storage::query(
        "INSERT INTO events (id, account, type, level, message, details, resource_type, resource_id, service, host, \
                             created_us) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(&record.id)
    .bind(&record.account)
    .bind(&record.kind)
    .bind(&record.level)
    .bind(&record.message)
    .bind(record.details.to_string())
    .bind(&record.resource_kind)
    .bind(&record.resource_id)
    .bind(&record.service)
    .bind(&record.host)
    .bind(to_micros(now))
    .execute(&mut *tx)
    .await
    .map_err(StorageError::at("record an event"))?;
    tell_webhooks(engine, tx, event.level, &record).await
}

/// Sends the event to webhooks too, if events of its level are wanted there.
async fn tell_webhooks(
    engine: &Engine,
    tx: &mut WriteTransaction,
    level: Level,
    record: &EventRecord,
) -> Result<(), StorageError> {
    let level = match level {
        Level::Info => EventLevel::Info,
        Level::Error => EventLevel::Error,
    };
    if !engine.settings.webhooks.event_levels.contains(&level) {
        return Ok(());
    }
    let mut payload = Map::new();
    payload.insert("generated_uuid".to_owned(), json!(record.id));
    payload.insert("created_at".to_owned(), json!(precise_time(record.created_at)));
    payload.insert("event".to_owned(), engine.event_json(record));
    let notification = Notification {
        account: &record.account,
        kind: NotificationKind::EventLog,
        subscription_key: "",
        payload,
    };
    notify(engine, tx, &notification, record.created_at).await
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
