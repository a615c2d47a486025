//! The workers: claim an image, read it, store what was found.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use model::{Digest, ImageContents, ImageReference};
use scanner::{CancellationToken, ScanError, ScanErrorKind};
use serde::{Deserialize, Serialize};
use storage::{Backoff, Job, LeaseScope, WriteTransaction, to_micros};
use tracing::Instrument as _;

use super::pull::PullError;
use super::row::AnalysisRow;
use super::told::{tell_end, tell_status};
use super::{Analysis, encode, encode_contents};
use crate::images::want_analysis;
use crate::reports::NewReport;
use crate::storage_error::chain;
use crate::{AnalysisStatus, Engine, StorageError};

/// Name of the work in the queue; its key is the digest.
pub(crate) const JOB_KIND: &str = "analyze_image";

const BACKOFF: Backoff = Backoff { first: Duration::from_secs(5), longest: Duration::from_secs(300) };
/// Pause of an idle worker; new work of this process wakes it sooner.
const IDLE: Duration = Duration::from_secs(1);

/// What a worker needs to know besides the digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AnalysisJob {
    /// Where to pull from: `registry/repository@digest`.
    pub(crate) reference: String,
    /// The trace of who wanted it first, as `traceparent`; none where nothing is traced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trace_parent: Option<String>,
}

impl AnalysisJob {
    pub(crate) fn to_text(&self) -> String {
        serde_json::json!(self).to_string()
    }
}

/// How one attempt ended.
enum Outcome {
    Done(Box<(Analysis, Option<ImageContents>)>),
    Failed {
        reason: String,
        retry_after: Option<Duration>,
        is_final: bool,
    },
    /// The lease was lost: somebody else works on it.
    Lost,
    /// The engine is closing.
    Stopped,
}

impl Outcome {
    /// Its name for monitoring.
    fn name(&self, job: &Job) -> &'static str {
        match self {
            Self::Done(_) => "completed",
            Self::Failed { is_final, .. } if *is_final || job.is_last_attempt() => "failed",
            Self::Failed { .. } => "retried",
            Self::Lost => "lost",
            Self::Stopped => "returned",
        }
    }
}

impl Engine {
    /// Analyzes wanted images until `shutdown` completes; what is in work then is given back to the queue.
    pub async fn run_workers(self: Arc<Self>, shutdown: impl Future<Output = ()>) {
        let stop = CancellationToken::new();
        let mut workers = tokio::task::JoinSet::new();
        for number in 0..self.settings.workers {
            workers.spawn(self.clone().run_worker(format!("worker-{number}"), stop.clone()));
        }
        shutdown.await;
        stop.cancel();
        while let Some(ended) = workers.join_next().await {
            if let Err(error) = ended {
                tracing::error!(error = chain(&error), "a worker ended badly");
            }
        }
    }

    async fn run_worker(self: Arc<Self>, name: String, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.work_on_import(&name).await {
                Ok(true) => {
                    self.analyses_changed.send_modify(|count| *count += 1);
                    continue;
                }
                Ok(false) => {}
                Err(error) => tracing::error!(error = chain(&error), "cannot work on an import"),
            }
            match self.claim_analysis(&name).await {
                Ok(Some(job)) => {
                    if let Err(error) = self.work(&job, &stop).await {
                        tracing::error!(
                            image.digest = job.dedupe_key,
                            error = chain(&error),
                            "cannot store an analysis"
                        );
                    }
                    self.analyses_changed.send_modify(|count| *count += 1);
                }
                Ok(None) => self.wait_for_work(&stop).await,
                Err(error) => {
                    tracing::error!(error = chain(&error), "cannot claim work");
                    self.wait_for_work(&stop).await;
                }
            }
        }
    }

    async fn wait_for_work(&self, stop: &CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.work_arrived.notified() => {}
            () = tokio::time::sleep(IDLE) => {}
        }
    }

    async fn claim_analysis(&self, worker: &str) -> Result<Option<Job>, StorageError> {
        let now = self.now();
        let is_due = storage::has_due(&self.storage, JOB_KIND, now).await;
        if !is_due.map_err(StorageError::at("look for work"))? {
            return Ok(None);
        }
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        release(Some(self), &mut tx, LeaseScope::Expired, now).await?;
        let job = storage::claim(&mut tx, JOB_KIND, worker, self.lease_end(now), now)
            .await
            .map_err(StorageError::at("claim work"))?;
        if let Some(job) = &job {
            set_status(Some(self), &mut tx, &job.dedupe_key, AnalysisStatus::Analyzing, None, now).await?;
        }
        tx.commit().await.map_err(StorageError::at("commit"))?;
        Ok(job)
    }

    /// Works on a job, as part of the trace of who wanted it.
    async fn work(&self, job: &Job, stop: &CancellationToken) -> Result<(), StorageError> {
        let parsed = serde_json::from_str::<AnalysisJob>(&job.payload);
        let span = tracing::info_span!(
            "analysis",
            image.digest = job.dedupe_key,
            analysis.attempt = job.attempt,
            analysis.outcome = tracing::field::Empty,
            otel.kind = "consumer",
        );
        let parent = parsed.as_ref().ok().and_then(|job| job.trace_parent.as_deref());
        telemetry::follow(&span, parent);
        self.work_inside(job, parsed, stop).instrument(span).await
    }

    async fn work_inside(
        &self,
        job: &Job,
        parsed: Result<AnalysisJob, serde_json::Error>,
        stop: &CancellationToken,
    ) -> Result<(), StorageError> {
        tracing::info!(image.digest = job.dedupe_key, analysis.attempt = job.attempt, "analysis begins");
        let began = Instant::now();
        let outcome = self.analyze(job, parsed, stop).await;
        self.settings.metrics.analysis(outcome.name(job), began.elapsed());
        tracing::Span::current().record("analysis.outcome", outcome.name(job));
        match outcome {
            Outcome::Done(done) => self.store_success(job, done.0, done.1).await,
            Outcome::Failed { reason, retry_after, is_final } => {
                self.store_failure(job, &reason, retry_after, is_final).await
            }
            Outcome::Lost => {
                tracing::warn!(image.digest = job.dedupe_key, "the lease was lost");
                Ok(())
            }
            Outcome::Stopped => self.give_back(job).await,
        }
    }

    async fn analyze(
        &self,
        job: &Job,
        parsed: Result<AnalysisJob, serde_json::Error>,
        stop: &CancellationToken,
    ) -> Outcome {
        let failed = |reason: String| Outcome::Failed { reason, retry_after: None, is_final: true };
        let reference = match parsed {
            Ok(parsed) => parsed.reference,
            Err(error) => return failed(format!("read the job: {error}")),
        };
        let reference = match reference.parse::<ImageReference>() {
            Ok(reference) => reference,
            Err(error) => return failed(format!("read the job's reference: {error}")),
        };
        let cancellation = CancellationToken::new();
        // Dropped with this future, whatever way it ends: a load nobody waits for must not go on.
        let _cancelled_at_end = cancellation.clone().drop_guard();
        let mut load = std::pin::pin!(self.pull(&job.dedupe_key, &reference, cancellation));
        let pause = self.settings.lease / 3;
        let mut heartbeat = tokio::time::interval_at(tokio::time::Instant::now() + pause, pause);
        heartbeat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                loaded = &mut load => return match loaded {
                    Ok(scanned) => judge_load(&job.dedupe_key, Ok(scanned)),
                    Err(PullError::Scan(error)) => judge_load(&job.dedupe_key, Err(error)),
                    Err(PullError::BrokeOff(error)) => failed(format!("the analysis broke off: {error}")),
                    Err(PullError::Storage(error)) => {
                        Outcome::Failed { reason: chain(&error), retry_after: None, is_final: false }
                    }
                },
                () = stop.cancelled() => return Outcome::Stopped,
                _ = heartbeat.tick() => match self.heartbeat(job).await {
                    Ok(true) => {}
                    Ok(false) => return Outcome::Lost,
                    // The lease may still be ours; its end decides, and storing checks it again.
                    Err(error) => tracing::warn!(error = chain(&error), "cannot prolong a lease"),
                },
            }
        }
    }

    async fn heartbeat(&self, job: &Job) -> Result<bool, StorageError> {
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        let is_held = storage::heartbeat(&mut tx, job.lease, self.lease_end(self.now()))
            .await
            .map_err(StorageError::at("prolong a lease"))?;
        tx.commit().await.map_err(StorageError::at("commit"))?;
        Ok(is_held)
    }

    pub(crate) fn lease_end(&self, now: Timestamp) -> Timestamp {
        now.checked_add(self.settings.lease).unwrap_or(Timestamp::MAX)
    }

    #[tracing::instrument(name = "store_analysis", skip_all)]
    async fn store_success(
        &self,
        job: &Job,
        analysis: Analysis,
        contents: Option<ImageContents>,
    ) -> Result<(), StorageError> {
        let packages = analysis.inventory.packages.len();
        let row = AnalysisRow::new(&analysis);
        let database = self.vulnerability_data().await.database.clone();
        let span = tracing::Span::current();
        let encode_all = move || {
            let _in_span = span.enter();
            let report = tracing::info_span!("match_packages", analysis.packages = packages)
                .in_scope(|| NewReport::compute(&analysis.inventory, database.as_deref()));
            let contents = contents.as_ref().map(encode_contents).transpose()?;
            Ok::<_, std::io::Error>((encode(&analysis)?, contents, report))
        };
        let (content, contents, report) = tokio::task::spawn_blocking(encode_all)
            .await
            .map_err(StorageError::at("encode an analysis"))?
            .map_err(StorageError::at("encode an analysis"))?;
        let now = self.now();
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        if !storage::complete(&mut tx, job.lease).await.map_err(StorageError::at("complete work"))? {
            return Ok(());
        }
        crate::imports::forget_imported(&mut tx, &job.dedupe_key).await?;
        row.store(&mut tx, &job.dedupe_key, &content, contents.as_deref(), None, now).await?;
        report.store(&mut tx, &job.dedupe_key, now).await?;
        tell_status(self, &mut tx, &job.dedupe_key, None, AnalysisStatus::Analyzed, now).await?;
        storage::query(
            "UPDATE images SET analysis_status = 'analyzed', analysis_error = NULL, analyzed_us = $2, updated_us = $2, \
               import_id = NULL \
             WHERE digest = $1",
        )
        .bind(&job.dedupe_key)
        .bind(to_micros(now))
        .execute(&mut tx)
        .await
        .map_err(StorageError::at("mark an image as analyzed"))?;
        tell_end(self, &mut tx, &job.dedupe_key, None, None, now).await?;
        tx.commit().await.map_err(StorageError::at("commit"))?;
        tracing::info!(
            image.digest = job.dedupe_key,
            analysis.packages = packages,
            analysis.bytes = content.len(),
            analysis.contents_bytes = contents.map_or(0, |contents| contents.len()),
            "analysis stored"
        );
        crate::watches::begin_watching(self, &job.dedupe_key).await?;
        crate::watches::tell_scan_result(self, &job.dedupe_key).await
    }

    async fn store_failure(
        &self,
        job: &Job,
        reason: &str,
        retry_after: Option<Duration>,
        is_final: bool,
    ) -> Result<(), StorageError> {
        let now = self.now();
        let is_over = is_final || job.is_last_attempt();
        let wait = BACKOFF.delay(job.attempt).max(retry_after.unwrap_or_default());
        let retry_at = (!is_over).then(|| now.checked_add(wait).unwrap_or(Timestamp::MAX));
        tracing::warn!(
            image.digest = job.dedupe_key,
            error = reason,
            analysis.is_over = is_over,
            "analysis failed"
        );
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        if storage::fail(&mut tx, job.lease, reason, retry_at)
            .await
            .map_err(StorageError::at("record a failed attempt"))?
        {
            let status = if is_over { AnalysisStatus::AnalysisFailed } else { AnalysisStatus::NotAnalyzed };
            set_status(Some(self), &mut tx, &job.dedupe_key, status, Some(reason), now).await?;
            if is_over {
                tell_end(self, &mut tx, &job.dedupe_key, None, Some(reason), now).await?;
            }
        }
        tx.commit().await.map_err(StorageError::at("commit"))
    }

    async fn give_back(&self, job: &Job) -> Result<(), StorageError> {
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        if storage::put_back(&mut tx, job.lease).await.map_err(StorageError::at("give work back"))? {
            let (status, now) = (AnalysisStatus::NotAnalyzed, self.now());
            set_status(Some(self), &mut tx, &job.dedupe_key, status, None, now).await?;
        }
        tx.commit().await.map_err(StorageError::at("commit"))
    }
}

fn judge_load(digest: &str, loaded: Result<scanner::ScannedImage, ScanError>) -> Outcome {
    match loaded {
        Ok(scanned) if scanned.facts.digest.to_string() == digest => {
            let analysis = Analysis { facts: scanned.facts, inventory: scanned.inventory };
            Outcome::Done(Box::new((analysis, scanned.contents)))
        }
        Ok(scanned) => Outcome::Failed {
            reason: format!("the registry answered with image `{}`", scanned.facts.digest),
            retry_after: None,
            is_final: true,
        },
        Err(error) => Outcome::Failed {
            reason: chain(&error),
            retry_after: error.retry_after(),
            is_final: !error.is_retryable() && error.kind() != ScanErrorKind::Cancelled,
        },
    }
}

/// Moves the images of a digest that are not done; a reason is kept until an analysis succeeds.
async fn set_status(
    engine: Option<&Engine>,
    tx: &mut WriteTransaction,
    digest: &str,
    status: AnalysisStatus,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<(), StorageError> {
    if let Some(engine) = engine {
        tell_status(engine, tx, digest, None, status, now).await?;
    }
    storage::query(
        "UPDATE images SET analysis_status = $2, analysis_error = coalesce($3, analysis_error), updated_us = $4 \
         WHERE digest = $1 AND analysis_status <> 'analyzed' AND import_id IS NULL",
    )
    .bind(digest)
    .bind(status.name())
    .bind(reason)
    .bind(to_micros(now))
    .execute(tx)
    .await
    .map_err(StorageError::at("change an analysis status"))?;
    Ok(())
}

/// Takes away the leases whose time is over, of whatever kind of work.
pub(crate) async fn release_expired(
    engine: &Engine,
    tx: &mut WriteTransaction,
    now: Timestamp,
) -> Result<(), StorageError> {
    release(Some(engine), tx, LeaseScope::Expired, now).await
}

/// Takes leases away and shows it in the images; an engine that is open also tells it.
async fn release(
    engine: Option<&Engine>,
    tx: &mut WriteTransaction,
    scope: LeaseScope,
    now: Timestamp,
) -> Result<(), StorageError> {
    const REASON: &str = "the worker disappeared";
    let released =
        storage::release_leases(&mut *tx, scope, now).await.map_err(StorageError::at("release leases"))?;
    for job in released.iter().filter(|job| job.kind == crate::imports::JOB_KIND && job.is_given_up) {
        crate::imports::give_up(tx, &job.dedupe_key, REASON, now).await?;
    }
    for job in released.iter().filter(|job| job.kind == JOB_KIND) {
        let status =
            if job.is_given_up { AnalysisStatus::AnalysisFailed } else { AnalysisStatus::NotAnalyzed };
        set_status(engine, tx, &job.dedupe_key, status, Some(REASON), now).await?;
        if let Some(engine) = engine.filter(|_| job.is_given_up) {
            tell_end(engine, tx, &job.dedupe_key, None, Some(REASON), now).await?;
        }
    }
    Ok(())
}

/// Puts right, at the start, what a process left that disappeared: its leases end, and every image that waits for an
/// analysis has a job. On an embedded database no other process works, so no lease is waited for.
pub(crate) async fn reconcile(database: &storage::Database, now: Timestamp) -> Result<(), StorageError> {
    let mut tx = database.begin().await.map_err(StorageError::at("begin"))?;
    release(None, &mut tx, if database.is_shared() { LeaseScope::Expired } else { LeaseScope::All }, now)
        .await?;
    crate::imports::reconcile(&mut tx, now).await?;
    let waiting: Vec<(String, String, String)> = storage::query(
        "SELECT i.digest, max(t.registry), max(t.repository) FROM images i \
         JOIN image_tags t ON t.account = i.account AND t.digest = i.digest \
         WHERE i.analysis_status IN ('not_analyzed', 'analyzing') AND i.import_id IS NULL AND NOT EXISTS \
           (SELECT 1 FROM jobs j WHERE j.kind = $1 AND j.dedupe_key = i.digest AND j.state <> 'failed') \
         GROUP BY i.digest, t.registry, t.repository",
    )
    .bind(JOB_KIND)
    .fetch_all_as(&mut tx)
    .await
    .map_err(StorageError::at("look for images without work"))?;
    for (digest, registry, repository) in waiting {
        let digest: Digest = digest.parse().map_err(StorageError::at("read a digest"))?;
        let reference: ImageReference = format!("{registry}/{repository}@{digest}")
            .parse()
            .map_err(StorageError::at("read a reference"))?;
        want_analysis(&mut tx, &reference, &digest, 0, now)
            .await
            .map_err(StorageError::at("want the analysis"))?;
    }
    tx.commit().await.map_err(StorageError::at("commit"))
}
