//! Members of request bodies, checked and complained about as the API's validation does it.

use serde_json::{Map, Value};

use super::answer::ApiError;
use super::call::python_text;

/// Stands for a value that may be a secret.
pub(super) const HIDDEN: &str = "'***'";
/// Members whose value is told to nobody, not even to who sent it: answers get into logs.
const SECRETS: [&str; 3] = ["password", "registry_pass", "value"];

/// Members that must be there, in the order in which the first missing one is named.
pub(super) fn require(object: &Map<String, Value>, names: &[&str]) -> Result<(), ApiError> {
    match names.iter().find(|name| !object.contains_key(**name)) {
        Some(name) => Err(ApiError::bad_request(format!("'{name}' is a required property"))),
        None => Ok(()),
    }
}

/// A text, if it is there.
pub(super) fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, ApiError> {
    match object.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(wrong_type(other, "string", name)),
    }
}

/// A text that must be there.
pub(super) fn required_text<'a>(object: &'a Map<String, Value>, name: &str) -> Result<&'a str, ApiError> {
    require(object, &[name])?;
    Ok(text(object, name)?.unwrap_or_default())
}

/// A flag, if it is there.
pub(super) fn flag(object: &Map<String, Value>, name: &str) -> Result<Option<bool>, ApiError> {
    match object.get(name) {
        None => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(other) => Err(wrong_type(other, "boolean", name)),
    }
}

fn wrong_type(value: &Value, wanted: &str, name: &str) -> ApiError {
    ApiError::bad_request(format!("{} is not of type '{wanted}' - '{name}'", shown(value, name)))
}

/// One of some words.
pub(super) fn one_of(value: &str, allowed: &[&str], name: &str) -> Result<(), ApiError> {
    if allowed.contains(&value) {
        return Ok(());
    }
    let allowed = allowed.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(", ");
    Err(ApiError::bad_request(format!("'{value}' is not one of [{allowed}] - '{name}'")))
}

/// A text that does not fit the pattern of its member; `pattern` in the form in which the validation shows it.
pub(super) fn mismatch(value: &str, pattern: &str, name: &str) -> ApiError {
    let shown = shown(&Value::String(value.to_owned()), name);
    ApiError::bad_request(format!("{shown} does not match {pattern} - '{name}'"))
}

fn shown(value: &Value, name: &str) -> String {
    if SECRETS.contains(&name) && !value.is_null() { HIDDEN.to_owned() } else { python_text(value) }
}
