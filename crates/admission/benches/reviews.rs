//! Reviews per second for an image whose verdict is known, against a bare TLS echo of the same bytes.
//!
//! Client, server and echo share one runtime, so both sides pay for the client alike; the ratio is what counts.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use admission::audit_writer::{AuditLimits, AuditQueue};
use admission::cache::{VerdictBook, VerdictLimits};
use admission::certificate::CertificateSlot;
use admission::certificate_store::CertificateKeeper;
use admission::metrics::Metrics;
use admission::review_gate::ReviewGate;
use admission::reviewer::Reviewer;
use admission::server::{ServerState, serve_reviews};
use admission::settings::{DecisionSettings, ServerLimits};
use admission::{CertificateSource, SourceState, Verdict, VerdictError, VerdictQuestion, VerdictSource};
use async_trait::async_trait;
use jiff::Timestamp;
use model::Digest;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const CONNECTIONS: usize = 16;
const ROUNDS: usize = 5;
const ROUND_TIME: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = runtime.map_err(Failure::from).and_then(|runtime| runtime.block_on(compare()));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Answers at once, and only once: everything after that comes from the cache.
struct KnownImage(AtomicU64);

#[async_trait]
impl VerdictSource for KnownImage {
    async fn verdict(&self, question: &VerdictQuestion) -> Result<Verdict, VerdictError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let digest = question.reference.digest().cloned().ok_or(VerdictError::NotFound)?;
        Ok(Verdict {
            digest,
            resolved_at: now(),
            is_pass: true,
            policy_id: "bench".to_owned(),
            policy_revision: "1".to_owned(),
            database_revision: "1".to_owned(),
            reasons: Vec::new(),
            warnings: Vec::new(),
            evaluated_at: now(),
        })
    }

    async fn state(&self) -> Result<SourceState, VerdictError> {
        Ok(SourceState { policy_revision: "1".to_owned(), database_revision: "1".to_owned(), bundle: None })
    }
}

fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

async fn compare() -> Result<(), Failure> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let folder = tempfile::tempdir()?;
    let host_names = vec!["127.0.0.1".to_owned()];
    let source = CertificateSource::Folder { path: folder.path().to_owned(), host_names };
    let slot = Arc::new(CertificateSlot::default());
    let keeper = CertificateKeeper {
        source,
        client: None,
        webhook_configuration: None,
        slot: Arc::clone(&slot),
        // A certificate is not valid at the epoch.
        clock: today,
    };
    let mut served = None;
    keeper.keep(&mut served).await?;
    let authorities = served.and_then(|served| served.authorities).ok_or("there is no authority")?;
    let connector = connector(&authorities)?;

    let known = Arc::new(KnownImage(AtomicU64::new(0)));
    let webhook = start_webhook(Arc::clone(&known), Arc::clone(&slot)).await?;
    let request = request();
    let echo = start_echo(slot, request.len()).await?;

    let mut rates = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        rates[0].push(rate(echo, &connector, &request, Answer::SameLength).await?);
        rates[1].push(rate(webhook, &connector, &request, Answer::Http).await?);
    }
    if known.0.load(Ordering::Relaxed) > CONNECTIONS as u64 {
        return Err("verdicts did not come from the cache".into());
    }
    let medians = rates.each_mut().map(|rates| {
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    });
    let mut output = std::io::stdout().lock();
    writeln!(
        output,
        "reviews of a known digest over TLS, {} byte requests, {CONNECTIONS} connections, {ROUNDS} rounds of {ROUND_TIME:?}",
        request.len()
    )?;
    writeln!(output, "  bare TLS echo      median {:>8.0} per second", medians[0])?;
    writeln!(output, "  admission webhook  median {:>8.0} per second", medians[1])?;
    writeln!(output, "  ratio of medians   {:.2}", medians[1] / medians[0])?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a certificate is only good today")]
fn today() -> Timestamp {
    Timestamp::now()
}

fn connector(authorities: &str) -> Result<TlsConnector, Failure> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authorities.as_bytes()) {
        roots.add(certificate?)?;
    }
    let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

async fn start_webhook(
    source: Arc<KnownImage>,
    certificate: Arc<CertificateSlot>,
) -> Result<std::net::SocketAddr, Failure> {
    let metrics = Arc::new(Metrics::default());
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let (audits, mut queue) = AuditQueue::new(&AuditLimits::default(), Arc::clone(&metrics));
    // Audits are taken off the queue as the writer does; writing them is not part of an answer.
    tokio::spawn(async move { while queue.recv().await.is_some() {} });
    let book = Arc::new(VerdictBook::new(
        Arc::clone(&source) as Arc<dyn VerdictSource>,
        VerdictLimits::default(),
        Arc::clone(&metrics),
        tasks.clone(),
        stop.clone(),
    ));
    book.set_state(source.state().await?);
    let settings = DecisionSettings::default();
    let reviewer = Arc::new(Reviewer {
        index: Arc::default(),
        book,
        audits,
        audits_keep_for: Duration::from_secs(60),
        background: Arc::new(Semaphore::new(settings.background_max)),
        settings,
        metrics,
        clock: now,
        tasks,
        shutdown: stop.clone(),
    });
    let limits = ServerLimits::default();
    let state = Arc::new(ServerState {
        reviewer,
        certificate,
        gate: ReviewGate::new(&limits),
        limits,
        is_stopping: AtomicBool::new(false),
    });
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(serve_reviews(listener, state, stop));
    Ok(address)
}

/// Sends back as many bytes as came in, and knows nothing else.
async fn start_echo(
    certificate: Arc<CertificateSlot>,
    length: usize,
) -> Result<std::net::SocketAddr, Failure> {
    let acceptor = TlsAcceptor::from(certificate.server_config());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                stream.set_nodelay(true)?;
                let mut stream = acceptor.accept(stream).await?;
                let mut buffer = vec![0; length];
                loop {
                    stream.read_exact(&mut buffer).await?;
                    stream.write_all(&buffer).await?;
                    stream.flush().await?;
                }
                #[expect(unreachable_code, reason = "gives the block its type")]
                Ok::<(), std::io::Error>(())
            });
        }
    });
    Ok(address)
}

#[derive(Clone, Copy)]
enum Answer {
    SameLength,
    Http,
}

/// Answers per second over all connections.
async fn rate(
    address: std::net::SocketAddr,
    connector: &TlsConnector,
    request: &Arc<Vec<u8>>,
    answer: Answer,
) -> Result<f64, Failure> {
    let mut clients = tokio::task::JoinSet::new();
    let began = Instant::now();
    for _ in 0..CONNECTIONS {
        let (connector, request) = (connector.clone(), Arc::clone(request));
        clients.spawn(async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let name = ServerName::try_from("127.0.0.1").map_err(std::io::Error::other)?;
            let mut stream = connector.connect(name, stream).await?;
            let mut buffer = vec![0; 64 * 1024];
            let mut count = 0_u64;
            while began.elapsed() < ROUND_TIME {
                stream.write_all(&request).await?;
                stream.flush().await?;
                match answer {
                    Answer::SameLength => {
                        stream.read_exact(&mut buffer[..request.len()]).await?;
                    }
                    Answer::Http => read_allowed(&mut stream, &mut buffer).await?,
                }
                count += 1;
            }
            Ok::<u64, std::io::Error>(count)
        });
    }
    let mut total = 0;
    while let Some(count) = clients.join_next().await {
        total += count??;
    }
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more digits")]
    Ok(total as f64 / began.elapsed().as_secs_f64())
}

async fn read_allowed(
    stream: &mut tokio_rustls::client::TlsStream<TcpStream>,
    buffer: &mut [u8],
) -> std::io::Result<()> {
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await?;
        if read == 0 {
            return Err(std::io::Error::other("the webhook hung up"));
        }
        filled += read;
        let text = std::str::from_utf8(&buffer[..filled]).map_err(std::io::Error::other)?;
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .lines()
            .find_map(|line| {
                line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            })
            .and_then(|(_, length)| length.parse::<usize>().ok())
            .ok_or_else(|| std::io::Error::other("an answer without a length"))?;
        if body.len() < length {
            continue;
        }
        if !head.starts_with("HTTP/1.1 200") || !body.contains("\"allowed\":true") {
            return Err(std::io::Error::other(format!("refused: {text}")));
        }
        return Ok(());
    }
}

/// One review of a Pod of ordinary size, as the API server sends it.
fn request() -> Arc<Vec<u8>> {
    let image = format!("registry.example.org/team/app@{}", Digest::from_sha256(&[7; 32]));
    let environment = (0..20)
        .map(|number| format!(r#"{{"name":"SETTING_{number}","value":"some value of ordinary length"}}"#))
        .collect::<Vec<_>>()
        .join(",");
    let body = format!(
        r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{{"uid":"705ab4f5-6393-11e8-b7cc-42010a800002","kind":{{"group":"","version":"v1","kind":"Pod"}},"resource":{{"group":"","version":"v1","resource":"pods"}},"requestKind":{{"group":"","version":"v1","kind":"Pod"}},"requestResource":{{"group":"","version":"v1","resource":"pods"}},"name":"app","namespace":"default","operation":"CREATE","userInfo":{{"username":"system:serviceaccount:kube-system:replicaset-controller","groups":["system:serviceaccounts","system:authenticated"]}},"object":{{"kind":"Pod","apiVersion":"v1","metadata":{{"name":"app","namespace":"default","uid":"11111111-2222-3333-4444-555555555555","labels":{{"app":"app","app.kubernetes.io/instance":"app"}}}},"spec":{{"containers":[{{"name":"main","image":"{image}","env":[{environment}],"resources":{{"limits":{{"memory":"64Mi"}}}},"imagePullPolicy":"IfNotPresent"}}],"restartPolicy":"Always"}},"status":{{}}}},"oldObject":null,"dryRun":false,"options":{{"kind":"CreateOptions","apiVersion":"meta.k8s.io/v1"}}}}}}"#
    );
    let head = format!(
        "POST /imagecheck?timeout=10s HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    Arc::new([head.as_bytes(), body.as_bytes()].concat())
}
