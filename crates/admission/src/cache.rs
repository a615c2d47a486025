//! Verdicts at hand, and how a missing one is asked for once however many Pods wait for it.
//!
//! An entry belongs to one image reference and states the digest, the policy revision and the database revision that it
//! was made from. It is used only while both revisions are the current ones, and for a tag only for a short time, so
//! that it is in fact keyed by (digest, policy revision, database revision) and by a recent resolution of the tag. The
//! reference is part of the key on purpose: policies map by registry, repository and tag, so the same digest under
//! another name can have another verdict.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use model::ImageReference;
use moka::sync::Cache;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::metrics::Metrics;
use crate::source::{SourceState, Verdict, VerdictError, VerdictQuestion, VerdictSource};

/// How verdicts are kept and asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerdictLimits {
    /// How long the resolution of a tag holds; zero resolves it for every decision.
    pub tag_ttl: Duration,
    /// How long any verdict holds, because rules may speak about dates.
    pub verdict_ttl: Duration,
    /// How many images are kept.
    pub images_max: u64,
    /// How many questions may be open at once.
    pub questions_max: usize,
    /// How long one question may stay open; longer than any review waits, so that the next attempt finds its answer.
    pub question_time: Duration,
    /// How long a failure is remembered, so that an engine that is down is not asked for each Pod.
    pub failure_ttl: Duration,
}

impl Default for VerdictLimits {
    fn default() -> Self {
        Self {
            tag_ttl: Duration::from_secs(30),
            verdict_ttl: Duration::from_secs(600),
            images_max: 100_000,
            questions_max: 64,
            question_time: Duration::from_secs(300),
            failure_ttl: Duration::from_secs(1),
        }
    }
}

/// Why a review has no verdict about an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The time of the review is over; the question stays open for the next attempt.
    #[error(
        "no verdict came in time (the analysis goes on, or the engine is slow); the next attempt may have it"
    )]
    OutOfTime,
    /// Too many other images are being asked for.
    #[error("too many images are waiting to be analysed")]
    Busy,
    /// The source cannot tell.
    #[error("{0}")]
    Source(VerdictError),
}

type Flight = watch::Receiver<Option<Result<Arc<Verdict>, VerdictError>>>;

struct Entry {
    verdict: Arc<Verdict>,
    stored_at: Instant,
}

/// All verdicts.
pub struct VerdictBook {
    source: Arc<dyn VerdictSource>,
    limits: VerdictLimits,
    state: ArcSwapOption<SourceState>,
    entries: Cache<ImageReference, Arc<Entry>>,
    failures: Cache<ImageReference, VerdictError>,
    flights: Mutex<BTreeMap<ImageReference, Flight>>,
    permits: Arc<Semaphore>,
    state_is_old: Notify,
    metrics: Arc<Metrics>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

impl VerdictBook {
    /// An empty book. Open questions end with `shutdown`; `tasks` joins them.
    pub fn new(
        source: Arc<dyn VerdictSource>,
        limits: VerdictLimits,
        metrics: Arc<Metrics>,
        tasks: TaskTracker,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            source,
            state: ArcSwapOption::empty(),
            entries: Cache::builder()
                .max_capacity(limits.images_max)
                .time_to_live(limits.verdict_ttl)
                .build(),
            failures: Cache::builder().max_capacity(10_000).time_to_live(limits.failure_ttl).build(),
            flights: Mutex::default(),
            permits: Arc::new(Semaphore::new(limits.questions_max)),
            state_is_old: Notify::new(),
            limits,
            metrics,
            tasks,
            shutdown,
        }
    }

    /// What the source last said that verdicts are made from.
    pub fn state(&self) -> Option<Arc<SourceState>> {
        self.state.load_full()
    }

    /// Takes over a new state; entries made from another one are not used any more.
    pub fn set_state(&self, state: SourceState) {
        self.state.store(Some(Arc::new(state)));
    }

    /// The verdict about an image, if it is at hand. Waits for nothing.
    pub fn find(&self, reference: &ImageReference) -> Option<Arc<Verdict>> {
        let entry = self.entries.get(reference)?;
        let state = self.state.load();
        let state = state.as_ref()?;
        let is_current = entry.verdict.policy_revision == state.policy_revision
            && entry.verdict.database_revision == state.database_revision;
        // A written digest names the image for good; what a tag names is only known for a moment.
        let is_resolved = reference.digest().is_some() || entry.stored_at.elapsed() < self.limits.tag_ttl;
        (is_current && is_resolved).then(|| Arc::clone(&entry.verdict))
    }

    /// The verdict about an image, at hand or asked for, until `deadline`.
    pub async fn ask(
        self: &Arc<Self>,
        reference: &ImageReference,
        deadline: Instant,
    ) -> Result<Arc<Verdict>, AskError> {
        let verdict = self.ask_once(reference, deadline).await?;
        // A question that was opened before the policy changed answers for the old one.
        let is_old = |state: &SourceState| verdict.policy_revision != state.policy_revision;
        if !self.state.load().as_ref().is_some_and(|state| is_old(state)) {
            return Ok(verdict);
        }
        self.state_is_old.notify_one();
        self.ask_once(reference, deadline).await
    }

    async fn ask_once(
        self: &Arc<Self>,
        reference: &ImageReference,
        deadline: Instant,
    ) -> Result<Arc<Verdict>, AskError> {
        if let Some(error) = self.failures.get(reference) {
            return Err(AskError::Source(error));
        }
        let mut flight = self.join_flight(reference)?;
        let landed = tokio::time::timeout_at(deadline, flight.wait_for(Option::is_some)).await;
        match landed {
            Err(_) => Err(AskError::OutOfTime),
            Ok(Ok(result)) => match &*result {
                Some(Ok(verdict)) => Ok(Arc::clone(verdict)),
                Some(Err(error)) => Err(AskError::Source(error.clone())),
                None => Err(AskError::OutOfTime),
            },
            // The task ended without a result: it panicked or the process is stopping.
            Ok(Err(_)) => {
                Err(AskError::Source(VerdictError::Unreachable("the question was given up".to_owned())))
            }
        }
    }

    /// The open question about this image, opened now if there is none.
    fn join_flight(self: &Arc<Self>, reference: &ImageReference) -> Result<Flight, AskError> {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.get(reference) {
            return Ok(flight.clone());
        }
        let permit = Arc::clone(&self.permits).try_acquire_owned().map_err(|_| AskError::Busy)?;
        let (sender, receiver) = watch::channel(None);
        flights.insert(reference.clone(), receiver.clone());
        let book = Arc::clone(self);
        let landing = Landing { book: Arc::clone(self), reference: reference.clone() };
        self.tasks.spawn(async move {
            let result = tokio::select! {
                () = book.shutdown.cancelled() => return,
                result = book.question(&landing.reference) => result,
            };
            book.keep(&landing.reference, &result);
            drop(landing);
            drop(permit);
            sender.send_replace(Some(result));
        });
        Ok(receiver)
    }

    async fn question(&self, reference: &ImageReference) -> Result<Arc<Verdict>, VerdictError> {
        self.metrics.verdict_questions.add();
        let deadline = Instant::now() + self.limits.question_time;
        let question = VerdictQuestion { reference: reference.clone(), deadline };
        match tokio::time::timeout_at(deadline, self.source.verdict(&question)).await {
            Ok(result) => result.map(Arc::new),
            Err(_) => Err(VerdictError::NotYet),
        }
    }

    fn keep(&self, reference: &ImageReference, result: &Result<Arc<Verdict>, VerdictError>) {
        match result {
            Ok(verdict) => {
                let entry = Entry { verdict: Arc::clone(verdict), stored_at: Instant::now() };
                self.entries.insert(reference.clone(), Arc::new(entry));
                let is_new = |state: &SourceState| {
                    verdict.policy_revision != state.policy_revision
                        || verdict.database_revision != state.database_revision
                };
                if self.state.load().as_ref().is_none_or(|state| is_new(state)) {
                    self.state_is_old.notify_one();
                }
            }
            Err(error) => {
                self.metrics.verdict_failures.add();
                self.failures.insert(reference.clone(), error.clone());
            }
        }
    }

    /// Asks the source for its state every `interval`, and at once when a verdict shows that it has changed.
    pub async fn poll_state(self: Arc<Self>, interval: Duration) {
        loop {
            match tokio::time::timeout(Duration::from_secs(10), self.source.state()).await {
                Ok(Ok(state)) => self.set_state(state),
                // The last known state stays: verdicts at hand are used until their time is over.
                Ok(Err(error)) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "state of the verdict source is unknown"
                    );
                }
                Err(_) => tracing::warn!("verdict source does not tell its state"),
            }
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                () = tokio::time::sleep(interval) => {}
                () = self.state_is_old.notified() => {
                    // Many verdicts may tell the same news.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

/// Takes the question off the list however its task ends, even by a panic.
struct Landing {
    book: Arc<VerdictBook>,
    reference: ImageReference,
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.book.flights.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.reference);
    }
}
