//! `/openapi.json`: the document that describes every route (OpenAPI 3.1).
//!
//! It is kept by hand, in files by topic. What is the same for every operation is added here: the parameters of its path, and the
//! answers that any request may get.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value, json};

use super::Shared;

type Object = Map<String, Value>;

const HEAD: &str = include_str!("openapi/head.json");
const COMPONENTS: &str = include_str!("openapi/components.json");
const SCHEMAS: [&str; 4] = [
    include_str!("openapi/schemas_errors.json"),
    include_str!("openapi/schemas_login.json"),
    include_str!("openapi/schemas_people.json"),
    include_str!("openapi/schemas_security.json"),
];
const PATHS: [&str; 9] = [
    include_str!("openapi/paths_open.json"),
    include_str!("openapi/paths_login.json"),
    include_str!("openapi/paths_people.json"),
    include_str!("openapi/paths_secrets.json"),
    include_str!("openapi/paths_clusters.json"),
    include_str!("openapi/paths_security.json"),
    include_str!("openapi/paths_services.json"),
    include_str!("openapi/paths_engine.json"),
    include_str!("openapi/paths_processes.json"),
];

/// Answers of every operation; of those that want to know who asks; of those in an organization; about a cluster; with a body.
const ALWAYS: [(&str, &str); 2] = [("500", "Fault"), ("503", "Busy")];
const GUARDED: [(&str, &str); 2] = [("401", "Unauthorized"), ("403", "Forbidden")];
const IN_ORGANIZATION: [(&str, &str); 1] = [("400", "BadRequest")];
const ABOUT_CLUSTER: [(&str, &str); 1] = [("404", "NotFound")];
const WITH_BODY: [(&str, &str); 3] = [("400", "BadRequest"), ("408", "Late"), ("413", "TooLarge")];

/// What services are called, and what they were called before.
const SERVICES: (&str, &str) = ("/services", "/features");

/// `GET /openapi.json`.
pub(super) async fn get(State(shared): State<Shared>) -> Response {
    let text = format!("{:#}\n", document(&shared.plane.settings.base_path));
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// The files are constants, and a test reads them.
fn object(text: &str) -> Object {
    serde_json::from_str(text).unwrap_or_default()
}

fn document(base_path: &str) -> Value {
    let mut document = object(HEAD);
    let mut paths: Object = PATHS.iter().flat_map(|text| object(text)).collect();
    paths.extend(former_names(&paths));
    for (path, operations) in &mut paths {
        for operation in operations.as_object_mut().into_iter().flat_map(Map::values_mut) {
            if let Value::Object(operation) = operation {
                complete(path, operation);
            }
        }
    }
    let mut servers = vec![json!({"url": "/"})];
    if !base_path.is_empty() {
        servers.insert(0, json!({"url": base_path}));
    }
    let mut components = object(COMPONENTS);
    let schemas: Object = SCHEMAS.iter().flat_map(|text| object(text)).collect();
    components.insert("schemas".to_owned(), Value::Object(schemas));
    document.insert("servers".to_owned(), Value::Array(servers));
    document.insert("paths".to_owned(), Value::Object(paths));
    document.insert("components".to_owned(), Value::Object(components));
    Value::Object(document)
}

/// The same operations under the name that they had before.
fn former_names(paths: &Object) -> Object {
    let (name, former) = SERVICES;
    let services = paths.iter().filter(|(path, _)| path.contains(name));
    let renamed = services.map(|(path, operations)| {
        let mut operations = operations.clone();
        for operation in operations.as_object_mut().into_iter().flat_map(Map::values_mut) {
            let id = operation["operationId"].as_str().unwrap_or_default();
            operation["operationId"] = json!(format!("{id}Formerly"));
            operation["deprecated"] = json!(true);
        }
        (path.replace(name, former), operations)
    });
    renamed.collect()
}

fn complete(path: &str, operation: &mut Object) {
    let is_open = operation.contains_key("security");
    let has_body = operation.contains_key("requestBody");
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut names: Vec<&str> = names.collect();
    let (is_in_organization, is_about_cluster) =
        (names.contains(&"organization"), names.contains(&"cluster"));
    if is_about_cluster {
        names.push("field");
    }
    if !names.is_empty() {
        let parameters = operation.entry("parameters").or_insert_with(|| json!([]));
        if let Value::Array(parameters) = parameters {
            let references =
                names.iter().map(|name| json!({"$ref": format!("#/components/parameters/{name}")}));
            parameters.extend(references);
        }
    }
    if let Some(Value::Object(responses)) = operation.get_mut("responses") {
        // Where an engine answers, only what is said before it is asked is known.
        let is_ours = !responses.contains_key("default");
        let common = ALWAYS
            .iter()
            .chain(IN_ORGANIZATION.iter().filter(|_| is_in_organization))
            .chain(ABOUT_CLUSTER.iter().filter(|_| is_about_cluster))
            .chain(WITH_BODY.iter().filter(|_| has_body))
            .filter(|_| is_ours)
            .chain(GUARDED.iter().filter(|_| !is_open));
        for (status, name) in common {
            let answer = json!({"$ref": format!("#/components/responses/{name}")});
            responses.entry(*status).or_insert(answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_an_object() {
        for text in PATHS.iter().chain(&SCHEMAS).chain([&HEAD, &COMPONENTS]) {
            let parsed: Result<Object, _> = serde_json::from_str(text);
            let beginning: String = text.chars().take(100).collect();
            assert!(parsed.is_ok_and(|object| !object.is_empty()), "{beginning}");
        }
    }
}
