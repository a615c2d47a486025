//! The listener for monitoring: numbers, alive, ready.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// Whether the parts behind a listener can serve, and if not, why.
pub type Readiness = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

/// The numbers of the program, in the text form of OpenMetrics.
pub type MetricsText = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = String> + Send>> + Send + Sync>;

/// The routes of the listener for monitoring.
pub fn monitoring_router(metrics: MetricsText, readiness: Readiness) -> Router {
    Router::new()
        .route("/metrics", get(metrics_text).with_state(metrics))
        .route("/healthz", get(super::root::alive))
        .route("/readyz", get(|State(readiness): State<Readiness>| async move { is_ready(&readiness).await }))
        .fallback(unknown)
        .with_state(readiness)
        .layer(axum::middleware::from_fn_with_state("monitoring", telemetry::guard))
}

async fn metrics_text(State(metrics): State<MetricsText>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], metrics().await).into_response()
}

async fn unknown() -> Response {
    (StatusCode::NOT_FOUND, "there is only /metrics, /healthz and /readyz here\n").into_response()
}

pub(super) async fn is_ready(readiness: &Readiness) -> Response {
    match readiness().await {
        Ok(()) => "ok\n".into_response(),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use tower::ServiceExt as _;

    use super::*;

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
}
