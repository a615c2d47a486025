//! Adding an image: ask the registry which digest is meant, record it, and want its analysis.

use jiff::Timestamp;
use model::{Digest, ImageReference};
use scanner::{ResolvedImage, ScanError, ScanOptions};
use serde_json::{Map, Value};
use storage::{NewJob, QueueError, WriteTransaction, to_micros};

use super::{AnalysisStatus, ImageFilter, ImageRecord, ImageStatus};
use crate::analysis::{AddedTag, AnalysisJob, JOB_KIND, tell_added};
use crate::imports::{OriginOfAnalysis, analysis_origin};
use crate::subscriptions::subscribe_tag;
use crate::{Engine, LoginError, StorageError};

/// After so many failed attempts an analysis is given up.
pub(crate) const ATTEMPTS_MAX: i64 = 5;

/// An image to add.
#[derive(Debug, Clone, PartialEq)]
pub struct AddImage {
    /// The account.
    pub account: String,
    /// The tag to file the image under, or a digest reference when there is none.
    pub reference: ImageReference,
    /// What is asked from the registry.
    pub pull: Pull,
    /// Notes to merge; the text `null` deletes a key.
    pub annotations: Map<String, Value>,
    /// A Dockerfile, base64.
    pub dockerfile: Option<String>,
    /// When the image is said to have been made; `None` is now.
    pub created_at: Option<Timestamp>,
    /// Analyze again, even if that was done.
    pub force: bool,
    /// Higher is analyzed first.
    pub priority: i64,
    /// Watch the tag from now on.
    pub autosubscribe: bool,
}

/// What is asked from the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pull {
    /// What the reference names now.
    Reference,
    /// This digest, in the reference's repository.
    Digest(Digest),
}

/// Where the analysis of an image that is stored will come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AnalysisOrigin<'a> {
    /// A worker reads the image from its registry.
    Registry,
    /// The documents of this import stand for it.
    Import(&'a str),
}

/// Why an image was not added.
#[derive(Debug, thiserror::Error)]
pub enum AddImageError {
    /// There is no such account.
    #[error("account `{0}` does not exist")]
    NoAccount(String),
    /// The registry did not tell the digest.
    #[error("cannot fetch image digest/manifest from registry")]
    Registry(#[source] Box<ScanError>),
    /// There is no login for the registry.
    #[error("cannot fetch image digest/manifest from registry")]
    Login(#[source] LoginError),
    /// A Dockerfile for a known image needs `force`.
    #[error(
        "Cannot specify dockerfile for an image that already exists unless using force=True for re-analysis"
    )]
    DockerfileNeedsForce {
        /// The image.
        digest: Digest,
        /// The tag.
        tag: String,
    },
    /// `force` with a digest is for known images only.
    #[error("image digest must already exist to force re-analyze using tag+digest")]
    ForceNeedsKnownDigest,
    /// The tables cannot be read or written.
    #[error("store the image")]
    Storage(#[source] StorageError),
}

impl AddImageError {
    pub(crate) fn storage<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        action: &'static str,
    ) -> impl FnOnce(E) -> Self {
        move |source| Self::Storage(StorageError::new(action, source))
    }
}

impl Engine {
    /// Adds an image, or moves its tag, and wants its analysis where there is none.
    ///
    /// The registry is asked once; `options` bound how long.
    pub(crate) async fn add_image_with(
        &self,
        request: &AddImage,
        options: &ScanOptions,
    ) -> Result<ImageRecord, AddImageError> {
        if crate::accounts::find_account(&self.storage, &request.account)
            .await
            .map_err(AddImageError::Storage)?
            .is_none()
        {
            return Err(AddImageError::NoAccount(request.account.clone()));
        }
        if request.force
            && let Pull::Digest(digest) = &request.pull
            && self
                .find_images(&request.account, &ImageFilter::Digest(digest.clone()))
                .await
                .map_err(AddImageError::Storage)?
                .is_empty()
        {
            return Err(AddImageError::ForceNeedsKnownDigest);
        }
        if let Some(again) = self.import_again(request).await? {
            return Ok(again);
        }
        let resolved = self.resolve_for(&request.account, &request.asked(), options).await?;
        let mut tx = self.storage.begin().await.map_err(AddImageError::storage("begin"))?;
        let status =
            self.store_resolved(&mut tx, request, &resolved, AnalysisOrigin::Registry, self.now()).await?;
        tx.commit().await.map_err(AddImageError::storage("commit"))?;
        self.work_arrived.notify_one();
        let mut records = self
            .find_images(&request.account, &ImageFilter::Digest(resolved.digest))
            .await
            .map_err(AddImageError::Storage)?;
        let record = records
            .pop()
            .ok_or_else(|| AddImageError::storage("find the image just stored")("it is gone"))?;
        // A worker may have begun since: the answer tells what was asked for.
        Ok(ImageRecord { status, ..record })
    }

    /// Adds an image, or moves its tag, and wants its analysis where there is none; under the limits of the settings.
    ///
    /// The registry is asked once, for manifest and configuration; that it does not tell is recorded as an event.
    pub async fn add_image(&self, request: &AddImage) -> Result<ImageRecord, AddImageError> {
        let added = self.add_image_with(request, &self.settings.scan).await;
        if let Err(error @ (AddImageError::Registry(_) | AddImageError::Login(_))) = &added {
            self.tell_lookup_failure(&request.account, &request.asked().to_string(), error).await;
        }
        added
    }

    /// Writes what adding an image means, in the caller's transaction; wake the workers after it. Returns the image's status by it.
    pub(crate) async fn store_resolved(
        &self,
        tx: &mut WriteTransaction,
        request: &AddImage,
        resolved: &ResolvedImage,
        origin: AnalysisOrigin<'_>,
        now: Timestamp,
    ) -> Result<AnalysisStatus, AddImageError> {
        let stored = store_image(tx, request, resolved, origin, now).await?;
        let is_new_tag = store_tag(tx, request, &resolved.digest, now).await?;
        if let Some(full_tag) = request.reference.full_tag() {
            subscribe_tag(tx, &request.account, &full_tag, request.autosubscribe, now)
                .await
                .map_err(AddImageError::Storage)?;
            let added = AddedTag {
                account: &request.account,
                full_tag: &full_tag,
                digest: &resolved.digest,
                annotations: &stored.annotations,
                before: stored.before,
                next: stored.next,
                is_new_tag,
            };
            tell_added(self, tx, &added, now).await.map_err(AddImageError::Storage)?;
        }
        let is_wanted = matches!(stored.next, AnalysisStatus::NotAnalyzed | AnalysisStatus::Analyzing);
        if is_wanted && origin == AnalysisOrigin::Registry {
            want_analysis(tx, &request.reference, &resolved.digest, request.priority, now)
                .await
                .map_err(AddImageError::storage("want the analysis"))?;
        }
        Ok(stored.next)
    }
}

/// What became of the image's row.
struct StoredImage {
    before: Option<AnalysisStatus>,
    next: AnalysisStatus,
    annotations: Map<String, Value>,
}

/// Writes the image's row.
async fn store_image(
    tx: &mut WriteTransaction,
    request: &AddImage,
    resolved: &ResolvedImage,
    origin: AnalysisOrigin<'_>,
    now: Timestamp,
) -> Result<StoredImage, AddImageError> {
    let digest = resolved.digest.to_string();
    let (is_import, mut import_id) = match origin {
        AnalysisOrigin::Registry => (false, None),
        AnalysisOrigin::Import(id) => (true, Some(id)),
    };
    let stored = analysis_origin(tx, &resolved.digest).await.map_err(AddImageError::Storage)?;
    // Nobody has checked an imported analysis: the registry's word takes its place.
    let is_unchecked = matches!(stored, Some(OriginOfAnalysis::ImportedBy(_)));
    let existing: Option<(String, String, i64, String)> = storage::query(
        "SELECT analysis_status, annotations, created_us, image_status FROM images \
         WHERE account = $1 AND digest = $2",
    )
    .bind(&request.account)
    .bind(&digest)
    .fetch_optional_as(&mut *tx)
    .await
    .map_err(AddImageError::storage("read the image"))?;
    if existing.is_some() && request.dockerfile.is_some() && !request.force && !is_import {
        return Err(AddImageError::DockerfileNeedsForce {
            digest: resolved.digest.clone(),
            tag: request.reference.to_string(),
        });
    }
    if existing.is_none() && request.force && matches!(request.pull, Pull::Digest(_)) {
        return Err(AddImageError::ForceNeedsKnownDigest);
    }
    let status = existing.as_ref().and_then(|(status, ..)| AnalysisStatus::from_name(status));
    let was_deleted = existing.as_ref().is_some_and(|(.., status)| status != ImageStatus::Active.name());
    let next = match status {
        Some(_) if was_deleted => AnalysisStatus::NotAnalyzed,
        Some(AnalysisStatus::AnalysisFailed) | None => AnalysisStatus::NotAnalyzed,
        // A running analysis is as fresh as one that would begin now.
        // It was read, and no list says more.
        Some(AnalysisStatus::Analyzed) if is_import && stored == Some(OriginOfAnalysis::Read) => {
            import_id = None;
            AnalysisStatus::Analyzed
        }
        Some(_) if is_import => AnalysisStatus::NotAnalyzed,
        Some(AnalysisStatus::Analyzed) if request.force || is_unchecked => AnalysisStatus::NotAnalyzed,
        Some(status) => status,
    };
    let annotations =
        merge_annotations(existing.as_ref().map(|(_, text, ..)| text.as_str()), &request.annotations)
            .map_err(AddImageError::storage("read the annotations"))?;
    let created = request.created_at.map(to_micros).or(existing.map(|(_, _, created, _)| created));
    storage::query(
        "INSERT INTO images (account, digest, parent_digest, image_id, analysis_status, annotations, dockerfile, \
                             created_us, updated_us, import_id) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
         ON CONFLICT (account, digest) DO UPDATE SET analysis_status = excluded.analysis_status, image_status = 'active', \
           annotations = excluded.annotations, dockerfile = coalesce(excluded.dockerfile, images.dockerfile), \
           created_us = excluded.created_us, updated_us = excluded.updated_us, \
           import_id = excluded.import_id",
    )
    .bind(&request.account)
    .bind(&digest)
    .bind(resolved.parent_digest.to_string())
    .bind(resolved.image_id.to_string())
    .bind(next.name())
    .bind(serde_json::to_string(&annotations).map_err(AddImageError::storage("write the annotations"))?)
    .bind(&request.dockerfile)
    .bind(created.unwrap_or_else(|| to_micros(now)))
    .bind(to_micros(now))
    .bind(import_id)
    .execute(tx)
    .await
    .map_err(AddImageError::storage("store the image"))?;
    Ok(StoredImage { before: status, next, annotations })
}

fn merge_annotations(
    existing: Option<&str>,
    changes: &Map<String, Value>,
) -> Result<Map<String, Value>, serde_json::Error> {
    let mut merged: Map<String, Value> = existing.map_or_else(|| Ok(Map::new()), serde_json::from_str)?;
    for (key, value) in changes {
        if value == "null" {
            merged.shift_remove(key);
        } else {
            merged.insert(key.clone(), value.clone());
        }
    }
    Ok(merged)
}

/// Points the tag at the digest. A tag that is there already keeps the time it was detected, unless it had moved away.
/// Returns whether this image had not had the tag yet.
async fn store_tag(
    tx: &mut WriteTransaction,
    request: &AddImage,
    digest: &Digest,
    now: Timestamp,
) -> Result<bool, AddImageError> {
    let is_there: bool = storage::query(
        "SELECT EXISTS (SELECT 1 FROM image_tags \
         WHERE account = $1 AND registry = $2 AND repository = $3 AND tag = $4 AND digest = $5)",
    )
    .bind(&request.account)
    .bind(request.reference.registry())
    .bind(request.reference.repository())
    .bind(request.reference.tag().unwrap_or_default())
    .bind(digest.to_string())
    .fetch_value(&mut *tx)
    .await
    .map_err(AddImageError::storage("look for the tag"))?;
    let created = request.created_at.unwrap_or(now);
    storage::query(
        "INSERT INTO image_tags (account, registry, repository, tag, digest, created_us, updated_us, detected_us) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7) \
         ON CONFLICT (account, registry, repository, tag, digest) DO UPDATE SET updated_us = excluded.updated_us, \
           detected_us = CASE WHEN EXISTS (SELECT 1 FROM image_tags o WHERE o.account = excluded.account \
               AND o.registry = excluded.registry AND o.repository = excluded.repository AND o.tag = excluded.tag \
               AND o.digest <> excluded.digest AND o.detected_us > image_tags.detected_us) \
             THEN excluded.detected_us ELSE image_tags.detected_us END",
    )
    .bind(&request.account)
    .bind(request.reference.registry())
    .bind(request.reference.repository())
    .bind(request.reference.tag().unwrap_or_default())
    .bind(digest.to_string())
    .bind(to_micros(created))
    .bind(to_micros(now))
    .execute(tx)
    .await
    .map_err(AddImageError::storage("store the tag"))?;
    Ok(!is_there)
}

/// Wants the analysis of a digest: once, however many accounts and requests ask.
pub(crate) async fn want_analysis(
    tx: &mut WriteTransaction,
    reference: &ImageReference,
    digest: &Digest,
    priority: i64,
    now: Timestamp,
) -> Result<(), QueueError> {
    let digest_text = digest.to_string();
    let reference = reference.at_digest(digest.clone()).to_string();
    let payload = AnalysisJob { reference, trace_parent: telemetry::trace_parent() }.to_text();
    let job = NewJob {
        kind: JOB_KIND,
        dedupe_key: &digest_text,
        payload: &payload,
        priority,
        attempts_max: ATTEMPTS_MAX,
    };
    storage::enqueue(tx, &job, now, now).await.map(drop)
}
