//! Writes audits: a bounded queue, a writer that outlives an absent API server, and a reaper.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, Preconditions};
use kube::{Api, Client, ResourceExt as _};
use moka::sync::Cache;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::audits::{AuditRecord, EXPIRES_ANNOTATION, EXPIRES_LABEL};
use crate::crd::Audit;
use crate::metrics::Metrics;
use crate::settings::Clock;
use crate::spool::{SpoolError, read_spool, write_spool};

/// The name under which fields of audits are owned.
pub const AUDIT_FIELD_MANAGER: &str = "lazaret-audits";

const SAME_CONTENT_AFTER: Duration = Duration::from_secs(60);
// The Pod is stored after our answer; were its audit there first, the collector would take it for an orphan.
const NEW_OWNER_DELAY: Duration = Duration::from_secs(1);
const RETRY_FIRST: Duration = Duration::from_millis(250);
const RETRY_ONE: Duration = Duration::from_secs(2);
const RETRY_MAX: Duration = Duration::from_secs(15);
const WRITES_AT_ONCE: usize = 8;

/// How audits are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditLimits {
    /// How many audits may wait, once in the queue and once in the writer.
    pub waiting_max: usize,
    /// How long an audit without an owner stays.
    pub keep_for: Duration,
    /// How often expired audits are looked for.
    pub reap_every: Duration,
    /// How long the writer may go on after the shutdown began.
    pub shutdown_time: Duration,
    /// Where audits wait for the next start when the API server is away.
    pub spool: Option<PathBuf>,
}

impl Default for AuditLimits {
    fn default() -> Self {
        Self {
            waiting_max: 4_096,
            keep_for: Duration::from_secs(24 * 3_600),
            reap_every: Duration::from_secs(60),
            shutdown_time: Duration::from_secs(5),
            spool: None,
        }
    }
}

/// The end of the queue that decisions write to. Never waits.
#[derive(Debug, Clone)]
pub struct AuditQueue {
    sender: mpsc::Sender<AuditRecord>,
    metrics: Arc<Metrics>,
}

impl AuditQueue {
    /// A queue and the end that the writer reads.
    pub fn new(limits: &AuditLimits, metrics: Arc<Metrics>) -> (Self, mpsc::Receiver<AuditRecord>) {
        let (sender, receiver) = mpsc::channel(limits.waiting_max.max(1));
        (Self { sender, metrics }, receiver)
    }

    /// Hands an audit over; a full queue drops it and counts it.
    pub fn push(&self, record: AuditRecord) {
        if self.sender.try_send(record).is_err() {
            self.metrics.audits_dropped.add();
        }
    }
}

type Key = (String, String);

struct Waiting {
    record: AuditRecord,
    due: Instant,
}

/// The writer's state.
pub struct AuditWriter {
    client: Client,
    limits: AuditLimits,
    metrics: Arc<Metrics>,
    waiting: BTreeMap<Key, Waiting>,
    written: Cache<Key, [u8; 32]>,
    retry: Duration,
}

enum Outcome {
    Written,
    /// For good.
    Refused(kube::Error),
    /// This one, for the moment.
    Later(kube::Error),
    /// Like every other one: the API server is away.
    Away(kube::Error),
}

impl AuditWriter {
    /// A writer with what the last run left behind.
    ///
    /// Errors: the spool file is there but cannot be read.
    pub async fn open(
        client: Client,
        limits: AuditLimits,
        metrics: Arc<Metrics>,
    ) -> Result<Self, SpoolError> {
        let left = match &limits.spool {
            Some(path) => read_spool(path.clone()).await?,
            None => Vec::new(),
        };
        let written = Cache::builder().max_capacity(50_000).time_to_live(SAME_CONTENT_AFTER).build();
        let mut writer =
            Self { client, limits, metrics, waiting: BTreeMap::new(), written, retry: RETRY_FIRST };
        for record in left {
            writer.take(record);
        }
        Ok(writer)
    }

    /// Writes until `shutdown`, then goes on for a bounded time and spools the rest.
    ///
    /// Errors: the rest could not be spooled.
    pub async fn run(
        mut self,
        mut queue: mpsc::Receiver<AuditRecord>,
        shutdown: CancellationToken,
    ) -> Result<(), SpoolError> {
        loop {
            let due = self.next_due();
            let has_room = self.waiting.len() < self.limits.waiting_max;
            tokio::select! {
                () = shutdown.cancelled() => break,
                record = queue.recv(), if has_room => match record {
                    Some(record) => self.take(record),
                    None => break,
                },
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    // Shutdown must not wait for an API server that does not answer.
                    tokio::select! {
                        () = shutdown.cancelled() => break,
                        () = self.write_due(false) => {}
                    }
                }
            }
            self.fill(&mut queue);
        }
        queue.close();
        while let Ok(record) = queue.try_recv() {
            self.take(record);
        }
        // The time bounds the whole: what a cancelled write left behind is still in `waiting`.
        let finished = tokio::time::timeout(self.limits.shutdown_time, self.write_due(true)).await;
        if finished.is_err() || !self.waiting.is_empty() {
            tracing::warn!(audits.count = self.waiting.len(), "audits are left for the next start");
        }
        self.spool_rest().await
    }

    async fn spool_rest(&self) -> Result<(), SpoolError> {
        let rest: Vec<_> = self.waiting.values().map(|waiting| waiting.record.clone()).collect();
        match &self.limits.spool {
            Some(path) => write_spool(path.clone(), rest).await,
            None => Ok(()),
        }
    }

    fn fill(&mut self, queue: &mut mpsc::Receiver<AuditRecord>) {
        while self.waiting.len() < self.limits.waiting_max
            && let Ok(record) = queue.try_recv()
        {
            self.take(record);
        }
        let waiting = self.waiting.len() + queue.len();
        self.metrics.audits_waiting.set(u64::try_from(waiting).unwrap_or(u64::MAX));
    }

    /// Takes a record over; a later one under the same name replaces an earlier one that is not written yet.
    fn take(&mut self, record: AuditRecord) {
        let key = (record.namespace.clone(), record.name.clone());
        if self.written.get(&key) == Some(record.content_hash()) && !self.waiting.contains_key(&key) {
            self.metrics.audits_unchanged.add();
            return;
        }
        let delay = if record.owner_is_new { NEW_OWNER_DELAY } else { Duration::ZERO };
        // A name that is written again and again must still get its turn.
        let due = self.waiting.get(&key).map_or_else(|| Instant::now() + delay, |waiting| waiting.due);
        self.waiting.insert(key, Waiting { record, due });
    }

    fn next_due(&self) -> Option<Instant> {
        self.waiting.values().map(|waiting| waiting.due).min()
    }

    /// Writes what is due, or everything. What fails for the moment stays.
    async fn write_due(&mut self, everything: bool) {
        let now = Instant::now();
        let due: Vec<AuditRecord> = self
            .waiting
            .values()
            .filter(|waiting| everything || waiting.due <= now)
            .map(|waiting| waiting.record.clone())
            .collect();
        let client = self.client.clone();
        let mut writes = futures_util::stream::iter(due)
            .map(|record| {
                let client = client.clone();
                async move {
                    let outcome = apply(client, &record).await;
                    (record, outcome)
                }
            })
            .buffer_unordered(WRITES_AT_ONCE);
        let mut away = None;
        while let Some((record, outcome)) = writes.next().await {
            let key = (record.namespace.clone(), record.name.clone());
            match outcome {
                Outcome::Written => {
                    self.metrics.audits_written.add();
                    self.written.insert(key.clone(), record.content_hash());
                    self.waiting.remove(&key);
                    self.retry = RETRY_FIRST;
                }
                Outcome::Refused(error) => {
                    self.metrics.audits_refused.add();
                    self.waiting.remove(&key);
                    tracing::warn!(
                        audit.namespace = key.0,
                        audit.name = key.1,
                        error = &error as &dyn std::error::Error,
                        "audit was refused by the API server"
                    );
                }
                Outcome::Later(error) => {
                    tracing::warn!(
                        audit.namespace = key.0,
                        audit.name = key.1,
                        error = &error as &dyn std::error::Error,
                        "audit is tried again later"
                    );
                    // Its own delay, so that it cannot hold up the others.
                    if let Some(waiting) = self.waiting.get_mut(&key) {
                        waiting.due = Instant::now() + RETRY_ONE;
                    }
                }
                Outcome::Away(error) => {
                    away = Some((key, error));
                    break; // The others would fail like this one.
                }
            }
        }
        drop(writes);
        if let Some((key, error)) = away {
            tracing::warn!(
                audit.namespace = key.0,
                audit.name = key.1,
                error = &error as &dyn std::error::Error,
                "audit cannot be written now and is kept"
            );
            let due = Instant::now() + self.retry;
            self.waiting.values_mut().for_each(|waiting| waiting.due = waiting.due.max(due));
            self.retry = (self.retry * 2).min(RETRY_MAX);
        }
    }
}

async fn apply(client: Client, record: &AuditRecord) -> Outcome {
    let api: Api<Audit> = Api::namespaced(client, &record.namespace);
    let parameters = PatchParams::apply(AUDIT_FIELD_MANAGER).force();
    let patch = Patch::Apply(record.to_object());
    let write = api.patch(&record.name, &parameters, &patch);
    match tokio::time::timeout(Duration::from_secs(10), write).await {
        Ok(Ok(_)) => Outcome::Written,
        Ok(Err(error)) => match &error {
            // 409 and 429 pass, and 401 does while a token is renewed; other refusals do not change by repeating.
            kube::Error::Api(status) => match status.code {
                401 | 409 | 429 | 500.. => Outcome::Later(error),
                _ => Outcome::Refused(error),
            },
            _ => Outcome::Away(error),
        },
        Err(elapsed) => Outcome::Away(kube::Error::Service(Box::new(elapsed))),
    }
}

/// Removes audits without an owner when their time is over, until `shutdown`.
pub async fn reap(
    client: Client,
    every: Duration,
    clock: Clock,
    metrics: Arc<Metrics>,
    shutdown: CancellationToken,
) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(every) => {}
        }
        if let Err(error) = reap_once(&client, clock, &metrics).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "expired audits could not be removed");
        }
    }
}

/// Removes the audits that are expired now.
pub async fn reap_once(client: &Client, clock: Clock, metrics: &Metrics) -> Result<(), kube::Error> {
    let everywhere: Api<Audit> = Api::all(client.clone());
    let mut parameters = ListParams::default().labels(&format!("{EXPIRES_LABEL}=true")).limit(500);
    loop {
        let page = everywhere.list(&parameters).await?;
        for audit in &page.items {
            let is_expired = audit
                .annotations()
                .get(EXPIRES_ANNOTATION)
                .and_then(|text| text.parse::<jiff::Timestamp>().ok())
                .is_some_and(|expires_at| expires_at <= clock());
            if is_expired {
                delete(client, audit, metrics).await?;
            }
        }
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => parameters = parameters.continue_token(&token),
            None => return Ok(()),
        }
    }
}

async fn delete(client: &Client, audit: &Audit, metrics: &Metrics) -> Result<(), kube::Error> {
    let api: Api<Audit> = Api::namespaced(client.clone(), &audit.namespace().unwrap_or_default());
    // An audit that was renewed since the list must stay.
    let preconditions = Preconditions { resource_version: audit.resource_version(), uid: audit.uid() };
    let parameters = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
    match api.delete(&audit.name_any(), &parameters).await {
        Ok(_) => {
            metrics.audits_reaped.add();
            Ok(())
        }
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
        Err(error) => Err(error),
    }
}
