//! The listeners, over real connections.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::certificate::{Material, Plan, certified_key, renew};
use crate::review::REVIEW_BYTES_MAX;
use crate::test_support::{Behaviour, Bench, ask, connect_from, connect_trusting, create_pod};

struct Served {
    bench: Bench,
    state: Arc<ServerState>,
    reviews: SocketAddr,
    health: SocketAddr,
    material: Material,
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

fn material() -> Material {
    // Clients check the dates by the real clock.
    let today = jiff::Timestamp::UNIX_EPOCH + std::time::UNIX_EPOCH.elapsed().unwrap();
    renew(Plan::RenewAuthority, None, &["admission.test".to_owned()], today).unwrap()
}

async fn serve_with(limits: ServerLimits) -> Served {
    let bench = Bench::new();
    bench.source.set("good", Behaviour::Pass);
    bench.source.set("bad", Behaviour::Refuse);
    bench.source.set("slow", Behaviour::Slow(Duration::from_millis(600)));
    let material = material();
    let certificate = Arc::new(CertificateSlot::default());
    certificate.set(certified_key(&material.certificate, &material.key).unwrap());
    let state = Arc::new(ServerState {
        reviewer: Arc::clone(&bench.reviewer),
        certificate,
        gate: ReviewGate::new(&limits),
        limits,
        is_stopping: AtomicBool::new(false),
    });
    let reviews = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let health = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addresses = (reviews.local_addr().unwrap(), health.local_addr().unwrap());
    let (shutdown, tasks) = (CancellationToken::new(), TaskTracker::new());
    tasks.spawn(serve_reviews(reviews, Arc::clone(&state), shutdown.clone()));
    tasks.spawn(serve_health(health, Arc::clone(&state), shutdown.clone()));
    tasks.close();
    Served { bench, state, reviews: addresses.0, health: addresses.1, material, shutdown, tasks }
}

async fn serve() -> Served {
    serve_with(ServerLimits::default()).await
}

async fn post(served: &Served, path: &str, body: &[u8]) -> (u16, String) {
    let stream = connect_trusting(served.reviews, &served.material.authorities).await.unwrap();
    ask(stream, "POST", path, body).await
}

async fn get_health(served: &Served, path: &str) -> (u16, String) {
    ask(TcpStream::connect(served.health).await.unwrap(), "GET", path, b"").await
}

#[tokio::test]
async fn reviews_are_answered_over_tls() {
    let served = serve().await;
    let body = create_pod(&["bad"], json!({})).to_string();
    let (status, answer) = post(&served, "/imagecheck?timeout=10s", body.as_bytes()).await;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!((status, &answer["response"]["allowed"]), (200, &json!(false)));
    let good = create_pod(&["good"], json!({})).to_string();
    let (_, answer) = post(&served, "/imagecheck", good.as_bytes()).await;
    assert_eq!(
        serde_json::from_str::<Value>(&answer).unwrap(),
        json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "response": { "uid": "u-1", "allowed": true },
        })
    );
    let stream = connect_trusting(served.reviews, &served.material.authorities).await.unwrap();
    assert_eq!(ask(stream, "GET", "/imagecheck", b"").await, (200, String::new()));
    assert_eq!(post(&served, "/imagecheck", b"").await, (400, "empty body".to_owned()));
    assert_eq!(post(&served, "/other", b"{}").await.0, 404);
    let (status, text) = post(&served, "/imagecheck", b"{").await;
    assert_eq!(status, 400);
    assert!(text.starts_with("body is not an AdmissionReview in JSON: EOF"), "{text}");
    let (status, text) = post(&served, "/imagecheck", &vec![b' '; REVIEW_BYTES_MAX + 1]).await;
    assert_eq!((status, text.as_str()), (413, "body has more than 3145728 bytes"));
    assert_eq!(post(&served, "/imagecheck", &vec![b' '; REVIEW_BYTES_MAX]).await.0, 400);
}

#[tokio::test]
async fn the_time_of_the_request_is_kept() {
    let served = serve().await;
    let body = create_pod(&["slow"], json!({})).to_string();
    let (_, answer) = post(&served, "/imagecheck?timeout=400ms", body.as_bytes()).await;
    assert!(answer.contains("not decided"), "{answer}");
    let (_, answer) = post(&served, "/imagecheck?x=y&timeout=10s", body.as_bytes()).await;
    assert!(answer.contains("\"allowed\":true"), "{answer}");
}

#[tokio::test]
async fn a_new_certificate_is_used_without_a_pause() {
    let served = serve().await;
    let other = material();
    assert!(connect_trusting(served.reviews, &other.authorities).await.is_err(), "not trusted before");
    let open = connect_trusting(served.reviews, &served.material.authorities).await.unwrap();
    served.state.certificate.set(certified_key(&other.certificate, &other.key).unwrap());
    let fresh = connect_trusting(served.reviews, &other.authorities).await.unwrap();
    let body = create_pod(&["good"], json!({})).to_string();
    for stream in [open, fresh] {
        assert_eq!(ask(stream, "POST", "/imagecheck", body.as_bytes()).await.0, 200);
    }
    assert!(
        connect_trusting(served.reviews, &served.material.authorities).await.is_err(),
        "the old one is gone"
    );
}

#[tokio::test]
async fn readiness_follows_certificate_index_and_shutdown() {
    let served = serve().await;
    assert_eq!(get_health(&served, "/healthz").await, (200, "ok".to_owned()));
    assert_eq!(get_health(&served, "/readyz").await, (200, "ok".to_owned()));
    let (status, text) = get_health(&served, "/metrics").await;
    assert_eq!(status, 200);
    assert!(text.contains("lazaret_admission_reviews_total{outcome=\"allowed\"} 0\n"), "{text}");
    served.state.is_stopping.store(true, Ordering::Relaxed);
    assert_eq!(get_health(&served, "/readyz").await, (503, "stopping".to_owned()));

    let empty = ServerState {
        reviewer: Arc::clone(&served.bench.reviewer),
        certificate: Arc::default(),
        limits: ServerLimits::default(),
        gate: ReviewGate::new(&ServerLimits::default()),
        is_stopping: AtomicBool::new(false),
    };
    assert_eq!(ready(State(Arc::new(empty))).await.unwrap_err().1, "no certificate yet");
}

#[tokio::test]
async fn who_sends_nothing_is_cut_off() {
    let limits = ServerLimits {
        handshake_time: Duration::from_millis(100),
        header_time: Duration::from_millis(100),
        body_time: Duration::from_millis(100),
        ..ServerLimits::default()
    };
    let served = serve_with(limits).await;
    let wait = async |mut stream: Box<dyn Stream>, sent: &[u8]| {
        stream.write_all(sent).await.unwrap();
        let mut rest = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut rest)).await;
        assert!(read.is_ok(), "the server must end this connection: {:?}", String::from_utf8_lossy(sent));
        String::from_utf8_lossy(&rest).into_owned()
    };
    wait(Box::new(TcpStream::connect(served.reviews).await.unwrap()), b"").await;
    wait(Box::new(TcpStream::connect(served.reviews).await.unwrap()), b"GET / HTTP/1.1\r\n\r\n").await;
    assert_eq!(served.bench.reviewer.metrics.connections_failed.get(), 2);
    let tls = async || connect_trusting(served.reviews, &served.material.authorities).await.unwrap();
    // Nothing, and the beginning of what a client of HTTP/2 says.
    wait(Box::new(tls().await), b"").await;
    wait(Box::new(tls().await), b"PRI * HTTP/2.0\r\n").await;
    wait(Box::new(tls().await), b"POST /imagecheck HTTP/1.1\r\nhost: a").await;
    let half = b"POST /imagecheck HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 10\r\n\r\n{";
    let answer = wait(Box::new(tls().await), half).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

#[tokio::test]
async fn too_many_reviews_are_turned_away_at_once() {
    let served = serve_with(ServerLimits { reviews_max: 1, ..ServerLimits::default() }).await;
    let slow = create_pod(&["slow"], json!({})).to_string();
    let good = create_pod(&["good"], json!({})).to_string();
    let first = post(&served, "/imagecheck", slow.as_bytes());
    let second = async {
        while served.state.gate.reviews.available_permits() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        post(&served, "/imagecheck", good.as_bytes()).await
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!((first.0, second), (200, (503, "too many reviews are open".to_owned())));
    assert_eq!(post(&served, "/imagecheck", good.as_bytes()).await.0, 200);
}

#[tokio::test]
async fn connections_over_the_limit_wait_for_a_place() {
    let served = serve_with(ServerLimits { connections_max: 1, ..ServerLimits::default() }).await;
    let first = connect_trusting(served.reviews, &served.material.authorities).await.unwrap();
    let second = connect_trusting(served.reviews, &served.material.authorities);
    let mut second = std::pin::pin!(second);
    assert!(tokio::time::timeout(Duration::from_millis(200), second.as_mut()).await.is_err());
    drop(first);
    tokio::time::timeout(Duration::from_secs(5), second).await.unwrap().unwrap();
}

#[tokio::test]
async fn open_reviews_finish_before_the_server_does() {
    let served = serve().await;
    let body = create_pod(&["slow"], json!({})).to_string();
    let idle = connect_trusting(served.reviews, &served.material.authorities).await.unwrap();
    let review = post(&served, "/imagecheck", body.as_bytes());
    let stop = async {
        while served.bench.source.questions_count() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        served.shutdown.cancel();
    };
    let ((status, answer), ()) = tokio::join!(review, stop);
    assert_eq!(status, 200);
    assert!(answer.contains("\"allowed\":true"), "{answer}");
    tokio::time::timeout(Duration::from_secs(5), served.tasks.wait()).await.unwrap();
    assert!(TcpStream::connect(served.reviews).await.is_err(), "nobody listens any more");
    drop(idle);
}

#[tokio::test]
async fn a_body_that_does_not_come_takes_no_place_from_others() {
    let served = serve_with(ServerLimits { reviews_max: 1, ..ServerLimits::default() }).await;
    let good = create_pod(&["good"], json!({})).to_string();
    let mut slow = connect_trusting(served.reviews, &served.material.authorities).await.unwrap();
    slow.write_all(b"POST /imagecheck HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{").await.unwrap();
    // Whatever order the two come in: the first never gets as far as to need the place.
    for _ in 0..3 {
        assert_eq!(post(&served, "/imagecheck", good.as_bytes()).await.0, 200);
    }
}

#[tokio::test]
async fn one_source_leaves_connections_and_reviews_to_the_others() {
    let limits = ServerLimits {
        connections_max: 4,
        connections_per_source_max: 2,
        reviews_per_source_max: 1,
        ..ServerLimits::default()
    };
    let served = serve_with(limits).await;
    let authorities = served.material.authorities.clone();
    let from = async |source: &str| connect_from(source, served.reviews, &authorities).await;
    let slow = create_pod(&["slow"], json!({})).to_string();
    let good = create_pod(&["good"], json!({})).to_string();
    let metrics = &served.bench.reviewer.metrics;

    let first = ask(from("127.0.0.1").await.unwrap(), "POST", "/imagecheck", slow.as_bytes());
    let others = async {
        while served.bench.source.questions_count() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let second = from("127.0.0.1").await.unwrap();
        assert!(from("127.0.0.1").await.is_err(), "two connections are open");
        assert_eq!(metrics.connections_refused.get(), 1);
        let refused = ask(second, "POST", "/imagecheck", good.as_bytes()).await;
        assert_eq!(refused, (503, "too many reviews from this address are open".to_owned()));
        let neighbour = from("127.0.0.2").await.unwrap();
        assert_eq!(ask(neighbour, "POST", "/imagecheck", good.as_bytes()).await.0, 200);
    };
    let (first, ()) = tokio::join!(first, others);
    assert_eq!((first.0, metrics.reviews_shed.get()), (200, 1));
    let (_, text) = get_health(&served, "/metrics").await;
    assert!(text.contains("lazaret_admission_connections_refused_total 1\n"), "{text}");
}

#[tokio::test]
async fn bytes_of_bodies_are_bounded_all_together() {
    let served = serve_with(ServerLimits { body_bytes_max: 2_000, ..ServerLimits::default() }).await;
    let (status, text) = post(&served, "/imagecheck", &[b' '; 2_001]).await;
    assert_eq!((status, text.as_str()), (503, "too many bytes of reviews are waiting"));
    assert_eq!(post(&served, "/imagecheck", &[b' '; 2_000]).await.0, 400);
    assert_eq!(post(&served, "/imagecheck", &[b' '; 2_000]).await.0, 400, "they are given back");
}
