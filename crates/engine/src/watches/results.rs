//! What was told last about a tag's image.

use jiff::Timestamp;
use model::Digest;
use serde_json::Value;
use storage::{Executor, WriteTransaction, to_micros};

use crate::{StorageError, SubscriptionKind};

const COMPRESSION_LEVEL: i32 = 3;
/// A stored result never unpacks to more.
const CONTENT_BYTES_MAX: usize = 256 * 1024 * 1024;

/// A tag and the image that is watched under it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Watched<'a> {
    pub(super) account: &'a str,
    pub(super) full_tag: &'a str,
    pub(super) digest: &'a Digest,
}

/// A result as it was told.
pub(super) struct Told {
    pub(super) summary: String,
    content: Vec<u8>,
}

impl Told {
    /// The whole result.
    pub(super) fn content(&self) -> Result<Value, StorageError> {
        let text = zstd::bulk::decompress(&self.content, CONTENT_BYTES_MAX)
            .map_err(StorageError::at("unpack a told result"))?;
        serde_json::from_slice(&text).map_err(StorageError::at("read a told result"))
    }
}

/// What was told last; `None`: nothing yet.
pub(super) async fn find_told(
    on: impl Executor<'_>,
    watched: Watched<'_>,
    kind: SubscriptionKind,
) -> Result<Option<Told>, StorageError> {
    let row: Option<(String, Vec<u8>)> = storage::query(
        "SELECT summary, content FROM watch_results \
         WHERE account = $1 AND subscription_key = $2 AND type = $3 AND digest = $4",
    )
    .bind(watched.account)
    .bind(watched.full_tag)
    .bind(kind.name())
    .bind(watched.digest.to_string())
    .fetch_optional_as(on)
    .await
    .map_err(StorageError::at("read a told result"))?;
    Ok(row.map(|(summary, content)| Told { summary, content }))
}

/// Remembers a result as told.
pub(super) async fn store_told(
    tx: &mut WriteTransaction,
    watched: Watched<'_>,
    kind: SubscriptionKind,
    (summary, content): (&str, &Value),
    now: Timestamp,
) -> Result<(), StorageError> {
    let content = zstd::bulk::compress(content.to_string().as_bytes(), COMPRESSION_LEVEL)
        .map_err(StorageError::at("pack a result"))?;
    storage::query(
        "INSERT INTO watch_results (account, subscription_key, type, digest, summary, content, updated_us) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (account, subscription_key, type, digest) DO UPDATE SET summary = excluded.summary, \
           content = excluded.content, updated_us = excluded.updated_us",
    )
    .bind(watched.account)
    .bind(watched.full_tag)
    .bind(kind.name())
    .bind(watched.digest.to_string())
    .bind(summary)
    .bind(content)
    .bind(to_micros(now))
    .execute(tx)
    .await
    .map_err(StorageError::at("remember a result"))?;
    Ok(())
}

/// Whether the account still has the image: it may have been deleted while it was judged.
pub(super) async fn is_there(tx: &mut WriteTransaction, watched: Watched<'_>) -> Result<bool, StorageError> {
    storage::query("SELECT EXISTS (SELECT 1 FROM images WHERE account = $1 AND digest = $2)")
        .bind(watched.account)
        .bind(watched.digest.to_string())
        .fetch_value(tx)
        .await
        .map_err(StorageError::at("look for the image"))
}
