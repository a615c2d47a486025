//! Watching tags: the image that a tag names now is added when it is another one than before.

use std::sync::Arc;

use model::{Digest, ImageReference};
use scanner::ResolvedImage;
use serde_json::{Map, Value, json};

use super::politeness::{Patience, by_registry, question_options};
use super::subscribed::find_subscribed;
use crate::notifications::{Notification, NotificationKind, notify};
use crate::storage_error::chain;
use crate::{AddImage, AddImageError, Engine, Pull, StorageError, SubscriptionKind};

/// A subscription to a tag.
struct WatchedTag {
    account: String,
    key: String,
}

/// Asks the registries what all watched tags name now.
pub(crate) async fn watch_tags(engine: &Arc<Engine>) -> Result<(), StorageError> {
    let subscribed = find_subscribed(engine, SubscriptionKind::TagUpdate).await?;
    let mut tags = Vec::new();
    for (account, key, _) in subscribed {
        match key.parse::<ImageReference>() {
            Ok(reference) if reference.digest().is_none() => {
                tags.push((reference, WatchedTag { account, key }))
            }
            // Users may subscribe to anything; what names no tag is nothing to ask for.
            _ => tracing::debug!(subscription.key = key, "a watched key names no tag"),
        }
    }
    by_registry(engine, tags, |engine, reference, tag, patience| {
        Box::pin(look(engine, reference, tag, patience))
    })
    .await;
    Ok(())
}

/// One tag that fails must not keep the others from being looked at.
async fn look(engine: &Engine, reference: &ImageReference, tag: &WatchedTag, patience: &mut Patience) {
    let looked = follow(engine, reference, tag).await;
    patience.note(looked.as_ref().err());
    match looked {
        Ok(()) => {}
        Err(AddImageError::Storage(error)) => {
            tracing::error!(image.tag = tag.key, error = chain(&error), "cannot follow a tag");
        }
        Err(error) => engine.tell_lookup_failure(&tag.account, &tag.key, &error).await,
    }
}

async fn follow(engine: &Engine, reference: &ImageReference, tag: &WatchedTag) -> Result<(), AddImageError> {
    let resolved = engine.resolve_for(&tag.account, reference, &question_options(engine)).await?;
    let before = find_current(engine, &tag.account, reference).await?;
    if before.as_ref().is_some_and(|(digest, _)| *digest == resolved.digest.to_string()) {
        return Ok(());
    }
    add(engine, reference, tag, &resolved, before).await
}

/// Digest and annotations of the image that the tag named last.
async fn find_current(
    engine: &Engine,
    account: &str,
    reference: &ImageReference,
) -> Result<Option<(String, Map<String, Value>)>, AddImageError> {
    let found: Option<(String, String)> = storage::query(
        "SELECT i.digest, i.annotations FROM image_tags t \
         JOIN images i ON i.account = t.account AND i.digest = t.digest \
         WHERE t.account = $1 AND t.registry = $2 AND t.repository = $3 AND t.tag = $4 \
         ORDER BY t.detected_us DESC, t.digest LIMIT 1",
    )
    .bind(account)
    .bind(reference.registry())
    .bind(reference.repository())
    .bind(reference.tag().unwrap_or_default())
    .fetch_optional_as(&engine.storage)
    .await
    .map_err(|error| AddImageError::Storage(StorageError::new("read a tag's image", error)))?;
    Ok(found.map(|(digest, annotations)| (digest, serde_json::from_str(&annotations).unwrap_or_default())))
}

/// Adds the image and tells it, in one transaction: what is added is told.
async fn add(
    engine: &Engine,
    reference: &ImageReference,
    tag: &WatchedTag,
    resolved: &ResolvedImage,
    before: Option<(String, Map<String, Value>)>,
) -> Result<(), AddImageError> {
    let last: Vec<&String> = before.iter().map(|(digest, _)| digest).collect();
    let current: &Digest = &resolved.digest;
    let annotations = before.as_ref().map(|(_, annotations)| annotations.clone()).unwrap_or_default();
    let mut payload = Map::new();
    payload.insert("last_eval".to_owned(), json!(last));
    payload.insert("curr_eval".to_owned(), json!([current.to_string()]));
    payload.insert("annotations".to_owned(), Value::Object(annotations.clone()));
    let request = AddImage {
        account: tag.account.clone(),
        reference: reference.clone(),
        pull: Pull::Reference,
        annotations,
        dockerfile: None,
        created_at: None,
        force: false,
        priority: 0,
        autosubscribe: false,
    };
    let now = engine.now();
    let storage_error = |action| move |error| AddImageError::Storage(StorageError::new(action, error));
    let mut tx = engine.storage.begin().await.map_err(storage_error("begin"))?;
    engine.store_resolved(&mut tx, &request, resolved, crate::images::AnalysisOrigin::Registry, now).await?;
    let notification = Notification {
        account: &tag.account,
        kind: NotificationKind::TagUpdate,
        subscription_key: &tag.key,
        payload,
    };
    notify(engine, &mut tx, &notification, now).await.map_err(AddImageError::Storage)?;
    tx.commit().await.map_err(storage_error("commit"))?;
    engine.work_arrived.notify_one();
    tracing::info!(image.tag = tag.key, image.digest = %current, "a watched tag names another image");
    Ok(())
}
