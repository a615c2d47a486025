//! Going through the tags that somebody subscribed to.

use std::sync::Arc;

use model::{Digest, ImageReference};
use serde_json::Value;

use super::findings::compare_findings;
use super::judge::judge_policy;
use super::judge_tag;
use super::results::Watched;
use crate::storage_error::chain;
use crate::{Engine, EvaluateError, StorageError, SubscriptionKind};

/// More digests in one subscription are passed over.
const DIGESTS_MAX: usize = 100;

/// Judges the images of all tags whose verdict somebody subscribed to.
pub(crate) async fn watch_policies(engine: &Arc<Engine>) -> Result<(), StorageError> {
    for (account, full_tag, value) in find_subscribed(engine, SubscriptionKind::PolicyEvaluation).await? {
        for digest in watched_digests(engine, &account, &full_tag, value.as_deref()).await? {
            note(&full_tag, judge_policy(engine, &account, &full_tag, &digest).await);
        }
    }
    Ok(())
}

/// Compares the vulnerabilities of the images of all tags whose vulnerabilities somebody subscribed to.
pub(crate) async fn watch_vulnerabilities(engine: &Arc<Engine>) -> Result<(), StorageError> {
    for (account, full_tag, value) in find_subscribed(engine, SubscriptionKind::VulnerabilityUpdate).await? {
        for digest in watched_digests(engine, &account, &full_tag, value.as_deref()).await? {
            let watched = Watched { account: &account, full_tag: &full_tag, digest: &digest };
            note(&full_tag, compare_findings(engine, watched).await);
        }
    }
    Ok(())
}

/// Remembers the first result about an image that was just analyzed, under all tags that somebody subscribed to.
pub(crate) async fn begin_watching(engine: &Engine, digest: &str) -> Result<(), StorageError> {
    let tags: Vec<(String, String)> = storage::query(
        "SELECT DISTINCT s.account, s.subscription_key FROM images i \
         JOIN image_tags t ON t.account = i.account AND t.digest = i.digest \
         JOIN subscriptions s ON s.account = t.account \
           AND s.subscription_key = t.registry || '/' || t.repository || ':' || t.tag \
         WHERE i.digest = $1 AND s.is_active = 1 AND s.type IN ('policy_eval', 'vuln_update') \
         ORDER BY s.account, s.subscription_key",
    )
    .bind(digest)
    .fetch_all_as(&engine.storage)
    .await
    .map_err(StorageError::at("look who watches an image"))?;
    if tags.is_empty() {
        return Ok(());
    }
    let digest: Digest = digest.parse().map_err(StorageError::at("read a digest"))?;
    for (account, full_tag) in tags {
        note(&full_tag, judge_tag(engine, &account, &full_tag, &digest).await);
    }
    Ok(())
}

/// One image that cannot be judged must not keep the others from it.
fn note(full_tag: &str, judged: Result<(), EvaluateError>) {
    match judged {
        Ok(()) => {}
        Err(error @ EvaluateError::Failed(_)) => {
            tracing::error!(image.tag = full_tag, error = chain(&error), "cannot judge a watched tag");
        }
        Err(error) => {
            tracing::debug!(image.tag = full_tag, error = chain(&error), "a watched tag has no verdict")
        }
    }
}

/// Account, key and value of the active subscriptions of a kind, in accounts that are in use.
pub(super) async fn find_subscribed(
    engine: &Engine,
    kind: SubscriptionKind,
) -> Result<Vec<(String, String, Option<String>)>, StorageError> {
    storage::query(
        "SELECT s.account, s.subscription_key, s.value FROM subscriptions s JOIN accounts a ON a.name = s.account \
         WHERE s.type = $1 AND s.is_active = 1 AND a.state = 'enabled' ORDER BY s.account, s.subscription_key",
    )
    .bind(kind.name())
    .fetch_all_as(&engine.storage)
    .await
    .map_err(StorageError::at("look for subscriptions"))
}

/// The image that was analyzed last under the tag, and those that the subscription names.
async fn watched_digests(
    engine: &Engine,
    account: &str,
    full_tag: &str,
    value: Option<&str>,
) -> Result<Vec<Digest>, StorageError> {
    // Users may subscribe to anything; what is no full tag names no image.
    let reference = full_tag.parse::<ImageReference>().ok();
    let reference = reference.filter(|reference| reference.full_tag().as_deref() == Some(full_tag));
    let newest: Option<(String,)> = match reference {
        None => None,
        Some(reference) => storage::query(
            "SELECT t.digest FROM image_tags t JOIN images i ON i.account = t.account AND i.digest = t.digest \
             WHERE t.account = $1 AND t.registry = $2 AND t.repository = $3 AND t.tag = $4 \
             AND i.analysis_status = 'analyzed' AND i.image_status = 'active' ORDER BY t.detected_us DESC, t.digest LIMIT 1",
        )
        .bind(account)
        .bind(reference.registry())
        .bind(reference.repository())
        .bind(reference.tag().unwrap_or_default())
        .fetch_optional_as(&engine.storage)
        .await
        .map_err(StorageError::at("look for a tag's image"))?,
    };
    let newest = newest.and_then(|(digest,)| digest.parse().ok());
    let mut digests: Vec<Digest> = newest.into_iter().collect();
    for digest in named_digests(value) {
        if !digests.contains(&digest) {
            digests.push(digest);
        }
    }
    Ok(digests)
}

/// `{"digests": ["sha256:…"]}`; users may write anything else there.
fn named_digests(value: Option<&str>) -> Vec<Digest> {
    let value: Option<Value> = value.and_then(|text| serde_json::from_str(text).ok());
    let named = value.as_ref().and_then(|value| value.get("digests")).and_then(Value::as_array);
    let texts = named.into_iter().flatten().filter_map(Value::as_str).take(DIGESTS_MAX);
    texts.filter_map(|text| text.parse().ok()).collect()
}
