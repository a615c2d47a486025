//! Bundles through the API.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{TestEngine, activate, bundle, settings};

const DEFAULT_BUNDLE: &str = "2c53a13c-1765-11e8-82ef-23527761d060";

fn always(id: &str) -> Value {
    bundle(id, "always", "always", "STOP", json!([]))
}

async fn active(engine: &TestEngine) -> Vec<String> {
    let (_, records) = engine.get("/policies").await;
    let records = records.as_array().unwrap().iter();
    records
        .filter(|record| record["active"] == true)
        .map(|record| record["policyId"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_new_engine_has_the_first_bundles_and_one_is_active() {
    let folder = tempfile::tempdir().unwrap();
    let engine = TestEngine::start(settings(folder.path(), None), false).await;
    let (status, records) = engine.get("/v1/policies?detail=False").await;
    assert_eq!((status, records.as_array().unwrap().len()), (StatusCode::OK, 6));
    assert_eq!(records[0]["policybundle"], json!({}));
    assert_eq!(active(&engine).await, [DEFAULT_BUNDLE]);
    let (_, one) = engine.get(&format!("/v1/policies/{DEFAULT_BUNDLE}")).await;
    assert_eq!(one[0]["policybundle"]["id"], DEFAULT_BUNDLE);
    let (status, specification) = engine.get("/system/policy_spec").await;
    assert_eq!(status, StatusCode::OK);
    assert!(specification.as_array().unwrap().iter().any(|gate| gate["name"] == "vulnerabilities"));
}

#[tokio::test]
async fn exactly_one_bundle_is_active_whatever_is_posted() {
    let folder = tempfile::tempdir().unwrap();
    let engine = TestEngine::start(settings(folder.path(), None), false).await;
    let mut posted = always("one");
    posted["junk"] = json!({"a": 1});
    let (status, record) = engine.post("/v1/policies?detail=True", &posted).await;
    assert_eq!(
        (status, &record["active"], &record["policy_source"]),
        (StatusCode::OK, &json!(false), &json!("local"))
    );
    assert_eq!(record["policybundle"], posted, "stored as posted");
    activate(&engine, &posted).await;
    assert_eq!(active(&engine).await, ["one"]);
    let (_, again) = engine.post("/v1/policies", &always("one")).await;
    assert_eq!(again["active"], true, "an upload never leaves the account without a policy");

    let (_, records) = engine.get("/policies/one").await;
    let mut record = records[0].clone();
    record["active"] = json!(false);
    let (status, value) = engine.send(Method::PUT, "/policies/one", &record).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(value["message"], "cannot deactivate an active policy - can only activate an inactive policy");
    let (status, value) = engine.send(Method::DELETE, "/policies/one", &json!({})).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(
        value["message"],
        "cannot delete an active policy - activate a different policy then delete this one"
    );

    activate(&engine, &always("two")).await;
    assert_eq!(active(&engine).await, ["two"]);
    let (status, value) = engine.send(Method::DELETE, "/policies/one", &json!({})).await;
    assert_eq!((status, value), (StatusCode::OK, json!("deleted")));
    let (status, value) = engine.get("/policies/one").await;
    assert_eq!(
        (status, &value["message"]),
        (StatusCode::NOT_FOUND, &json!("Policy bundle one not found in DB"))
    );
}

#[tokio::test]
async fn records_that_do_not_fit_are_refused_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let engine = TestEngine::start(settings(folder.path(), None), false).await;
    engine.post("/policies", &always("one")).await;
    let (_, records) = engine.get("/policies/one").await;
    let without = |key: &str| {
        let mut record = records[0].clone();
        record.as_object_mut().unwrap().shift_remove(key);
        record
    };
    let mut other = records[0].clone();
    other["policyId"] = json!("other");
    let rows = [
        ("/policies/nosuch", records[0].clone(), 404, "Policy bundle nosuch not found in DB"),
        (
            "/policies/one",
            other,
            400,
            "policyId 'other' in the body does not match the policy id one in the path",
        ),
        ("/policies/one", without("policyId"), 400, "'policyId' is a required property"),
        ("/policies/one", without("policybundle"), 400, "'policybundle' is a required property"),
        (
            "/policies/one",
            json!({"policyId": "one", "policybundle": {}}),
            400,
            "'id' is a required property - 'policybundle'",
        ),
        (
            "/policies/one?active=maybe",
            records[0].clone(),
            400,
            "Wrong type, expected 'boolean' for query parameter 'active'",
        ),
    ];
    for (path, body, expected, text) in rows {
        let (status, value) = engine.send(Method::PUT, path, &body).await;
        assert_eq!(status.as_u16(), expected, "{path}: {value:#}");
        assert_eq!(value["message"].as_str().or(value["detail"].as_str()), Some(text), "{path}");
    }
}

#[tokio::test]
async fn broken_bundles_are_refused_with_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let engine = TestEngine::start(settings(folder.path(), None), false).await;
    let (status, value) = engine.post("/policies", &bundle("b", "nosuchgate", "x", "STOP", json!([]))).await;
    assert_eq!((status, &value["message"]), (StatusCode::BAD_REQUEST, &json!("Bundle failed validation")));
    let details = value["detail"]["validation_details"].as_array().unwrap();
    assert_eq!(
        (&details[0]["problem_type"], &details[0]["severity"]),
        (&json!("GateNotFoundError"), &json!("error"))
    );
    assert!(details[0]["details"].as_str().unwrap().contains("nosuchgate"));
    let mut incomplete = always("c");
    incomplete.as_object_mut().unwrap().shift_remove("id");
    let (status, value) = engine.post("/policies", &incomplete).await;
    assert_eq!((status, &value["detail"]), (StatusCode::BAD_REQUEST, &json!("'id' is a required property")));
    let (_, records) = engine.get("/policies").await;
    assert_eq!(records.as_array().unwrap().len(), 6, "nothing was stored");
}
