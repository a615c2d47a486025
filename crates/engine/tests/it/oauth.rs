//! `/oauth/token`, and what its tokens are good for and how long.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{PASSWORD, TestEngine, answer, clock, settings};

const FORM: &str = "application/x-www-form-urlencoded";

async fn ask(engine: &TestEngine, path: &str, form: &str) -> (StatusCode, Value) {
    let request = engine.anonymous(Method::POST, path).header(CONTENT_TYPE, FORM).body(form.to_owned());
    answer(request).await
}

async fn token(engine: &TestEngine, user: &str, password: &str) -> String {
    let password = password.replace(' ', "+");
    let form = format!("grant_type=password&client_id=anonymous&username={user}&password={password}");
    let (status, given) = ask(engine, "/oauth/token", &form).await;
    assert_eq!(status, StatusCode::OK, "{given}");
    assert_eq!((&given["expires_in"], &given["token_type"]), (&json!(3600), &json!("Bearer")));
    given["access_token"].as_str().unwrap().to_owned()
}

async fn status_with(engine: &TestEngine, token: &str) -> u16 {
    answer(engine.anonymous(Method::GET, "/v1/images").bearer_auth(token)).await.0.as_u16()
}

/// Form, status, error.
const REFUSALS: &[(&str, &str)] = &[
    ("", "unsupported_grant_type"),
    ("grant_type=client_credentials&client_id=anonymous", "unsupported_grant_type"),
    ("grant_type=password&username=admin&password=x", "invalid_client"),
    ("grant_type=password&username=admin&password=x&client_id=other", "invalid_client"),
    ("grant_type=password&client_id=anonymous", "invalid_request"),
    ("grant_type=password&client_id=anonymous&username=admin&password=wrong", "invalid_grant"),
    ("grant_type=password&client_id=anonymous&username=nobody&password=wrong", "invalid_grant"),
];

#[tokio::test]
async fn a_password_is_exchanged_for_a_token_that_is_a_login() {
    let folder = tempfile::tempdir().unwrap();
    let engine = TestEngine::start(settings(folder.path(), None), false).await;
    for (form, error) in REFUSALS {
        for path in ["/oauth/token", "/v1/oauth/token"] {
            let (status, refused) = ask(&engine, path, form).await;
            assert_eq!((status, &refused["error"]), (StatusCode::BAD_REQUEST, &json!(error)), "{form}");
        }
    }
    let as_json = engine.anonymous(Method::POST, "/oauth/token").json(&json!({"grant_type": "password"}));
    assert_eq!(answer(as_json).await.1["error"], "unsupported_grant_type");
    assert_eq!(engine.get("/oauth/token").await.0, StatusCode::METHOD_NOT_ALLOWED);

    let good = token(&engine, "admin", PASSWORD).await;
    let user = answer(engine.anonymous(Method::GET, "/user").bearer_auth(&good)).await;
    assert_eq!((user.0, &user.1["username"]), (StatusCode::OK, &json!("admin")));
    let other =
        engine.anonymous(Method::GET, "/account").bearer_auth(&good).header("x-anchore-account", "nosuch");
    assert_eq!(answer(other).await.0, StatusCode::OK, "an administrator by token too");

    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    for forged in [
        format!("{signed}."),
        format!("{signed}.{}", signature.chars().rev().collect::<String>()),
        format!("{none}.{claims}."),
        format!("{none}.{claims}.{signature}"),
        format!("{header}.{}.{signature}", claims.to_uppercase()),
        "x".repeat(5000),
        "..".to_owned(),
        String::new(),
    ] {
        assert_eq!(status_with(&engine, &forged).await, 401, "{forged}");
    }
}

#[tokio::test]
async fn a_token_dies_with_the_password_the_user_and_the_account() {
    let folder = tempfile::tempdir().unwrap();
    let engine = TestEngine::start(settings(folder.path(), None), false).await;
    engine.post("/accounts", &json!({"name": "team-a"})).await;
    let users = "/accounts/team-a/users";
    let alice = json!({"username": "alice", "password": "alicepw"});
    engine.post(users, &alice).await;
    let first = token(&engine, "alice", "alicepw").await;
    assert_eq!(status_with(&engine, &first).await, 200);
    let same = json!({"type": "password", "value": "alicepw"});
    engine.post("/accounts/team-a/users/alice/credentials", &same).await;
    assert_eq!(status_with(&engine, &first).await, 401, "the same password set again is another one");

    let second = token(&engine, "alice", "alicepw").await;
    let state =
        async |state| engine.send(Method::PUT, "/accounts/team-a/state", &json!({"state": state})).await;
    state("disabled").await;
    assert_eq!(status_with(&engine, &second).await, 403);
    let form = "grant_type=password&client_id=anonymous&username=alice&password=alicepw";
    assert_eq!(ask(&engine, "/oauth/token", form).await.0, StatusCode::FORBIDDEN);
    state("enabled").await;
    assert_eq!(status_with(&engine, &second).await, 200);
    answer(engine.request(Method::DELETE, "/accounts/team-a/users/alice")).await;
    assert_eq!(status_with(&engine, &second).await, 401);
    engine.post(users, &alice).await;
    assert_eq!(status_with(&engine, &second).await, 401, "another user of the same name");
}

static AHEAD_S: AtomicI64 = AtomicI64::new(0);

fn later_clock() -> Timestamp {
    clock() + jiff::SignedDuration::from_secs(AHEAD_S.load(Ordering::SeqCst))
}

#[tokio::test]
async fn a_token_holds_for_an_hour_also_after_a_restart_and_can_be_switched_off() {
    let folder = tempfile::tempdir().unwrap();
    let with_clock = || {
        let mut settings = settings(folder.path(), None);
        settings.clock = later_clock;
        settings
    };
    let engine = TestEngine::start(with_clock(), false).await;
    let given = token(&engine, "admin", PASSWORD).await;
    engine.close().await;

    let engine = TestEngine::start(with_clock(), false).await;
    AHEAD_S.store(3590, Ordering::SeqCst);
    assert_eq!(status_with(&engine, &given).await, 200);
    AHEAD_S.store(3601, Ordering::SeqCst);
    assert_eq!(status_with(&engine, &given).await, 401);
    AHEAD_S.store(0, Ordering::SeqCst);
    engine.close().await;

    let mut off = with_clock();
    off.are_tokens_given = false;
    let engine = TestEngine::start(off, false).await;
    let (status, refused) = ask(&engine, "/v1/oauth/token", "").await;
    assert_eq!(
        (status, &refused["message"]),
        (StatusCode::FORBIDDEN, &json!("Oauth not enabled in configuration"))
    );
    assert_eq!(status_with(&engine, &given).await, 401);
}
