//! Storing what is to be told.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};
use storage::{WriteTransaction, to_micros};

use super::NotificationKind;
use crate::{Engine, StorageError};

/// Longer payloads lose their parts: a receiver that reads them whole must not be hurt.
const PAYLOAD_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How long news about Pods that run are tried again at least.
const RUNNING_PODS_WINDOW: Duration = Duration::from_secs(24 * 3600);

/// Something that a webhook may want to know.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Notification<'a> {
    /// In which account.
    pub(crate) account: &'a str,
    /// What it tells.
    pub(crate) kind: NotificationKind,
    /// The tag it is about: who has an active subscription of this key and kind wants it. Unused for events.
    pub(crate) subscription_key: &'a str,
    /// What the kind adds: `last_eval`, `curr_eval`, `annotations`, …
    pub(crate) payload: Map<String, Value>,
}

/// Whether there is a webhook at all that would be told about this kind. Saves the work of finding out what to tell.
pub(crate) fn is_wanted(engine: &Engine, kind: NotificationKind) -> bool {
    !engine.settings.webhooks.targets_of(kind).is_empty()
}

impl Engine {
    /// Stores news about the Pods that run in a cluster, in the caller's transaction, for the webhooks that want it; the account is
    /// the cluster's.
    pub async fn notify_running_pods(
        &self,
        tx: &mut WriteTransaction,
        account: &str,
        payload: Map<String, Value>,
    ) -> Result<(), StorageError> {
        let kind = NotificationKind::RunningPods;
        let notification = Notification { account, kind, subscription_key: "", payload };
        notify(self, tx, &notification, self.now()).await
    }
}

/// Stores a notification in the caller's transaction, if there is an active subscription and a webhook for it.
pub(crate) async fn notify(
    engine: &Engine,
    tx: &mut WriteTransaction,
    notification: &Notification<'_>,
    now: Timestamp,
) -> Result<(), StorageError> {
    let Notification { account, kind, subscription_key, payload } = notification;
    let targets = engine.settings.webhooks.targets_of(*kind);
    let is_for_all = matches!(kind, NotificationKind::EventLog | NotificationKind::RunningPods);
    if targets.is_empty() || !(is_for_all || has_subscription(tx, account, *kind, subscription_key).await?) {
        return Ok(());
    }
    let id = uuid::Uuid::new_v4().to_string();
    let mut content = bounded(payload);
    content.insert("notificationId".to_owned(), Value::from(id.as_str()));
    content.insert("userId".to_owned(), Value::from(*account));
    if !is_for_all {
        content.insert("subscription_key".to_owned(), Value::from(*subscription_key));
        content.insert("subscription_type".to_owned(), Value::from(kind.name()));
    }
    let window = match kind {
        // It is told once, and nobody can ask the engine for it later.
        NotificationKind::RunningPods => engine.settings.webhooks.retry_window.max(RUNNING_PODS_WINDOW),
        _ => engine.settings.webhooks.retry_window,
    };
    let expires = now.checked_add(window).unwrap_or(Timestamp::MAX);
    storage::query(
        "INSERT INTO notifications (id, account, type, payload, created_us, expires_us) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&id)
    .bind(*account)
    .bind(kind.name())
    .bind(Value::Object(content).to_string())
    .bind(to_micros(now))
    .bind(to_micros(expires))
    .execute(&mut *tx)
    .await
    .map_err(StorageError::at("store a notification"))?;
    for target in targets {
        storage::query(
            "INSERT INTO notification_deliveries (notification, target, tries, due_us) VALUES ($1, $2, 0, $3)",
        )
        .bind(&id)
        .bind(target.name())
        .bind(to_micros(now))
        .execute(&mut *tx)
        .await
        .map_err(StorageError::at("want a delivery"))?;
    }
    Ok(())
}

async fn has_subscription(
    tx: &mut WriteTransaction,
    account: &str,
    kind: NotificationKind,
    key: &str,
) -> Result<bool, StorageError> {
    storage::query(
        "SELECT EXISTS (SELECT 1 FROM subscriptions \
         WHERE account = $1 AND subscription_key = $2 AND type = $3 AND is_active = 1)",
    )
    .bind(account)
    .bind(key)
    .bind(match kind {
        // Who wants to know of an analysis wants to know what came of it.
        NotificationKind::ImageScan => NotificationKind::AnalysisUpdate.name(),
        kind => kind.name(),
    })
    .fetch_value(tx)
    .await
    .map_err(StorageError::at("look for a subscription"))
}

/// The payload, or what of it is short.
fn bounded(payload: &Map<String, Value>) -> Map<String, Value> {
    const SHORT: usize = 64 * 1024;
    let length = |value: &Value| value.to_string().len();
    if payload.values().map(length).sum::<usize>() <= PAYLOAD_BYTES_MAX {
        return payload.clone();
    }
    let mut short: Map<String, Value> = payload
        .iter()
        .filter(|(_, value)| length(value) <= SHORT)
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    short.insert("is_shortened".to_owned(), Value::Bool(true));
    short
}
