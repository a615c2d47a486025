//! `/subscriptions`: what an account wants to be watched and told.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};

use super::answer::{Answer, ApiError, ok};
use super::call::{Call, python_text};
use crate::{
    Engine, NewSubscription, Subscription, SubscriptionChange, SubscriptionError, SubscriptionFilter,
    SubscriptionKind,
};

/// Longer keys are no tags of any registry.
const KEY_CHARS_MAX: usize = 1000;
const VALUE_BYTES_MAX: usize = 1024 * 1024;

#[derive(Serialize)]
pub(super) struct SubscriptionWire {
    pub(super) subscription_id: String,
    pub(super) subscription_key: String,
    pub(super) subscription_type: &'static str,
    pub(super) subscription_value: Option<String>,
    pub(super) active: bool,
    #[serde(rename = "userId")]
    pub(super) user_id: String,
    pub(super) created_at: i64,
    pub(super) last_updated: i64,
}

impl From<Subscription> for SubscriptionWire {
    fn from(subscription: Subscription) -> Self {
        let Subscription { account, key, kind, id, value, is_active, created_at, updated_at } = subscription;
        Self {
            subscription_id: id,
            subscription_key: key,
            subscription_type: kind.name(),
            subscription_value: value,
            active: is_active,
            user_id: account,
            created_at: created_at.as_second(),
            last_updated: updated_at.as_second(),
        }
    }
}

/// `GET /subscriptions`.
pub(super) async fn list(State(engine): State<Arc<Engine>>, call: Call) -> Answer {
    let given = |name: &str| call.query.text(name).filter(|text| !text.is_empty());
    let filter = SubscriptionFilter {
        key: given("subscription_key").map(str::to_owned),
        kind: given("subscription_type").map(parse_kind).transpose()?,
    };
    let found = engine.list_subscriptions(&call.account, &filter).await?;
    ok(&found.into_iter().map(SubscriptionWire::from).collect::<Vec<_>>())
}

/// `GET /subscriptions/{id}`: a list of one, or of none.
pub(super) async fn get(State(engine): State<Arc<Engine>>, Path(id): Path<String>, call: Call) -> Answer {
    let found = engine.find_subscription(&call.account, &id).await?;
    ok(&found.map(SubscriptionWire::from).into_iter().collect::<Vec<_>>())
}

/// `POST /subscriptions`: a list of one.
pub(super) async fn add(State(engine): State<Arc<Engine>>, call: Call) -> Answer {
    let body = call.object()?;
    let change = read_change(body)?;
    let (key, kind) = (read_text(body, "subscription_key")?, read_text(body, "subscription_type")?);
    let (Some(key), Some(kind)) = (key, kind) else {
        return Err(bad("body does not contain both subscription_key and subscription_type"));
    };
    if key.chars().count() > KEY_CHARS_MAX {
        return Err(bad(&format!("subscription_key must have at most {KEY_CHARS_MAX} characters")));
    }
    let new = NewSubscription {
        key: key.to_owned(),
        kind: parse_kind(kind)?,
        is_active: change.is_active.unwrap_or(false),
        value: change.value.flatten(),
    };
    let added = engine.add_subscription(&call.account, &new).await.map_err(to_api_error)?;
    ok(&[SubscriptionWire::from(added)])
}

/// `PUT /subscriptions/{id}`: a list of one. What the body says about key and type is passed over: the id means them.
pub(super) async fn update(State(engine): State<Arc<Engine>>, Path(id): Path<String>, call: Call) -> Answer {
    let change = read_change(call.object()?)?;
    let changed = engine.change_subscription(&call.account, &id, &change).await.map_err(to_api_error)?;
    ok(&[SubscriptionWire::from(changed)])
}

/// `DELETE /subscriptions/{id}`.
pub(super) async fn delete(State(engine): State<Arc<Engine>>, Path(id): Path<String>, call: Call) -> Answer {
    engine.delete_subscription(&call.account, &id).await?;
    ok(&true)
}

fn parse_kind(name: &str) -> Result<SubscriptionKind, ApiError> {
    SubscriptionKind::from_name(name).ok_or_else(|| {
        let shown: String = name.chars().take(200).collect();
        bad(&format!("{shown} is not a supported subscription type"))
    })
}

/// An empty text is as good as none.
fn read_text<'a>(body: &'a Map<String, Value>, key: &str) -> Result<Option<&'a str>, ApiError> {
    match body.get(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
        Some(other) => Err(wrong_type(other, "string", key)),
    }
}

fn read_change(body: &Map<String, Value>) -> Result<SubscriptionChange, ApiError> {
    let is_active = match body.get("active") {
        None => None,
        Some(Value::Bool(active)) => Some(*active),
        Some(other) => return Err(wrong_type(other, "boolean", "active")),
    };
    let value = match body.get("subscription_value") {
        None => None,
        Some(Value::Null) => Some(None),
        Some(Value::String(text)) if text.len() > VALUE_BYTES_MAX => {
            return Err(bad(&format!("subscription_value must have at most {VALUE_BYTES_MAX} bytes")));
        }
        Some(Value::String(text)) => Some(Some(text.clone())),
        Some(other) => return Err(wrong_type(other, "string", "subscription_value")),
    };
    Ok(SubscriptionChange { is_active, value })
}

fn wrong_type(value: &Value, expected: &str, path: &str) -> ApiError {
    ApiError::bad_request(format!("{} is not of type '{expected}' - '{path}'", python_text(value)))
}

fn bad(message: &str) -> ApiError {
    ApiError::engine(StatusCode::BAD_REQUEST, message)
}

pub(super) fn to_api_error(error: SubscriptionError) -> ApiError {
    let message = error.to_string();
    match error {
        SubscriptionError::NoAccount(_) => bad(&message),
        SubscriptionError::Exists => ApiError::engine(StatusCode::CONFLICT, message),
        SubscriptionError::NotFound(_) => ApiError::not_found(message),
        SubscriptionError::Storage(error) => error.into(),
    }
}
