//! Who does the work: claims jobs, keeps their leases, and stores how they ended.

use std::sync::Arc;
use std::time::Duration;

use storage::{Backoff, Job};
use tokio::task::JoinSet;

use super::attempt::{Attempt, StepError};
use super::claims::{JOBS_AT_ONCE, worker_name};
use super::orphans::ORPHAN_BACKOFF;
use super::store::{Outcome, conclude, find, remove};
use super::{SECURITY_SCAN, ServiceStatus, Wanted};
use crate::leases::keep_lease;
use crate::processes;
use crate::storage_error::chain;
use crate::{ControlPlane, ProcessStatus, StorageError};

/// The kind of jobs.
pub(super) const JOB_KIND: &str = "plane_service";
/// How often the table is asked when nobody says that there is work.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often webhooks in this process, and work that nobody does, are looked after.
const TEND_EVERY: Duration = Duration::from_secs(10);
const BACKOFF: Backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(60) };
const REASON_CHARS_MAX: usize = 2000;

/// The job of a cluster's service.
pub(super) fn job_key(cluster: i64, service: &str) -> String {
    format!("{cluster}/{service}")
}

/// The cluster that a job is about.
fn cluster_of(key: &str) -> Option<i64> {
    key.split_once('/')?.0.parse().ok()
}

impl ControlPlane {
    /// Works on services until `shutdown`: carries out what is wanted, and looks after the webhooks in this process.
    pub async fn run_services(self: Arc<Self>, shutdown: impl Future<Output = ()> + Send) {
        let mut shutdown = std::pin::pin!(shutdown);
        let mut jobs = JoinSet::new();
        let tending = tokio::spawn(tend(Arc::clone(&self)));
        loop {
            while jobs.len() < JOBS_AT_ONCE {
                match self.claim_service_job().await {
                    Ok(Some(job)) => drop(jobs.spawn(work(Arc::clone(&self), job))),
                    Ok(None) => break,
                    Err(error) => {
                        tracing::warn!(error = chain(&error), "work on services cannot be claimed");
                        break;
                    }
                }
            }
            tokio::select! {
                () = &mut shutdown => break,
                () = self.services_changed.notified() => {}
                Some(_) = jobs.join_next() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
        tending.abort();
        // Whatever is in the middle of a step is taken up again by the next process: its jobs are given back.
        jobs.shutdown().await;
        if let Err(error) = self.give_service_jobs_back().await {
            tracing::warn!(
                error = chain(&error),
                "work on services is not given back; its leases end by themselves"
            );
        }
    }

    async fn give_service_jobs_back(&self) -> Result<(), StorageError> {
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        storage::query(
            "UPDATE jobs SET state = 'queued', attempts = attempts - 1, lease_owner = NULL, lease_expires_us = NULL \
             WHERE kind = $1 AND state = 'running' AND lease_owner = $2",
        )
        .bind(JOB_KIND)
        .bind(worker_name(self))
        .execute(&mut tx)
        .await
        .map_err(StorageError::at("give work back"))?;
        tx.commit().await.map_err(StorageError::at("commit"))
    }

    /// Rows that wait for work which nobody wants any more: their job was given up with its worker, again and again.
    async fn note_abandoned_services(&self) -> Result<(), StorageError> {
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        let pending: Vec<(i64, i64, bool)> = storage::query(
            "SELECT cluster_id, version, was_active FROM plane_services WHERE name = $1 AND status = 'PENDING'",
        )
        .bind(SECURITY_SCAN)
        .fetch_all_as(&mut tx)
        .await
        .map_err(StorageError::at("list services"))?;
        for (cluster, version, was_active) in pending {
            let is_wanted: bool = storage::query(
                "SELECT EXISTS (SELECT 1 FROM jobs WHERE kind = $1 AND dedupe_key = $2 AND state <> 'failed')",
            )
            .bind(JOB_KIND)
            .bind(job_key(cluster, SECURITY_SCAN))
            .fetch_value(&mut tx)
            .await
            .map_err(StorageError::at("look for work on a service"))?;
            if !is_wanted {
                let reason = "the work was given up, because its worker disappeared each time: see the log, then try again";
                let outcome = Outcome { status: ServiceStatus::Error, was_active, failures: 0, reason };
                conclude(&mut tx, (cluster, SECURITY_SCAN, version), &outcome, self.now()).await?;
                processes::end(
                    &mut tx,
                    (cluster, SECURITY_SCAN),
                    (ProcessStatus::Failed, reason),
                    self.now(),
                )
                .await?;
            }
        }
        tx.commit().await.map_err(StorageError::at("commit"))
    }
}

async fn tend(plane: Arc<ControlPlane>) {
    loop {
        plane.keep_webhooks().await;
        for looked in [plane.note_abandoned_services().await, plane.sweep_orphans().await] {
            if let Err(error) = looked {
                tracing::warn!(error = chain(&error), "services cannot be looked after");
            }
        }
        tokio::time::sleep(TEND_EVERY).await;
    }
}

/// Works on one job, and keeps its lease meanwhile.
async fn work(plane: Arc<ControlPlane>, job: Job) {
    let done = tokio::select! {
        done = work_on(&plane, &job) => done,
        () = keep_lease(&plane, &job) => return,
    };
    if let Err(error) = done {
        // The lease ends, and somebody takes it up again.
        tracing::warn!(error = chain(&error), "how the work on a service ended cannot be stored");
    }
}

/// Attempts at the newest version, until one was not overtaken.
async fn work_on(plane: &Arc<ControlPlane>, job: &Job) -> Result<(), StorageError> {
    let cluster = cluster_of(&job.dedupe_key).unwrap_or_default();
    loop {
        let Some(row) = find(&plane.storage, cluster, SECURITY_SCAN).await? else {
            return finish(plane, job).await;
        };
        if row.status != ServiceStatus::Pending {
            return finish(plane, job).await;
        }
        let mut attempt = Attempt::new(Arc::clone(plane), row, job.lease).await?;
        let result = attempt.carry_out().await;
        let is_stored = match result {
            Ok(()) => succeed(&attempt, job).await?,
            Err(StepError::Superseded) => false,
            Err(StepError::LeaseLost) => true,
            Err(StepError::Transient(reason) | StepError::Final(reason)) if attempt.is_orphan() => {
                wait(&attempt, job, &reason).await?
            }
            Err(StepError::Transient(reason))
                if attempt.row.failures + 1 < plane.settings.services.attempts =>
            {
                wait(&attempt, job, &reason).await?
            }
            Err(StepError::Transient(reason) | StepError::Final(reason)) => {
                give_up(&mut attempt, job, reason).await?
            }
        };
        if is_stored {
            return Ok(());
        }
    }
}

/// There is nothing to do any more.
async fn finish(plane: &ControlPlane, job: &Job) -> Result<(), StorageError> {
    let mut tx = plane.storage.begin().await.map_err(StorageError::at("begin"))?;
    storage::complete(&mut tx, job.lease).await.map_err(StorageError::at("complete work"))?;
    tx.commit().await.map_err(StorageError::at("commit"))
}

async fn succeed(attempt: &Attempt, job: &Job) -> Result<bool, StorageError> {
    let plane = &attempt.plane;
    let mut tx = plane.storage.begin().await.map_err(StorageError::at("begin"))?;
    let is_newest = match attempt.row.wanted {
        Wanted::Active => {
            let outcome =
                Outcome { status: ServiceStatus::Active, was_active: true, failures: 0, reason: "" };
            conclude(&mut tx, attempt.key(), &outcome, plane.now()).await?
        }
        Wanted::Removed | Wanted::RemovedWithResources => remove(&mut tx, attempt.key()).await?,
    };
    if is_newest {
        let about = (attempt.row.cluster, SECURITY_SCAN);
        processes::end(&mut tx, about, (ProcessStatus::Finished, ""), plane.now()).await?;
        storage::complete(&mut tx, job.lease).await.map_err(StorageError::at("complete work"))?;
        tx.commit().await.map_err(StorageError::at("commit"))?;
        tracing::info!(
            cluster.id = attempt.row.cluster,
            service.name = SECURITY_SCAN,
            service.wanted = attempt.row.wanted.name(),
            "service is as it is wanted"
        );
    }
    Ok(is_newest)
}

/// Tries again later; until then the row says what is being waited for.
async fn wait(attempt: &Attempt, job: &Job, reason: &str) -> Result<bool, StorageError> {
    let plane = &attempt.plane;
    let failures = attempt.row.failures + 1;
    tracing::warn!(cluster.id = attempt.row.cluster, reason, "service is tried again later");
    let mut tx = plane.storage.begin().await.map_err(StorageError::at("begin"))?;
    let outcome = Outcome {
        status: ServiceStatus::Pending,
        was_active: attempt.row.was_active,
        failures,
        reason: &shortened(reason),
    };
    let is_newest = conclude(&mut tx, attempt.key(), &outcome, plane.now()).await?;
    if is_newest {
        let backoff = if attempt.is_orphan() { ORPHAN_BACKOFF } else { BACKOFF };
        let retry_at = plane.now() + backoff.delay(failures);
        storage::fail(&mut tx, job.lease, reason, Some(retry_at))
            .await
            .map_err(StorageError::at("put work off"))?;
        tx.commit().await.map_err(StorageError::at("commit"))?;
    }
    Ok(is_newest)
}

/// Says why it is in error. What never was active is taken away again, so that nothing stays half done.
async fn give_up(attempt: &mut Attempt, job: &Job, mut reason: String) -> Result<bool, StorageError> {
    if attempt.row.wanted == Wanted::Active && !attempt.row.was_active {
        match attempt.take_back().await {
            Ok(()) => {}
            Err(StepError::Superseded) => return Ok(false),
            Err(StepError::LeaseLost) => return Ok(true),
            Err(StepError::Transient(left) | StepError::Final(left)) => {
                reason = format!(
                    "{reason}; and what was done could not all be undone, deactivating does it: {left}"
                );
            }
        }
    }
    let plane = Arc::clone(&attempt.plane);
    tracing::error!(cluster.id = attempt.row.cluster, reason, "service is in error");
    let mut tx = plane.storage.begin().await.map_err(StorageError::at("begin"))?;
    let outcome = Outcome {
        status: ServiceStatus::Error,
        was_active: attempt.row.was_active,
        failures: attempt.row.failures + 1,
        reason: &shortened(&reason),
    };
    let is_newest = conclude(&mut tx, attempt.key(), &outcome, plane.now()).await?;
    if is_newest {
        let about = (attempt.row.cluster, SECURITY_SCAN);
        processes::end(&mut tx, about, (ProcessStatus::Failed, &reason), plane.now()).await?;
        storage::complete(&mut tx, job.lease).await.map_err(StorageError::at("complete work"))?;
        tx.commit().await.map_err(StorageError::at("commit"))?;
    }
    Ok(is_newest)
}

fn shortened(text: &str) -> String {
    text.chars().take(REASON_CHARS_MAX).collect()
}
