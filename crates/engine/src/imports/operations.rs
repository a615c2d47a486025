//! Operations: what was uploaded for one image, until it becomes the image or is given up.

use jiff::{Span, Timestamp};
use model::Digest;
use storage::{Row, WriteTransaction, from_micros, to_micros};

use crate::{Engine, StorageError};

/// So long documents wait to be used.
const LIFETIME_HOURS: i64 = 24;
/// Operations of one account that wait at the same time.
const PENDING_MAX: i64 = 100;
/// Documents of one operation.
const DOCUMENTS_MAX: i64 = 20;
/// Bytes of all documents of an account that wait.
const WAITING_BYTES_MAX: i64 = 512 * 1024 * 1024;

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportStatus {
    /// Takes documents.
    Pending,
    /// Became an image, which waits for a worker.
    Processing,
    /// The image has its analysis.
    Complete,
    /// The documents are of no use; the image says why.
    Failed,
    /// Given up by its owner.
    Invalidated,
    /// Nobody used it in time.
    Expired,
}

impl ImportStatus {
    const ALL: [Self; 6] =
        [Self::Pending, Self::Processing, Self::Complete, Self::Failed, Self::Invalidated, Self::Expired];

    /// The word on the wire and in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Complete => "complete",
            Self::Failed => "failed",
            Self::Invalidated => "invalidated",
            Self::Expired => "expired",
        }
    }
}

/// What a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DocumentKind {
    /// A package list in syft's JSON.
    Packages,
    /// The manifest of the image.
    Manifest,
    /// The index that names the manifest.
    ParentManifest,
    /// The configuration of the image.
    ImageConfig,
    /// The file that the image was built from.
    Dockerfile,
}

impl DocumentKind {
    /// All kinds.
    pub const ALL: [Self; 5] =
        [Self::Packages, Self::Manifest, Self::ParentManifest, Self::ImageConfig, Self::Dockerfile];

    /// The word in paths and in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Packages => "packages",
            Self::Manifest => "manifest",
            Self::ParentManifest => "parent_manifest",
            Self::ImageConfig => "image_config",
            Self::Dockerfile => "dockerfile",
        }
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether an image can be made without it.
    pub fn is_optional(self) -> bool {
        matches!(self, Self::ParentManifest | Self::Dockerfile)
    }

    /// Largest document that is taken.
    pub fn bytes_max(self) -> usize {
        match self {
            Self::Packages => 32 * 1024 * 1024,
            Self::Manifest | Self::ParentManifest | Self::ImageConfig => 4 * 1024 * 1024,
            Self::Dockerfile => 1024 * 1024,
        }
    }
}

/// An import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportOperation {
    /// Whose.
    pub account: String,
    /// Its id: 32 hex digits.
    pub id: String,
    /// How far it is.
    pub status: ImportStatus,
    /// When it began.
    pub created_at: Timestamp,
    /// When it went on.
    pub updated_at: Timestamp,
    /// When what is not used is thrown away.
    pub expires_at: Timestamp,
}

/// An uploaded document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportDocument {
    /// Hex digits of its SHA-256.
    pub digest: String,
    /// When it came.
    pub created_at: Timestamp,
}

/// Why an upload was refused.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// There is no such account.
    #[error("account `{0}` does not exist")]
    NoAccount(String),
    /// The account has no such import.
    #[error("Resource {0} not found")]
    NotFound(String),
    /// It takes nothing any more.
    #[error("Invalid operation status. Must be in pending state to upload")]
    NotPending(ImportStatus),
    /// The document is not what it should be.
    #[error("the document is of no use: {0}")]
    Malformed(String),
    /// There are too many.
    #[error("{0}")]
    TooMany(String),
    /// The tables cannot be read or written.
    #[error("import an image")]
    Storage(#[from] StorageError),
}

impl Engine {
    /// Begins an import.
    pub async fn begin_import(&self, account: &str) -> Result<ImportOperation, ImportError> {
        if crate::accounts::find_account(&self.storage, account).await?.is_none() {
            return Err(ImportError::NoAccount(account.to_owned()));
        }
        let now = self.now();
        let expires = now.checked_add(Span::new().hours(LIFETIME_HOURS)).unwrap_or(Timestamp::MAX);
        let id = uuid::Uuid::new_v4().simple().to_string();
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        let pending: i64 = storage::query(
            "SELECT count(*) FROM image_imports WHERE account = $1 AND status = 'pending' AND expires_us > $2",
        )
        .bind(account)
        .bind(to_micros(now))
        .fetch_value(&mut tx)
        .await
        .map_err(StorageError::at("count imports"))?;
        if pending >= PENDING_MAX {
            return Err(ImportError::TooMany(format!(
                "the account has {pending} imports that wait for their end (limit {PENDING_MAX}): \
                 end some with POST /images, or DELETE /imports/images/{{uuid}}"
            )));
        }
        storage::query(
            "INSERT INTO image_imports (id, account, status, created_us, updated_us, expires_us) \
             VALUES ($1, $2, 'pending', $3, $3, $4)",
        )
        .bind(&id)
        .bind(account)
        .bind(to_micros(now))
        .bind(to_micros(expires))
        .execute(&mut tx)
        .await
        .map_err(StorageError::at("store an import"))?;
        tx.commit().await.map_err(StorageError::at("commit"))?;
        self.find_import(account, &id).await
    }

    /// The imports of an account, oldest first.
    pub async fn list_imports(&self, account: &str) -> Result<Vec<ImportOperation>, StorageError> {
        let rows = storage::query_built(format!(
            "SELECT {COLUMNS} FROM image_imports WHERE account = $1 ORDER BY created_us, id"
        ))
        .bind(account)
        .fetch_all(&self.storage)
        .await
        .map_err(StorageError::at("list imports"))?;
        rows.iter().map(|row| read_operation(row, self.now())).collect()
    }

    /// An import of an account.
    pub async fn find_import(&self, account: &str, id: &str) -> Result<ImportOperation, ImportError> {
        let row = storage::query_built(format!(
            "SELECT {COLUMNS} FROM image_imports WHERE account = $1 AND id = $2"
        ))
        .bind(account)
        .bind(id)
        .fetch_optional(&self.storage)
        .await
        .map_err(StorageError::at("read an import"))?;
        let row = row.ok_or_else(|| ImportError::NotFound(id.to_owned()))?;
        Ok(read_operation(&row, self.now())?)
    }

    /// Gives an import up that is not an image yet; its documents are removed. For one that ended this changes nothing.
    pub async fn give_up_import(&self, account: &str, id: &str) -> Result<ImportOperation, ImportError> {
        let now = self.now();
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        let given_up = storage::query(
            "UPDATE image_imports SET status = 'invalidated', updated_us = $3 \
             WHERE account = $1 AND id = $2 AND status = 'pending'",
        )
        .bind(account)
        .bind(id)
        .bind(to_micros(now))
        .execute(&mut tx)
        .await
        .map_err(StorageError::at("give an import up"))?;
        if given_up > 0 {
            storage::query("DELETE FROM image_import_documents WHERE import_id = $1")
                .bind(id)
                .execute(&mut tx)
                .await
                .map_err(StorageError::at("remove the documents of an import"))?;
        }
        tx.commit().await.map_err(StorageError::at("commit"))?;
        self.find_import(account, id).await
    }

    /// Keeps a document for an import. The same one again is no second one.
    pub async fn upload_document(
        &self,
        account: &str,
        id: &str,
        kind: DocumentKind,
        content: Vec<u8>,
    ) -> Result<ImportDocument, ImportError> {
        let content = check_document(kind, content).await?;
        let now = self.now();
        let digest = sha256_hex(&content);
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        let operation = lock_operation(&mut tx, account, id, now).await?;
        if operation.status != ImportStatus::Pending {
            return Err(ImportError::NotPending(operation.status));
        }
        let (documents, bytes): (i64, i64) = storage::query(
            "SELECT CAST(coalesce(sum(CASE WHEN o.id = $2 THEN 1 ELSE 0 END), 0) AS BIGINT), \
                    CAST(coalesce(sum(d.size_bytes), 0) AS BIGINT) \
             FROM image_import_documents d JOIN image_imports o ON o.id = d.import_id \
             WHERE o.account = $1 AND o.status = 'pending'",
        )
        .bind(account)
        .bind(id)
        .fetch_one_as(&mut tx)
        .await
        .map_err(StorageError::at("count documents"))?;
        let size = i64::try_from(content.len()).unwrap_or(i64::MAX);
        if documents >= DOCUMENTS_MAX || bytes.saturating_add(size) > WAITING_BYTES_MAX {
            return Err(ImportError::TooMany(format!(
                "the import has {documents} documents (limit {DOCUMENTS_MAX}), and those of all imports of the account \
                 that wait take {bytes} bytes (limit {WAITING_BYTES_MAX}): end or delete some of them"
            )));
        }
        storage::query(
            "INSERT INTO image_import_documents (import_id, kind, digest, content, size_bytes, created_us) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (import_id, kind, digest) DO NOTHING",
        )
        .bind(id)
        .bind(kind.name())
        .bind(&digest)
        .bind(content)
        .bind(size)
        .bind(to_micros(now))
        .execute(&mut tx)
        .await
        .map_err(StorageError::at("store a document"))?;
        set_status(&mut tx, id, ImportStatus::Pending, now).await?;
        tx.commit().await.map_err(StorageError::at("commit"))?;
        Ok(ImportDocument { digest, created_at: now })
    }

    /// The documents of a kind that an import has, oldest first.
    pub async fn list_documents(
        &self,
        account: &str,
        id: &str,
        kind: DocumentKind,
    ) -> Result<Vec<ImportDocument>, ImportError> {
        let operation = self.find_import(account, id).await?;
        let rows: Vec<(String, i64)> = storage::query(
            "SELECT digest, created_us FROM image_import_documents WHERE import_id = $1 AND kind = $2 \
             ORDER BY created_us, digest",
        )
        .bind(&operation.id)
        .bind(kind.name())
        .fetch_all_as(&self.storage)
        .await
        .map_err(StorageError::at("list documents"))?;
        let document = |(digest, created)| ImportDocument { digest, created_at: from_micros(created) };
        Ok(rows.into_iter().map(document).collect())
    }
}

/// Gives the document back if somebody can do something with it.
async fn check_document(kind: DocumentKind, content: Vec<u8>) -> Result<Vec<u8>, ImportError> {
    let checked = tokio::task::spawn_blocking(move || {
        let problem = match kind {
            _ if content.is_empty() => Some("it is empty".to_owned()),
            DocumentKind::Dockerfile => std::str::from_utf8(&content).err().map(|error| error.to_string()),
            DocumentKind::Packages => super::read_packages(&content, Vec::new()).err(),
            DocumentKind::Manifest | DocumentKind::ParentManifest | DocumentKind::ImageConfig => {
                // Only looked through: as values it would take many times its size.
                let read = serde_json::from_slice::<serde::de::IgnoredAny>(&content);
                let is_object = content.trim_ascii_start().starts_with(b"{");
                let other = || (!is_object).then(|| "it is no JSON object".to_owned());
                read.err().map(|error| error.to_string()).or_else(other)
            }
        };
        (problem, content)
    });
    match checked.await.map_err(StorageError::at("look through a document"))? {
        (None, content) => Ok(content),
        (Some(problem), _) => Err(ImportError::Malformed(problem)),
    }
}

const COLUMNS: &str = "account, id, status, created_us, updated_us, expires_us";

/// Hex digits of a digest, as the API writes the digests of documents.
fn sha256_hex(content: &[u8]) -> String {
    use sha2::Digest as _;
    Digest::from_sha256(&sha2::Sha256::digest(content).into()).hex().to_owned()
}

/// Reads an import in the transaction that changes it.
pub(super) async fn lock_operation(
    tx: &mut WriteTransaction,
    account: &str,
    id: &str,
    now: Timestamp,
) -> Result<ImportOperation, ImportError> {
    let row =
        storage::query_built(format!("SELECT {COLUMNS} FROM image_imports WHERE account = $1 AND id = $2"))
            .bind(account)
            .bind(id)
            .fetch_optional(tx)
            .await
            .map_err(StorageError::at("read an import"))?;
    let row = row.ok_or_else(|| ImportError::NotFound(id.to_owned()))?;
    Ok(read_operation(&row, now)?)
}

pub(super) async fn set_status(
    tx: &mut WriteTransaction,
    id: &str,
    status: ImportStatus,
    now: Timestamp,
) -> Result<(), StorageError> {
    storage::query("UPDATE image_imports SET status = $2, updated_us = $3 WHERE id = $1")
        .bind(id)
        .bind(status.name())
        .bind(to_micros(now))
        .execute(tx)
        .await
        .map_err(StorageError::at("change an import"))?;
    Ok(())
}

fn read_operation(row: &Row, now: Timestamp) -> Result<ImportOperation, StorageError> {
    let read = || -> Result<ImportOperation, Box<dyn std::error::Error + Send + Sync>> {
        let word: String = row.get("status")?;
        let status = ImportStatus::ALL.into_iter().find(|status| status.name() == word);
        let mut status = status.ok_or_else(|| format!("import status `{word}` is unknown"))?;
        let expires_at = from_micros(row.get("expires_us")?);
        if status == ImportStatus::Pending && expires_at <= now {
            status = ImportStatus::Expired;
        }
        Ok(ImportOperation {
            account: row.get("account")?,
            id: row.get("id")?,
            status,
            created_at: from_micros(row.get("created_us")?),
            updated_at: from_micros(row.get("updated_us")?),
            expires_at,
        })
    };
    read().map_err(StorageError::at("read an import"))
}

/// Removes imports that nobody used in time, and those that no image needs any more. One turn of a duty.
pub(crate) async fn expire(engine: &Engine) -> Result<(), StorageError> {
    let mut tx = engine.storage.begin().await.map_err(StorageError::at("begin"))?;
    storage::query(
        "DELETE FROM image_imports WHERE expires_us <= $1 AND status <> 'processing' AND NOT EXISTS \
           (SELECT 1 FROM images i WHERE i.account = image_imports.account AND i.import_id = image_imports.id)",
    )
    .bind(to_micros(engine.now()))
    .execute(&mut tx)
    .await
    .map_err(StorageError::at("remove expired imports"))?;
    tx.commit().await.map_err(StorageError::at("commit"))
}
