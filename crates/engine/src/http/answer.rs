//! Answers: JSON in the engine's layout, and the two shapes of errors.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{EvaluateError, StorageError};

/// A good answer.
pub(super) type Answer = Result<Response, ApiError>;

/// Status 200 with a value.
pub(super) fn ok<T: Serialize>(value: &T) -> Answer {
    let value = serde_json::to_value(value).map_err(|error| ApiError::Internal(error.to_string()))?;
    Ok(json_response(StatusCode::OK, "application/json", value))
}

/// Status 200 with a value whose fields are declared in the order of their names: for answers so large that a second form of
/// them in memory, in which they could be sorted, would be too much.
pub(super) fn ok_large<T: Serialize>(value: &T) -> Answer {
    let mut text = serde_json::to_vec_pretty(value).map_err(|error| ApiError::Internal(error.to_string()))?;
    text.push(b'\n');
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], text).into_response())
}

/// JSON as clients have always seen it: two blanks of indent, keys sorted, a line feed at the end.
pub(super) fn json_response(status: StatusCode, content_type: &'static str, mut value: Value) -> Response {
    value.sort_all_objects();
    let mut text = format!("{value:#}");
    text.push('\n');
    (status, [(header::CONTENT_TYPE, HeaderValue::from_static(content_type))], text).into_response()
}

/// Status 200 with a value in which a text, already written in the same way, takes a place.
pub(super) fn json_response_with(mut value: Value, place: &str, text: &str) -> Response {
    value.sort_all_objects();
    let frame = format!("{value:#}\n");
    let (before, after) = frame.split_once(place).unwrap_or((&frame, ""));
    let body = [before, text, after].concat();
    (StatusCode::OK, [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body)
        .into_response()
}

/// A time on the wire: UTC, to the second.
pub(super) fn time(timestamp: Timestamp) -> String {
    timestamp.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// What went wrong, as the caller sees it.
#[derive(Debug)]
pub(super) enum ApiError {
    /// The shape of handlers: `message`, `httpcode`, `detail`.
    Engine { status: StatusCode, message: String, detail: Map<String, Value> },
    /// The shape of request validation: problem+json.
    Problem { status: StatusCode, title: String, detail: Option<String> },
    /// Nobody, or a wrong password.
    Unauthorized,
    /// Ours: the text goes to the log, the caller gets an id to ask about.
    Internal(String),
}

impl ApiError {
    pub(super) fn engine(status: StatusCode, message: impl Into<String>) -> Self {
        Self::Engine { status, message: message.into(), detail: Map::new() }
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::engine(StatusCode::NOT_FOUND, message)
    }

    /// The problem shape with status 400.
    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::Problem {
            status: StatusCode::BAD_REQUEST,
            title: "Bad Request".to_owned(),
            detail: Some(detail.into()),
        }
    }

    pub(super) fn with_detail(mut self, key: &str, value: impl Into<Value>) -> Self {
        if let Self::Engine { detail, .. } = &mut self {
            detail.insert(key.to_owned(), value.into());
        }
        self
    }
}

/// Rides in the response to [`super::transport::guard`], which knows the request's id.
#[derive(Debug, Clone)]
pub(super) struct InternalFault(pub(super) String);

/// The body of an answer that is our fault.
pub(super) fn internal_error(request_id: &str) -> Response {
    let body = json!({
        "message": "Internal error",
        "httpcode": 500,
        "detail": {"error_codes": [], "request_id": request_id},
    });
    json_response(StatusCode::INTERNAL_SERVER_ERROR, "application/json", body)
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        match self {
            Self::Engine { status, message, mut detail } => {
                detail.entry("error_codes").or_insert_with(|| json!([]));
                let body = json!({"message": message, "httpcode": status.as_u16(), "detail": detail});
                json_response(status, "application/json", body)
            }
            Self::Problem { status, title, detail } => {
                let body = json!({"type": "about:blank", "title": title, "detail": detail, "status": status.as_u16()});
                json_response(status, "application/problem+json", body)
            }
            Self::Unauthorized => {
                let headers = [
                    (header::CONTENT_TYPE, "text/html; charset=utf-8"),
                    (header::WWW_AUTHENTICATE, "basic realm=\"Authentication required\""),
                ];
                (StatusCode::UNAUTHORIZED, headers, "Unauthorized").into_response()
            }
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
        Self::Internal(crate::storage_error::chain(&error))
    }
}

impl From<EvaluateError> for ApiError {
    fn from(error: EvaluateError) -> Self {
        match &error {
            EvaluateError::ImageNotFound
            | EvaluateError::NotRecorded
            | EvaluateError::PolicyNotFound(_)
            | EvaluateError::NoActivePolicy(_) => Self::not_found(error.to_string()),
            EvaluateError::NotAnalyzed { reason, .. } => {
                let plain = Self::not_found(error.to_string());
                match reason {
                    Some(reason) => plain.with_detail("analysis_error", reason.clone()),
                    None => plain,
                }
            }
            EvaluateError::BadReference(source) => Self::engine(StatusCode::BAD_REQUEST, error.to_string())
                .with_detail("validation_error", source.to_string()),
            EvaluateError::Failed(_) => Self::Internal(crate::storage_error::chain(&error)),
        }
    }
}
