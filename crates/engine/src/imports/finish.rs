//! The end of an import: its documents become an image, which waits for a worker.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::{Digest, ImageReference};
use scanner::{ResolvedImage, ScanError};
use serde_json::{Map, Value};
use storage::WriteTransaction;

use super::operations::{lock_operation, set_status};
use super::{DocumentKind, ImportError, ImportStatus, OriginOfAnalysis, analysis_origin, want_import};
use crate::images::AnalysisOrigin;
use crate::{AddImage, AddImageError, Engine, ImageFilter, ImageRecord, Pull, StorageError};

/// Notes which import an image comes from.
const ANNOTATION: &str = "anchore.system/import_operation_id";

/// An import to end.
#[derive(Debug, Clone, PartialEq)]
pub struct FinishImport {
    /// The account.
    pub account: String,
    /// Id of the import.
    pub operation: String,
    /// The tags to file the image under; at least one.
    pub tags: Vec<ImageReference>,
    /// Digest of the image's manifest.
    pub digest: Digest,
    /// Which documents count, by hex digits of their SHA-256.
    pub documents: BTreeMap<DocumentKind, String>,
    /// Digest of the index that names the image.
    pub parent_digest: Option<Digest>,
    /// Notes to merge.
    pub annotations: Map<String, Value>,
    /// Watch the tags from now on.
    pub autosubscribe: bool,
}

/// Why an import was not ended.
#[derive(Debug, thiserror::Error)]
pub enum FinishImportError {
    /// The account has no such import, or the tables cannot be read or written.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// It was ended before, given up, or too old.
    #[error("Invalid operation status. Must be in pending state to finalize")]
    NotPending(ImportStatus),
    /// A document was not uploaded.
    #[error("One or more referenced content digests not found for the operation id")]
    DocumentMissing(String),
    /// The documents are not those of one image.
    #[error("the documents do not fit together: {0}")]
    Inconsistent(String),
    /// Manifest or configuration cannot be read.
    #[error("the manifest or the image configuration cannot be used")]
    Unreadable(#[source] Box<ScanError>),
    /// Somebody else's list is in use for these bytes, and nobody can tell which list is right.
    #[error(
        "image `{0}` was imported by another account, and imported package lists cannot be checked: \
         add it from its registry with POST /images and `tag`, which replaces what was imported"
    )]
    ImportedByOther(Digest),
    /// The image cannot be stored.
    #[error("store the image")]
    Add(#[source] Box<AddImageError>),
}

impl From<StorageError> for FinishImportError {
    fn from(error: StorageError) -> Self {
        Self::Import(ImportError::Storage(error))
    }
}

impl Engine {
    /// Makes an image of the documents of an import, and wants a worker to look at them.
    pub async fn finish_import(&self, request: &FinishImport) -> Result<ImageRecord, FinishImportError> {
        let now = self.now();
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        let operation = lock_operation(&mut tx, &request.account, &request.operation, now).await?;
        if operation.status != ImportStatus::Pending {
            return Err(FinishImportError::NotPending(operation.status));
        }
        let mut resolved = resolve_documents(&mut tx, &operation.id, &request.documents).await?;
        check_stated(request, &resolved)?;
        if let Some(stated) = &request.parent_digest {
            resolved.parent_digest = stated.clone();
        }
        let origin = analysis_origin(&mut tx, &request.digest).await?;
        if let Some(OriginOfAnalysis::ImportedBy(other)) = &origin
            && *other != request.account
        {
            return Err(FinishImportError::ImportedByOther(request.digest.clone()));
        }
        self.store_import(&mut tx, request, &resolved, now).await?;
        tx.commit().await.map_err(StorageError::at("commit"))?;
        self.work_arrived.notify_one();
        let mut found = self.find_images(&request.account, &ImageFilter::Digest(resolved.digest)).await?;
        Ok(found.pop().ok_or_else(|| StorageError::new("find the imported image", "it is gone"))?)
    }

    async fn store_import(
        &self,
        tx: &mut WriteTransaction,
        request: &FinishImport,
        resolved: &ResolvedImage,
        now: Timestamp,
    ) -> Result<(), FinishImportError> {
        let id = &request.operation;
        let dockerfile = match request.documents.get(&DocumentKind::Dockerfile) {
            None => None,
            Some(digest) => {
                use base64::Engine as _;
                let text = read_document(tx, id, DocumentKind::Dockerfile, digest).await?;
                Some(base64::engine::general_purpose::STANDARD.encode(text))
            }
        };
        let mut annotations = request.annotations.clone();
        annotations.insert(ANNOTATION.to_owned(), Value::String(id.clone()));
        for tag in &request.tags {
            let add = AddImage {
                account: request.account.clone(),
                reference: tag.clone(),
                pull: Pull::Digest(resolved.digest.clone()),
                annotations: annotations.clone(),
                dockerfile: dockerfile.clone(),
                created_at: None,
                force: false,
                priority: 0,
                autosubscribe: request.autosubscribe,
            };
            self.store_resolved(tx, &add, resolved, AnalysisOrigin::Import(id), now)
                .await
                .map_err(|error| FinishImportError::Add(Box::new(error)))?;
        }
        let chosen: BTreeMap<&str, &String> =
            request.documents.iter().map(|(kind, digest)| (kind.name(), digest)).collect();
        storage::query("UPDATE image_imports SET digest = $2, documents = $3 WHERE id = $1")
            .bind(id)
            .bind(resolved.digest.to_string())
            .bind(serde_json::json!(chosen).to_string())
            .execute(&mut *tx)
            .await
            .map_err(StorageError::at("store what an import consists of"))?;
        forget_other_documents(tx, &request.account, id, resolved, &request.documents).await?;
        set_status(tx, id, ImportStatus::Processing, now).await?;
        Ok(want_import(tx, id, now).await?)
    }
}

/// Removes documents that nobody needs any more: those of the import that do not count, and those of earlier imports of the
/// image. Else whoever imports again and again would fill the database.
async fn forget_other_documents(
    tx: &mut WriteTransaction,
    account: &str,
    id: &str,
    resolved: &ResolvedImage,
    documents: &BTreeMap<DocumentKind, String>,
) -> Result<(), StorageError> {
    let forget = StorageError::at("remove documents that do not count");
    storage::query(
        "DELETE FROM image_import_documents WHERE import_id IN \
           (SELECT id FROM image_imports WHERE account = $1 AND digest = $2 AND id <> $3)",
    )
    .bind(account)
    .bind(resolved.digest.to_string())
    .bind(id)
    .execute(&mut *tx)
    .await
    .map_err(forget)?;
    for kind in DocumentKind::ALL {
        let chosen = documents.get(&kind).map(|digest| hex_digits(digest)).unwrap_or_default();
        storage::query(
            "DELETE FROM image_import_documents WHERE import_id = $1 AND kind = $2 AND digest <> $3",
        )
        .bind(id)
        .bind(kind.name())
        .bind(chosen)
        .execute(&mut *tx)
        .await
        .map_err(StorageError::at("remove documents that do not count"))?;
    }
    Ok(())
}

/// The digests that the caller states are those of the documents.
fn check_stated(request: &FinishImport, resolved: &ResolvedImage) -> Result<(), FinishImportError> {
    if resolved.digest != request.digest {
        return Err(FinishImportError::Inconsistent(format!(
            "`digest` is `{}`, that of the manifest is `{}`",
            request.digest, resolved.digest
        )));
    }
    let is_uploaded = request.documents.contains_key(&DocumentKind::ParentManifest);
    match &request.parent_digest {
        Some(stated) if is_uploaded && *stated != resolved.parent_digest => {
            Err(FinishImportError::Inconsistent(format!(
                "`parent_digest` is `{stated}`, that of the parent manifest is `{}`",
                resolved.parent_digest
            )))
        }
        _ => Ok(()),
    }
}

/// The image that the documents describe. They are all there, and manifest and configuration belong together.
pub(super) async fn resolve_documents(
    tx: &mut WriteTransaction,
    id: &str,
    documents: &BTreeMap<DocumentKind, String>,
) -> Result<ResolvedImage, FinishImportError> {
    let mut contents = BTreeMap::new();
    for (kind, digest) in documents {
        let content = read_document(tx, id, *kind, digest).await?;
        // The list is the worker's.
        if *kind != DocumentKind::Packages {
            contents.insert(*kind, content);
        }
    }
    let manifest = contents.remove(&DocumentKind::Manifest).unwrap_or_default();
    let config = contents.remove(&DocumentKind::ImageConfig).unwrap_or_default();
    let described = tokio::task::spawn_blocking(move || scanner::describe_image(&manifest, &config))
        .await
        .map_err(StorageError::at("read the documents of an image"))?;
    let facts = described.map_err(|error| FinishImportError::Unreadable(Box::new(error)))?;
    let parent = documents.get(&DocumentKind::ParentManifest);
    let parent = parent.map(|text| format!("sha256:{}", hex_digits(text)).parse::<Digest>()).transpose();
    let parent = parent.map_err(StorageError::at("read a digest"))?;
    Ok(ResolvedImage {
        digest: facts.digest.clone(),
        parent_digest: parent.unwrap_or_else(|| facts.digest.clone()),
        image_id: facts.image_id.clone(),
        platform: facts.platform.clone(),
        facts,
    })
}

/// Digests of documents are written with and without the name of the algorithm.
pub(super) fn hex_digits(digest: &str) -> &str {
    digest.strip_prefix("sha256:").unwrap_or(digest)
}

/// The text of a document of an import.
pub(super) async fn read_document(
    tx: &mut WriteTransaction,
    id: &str,
    kind: DocumentKind,
    digest: &str,
) -> Result<Vec<u8>, FinishImportError> {
    let content: Option<Vec<u8>> = storage::query(
        "SELECT content FROM image_import_documents WHERE import_id = $1 AND kind = $2 AND digest = $3",
    )
    .bind(id)
    .bind(kind.name())
    .bind(hex_digits(digest))
    .fetch_optional_value(tx)
    .await
    .map_err(StorageError::at("read a document"))?;
    content.ok_or_else(|| FinishImportError::DocumentMissing(digest.to_owned()))
}
