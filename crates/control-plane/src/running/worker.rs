//! Who looks: one task for each cluster whose service is active, under a lease, so that of several processes one looks.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use admission::VerdictSource;
use storage::{Job, LeaseScope, NewJob};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::fresh::Fresh;
use super::look::{Look, LookError, Seen, read_whitelist};
use super::store::{self, Basis, Progress};
use crate::engines::{EngineChoice, Urgency};
use crate::leases::{LEASE, keep_lease};
use crate::services::{SECURITY_SCAN, ServiceRow, ServiceStatus, find_service};
use crate::storage_error::chain;
use crate::{Cluster, ControlPlane, StorageError};

/// The account of the engine's administrator.
const ADMINISTRATOR: &str = "admin";
const JOB_KIND: &str = "plane_running";
/// Pause between two questions which services are active.
const SERVICES_EVERY: Duration = Duration::from_secs(2);
/// Clusters that are looked at at the same time.
const LOOKS_AT_ONCE: usize = 4;
/// For one question about the state of an engine.
const STATE_TIME: Duration = Duration::from_secs(20);
/// Images that were not ready are asked for again after this, and after ever longer pauses.
const WAIT_FIRST: Duration = Duration::from_secs(5);
const WAIT_MAX: Duration = Duration::from_secs(600);
/// Longest pause after looks that failed.
const FAILURE_PAUSE_MAX: Duration = Duration::from_secs(300);

impl ControlPlane {
    /// Judges the Pods that run in all clusters whose service is active, until `shutdown`.
    pub async fn watch_running_pods(self: Arc<Self>, shutdown: CancellationToken) {
        let places = Arc::new(Semaphore::new(LOOKS_AT_ONCE));
        let mut tasks = JoinSet::new();
        loop {
            match self.claim_looks().await {
                Ok(jobs) => {
                    for job in jobs {
                        let (plane, places) = (Arc::clone(&self), Arc::clone(&places));
                        tasks.spawn(hold(plane, places, job, shutdown.clone()));
                    }
                }
                Err(error) => {
                    tracing::warn!(error = chain(&error), "the look at running Pods cannot be claimed");
                }
            }
            while tasks.try_join_next().is_some() {}
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = tokio::time::sleep(SERVICES_EVERY) => {}
            }
        }
        while tasks.join_next().await.is_some() {}
    }

    /// Wants a job for each cluster that has none, and claims all that nobody holds.
    async fn claim_looks(&self) -> Result<Vec<Job>, StorageError> {
        let now = self.now();
        let active = self.all_services(SECURITY_SCAN).await?;
        let active = active.iter().filter(|row| is_looked_at(row)).map(|row| row.cluster.to_string());
        let active: BTreeSet<String> = active.collect();
        let wanted: Vec<(String,)> = storage::query("SELECT dedupe_key FROM jobs WHERE kind = $1")
            .bind(JOB_KIND)
            .fetch_all_as(&self.storage)
            .await
            .map_err(StorageError::at("list the looks at running Pods"))?;
        let wanted: BTreeSet<String> = wanted.into_iter().map(|(key,)| key).collect();
        let missing: Vec<&String> = active.difference(&wanted).collect();
        let has_due = storage::has_due(&self.storage, JOB_KIND, now)
            .await
            .map_err(StorageError::at("look for looks at running Pods"))?;
        if missing.is_empty() && !has_due {
            return Ok(Vec::new());
        }
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        storage::release_leases(&mut tx, LeaseScope::Expired, now)
            .await
            .map_err(StorageError::at("take over looks at running Pods"))?;
        for key in missing {
            let job =
                NewJob { kind: JOB_KIND, dedupe_key: key, payload: "", priority: 0, attempts_max: i64::MAX };
            storage::enqueue(&mut tx, &job, now, now)
                .await
                .map_err(StorageError::at("want a look at running Pods"))?;
        }
        let worker = format!("running Pods {}", self.instance);
        let mut jobs = Vec::new();
        while let Some(job) = storage::claim(&mut tx, JOB_KIND, &worker, now + LEASE, now)
            .await
            .map_err(StorageError::at("claim a look at running Pods"))?
        {
            jobs.push(job);
        }
        tx.commit().await.map_err(StorageError::at("commit"))?;
        Ok(jobs)
    }
}

/// Whether the Pods of a cluster are to be looked at: also while a later change of its service does not work.
fn is_looked_at(row: &ServiceRow) -> bool {
    row.is_wanted()
        && match row.status {
            ServiceStatus::Active => true,
            ServiceStatus::Error => row.was_active,
            ServiceStatus::Pending => false,
        }
}

/// Looks again and again while the lease holds, and gives it back at the end.
async fn hold(plane: Arc<ControlPlane>, places: Arc<Semaphore>, job: Job, shutdown: CancellationToken) {
    let is_over = tokio::select! {
        ended = watch(&plane, &places, &job) => {
            if let Err(error) = &ended {
                tracing::warn!(error = chain(error), "running Pods are not looked at for a moment");
            }
            ended.is_ok()
        }
        () = keep_lease(&plane, &job) => return,
        () = shutdown.cancelled() => false,
    };
    if let Err(error) = end(&plane, &job, is_over).await {
        tracing::warn!(error = chain(&error), "a look is not given back; its lease ends by itself");
    }
}

async fn end(plane: &ControlPlane, job: &Job, is_over: bool) -> Result<(), StorageError> {
    let mut tx = plane.storage.begin().await.map_err(StorageError::at("begin"))?;
    match is_over {
        true => storage::complete(&mut tx, job.lease).await,
        false => storage::put_back(&mut tx, job.lease).await,
    }
    .map_err(StorageError::at("end a look at running Pods"))?;
    tx.commit().await.map_err(StorageError::at("commit"))
}

/// What is kept between two questions to one cluster.
#[derive(Default)]
struct Memory {
    /// The engine, and for which spec it was taken.
    source: Option<(i64, EngineChoice, Arc<dyn VerdictSource>)>,
    /// Whether this process has looked already.
    has_looked: bool,
    /// Up to which version of the list of Pods all of them are kept; `None`: only a whole look finds new ones.
    version: Option<String>,
    /// When images that were not ready are asked for again, and after which pause.
    again: Option<(Instant, Duration)>,
}

impl Memory {
    /// Images that were not ready are asked for again after ever longer pauses.
    fn wait_for_images(&mut self, seen: &Seen) {
        self.again = seen.is_waiting.then(|| {
            let pause = self.again.map_or(WAIT_FIRST, |(_, pause)| (pause * 2).min(WAIT_MAX));
            (Instant::now() + pause, pause)
        });
    }
}

/// Asks now and then what changed, and looks when something has. Ends when the service does.
async fn watch(plane: &Arc<ControlPlane>, places: &Semaphore, job: &Job) -> Result<(), StorageError> {
    let cluster_id = job.dedupe_key.parse().unwrap_or_default();
    let mut memory = Memory::default();
    loop {
        let Some(row) = find_service(&plane.storage, cluster_id, SECURITY_SCAN).await? else { return Ok(()) };
        let Some(cluster) = plane.find_cluster(row.organization, cluster_id).await? else { return Ok(()) };
        let every = plane.settings.running.check_every;
        let mut pause = every;
        if is_looked_at(&row) {
            match check(plane, places, &cluster, &row, &mut memory).await {
                Ok(()) => {}
                Err(LookError::Storage(error)) => return Err(error),
                Err(error) => {
                    // All of it is begun again, after a pause.
                    memory = Memory::default();
                    let failures = note(plane, &cluster, &error).await?;
                    pause =
                        every.saturating_mul(1 << failures.clamp(0, 10)).min(FAILURE_PAUSE_MAX.max(every));
                }
            }
        } else if row.status == ServiceStatus::Pending {
            memory = Memory::default();
        } else {
            return Ok(());
        }
        let again = memory.again.map(|(at, _)| at.saturating_duration_since(Instant::now()));
        tokio::time::sleep(again.map_or(pause, |again| again.min(pause))).await;
    }
}

/// Keeps why there is no look. Returns how often that happened.
async fn note(plane: &ControlPlane, cluster: &Cluster, error: &LookError) -> Result<i64, StorageError> {
    let problem: String = error.to_string().chars().take(1000).collect();
    let mut tx = plane.storage.begin().await.map_err(StorageError::at("begin"))?;
    let known = store::find_progress(&mut tx, cluster.id).await?;
    if known.as_ref().is_none_or(|known| known.problem != problem) {
        tracing::warn!(cluster.id = cluster.id, problem, "running Pods are not looked at");
    }
    if known.is_some() || store::begin(&mut tx, cluster.id, plane.now()).await? {
        store::note_problem(&mut tx, cluster.id, &problem).await?;
    }
    tx.commit().await.map_err(StorageError::at("commit"))?;
    Ok(known.map_or(0, |known| known.failures) + 1)
}

async fn check(
    plane: &Arc<ControlPlane>,
    places: &Semaphore,
    cluster: &Cluster,
    row: &ServiceRow,
    memory: &mut Memory,
) -> Result<(), LookError> {
    let source = find_source(plane, row, memory).await?;
    let state = match tokio::time::timeout(STATE_TIME, source.state()).await {
        Ok(Ok(state)) => state,
        Ok(Err(error)) => return Err(LookError::Engine(error.to_string())),
        Err(_) => return Err(LookError::Engine(format!("no answer within {} s", STATE_TIME.as_secs()))),
    };
    let now = plane.now();
    let of_cluster = |error: crate::ClusterError| LookError::Cluster(error.text());
    // Once for each check: it may be in a store of secrets elsewhere, and another one by now.
    let client = plane.kubernetes(cluster).await.map_err(of_cluster)?;
    let items = plane.list_whitelist_by(cluster, client.clone()).await.map_err(of_cluster)?;
    let (whitelist, whitelist_revision) = read_whitelist(items, now);
    let basis = Basis {
        service_version: row.version,
        policy_revision: state.policy_revision.clone(),
        database_revision: state.database_revision.clone(),
        whitelist_revision,
    };
    let progress = store::find_progress(&plane.storage, cluster.id).await?;
    let is_again = memory.again.is_some_and(|(at, _)| at <= Instant::now());
    let is_whole = !memory.has_looked
        || (is_again && memory.version.is_none())
        || is_due(plane, progress.as_ref(), &basis);
    if !is_whole && memory.version.is_none() {
        return Ok(());
    }
    let look =
        Look { plane, cluster, account: account_of(row), client, source, state, whitelist, basis, now };
    if !is_whole && look_at_fresh(&look, places, memory, is_again).await? {
        return Ok(());
    }
    look_at_all(&look, places, memory).await
}

/// Looks at the Pods that came since, and asks again for images when it is time. `false`: all Pods have to be looked at.
async fn look_at_fresh(
    look: &Look<'_>,
    places: &Semaphore,
    memory: &mut Memory,
    is_again: bool,
) -> Result<bool, LookError> {
    let since = memory.version.take().unwrap_or_default();
    match look.catch_up(&since).await? {
        Fresh::Nothing(version) if !is_again => memory.version = Some(version),
        Fresh::Nothing(version) | Fresh::Kept(version) => {
            let _place = places.acquire().await;
            let seen = look.conclude(true).await?;
            memory.version = Some(version);
            // What was not asked for in time is left to a look at everything.
            memory.has_looked = seen.is_complete;
            memory.wait_for_images(&seen);
        }
        Fresh::Unknown => return Ok(false),
        Fresh::Refused => {}
    }
    Ok(true)
}

async fn look_at_all(look: &Look<'_>, places: &Semaphore, memory: &mut Memory) -> Result<(), LookError> {
    let (plane, cluster) = (look.plane, look.cluster);
    // Clusters wait for their turn here, and not with an open transaction.
    let _place = places.acquire().await;
    let mut tx = plane.storage.begin().await.map_err(StorageError::at("begin"))?;
    if !store::begin(&mut tx, cluster.id, look.now).await? {
        return Ok(());
    }
    tx.commit().await.map_err(StorageError::at("commit"))?;
    let (seen, version) = look.run().await?;
    memory.has_looked = seen.is_complete;
    memory.version = version;
    if !seen.is_complete {
        // The next one goes on with what was not asked for.
        return Ok(());
    }
    let mut tx = plane.storage.begin().await.map_err(StorageError::at("begin"))?;
    store::finish(&mut tx, cluster.id, &look.basis, &seen.problem, plane.now()).await?;
    tx.commit().await.map_err(StorageError::at("commit"))?;
    memory.wait_for_images(&seen);
    Ok(())
}

fn is_due(plane: &ControlPlane, progress: Option<&Progress>, basis: &Basis) -> bool {
    let Some(Progress { basis: last, finished_at: Some(finished_at), .. }) = progress else { return true };
    let age = plane.now().duration_since(*finished_at);
    last != basis || age.unsigned_abs() >= plane.settings.running.every
}

/// Clusters with an engine of their own have no account in ours.
fn account_of(row: &ServiceRow) -> String {
    match row.inventory.engine.as_ref().map(|engine| &engine.choice) {
        Some(EngineChoice::Own { account }) => account.clone(),
        _ => ADMINISTRATOR.to_owned(),
    }
}

async fn find_source(
    plane: &ControlPlane,
    row: &ServiceRow,
    memory: &mut Memory,
) -> Result<Arc<dyn VerdictSource>, LookError> {
    let choice = row.inventory.engine.as_ref().map(|engine| engine.choice.clone());
    let choice =
        choice.ok_or_else(|| LookError::Engine("no engine is in the service's inventory".to_owned()))?;
    if let Some((version, known, source)) = &memory.source
        && (*version, known) == (row.version, &choice)
    {
        return Ok(Arc::clone(source));
    }
    let engine = plane.engine_of(row.organization, choice.clone()).await.map_err(LookError::Engine)?;
    let source = plane.verdict_source(&engine, Urgency::Unhurried);
    let source = source.ok_or_else(|| LookError::Engine("there is no engine in this process".to_owned()))?;
    memory.source = Some((row.version, choice, Arc::clone(&source)));
    Ok(source)
}
