//! `/system/services` and `/system/error_codes`: one process, shown as the five services that clients expect.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::answer::{Answer, ApiError, ok};
use super::call::Call;
use super::system::status_wire;
use crate::Engine;

/// Clients wait until all of these are up.
const SERVICES: [&str; 5] = ["catalog", "apiext", "policy_engine", "simplequeue", "analyzer"];

/// Codes that errors carry in `detail.error_codes`, and what they mean.
const ERROR_CODES: [(&str, &str); 8] = [
    ("REGISTRY_PERMISSION_DENIED", "The registry does not let the account see the image"),
    ("REGISTRY_IMAGE_NOT_FOUND", "The registry has no image of this tag or digest"),
    ("REGISTRY_NOT_ACCESSIBLE", "The registry cannot be reached, or does not answer in time"),
    (
        "REGISTRY_NOT_SUPPORTED",
        "The registry does not speak version 2 of the registry API, or offers a form that is too old",
    ),
    ("SKOPEO_UNKNOWN_ERROR", "Reading the image failed in a way that has no code of its own"),
    ("UNKNOWN", "Something that has no code of its own; the log of the engine has more"),
    ("FEED_SYNC_ALREADY_IN_PROGRESS", "Vulnerability data is being fetched already"),
    ("OSARCH_MISMATCH", "The image is for other platforms than the one that is analyzed"),
];

/// The five records, as the caller reaches this process.
pub(super) fn records(engine: &Engine, headers: &HeaderMap) -> Vec<Value> {
    let host = headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let record = |name: &&str| {
        json!({
            "hostid": engine.host_id(),
            "servicename": name,
            "base_url": format!("http://{host}"),
            "status": true,
            "status_message": "available",
            "version": "v1",
            "service_detail": status_wire(json!({})),
        })
    };
    SERVICES.iter().map(record).collect()
}

/// `GET /system/services`.
pub(super) async fn list(State(engine): State<Arc<Engine>>, headers: HeaderMap, _call: Call) -> Answer {
    ok(&records(&engine, &headers))
}

/// `GET /system/services/{name}`: an empty list for a name that there is not.
pub(super) async fn list_by_name(
    State(engine): State<Arc<Engine>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    _call: Call,
) -> Answer {
    let mut records = records(&engine, &headers);
    records.retain(|record| record["servicename"] == name.as_str());
    ok(&records)
}

/// `GET /system/services/{name}/{host}`: a list of one.
pub(super) async fn get(
    State(engine): State<Arc<Engine>>,
    Path((name, host)): Path<(String, String)>,
    headers: HeaderMap,
    _call: Call,
) -> Answer {
    let mut records = records(&engine, &headers);
    records.retain(|record| record["servicename"] == name.as_str() && record["hostid"] == host.as_str());
    if records.is_empty() { Err(not_found(&name, &host)) } else { ok(&records) }
}

/// `DELETE /system/services/{name}/{host}`: what is listed is up, so nothing can be deleted.
pub(super) async fn delete(
    State(engine): State<Arc<Engine>>,
    Path((name, host)): Path<(String, String)>,
    _call: Call,
) -> Answer {
    if SERVICES.contains(&name.as_str()) && host == engine.host_id() {
        return Err(ApiError::engine(StatusCode::CONFLICT, "cannot delete an active service"));
    }
    Err(not_found(&name, &host))
}

fn not_found(name: &str, host: &str) -> ApiError {
    ApiError::not_found(format!("servicename/host_id ({name}/{host}) not found in anchore-engine"))
}

/// `GET /system/error_codes`.
pub(super) async fn error_codes(_call: Call) -> Answer {
    let codes = ERROR_CODES.map(|(name, description)| json!({"name": name, "description": description}));
    ok(&codes)
}
