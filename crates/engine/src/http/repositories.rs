//! `/repositories`: watching all tags of a repository.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::answer::{Answer, ApiError, ok};
use super::call::Call;
use super::subscriptions::{self, SubscriptionWire};
use crate::storage_error::chain;
use crate::{Engine, RepositoryError};

/// `POST /repositories`: the subscription, as a list of one. `lookuptag` is accepted, and has never had an effect.
pub(super) async fn add(State(engine): State<Arc<Engine>>, call: Call) -> Answer {
    let repository = call.query.text("repository");
    let repository =
        repository.ok_or_else(|| ApiError::bad_request("Missing query parameter 'repository'"))?;
    let autosubscribe = call.query.boolean("autosubscribe", false)?;
    let is_trial = call.query.boolean("dryrun", false)?;
    let watched = engine
        .watch_repository(&call.account, repository, autosubscribe, is_trial)
        .await
        .map_err(to_api_error)?;
    let wire = serde_json::to_value(SubscriptionWire::from(watched.subscription));
    let mut wire = wire.map_err(|error| ApiError::Internal(error.to_string()))?;
    if let Value::Object(members) = &mut wire {
        if watched.is_trial {
            members.shift_remove("created_at");
            members.shift_remove("last_updated");
        } else {
            members.insert("record_state_key".to_owned(), json!("active"));
            members.insert("record_state_val".to_owned(), Value::Null);
        }
    }
    ok(&[wire])
}

fn to_api_error(error: RepositoryError) -> ApiError {
    let message = error.to_string();
    match error {
        RepositoryError::BadName(source) => ApiError::engine(StatusCode::BAD_REQUEST, message)
            .with_detail("raw_exception_message", chain(&source)),
        RepositoryError::NoTags(_) => ApiError::not_found(message),
        RepositoryError::Subscription(error) => subscriptions::to_api_error(error),
    }
}
