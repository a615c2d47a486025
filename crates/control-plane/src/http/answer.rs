//! Answers: JSON, and the shapes of errors that clients have always got.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};

use crate::StorageError;
use crate::storage_error::chain;

/// An answer or an error.
pub(crate) type Answer = Result<Response, ApiError>;

/// Status 200 with a value.
pub(crate) fn ok<T: Serialize>(value: &T) -> Answer {
    with_status(StatusCode::OK, value)
}

/// A status with a value.
pub(crate) fn with_status<T: Serialize>(status: StatusCode, value: &T) -> Answer {
    Ok((status, Json(value)).into_response())
}

/// What went wrong, as the caller sees it.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// The older shape: `code`, `message`, `error`.
    Legacy { status: StatusCode, message: String, error: String },
    /// problem+json, with `code`, `message` and `error` beside it for clients that know only these.
    Problem { status: StatusCode, detail: String, violations: Vec<String> },
    /// A problem that is sent as plain JSON: the cluster of a path is not there.
    NoCluster(String),
    /// Nobody, or a token that counts no more.
    Unauthorized { message: String, error: String },
    /// Somebody who may not.
    Forbidden,
    /// Ours: the text goes to the log, the caller gets an id to ask about.
    Internal(String),
}

impl ApiError {
    /// The older shape.
    pub(crate) fn legacy(status: StatusCode, message: impl Into<String>, error: impl Into<String>) -> Self {
        Self::Legacy { status, message: message.into(), error: error.into() }
    }

    /// The problem shape.
    pub(crate) fn problem(status: StatusCode, detail: impl Into<String>) -> Self {
        Self::Problem { status, detail: detail.into(), violations: Vec::new() }
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::problem(StatusCode::NOT_FOUND, detail)
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::problem(StatusCode::BAD_REQUEST, detail)
    }
}

/// Rides in the response to [`super::transport::guard`], which knows the request's id.
#[derive(Debug, Clone)]
pub(super) struct InternalFault(pub(super) String);

/// The body of an answer that is our fault.
pub(super) fn internal_error(request_id: &str) -> Response {
    let detail = format!("something went wrong; the log of the server has it under request id {request_id}");
    problem(StatusCode::INTERNAL_SERVER_ERROR, &detail, &[], "application/problem+json")
}

fn problem(status: StatusCode, detail: &str, violations: &[String], content_type: &'static str) -> Response {
    let mut body = json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or("Error"),
        "status": status.as_u16(),
        "detail": detail,
        "code": status.as_u16(),
        "message": detail,
        "error": detail,
    });
    if let Some(body) = body.as_object_mut()
        && !violations.is_empty()
    {
        body.insert("violations".to_owned(), json!(violations));
    }
    json_response(status, content_type, &body)
}

fn json_response(status: StatusCode, content_type: &'static str, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, HeaderValue::from_static(content_type))], body.to_string())
        .into_response()
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        const JSON: &str = "application/json; charset=utf-8";
        match self {
            Self::Legacy { status, message, error } => {
                let body = json!({"code": status.as_u16(), "message": message, "error": error});
                json_response(status, JSON, &body)
            }
            Self::Problem { status, detail, violations } => {
                problem(status, &detail, &violations, "application/problem+json")
            }
            Self::NoCluster(detail) => problem(StatusCode::NOT_FOUND, &detail, &[], JSON),
            Self::Unauthorized { message, error } => {
                let body = json!({"message": message, "error": error});
                let mut response = json_response(StatusCode::UNAUTHORIZED, JSON, &body);
                response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                response
            }
            Self::Forbidden => StatusCode::FORBIDDEN.into_response(),
            Self::Internal(text) => {
                let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
                response.extensions_mut().insert(InternalFault(text));
                response
            }
        }
    }
}

impl From<StorageError> for ApiError {
    fn from(error: StorageError) -> Self {
        Self::Internal(chain(&error))
    }
}
