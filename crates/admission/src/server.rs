//! The two listeners: reviews over HTTPS, health and metrics over plain HTTP.
//!
//! The accept loop is our own, because every stage of a connection needs its own limit: how many there are, how long a
//! handshake takes, how long the head of a request takes.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::certificate::CertificateSlot;
use crate::first_bytes::FirstBytes;
use crate::index::parse_duration;
use crate::limits::{Places, Source};
use crate::metrics::Metrics;
use crate::review_gate::{ClusterGate, ReviewGate};
use crate::reviewer::Reviewer;
use crate::settings::ServerLimits;

/// Path of reviews.
pub const REVIEW_PATH: &str = "/imagecheck";

/// What both listeners share.
pub struct ServerState {
    /// Answers reviews.
    pub reviewer: Arc<Reviewer>,
    /// The certificate in use.
    pub certificate: Arc<CertificateSlot>,
    /// Limits.
    pub limits: ServerLimits,
    /// Bounds the reviews.
    pub gate: ReviewGate,
    /// Whether the shutdown has begun, so that no new requests are wanted.
    pub is_stopping: AtomicBool,
}

impl ServerState {
    fn listening(&self) -> Listening {
        Listening { limits: self.limits.clone(), metrics: Arc::clone(&self.reviewer.metrics) }
    }
}

/// What every connection of a listener needs.
#[derive(Clone)]
pub(crate) struct Listening {
    pub(crate) limits: ServerLimits,
    pub(crate) metrics: Arc<Metrics>,
}

/// Serves reviews until `shutdown`, then lets open requests finish for a bounded time.
pub async fn serve_reviews(listener: TcpListener, state: Arc<ServerState>, shutdown: CancellationToken) {
    let acceptor = TlsAcceptor::from(state.certificate.server_config());
    let router = Router::new()
        .route(REVIEW_PATH, any(review))
        .with_state(Arc::clone(&state))
        .layer(middleware::from_fn_with_state("admission", telemetry::guard));
    serve(listener, Some(acceptor), router, state.listening(), shutdown).await;
}

/// Serves `/healthz`, `/readyz` and `/metrics` until `shutdown`.
pub async fn serve_health(listener: TcpListener, state: Arc<ServerState>, shutdown: CancellationToken) {
    let router = Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(Arc::clone(&state))
        .layer(middleware::from_fn_with_state("health", telemetry::guard));
    serve(listener, None, router, state.listening(), shutdown).await;
}

/// Serves these routes until `shutdown`, every connection within the limits.
pub(crate) async fn serve(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    router: Router,
    listening: Listening,
    shutdown: CancellationToken,
) {
    let listening = Arc::new(listening);
    let connections = TaskTracker::new();
    let permits = Arc::new(Semaphore::new(listening.limits.connections_max));
    let sources = Places::new(listening.limits.connections_per_source_max);
    loop {
        let permit = tokio::select! {
            () = shutdown.cancelled() => break,
            permit = Arc::clone(&permits).acquire_owned() => permit,
        };
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Mostly too many open files: it passes when connections end.
                tracing::warn!(error = &error as &dyn std::error::Error, "connection cannot be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let source = Source::of(peer.ip());
        // One that opens too many must not make the others wait for a place.
        let Some(place) = sources.take(source) else {
            listening.metrics.connections_refused.add();
            continue;
        };
        let (acceptor, router) = (acceptor.clone(), router.clone());
        let (listening, shutdown) = (Arc::clone(&listening), shutdown.clone());
        connections.spawn(async move {
            let _permits = (permit, place);
            connect((stream, source), acceptor, router, &listening, shutdown).await;
        });
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(listening.limits.shutdown_time, connections.wait()).await.is_err() {
        tracing::warn!(
            connections.count = connections.len(),
            "connections are cut at the end of the shutdown"
        );
    }
}

async fn connect(
    (stream, source): (TcpStream, Source),
    acceptor: Option<TlsAcceptor>,
    router: Router,
    listening: &Listening,
    shutdown: CancellationToken,
) {
    // Answers are small; waiting to fill a segment only adds latency.
    let _ = stream.set_nodelay(true);
    match acceptor {
        None => exchange((stream, source), router, listening, shutdown).await,
        Some(acceptor) => {
            match tokio::time::timeout(listening.limits.handshake_time, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => exchange((stream, source), router, listening, shutdown).await,
                Ok(Err(_)) | Err(_) => listening.metrics.connections_failed.add(),
            }
        }
    }
}

async fn exchange<S>(
    (stream, source): (S, Source),
    router: Router,
    listening: &Listening,
    shutdown: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stream = FirstBytes::new(stream, listening.limits.header_time);
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(listening.limits.header_time);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(Duration::from_secs(30)))
        .keep_alive_timeout(Duration::from_secs(20))
        .max_concurrent_streams(250);
    let router = router.layer(axum::Extension(source));
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    let is_over = tokio::select! {
        _ = connection.as_mut() => true,
        () = shutdown.cancelled() => false,
    };
    if !is_over {
        connection.as_mut().graceful_shutdown();
        // The one who joins these tasks bounds the time.
        let _ = connection.await;
    }
}

async fn review(State(state): State<Arc<ServerState>>, request: Request) -> Response {
    answer_review(&state.reviewer, (&state.gate, None), &state.limits, request).await
}

/// Answers one request with a review in it, as far as the gates of the listener and of the cluster let it in.
pub(crate) async fn answer_review(
    reviewer: &Arc<Reviewer>,
    (gate, cluster): (&ReviewGate, Option<&ClusterGate>),
    limits: &ServerLimits,
    request: Request,
) -> Response {
    let started = Instant::now();
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return StatusCode::OK.into_response();
    }
    let timeout = request.uri().query().and_then(find_timeout);
    let source = request.extensions().get().copied();
    let admitted = match gate.admit(cluster, source, request.into_body(), limits.body_time).await {
        Ok(admitted) => admitted,
        Err(error) => {
            let metrics = &reviewer.metrics;
            if error.is_overload() {
                metrics.reviews_shed.add()
            } else {
                metrics.reviews_invalid.add()
            }
            return error.into_response();
        }
    };
    match reviewer.review(&admitted.body, started, timeout).await {
        Ok(bytes) => ([(header::CONTENT_TYPE, "application/json")], bytes).into_response(),
        Err(error) => {
            let cause =
                std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            (error.status(), format!("{error}{cause}")).into_response()
        }
    }
}

/// The `timeout` that the API server adds to the URL.
fn find_timeout(query: &str) -> Option<Duration> {
    query.split('&').find_map(|pair| pair.strip_prefix("timeout=")).and_then(parse_duration)
}

async fn ready(State(state): State<Arc<ServerState>>) -> Result<&'static str, (StatusCode, &'static str)> {
    let unready = |why| Err((StatusCode::SERVICE_UNAVAILABLE, why));
    if state.is_stopping.load(Ordering::Relaxed) {
        unready("stopping")
    } else if !state.certificate.is_loaded() {
        unready("no certificate yet")
    } else if !state.reviewer.index.is_synced() {
        unready("whitelist items and namespaces are not listed yet")
    } else {
        Ok("ok")
    }
}

async fn metrics(State(state): State<Arc<ServerState>>) -> Result<Response, Infallible> {
    let text = state.reviewer.metrics.render(&state.reviewer.index);
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
