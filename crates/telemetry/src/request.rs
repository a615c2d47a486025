//! One request from its head to the head of its answer.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

use crate::context::{follow_with_state, rename, trace_id};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Methods that are told apart; a client may invent any number of others.
const METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

/// A request that is being answered. Names of fields follow the conventions of OpenTelemetry.
#[derive(Debug)]
pub struct RequestTrace {
    id: String,
    span: Span,
    method: &'static str,
    began: Instant,
}

impl RequestTrace {
    /// Gives the request an id, and a span that takes over the caller's trace. Only its path is noted: what follows may be secret.
    pub fn begin(listener: &'static str, request: &Request) -> Self {
        let id = uuid::Uuid::new_v4().to_string();
        let known = METHODS.into_iter().find(|known| known == request.method());
        let method = known.map_or("_OTHER", |known| name_of(&known));
        // Whatever the filter of the log lets through, it says which request it is about.
        let span = tracing::error_span!(
            "request",
            listener,
            request.id = id,
            trace.id = Empty,
            http.request.method = method,
            url.path = request.uri().path(),
            http.route = Empty,
            http.response.status_code = Empty,
            otel.kind = "server",
            otel.status_code = Empty,
        );
        let header = |name| header(request.headers(), name);
        follow_with_state(&span, header("traceparent"), header("tracestate"));
        if let Some(trace) = trace_id(&span) {
            span.record("trace.id", trace);
        }
        Self { id, span, method, began: Instant::now() }
    }

    /// What the client gets as `x-request-id`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Everything that is done for the request belongs in it.
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// Notes how it was answered, and says the id. `route` is the pattern that matched, else what [`note_route`] has noted.
    pub fn end(self, route: Option<&str>, response: &mut Response) {
        let Self { id, span, method, began } = self;
        let status = response.status();
        let noted = response.extensions_mut().remove::<MatchedPath>();
        let route = route.or(noted.as_ref().map(MatchedPath::as_str));
        span.record("http.response.status_code", status.as_u16());
        if let Some(route) = route {
            span.record("http.route", route);
            rename(&span, format!("{method} {route}"));
        } else {
            rename(&span, method.to_owned());
        }
        if status.is_server_error() {
            span.record("otel.status_code", "ERROR");
        }
        span.in_scope(|| tracing::debug!(request.duration_ms = began.elapsed().as_millis(), "answered"));
        if let Ok(value) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
    }
}

/// For listeners that need nothing else done with every request. As a layer of a router it knows the route.
pub async fn guard(State(listener): State<&'static str>, request: Request, next: Next) -> Response {
    let trace = RequestTrace::begin(listener, &request);
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).instrument(trace.span().clone()).await;
    trace.end(route.as_ref().map(MatchedPath::as_str), &mut response);
    response
}

/// For routers whose requests begin further outside: remembers in the answer which route it came from.
pub async fn note_route(matched: MatchedPath, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.extensions_mut().insert(matched);
    response
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn name_of(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "_OTHER",
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use axum::routing::get;
    use opentelemetry::trace::{SpanKind, Status, TracerProvider as _};
    use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
    use tower::ServiceExt as _;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    /// The span of one request, and the id that the client got.
    async fn span_of(request: Request<Body>) -> (SpanData, String) {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
        let router = Router::new()
            .route("/users/{name}", get(|| async { crate::trace_parent().unwrap_or_default() }))
            .route("/broken", get(|| async { StatusCode::INTERNAL_SERVER_ERROR }))
            .layer(axum::middleware::from_fn_with_state("test", guard));
        let response = router.oneshot(request).await.unwrap();
        let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
        let span = exporter.get_finished_spans().unwrap().remove(0);
        (span, id)
    }

    fn attribute(span: &SpanData, key: &str) -> String {
        let found = span.attributes.iter().find(|attribute| attribute.key.as_str() == key);
        found.map_or_else(String::new, |attribute| attribute.value.to_string())
    }

    #[tokio::test]
    async fn a_request_is_a_span_of_its_callers_trace() {
        let request = Request::get("/users/anna?token=hidden").header("traceparent", PARENT);
        let (span, id) = span_of(request.body(Body::empty()).unwrap()).await;
        assert_eq!(span.span_context.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(span.parent_span_id.to_string(), "00f067aa0ba902b7");
        assert_eq!((span.name.as_ref(), &span.span_kind), ("GET /users/{name}", &SpanKind::Server));
        assert_eq!(attribute(&span, "http.route"), "/users/{name}");
        assert_eq!(attribute(&span, "http.response.status_code"), "200");
        assert_eq!(attribute(&span, "url.path"), "/users/anna");
        assert_eq!(attribute(&span, "request.id"), id);
        assert_eq!(attribute(&span, "trace.id"), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert!(!format!("{span:?}").contains("hidden"), "{span:?}");
    }

    #[tokio::test]
    async fn what_fails_and_what_is_not_there_is_seen() {
        let (span, _) = span_of(Request::get("/broken").body(Body::empty()).unwrap()).await;
        assert_eq!((span.name.as_ref(), span.status), ("GET /broken", Status::error("")));
        let (span, _) = span_of(Request::get("/nothing").body(Body::empty()).unwrap()).await;
        assert_eq!((span.name.as_ref(), span.status.clone()), ("GET", Status::Unset));
        assert_eq!(attribute(&span, "http.response.status_code"), "404");
        let odd = Request::builder().method("BREW").uri("/users/a").body(Body::empty()).unwrap();
        let (span, _) = span_of(odd).await;
        assert_eq!(span.name.as_ref(), "_OTHER /users/{name}");
    }
}
