//! `/openapi.json`: whole, frozen, of every route, and true of what is really answered.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::cluster_support::{add_cluster, token_kubeconfig};
use crate::engine_support::{RecordingEngine, active_cluster, digest, settings_with};
use crate::support::{TestPlane, answer, settings};

const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
const CLUSTER: &str = "/api/v1/orgs/{organization}/clusters/{cluster}";

async fn document(plane: &TestPlane) -> Value {
    let (status, document) = answer(plane.anonymous(Method::GET, "/openapi.json")).await;
    assert_eq!(status, StatusCode::OK);
    document
}

/// Every operation: method, path, itself.
fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, operations)| {
            let operations = operations.as_object().unwrap();
            operations.iter().map(|(method, operation)| (method.to_uppercase(), path.clone(), operation))
        })
        .collect()
}

/// The names of what a schema holds, down to other schemas.
fn shape(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        return reference.rsplit('/').next().unwrap().to_owned();
    }
    let required: BTreeSet<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let property = |(name, value): (&String, &Value)| {
        let mark = if required.contains(name.as_str()) { "!" } else { "" };
        format!("{name}{mark}:{}", shape(value))
    };
    match (&schema["properties"], &schema["items"], &schema["enum"]) {
        (Value::Object(properties), ..) => {
            format!("{{{}}}", properties.iter().map(property).collect::<Vec<_>>().join(" "))
        }
        (_, items, _) if items.is_object() => format!("[{}]", shape(items)),
        (_, _, Value::Array(values)) => {
            values.iter().map(Value::to_string).collect::<Vec<_>>().join("|").replace('"', "")
        }
        _ => schema["type"].to_string().replace('"', ""),
    }
}

#[tokio::test]
async fn the_document_is_the_one_that_was_reviewed() {
    let folder = tempfile::tempdir().unwrap();
    let plane = TestPlane::start(settings(folder.path())).await;
    let document = document(&plane).await;
    assert_eq!(document["servers"], json!([{"url": "/pipeline"}, {"url": "/"}]));
    for path in ["/pipeline/openapi.json", "/api/v1/openapi.json", "/pipeline/api/v1/openapi.json"] {
        assert_eq!(answer(plane.anonymous(Method::GET, path)).await.1, document, "{path}");
    }
    let mut lines = Vec::new();
    for (method, path, operation) in operations(&document) {
        let statuses: Vec<&str> =
            operation["responses"].as_object().unwrap().keys().map(String::as_str).collect();
        let name = operation["operationId"].as_str().unwrap();
        lines.push(format!("{path} {method} {name}: {}\n", statuses.join(" ")));
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        lines.push(format!("{name} = {}\n", shape(schema)));
    }
    lines.sort();
    let reviewed = include_str!("../data/openapi.txt");
    assert!(lines.concat() == reviewed, "tests/data/openapi.txt should be:\n{}", lines.concat());
    plane.close().await;
}

#[tokio::test]
async fn every_reference_and_every_parameter_leads_somewhere() {
    let folder = tempfile::tempdir().unwrap();
    let plane = TestPlane::start(settings(folder.path())).await;
    let document = document(&plane).await;
    let references = testkit::collect_references(&document);
    assert!(references.len() > 100);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    let mut names = BTreeSet::new();
    for (_, path, operation) in operations(&document) {
        let name = operation["operationId"].as_str().unwrap();
        assert!(names.insert(name.to_owned()), "{name} is there twice");
        let wanted: BTreeSet<&str> =
            path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        let declared: BTreeSet<&str> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|parameter| document.pointer(parameter["$ref"].as_str()?.strip_prefix('#')?))
            .filter(|parameter| parameter["in"] == "path")
            .filter_map(|parameter| parameter["name"].as_str())
            .collect();
        assert_eq!(wanted, declared, "{path}");
    }
    plane.close().await;
}

/// Paths of all routes, out of the source that registers them.
fn paths_in_source() -> BTreeSet<String> {
    let source = include_str!("../../src/http/mod.rs");
    let mut found = BTreeSet::from(["/".to_owned()]);
    for part in source.split("\nfn ").skip(1) {
        let name = part.split('(').next().unwrap();
        let body = part.split_once("\n}").unwrap().0;
        let in_front = match name {
            "routes" => "",
            "auth" => "/auth",
            "api" => "/api/v1",
            "cluster" => CLUSTER,
            "services" => {
                for word in ["services", "features"] {
                    found.extend([format!("{CLUSTER}/{word}"), format!("{CLUSTER}/{word}/{{service}}")]);
                }
                continue;
            }
            "engine" => continue,
            other => unreachable!("say here where the routes of `fn {other}` are"),
        };
        let literals = body.split('"').skip(1).step_by(2);
        let paths =
            literals.filter(|text| (text.is_empty() || text.starts_with('/')) && !text.contains("{{"));
        // What is nested has a function of its own.
        let paths = paths.filter(|path| name != "routes" || !["/auth", "/api/v1"].contains(path));
        found.extend(paths.map(|path| format!("{in_front}{path}").replace("{*", "{")));
    }
    assert!(found.len() > 40, "{found:#?}");
    found
}

#[tokio::test]
async fn what_is_served_is_described_and_the_other_way_round() {
    let folder = tempfile::tempdir().unwrap();
    let plane = TestPlane::start(settings(folder.path())).await;
    let document = document(&plane).await;
    let mut served = BTreeSet::new();
    for path in paths_in_source() {
        let asked: String = path
            .split('/')
            .map(|part| if part.starts_with('{') { "1" } else { part })
            .collect::<Vec<_>>()
            .join("/");
        for method in METHODS {
            // Nobody asks: what is there refuses him, or answers.
            let (status, body) = answer(plane.anonymous(method.clone(), &asked)).await;
            let is_nowhere = body["detail"].to_string().contains("nothing at this address");
            assert!(!is_nowhere, "{path} is no route");
            if status != StatusCode::METHOD_NOT_ALLOWED {
                served.insert(format!("{method} {path}"));
            }
        }
    }
    let described: BTreeSet<String> =
        operations(&document).into_iter().map(|(method, path, _)| format!("{method} {path}")).collect();
    let only_served: Vec<&String> = served.difference(&described).collect();
    assert!(only_served.is_empty(), "add to src/http/openapi/: {only_served:#?}");
    let only_described: Vec<&String> = described.difference(&served).collect();
    assert!(only_described.is_empty(), "not served: {only_described:#?}");
    plane.close().await;
}

/// Path as described, path as asked.
const ASKED: &[(&str, &str)] = &[
    ("/version", "/version"),
    ("/auth/oidc/client", "/auth/oidc/client"),
    ("/api/v1/me", "/api/v1/me"),
    ("/api/v1/capabilities", "/api/v1/capabilities"),
    ("/api/v1/securityscan", "/api/v1/securityscan"),
    ("/api/v1/tokens", "/api/v1/tokens"),
    ("/api/v1/tokens/{id}", "/api/v1/tokens/nosuch"),
    ("/api/v1/sessions", "/api/v1/sessions"),
    ("/api/v1/orgs", "/api/v1/orgs"),
    ("/api/v1/orgs/{organization}", "/api/v1/orgs/1"),
    ("/api/v1/orgs/{organization}", "/api/v1/orgs/x"),
    ("/api/v1/secret-types", "/api/v1/secret-types"),
    ("/api/v1/secret-types/{type}", "/api/v1/secret-types/password"),
    ("/api/v1/secret-types/{type}", "/api/v1/secret-types/nosuch"),
    ("/api/v1/orgs/{organization}/secrets", "/api/v1/orgs/1/secrets?values=true"),
    ("/api/v1/orgs/{organization}/secrets", "/api/v1/orgs/1/secrets?type=nosuch"),
    ("/api/v1/orgs/{organization}/secrets/{id}", "/api/v1/orgs/1/secrets/nosuch"),
    ("/api/v1/orgs/{organization}/processes", "/api/v1/orgs/1/processes"),
    ("/api/v1/orgs/{organization}/processes", "/api/v1/orgs/1/processes?status=nosuch"),
    ("/api/v1/orgs/{organization}/processes/{id}", "/api/v1/orgs/1/processes/nosuch"),
    ("/api/v1/orgs/{organization}/clusters", "/api/v1/orgs/1/clusters"),
];
/// The same below a cluster.
const ASKED_OF_CLUSTER: &[(&str, &str)] = &[
    ("", ""),
    ("/config", "/config"),
    ("/namespaces", "/namespaces"),
    ("/scanlog", "/scanlog"),
    ("/whitelists", "/whitelists"),
    ("/images", "/images"),
    ("/podscan", "/podscan"),
    ("/podscan", "/podscan?limit=0"),
    ("/images/{digest}/deployments", "/images/nosuch/deployments"),
    ("/deployments", "/deployments"),
    ("/services", "/services"),
    ("/features/{service}", "/features/securityscan"),
    ("/services/{service}", "/services/nosuch"),
    ("/policies", "/policies"),
    ("/policies/{id}", "/policies/p2"),
    ("/imagescan/{digest}", "/imagescan/DIGEST"),
    ("/imagescan/{digest}", "/imagescan/nosuch"),
    ("/imagescan/{digest}/vuln", "/imagescan/DIGEST/vuln"),
];

#[tokio::test]
async fn answers_are_as_described() {
    let folder = tempfile::tempdir().unwrap();
    let engine = RecordingEngine::default();
    let plane = TestPlane::start(settings_with(folder.path(), &engine)).await;
    let active = active_cluster(&plane, folder.path(), 1).await;
    let kubeconfig = token_kubeconfig("https://127.0.0.1:1").to_string();
    let other = add_cluster(&plane, 1, "other", &kubeconfig).await;
    let document = document(&plane).await;
    for (described, asked) in ASKED {
        check(&plane, &document, described, asked).await;
    }
    for cluster in [&active, &other, &"/api/v1/orgs/1/clusters/99".to_owned()] {
        for (described, asked) in ASKED_OF_CLUSTER {
            let asked = format!("{cluster}{}", asked.replace("DIGEST", &digest()));
            check(&plane, &document, &format!("{CLUSTER}{described}"), &asked).await;
        }
    }
    plane.close().await;
}

async fn check(plane: &TestPlane, document: &Value, described: &str, asked: &str) {
    for is_known in [true, false] {
        let request = match is_known {
            true => plane.request(Method::GET, asked),
            false => plane.anonymous(Method::GET, asked),
        };
        let response = request.send().await.unwrap();
        let status = response.status().as_u16().to_string();
        let media = response.headers()["content-type"].to_str().unwrap().to_owned();
        let body: Value = response.json().await.unwrap();
        check_answer(document, described, (&status, &media), &body);
    }
}

fn check_answer(document: &Value, path: &str, (status, media): (&str, &str), body: &Value) {
    let response = &document["paths"][path]["get"]["responses"][status];
    let response = match response["$ref"].as_str() {
        Some(reference) => document.pointer(&reference[1..]).unwrap(),
        None => response,
    };
    let media = media.split(';').next().unwrap();
    let schema = &response["content"][media]["schema"];
    assert!(schema.is_object(), "{path} answers {status} {media}, which is not described: {body}");
    let mut whole = schema.clone();
    whole["components"] = document["components"].clone();
    let validator = jsonschema::draft202012::new(&whole).unwrap();
    let problems: Vec<String> =
        validator.iter_errors(body).map(|error| format!("{} at {}", error, error.instance_path())).collect();
    assert!(problems.is_empty(), "{path} {status}: {problems:#?}\n{body:#}");
}
