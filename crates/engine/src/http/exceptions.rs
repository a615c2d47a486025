//! `/exceptions`: vulnerabilities that an account has accepted. Endpoints of our own, in the manners of the others.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use model::PolicyException;
use serde::Serialize;
use serde_json::{Value, json};

use super::answer::{Answer, ApiError, ok, time};
use super::call::Call;
use super::check::problem;
use crate::{Engine, ExceptionError, ExceptionRecord};

#[derive(Serialize)]
struct ExceptionWire {
    id: String,
    account: String,
    vulnerability: String,
    package: Option<String>,
    scope: Value,
    owner: String,
    reason: String,
    expires_at: Option<String>,
    vex_url: Option<String>,
    is_live: bool,
    created_by: String,
    created_at: String,
    updated_by: String,
    updated_at: String,
}

fn to_wire(record: ExceptionRecord, now: Timestamp) -> ExceptionWire {
    let ExceptionRecord { account, exception, created_by, created_at, updated_by, updated_at } = record;
    let is_live = exception.is_live(now);
    let PolicyException { id, vulnerability, package, scope, owner, reason, expires_at, vex_url } = exception;
    ExceptionWire {
        id,
        account,
        vulnerability,
        package,
        scope: policy::scope_document(&scope),
        owner,
        reason,
        // Whole: cut to the second, an exception sent back would end earlier.
        expires_at: expires_at.map(|end| end.to_string()),
        vex_url,
        is_live,
        created_by,
        created_at: time(created_at),
        updated_by,
        updated_at: time(updated_at),
    }
}

/// `GET /exceptions`: all, or those about one vulnerability, or those that hold, or those that do not.
pub(super) async fn list(State(engine): State<Arc<Engine>>, call: Call) -> Answer {
    let state = call.query.word("state", &["live", "expired"])?;
    let vulnerability = call.query.text("vulnerability");
    let now = engine.now();
    let records = engine.list_exceptions(&call.account).await?;
    let is_wanted = |record: &ExceptionRecord| {
        state.is_none_or(|state| (state == "live") == record.exception.is_live(now))
            && vulnerability.is_none_or(|id| id == record.exception.vulnerability)
    };
    let wanted = records.into_iter().filter(is_wanted).map(|record| to_wire(record, now));
    ok(&wanted.collect::<Vec<_>>())
}

/// `GET /exceptions/{id}`.
pub(super) async fn get(State(engine): State<Arc<Engine>>, Path(id): Path<String>, call: Call) -> Answer {
    let record = engine.find_exception(&call.account, &id).await?;
    ok(&to_wire(record.ok_or(ExceptionError::NotFound(id))?, engine.now()))
}

/// `POST /exceptions`.
pub(super) async fn add(State(engine): State<Arc<Engine>>, call: Call) -> Answer {
    let document = Value::Object(call.object()?.clone());
    let stored = engine.add_exception(&call.account, &call.user.username, &document).await?;
    ok(&to_wire(stored, engine.now()))
}

/// `PUT /exceptions/{id}`: replaces everything that it says.
pub(super) async fn update(State(engine): State<Arc<Engine>>, Path(id): Path<String>, call: Call) -> Answer {
    let document = Value::Object(call.object()?.clone());
    let stored = engine.update_exception(&call.account, &id, &call.user.username, &document).await?;
    ok(&to_wire(stored, engine.now()))
}

/// `DELETE /exceptions/{id}`.
pub(super) async fn delete(State(engine): State<Arc<Engine>>, Path(id): Path<String>, call: Call) -> Answer {
    engine.delete_exception(&call.account, &id, &call.user.username).await?;
    ok(&json!("deleted"))
}

impl From<ExceptionError> for ApiError {
    fn from(error: ExceptionError) -> Self {
        let message = error.to_string();
        match error {
            ExceptionError::NotFound(_) => Self::not_found(message),
            ExceptionError::NoAccount(_) => Self::engine(StatusCode::BAD_REQUEST, message),
            ExceptionError::TooMany => Self::engine(StatusCode::CONFLICT, message),
            ExceptionError::Invalid(problems) => Self::engine(StatusCode::BAD_REQUEST, message)
                .with_detail("validation_details", problems.iter().map(problem).collect::<Vec<_>>()),
            ExceptionError::Storage(error) => error.into(),
        }
    }
}
