//! `/archives/rules`: when images go to the archive by themselves.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::answer::{Answer, ApiError, ok, time};
use super::call::{Call, python_text};
use crate::{ArchiveRule, ArchiveRuleError, Engine, Exclusion, NewArchiveRule, Selector, Transition};

/// A longer pattern selects nothing that exists.
const PATTERN_CHARS_MAX: usize = 512;

type Object = Map<String, Value>;

fn to_wire(rule: &ArchiveRule) -> Value {
    let NewArchiveRule { selector, exclude, .. } = &rule.rule;
    let selector_wire = |selector: &Selector| json!({"registry": selector.registry, "repository": selector.repository, "tag": selector.tag});
    let exclude = match exclude {
        Some(exclude) => json!({
            "selector": selector_wire(&exclude.selector),
            "expiration_days": exclude.expiration_days,
        }),
        None => json!({"selector": {"registry": "", "repository": "", "tag": ""}, "expiration_days": -1}),
    };
    json!({
        "rule_id": rule.id,
        "selector": selector_wire(selector),
        "exclude": exclude,
        "analysis_age_days": rule.rule.analysis_age_days,
        "tag_versions_newer": rule.rule.tag_versions_newer,
        "transition": rule.rule.transition.name(),
        "system_global": rule.rule.is_global,
        "max_images_per_account": rule.rule.max_images_per_account,
        "created_at": time(rule.created_at),
        "last_updated": time(rule.updated_at),
    })
}

/// `GET /archives/rules`. The global rules are always there: they hold for everybody.
pub(super) async fn list(State(engine): State<Arc<Engine>>, call: Call) -> Answer {
    let _system_global = call.query.boolean("system_global", true)?;
    let rules = engine.list_archive_rules(&call.account, true).await?;
    ok(&rules.iter().map(to_wire).collect::<Vec<_>>())
}

/// `GET /archives/rules/{id}`.
pub(super) async fn get(State(engine): State<Arc<Engine>>, Path(id): Path<String>, call: Call) -> Answer {
    match engine.find_archive_rule(&call.account, &id).await? {
        Some(rule) => ok(&to_wire(&rule)),
        None => Err(ApiError::not_found("Rule not found")),
    }
}

/// `DELETE /archives/rules/{id}`.
pub(super) async fn delete(State(engine): State<Arc<Engine>>, Path(id): Path<String>, call: Call) -> Answer {
    if let Some(rule) = engine.find_archive_rule(&call.account, &id).await?
        && rule.rule.is_global
    {
        call.require_system("deleteArchiveTransitionRule")?;
    }
    if engine.delete_archive_rule(&call.account, &id).await? {
        ok(&json!({}))
    } else {
        Err(ApiError::not_found("Rule not found"))
    }
}

/// `POST /archives/rules`.
pub(super) async fn add(State(engine): State<Arc<Engine>>, call: Call) -> Answer {
    let rule = read_rule(call.object()?)?;
    if rule.is_global {
        call.require_system("createArchiveTransitionRule")?;
    }
    match engine.add_archive_rule(&call.account, &rule).await {
        Ok(stored) => ok(&to_wire(&stored)),
        Err(ArchiveRuleError::Storage(error)) => Err(error.into()),
        Err(error @ (ArchiveRuleError::NoAccount(_) | ArchiveRuleError::MaximumNeedsGlobal)) => {
            Err(ApiError::engine(StatusCode::BAD_REQUEST, error.to_string()))
        }
    }
}

fn read_rule(body: &Object) -> Result<NewArchiveRule, ApiError> {
    let transition = match body.get("transition") {
        None => return Err(ApiError::bad_request("'transition' is a required property")),
        Some(Value::String(word)) if word == "archive" => Transition::Archive,
        Some(Value::String(word)) if word == "delete" => Transition::Delete,
        Some(other) => {
            return Err(ApiError::bad_request(format!(
                "{} is not one of ['archive', 'delete'] - 'transition'",
                python_text(other)
            )));
        }
    };
    let selector = match object(body, "selector", "")? {
        Some(selector) => read_selector(selector, "selector")?,
        None => return Err(empty_selector()),
    };
    let exclude = match object(body, "exclude", "")? {
        Some(exclude) => match object(exclude, "selector", "exclude.")? {
            Some(selector) if selector.values().any(|value| value != "") => Some(Exclusion {
                selector: read_selector(selector, "exclude.selector")?,
                expiration_days: integer(exclude, "expiration_days", "exclude.")?.unwrap_or(-1),
            }),
            _ => None,
        },
        None => None,
    };
    Ok(NewArchiveRule {
        selector,
        exclude,
        analysis_age_days: integer(body, "analysis_age_days", "")?.unwrap_or(-1),
        tag_versions_newer: integer(body, "tag_versions_newer", "")?.unwrap_or(0),
        transition,
        is_global: match body.get("system_global") {
            None => false,
            Some(Value::Bool(is_global)) => *is_global,
            Some(other) => return Err(wrong_type(other, "boolean", "system_global")),
        },
        max_images_per_account: integer(body, "max_images_per_account", "")?,
    })
}

/// All three parts are needed, and one that selects nothing is a mistake.
fn read_selector(selector: &Object, place: &str) -> Result<Selector, ApiError> {
    let part = |key: &str| match selector.get(key) {
        Some(Value::String(text)) if !text.is_empty() && text.chars().count() <= PATTERN_CHARS_MAX => {
            Ok(text.clone())
        }
        Some(Value::String(_)) => Err(empty_selector()),
        Some(other) => Err(wrong_type(other, "string", &format!("{place}.{key}"))),
        None => Err(empty_selector()),
    };
    Ok(Selector { registry: part("registry")?, repository: part("repository")?, tag: part("tag")? })
}

fn empty_selector() -> ApiError {
    let message =
        "the selector of a rule needs registry, repository and tag, each a name or a pattern with `*`";
    ApiError::engine(StatusCode::BAD_REQUEST, message)
}

fn object<'a>(body: &'a Object, key: &str, place: &str) -> Result<Option<&'a Object>, ApiError> {
    match body.get(key) {
        None => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(other) => Err(wrong_type(other, "object", &format!("{place}{key}"))),
    }
}

fn integer(body: &Object, key: &str, place: &str) -> Result<Option<i64>, ApiError> {
    match body.get(key) {
        None => Ok(None),
        Some(Value::Null) if key == "max_images_per_account" => Ok(None),
        Some(value) => {
            value.as_i64().map(Some).ok_or_else(|| wrong_type(value, "integer", &format!("{place}{key}")))
        }
    }
}

fn wrong_type(value: &Value, wanted: &str, place: &str) -> ApiError {
    ApiError::bad_request(format!("{} is not of type '{wanted}' - '{place}'", python_text(value)))
}
