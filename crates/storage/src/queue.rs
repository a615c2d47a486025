//! The durable job queue: named work in a table, claimed by leases.
//!
//! A job is wanted from the commit of the transaction that enqueues it until the commit of the one that completes it.
//! A worker that disappears in between holds only a lease, which ends: whatever dies at whatever moment, the job is
//! claimed again. Work must therefore bear being done twice; its result is stored once, because [`complete`] and
//! [`fail`] refuse a lease that was lost.

use std::time::Duration;

use crate::{Database, Executor, Row, WriteTransaction, query, to_micros};
use jiff::Timestamp;

/// Longer reasons are cut: they are for people, and rows should stay small.
const ERROR_CHARS_MAX: usize = 2000;

/// Work to enqueue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob<'a> {
    /// What to do: the worker's name for it.
    pub kind: &'a str,
    /// Work of the same kind and key is wanted once, however often it is enqueued.
    pub dedupe_key: &'a str,
    /// What the worker needs to know; it has its own form.
    pub payload: &'a str,
    /// Higher goes first.
    pub priority: i64,
    /// After so many claims the job is given up.
    pub attempts_max: i64,
}

/// What enqueuing did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnqueueOutcome {
    /// A new job of this id.
    Created(i64),
    /// The work was wanted already; its priority was raised if it was lower.
    AlreadyWanted(i64),
}

/// The right to work on a job and to finish it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Id of the job.
    pub job: i64,
    /// Which claim of it; no two leases of a job are equal.
    pub claim: i64,
}

/// A claimed job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The lease on it.
    pub lease: Lease,
    /// What to do.
    pub kind: String,
    /// Its key.
    pub dedupe_key: String,
    /// What the worker needs to know.
    pub payload: String,
    /// Which attempt this is, from one.
    pub attempt: i64,
    /// How many attempts are allowed in all.
    pub attempts_max: i64,
}

impl Job {
    /// Whether a failure now is the last one.
    pub fn is_last_attempt(&self) -> bool {
        self.attempt >= self.attempts_max
    }
}

/// Which leases to take away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseScope {
    /// Those whose time is over.
    Expired,
    /// All: for the start of the only process that works on an embedded database.
    All,
}

/// A job whose lease was taken away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleasedJob {
    /// Its kind.
    pub kind: String,
    /// Its key.
    pub dedupe_key: String,
    /// Whether it was given up because it had no attempt left.
    pub is_given_up: bool,
}

/// How many jobs there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JobCounts {
    /// Waiting, now or for their time.
    pub queued: i64,
    /// Claimed.
    pub running: i64,
    /// Given up.
    pub failed: i64,
}

/// How long to wait before the next attempt: doubling from `first` to `longest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// After the first attempt.
    pub first: Duration,
    /// Never more.
    pub longest: Duration,
}

impl Backoff {
    /// The wait after this attempt, counted from one.
    pub fn delay(&self, attempt: i64) -> Duration {
        let doublings = u32::try_from(attempt.clamp(1, 32) - 1).unwrap_or(31);
        self.first.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX)).min(self.longest)
    }
}

/// The queue's table could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{action} in the job queue")]
pub struct QueueError {
    action: &'static str,
    source: sqlx::Error,
}

fn failed(action: &'static str) -> impl FnOnce(sqlx::Error) -> QueueError {
    move |source| QueueError { action, source }
}

/// Wants work, in the caller's transaction: both are stored or neither.
///
/// An earlier given-up job of the same key is forgotten, so there is at most one row per key.
pub async fn enqueue(
    tx: &mut WriteTransaction,
    job: &NewJob<'_>,
    run_at: Timestamp,
    now: Timestamp,
) -> Result<EnqueueOutcome, QueueError> {
    let NewJob { kind, dedupe_key, payload, priority, attempts_max } = *job;
    let wanted: Option<i64> = query(
        "UPDATE jobs SET priority = CASE WHEN priority < $3 THEN $3 ELSE priority END \
         WHERE kind = $1 AND dedupe_key = $2 AND state <> 'failed' RETURNING id",
    )
    .bind(kind)
    .bind(dedupe_key)
    .bind(priority)
    .fetch_optional_value(&mut *tx)
    .await
    .map_err(failed("look for the same work"))?;
    if let Some(id) = wanted {
        return Ok(EnqueueOutcome::AlreadyWanted(id));
    }
    query("DELETE FROM jobs WHERE kind = $1 AND dedupe_key = $2 AND state = 'failed'")
        .bind(kind)
        .bind(dedupe_key)
        .execute(&mut *tx)
        .await
        .map_err(failed("forget given-up work"))?;
    let id: i64 = query(
        "INSERT INTO jobs (kind, dedupe_key, payload, priority, state, attempts_max, run_at_us, created_us) \
         VALUES ($1, $2, $3, $4, 'queued', $5, $6, $7) RETURNING id",
    )
    .bind(kind)
    .bind(dedupe_key)
    .bind(payload)
    .bind(priority)
    .bind(attempts_max)
    .bind(to_micros(run_at))
    .bind(to_micros(now))
    .fetch_value(&mut *tx)
    .await
    .map_err(failed("enqueue work"))?;
    Ok(EnqueueOutcome::Created(id))
}

/// Takes the most urgent job of a kind whose time has come.
///
/// Only queued jobs are looked at: call [`release_leases`] first to get back what lost workers held.
pub async fn claim(
    tx: &mut WriteTransaction,
    kind: &str,
    worker: &str,
    lease_until: Timestamp,
    now: Timestamp,
) -> Result<Option<Job>, QueueError> {
    let row = query(
        "UPDATE jobs SET state = 'running', claims = claims + 1, attempts = attempts + 1, \
                         lease_owner = $2, lease_expires_us = $3 \
         WHERE id = (SELECT id FROM jobs WHERE state = 'queued' AND kind = $1 AND run_at_us <= $4 \
                     ORDER BY priority DESC, run_at_us, id LIMIT 1) \
         RETURNING id, claims, attempts, kind, dedupe_key, payload, attempts_max",
    )
    .bind(kind)
    .bind(worker)
    .bind(to_micros(lease_until))
    .bind(to_micros(now))
    .fetch_optional(tx)
    .await
    .map_err(failed("claim work"))?;
    row.map(|row| read_job(&row)).transpose().map_err(failed("read claimed work"))
}

/// Takes this one job, if its time has come and nobody has it: for workers who choose by more than urgency.
pub async fn claim_key(
    tx: &mut WriteTransaction,
    (kind, dedupe_key): (&str, &str),
    worker: &str,
    lease_until: Timestamp,
    now: Timestamp,
) -> Result<Option<Job>, QueueError> {
    let row = query(
        "UPDATE jobs SET state = 'running', claims = claims + 1, attempts = attempts + 1, \
                         lease_owner = $2, lease_expires_us = $3 \
         WHERE kind = $1 AND dedupe_key = $5 AND state = 'queued' AND run_at_us <= $4 \
         RETURNING id, claims, attempts, kind, dedupe_key, payload, attempts_max",
    )
    .bind(kind)
    .bind(worker)
    .bind(to_micros(lease_until))
    .bind(to_micros(now))
    .bind(dedupe_key)
    .fetch_optional(tx)
    .await
    .map_err(failed("claim chosen work"))?;
    row.map(|row| read_job(&row)).transpose().map_err(failed("read claimed work"))
}

fn read_job(row: &Row) -> Result<Job, sqlx::Error> {
    Ok(Job {
        lease: Lease { job: row.get("id")?, claim: row.get("claims")? },
        kind: row.get("kind")?,
        dedupe_key: row.get("dedupe_key")?,
        payload: row.get("payload")?,
        attempt: row.get("attempts")?,
        attempts_max: row.get("attempts_max")?,
    })
}

/// Prolongs a lease. `false`: it was lost, and the worker must stop.
pub async fn heartbeat(
    tx: &mut WriteTransaction,
    lease: Lease,
    lease_until: Timestamp,
) -> Result<bool, QueueError> {
    let changed =
        query("UPDATE jobs SET lease_expires_us = $3 WHERE id = $1 AND claims = $2 AND state = 'running'")
            .bind(lease.job)
            .bind(lease.claim)
            .bind(to_micros(lease_until))
            .execute(tx)
            .await
            .map_err(failed("prolong a lease"))?;
    Ok(changed == 1)
}

/// Ends a job as done, in the transaction that stores its result. `false`: the lease was lost, so roll back.
pub async fn complete(tx: &mut WriteTransaction, lease: Lease) -> Result<bool, QueueError> {
    let changed = query("DELETE FROM jobs WHERE id = $1 AND claims = $2 AND state = 'running'")
        .bind(lease.job)
        .bind(lease.claim)
        .execute(tx)
        .await
        .map_err(failed("complete work"))?;
    Ok(changed == 1)
}

/// Ends an attempt without success: again at `retry_at`, or never. `false`: the lease was lost.
pub async fn fail(
    tx: &mut WriteTransaction,
    lease: Lease,
    error: &str,
    retry_at: Option<Timestamp>,
) -> Result<bool, QueueError> {
    let changed = query(
        "UPDATE jobs SET state = $3, run_at_us = coalesce($4, run_at_us), last_error = $5, \
                         lease_owner = NULL, lease_expires_us = NULL \
         WHERE id = $1 AND claims = $2 AND state = 'running'",
    )
    .bind(lease.job)
    .bind(lease.claim)
    .bind(if retry_at.is_some() { "queued" } else { "failed" })
    .bind(retry_at.map(to_micros))
    .bind(error.chars().take(ERROR_CHARS_MAX).collect::<String>())
    .execute(tx)
    .await
    .map_err(failed("record a failed attempt"))?;
    Ok(changed == 1)
}

/// Gives a job back untouched, as a worker does that has to stop; the attempt does not count. `false`: the lease was lost.
pub async fn put_back(tx: &mut WriteTransaction, lease: Lease) -> Result<bool, QueueError> {
    let changed = query(
        "UPDATE jobs SET state = 'queued', attempts = attempts - 1, lease_owner = NULL, lease_expires_us = NULL \
         WHERE id = $1 AND claims = $2 AND state = 'running'",
    )
    .bind(lease.job)
    .bind(lease.claim)
    .execute(tx)
    .await
    .map_err(failed("give work back"))?;
    Ok(changed == 1)
}

/// Lets a waiting job run at this time, if it would run later. `false`: there is none that waits.
pub async fn hurry(
    tx: &mut WriteTransaction,
    kind: &str,
    dedupe_key: &str,
    run_at: Timestamp,
) -> Result<bool, QueueError> {
    let changed = query(
        "UPDATE jobs SET run_at_us = CASE WHEN run_at_us > $3 THEN $3 ELSE run_at_us END \
         WHERE kind = $1 AND dedupe_key = $2 AND state = 'queued'",
    )
    .bind(kind)
    .bind(dedupe_key)
    .bind(to_micros(run_at))
    .execute(tx)
    .await
    .map_err(failed("hurry work"))?;
    Ok(changed == 1)
}

/// Takes leases away from workers that are gone: their jobs wait again, or are given up after the last attempt.
///
/// A job that kills its worker each time ends here instead of running for ever.
pub async fn release_leases(
    tx: &mut WriteTransaction,
    scope: LeaseScope,
    now: Timestamp,
) -> Result<Vec<ReleasedJob>, QueueError> {
    let until = match scope {
        LeaseScope::Expired => to_micros(now),
        LeaseScope::All => i64::MAX,
    };
    let rows = query(
        "UPDATE jobs SET state = CASE WHEN attempts >= attempts_max THEN 'failed' ELSE 'queued' END, \
                         last_error = 'the worker disappeared', lease_owner = NULL, lease_expires_us = NULL \
         WHERE state = 'running' AND lease_expires_us <= $1 RETURNING kind, dedupe_key, state",
    )
    .bind(until)
    .fetch_all(tx)
    .await
    .map_err(failed("release leases"))?;
    rows.iter()
        .map(|row| {
            Ok(ReleasedJob {
                kind: row.get("kind")?,
                dedupe_key: row.get("dedupe_key")?,
                is_given_up: row.get::<String>("state")? == "failed",
            })
        })
        .collect::<Result<_, sqlx::Error>>()
        .map_err(failed("read released work"))
}

/// Wants work no longer. Whoever works on it loses the lease.
pub async fn forget(tx: &mut WriteTransaction, kind: &str, dedupe_key: &str) -> Result<(), QueueError> {
    query("DELETE FROM jobs WHERE kind = $1 AND dedupe_key = $2")
        .bind(kind)
        .bind(dedupe_key)
        .execute(tx)
        .await
        .map_err(failed("forget work"))?;
    Ok(())
}

/// How many jobs of a kind there are.
pub async fn count_jobs(on: impl Executor<'_>, kind: &str) -> Result<JobCounts, QueueError> {
    let rows: Vec<(String, i64)> = query("SELECT state, count(*) FROM jobs WHERE kind = $1 GROUP BY state")
        .bind(kind)
        .fetch_all_as(on)
        .await
        .map_err(failed("count work"))?;
    let count = |state: &str| rows.iter().find(|(name, _)| name == state).map_or(0, |(_, count)| *count);
    Ok(JobCounts { queued: count("queued"), running: count("running"), failed: count("failed") })
}

/// Whether [`claim`] or [`release_leases`] would find something, asked without taking the writer.
pub async fn has_due(database: &Database, kind: &str, now: Timestamp) -> Result<bool, QueueError> {
    query(
        "SELECT EXISTS (SELECT 1 FROM jobs WHERE kind = $1 AND ((state = 'queued' AND run_at_us <= $2) \
                        OR (state = 'running' AND lease_expires_us <= $2)))",
    )
    .bind(kind)
    .bind(to_micros(now))
    .fetch_value(database)
    .await
    .map_err(failed("look for work"))
}
