//! What a worker does with an ended import: it reads the documents and stores them as an analysis.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use model::{Digest, DockerfileMode, Inventory};
use storage::{Job, NewJob, QueueError, WriteTransaction, to_micros};

use super::operations::set_status;
use super::{
    DocumentKind, FinishImportError, ImportStatus, OriginOfAnalysis, analysis_origin, rest_on_what_was_read,
};
use crate::analysis::{Analysis, AnalysisRow, encode, release_expired, tell_end, tell_status};
use crate::reports::NewReport;
use crate::storage_error::chain;
use crate::{AnalysisStatus, Engine, StorageError};

/// Name of the work in the queue; its key is the id of the import.
pub(crate) const JOB_KIND: &str = "import_image";
const ATTEMPTS_MAX: i64 = 5;
/// Packages in one list; more is no image.
const PACKAGES_MAX: usize = 200_000;

/// Wants a worker to look at the documents of an import.
pub(crate) async fn want_import(
    tx: &mut WriteTransaction,
    id: &str,
    now: Timestamp,
) -> Result<(), StorageError> {
    let job =
        NewJob { kind: JOB_KIND, dedupe_key: id, payload: "{}", priority: 0, attempts_max: ATTEMPTS_MAX };
    let wanted: Result<_, QueueError> = storage::enqueue(tx, &job, now, now).await;
    wanted.map(drop).map_err(StorageError::at("want an import"))
}

/// Wants at the start what a process that disappeared, or an older backup, left without a job.
pub(crate) async fn reconcile(tx: &mut WriteTransaction, now: Timestamp) -> Result<(), StorageError> {
    let waiting: Vec<(String,)> = storage::query(
        "SELECT id FROM image_imports WHERE status = 'processing' AND NOT EXISTS \
           (SELECT 1 FROM jobs j WHERE j.kind = $1 AND j.dedupe_key = image_imports.id AND j.state <> 'failed')",
    )
    .bind(JOB_KIND)
    .fetch_all_as(&mut *tx)
    .await
    .map_err(StorageError::at("look for imports without work"))?;
    for (id,) in waiting {
        want_import(tx, &id, now).await?;
    }
    Ok(())
}

/// Marks an import whose workers disappeared again and again.
pub(crate) async fn give_up(
    tx: &mut WriteTransaction,
    id: &str,
    reason: &str,
    now: Timestamp,
) -> Result<(), StorageError> {
    storage::query(
        "UPDATE images SET analysis_status = 'analysis_failed', analysis_error = $2, updated_us = $3 \
         WHERE import_id = $1 AND analysis_status <> 'analyzed'",
    )
    .bind(id)
    .bind(reason)
    .bind(to_micros(now))
    .execute(&mut *tx)
    .await
    .map_err(StorageError::at("mark a failed import"))?;
    set_status(tx, id, ImportStatus::Failed, now).await
}

/// An import that is in work.
struct Claimed {
    account: String,
    digest: String,
    documents: BTreeMap<DocumentKind, Vec<u8>>,
}

impl Engine {
    /// Works on one import, if one waits. Returns whether there was one.
    pub(crate) async fn work_on_import(&self, worker: &str) -> Result<bool, StorageError> {
        let now = self.now();
        let is_due = storage::has_due(&self.storage, JOB_KIND, now).await;
        if !is_due.map_err(StorageError::at("look for imports"))? {
            return Ok(false);
        }
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        release_expired(self, &mut tx, now).await?;
        let job = storage::claim(&mut tx, JOB_KIND, worker, self.lease_end(now), now)
            .await
            .map_err(StorageError::at("claim an import"))?;
        let Some(job) = job else {
            tx.commit().await.map_err(StorageError::at("commit"))?;
            return Ok(false);
        };
        let id = job.dedupe_key.as_str();
        let claimed = read_claimed(&mut tx, id).await?;
        if let Some(claimed) = &claimed {
            let Claimed { account, digest, .. } = claimed;
            tell_status(self, &mut tx, digest, Some(account), AnalysisStatus::Analyzing, now).await?;
            set_image(&mut tx, id, claimed, AnalysisStatus::Analyzing, None, now).await?;
        }
        tx.commit().await.map_err(StorageError::at("commit"))?;
        let Some(claimed) = claimed else {
            self.forget_import(&job).await?;
            return Ok(true);
        };
        let Claimed { account, digest, documents } = claimed;
        let database = self.vulnerability_data().await.database.clone();
        let read = tokio::task::spawn_blocking(move || {
            let analysis = read_documents(&documents)?;
            let report = NewReport::compute(&analysis.inventory, database.as_deref());
            let content = encode(&analysis).map_err(|error| chain(&error))?;
            Ok::<_, String>((AnalysisRow::new(&analysis), content, report))
        });
        let read = read.await.unwrap_or_else(|error| Err(chain(&error)));
        let claimed = Claimed { account, digest, documents: BTreeMap::new() };
        self.store_imported(&job, &claimed, read).await?;
        Ok(true)
    }

    async fn store_imported(
        &self,
        job: &Job,
        claimed: &Claimed,
        read: Result<(AnalysisRow, Vec<u8>, NewReport), String>,
    ) -> Result<(), StorageError> {
        let (now, id) = (self.now(), &job.dedupe_key);
        let Claimed { account, digest, .. } = claimed;
        let parsed = digest.parse().map_err(StorageError::at("read the digest of an image"))?;
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        if !storage::complete(&mut tx, job.lease).await.map_err(StorageError::at("complete work"))? {
            return Ok(());
        }
        if !is_wanted(&mut tx, id).await? {
            set_status(&mut tx, id, ImportStatus::Complete, now).await?;
            return tx.commit().await.map_err(StorageError::at("commit"));
        }
        // What was really read stays, and what another account said is not overwritten.
        let origin = analysis_origin(&mut tx, &parsed).await?;
        let is_read = origin == Some(OriginOfAnalysis::Read);
        let refused = match (origin, read) {
            (Some(OriginOfAnalysis::Read), _) => None,
            (Some(OriginOfAnalysis::ImportedBy(other)), _) if other != *account => {
                Some("the same image was imported by another account meanwhile".to_owned())
            }
            (_, Err(problem)) => Some(problem),
            (_, Ok((row, content, report))) => {
                row.store(&mut tx, digest, &content, None, Some(account), now).await?;
                report.store(&mut tx, digest, now).await?;
                None
            }
        };
        let (status, import) = match refused {
            None => (AnalysisStatus::Analyzed, ImportStatus::Complete),
            Some(_) => (AnalysisStatus::AnalysisFailed, ImportStatus::Failed),
        };
        tell_status(self, &mut tx, digest, Some(account), status, now).await?;
        set_image(&mut tx, id, claimed, status, refused.as_deref(), now).await?;
        if is_read {
            // From now on it is an image like any other.
            rest_on_what_was_read(&mut tx, digest, now).await?;
        }
        set_status(&mut tx, id, import, now).await?;
        tell_end(self, &mut tx, digest, Some(account), refused.as_deref(), now).await?;
        tx.commit().await.map_err(StorageError::at("commit"))?;
        tracing::info!(image.digest = digest, import.id = id, import.status = import.name(), "import ended");
        crate::watches::begin_watching(self, digest).await
    }

    /// Import or image are gone, or the image was meanwhile read from a registry or imported once more.
    async fn forget_import(&self, job: &Job) -> Result<(), StorageError> {
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        if storage::complete(&mut tx, job.lease).await.map_err(StorageError::at("complete work"))? {
            set_status(&mut tx, &job.dedupe_key, ImportStatus::Complete, self.now()).await?;
        }
        tx.commit().await.map_err(StorageError::at("commit"))
    }
}

async fn read_claimed(tx: &mut WriteTransaction, id: &str) -> Result<Option<Claimed>, StorageError> {
    let found: Option<(String, Option<String>, Option<String>)> = storage::query(
        "SELECT o.account, o.digest, o.documents FROM image_imports o JOIN images i \
               ON i.account = o.account AND i.digest = o.digest AND i.import_id = o.id WHERE o.id = $1",
    )
    .bind(id)
    .fetch_optional_as(&mut *tx)
    .await
    .map_err(StorageError::at("read an import"))?;
    let Some((account, Some(digest), Some(chosen))) = found else { return Ok(None) };
    let chosen: BTreeMap<String, String> =
        serde_json::from_str(&chosen).map_err(StorageError::at("read an import"))?;
    let mut documents = BTreeMap::new();
    for (kind, hex) in chosen {
        let Some(kind) = DocumentKind::from_name(&kind) else { continue };
        match super::finish::read_document(tx, id, kind, &hex).await {
            Ok(content) => drop(documents.insert(kind, content)),
            Err(FinishImportError::DocumentMissing(_)) => {}
            Err(error) => return Err(StorageError::new("read a document", error)),
        }
    }
    Ok(Some(Claimed { account, digest, documents }))
}

/// Whether the image still is the one that the import made: it may have been deleted, or added from its registry.
async fn is_wanted(tx: &mut WriteTransaction, id: &str) -> Result<bool, StorageError> {
    storage::query(
        "SELECT EXISTS (SELECT 1 FROM image_imports o JOIN images i \
           ON i.account = o.account AND i.digest = o.digest AND i.import_id = o.id WHERE o.id = $1)",
    )
    .bind(id)
    .fetch_value(tx)
    .await
    .map_err(StorageError::at("look for the image of an import"))
}

/// Moves the image of the account; nobody else's.
async fn set_image(
    tx: &mut WriteTransaction,
    id: &str,
    claimed: &Claimed,
    status: AnalysisStatus,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<(), StorageError> {
    storage::query(
        "UPDATE images SET analysis_status = $3, analysis_error = $4, updated_us = $5, \
           analyzed_us = CASE WHEN $3 = 'analyzed' THEN $5 ELSE analyzed_us END \
         WHERE account = $1 AND digest = $2 AND import_id = $6 AND analysis_status <> 'analyzed'",
    )
    .bind(&claimed.account)
    .bind(&claimed.digest)
    .bind(status.name())
    .bind(reason)
    .bind(to_micros(now))
    .bind(id)
    .execute(tx)
    .await
    .map_err(StorageError::at("change an imported image"))?;
    Ok(())
}

fn read_documents(documents: &BTreeMap<DocumentKind, Vec<u8>>) -> Result<Analysis, String> {
    let document = |kind: DocumentKind| documents.get(&kind).map(Vec::as_slice).unwrap_or_default();
    let described =
        scanner::describe_image(document(DocumentKind::Manifest), document(DocumentKind::ImageConfig));
    let mut facts = described.map_err(|error| chain(&error))?;
    if let Some(dockerfile) = documents.get(&DocumentKind::Dockerfile) {
        facts.dockerfile = String::from_utf8_lossy(dockerfile).into_owned();
        facts.dockerfile_mode = DockerfileMode::Actual;
    }
    let layers = facts.layers.iter().map(|layer| layer.diff_id.clone()).collect();
    let inventory = read_packages(document(DocumentKind::Packages), layers)?;
    Ok(Analysis { facts, inventory })
}

/// Reads a package list, one at a time in this process: unpacked, it takes many times its size.
pub(super) fn read_packages(content: &[u8], layers: Vec<Digest>) -> Result<Inventory, String> {
    static READER: Mutex<()> = Mutex::new(());
    let _turn = READER.lock().unwrap_or_else(PoisonError::into_inner);
    let mut inventory =
        report_formats::read_syft(content, layers, PACKAGES_MAX).map_err(|error| chain(&error))?;
    scanner::note_makers(&mut inventory);
    Ok(inventory)
}
