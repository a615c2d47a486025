//! Delivering: each webhook has a lane of its own, so that one that hangs holds up nobody but itself.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use jiff::Timestamp;
use serde_json::{Value, json};
use storage::{Backoff, WriteTransaction, from_micros, to_micros};
use tokio::time::Instant;
use tracing::Instrument as _;

use super::client::{WebhookClient, WebhookError};
use super::{Webhook, WebhookTarget};
use crate::storage_error::chain;
use crate::{Engine, StorageError};

/// Calls of one webhook at the same time.
const CALLS_MAX: i64 = 8;
const BACKOFF: Backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(60) };
/// After this a turn of the duty ends, and certificates are read again.
const TURN: Duration = Duration::from_secs(300);

/// A delivery that is due.
struct Delivery {
    id: String,
    tries: i64,
    account: String,
    email: Option<String>,
    kind: String,
    payload: String,
    created_at: Timestamp,
    expires_at: Timestamp,
}

/// Delivers what is due and what becomes due, for a while.
pub(crate) async fn deliver(engine: &Arc<Engine>) -> Result<(), StorageError> {
    let settings = &engine.settings.webhooks;
    let client = WebhookClient::new(settings).await.map_err(StorageError::at("prepare webhooks"))?;
    let until = Instant::now() + TURN;
    let lanes =
        settings.targets.iter().map(|(target, webhook)| run_lane(engine, &client, *target, webhook, until));
    forget_unknown_targets(engine).await?;
    try_join_all(lanes).await.map(drop)
}

async fn run_lane(
    engine: &Engine,
    client: &WebhookClient,
    target: WebhookTarget,
    webhook: &Webhook,
    until: Instant,
) -> Result<(), StorageError> {
    while Instant::now() < until {
        let due = find_due(engine, target).await?;
        if due.is_empty() {
            tokio::time::sleep(engine.settings.intervals.notification_delivery).await;
            continue;
        }
        let calls = due.into_iter().map(async |delivery| {
            let span = tracing::info_span!(
                "deliver_notification",
                notification.kind = delivery.kind,
                notification.tries = delivery.tries + 1,
                webhook.target = target.name(),
                otel.kind = "client",
                otel.status_code = tracing::field::Empty,
            );
            let ended = call(engine, client, webhook, &delivery).instrument(span.clone()).await;
            if ended.is_err() {
                span.record("otel.status_code", "ERROR");
            }
            (delivery, ended)
        });
        let ended = join_all(calls).await;
        let mut tx = engine.storage.begin().await.map_err(StorageError::at("begin"))?;
        let mut outcomes = Vec::with_capacity(ended.len());
        for (delivery, ended) in &ended {
            outcomes.push((&delivery.kind, store_end(engine, &mut tx, target, delivery, ended).await?));
        }
        tx.commit().await.map_err(StorageError::at("commit"))?;
        // Counted when it is true for everybody: the level of what waits is read from the tables.
        for (kind, outcome) in outcomes {
            engine.settings.metrics.delivery(kind, outcome);
        }
    }
    Ok(())
}

async fn find_due(engine: &Engine, target: WebhookTarget) -> Result<Vec<Delivery>, StorageError> {
    let rows = storage::query(
        "SELECT n.id, d.tries, n.account, a.email, n.type, n.payload, n.created_us, n.expires_us \
         FROM notification_deliveries d JOIN notifications n ON n.id = d.notification \
         JOIN accounts a ON a.name = n.account \
         WHERE d.target = $1 AND d.due_us <= $2 ORDER BY d.due_us LIMIT $3",
    )
    .bind(target.name())
    .bind(to_micros(engine.now()))
    .bind(CALLS_MAX)
    .fetch_all(&engine.storage)
    .await
    .map_err(StorageError::at("look for notifications"))?;
    let read = |row: &storage::Row| -> Result<Delivery, sqlx::Error> {
        Ok(Delivery {
            id: row.get("id")?,
            tries: row.get("tries")?,
            account: row.get("account")?,
            email: row.get("email")?,
            kind: row.get("type")?,
            payload: row.get("payload")?,
            created_at: from_micros(row.get("created_us")?),
            expires_at: from_micros(row.get("expires_us")?),
        })
    };
    rows.iter().map(read).collect::<Result<_, _>>().map_err(StorageError::at("read a notification"))
}

async fn call(
    engine: &Engine,
    client: &WebhookClient,
    webhook: &Webhook,
    delivery: &Delivery,
) -> Result<(), WebhookError> {
    let payload: Value = serde_json::from_str(&delivery.payload)
        .map_err(|error| WebhookError::Settings(format!("the stored payload: {error}")))?;
    let body = json!({
        "queueId": delivery.kind,
        "userId": delivery.account,
        "dataId": delivery.id,
        "created_at": delivery.created_at.as_second(),
        "last_updated": engine.now().as_second(),
        "record_state_key": "active",
        "record_state_val": null,
        "tries": delivery.tries,
        // The time of the last try, as clients know it.
        "max_tries": delivery.expires_at.as_second(),
        "data": {
            "notification_user": delivery.account,
            "notification_user_email": delivery.email.as_deref().unwrap_or_default(),
            "notification_type": delivery.kind,
            "notification_payload": payload,
        },
    });
    client.post(webhook, (&delivery.account, &delivery.kind), &body).await
}

/// Forgets what was delivered or is too old, and plans the next try of the rest. Says how it ended, as metrics name it.
async fn store_end(
    engine: &Engine,
    tx: &mut WriteTransaction,
    target: WebhookTarget,
    delivery: &Delivery,
    ended: &Result<(), WebhookError>,
) -> Result<&'static str, StorageError> {
    let now = engine.now();
    let is_over = match ended {
        Ok(()) => true,
        Err(error) => {
            let is_over = now >= delivery.expires_at;
            tracing::warn!(
                notification.id = delivery.id,
                notification.kind = delivery.kind,
                notification.tries = delivery.tries + 1,
                notification.is_given_up = is_over,
                webhook.target = target.name(),
                error = chain(error),
                "a webhook was not told"
            );
            is_over
        }
    };
    let outcome = match (ended, is_over) {
        (Ok(()), _) => "delivered",
        (Err(_), true) => "dropped",
        (Err(_), false) => "failed",
    };
    if is_over {
        storage::query("DELETE FROM notification_deliveries WHERE notification = $1 AND target = $2")
            .bind(&delivery.id)
            .bind(target.name())
            .execute(&mut *tx)
            .await
            .map_err(StorageError::at("end a delivery"))?;
        forget_told(tx, &delivery.id).await?;
        return Ok(outcome);
    }
    // The last try is at the end of the window.
    let next = now.checked_add(BACKOFF.delay(delivery.tries + 1)).unwrap_or(Timestamp::MAX);
    storage::query(
        "UPDATE notification_deliveries SET tries = $3, due_us = $4 WHERE notification = $1 AND target = $2",
    )
    .bind(&delivery.id)
    .bind(target.name())
    .bind(delivery.tries + 1)
    .bind(to_micros(next.min(delivery.expires_at)))
    .execute(tx)
    .await
    .map_err(StorageError::at("plan the next delivery"))?;
    Ok(outcome)
}

async fn forget_told(tx: &mut WriteTransaction, id: &str) -> Result<(), StorageError> {
    storage::query(
        "DELETE FROM notifications WHERE id = $1 \
         AND NOT EXISTS (SELECT 1 FROM notification_deliveries d WHERE d.notification = notifications.id)",
    )
    .bind(id)
    .execute(tx)
    .await
    .map_err(StorageError::at("forget a notification"))?;
    Ok(())
}

/// Forgets what was to be told to webhooks that the settings no longer name.
async fn forget_unknown_targets(engine: &Engine) -> Result<(), StorageError> {
    let waiting: Vec<(String,)> = storage::query("SELECT DISTINCT target FROM notification_deliveries")
        .fetch_all_as(&engine.storage)
        .await
        .map_err(StorageError::at("look for notifications"))?;
    let is_known = |name: &str| {
        WebhookTarget::from_name(name)
            .is_some_and(|target| engine.settings.webhooks.targets.contains_key(&target))
    };
    let unknown: Vec<String> =
        waiting.into_iter().map(|(name,)| name).filter(|name| !is_known(name)).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let mut tx = engine.storage.begin().await.map_err(StorageError::at("begin"))?;
    for name in unknown {
        storage::query("DELETE FROM notification_deliveries WHERE target = $1")
            .bind(name)
            .execute(&mut tx)
            .await
            .map_err(StorageError::at("forget deliveries"))?;
    }
    storage::query(
        "DELETE FROM notifications \
         WHERE NOT EXISTS (SELECT 1 FROM notification_deliveries d WHERE d.notification = notifications.id)",
    )
    .execute(&mut tx)
    .await
    .map_err(StorageError::at("forget notifications"))?;
    tx.commit().await.map_err(StorageError::at("commit"))
}
