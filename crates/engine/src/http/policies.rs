//! `/policies`: bundles.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use policy::{Bundle, BundleError};
use serde::Serialize;
use serde_json::{Value, json};

use super::answer::{Answer, ApiError, ok, time};
use super::call::{Call, python_text};
use super::check::problem;
use crate::{Engine, PolicyError, PolicyRecord};

#[derive(Serialize)]
struct PolicyWire {
    #[serde(rename = "policyId")]
    policy_id: String,
    #[serde(rename = "userId")]
    user_id: String,
    active: bool,
    policy_source: String,
    created_at: String,
    last_updated: String,
    name: String,
    policybundle: Value,
    /// Where the document is kept; only reading tells it, storing does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    policybundlemeta: Option<Value>,
    /// Changes with the account's exceptions; of the active record in a list, when there are some. Old clients pass over it.
    #[serde(skip_serializing_if = "Option::is_none")]
    exceptions_revision: Option<String>,
}

/// The answer to a stored record.
fn to_stored_wire(record: PolicyRecord) -> PolicyWire {
    PolicyWire { policybundlemeta: None, ..to_wire(record, true) }
}

fn to_wire(record: PolicyRecord, with_bundle: bool) -> PolicyWire {
    let PolicyRecord { account, id, name, document, revision, is_active, source, created_at, updated_at } =
        record;
    let meta = json!({
        "archiveId": id,
        "bucket": "policy_bundles",
        "content_url": format!("db://{account}/policy_bundles/{id}"),
        "created_at": created_at.as_second(),
        "digest": revision,
        "documentName": format!("{id}.json"),
        "document_metadata": null,
        "is_compressed": false,
        "last_updated": updated_at.as_second(),
        "record_state_key": "active",
        "record_state_val": null,
        "size": document.to_string().len(),
        "userId": account,
    });
    PolicyWire {
        policy_id: id,
        user_id: account,
        active: is_active,
        policy_source: source,
        created_at: time(created_at),
        last_updated: time(updated_at),
        name,
        policybundle: if with_bundle { document } else { json!({}) },
        policybundlemeta: Some(if with_bundle { meta } else { json!({}) }),
        exceptions_revision: None,
    }
}

/// `GET /policies`.
pub(super) async fn list(State(engine): State<Arc<Engine>>, call: Call) -> Answer {
    let with_bundle = call.query.boolean("detail", false)?;
    let records = engine.list_policies(&call.account).await?;
    let exceptions = engine.account_exceptions(&call.account, engine.now()).await?.revision;
    let revision_for =
        |record: &PolicyRecord| (record.is_active && !exceptions.is_empty()).then(|| exceptions.clone());
    let wire = records.into_iter().map(|record| PolicyWire {
        exceptions_revision: revision_for(&record),
        ..to_wire(record, with_bundle)
    });
    ok(&wire.collect::<Vec<_>>())
}

/// `GET /policies/{id}`: a list of one.
pub(super) async fn get(State(engine): State<Arc<Engine>>, Path(id): Path<String>, call: Call) -> Answer {
    let with_bundle = call.query.boolean("detail", true)?;
    let record = engine.find_policy(&call.account, &id).await?;
    let record = record.ok_or_else(|| to_api_error(PolicyError::NotFound(id), ""))?;
    ok(&[to_wire(record, with_bundle)])
}

/// `POST /policies`: one record, no list.
pub(super) async fn add(State(engine): State<Arc<Engine>>, call: Call) -> Answer {
    let document = Value::Object(call.object()?.clone());
    let stored = engine.add_policy(&call.account, &document).await;
    ok(&to_stored_wire(stored.map_err(|error| to_api_error(error, ""))?))
}

/// `PUT /policies/{id}`: the whole record, of which the bundle and `active` count; a list of one.
pub(super) async fn update(State(engine): State<Arc<Engine>>, Path(id): Path<String>, call: Call) -> Answer {
    let in_query = call.query.boolean("active", false)?;
    let body = call.object()?;
    let in_body = match body.get("active") {
        None => None,
        Some(Value::Bool(active)) => Some(*active),
        Some(other) => {
            return Err(ApiError::bad_request(format!(
                "{} is not of type 'boolean' - 'active'",
                python_text(other)
            )));
        }
    };
    let active = if in_query { Some(true) } else { in_body };
    // What the schema says of the body comes before everything that the engine knows.
    if let Some(Err(error @ BundleError::Schema { .. })) = body.get("policybundle").map(Bundle::parse) {
        return Err(to_api_error(PolicyError::BadBundle(error), "policybundle"));
    }
    // The order of the answers is the API's: what is not there, what cannot be, what is malformed.
    let current = engine.find_policy(&call.account, &id).await?;
    let current = current.ok_or_else(|| to_api_error(PolicyError::NotFound(id.clone()), ""))?;
    if current.is_active && active == Some(false) {
        return Err(to_api_error(PolicyError::CannotDeactivate, ""));
    }
    let required = |key: &str| {
        body.get(key).ok_or_else(|| ApiError::bad_request(format!("'{key}' is a required property")))
    };
    let document = required("policybundle")?;
    let named = required("policyId")?;
    if named != &Value::String(id.clone()) {
        let message = format!(
            "policyId {} in the body does not match the policy id {id} in the path",
            python_text(named)
        );
        return Err(ApiError::engine(StatusCode::BAD_REQUEST, message));
    }
    let stored = engine.update_policy(&call.account, &id, document, active).await;
    ok(&[to_stored_wire(stored.map_err(|error| to_api_error(error, "policybundle"))?)])
}

/// `DELETE /policies/{id}`.
pub(super) async fn delete(State(engine): State<Arc<Engine>>, Path(id): Path<String>, call: Call) -> Answer {
    engine.delete_policy(&call.account, &id).await.map_err(|error| to_api_error(error, ""))?;
    ok(&"deleted")
}

/// `prefix` is where in the request body the bundle was.
fn to_api_error(error: PolicyError, prefix: &str) -> ApiError {
    let message = error.to_string();
    match error {
        PolicyError::NotFound(_) => ApiError::not_found(message),
        PolicyError::NoAccount(_) => ApiError::engine(StatusCode::BAD_REQUEST, message),
        PolicyError::CannotDeactivate | PolicyError::CannotDeleteActive => {
            ApiError::engine(StatusCode::CONFLICT, message)
        }
        PolicyError::BadBundle(BundleError::Schema { detail, path }) => {
            ApiError::bad_request(with_prefix(&detail, &path, prefix))
        }
        PolicyError::BadBundle(BundleError::Invalid(problems)) => {
            ApiError::engine(StatusCode::BAD_REQUEST, message)
                .with_detail("validation_details", problems.iter().map(problem).collect::<Vec<_>>())
        }
        PolicyError::Storage(error) => error.into(),
    }
}

/// The text of a violation, with the path seen from the request body.
fn with_prefix(detail: &str, path: &str, prefix: &str) -> String {
    match (path, prefix) {
        (_, "") => detail.to_owned(),
        ("", prefix) => format!("{detail} - '{prefix}'"),
        (path, prefix) => match detail.strip_suffix(&format!("'{path}'")) {
            Some(start) => format!("{start}'{prefix}.{path}'"),
            None => format!("{detail} - '{prefix}.{path}'"),
        },
    }
}
