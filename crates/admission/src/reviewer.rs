//! One review from bytes to bytes: reads the index, asks for verdicts, decides, files the audit.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use jiff::SignedDuration;
use model::ImageReference;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::audit_writer::AuditQueue;
use crate::audits::{AuditSubject, audit_record};
use crate::cache::VerdictBook;
use crate::decision::{ImageOutcome, JudgedImage, Ruling, Task, decide, plan_review};
use crate::images::{Metadata, ObjectKind, read_object};
use crate::index::{ClusterIndex, NamespaceFacts};
use crate::manifests::PROBE_LABEL;
use crate::message::{MessageSubject, template_warnings, write_ruling};
use crate::metrics::Metrics;
use crate::review::{Answer, Operation, ReviewError, ReviewRequest, parse_review, write_answer};
use crate::settings::{Clock, DecisionSettings};

/// What a request may take where it does not say so: the API server's default.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
const BACKGROUND_TIME: Duration = Duration::from_secs(60);

/// Answers reviews.
pub struct Reviewer {
    /// What is known about the cluster.
    pub index: Arc<ClusterIndex>,
    /// What is known about images.
    pub book: Arc<VerdictBook>,
    /// Where audits go.
    pub audits: AuditQueue,
    /// How decisions are made.
    pub settings: DecisionSettings,
    /// How long an audit without an owner stays.
    pub audits_keep_for: Duration,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Tells the time.
    pub clock: Clock,
    /// Work that outlives its review.
    pub tasks: TaskTracker,
    /// Bounds that work.
    pub background: Arc<Semaphore>,
    /// Ends that work.
    pub shutdown: CancellationToken,
}

impl Reviewer {
    /// Answers one review that came in `started` and may take `timeout`.
    pub async fn review(
        self: &Arc<Self>,
        body: &[u8],
        started: Instant,
        timeout: Option<Duration>,
    ) -> Result<Vec<u8>, ReviewError> {
        let request = parse_review(body).inspect_err(|_| self.metrics.reviews_invalid.add())?;
        let span = tracing::info_span!(
            "admission_review",
            review.kind = request.kind.as_str(),
            review.namespace = request.namespace.as_str(),
            review.is_allowed = tracing::field::Empty,
        );
        let timeout = timeout.unwrap_or(DEFAULT_TIMEOUT);
        let answer = self.answer(&request, started, timeout).instrument(span.clone()).await;
        span.record("review.is_allowed", answer.is_allowed);
        Ok(write_answer(&request, &answer))
    }

    async fn answer(
        self: &Arc<Self>,
        request: &ReviewRequest<'_>,
        started: Instant,
        timeout: Duration,
    ) -> Answer {
        let kind = ObjectKind::of(request.group.as_str(), request.kind.as_str());
        if kind == ObjectKind::Other || request.operation == Operation::Other {
            self.metrics.reviews_allowed.add();
            return Answer::allowed();
        }
        let json = request.object.map_or("null", |object| object.get());
        let object = match read_object(request.kind.as_str(), json) {
            Ok(object) => object,
            Err(error) if kind == ObjectKind::Pod => {
                self.metrics.reviews_denied.add();
                let cause =
                    std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
                let message = format!("Pod cannot be read: {error}{cause}");
                return Answer { is_allowed: false, message, warnings: Vec::new() };
            }
            Err(_) => {
                self.metrics.reviews_allowed.add();
                return Answer::allowed();
            }
        };
        // An old object that cannot be read hides nothing: then every image counts as new.
        let old = request
            .old_object
            .filter(|_| request.operation == Operation::Update)
            .and_then(|old| read_object(request.kind.as_str(), old.get()).ok());
        let old_images = old.as_ref().map_or(&[][..], |old| &old.images);
        match plan_review(kind, request.operation, object.images, old_images) {
            Task::Nothing => {
                self.metrics.reviews_allowed.add();
                Answer::allowed()
            }
            Task::Warn(images) => {
                self.metrics.reviews_allowed.add();
                Answer { warnings: self.warn(&images), ..Answer::allowed() }
            }
            Task::Judge(images) => self.judge(request, &object.metadata, &images, started, timeout).await,
        }
    }

    /// Warnings about a template, from verdicts at hand only.
    fn warn(&self, images: &[Cow<'_, str>]) -> Vec<String> {
        let refused: Vec<_> = images
            .iter()
            .filter_map(|written| Some((written, self.book.find(&written.parse().ok()?)?)))
            .filter(|(_, verdict)| !verdict.is_pass)
            .collect();
        template_warnings(refused.iter().map(|(written, verdict)| (written.as_ref(), &**verdict)))
    }

    async fn judge(
        self: &Arc<Self>,
        request: &ReviewRequest<'_>,
        metadata: &Metadata<'_>,
        images: &[Cow<'_, str>],
        started: Instant,
        timeout: Duration,
    ) -> Answer {
        let subject = AuditSubject::new(request, metadata);
        let (facts, is_exempt) = {
            let snapshot = self.index.snapshot();
            let exemption = snapshot.find_exemption(&subject.release, &subject.namespace, (self.clock)());
            let is_probe = request.is_dry_run && metadata.label(PROBE_LABEL).is_some();
            (snapshot.namespace(&subject.namespace), exemption.is_some() && !is_probe)
        };
        if is_exempt {
            self.metrics.reviews_whitelisted.add();
            let answer = write_ruling(Ruling::Whitelisted, &[], &message_subject(&subject));
            if !request.is_dry_run {
                self.audit_exempt(subject, images);
            }
            return answer;
        }
        let deadline = self.deadline(&facts, started, timeout);
        let judged = self.judge_images(images, deadline).await;
        let ruling = decide(&judged, false, facts.undecided.unwrap_or(self.settings.undecided));
        let counter = match ruling {
            Ruling::Allowed | Ruling::Whitelisted => &self.metrics.reviews_allowed,
            Ruling::Denied => &self.metrics.reviews_denied,
            Ruling::AllowedUndecided | Ruling::DeniedUndecided => &self.metrics.reviews_undecided,
        };
        counter.add();
        let answer = write_ruling(ruling, &judged, &message_subject(&subject));
        if !request.is_dry_run {
            self.audit(&subject, &judged, ruling);
        }
        answer
    }

    fn deadline(&self, facts: &NamespaceFacts, started: Instant, timeout: Duration) -> Instant {
        // Of a very short time, half is better than nothing.
        let usable = timeout.saturating_sub(self.settings.margin).max(timeout / 2);
        started + usable.min(facts.wait.unwrap_or(self.settings.wait))
    }

    async fn judge_images(self: &Arc<Self>, images: &[Cow<'_, str>], deadline: Instant) -> Vec<JudgedImage> {
        let looked_up: Vec<_> = images.iter().map(|written| self.look_up(written)).collect();
        futures_util::stream::iter(looked_up)
            .map(|looked_up| {
                let reviewer = Arc::clone(self);
                async move {
                    match looked_up {
                        LookedUp::Known(judged) => judged,
                        LookedUp::Missing { written, reference } => {
                            let outcome = reviewer.ask(&reference, deadline).await;
                            JudgedImage { written, reference: Some(reference), outcome }
                        }
                    }
                }
            })
            .buffered(self.settings.images_at_once.max(1))
            .collect()
            .await
    }

    /// What is known about an image without waiting.
    fn look_up(&self, written: &str) -> LookedUp {
        let reference: ImageReference = match written.parse() {
            Ok(reference) => reference,
            // Nothing can be known about it, and no node could run it: not a case for the undecided mode.
            Err(error) => {
                let outcome = ImageOutcome::RefusedUnseen { why: format!("{error}"), policy_id: None };
                return LookedUp::Known(JudgedImage {
                    written: written.to_owned(),
                    reference: None,
                    outcome,
                });
            }
        };
        match self.book.find(&reference) {
            Some(verdict) => {
                self.metrics.verdict_hits.add();
                let outcome = ImageOutcome::from_verdict(verdict);
                LookedUp::Known(JudgedImage {
                    written: written.to_owned(),
                    reference: Some(reference),
                    outcome,
                })
            }
            None => {
                self.metrics.verdict_misses.add();
                LookedUp::Missing { written: written.to_owned(), reference }
            }
        }
    }

    async fn ask(self: &Arc<Self>, reference: &ImageReference, deadline: Instant) -> ImageOutcome {
        let unseen = self.refuse_unseen(reference);
        let deadline = match unseen {
            // The answer is known; a short wait is only for the digest and the details.
            Some(_) => deadline.min(Instant::now() + self.settings.refusal_wait),
            None => deadline,
        };
        match (self.book.ask(reference, deadline).await, unseen) {
            (Ok(verdict), _) => ImageOutcome::from_verdict(verdict),
            (Err(_), Some(decision)) => ImageOutcome::from_unseen(&decision),
            // The policy may have come meanwhile: a webhook answers before it knows one.
            (Err(error), None) => match self.refuse_unseen(reference) {
                Some(decision) => ImageOutcome::from_unseen(&decision),
                None => ImageOutcome::Undecided { why: error.to_string() },
            },
        }
    }

    /// The refusal of a policy that needs to see nothing for it.
    fn refuse_unseen(&self, reference: &ImageReference) -> Option<model::Decision> {
        let state = self.book.state()?;
        policy::judge_without_image(state.bundle.as_ref()?, reference, (self.clock)())
            .filter(|decision| !decision.is_pass())
    }

    fn audit(&self, subject: &AuditSubject, judged: &[JudgedImage], ruling: Ruling) {
        let keep_for = SignedDuration::try_from(self.audits_keep_for).unwrap_or(SignedDuration::MAX);
        if let Some(record) = audit_record(subject, judged, ruling, (self.clock)(), keep_for) {
            self.audits.push(record);
        }
    }

    /// Exempt Pods are let in at once; their images are still looked at, so that the audit says what runs.
    fn audit_exempt(self: &Arc<Self>, subject: AuditSubject, images: &[Cow<'_, str>]) {
        let images: Vec<Cow<'static, str>> =
            images.iter().map(|image| Cow::Owned(image.to_string())).collect();
        let permit = Arc::clone(&self.background).try_acquire_owned().ok();
        let reviewer = Arc::clone(self);
        // Without a permit there is no waiting: the audit says what is known at this moment.
        let time = if permit.is_some() { BACKGROUND_TIME } else { Duration::ZERO };
        self.tasks.spawn(async move {
            let _permit = permit;
            let deadline = Instant::now() + time;
            let judged = tokio::select! {
                judged = reviewer.judge_images(&images, deadline) => judged,
                // No audit is lost to a shutdown: it then says what is known at this moment.
                () = reviewer.shutdown.cancelled() => reviewer.judge_images(&images, Instant::now()).await,
            };
            reviewer.audit(&subject, &judged, Ruling::Whitelisted);
        });
    }
}

enum LookedUp {
    Known(JudgedImage),
    Missing { written: String, reference: ImageReference },
}

fn message_subject(subject: &AuditSubject) -> MessageSubject<'_> {
    MessageSubject { release: &subject.release, has_owner: subject.owner.is_some() }
}

#[cfg(test)]
#[path = "reviewer_tests.rs"]
mod tests;
