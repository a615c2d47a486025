//! Users, passwords and what they may do: the rows are what a live Anchore Engine 1.1.0 answers.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{PASSWORD, TestEngine, answer, open_storage, settings};

/// Method, path below `/v1/accounts/`, body, status, the text that clients see.
const ROWS: &[(&str, &str, &str, u16, &str)] = &[
    ("POST", "team-a/users", r#"{"username": "alice", "password": "alicepw"}"#, 200, ""),
    ("POST", "team-a/users", r#"{"username": "alice", "password": "alicepw2"}"#, 400, "User already exists"),
    ("POST", "team-b/users", r#"{"username": "alice", "password": "alicepw2"}"#, 400, "User already exists"),
    ("POST", "nosuch/users", r#"{"username": "bob99", "password": "alicepw2"}"#, 404, "Account not found"),
    (
        "POST",
        "anchore-system/users",
        r#"{"username": "sysuser", "password": "alicepw2"}"#,
        404,
        "Account not found",
    ),
    (
        "POST",
        "team-a/users",
        r#"{"username": "bobby", "password": "12345"}"#,
        400,
        "'***' does not match '.{6,128}$' - 'password'",
    ),
    (
        "POST",
        "team-a/users",
        r#"{"username": "bobby", "password": "a\nb"}"#,
        400,
        "'***' does not match '.{6,128}$' - 'password'",
    ),
    (
        "POST",
        "team-a/users",
        r#"{"username": "bobby", "password": 12345678}"#,
        400,
        "'***' is not of type 'string' - 'password'",
    ),
    (
        "POST",
        "team-a/users",
        r#""{\"username\": \"bobby\", \"password\": \"12345678\"}""#,
        400,
        "'***' is not of type 'object'",
    ),
    (
        "POST",
        "team-a/users",
        r#"[{"username": "bobby", "password": "12345678"}]"#,
        400,
        "[...] is not of type 'object'",
    ),
    ("POST", "team-a/users", r#"{"username": "bobby"}"#, 400, "'password' is a required property"),
    ("POST", "team-a/users", r#"{"password": "abcdefgh"}"#, 400, "'username' is a required property"),
    ("POST", "team-a/users", r#"{"username": "Alice", "password": "123456"}"#, 200, ""),
    ("POST", "team-a/users", r#"{"username": "a@b.org", "password": "123456"}"#, 200, ""),
    ("GET", "team-a/users/alice", "", 200, ""),
    ("GET", "team-a/users/a%40b.org", "", 200, ""),
    ("GET", "team-a/users/nosuch", "", 404, "User not found"),
    ("GET", "team-b/users/alice", "", 404, "User not found"),
    ("GET", "team-a/users/admin", "", 404, "User not found"),
    ("GET", "nosuch/users/alice", "", 404, "User not found"),
    (
        "POST",
        "team-a/users/alice/credentials",
        r#"{"type": "key", "value": "abcdefgh"}"#,
        400,
        "'key' is not one of ['password'] - 'type'",
    ),
    (
        "POST",
        "team-a/users/alice/credentials",
        r#"{"value": "abcdefgh"}"#,
        400,
        "'type' is a required property",
    ),
    (
        "POST",
        "team-a/users/alice/credentials",
        r#"{"type": "password"}"#,
        400,
        "'value' is a required property",
    ),
    (
        "POST",
        "team-a/users/alice/credentials",
        r#"{"type": "password", "value": ""}"#,
        400,
        "'' is too short - 'value'",
    ),
    ("POST", "team-a/users/alice/credentials", r#"{"type": "password", "value": "short"}"#, 200, ""),
    (
        "POST",
        "team-a/users/alice/credentials",
        r#"{"type": "password", "value": "newpw123", "created_at": "x"}"#,
        200,
        "",
    ),
    ("DELETE", "team-a/users/alice/credentials", "", 400, "Missing query parameter 'credential_type'"),
    ("DELETE", "team-a/users/alice/credentials?credential_type=password", "", 204, ""),
    ("DELETE", "team-a/users/alice/credentials?credential_type=password", "", 204, ""),
    (
        "POST",
        "team-a/users/nosuch/credentials",
        r#"{"type": "password", "value": "alicepw"}"#,
        404,
        "User not found",
    ),
    (
        "POST",
        "team-b/users/alice/credentials",
        r#"{"type": "password", "value": "alicepw"}"#,
        404,
        "User not found",
    ),
    ("DELETE", "team-a/users/nosuch/credentials?credential_type=password", "", 404, "User not found"),
    (
        "DELETE",
        "admin/users/admin/credentials?credential_type=password",
        "",
        400,
        "Cannot delete credential of authenticated user",
    ),
    ("DELETE", "admin/users/admin", "", 400, "User not allowed to be deleted due to system constraints"),
    (
        "DELETE",
        "anchore-system/users/anchore-system",
        "",
        400,
        "User not allowed to be deleted due to system constraints",
    ),
    ("DELETE", "team-b/users/alice", "", 404, "User not found"),
    ("DELETE", "team-a/users/nosuch", "", 404, "User not found"),
    ("DELETE", "team-a/users/Alice", "", 204, ""),
];

async fn start(folder: &std::path::Path) -> TestEngine {
    let engine = TestEngine::start(settings(folder, None), false).await;
    for name in ["team-a", "team-b"] {
        assert_eq!(engine.post("/accounts", &json!({"name": name})).await.0, StatusCode::OK);
    }
    engine
}

async fn add_user(engine: &TestEngine, account: &str, username: &str, password: &str) {
    let body = json!({"username": username, "password": password});
    let (status, user) = engine.post(&format!("/accounts/{account}/users"), &body).await;
    assert_eq!(status, StatusCode::OK, "{user}");
}

#[tokio::test]
async fn users_and_passwords_follow_the_rules_of_the_original() {
    let folder = tempfile::tempdir().unwrap();
    let engine = start(folder.path()).await;
    for (method, path, body, status, text) in ROWS {
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
    }
    let (_, user) = engine.get("/accounts/team-a/users/alice").await;
    assert_eq!((&user["type"], &user["source"]), (&json!("native"), &Value::Null));
    assert_eq!(engine.get("/accounts/team-a/users/alice/credentials").await.1, json!([]));
    let credential = json!({"type": "password", "value": "alicepw"});
    let (_, made) = engine.post("/accounts/team-a/users/alice/credentials", &credential).await;
    assert_eq!(
        (&made["type"], &made["value"]),
        (&json!("password"), &json!("********")),
        "no length is told"
    );
    let (_, own) = engine.get("/user/credentials").await;
    assert_eq!(own.as_array().unwrap().len(), 1);
    let long = json!({"username": "long", "password": "x".repeat(1025)});
    assert_eq!(engine.post("/accounts/team-a/users", &long).await.0, StatusCode::BAD_REQUEST);
    let storage = open_storage(folder.path()).await;
    let hashes = storage::query("SELECT password_hash FROM users").fetch_all(&storage).await.unwrap();
    for row in hashes {
        let hash: String = row.get("password_hash").unwrap();
        assert!(hash.is_empty() || hash.starts_with("$argon2id$"), "{hash}");
    }
}

#[tokio::test]
async fn a_new_password_a_deletion_and_a_disabled_account_count_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let engine = start(folder.path()).await;
    add_user(&engine, "team-a", "alice", "alicepw").await;
    let alice = async |password: &str| {
        let request = engine.anonymous(Method::GET, "/images").basic_auth("alice", Some(password));
        answer(request).await.0.as_u16()
    };
    assert_eq!((alice("alicepw").await, alice("alicepw").await), (200, 200));
    let own = engine
        .anonymous(Method::POST, "/user/credentials")
        .basic_auth("alice", Some("alicepw"))
        .json(&json!({"type": "password", "value": "second"}));
    assert_eq!(answer(own).await.0, StatusCode::OK);
    assert_eq!((alice("alicepw").await, alice("second").await), (401, 200));
    engine.send(Method::PUT, "/accounts/team-a/state", &json!({"state": "disabled"})).await;
    assert_eq!((alice("second").await, alice("wrong").await), (403, 401));
    engine.send(Method::PUT, "/accounts/team-a/state", &json!({"state": "enabled"})).await;
    assert_eq!(alice("second").await, 200);
    let path = "/accounts/team-a/users/alice/credentials?credential_type=password";
    assert_eq!(answer(engine.request(Method::DELETE, path)).await.0, StatusCode::NO_CONTENT);
    assert_eq!((alice("second").await, alice("").await), (401, 401));
    engine
        .post("/accounts/team-a/users/alice/credentials", &json!({"type": "password", "value": "third"}))
        .await;
    assert_eq!(alice("third").await, 200);
    assert_eq!(
        answer(engine.request(Method::DELETE, "/accounts/team-a/users/alice")).await.0,
        StatusCode::NO_CONTENT
    );
    assert_eq!(alice("third").await, 401);
    add_user(&engine, "team-b", "alice", "another").await;
    assert_eq!((alice("third").await, alice("another").await), (401, 200), "the name is free");
}

/// What a user of `team-a` may do: method, path, body, account in the header, status, domain and action that he lacks.
const PERMISSIONS: &[(&str, &str, &str, &str, u16, &str)] = &[
    ("GET", "/account", "", "", 200, ""),
    ("GET", "/user", "", "", 200, ""),
    ("GET", "/user/credentials", "", "", 200, ""),
    ("GET", "/accounts", "", "", 403, "domain=system action=listAccounts"),
    ("POST", "/accounts", r#"{"name": "xyz1"}"#, "", 403, "domain=system action=createAccount"),
    ("GET", "/accounts/team-a", "", "", 200, ""),
    ("GET", "/accounts/team-b", "", "", 403, "domain=team-b action=getAccount"),
    ("GET", "/accounts/nosuch", "", "", 403, "domain=nosuch action=getAccount"),
    ("GET", "/accounts/team-a/users", "", "", 200, ""),
    ("GET", "/accounts/team-b/users", "", "", 403, "domain=team-b action=listUsers"),
    ("POST", "/accounts/team-a/users", r#"{"username": "dave", "password": "davepw1"}"#, "", 200, ""),
    (
        "POST",
        "/accounts/team-b/users",
        r#"{"username": "dan", "password": "davepw1"}"#,
        "",
        403,
        "domain=team-b action=createUser",
    ),
    (
        "POST",
        "/accounts/team-a/users/dave/credentials",
        r#"{"type": "password", "value": "davepw2"}"#,
        "",
        200,
        "",
    ),
    ("DELETE", "/accounts/team-a/users/dave", "", "", 204, ""),
    ("DELETE", "/accounts/team-a/users/alice", "", "", 400, ""),
    ("DELETE", "/accounts/team-a/users/alice/credentials?credential_type=password", "", "", 400, ""),
    (
        "PUT",
        "/accounts/team-a/state",
        r#"{"state": "disabled"}"#,
        "",
        403,
        "domain=system action=updateAccount",
    ),
    ("DELETE", "/accounts/team-a", "", "", 403, "domain=system action=deleteAccount"),
    ("GET", "/status", "", "team-b", 200, ""),
    ("GET", "/system", "", "team-b", 200, ""),
    ("GET", "/system/feeds", "", "team-b", 200, ""),
    ("GET", "/system/policy_spec", "", "", 200, ""),
    ("GET", "/system/error_codes", "", "", 200, ""),
    ("GET", "/system/services", "", "", 403, "domain=system action=listServices"),
    ("GET", "/system/services/catalog", "", "", 403, "domain=system action=listServices"),
    ("DELETE", "/system/services/catalog/x", "", "", 403, "domain=system action=deleteService"),
    ("GET", "/registries", "", "team-b", 403, "domain=team-b action=listRegistries"),
    ("DELETE", "/registries/h:5000/x", "", "team-b", 403, "domain=team-b action=deleteRegistry"),
    ("GET", "/images", "", "team-a", 200, ""),
    ("GET", "/images", "", "team-b", 403, "domain=team-b action=listImages"),
    ("GET", "/images", "", "nosuch", 403, "domain=nosuch action=listImages"),
    ("POST", "/images", r#"{"tag": "x"}"#, "admin", 403, "domain=admin action=createImage"),
    ("GET", "/images/sha256:ab/vuln", "", "team-b", 403, "domain=team-b action=getImage"),
    ("GET", "/images/sha256:ab/check?tag=x", "", "team-b", 403, "domain=team-b action=getImageEvaluation"),
    ("GET", "/policies", "", "", 200, ""),
    ("GET", "/policies", "", "team-b", 403, "domain=team-b action=listPolicies"),
    ("POST", "/policies", "{}", "team-b", 403, "domain=team-b action=createPolicy"),
    ("GET", "/account", "", "team-b", 403, "domain=team-b action=getAccount"),
    ("GET", "/accounts/team-a", "", "team-b", 403, "domain=team-b action=getAccount"),
];

#[tokio::test]
async fn users_act_in_their_own_account_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let engine = start(folder.path()).await;
    add_user(&engine, "team-a", "alice", "alicepw").await;
    for (method, path, body, account, status, permission) in PERMISSIONS {
        let mut request = engine
            .anonymous(method.parse().unwrap(), &format!("/v1{path}"))
            .basic_auth("alice", Some("alicepw"));
        if !account.is_empty() {
            request = request.header("x-anchore-account", *account);
        }
        if !body.is_empty() {
            request = request.json(&serde_json::from_str::<Value>(body).unwrap());
        }
        let (found, answered) = answer(request).await;
        assert_eq!(found.as_u16(), *status, "{method} {path} for `{account}`: {answered}");
        if *status == 403 {
            let text = format!("Not authorized. Requires permissions: {permission} target=*");
            assert_eq!(answered["message"], text, "{method} {path}");
        }
    }
    // A second administrator is one, except that nobody deletes the first.
    add_user(&engine, "admin", "admin2", "admin2pw").await;
    let second = |method, path: &'static str| {
        answer(engine.anonymous(method, path).basic_auth("admin2", Some("admin2pw")))
    };
    assert_eq!(second(Method::GET, "/accounts").await.0, StatusCode::OK);
    assert_eq!(second(Method::DELETE, "/accounts/admin/users/admin").await.0, StatusCode::BAD_REQUEST);
    let (_, refused) = second(Method::DELETE, "/accounts/admin/users/admin2").await;
    assert_eq!(refused["message"], "Cannot delete credential used for authentication of the request");
    let first = engine.anonymous(Method::GET, "/user").basic_auth("admin", Some(PASSWORD));
    assert_eq!(answer(first).await.0, StatusCode::OK);
}
