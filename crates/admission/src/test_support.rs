//! What tests of this crate share: a verdict source with fixed answers, and a reviewer on top of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use model::{Digest, Severity};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
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

pub(crate) async fn connect_trusting(
    address: SocketAddr,
    authorities: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    connect_from("127.0.0.1", address, authorities).await
}

/// From another address of this machine.
pub(crate) async fn connect_from(
    source: &str,
    address: SocketAddr,
    authorities: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authorities.as_bytes()) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(source.parse().unwrap(), 0))?;
    let stream = socket.connect(address).await?;
    let name = ServerName::try_from("admission.test").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// Sends one request and reads status and body until the server closes.
pub(crate) async fn ask(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    method: &str,
    path: &str,
    body: &[u8],
) -> (u16, String) {
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: admission.test\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // A server that refuses the body may close before it is sent.
    let _ = stream.write_all(body).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer}"));
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// An API server that lists what it is told, as soon as it may; its watches say nothing.
#[derive(Clone)]
pub(crate) struct FakeCluster {
    pub(crate) is_open: tokio::sync::watch::Sender<bool>,
    /// How many pages were asked for.
    pub(crate) pages: Arc<AtomicUsize>,
    pub(crate) namespaces: Vec<serde_json::Value>,
    pub(crate) items: Vec<serde_json::Value>,
    /// Every page is followed by another one.
    pub(crate) is_endless: bool,
}

impl FakeCluster {
    pub(crate) fn new(is_open: bool) -> Self {
        Self {
            is_open: tokio::sync::watch::Sender::new(is_open),
            pages: Arc::default(),
            namespaces: Vec::new(),
            items: Vec::new(),
            is_endless: false,
        }
    }

    pub(crate) async fn start(&self) -> kube::Client {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let router = axum::Router::new().fallback(list).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        kube::Client::try_from(kube::Config::new(url)).unwrap()
    }
}

async fn list(
    axum::extract::State(cluster): axum::extract::State<FakeCluster>,
    request: axum::extract::Request,
) -> axum::response::Response {
    use axum::response::IntoResponse as _;
    let query = request.uri().query().unwrap_or_default();
    if query.contains("watch=") {
        return axum::body::Body::from_stream(
            futures_util::stream::pending::<std::io::Result<bytes::Bytes>>(),
        )
        .into_response();
    }
    cluster.is_open.subscribe().wait_for(|is_open| *is_open).await.unwrap();
    let page = cluster.pages.fetch_add(1, Ordering::SeqCst);
    let items = match request.uri().path().rsplit('/').next() {
        Some("namespaces") => &cluster.namespaces[..],
        Some("whitelistitems") => &cluster.items[..],
        _ => &[],
    };
    let mut items = items.to_vec();
    let mut metadata = serde_json::json!({"resourceVersion": "1"});
    if cluster.is_endless {
        metadata["continue"] = serde_json::json!("more");
        for item in &mut items {
            let name = item["metadata"]["name"].as_str().unwrap_or_default();
            item["metadata"]["name"] = serde_json::json!(format!("{name}-{page}"));
        }
    }
    let list = serde_json::json!({"kind": "List", "apiVersion": "v1", "metadata": metadata, "items": items});
    axum::Json(list).into_response()
}

/// Comes back when the condition holds.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while !is_so().await {
        assert!(tokio::time::Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
