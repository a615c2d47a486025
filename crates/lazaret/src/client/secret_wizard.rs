//! Questions that make a secret.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use pipeline_client::{Client, wire};
use serde_json::{Map, Value, json};

use super::arguments::SecretCreateArguments;
use super::ask;

/// Asks for what the flags do not say.
pub(super) async fn ask_secret(client: &Client, arguments: &SecretCreateArguments) -> anyhow::Result<Value> {
    let types: BTreeMap<String, wire::SecretType> =
        client.get(&["api", "v1", "secret-types"]).await.context("failed to list the types of secrets")?;
    let name = match &arguments.name {
        Some(name) => name.clone(),
        None => ask::required_text("Secret name:", "")?,
    };
    let kind = match &arguments.kind {
        Some(kind) => kind.clone(),
        None => {
            let kinds: Vec<String> = types.keys().cloned().collect();
            let start = kinds.iter().position(|kind| kind == "password").unwrap_or_default();
            let index = ask::select("Secret type:", &kinds, start)?;
            kinds.into_iter().nth(index).context("no type was chosen")?
        }
    };
    let Some(shape) = types.get(&kind) else {
        let known: Vec<&str> = types.keys().map(String::as_str).collect();
        bail!("there is no type `{kind}` of secrets; there are {}", known.join(", "));
    };
    let values = if shape.fields.is_empty() { ask_free_values()? } else { ask_values(&shape.fields)? };
    let mut tags = arguments.tags.clone();
    if tags.is_empty() {
        let text = ask::text("Tags, split by comma (may be empty):", "")?;
        tags.extend(text.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned));
    }
    Ok(json!({"name": name, "type": kind, "values": values, "tags": tags}))
}

fn ask_values(fields: &[wire::SecretField]) -> anyhow::Result<Map<String, Value>> {
    let mut values = Map::new();
    for field in fields {
        let note = match (field.description.as_str(), field.required) {
            ("", true) => String::new(),
            ("", false) => " (may be empty)".to_owned(),
            (text, true) => format!(" ({text})"),
            (text, false) => format!(" ({text}; may be empty)"),
        };
        let question = format!("{}{note}:", field.name);
        let question = report_formats::printable(&question).into_owned();
        loop {
            let is_shown = field.is_safe_to_display || field.name == "username";
            let value = if is_shown { ask::text(&question, "")? } else { ask::hidden(&question)? };
            if !value.is_empty() {
                values.insert(field.name.clone(), json!(value));
            }
            if !value.is_empty() || !field.required {
                break;
            }
        }
    }
    Ok(values)
}

/// A type without fields takes any.
fn ask_free_values() -> anyhow::Result<Map<String, Value>> {
    let mut values = Map::new();
    loop {
        let key = ask::required_text("Key of field:", "")?;
        values.insert(key, json!(ask::hidden("Value of field:")?));
        if !ask::confirm("Add another field?", false)? {
            return Ok(values);
        }
    }
}
