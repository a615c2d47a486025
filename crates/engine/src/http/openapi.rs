//! `/openapi.json` and `/swagger.json`: the document that describes every route (OpenAPI 3.1).
//!
//! It is kept by hand, in files by topic. What is the same for every operation is added here: the header that names the
//! account, and the answers that any request may get. Old clients read `info.version` of `/swagger.json` and want at least
//! 0.1.6; they get the same routes in the old form, without the details.

use std::sync::LazyLock;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value, json};

type Object = Map<String, Value>;

const HEAD: &str = include_str!("openapi/head.json");
const COMPONENTS: &str = include_str!("openapi/components.json");
const SCHEMAS: [&str; 4] = [
    include_str!("openapi/schemas_accounts.json"),
    include_str!("openapi/schemas_images.json"),
    include_str!("openapi/schemas_imports.json"),
    include_str!("openapi/schemas_others.json"),
];
const PATHS: [&str; 12] = [
    include_str!("openapi/paths_open.json"),
    include_str!("openapi/paths_accounts.json"),
    include_str!("openapi/paths_images.json"),
    include_str!("openapi/paths_image_content.json"),
    include_str!("openapi/paths_imports.json"),
    include_str!("openapi/paths_policies.json"),
    include_str!("openapi/paths_registries.json"),
    include_str!("openapi/paths_subscriptions.json"),
    include_str!("openapi/paths_events.json"),
    include_str!("openapi/paths_archives.json"),
    include_str!("openapi/paths_queries.json"),
    include_str!("openapi/paths_system.json"),
];

/// Answers of every operation; of those that want to know who asks; of those with a body.
const ALWAYS: [(&str, &str); 3] = [("500", "Fault"), ("503", "Busy"), ("504", "TimedOut")];
const GUARDED: [(&str, &str); 3] = [("400", "BadRequest"), ("401", "Unauthorized"), ("403", "Forbidden")];
const WITH_BODY: [(&str, &str); 4] =
    [("400", "BadRequest"), ("408", "Late"), ("413", "TooLarge"), ("415", "NotJson")];

static TEXT: LazyLock<String> = LazyLock::new(|| format!("{:#}\n", document()));
static OLD_TEXT: LazyLock<String> = LazyLock::new(|| format!("{:#}\n", old_document(&document())));

/// `GET /openapi.json`.
pub(super) async fn openapi() -> Response {
    answer(&TEXT)
}

/// `GET /swagger.json`.
pub(super) async fn swagger() -> Response {
    answer(&OLD_TEXT)
}

fn answer(text: &'static str) -> Response {
    (StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// The files are constants, and a test reads them.
fn object(text: &str) -> Object {
    serde_json::from_str(text).unwrap_or_default()
}

fn document() -> Value {
    let mut document = object(HEAD);
    let mut paths: Object = PATHS.iter().flat_map(|text| object(text)).collect();
    for operation in paths.values_mut().filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
        if let Value::Object(operation) = operation {
            complete(operation);
        }
    }
    let mut components = object(COMPONENTS);
    let schemas: Object = SCHEMAS.iter().flat_map(|text| object(text)).collect();
    components.insert("schemas".to_owned(), Value::Object(schemas));
    document.insert("paths".to_owned(), Value::Object(paths));
    document.insert("components".to_owned(), Value::Object(components));
    Value::Object(document)
}

fn complete(operation: &mut Object) {
    let is_open = operation.contains_key("security");
    let has_body = operation.contains_key("requestBody");
    if !is_open {
        let parameters = operation.entry("parameters").or_insert_with(|| json!([]));
        if let Value::Array(parameters) = parameters {
            parameters.push(json!({"$ref": "#/components/parameters/account"}));
        }
    }
    let common = ALWAYS
        .iter()
        .chain(GUARDED.iter().filter(|_| !is_open))
        // The one open operation with a body takes a form, and says itself what it refuses.
        .chain(WITH_BODY.iter().filter(|(status, _)| has_body && (!is_open || *status != "415")));
    if let Some(Value::Object(responses)) = operation.get_mut("responses") {
        for (status, name) in common {
            responses
                .entry(*status)
                .or_insert_with(|| json!({"$ref": format!("#/components/responses/{name}")}));
        }
    }
}

/// The same routes as Swagger 2.0, which has other words for most of the rest.
fn old_document(document: &Value) -> Value {
    let mut paths = Object::new();
    for (path, operations) in document["paths"].as_object().into_iter().flatten() {
        let operations = operations.as_object().into_iter().flatten();
        let old = operations.map(|(method, operation)| (method.clone(), old_operation(path, operation)));
        paths.insert(path.clone(), Value::Object(old.collect()));
    }
    json!({
        "swagger": "2.0",
        "info": {
            "title": document["info"]["title"],
            "version": document["info"]["version"],
            "description": "The routes only; /openapi.json describes them.",
        },
        "basePath": "/v1",
        "consumes": ["application/json"],
        "produces": ["application/json"],
        "securityDefinitions": {"basic": {"type": "basic"}},
        "security": [{"basic": []}],
        "paths": paths,
    })
}

fn old_operation(path: &str, operation: &Value) -> Value {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Value> =
        names.map(|name| json!({"name": name, "in": "path", "required": true, "type": "string"})).collect();
    if operation.get("requestBody").is_some() {
        parameters.push(json!({"name": "body", "in": "body", "required": true, "schema": {}}));
    }
    let statuses = operation["responses"].as_object().into_iter().flatten();
    let responses: Object =
        statuses.map(|(status, _)| (status.clone(), json!({"description": "See /openapi.json."}))).collect();
    let mut old = json!({
        "operationId": operation["operationId"],
        "summary": operation["summary"],
        "parameters": parameters,
        "responses": responses,
    });
    if let Some(security) = operation.get("security") {
        old["security"] = security.clone();
    }
    old
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::http::permission::tests::routes;

    #[test]
    fn every_file_is_an_object() {
        for text in PATHS.iter().chain(&SCHEMAS).chain([&HEAD, &COMPONENTS]) {
            let parsed: Result<Object, _> = serde_json::from_str(text);
            assert!(
                parsed.is_ok_and(|object| !object.is_empty()),
                "{}",
                text.chars().take(100).collect::<String>()
            );
        }
    }

    #[test]
    fn what_is_served_is_described_and_the_other_way_round() {
        let served: BTreeSet<String> = routes()
            .into_iter()
            .map(|(method, path)| format!("{method} {}", path.replace("{*", "{")))
            .collect();
        let document = document();
        let mut described = BTreeSet::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for method in operations.as_object().unwrap().keys() {
                described.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
        let only_served: Vec<&String> = served.difference(&described).collect();
        assert!(only_served.is_empty(), "add to http/openapi/: {only_served:#?}");
        let only_described: Vec<&String> = described.difference(&served).collect();
        assert!(only_described.is_empty(), "not served: {only_described:#?}");
    }
}
