//! What happens to every request: its path is put into one form, and whatever breaks ends in an answer.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use telemetry::RequestTrace;
use tracing::Instrument as _;

use super::answer::{ApiError, InternalFault, internal_error};
use crate::metrics::Metrics;

const NOT_FOUND: &str = "The requested URL was not found on the server. \
    If you entered the URL manually please check your spelling and try again.";

/// The pattern that a path matched, for monitoring.
#[derive(Clone)]
struct Route(String);

/// Remembers in the answer which route it came from.
pub(super) async fn note_route(matched: MatchedPath, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.extensions_mut().insert(Route(matched.as_str().to_owned()));
    response
}

/// Gives the request an id that is on every line of the log, counts it, and turns a panic or an inner fault into an answer
/// that names only this id.
pub(super) async fn guard(State(metrics): State<Metrics>, request: Request, next: Next) -> Response {
    let (method, began) = (request.method().clone(), Instant::now());
    let trace = RequestTrace::begin("engine", &request);
    let answered = answer(request, next, trace.id()).instrument(trace.span().clone());
    let mut response = answered.await;
    let route = response.extensions_mut().remove::<Route>().map(|Route(route)| route);
    let status = response.status().as_u16();
    metrics.request(route.as_deref().unwrap_or("none"), method.as_str(), status, began.elapsed());
    trace.end(route.as_deref(), &mut response);
    response
}

async fn answer(request: Request, next: Next, id: &str) -> Response {
    let mut response = match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_) => {
            tracing::error!("a handler panicked");
            internal_error(id)
        }
    };
    if let Some(InternalFault(text)) = response.extensions_mut().remove::<InternalFault>() {
        tracing::error!(error = text, "request failed");
        response = internal_error(id);
    }
    // The router's list knows neither blanks nor the question itself.
    let methods = response.headers().get(header::ALLOW).and_then(|value| value.to_str().ok());
    if let Some(methods) = methods.map(|methods| format!("{},OPTIONS", methods.trim_end_matches(','))) {
        let list = methods.split(',').map(str::trim).collect::<Vec<_>>().join(", ");
        if let Ok(value) = HeaderValue::from_str(&list) {
            response.headers_mut().insert(header::ALLOW, value);
        }
    }
    response
}

/// Puts the path into one form before routing: decoded as a whole, so that `%2F` splits like `/`, as the API has always
/// done it; without empty segments, a trailing slash or the `/v1` in front; and encoded again for the router.
pub(super) fn normalize_path(mut request: Request) -> Request {
    let path = normalized(request.uri().path());
    let text = match request.uri().query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    if let Ok(uri) = text.parse::<Uri>() {
        *request.uri_mut() = uri;
    }
    request
}

fn normalized(path: &str) -> String {
    // A character that no database keeps in a text names nothing.
    let decoded = String::from_utf8_lossy(&percent_decode(path)).replace('\0', "\u{FFFD}");
    let mut segments: Vec<&str> = decoded.split('/').filter(|segment| !segment.is_empty()).collect();
    if segments.first() == Some(&"v1") {
        segments.remove(0);
    }
    format!("/{}", segments.iter().map(|segment| percent_encode(segment)).collect::<Vec<_>>().join("/"))
}

/// A `%` without two hex digits behind it stands for itself.
fn percent_decode(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut position = 0;
    while let Some(&byte) = bytes.get(position) {
        let hex = bytes.get(position + 1..position + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        let value = hex
            .filter(|hex| byte == b'%' && hex.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        decoded.push(value.unwrap_or(byte));
        position += if value.is_some() { 3 } else { 1 };
    }
    decoded
}

fn percent_encode(segment: &str) -> String {
    use std::fmt::Write as _;
    segment.bytes().fold(String::with_capacity(segment.len()), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':') {
            text.push(char::from(byte));
        } else {
            write!(text, "%{byte:02X}").expect("writing to a String cannot fail");
        }
        text
    })
}

/// For routes that are not there; answered before anybody is asked who he is.
pub(super) async fn not_found() -> ApiError {
    ApiError::Problem {
        status: StatusCode::NOT_FOUND,
        title: "Not Found".to_owned(),
        detail: Some(NOT_FOUND.to_owned()),
    }
}

/// For methods that a route does not have; the router adds `Allow`.
pub(super) async fn method_not_allowed(method: Method) -> Response {
    if method == Method::OPTIONS {
        return (StatusCode::OK, [(header::CONTENT_TYPE, "text/html; charset=utf-8")]).into_response();
    }
    ApiError::Problem {
        status: StatusCode::METHOD_NOT_ALLOWED,
        title: "Method Not Allowed".to_owned(),
        detail: Some("The method is not allowed for the requested URL.".to_owned()),
    }
    .into_response()
}

/// For requests that were not worked on, or not to their end.
pub(super) async fn overloaded(error: tower::BoxError) -> Response {
    if error.is::<tower::timeout::error::Elapsed>() {
        return ApiError::engine(StatusCode::GATEWAY_TIMEOUT, "the request took too long").into_response();
    }
    let mut response =
        ApiError::engine(StatusCode::SERVICE_UNAVAILABLE, "too many requests are being worked on")
            .into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_one_form() {
        for (path, expected) in [
            ("/", "/"),
            ("", "/"),
            ("/v1", "/"),
            ("/v1/", "/"),
            ("/v1/images/", "/images"),
            ("/v1//images", "/images"),
            ("//images//", "/images"),
            ("/v1/v1/images", "/v1/images"),
            ("/images/sha256%3Aab", "/images/sha256:ab"),
            ("/images/sha256:ab", "/images/sha256:ab"),
            ("/policies/a%20b", "/policies/a%20b"),
            ("/policies/a%2Fb", "/policies/a/b"),
            ("/policies/a%zz%", "/policies/a%25zz%25"),
            ("/policies/%ff", "/policies/%EF%BF%BD"),
            ("/policies/a%00", "/policies/a%EF%BF%BD"),
            ("/policies/a%3Fb%23c", "/policies/a%3Fb%23c"),
        ] {
            assert_eq!(normalized(path), expected, "{path}");
        }
    }
}
