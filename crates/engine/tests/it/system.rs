//! What clients ask before they do anything else.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{TestEngine, answer, settings};

#[tokio::test]
async fn one_process_presents_the_services_that_clients_wait_for() {
    let folder = tempfile::tempdir().unwrap();
    let engine = TestEngine::start(settings(folder.path(), None), false).await;
    let (_, system) = engine.get("/v1/system").await;
    let services = system["service_states"].as_array().unwrap();
    for name in ["catalog", "apiext", "policy_engine", "simplequeue", "analyzer"] {
        let service = services.iter().find(|service| service["servicename"] == name).unwrap();
        assert_eq!(service["service_detail"]["up"], true, "{name}");
    }
    let (_, status) = engine.get("/status").await;
    assert_eq!((&status["up"], &status["version"]), (&json!(true), &json!("1.1.0")));
    assert!(status["detail"]["vulnerability_database"].as_str().unwrap().starts_with("missing"));
}

#[tokio::test]
async fn the_administrator_may_look_into_accounts_that_are_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let engine = TestEngine::start(settings(folder.path(), None), false).await;
    let (_, account) = engine.get("/account").await;
    assert_eq!(
        (&account["name"], &account["type"], &account["state"]),
        (&json!("admin"), &json!("admin"), &json!("enabled"))
    );
    let in_account = |path: &str| engine.request(Method::GET, path).header("x-anchore-account", "nosuch");
    assert_eq!(answer(in_account("/account")).await, (StatusCode::OK, Value::String(String::new())));
    assert_eq!(answer(in_account("/images")).await, (StatusCode::OK, json!([])));
    assert_eq!(answer(in_account("/policies")).await, (StatusCode::OK, json!([])));
    assert_eq!(answer(in_account("/user")).await.1["username"], "admin");
    let own = engine.request(Method::GET, "/policies").header("x-anchore-account", "");
    assert_eq!(answer(own).await.1.as_array().unwrap().len(), 6);
    let post = engine
        .request(Method::POST, "/images")
        .header("x-anchore-account", "nosuch")
        .json(&json!({"tag": "a"}));
    assert_eq!(
        answer(post).await.0,
        StatusCode::BAD_REQUEST,
        "nothing is written for an account that is not there"
    );
}
