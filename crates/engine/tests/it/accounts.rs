//! `/accounts`: the rows are what a live Anchore Engine 1.1.0 answers; where it answered 500, a status that says whose fault.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{TestEngine, VULNERABLE, answer, debian_image, duties, registry, settings};

const NAME: &str = "^[a-zA-Z0-9][a-zA-Z0-9@.!#$+-=^_`~;]{1,126}[a-zA-Z0-9]$";

/// Body, status, the text that clients see; `{}` in it is the pattern of names.
const CREATIONS: &[(&str, u16, &str)] = &[
    (r#"{"name": "team-a", "email": "ops@example.org"}"#, 200, ""),
    (r#"{"name": "team-a"}"#, 400, "Account already exists"),
    (r#"{"name": "Team-A"}"#, 200, ""),
    (r#"{"name": "team-b"}"#, 200, ""),
    (r#"{"name": "system"}"#, 400, "Invalid account request: Cannot use name system"),
    (r#"{"name": "anchore-system"}"#, 400, "Invalid account request: Cannot use name anchore-system"),
    (r#"{"name": "admin"}"#, 400, "Invalid account request: Cannot use name admin"),
    (r#"{"name": "ab"}"#, 400, "'ab' does not match '{}' - 'name'"),
    (r#"{"name": "a b c"}"#, 400, "'a b c' does not match '{}' - 'name'"),
    (r#"{"name": "abc-"}"#, 400, "'abc-' does not match '{}' - 'name'"),
    (r#"{"name": "-abc"}"#, 400, "'-abc' does not match '{}' - 'name'"),
    (r#"{"name": "a*b"}"#, 400, "'a*b' does not match '{}' - 'name'"),
    (r#"{"name": "üñï"}"#, 400, "'üñï' does not match '{}' - 'name'"),
    (r#"{"name": "abc\n"}"#, 400, "'abc\\n' does not match '{}' - 'name'"),
    (r#"{"name": "a,b"}"#, 200, ""),
    (r#"{"name": "host:5000"}"#, 200, ""),
    ("{}", 400, "'name' is a required property"),
    (r#"{"name": 123}"#, 400, "123 is not of type 'string' - 'name'"),
    (r#"{"name": null}"#, 400, "None is not of type 'string' - 'name'"),
    (r#"{"name": "team-d", "email": null}"#, 400, "None is not of type 'string' - 'email'"),
    (
        r#"{"name": "team-e", "email": "x@y.org", "type": "admin"}"#,
        400,
        "Invalid account request: Account type must be \"user\", found: admin",
    ),
];

#[tokio::test]
async fn accounts_are_made_under_the_rules_of_the_original() {
    let folder = tempfile::tempdir().unwrap();
    let engine = TestEngine::start(settings(folder.path(), None), false).await;
    for (body, status, text) in CREATIONS {
        let body: Value = serde_json::from_str(body).unwrap();
        let (found, answered) = engine.post("/v1/accounts", &body).await;
        assert_eq!(found.as_u16(), *status, "{body}: {answered}");
        let shown = answered["message"].as_str().or(answered["detail"].as_str()).unwrap_or_default();
        assert_eq!(shown, text.replace("{}", NAME), "{body}");
    }
    for length in [128, 129] {
        let (found, _) = engine.post("/accounts", &json!({"name": "a".repeat(length)})).await;
        assert_eq!(found.is_success(), length == 128, "{length}");
    }
    for email in ["BAD", "Ops@Example.org", "a@b.org\u{7}"] {
        let (found, problem) = engine.post("/accounts", &json!({"name": "team-c", "email": email})).await;
        assert_eq!(found, StatusCode::BAD_REQUEST);
        assert!(problem["detail"].as_str().unwrap().ends_with("- 'email'"), "{problem}");
    }
    let (_, account) = engine.get("/accounts/team-a").await;
    assert_eq!(
        (&account["email"], &account["type"], &account["state"], &account["name"]),
        (&json!("ops@example.org"), &json!("user"), &json!("enabled"), &json!("team-a"))
    );
    assert!(account["created_at"].as_str().unwrap().ends_with('Z'));
    let (_, accounts) = engine.get("/accounts?state=enabled").await;
    let names: Vec<&str> =
        accounts.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names[..4], ["admin", "team-a", "Team-A", "team-b"], "without the account of the services");
    assert_eq!(engine.get("/accounts?state=disabled").await, (StatusCode::OK, json!([])));
    assert_eq!(engine.get("/accounts?state=bogus").await.0, StatusCode::BAD_REQUEST);
    for (path, status) in [
        ("/accounts/nosuch", 404),
        ("/accounts/anchore-system", 404),
        ("/accounts/a%2Fb", 404),
        ("/accounts/host%3A5000", 200),
        ("/accounts/nosuch/users", 404),
        ("/accounts/anchore-system/users", 404),
        ("/accounts/team-a/users", 200),
    ] {
        assert_eq!(engine.get(path).await.0.as_u16(), status, "{path}");
    }
}

#[tokio::test]
async fn a_new_account_has_the_default_bundle_in_force_and_its_own_namespace() {
    let folder = tempfile::tempdir().unwrap();
    let engine = TestEngine::start(settings(folder.path(), None), false).await;
    engine.post("/accounts", &json!({"name": "team-a"})).await;
    let of = |account: &'static str, path: &'static str| {
        answer(engine.request(Method::GET, path).header("x-anchore-account", account))
    };
    let (_, own) = of("team-a", "/policies").await;
    let (_, admins) = engine.get("/policies").await;
    assert_eq!(own.as_array().unwrap().len(), admins.as_array().unwrap().len());
    let active: Vec<&Value> = own.as_array().unwrap().iter().filter(|one| one["active"] == true).collect();
    assert_eq!(active.len(), 1);
    assert_eq!(active[0]["policyId"], "2c53a13c-1765-11e8-82ef-23527761d060");
    assert_eq!(active[0]["policy_source"], "local");
    assert_eq!(of("team-a", "/account").await.1["name"], "team-a");
    assert_eq!(of("nosuch", "/account").await, (StatusCode::OK, Value::String(String::new())));
    assert_eq!(of("", "/account").await.1["name"], "admin");
    assert_eq!(of("team-a", "/user").await.1["username"], "admin");
    let odd = engine.request(Method::GET, "/images").header("x-anchore-account", &b"team-\xe4"[..]);
    assert_eq!(answer(odd).await.0, StatusCode::BAD_REQUEST, "it must not mean the caller's own account");
}

/// Method, path below `/v1/accounts/`, body, status, the text that clients see.
const STATES: &[(&str, &str, &str, u16, &str)] = &[
    (
        "PUT",
        "team-b/state",
        r#"{"state": "bogus"}"#,
        400,
        "'bogus' is not one of ['enabled', 'disabled'] - 'state'",
    ),
    ("PUT", "team-b/state", "{}", 400, "Error updating account state: 'state' is a required property"),
    (
        "PUT",
        "team-b/state",
        r#"{"state": "deleting"}"#,
        400,
        "'deleting' is not one of ['enabled', 'disabled'] - 'state'",
    ),
    ("PUT", "team-b/state", r#"{"state": "enabled"}"#, 200, ""),
    (
        "DELETE",
        "team-b",
        "",
        400,
        "Invalid account state change requested. Cannot go from state enabled to state deleting",
    ),
    ("PUT", "team-b/state", r#"{"state": "disabled"}"#, 200, ""),
    ("PUT", "team-b/state", r#"{"state": "disabled"}"#, 200, ""),
    ("PUT", "nosuch/state", r#"{"state": "disabled"}"#, 404, "Account not found"),
    ("PUT", "admin/state", r#"{"state": "disabled"}"#, 400, "Cannot disable the admin account"),
    ("PUT", "anchore-system/state", r#"{"state": "disabled"}"#, 400, "Cannot disable the admin account"),
    ("DELETE", "admin", "", 400, "Account cannot be deleted"),
    ("DELETE", "anchore-system", "", 400, "Account cannot be deleted"),
    ("DELETE", "nosuch", "", 404, "Account not found"),
    ("DELETE", "team-b", "", 200, ""),
    (
        "PUT",
        "team-b/state",
        r#"{"state": "enabled"}"#,
        400,
        "Invalid account state change requested. Cannot go from state deleting to state enabled",
    ),
    (
        "DELETE",
        "team-b",
        "",
        400,
        "Invalid account state change requested. Cannot go from state deleting to state deleting",
    ),
];

#[tokio::test]
async fn states_change_as_the_machine_allows_and_a_deleted_account_goes_with_everything() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path(), None);
    settings.intervals.account_deletion = Duration::from_secs(3);
    let engine = TestEngine::start(settings, false).await.with_duties();
    engine.post("/accounts", &json!({"name": "team-b"})).await;
    engine.post("/accounts/team-b/users", &json!({"username": "bert", "password": "bertpw"})).await;
    let bert =
        |path: &'static str| answer(engine.anonymous(Method::GET, path).basic_auth("bert", Some("bertpw")));
    assert_eq!(bert("/account").await.1["name"], "team-b");
    for (method, path, body, status, text) in STATES {
        let request = engine.request(method.parse().unwrap(), &format!("/v1/accounts/{path}"));
        let request = if body.is_empty() {
            request
        } else {
            request.json(&serde_json::from_str::<Value>(body).unwrap())
        };
        let (found, answered) = answer(request).await;
        assert_eq!(found.as_u16(), *status, "{method} {path} {body}: {answered}");
        let shown = answered["message"].as_str().or(answered["detail"].as_str()).unwrap_or_default();
        assert_eq!(shown, *text, "{method} {path} {body}");
        if *status == 200 && *method == "PUT" && body.contains("disabled") {
            for path in ["/images", "/account", "/user", "/status", "/system"] {
                let (found, refused) = bert(path).await;
                assert_eq!(found, StatusCode::FORBIDDEN);
                assert_eq!(refused["message"], "Not authorized. Account team-b not enabled.");
            }
            assert_eq!(bert("/nosuch").await.0, StatusCode::NOT_FOUND);
        }
    }
    assert_eq!(engine.get("/accounts/team-b").await.1["state"], "deleting");
    assert_eq!(engine.get("/accounts/team-b/users").await, (StatusCode::OK, json!([])), "users go at once");
    assert_eq!(bert("/account").await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(
        engine.post("/accounts", &json!({"name": "team-b"})).await.1["message"],
        "Account already exists"
    );
    let deadline = Instant::now() + Duration::from_secs(60);
    while engine.get("/accounts/team-b").await.0 != StatusCode::NOT_FOUND {
        assert!(Instant::now() < deadline, "the account is still there");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let policies = engine.request(Method::GET, "/policies").header("x-anchore-account", "team-b");
    assert_eq!(answer(policies).await, (StatusCode::OK, json!([])));
    assert_eq!(
        engine.post("/accounts", &json!({"name": "team-b"})).await.0,
        StatusCode::OK,
        "the name is free"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_a_deleted_account_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let registry = registry();
    registry.push_image(&debian_image(VULNERABLE), "app:1").unwrap();
    let mut settings = settings(folder.path(), Some(&registry));
    settings.intervals.account_deletion = Duration::from_secs(1);
    let engine = TestEngine::start(settings, true).await;
    engine.post("/accounts", &json!({"name": "team-b"})).await;
    let ask = async |method: Method, path: &str, body: &Value| {
        answer(engine.request(method, path).header("x-anchore-account", "team-b").json(body)).await
    };
    let get = async |path: &str| ask(Method::GET, path, &Value::Null).await.1;
    let entry = json!({"registry": "r.example.org", "registry_user": "u", "registry_pass": "p"});
    let exception =
        json!({"vulnerability": "CVE-2099-0001", "scope": {"type": "account"}, "owner": "a", "reason": "b"});
    for (path, body) in [
        ("/images?autosubscribe=true", json!({"tag": registry.reference("app:1")})),
        ("/registries?validate=false", entry),
        ("/exceptions", exception),
    ] {
        let (status, stored) = ask(Method::POST, path, &body).await;
        assert_eq!(status, StatusCode::OK, "{path}: {stored}");
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    while get("/images").await[0]["analysis_status"] != "analyzed" {
        assert!(Instant::now() < deadline, "{:#}", get("/images").await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    ask(
        Method::GET,
        &format!("/images/{}/check?tag=x", get("/images").await[0]["imageDigest"].as_str().unwrap()),
        &Value::Null,
    )
    .await;
    let lists = ["/images", "/registries", "/exceptions", "/policies", "/subscriptions", "/archives/images"];
    for path in &lists[..5] {
        assert_ne!(get(path).await, json!([]), "{path}");
    }
    assert_ne!(get("/events").await["item_count"], 0);
    engine.send(Method::PUT, "/accounts/team-b/state", &json!({"state": "disabled"})).await;
    assert_eq!(answer(engine.request(Method::DELETE, "/accounts/team-b")).await.0, StatusCode::OK);
    duties(&engine, async || engine.get("/accounts/team-b").await.0 == StatusCode::NOT_FOUND).await;
    for path in lists {
        assert_eq!(get(path).await, json!([]), "{path}");
    }
    assert_eq!(get("/events").await["item_count"], 0);
    engine.close().await;
}
