//! What tests of this crate share: a verdict source with fixed answers, and a reviewer on top of it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use model::{Digest, Severity};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::audit_writer::{AuditLimits, AuditQueue};
use crate::audits::AuditRecord;
use crate::cache::{VerdictBook, VerdictLimits};
use crate::index::ClusterIndex;
use crate::metrics::Metrics;
use crate::reviewer::Reviewer;
use crate::settings::DecisionSettings;
use crate::source::{SourceState, Verdict, VerdictError, VerdictQuestion, VerdictReason, VerdictSource};

pub(crate) fn now() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

pub(crate) fn digest(byte: u8) -> Digest {
    Digest::from_sha256(&[byte; 32])
}

pub(crate) fn reason(vulnerability: &str, severity: Severity, fixed_in: Option<&str>) -> VerdictReason {
    VerdictReason {
        gate: "vulnerabilities".to_owned(),
        trigger: "package".to_owned(),
        message: format!("{vulnerability} in openssl"),
        vulnerability: Some(vulnerability.to_owned()),
        package: Some("openssl".to_owned()),
        installed: Some("1.1.1n-0".to_owned()),
        fixed_in: fixed_in.map(str::to_owned),
        severity: Some(severity),
    }
}

pub(crate) fn verdict(is_pass: bool, reasons: Vec<VerdictReason>, warnings: Vec<VerdictReason>) -> Verdict {
    Verdict {
        digest: digest(7),
        resolved_at: now(),
        is_pass,
        policy_id: "reject_high".to_owned(),
        policy_revision: "p1".to_owned(),
        database_revision: "d1".to_owned(),
        reasons,
        warnings,
        evaluated_at: now(),
    }
}

/// How the source answers about an image.
#[derive(Clone)]
pub(crate) enum Behaviour {
    Pass,
    Refuse,
    Fail(VerdictError),
    /// Passes after a while.
    Slow(Duration),
    Panic,
}

/// Answers as told; an image that nobody told about does not exist.
#[derive(Default)]
pub(crate) struct FixedSource {
    pub(crate) behaviours: Mutex<BTreeMap<String, Behaviour>>,
    pub(crate) questions: AtomicUsize,
}

impl FixedSource {
    pub(crate) fn set(&self, image: &str, behaviour: Behaviour) {
        let reference: model::ImageReference = image.parse().unwrap();
        self.behaviours.lock().unwrap().insert(reference.to_string(), behaviour);
    }

    pub(crate) fn questions_count(&self) -> usize {
        self.questions.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl VerdictSource for FixedSource {
    async fn verdict(&self, question: &VerdictQuestion) -> Result<Verdict, VerdictError> {
        self.questions.fetch_add(1, Ordering::SeqCst);
        let behaviour = self.behaviours.lock().unwrap().get(&question.reference.to_string()).cloned();
        match behaviour.unwrap_or(Behaviour::Fail(VerdictError::NotFound)) {
            Behaviour::Pass => Ok(verdict(true, Vec::new(), Vec::new())),
            Behaviour::Refuse => Ok(verdict(
                false,
                vec![reason("CVE-2026-1", Severity::Critical, Some("1.1.1n-1"))],
                Vec::new(),
            )),
            Behaviour::Fail(error) => Err(error),
            Behaviour::Slow(time) => {
                tokio::time::sleep(time).await;
                Ok(verdict(true, Vec::new(), Vec::new()))
            }
            Behaviour::Panic => panic!("the source panics, as told"),
        }
    }

    async fn state(&self) -> Result<SourceState, VerdictError> {
        Ok(state("p1", None))
    }
}

pub(crate) fn state(policy_revision: &str, bundle: Option<&str>) -> SourceState {
    let bundle = bundle.map(|id| {
        let predefined = policy::predefined_bundles().iter().find(|bundle| bundle.id == id).unwrap();
        Arc::new(policy::Bundle::parse(&serde_json::from_str(predefined.json).unwrap()).unwrap())
    });
    SourceState { policy_revision: policy_revision.to_owned(), database_revision: "d1".to_owned(), bundle }
}

/// A reviewer with everything around it.
pub(crate) struct Bench {
    pub(crate) source: Arc<FixedSource>,
    pub(crate) reviewer: Arc<Reviewer>,
    pub(crate) audits: mpsc::Receiver<AuditRecord>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(VerdictLimits::default(), DecisionSettings::default())
    }

    pub(crate) fn with(limits: VerdictLimits, settings: DecisionSettings) -> Self {
        let source = Arc::new(FixedSource::default());
        let metrics = Arc::new(Metrics::default());
        let (queue, audits) = AuditQueue::new(&AuditLimits::default(), Arc::clone(&metrics));
        let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
        let dynamic: Arc<dyn VerdictSource> = Arc::<FixedSource>::clone(&source);
        let book = Arc::new(VerdictBook::new(
            dynamic,
            limits,
            Arc::clone(&metrics),
            tasks.clone(),
            shutdown.clone(),
        ));
        book.set_state(state("p1", None));
        let index = Arc::new(ClusterIndex::default());
        index.replace_items(&[]);
        index.replace_namespaces(std::iter::empty());
        let reviewer = Arc::new(Reviewer {
            index,
            book,
            audits: queue,
            background: Arc::new(Semaphore::new(settings.background_max)),
            settings,
            audits_keep_for: Duration::from_secs(3_600),
            metrics,
            clock: now,
            tasks,
            shutdown,
        });
        Self { source, reviewer, audits }
    }

    /// The `response` of a review.
    pub(crate) async fn review(&self, body: &str) -> serde_json::Value {
        let started = tokio::time::Instant::now();
        let timeout = Some(Duration::from_secs(10));
        let bytes = self.reviewer.review(body.as_bytes(), started, timeout).await.unwrap();
        let mut review: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(review["kind"], "AdmissionReview");
        assert!(review.get("request").is_none());
        review["response"].take()
    }
}

/// A review that creates a Pod `shop/web` with these images and labels.
pub(crate) fn create_pod(images: &[&str], labels: serde_json::Value) -> serde_json::Value {
    let containers: Vec<_> =
        images.iter().map(|image| serde_json::json!({ "name": "c", "image": image })).collect();
    serde_json::json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "u-1", "kind": { "group": "", "version": "v1", "kind": "Pod" },
            "name": "web", "namespace": "shop", "operation": "CREATE", "dryRun": false,
            "object": {
                "metadata": { "name": "web", "namespace": "shop", "uid": "pod-uid", "labels": labels },
                "spec": { "containers": containers },
            },
            "oldObject": null,
        },
    })
}
