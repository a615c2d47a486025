//! The listener for people and clients of many clusters.
//!
//! It answers what a load balancer, a browser and a client's first probe ask: is it alive, is it ready, which version,
//! and where is everything else. Organizations, secrets and clusters join it here.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;

/// What the program tells about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramFacts {
    /// Version of the program.
    pub version: String,
    /// Where the engine API listens: `http://127.0.0.1:8228/v1`.
    pub engine_url: String,
}

/// Whether the parts behind this listener can serve, and if not, why.
pub type Readiness = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

#[derive(Clone)]
struct Shared {
    facts: Arc<ProgramFacts>,
    readiness: Readiness,
}

#[derive(Serialize)]
struct VersionJson<'a> {
    version: &'a str,
    os: &'a str,
    arch: &'a str,
}

#[derive(Serialize)]
struct ProblemJson<'a> {
    code: u16,
    message: &'a str,
}

/// The numbers of the program, in the text form of OpenMetrics.
pub type MetricsText = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = String> + Send>> + Send + Sync>;

/// The routes of the listener for monitoring: numbers, alive, ready.
pub fn monitoring_router(metrics: MetricsText, readiness: Readiness) -> Router {
    Router::new()
        .route("/metrics", get(metrics_text).with_state(metrics))
        .route("/healthz", get(health))
        .route("/readyz", get(|State(readiness): State<Readiness>| async move { is_ready(&readiness).await }))
        .fallback(unknown_to_monitoring)
        .with_state(readiness)
}

async fn metrics_text(State(metrics): State<MetricsText>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], metrics().await).into_response()
}

async fn unknown_to_monitoring() -> Response {
    (StatusCode::NOT_FOUND, "there is only /metrics, /healthz and /readyz here\n").into_response()
}

/// The routes of this listener.
pub fn router(facts: ProgramFacts, readiness: Readiness) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/version", get(version))
        .route("/healthz", get(health))
        .route("/readyz", get(ready))
        .fallback(unknown)
        .with_state(Shared { facts: Arc::new(facts), readiness })
}

async fn index(State(shared): State<Shared>) -> Response {
    let text = format!(
        "Lazaret {}\n\nMay this image run here?\n\nengine API: {}\nversion:    /version\nalive:      /healthz\nready:      /readyz\n",
        shared.facts.version, shared.facts.engine_url
    );
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

async fn version(State(shared): State<Shared>) -> Response {
    Json(VersionJson {
        version: &shared.facts.version,
        os: std::env::consts::OS,
        arch: std::env::consts::ARCH,
    })
    .into_response()
}

async fn health() -> &'static str {
    "ok\n"
}

async fn ready(State(shared): State<Shared>) -> Response {
    is_ready(&shared.readiness).await
}

async fn is_ready(readiness: &Readiness) -> Response {
    match readiness().await {
        Ok(()) => "ok\n".into_response(),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
    }
}

async fn unknown() -> Response {
    let problem =
        ProblemJson { code: 404, message: "there is nothing at this address; `/` lists what there is" };
    (StatusCode::NOT_FOUND, Json(problem)).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use tower::ServiceExt as _;

    use super::*;

    async fn ask(path: &str, readiness: Result<(), String>) -> (StatusCode, String) {
        let facts = ProgramFacts { version: "1.2.3".into(), engine_url: "http://127.0.0.1:8228/v1".into() };
        let router = router(facts, Arc::new(move || Box::pin(std::future::ready(readiness.clone()))));
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), 1 << 16).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn it_says_what_it_is_and_where_the_engine_listens() {
        let (status, text) = ask("/", Ok(())).await;
        assert_eq!(status, StatusCode::OK);
        assert!(text.contains("Lazaret 1.2.3") && text.contains("http://127.0.0.1:8228/v1"), "{text}");
        let (status, text) = ask("/version", Ok(())).await;
        assert_eq!(status, StatusCode::OK);
        assert!(text.contains("\"version\":\"1.2.3\""), "{text}");
    }

    #[tokio::test]
    async fn alive_and_ready_are_two_things() {
        let broken = || Err("the database is locked".to_owned());
        assert_eq!(ask("/healthz", broken()).await.0, StatusCode::OK);
        assert_eq!(ask("/readyz", Ok(())).await.0, StatusCode::OK);
        let (status, text) = ask("/readyz", broken()).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(text.contains("locked"), "{text}");
    }

    #[tokio::test]
    async fn monitoring_has_numbers_health_and_readiness() {
        let metrics: MetricsText = Arc::new(|| Box::pin(std::future::ready("x 1\n# EOF\n".to_owned())));
        let readiness: Readiness = Arc::new(|| Box::pin(std::future::ready(Err("no tables".to_owned()))));
        let router = monitoring_router(metrics, readiness);
        for (path, status, part) in [
            ("/metrics", StatusCode::OK, "x 1\n# EOF\n"),
            ("/healthz", StatusCode::OK, "ok"),
            ("/readyz", StatusCode::SERVICE_UNAVAILABLE, "no tables"),
            ("/v1/images", StatusCode::NOT_FOUND, "/metrics"),
        ] {
            let request = Request::get(path).body(Body::empty()).unwrap();
            let response = router.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), status, "{path}");
            let body = to_bytes(response.into_body(), 1 << 16).await.unwrap();
            let text = String::from_utf8(body.to_vec()).unwrap();
            assert!(text.contains(part), "{path}: {text}");
        }
    }

    #[tokio::test]
    async fn other_addresses_answer_json() {
        let (status, text) = ask("/api/v1/orgs", Ok(())).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert!(text.contains("\"code\":404"), "{text}");
    }
}
