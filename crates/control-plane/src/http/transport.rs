//! What happens to every request: it gets an id, and whatever breaks ends in an answer.

use std::panic::AssertUnwindSafe;

use axum::BoxError;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt as _;
use telemetry::RequestTrace;
use tracing::Instrument as _;

use super::answer::{ApiError, InternalFault, internal_error};

/// Gives the request an id that is on every line of the log, and turns a panic or an inner fault into an answer that names
/// only this id.
pub(super) async fn guard(request: Request, next: Next) -> Response {
    let trace = RequestTrace::begin("control-plane", &request);
    let mut response = answer(request, next, trace.id()).instrument(trace.span().clone()).await;
    trace.end(None, &mut response);
    response
}

async fn answer(request: Request, next: Next, id: &str) -> Response {
    let mut response = match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_) => {
            tracing::error!("a handler panicked");
            return internal_error(id);
        }
    };
    if let Some(InternalFault(text)) = response.extensions_mut().remove::<InternalFault>() {
        tracing::error!(error = text, "request failed");
        response = internal_error(id);
    }
    response
}

pub(super) async fn not_found() -> ApiError {
    ApiError::not_found("there is nothing at this address; `/` lists what there is")
}

pub(super) async fn method_not_allowed() -> ApiError {
    ApiError::problem(StatusCode::METHOD_NOT_ALLOWED, "this address does not take this method")
}

pub(super) async fn overloaded(error: BoxError) -> ApiError {
    if error.is::<tower::timeout::error::Elapsed>() {
        return ApiError::problem(
            StatusCode::SERVICE_UNAVAILABLE,
            "the answer took too long: try again later",
        );
    }
    ApiError::problem(StatusCode::SERVICE_UNAVAILABLE, "too many requests at the same time: try again later")
}
