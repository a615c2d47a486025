//! `/`, `/health`, `/version`, `/swagger.json`: what may be asked without saying who asks.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::answer::{Answer, ApiError, json_response, ok};

/// The version of Anchore Engine whose API this is; clients compare it.
pub(super) const SERVICE_VERSION: &str = "1.1.0";
/// The version of its database form; shown, without a meaning here.
pub(super) const DATABASE_VERSION: &str = "0.0.16";
const SWAGGER: &str = include_str!("swagger.json");

pub(super) async fn version_prefix() -> Answer {
    ok(&"v1")
}

pub(super) async fn health() -> Answer {
    ok(&"ok")
}

pub(super) async fn version() -> Answer {
    ok(&json!({
        "service": {"version": SERVICE_VERSION}, "api": {}, "db": {"schema_version": DATABASE_VERSION},
    }))
}

/// The document that describes the routes; clients read its `info.version`.
pub(super) async fn swagger() -> Result<Response, ApiError> {
    let document: Value =
        serde_json::from_str(SWAGGER).map_err(|error| ApiError::Internal(error.to_string()))?;
    Ok(json_response(StatusCode::OK, "application/json", document))
}
