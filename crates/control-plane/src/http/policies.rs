//! `…/clusters/{cluster}/policies`: the policies of the cluster's engine, in the shapes of before there was `/anchore`.

use axum::extract::{Path, Request, State};
use axum::http::{Method, StatusCode};
use axum::response::IntoResponse as _;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Shared;
use super::anchore::status_of;
use super::answer::{Answer, ApiError, ok, with_status};
use super::call::{ClusterCall, read_json};
use crate::anchore_proxy::{EngineUseError, engine_name};
use crate::engines::soon;
use crate::storage_error::chain;

/// Keys of bundles that clients of that time write in one word.
const KEYS: [(&str, &str); 6] = [
    ("policyId", "policy_id"),
    ("policyIds", "policy_ids"),
    ("whitelistIds", "whitelist_ids"),
    ("whitelistedImages", "whitelisted_images"),
    ("blacklistedImages", "blacklisted_images"),
    ("triggerId", "trigger_id"),
];
/// Bundles nest less.
const DEPTH_MAX: usize = 16;

/// The policy of the path.
#[derive(Deserialize)]
pub(super) struct PolicyPath {
    id: String,
}

/// `GET …/policies`.
pub(super) async fn list(State(shared): State<Shared>, call: ClusterCall) -> Answer {
    ok(&records(&shared, &call, &["policies"]).await?)
}

/// `GET …/policies/{id}`: a list of one.
pub(super) async fn get(
    State(shared): State<Shared>,
    call: ClusterCall,
    Path(path): Path<PolicyPath>,
) -> Answer {
    let id = engine_name(&path.id).map_err(older)?;
    ok(&records(&shared, &call, &["policies", id]).await?)
}

async fn records(shared: &Shared, call: &ClusterCall, path: &[&str]) -> Result<Vec<Value>, ApiError> {
    let client = shared.plane.cluster_engine(&call.cluster).await.map_err(older)?;
    let found = client.call_json(Method::GET, path, &[("detail", "true")], None, soon()).await;
    Ok(each(found.map_err(|error| older(error.into()))?).iter().map(record).collect())
}

/// `POST …/policies`.
pub(super) async fn create(State(shared): State<Shared>, call: ClusterCall, request: Request) -> Answer {
    let mut bundle: Value = read_json(request).await?;
    // Who sends back what he got means the bundle in it.
    if let Some(inner) = bundle.get_mut("policybundle") {
        bundle = inner.take();
    }
    if !bundle.is_object() {
        return Err(bad_request("the body is no policy bundle"));
    }
    let bundle = with_engine_keys(bundle, 0);
    let client = shared.plane.cluster_engine(&call.cluster).await.map_err(older)?;
    let made =
        client.call_json(Method::POST, &["policies"], &[("detail", "true")], Some(&bundle), soon()).await;
    let made = each(made.map_err(|error| older(error.into()))?);
    with_status(StatusCode::CREATED, &made.first().map(record).unwrap_or_default())
}

/// `PUT …/policies/{id}` with `{"params": {"active": "true"}}`: the policy judges from now on.
pub(super) async fn update(
    State(shared): State<Shared>,
    call: ClusterCall,
    Path(PolicyPath { id }): Path<PolicyPath>,
    request: Request,
) -> Answer {
    let body: Value = read_json(request).await?;
    let active = body.get("params").unwrap_or(&body).get("active");
    let is_active = match active {
        Some(Value::Bool(is_active)) => *is_active,
        Some(Value::String(text)) if text == "true" || text == "false" => text == "true",
        _ => return Err(bad_request("`params.active` is `true` or `false`")),
    };
    let client = shared.plane.cluster_engine(&call.cluster).await.map_err(older)?;
    let path = ["policies", engine_name(&id).map_err(older)?];
    let refused = |error: engine_client::ClientError| older(error.into());
    let found =
        client.call_json(Method::GET, &path, &[("detail", "true")], None, soon()).await.map_err(refused)?;
    let Some(mut record) = each(found).into_iter().next() else {
        return Err(ApiError::legacy(StatusCode::NOT_FOUND, format!("policy `{id}` does not exist"), ""));
    };
    record["active"] = json!(is_active);
    client.call_json(Method::PUT, &path, &[], Some(&record), soon()).await.map_err(refused)?;
    Ok(StatusCode::OK.into_response())
}

/// `DELETE …/policies/{id}`.
pub(super) async fn delete(
    State(shared): State<Shared>,
    call: ClusterCall,
    Path(PolicyPath { id }): Path<PolicyPath>,
) -> Answer {
    let client = shared.plane.cluster_engine(&call.cluster).await.map_err(older)?;
    let path = ["policies", engine_name(&id).map_err(older)?];
    let deleted = client.call_json(Method::DELETE, &path, &[], None, soon()).await;
    deleted.map_err(|error| older(error.into()))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn record(record: &Value) -> Value {
    json!({
        "createdAt": record["created_at"],
        "lastUpdated": record["last_updated"],
        "policyId": record["policyId"],
        "active": record["active"].as_bool().unwrap_or_default(),
        "userId": record["userId"],
        "policySource": record["policy_source"],
        "policybundle": record["policybundle"],
    })
}

/// Engines answer one record as it is, or as a list of one.
pub(super) fn each(answer: Value) -> Vec<Value> {
    match answer {
        Value::Array(records) => records.into_iter().filter(Value::is_object).collect(),
        record if record.is_object() => vec![record],
        _ => Vec::new(),
    }
}

fn with_engine_keys(value: Value, depth: usize) -> Value {
    if depth > DEPTH_MAX {
        return value;
    }
    match value {
        Value::Array(values) => values.into_iter().map(|value| with_engine_keys(value, depth + 1)).collect(),
        Value::Object(object) => {
            let mut renamed = Map::new();
            for (key, value) in object {
                let known = KEYS.iter().find(|(word, _)| *word == key);
                let key = known.map_or(key, |(_, engine)| (*engine).to_owned());
                renamed.insert(key, with_engine_keys(value, depth + 1));
            }
            Value::Object(renamed)
        }
        value => value,
    }
}

pub(super) fn bad_request(text: &str) -> ApiError {
    ApiError::legacy(StatusCode::BAD_REQUEST, "Error parsing request", text)
}

/// The errors of these addresses, which are older than the problem shape.
pub(super) fn older(error: EngineUseError) -> ApiError {
    let status = status_of(&error);
    match error {
        EngineUseError::Secrets(error) => error.into(),
        EngineUseError::Storage(error) => error.into(),
        EngineUseError::NotActive(_) => {
            ApiError::legacy(StatusCode::NOT_FOUND, "security scan isn't enabled", error.to_string())
        }
        error => ApiError::legacy(status, chain(&error), "the engine of the cluster did not do it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundles_of_either_spelling_are_the_engines() {
        let sent = json!({
            "id": "x",
            "whitelistedImages": [],
            "mappings": [{"policyIds": ["a"], "whitelist_ids": [], "name": "policyId"}],
            "whitelists": [{"items": [{"triggerId": "CVE-1+*"}]}],
        });
        let expected = json!({
            "id": "x",
            "whitelisted_images": [],
            "mappings": [{"policy_ids": ["a"], "whitelist_ids": [], "name": "policyId"}],
            "whitelists": [{"items": [{"trigger_id": "CVE-1+*"}]}],
        });
        assert_eq!(with_engine_keys(sent, 0), expected);
    }
}
