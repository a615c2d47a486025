//! Judging again: which images new data is about, their new reports, and what follows from a difference.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use storage::to_micros;
use vulnerability_db::{Database, DatabaseChanges, changed_packages};

use super::index::{images_with, indexed};
use super::{StoredFinding, compare, load_report, store_packages, store_report};
use crate::analysis;
use crate::feeds::{FeedFolder, LastJudgement, facts, read_fact, write_fact};
use crate::storage_error::chain;
use crate::watches::remember_findings;
use crate::{Engine, StorageError};

/// Changed packages that are worth naming; with more, all images are looked at.
const PACKAGES_MAX: usize = 200_000;

/// One turn of the duty: looks at the database file, and judges again if it says something new.
pub(crate) async fn judge_due(engine: &Arc<Engine>) -> Result<(), StorageError> {
    let lock = FeedFolder::new(&engine.settings.data_dir).try_lock();
    match lock.map_err(StorageError::at("use the folder of feeds; the rest of the cause is"))? {
        Some(lock) => {
            engine.judge_again_locked().await?;
            drop(lock);
        }
        // Whoever fetches judges again at the end.
        None => tracing::debug!("feeds are being synchronised, images are judged again after that"),
    }
    Ok(())
}

impl Engine {
    /// Judges again what new data is about. Cut off anywhere, the next call goes on with what is left.
    ///
    /// The caller holds the lock of the feed folder. `None`: all images were judged with this data before.
    pub(crate) async fn judge_again_locked(self: &Arc<Self>) -> Result<Option<LastJudgement>, StorageError> {
        let data = self.vulnerability_data_now().await;
        let Some(database) = data.database.clone() else { return Ok(None) };
        let revision = database.identity().revision.clone();
        let judged = read_fact(&self.storage, facts::JUDGED_REVISION).await?;
        let outdated = self.outdated_images(&[&revision]).await?;
        if judged.as_ref() == Some(&revision) && outdated.is_empty() {
            return Ok(None);
        }
        let begun = self.now();
        self.link_current(&revision).await;
        let changes = self.changes_since(judged.as_deref(), &database).await;
        let affected = match (&changes, &judged) {
            (DatabaseChanges::Named { packages, ecosystems }, Some(judged)) => {
                let mut affected = self.outdated_images(&[judged, &revision]).await?;
                let with = images_with(&self.storage, packages, ecosystems).await?;
                affected.extend(with.intersection(&outdated).cloned());
                affected
            }
            _ => outdated,
        };
        let mut images_changed = 0;
        for digest in &affected {
            images_changed += u64::from(self.judge_image_again(digest, &database).await?);
        }
        let judgement = LastJudgement {
            ended_at: self.now(),
            images: self.count_analyses().await?,
            images_looked_at: affected.len() as u64,
            images_changed,
        };
        self.end_judgement(judged.as_deref(), &revision, begun, &judgement).await?;
        tracing::info!(
            database.revision = revision,
            images.all = judgement.images,
            images.looked_at = judgement.images_looked_at,
            images.changed = judgement.images_changed,
            "images judged again"
        );
        Ok(Some(judgement))
    }

    /// Analyzed images whose report rests on none of these revisions, is not in the index, or that have none.
    async fn outdated_images(&self, revisions: &[&str]) -> Result<BTreeSet<String>, StorageError> {
        let places = storage::places(1, revisions.len());
        let sql = format!(
            "SELECT analyses.digest FROM analyses LEFT JOIN image_reports ON image_reports.digest = analyses.digest \
             WHERE image_reports.digest IS NULL OR image_reports.database_revision NOT IN ({places}) \
               OR (image_reports.is_indexed = 0 AND length(image_reports.content) > 0)"
        );
        let query = revisions.iter().fold(storage::query_built(sql), |query, revision| query.bind(*revision));
        let rows: Vec<(String,)> = query
            .fetch_all_as(&self.storage)
            .await
            .map_err(StorageError::at("find images to judge again"))?;
        Ok(rows.into_iter().map(|(digest,)| digest).collect())
    }

    async fn count_analyses(&self) -> Result<u64, StorageError> {
        let (count,): (i64,) = storage::query("SELECT count(*) FROM analyses")
            .fetch_one_as(&self.storage)
            .await
            .map_err(StorageError::at("count images"))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Keeps the file of the data that is in use now under a name of its own, to compare the next one with it.
    async fn link_current(&self, revision: &str) {
        let folder = FeedFolder::new(&self.settings.data_dir);
        let (source, link, wanted) =
            (self.settings.database_path.clone(), folder.judging_database(), revision.to_owned());
        let linked = tokio::task::spawn_blocking(move || keep_beside(&source, &link, &wanted)).await;
        let problem = match linked {
            Ok(Ok(())) => return,
            Ok(Err(error)) => chain(&error),
            Err(error) => chain(&error),
        };
        // Without it the next change looks at all images: slower, and as right.
        tracing::warn!(error = problem, "the database cannot be kept for comparison");
    }

    async fn changes_since(&self, judged: Option<&str>, database: &Arc<Database>) -> DatabaseChanges {
        let (Some(judged), database) = (judged.map(str::to_owned), Arc::clone(database)) else {
            return DatabaseChanges::Everything;
        };
        let path = FeedFolder::new(&self.settings.data_dir).judged_database();
        let compared = tokio::task::spawn_blocking(move || {
            let old = Database::open(&path).ok().filter(|old| old.identity().revision == judged)?;
            match changed_packages(&old, &database, PACKAGES_MAX) {
                Ok(changes) => Some(changes),
                Err(error) => {
                    tracing::warn!(error = chain(&error), "two databases cannot be compared");
                    None
                }
            }
        });
        compared.await.ok().flatten().unwrap_or(DatabaseChanges::Everything)
    }

    /// Computes the report of an image and stores it. Returns whether it is different.
    async fn judge_image_again(
        self: &Arc<Self>,
        digest: &str,
        database: &Arc<Database>,
    ) -> Result<bool, StorageError> {
        let row: Option<(i64, Vec<u8>)> =
            storage::query("SELECT form, content FROM analyses WHERE digest = $1")
                .bind(digest)
                .fetch_optional_as(&self.storage)
                .await
                .map_err(StorageError::at("read an analysis"))?;
        // Deleted since it was listed.
        let Some((form, content)) = row else { return Ok(false) };
        let revision = database.identity().revision.clone();
        let database = Arc::clone(database);
        let computed = tokio::task::spawn_blocking(move || {
            let analysis = analysis::decode(form, &content).map_err(|error| chain(&error))?;
            let report = vulnerability_db::matching::match_inventory(&analysis.inventory, &database)
                .map_err(|error| chain(&error))?;
            let findings: Vec<StoredFinding> = report.findings.iter().map(StoredFinding::from).collect();
            Ok::<_, String>((indexed(&analysis.inventory), findings))
        });
        let computed = computed.await.unwrap_or_else(|error| Err(chain(&error)));
        let now = self.now();
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        let before = load_report(&mut tx, digest).await?;
        if let Some((_, known)) = &before {
            remember_findings(&mut tx, digest, known, now).await?;
        }
        let diff = match computed {
            Ok((packages, findings)) => {
                if before.is_none() {
                    store_packages(&mut tx, digest, &packages).await?;
                }
                let (report, diff) = compare(before.as_ref().map(|(_, report)| report), findings, now);
                store_report(&mut tx, digest, &revision, Some(&report), now).await?;
                diff
            }
            Err(problem) => {
                tracing::error!(image.digest = digest, error = problem, "an image cannot be judged again");
                store_report(&mut tx, digest, &revision, None, now).await?;
                return tx.commit().await.map(|()| false).map_err(StorageError::at("commit"));
            }
        };
        tx.commit().await.map_err(StorageError::at("commit"))?;
        if diff.is_empty() {
            return Ok(false);
        }
        self.judge_tags_of(digest).await?;
        Ok(true)
    }

    async fn end_judgement(
        &self,
        judged: Option<&str>,
        revision: &str,
        begun: Timestamp,
        judgement: &LastJudgement,
    ) -> Result<(), StorageError> {
        let now = self.now();
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        if let Some(judged) = judged {
            // Nothing new is said about them. One that was stored meanwhile, from the old data, is looked at next time.
            storage::query(
                "UPDATE image_reports SET database_revision = $1 WHERE database_revision = $2 AND updated_us < $3",
            )
            .bind(revision)
            .bind(judged)
            .bind(to_micros(begun))
            .execute(&mut tx)
            .await
            .map_err(StorageError::at("mark images as judged"))?;
        }
        write_fact(&mut tx, facts::JUDGED_REVISION, revision, now).await?;
        let text = serde_json::json!(judgement).to_string();
        write_fact(&mut tx, facts::LAST_JUDGEMENT, &text, now).await?;
        tx.commit().await.map_err(StorageError::at("commit"))?;
        let folder = FeedFolder::new(&self.settings.data_dir);
        if let Err(error) = fs_err::rename(folder.judging_database(), folder.judged_database()) {
            tracing::warn!(error = chain(&error), "the database cannot be kept for comparison");
        }
        Ok(())
    }
}

/// Why a file was not kept.
#[derive(Debug, thiserror::Error)]
enum KeepError {
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Open(#[from] vulnerability_db::OpenError),
    #[error("it was replaced meanwhile")]
    Replaced,
}

/// A second name for the file, or a copy where the file system has no such thing.
fn keep_beside(source: &PathBuf, link: &PathBuf, revision: &str) -> Result<(), KeepError> {
    match fs_err::remove_file(link) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    if fs_err::hard_link(source, link).is_err() {
        fs_err::copy(source, link)?;
    }
    if Database::open(link)?.identity().revision == revision {
        return Ok(());
    }
    fs_err::remove_file(link)?;
    Err(KeepError::Replaced)
}
