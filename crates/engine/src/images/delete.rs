//! Deleting images: marked at once, removed a little later, so that clients can see what becomes of them.

use std::sync::Arc;

use jiff::Timestamp;
use model::Digest;
use storage::{WriteTransaction, to_micros};

use super::AnalysisStatus;
use crate::{Engine, StorageError};

/// Images that one turn removes; more wait for the next.
const REMOVED_MAX: i64 = 200;

/// What belongs to an image of one account, by `account` and `digest`.
const OF_THE_ACCOUNT: [&str; 4] = ["evaluations", "image_tags", "images", "image_imports"];
/// What belongs to the bytes of an image, by `digest`: removed with the last account that has it.
const OF_THE_DIGEST: [&str; 1] = ["analyses"];

/// What became of the wish to delete an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageDeletion {
    /// It is marked, or was.
    Deleting,
    /// The account has no such image.
    NotFound,
    /// It stays, for this reason.
    Refused(&'static str),
}

impl Engine {
    /// Marks an image of an account for deletion.
    ///
    /// An image that is being analyzed, or that is the newest of a tag with an active subscription, stays unless `force` is
    /// set, which also ends these subscriptions.
    pub async fn delete_image(
        &self,
        account: &str,
        digest: &Digest,
        force: bool,
    ) -> Result<ImageDeletion, StorageError> {
        let (now, digest) = (self.now(), digest.to_string());
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        let found: Option<(String, String)> = storage::query(
            "SELECT analysis_status, image_status FROM images WHERE account = $1 AND digest = $2",
        )
        .bind(account)
        .bind(&digest)
        .fetch_optional_as(&mut tx)
        .await
        .map_err(StorageError::at("read the image"))?;
        let Some((analysis_status, image_status)) = found else { return Ok(ImageDeletion::NotFound) };
        if image_status == "deleting" {
            return Ok(ImageDeletion::Deleting);
        }
        if !force && analysis_status == AnalysisStatus::Analyzing.name() {
            return Ok(ImageDeletion::Refused("cannot delete image that is being analyzed"));
        }
        let subscribed = newest_tags(&mut tx, account, &digest).await?;
        if force {
            end_subscriptions(&mut tx, account, &subscribed, now).await?;
        } else if has_active_subscription(&mut tx, account, &subscribed).await? {
            return Ok(ImageDeletion::Refused(
                "cannot delete image that is the latest of its tags, and has active subscription",
            ));
        }
        storage::query(
            "UPDATE images SET image_status = 'deleting', updated_us = $3 WHERE account = $1 AND digest = $2",
        )
        .bind(account)
        .bind(&digest)
        .bind(to_micros(now))
        .execute(&mut tx)
        .await
        .map_err(StorageError::at("mark an image for deletion"))?;
        tx.commit().await.map_err(StorageError::at("commit"))?;
        Ok(ImageDeletion::Deleting)
    }
}

/// The tags, as `registry/repository:tag`, whose newest image this is.
async fn newest_tags(
    tx: &mut WriteTransaction,
    account: &str,
    digest: &str,
) -> Result<Vec<String>, StorageError> {
    let rows: Vec<(String, String, String)> = storage::query(
        "SELECT t.registry, t.repository, t.tag FROM image_tags t WHERE t.account = $1 AND t.digest = $2 \
         AND t.tag <> '' AND NOT EXISTS (SELECT 1 FROM image_tags o WHERE o.account = t.account \
           AND o.registry = t.registry AND o.repository = t.repository AND o.tag = t.tag \
           AND o.detected_us > t.detected_us)",
    )
    .bind(account)
    .bind(digest)
    .fetch_all_as(tx)
    .await
    .map_err(StorageError::at("read tags"))?;
    Ok(rows.into_iter().map(|(registry, repository, tag)| format!("{registry}/{repository}:{tag}")).collect())
}

async fn has_active_subscription(
    tx: &mut WriteTransaction,
    account: &str,
    keys: &[String],
) -> Result<bool, StorageError> {
    for key in keys {
        let is_active: bool = storage::query(
            "SELECT EXISTS (SELECT 1 FROM subscriptions WHERE account = $1 AND subscription_key = $2 \
             AND is_active = 1)",
        )
        .bind(account)
        .bind(key)
        .fetch_value(&mut *tx)
        .await
        .map_err(StorageError::at("look for subscriptions"))?;
        if is_active {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn end_subscriptions(
    tx: &mut WriteTransaction,
    account: &str,
    keys: &[String],
    now: Timestamp,
) -> Result<(), StorageError> {
    for key in keys {
        storage::query(
            "UPDATE subscriptions SET is_active = 0, updated_us = $3 \
             WHERE account = $1 AND subscription_key = $2 AND is_active = 1",
        )
        .bind(account)
        .bind(key)
        .bind(to_micros(now))
        .execute(&mut *tx)
        .await
        .map_err(StorageError::at("end subscriptions"))?;
    }
    Ok(())
}

/// Removes what is marked. One turn of a duty.
pub(crate) async fn remove_deleted(engine: &Arc<Engine>) -> Result<(), StorageError> {
    let marked: Vec<(String, String)> = storage::query(
        "SELECT account, digest FROM images WHERE image_status = 'deleting' ORDER BY updated_us LIMIT $1",
    )
    .bind(REMOVED_MAX)
    .fetch_all_as(&engine.storage)
    .await
    .map_err(StorageError::at("look for deleted images"))?;
    for (account, digest) in &marked {
        let mut tx = engine.storage.begin().await.map_err(StorageError::at("begin"))?;
        let is_still_marked: bool = storage::query(
            "SELECT EXISTS (SELECT 1 FROM images WHERE account = $1 AND digest = $2 AND image_status = 'deleting')",
        )
        .bind(account)
        .bind(digest)
        .fetch_value(&mut tx)
        .await
        .map_err(StorageError::at("look again for a deleted image"))?;
        if is_still_marked {
            remove_image(&mut tx, account, digest).await?;
        }
        tx.commit().await.map_err(StorageError::at("commit"))?;
        tracing::info!(image.digest = digest, account.name = account, "image removed");
    }
    remove_unused(engine).await
}

/// Removes what is known about bytes that no account has any more: its accounts may have been deleted.
async fn remove_unused(engine: &Engine) -> Result<(), StorageError> {
    let mut tx = engine.storage.begin().await.map_err(StorageError::at("begin"))?;
    for table in OF_THE_DIGEST {
        storage::query_built(format!(
            "DELETE FROM {table} WHERE NOT EXISTS (SELECT 1 FROM images WHERE images.digest = {table}.digest)"
        ))
        .execute(&mut tx)
        .await
        .map_err(StorageError::at("remove unused analyses"))?;
    }
    crate::imports::forget_unused(&mut tx).await?;
    tx.commit().await.map_err(StorageError::at("commit"))?;
    crate::imports::expire(engine).await
}

/// Removes an image from an account, and what is known about its bytes when no other account has them.
async fn remove_image(tx: &mut WriteTransaction, account: &str, digest: &str) -> Result<(), StorageError> {
    for table in OF_THE_ACCOUNT {
        storage::query_built(format!("DELETE FROM {table} WHERE account = $1 AND digest = $2"))
            .bind(account)
            .bind(digest)
            .execute(&mut *tx)
            .await
            .map_err(StorageError::at("remove an image"))?;
    }
    let is_used: bool = storage::query("SELECT EXISTS (SELECT 1 FROM images WHERE digest = $1)")
        .bind(digest)
        .fetch_value(&mut *tx)
        .await
        .map_err(StorageError::at("look who has an image"))?;
    if is_used {
        return Ok(());
    }
    for table in OF_THE_DIGEST {
        storage::query_built(format!("DELETE FROM {table} WHERE digest = $1"))
            .bind(digest)
            .execute(&mut *tx)
            .await
            .map_err(StorageError::at("remove an analysis"))?;
    }
    // A worker that holds this job finds its lease lost and stores nothing.
    storage::forget(tx, crate::analysis::JOB_KIND, digest)
        .await
        .map_err(StorageError::at("forget an analysis"))
}
