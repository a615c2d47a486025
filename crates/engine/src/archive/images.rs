//! Putting images into the archive and taking them out again.

use jiff::Timestamp;
use model::Digest;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use storage::{Row, WriteTransaction, from_micros, to_micros};

use super::content;
use crate::events::{Level, NewEvent, Resource, Service, record};
use crate::imports::{OriginOfAnalysis, analysis_origin, forget_imported, rest_on_what_was_read};
use crate::subscriptions::{subscribe_tag, tell_analyses_again};
use crate::{AnalysisStatus, Engine, ImageFilter, ImageRecord, StorageError};

/// An image in the archive.
#[derive(Debug, Clone, PartialEq)]
pub struct ArchivedImage {
    /// The account.
    pub account: String,
    /// Digest of the platform's manifest.
    pub digest: String,
    /// Digest of the index it was found in.
    pub parent_digest: String,
    /// What users noted.
    pub annotations: Map<String, Value>,
    /// The tags it had.
    pub tags: Vec<ArchivedTag>,
    /// Bytes that it takes.
    pub size_bytes: i64,
    /// When it was analyzed.
    pub analyzed_at: Option<Timestamp>,
    /// When it was put away.
    pub created_at: Timestamp,
    /// When the record was changed.
    pub updated_at: Timestamp,
}

/// A tag that an archived image had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchivedTag {
    /// Host with port.
    pub registry: String,
    /// Repository.
    pub repository: String,
    /// The tag; empty where the image was named by digest only.
    pub tag: String,
    /// When the tag moved to the image, in microseconds since 1970.
    pub detected_us: i64,
}

/// What is in the archive of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveSummary {
    /// Images.
    pub images: i64,
    /// Tags they had.
    pub tags: i64,
    /// Bytes they take.
    pub bytes: i64,
    /// When the last image came or changed.
    pub images_updated_at: Option<Timestamp>,
    /// Rules of the account, with the global ones.
    pub rules: i64,
    /// When the last rule came or changed.
    pub rules_updated_at: Option<Timestamp>,
}

/// What became of the wish to put an image away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveImage {
    /// It is in the archive.
    Archived,
    /// It was there already.
    AlreadyArchived,
    /// The account has no such image.
    NotFound,
    /// There is no analysis to keep.
    NotAnalyzed,
}

/// Why an image did not come back.
#[derive(Debug, thiserror::Error)]
pub enum RestoreImageError {
    /// It is not in the archive of the account.
    #[error("image `{0}` is not in the archive of this account: `GET /archives/images` lists what is")]
    NotFound(String),
    /// It rests on a package list that the account uploaded, and another account's is in force for the same bytes.
    #[error(
        "the archived analysis of `{0}` was imported, and meanwhile another account imported the same image: \
         imported package lists cannot be checked; add the image from its registry with POST /images and `tag`"
    )]
    ImportedByOther(String),
    /// The account has it.
    #[error("Conflict: Image already exists in system. No restore possible")]
    Exists,
    /// The tables cannot be read or written.
    #[error("restore an archived image")]
    Storage(#[from] StorageError),
}

impl Engine {
    /// Copies an analyzed image into the archive. The image stays; deleting it is another wish.
    pub async fn archive_image(&self, account: &str, digest: &Digest) -> Result<ArchiveImage, StorageError> {
        let (now, digest) = (self.now(), digest.to_string());
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        let outcome = archive(self, &mut tx, account, &digest, now).await?;
        let failed = |reason: &str| NewEvent {
            details: json!({ "msg": reason }),
            ..archive_event(
                account,
                "system.analysis_archive.image_archive_failed",
                Level::Error,
                "Analyzed image migration to archive failed",
                &digest,
            )
        };
        let event = match outcome {
            ArchiveImage::Archived => archive_event(
                account,
                "system.analysis_archive.image_archived",
                Level::Info,
                "Analyzed image added to archive",
                &digest,
            ),
            ArchiveImage::NotAnalyzed => failed("the image is not analyzed"),
            ArchiveImage::NotFound => failed("the account has no such image"),
            ArchiveImage::AlreadyArchived => return Ok(outcome),
        };
        record(self, &mut tx, &event, now).await?;
        tx.commit().await.map_err(StorageError::at("commit"))?;
        Ok(outcome)
    }

    /// The archived images of an account, newest first.
    pub async fn list_archived_images(&self, account: &str) -> Result<Vec<ArchivedImage>, StorageError> {
        let rows = storage::query_built(format!(
            "SELECT {COLUMNS} FROM archived_images WHERE account = $1 ORDER BY created_us DESC, digest"
        ))
        .bind(account)
        .fetch_all(&self.storage)
        .await
        .map_err(StorageError::at("list archived images"))?;
        rows.iter().map(read_archived).collect()
    }

    /// The archived image of this digest.
    pub async fn find_archived_image(
        &self,
        account: &str,
        digest: &str,
    ) -> Result<Option<ArchivedImage>, StorageError> {
        let row = storage::query_built(format!(
            "SELECT {COLUMNS} FROM archived_images WHERE account = $1 AND digest = $2"
        ))
        .bind(account)
        .bind(digest)
        .fetch_optional(&self.storage)
        .await
        .map_err(StorageError::at("read an archived image"))?;
        row.as_ref().map(read_archived).transpose()
    }

    /// Removes an image from the archive for good. `false`: it is not there.
    pub async fn delete_archived_image(&self, account: &str, digest: &str) -> Result<bool, StorageError> {
        let now = self.now();
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        let deleted = storage::query("DELETE FROM archived_images WHERE account = $1 AND digest = $2")
            .bind(account)
            .bind(digest)
            .execute(&mut tx)
            .await
            .map_err(StorageError::at("delete an archived image"))?;
        if deleted > 0 {
            let kind = "system.analysis_archive.archived_image_deleted";
            let event = archive_event(account, kind, Level::Info, "Archived image analysis deleted", digest);
            record(self, &mut tx, &event, now).await?;
        }
        tx.commit().await.map_err(StorageError::at("commit"))?;
        Ok(deleted > 0)
    }

    /// Brings an archived image back as it was. It stays in the archive too.
    pub async fn restore_image(&self, account: &str, digest: &str) -> Result<ImageRecord, RestoreImageError> {
        let now = self.now();
        match self.restore(account, digest, now).await {
            Ok(()) => {}
            Err(error) => {
                let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
                let event = NewEvent {
                    details: json!({ "msg": error.to_string() }),
                    ..archive_event(
                        account,
                        "system.image_analysis.restore_from_archive_failed",
                        Level::Error,
                        "Archived image restore to active images failed",
                        digest,
                    )
                };
                record(self, &mut tx, &event, now).await?;
                tx.commit().await.map_err(StorageError::at("commit"))?;
                return Err(error);
            }
        }
        let parsed = digest.parse::<Digest>().map_err(StorageError::at("read a digest"))?;
        let mut found = self.find_images(account, &ImageFilter::Digest(parsed)).await?;
        Ok(found.pop().ok_or_else(|| StorageError::new("find the restored image", "it is gone"))?)
    }

    async fn restore(&self, account: &str, digest: &str, now: Timestamp) -> Result<(), RestoreImageError> {
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        let packed: Option<Vec<u8>> =
            storage::query("SELECT content FROM archived_images WHERE account = $1 AND digest = $2")
                .bind(account)
                .bind(digest)
                .fetch_optional_value(&mut tx)
                .await
                .map_err(StorageError::at("read an archived image"))?;
        let packed = packed.ok_or_else(|| RestoreImageError::NotFound(digest.to_owned()))?;
        let exists: bool =
            storage::query("SELECT EXISTS (SELECT 1 FROM images WHERE account = $1 AND digest = $2)")
                .bind(account)
                .bind(digest)
                .fetch_value(&mut tx)
                .await
                .map_err(StorageError::at("look for the image"))?;
        if exists {
            return Err(RestoreImageError::Exists);
        }
        restore_content(&mut tx, account, digest, packed, now).await?;
        storage::query("UPDATE images SET image_status = 'active' WHERE account = $1 AND digest = $2")
            .bind(account)
            .bind(digest)
            .execute(&mut tx)
            .await
            .map_err(StorageError::at("mark the restored image"))?;
        for tag in full_tags(&mut tx, account, digest).await? {
            subscribe_tag(&mut tx, account, &tag, false, now).await?;
            tell_analyses_again(&mut tx, account, &tag, now).await?;
        }
        let kind = "system.image_analysis.restored_from_archive";
        let message = "Archived image restored to active images";
        record(self, &mut tx, &archive_event(account, kind, Level::Info, message, digest), now).await?;
        tx.commit().await.map_err(StorageError::at("commit"))?;
        Ok(())
    }

    /// What is in the archive of an account, in numbers.
    pub async fn archive_summary(&self, account: &str) -> Result<ArchiveSummary, StorageError> {
        let images = self.list_archived_images(account).await?;
        let rules = self.list_archive_rules(account, true).await?;
        Ok(ArchiveSummary {
            images: i64::try_from(images.len()).unwrap_or(i64::MAX),
            tags: images.iter().map(|image| i64::try_from(image.tags.len()).unwrap_or(0)).sum(),
            bytes: images.iter().map(|image| image.size_bytes).sum(),
            images_updated_at: images.iter().map(|image| image.updated_at).max(),
            rules: i64::try_from(rules.len()).unwrap_or(i64::MAX),
            rules_updated_at: rules.iter().map(|rule| rule.updated_at).max(),
        })
    }
}

/// Brings rows back under the rules of [`crate::imports`]: what was really read goes before what was imported, whichever of
/// both is the older one, and nobody gets what another account imported.
async fn restore_content(
    tx: &mut WriteTransaction,
    account: &str,
    digest: &str,
    packed: Vec<u8>,
    now: Timestamp,
) -> Result<(), RestoreImageError> {
    let image = content::unpack(packed).await?;
    let parsed = digest.parse::<Digest>().map_err(StorageError::at("read a digest"))?;
    let present = analysis_origin(tx, &parsed).await?;
    let is_imported = image.imported_by().is_some();
    let is_foreign = |owner: &str| owner != account;
    if image.imported_by().is_some_and(is_foreign) {
        return Err(
            StorageError::new("restore an archived image", "its analysis is another account's").into()
        );
    }
    match &present {
        Some(OriginOfAnalysis::ImportedBy(owner)) if is_imported && is_foreign(owner) => {
            return Err(RestoreImageError::ImportedByOther(digest.to_owned()));
        }
        // Either the truth comes, or the account's own import that was put away.
        Some(OriginOfAnalysis::ImportedBy(_)) => forget_imported(tx, digest).await?,
        Some(OriginOfAnalysis::Read) | None => {}
    }
    content::restore(tx, image).await?;
    if !is_imported || present == Some(OriginOfAnalysis::Read) {
        rest_on_what_was_read(tx, digest, now).await?;
    }
    Ok(())
}

/// The tags of an image, as `registry/repository:tag`.
async fn full_tags(
    tx: &mut WriteTransaction,
    account: &str,
    digest: &str,
) -> Result<Vec<String>, StorageError> {
    let rows: Vec<(String, String, String)> = storage::query(
        "SELECT registry, repository, tag FROM image_tags WHERE account = $1 AND digest = $2 AND tag <> ''",
    )
    .bind(account)
    .bind(digest)
    .fetch_all_as(tx)
    .await
    .map_err(StorageError::at("read tags"))?;
    Ok(rows.into_iter().map(|(registry, repository, tag)| format!("{registry}/{repository}:{tag}")).collect())
}

fn archive_event<'a>(
    account: &'a str,
    kind: &'static str,
    level: Level,
    message: &str,
    digest: &str,
) -> NewEvent<'a> {
    NewEvent {
        account,
        kind,
        level,
        message: message.to_owned(),
        details: json!({}),
        resource: Resource::new("image_digest", digest),
        service: Service::Catalog,
    }
}

const COLUMNS: &str =
    "account, digest, parent_digest, annotations, tags, size_bytes, analyzed_us, created_us, updated_us";

/// Copies an image into the archive, in the caller's transaction.
async fn archive(
    engine: &Engine,
    tx: &mut WriteTransaction,
    account: &str,
    digest: &str,
    now: Timestamp,
) -> Result<ArchiveImage, StorageError> {
    let found: Option<(String, String, String, Option<i64>)> = storage::query(
        "SELECT analysis_status, parent_digest, annotations, analyzed_us FROM images \
         WHERE account = $1 AND digest = $2",
    )
    .bind(account)
    .bind(digest)
    .fetch_optional_as(&mut *tx)
    .await
    .map_err(StorageError::at("read the image"))?;
    let Some((status, parent_digest, annotations, analyzed)) = found else {
        return Ok(ArchiveImage::NotFound);
    };
    if status != AnalysisStatus::Analyzed.name() {
        return Ok(ArchiveImage::NotAnalyzed);
    }
    let tags: Vec<(String, String, String, i64)> = storage::query(
        "SELECT registry, repository, tag, detected_us FROM image_tags WHERE account = $1 AND digest = $2 \
         ORDER BY registry, repository, tag",
    )
    .bind(account)
    .bind(digest)
    .fetch_all_as(&mut *tx)
    .await
    .map_err(StorageError::at("read tags"))?;
    let tags: Vec<ArchivedTag> = tags
        .into_iter()
        .map(|(registry, repository, tag, detected_us)| ArchivedTag {
            registry,
            repository,
            tag,
            detected_us,
        })
        .collect();
    let content = content::pack(tx, account, digest).await?;
    let added = storage::query(
        "INSERT INTO archived_images (account, digest, parent_digest, annotations, tags, content, size_bytes, \
                                      analyzed_us, created_us, updated_us) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) ON CONFLICT (account, digest) DO NOTHING",
    )
    .bind(account)
    .bind(digest)
    .bind(parent_digest)
    .bind(annotations)
    .bind(serde_json::to_string(&tags).map_err(StorageError::at("write tags"))?)
    .bind(content.as_slice())
    .bind(i64::try_from(content.len()).unwrap_or(i64::MAX))
    .bind(analyzed)
    .bind(to_micros(now))
    .execute(tx)
    .await
    .map_err(StorageError::at("store an archived image"))?;
    tracing::info!(image.digest = digest, host.id = engine.settings.host_id, "image archived");
    Ok(if added == 1 { ArchiveImage::Archived } else { ArchiveImage::AlreadyArchived })
}

fn read_archived(row: &Row) -> Result<ArchivedImage, StorageError> {
    let read = || -> Result<ArchivedImage, Box<dyn std::error::Error + Send + Sync>> {
        Ok(ArchivedImage {
            account: row.get("account")?,
            digest: row.get("digest")?,
            parent_digest: row.get("parent_digest")?,
            annotations: serde_json::from_str(&row.get::<String>("annotations")?)?,
            tags: serde_json::from_str(&row.get::<String>("tags")?)?,
            size_bytes: row.get("size_bytes")?,
            analyzed_at: row.get::<Option<i64>>("analyzed_us")?.map(from_micros),
            created_at: from_micros(row.get("created_us")?),
            updated_at: from_micros(row.get("updated_us")?),
        })
    };
    read().map_err(StorageError::at("read an archived image"))
}
