//! The subscriptions that every added tag gets.

use jiff::Timestamp;
use storage::{WriteTransaction, to_micros};

use super::{SubscriptionKind, subscription_id};
use crate::StorageError;

/// Gives a tag its four subscriptions, in the transaction that adds it.
///
/// `watch_tag` also switches the watching of the tag on; it never switches it off. Those that are there already keep what their
/// owner chose.
pub(crate) async fn subscribe_tag(
    tx: &mut WriteTransaction,
    account: &str,
    full_tag: &str,
    watch_tag: bool,
    now: Timestamp,
) -> Result<(), StorageError> {
    for kind in SubscriptionKind::OF_TAGS {
        let is_active = match kind {
            SubscriptionKind::AnalysisUpdate => true,
            SubscriptionKind::TagUpdate => watch_tag,
            _ => false,
        };
        storage::query(
            "INSERT INTO subscriptions (account, subscription_key, type, id, value, is_active, created_us, updated_us) \
             VALUES ($1, $2, $3, $4, NULL, $5, $6, $6) ON CONFLICT (account, subscription_key, type) DO NOTHING",
        )
        .bind(account)
        .bind(full_tag)
        .bind(kind.name())
        .bind(subscription_id(account, full_tag, kind))
        .bind(is_active)
        .bind(to_micros(now))
        .execute(&mut *tx)
        .await
        .map_err(StorageError::at("subscribe to a tag"))?;
    }
    if watch_tag {
        switch_on(tx, account, full_tag, SubscriptionKind::TagUpdate, now).await?;
    }
    Ok(())
}

/// Switches on again what a forced deletion switched off: an image that comes back is like one that was just added.
pub(crate) async fn tell_analyses_again(
    tx: &mut WriteTransaction,
    account: &str,
    full_tag: &str,
    now: Timestamp,
) -> Result<(), StorageError> {
    switch_on(tx, account, full_tag, SubscriptionKind::AnalysisUpdate, now).await
}

async fn switch_on(
    tx: &mut WriteTransaction,
    account: &str,
    full_tag: &str,
    kind: SubscriptionKind,
    now: Timestamp,
) -> Result<(), StorageError> {
    storage::query(
        "UPDATE subscriptions SET is_active = 1, updated_us = $4 \
         WHERE account = $1 AND subscription_key = $2 AND type = $3 AND is_active = 0",
    )
    .bind(account)
    .bind(full_tag)
    .bind(kind.name())
    .bind(to_micros(now))
    .execute(tx)
    .await
    .map_err(StorageError::at("switch a subscription on"))?;
    Ok(())
}
