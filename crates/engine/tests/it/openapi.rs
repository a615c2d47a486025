//! `/openapi.json`: whole, and true of what is really answered.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{
    TestEngine, VULNERABLE, answer, database_path, debian_image, registry, settings, write_database,
};

#[tokio::test]
async fn the_document_is_the_one_that_was_reviewed() {
    let folder = tempfile::tempdir().unwrap();
    let engine = TestEngine::start(settings(folder.path(), None), false).await;
    let (_, document) = engine.get("/openapi.json").await;
    let (_, old) = engine.get("/v1/swagger.json").await;
    assert_eq!(
        (&old["swagger"], &old["info"]["version"]),
        (&json!("2.0"), &json!("0.1.20")),
        "old clients compare it"
    );
    let paths = |document: &Value| document["paths"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(paths(&old), paths(&document));
    let mut lines = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let statuses: BTreeSet<&str> =
                operation["responses"].as_object().unwrap().keys().map(String::as_str).collect();
            let statuses = statuses.into_iter().collect::<Vec<_>>().join(" ");
            let name = operation["operationId"].as_str().unwrap();
            lines.push(format!("{path} {} {name}: {statuses}\n", method.to_uppercase()));
        }
    }
    lines.sort();
    let reviewed = include_str!("../data/openapi-operations.txt");
    assert!(lines.concat() == reviewed, "tests/data/openapi-operations.txt should be:\n{}", lines.concat());
}

#[tokio::test]
async fn every_reference_and_every_parameter_leads_somewhere() {
    let folder = tempfile::tempdir().unwrap();
    let engine = TestEngine::start(settings(folder.path(), None), false).await;
    let (_, document) = engine.get("/openapi.json").await;
    let references = testkit::collect_references(&document);
    assert!(references.len() > 100);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    let mut names = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for operation in operations.as_object().unwrap().values() {
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name.to_owned()), "{name} is there twice");
            let wanted: BTreeSet<&str> =
                path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
            let declared = operation["parameters"].as_array().into_iter().flatten();
            let declared: BTreeSet<&str> = declared
                .filter(|parameter| parameter["in"] == "path")
                .filter_map(|parameter| parameter["name"].as_str())
                .collect();
            assert_eq!(wanted, declared, "{path}");
        }
    }
}

/// Path as described, path as asked.
const ASKED: &[(&str, &str)] = &[
    ("/", "/"),
    ("/health", "/health"),
    ("/version", "/version"),
    ("/account", "/account"),
    ("/user", "/user"),
    ("/user/credentials", "/user/credentials"),
    ("/accounts", "/accounts"),
    ("/accounts/{account}", "/accounts/admin"),
    ("/accounts/{account}/users", "/accounts/admin/users"),
    ("/accounts/{account}/users/{username}", "/accounts/admin/users/admin"),
    ("/accounts/{account}/users/{username}/credentials", "/accounts/admin/users/admin/credentials"),
    ("/images", "/images"),
    ("/images/{digest}", "/images/DIGEST"),
    ("/images/{digest}", "/images/DIGEST?detail=false"),
    ("/images/by_id/{image_id}", "/images/by_id/IMAGE"),
    ("/images/{digest}/check", "/images/DIGEST/check?tag=x"),
    ("/images/{digest}/check", "/images/DIGEST/check?tag=x&detail=false&history=true"),
    ("/images/{digest}/vuln", "/images/DIGEST/vuln"),
    ("/images/{digest}/vuln/{type}", "/images/DIGEST/vuln/all"),
    ("/images/{digest}/content", "/images/DIGEST/content"),
    ("/images/{digest}/content/{type}", "/images/DIGEST/content/os"),
    ("/images/{digest}/metadata", "/images/DIGEST/metadata"),
    ("/images/{digest}/metadata/{type}", "/images/DIGEST/metadata/manifest"),
    ("/images/{digest}/metadata/{type}", "/images/DIGEST/metadata/dockerfile"),
    ("/summaries/imagetags", "/summaries/imagetags"),
    ("/policies", "/policies"),
    ("/policies", "/policies?detail=true"),
    ("/policies/{id}", "/policies/2c53a13c-1765-11e8-82ef-23527761d060"),
    ("/exceptions", "/exceptions"),
    ("/registries", "/registries"),
    ("/registries/{registry}", "/registries/r.example.org"),
    ("/subscriptions", "/subscriptions"),
    ("/events", "/events"),
    ("/event_types", "/event_types"),
    ("/archives", "/archives"),
    ("/archives/images", "/archives/images"),
    ("/archives/rules", "/archives/rules"),
    ("/status", "/status"),
    ("/system", "/system"),
    ("/system/services", "/system/services"),
    ("/system/error_codes", "/system/error_codes"),
    ("/system/policy_spec", "/system/policy_spec"),
    ("/system/feeds", "/system/feeds"),
    ("/accounts/{account}", "/accounts/nosuch"),
    ("/accounts", "/accounts?state=bogus"),
    ("/images/{digest}/check", "/images/DIGEST/check"),
    ("/registries/{registry}", "/registries/nosuch"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_as_described() {
    let folder = tempfile::tempdir().unwrap();
    write_database(&database_path(folder.path()));
    let registry = registry();
    registry.push_image(&debian_image(VULNERABLE), "app:1").unwrap();
    let engine = TestEngine::start(settings(folder.path(), Some(&registry)), true).await;
    let image = engine.add_and_wait(&registry.reference("app:1")).await;
    let entry = json!({"registry": "r.example.org", "registry_user": "u", "registry_pass": "p"});
    assert_eq!(engine.post("/registries?validate=false", &entry).await.0, StatusCode::OK);
    let exception =
        json!({"vulnerability": "CVE-2099-0001", "scope": {"type": "account"}, "owner": "a", "reason": "b"});
    assert_eq!(engine.post("/exceptions", &exception).await.0, StatusCode::OK);
    let (_, document) = engine.get("/openapi.json").await;
    let digest = image["imageDigest"].as_str().unwrap();
    let id = image["image_detail"][0]["imageId"].as_str().unwrap();
    for (described, path) in ASKED {
        let path = path.replace("DIGEST", digest).replace("IMAGE", id);
        let response = engine.request(Method::GET, &path).send().await.unwrap();
        let status = response.status().as_u16().to_string();
        let media = response.headers()["content-type"].to_str().unwrap().to_owned();
        let body: Value = response.json().await.unwrap();
        check_answer(&document, described, "get", (&status, &media), &body);
    }
    let refused = answer(engine.anonymous(Method::GET, "/images")).await;
    assert_eq!(refused.1, "Unauthorized");
    engine.close().await;
}

fn check_answer(document: &Value, path: &str, method: &str, (status, media): (&str, &str), body: &Value) {
    let response = &document["paths"][path][method]["responses"][status];
    let response = match response["$ref"].as_str() {
        Some(reference) => document.pointer(&reference[1..]).unwrap(),
        None => response,
    };
    let schema = &response["content"][media]["schema"];
    assert!(schema.is_object(), "{path} answers {status} {media}, which is not described: {body}");
    let mut whole = schema.clone();
    whole["components"] = document["components"].clone();
    let validator = jsonschema::draft202012::new(&whole).unwrap();
    let problems: Vec<String> =
        validator.iter_errors(body).map(|error| format!("{} at {}", error, error.instance_path())).collect();
    assert!(problems.is_empty(), "{path} {status}: {problems:#?}\n{body:#}");
}
