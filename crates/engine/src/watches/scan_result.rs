//! Telling what the active policy says about an image that was just analyzed: the result of a scan that somebody wanted.

use model::Digest;
use serde_json::{Map, Value, json};

use crate::http::evaluation_result;
use crate::notifications::{Notification, NotificationKind, is_wanted, notify};
use crate::storage_error::chain;
use crate::{Engine, EvaluateError, EvaluationQuestion, ImageFilter, StorageError};

/// Tells the result under every tag whose analyses are told, in every account that has it.
pub(crate) async fn tell_scan_result(engine: &Engine, digest: &str) -> Result<(), StorageError> {
    if !is_wanted(engine, NotificationKind::ImageScan) {
        return Ok(());
    }
    let tags: Vec<(String, String)> = storage::query(
        "SELECT DISTINCT s.account, s.subscription_key FROM images i \
         JOIN image_tags t ON t.account = i.account AND t.digest = i.digest \
         JOIN subscriptions s ON s.account = t.account \
           AND s.subscription_key = t.registry || '/' || t.repository || ':' || t.tag \
         WHERE i.digest = $1 AND i.analysis_status = 'analyzed' AND s.is_active = 1 AND s.type = 'analysis_update' \
         ORDER BY s.account, s.subscription_key",
    )
    .bind(digest)
    .fetch_all_as(&engine.storage)
    .await
    .map_err(StorageError::at("look who has an image"))?;
    let digest: Digest = digest.parse().map_err(StorageError::at("read a digest"))?;
    for (account, full_tag) in tags {
        if let Err(error) = tell(engine, &account, &full_tag, &digest).await {
            // One account without a policy must not keep the others from it.
            tracing::warn!(image.tag = full_tag, error = chain(&error), "the result of a scan is not told");
        }
    }
    Ok(())
}

async fn tell(engine: &Engine, account: &str, full_tag: &str, digest: &Digest) -> Result<(), EvaluateError> {
    let question = EvaluationQuestion {
        account: account.to_owned(),
        filter: ImageFilter::Digest(digest.clone()),
        tag: full_tag.to_owned(),
        policy_id: None,
        is_stored: true,
    };
    let evaluation = engine.evaluate(&question).await?;
    let mut payload = Map::new();
    payload.insert("annotations".to_owned(), Value::Object(evaluation.image.annotations.clone()));
    payload.insert("image_digest".to_owned(), json!(digest.to_string()));
    payload.insert("curr_eval".to_owned(), evaluation_result(&evaluation));
    let notification =
        Notification { account, kind: NotificationKind::ImageScan, subscription_key: full_tag, payload };
    let mut tx = engine.storage.begin().await.map_err(StorageError::at("begin"))?;
    notify(engine, &mut tx, &notification, engine.now()).await?;
    Ok(tx.commit().await.map_err(StorageError::at("commit"))?)
}
