//! Exceptions through the API, and what they do to verdicts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use model::ImageReference;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{
    TestEngine, VULNERABLE, activate, answer, clock, database_path, debian_image, open_storage, refuse_high,
    registry, settings, write_database,
};

const VULNERABILITY: &str = "CVE-2099-0001";

fn exception() -> Value {
    json!({
        "vulnerability": VULNERABILITY, "package": "libssl3", "scope": {"type": "account"},
        "owner": "team@example.org", "reason": "the code is not reachable",
        "vex_url": "https://example.org/vex.json", "expires_at": "2099-01-01T00:00:00Z",
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut document = exception();
    document[name] = value;
    document
}

async fn add(engine: &TestEngine, document: &Value) -> Value {
    let (status, record) = engine.post("/v1/exceptions", document).await;
    assert_eq!(status, StatusCode::OK, "{record:#}");
    record
}

#[tokio::test]
async fn exceptions_are_kept_with_who_and_when() {
    let folder = tempfile::tempdir().unwrap();
    let engine = TestEngine::start(settings(folder.path(), None), false).await;
    assert_eq!(engine.get("/exceptions").await, (StatusCode::OK, json!([])));
    let record = add(&engine, &exception()).await;
    for (name, value) in exception().as_object().unwrap() {
        assert_eq!(record[name], *value, "{name}");
    }
    assert_eq!((&record["account"], &record["created_by"]), (&json!("admin"), &json!("admin")));
    assert_eq!((&record["is_live"], &record["created_at"]), (&json!(true), &record["updated_at"]));
    let path = format!("/exceptions/{}", record["id"].as_str().unwrap());
    assert_eq!(engine.get(&path).await, (StatusCode::OK, record.clone()));

    // What was read can be sent back with a change.
    let mut changed = record.clone();
    changed["package"] = json!(null);
    changed["scope"] = json!({"type": "repository", "value": "docker.io/team/*"});
    let (status, stored) = engine.send(Method::PUT, &path, &changed).await;
    assert_eq!(status, StatusCode::OK, "{stored:#}");
    changed["updated_at"] = stored["updated_at"].clone();
    assert_eq!(stored, changed);
    let other = add(&engine, &with("vulnerability", json!("CVE-2099-0002"))).await;
    let (_, all) = engine.get("/exceptions").await;
    assert_eq!(all, json!([stored, other]));
    let (_, filtered) = engine.get("/exceptions?vulnerability=CVE-2099-0002&state=live").await;
    assert_eq!(filtered, json!([other]));
    assert_eq!(engine.get("/exceptions?state=expired").await.1, json!([]));
    assert_eq!(engine.get("/exceptions?state=dead").await.0, StatusCode::BAD_REQUEST);

    assert_eq!(engine.send(Method::DELETE, &path, &json!({})).await, (StatusCode::OK, json!("deleted")));
    for (method, path) in [(Method::GET, &path), (Method::DELETE, &path), (Method::PUT, &path)] {
        let (status, value) = engine.send(method, path, &exception()).await;
        assert_eq!((status, &value["httpcode"]), (StatusCode::NOT_FOUND, &json!(404)), "{value:#}");
    }
    let kinds: Vec<String> =
        storage::query("SELECT type FROM events WHERE resource_type = 'exception' ORDER BY created_us")
            .fetch_all_as::<(String,)>(&open_storage(folder.path()).await)
            .await
            .unwrap()
            .into_iter()
            .map(|(kind,)| kind)
            .collect();
    let expected = ["created", "changed", "created", "deleted"].map(|word| format!("user.exception.{word}"));
    assert_eq!(kinds, expected);
    engine.close().await;
}

#[tokio::test]
async fn what_makes_no_exception_is_refused_with_all_mistakes() {
    let folder = tempfile::tempdir().unwrap();
    let engine = TestEngine::start(settings(folder.path(), None), false).await;
    let rows = [
        (json!({}), vec!["vulnerability:", "scope:", "owner:", "reason:"]),
        (with("expires_at", json!("2020-01-01T00:00:00Z")), vec!["in the past"]),
        (with("reason", json!("  ")), vec!["reason: is empty"]),
        (with("expires", json!("x")), vec!["expires: there is no member"]),
        (with("scope", json!({"type": "digest", "value": "latest"})), vec!["scope:"]),
    ];
    for (document, expected) in rows {
        let (status, value) = engine.post("/exceptions", &document).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{document}");
        let details = value["detail"]["validation_details"].as_array().unwrap();
        assert_eq!(details.len(), expected.len(), "{value:#}");
        for (detail, text) in details.iter().zip(expected) {
            assert!(detail["details"].as_str().unwrap().contains(text), "{value:#}");
        }
    }
    assert_eq!(engine.post("/exceptions", &json!([])).await.0, StatusCode::BAD_REQUEST);
    let nobody = engine.request(Method::POST, "/exceptions").header("x-anchore-account", "nobody");
    let (status, value) = answer(nobody.json(&exception())).await;
    assert_eq!(
        (status, &value["message"]),
        (StatusCode::BAD_REQUEST, &json!("account `nobody` does not exist"))
    );
    assert_eq!(answer(engine.anonymous(Method::GET, "/exceptions")).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(engine.get("/exceptions").await.1, json!([]));
    engine.close().await;
}

/// Final action and what stands in the `Whitelisted` cell of the one row.
async fn verdict(engine: &TestEngine, digest: &str, tag: &str) -> (String, Value) {
    let (status, checks) = engine.check(digest, tag).await;
    assert_eq!(status, StatusCode::OK, "{checks:#}");
    let result = &checks[0][digest][tag][0]["detail"]["result"];
    let by_image = &result["result"][result["image_id"].as_str().unwrap()]["result"];
    assert_eq!(by_image["row_count"], 1, "{result:#}");
    (result["final_action"].as_str().unwrap().to_owned(), by_image["rows"][0][7].clone())
}

#[tokio::test]
async fn an_exception_lets_pass_at_once_and_stops_at_once() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry());
    write_database(&database_path(folder.path()));
    registry.push_image(&debian_image(VULNERABLE), "app:1").unwrap();
    let engine = TestEngine::start(settings(folder.path(), Some(&registry)), true).await;
    activate(&engine, &refuse_high("strict")).await;
    let tag = registry.reference("app:1");
    let reference: ImageReference = tag.parse().unwrap();
    let image = engine.add_and_wait(&tag).await;
    let digest = image["imageDigest"].as_str().unwrap();
    let ask = async || {
        let verdict = engine
            .engine
            .verdict(engine::ADMIN, &reference, Instant::now() + Duration::from_secs(60))
            .await
            .unwrap();
        let state = engine.engine.verdict_state(engine::ADMIN).await.unwrap();
        assert_eq!(state.policy_revision, verdict.policy_revision);
        (verdict.is_pass, verdict.policy_revision)
    };
    let refused = ("stop".to_owned(), json!(false));
    let (is_pass, first_revision) = ask().await;
    assert!(!is_pass);
    assert_eq!(verdict(&engine, digest, &tag).await, refused);

    let elsewhere = with("scope", json!({"type": "repository", "value": "quay.io/*"}));
    let record = add(&engine, &elsewhere).await;
    assert_eq!(verdict(&engine, digest, &tag).await, refused);
    let id = record["id"].as_str().unwrap();
    let path = format!("/exceptions/{id}");
    let here = json!({"type": "repository", "value": format!("{}/*", registry.host())});
    let by_digest = json!({"type": "digest", "value": digest});
    for scope in [here, by_digest, json!({"type": "account"})] {
        engine.send(Method::PUT, &path, &with("scope", scope.clone())).await;
        let by = json!({"whitelist_name": "exceptions", "whitelist_id": id, "matched_rule_id": null});
        assert_eq!(verdict(&engine, digest, &tag).await, ("go".to_owned(), by), "{scope}");
    }
    let (_, policies) = engine.get("/policies?detail=false").await;
    let told: Vec<bool> =
        policies.as_array().unwrap().iter().map(|record| record["exceptions_revision"].is_string()).collect();
    let active: Vec<bool> =
        policies.as_array().unwrap().iter().map(|record| record["active"] == true).collect();
    assert_eq!(told, active, "a webhook elsewhere sees that verdicts may differ");
    let (is_pass, second_revision) = ask().await;
    assert!(is_pass && second_revision != first_revision);

    // Another account's exceptions are another account's business.
    let database = open_storage(folder.path()).await;
    let mut tx = database.begin().await.unwrap();
    storage::query("INSERT INTO accounts (name, type, state, created_us, updated_us) VALUES ('other', 'user', 'enabled', 0, 0)")
        .execute(&mut tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    engine.send(Method::DELETE, &path, &json!({})).await;
    let request = engine.request(Method::POST, "/exceptions").header("x-anchore-account", "other");
    let (status, record) = answer(request.json(&exception())).await;
    assert_eq!((status, &record["account"]), (StatusCode::OK, &json!("other")));
    assert_eq!(
        engine.get(&format!("/exceptions/{}", record["id"].as_str().unwrap())).await.0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(verdict(&engine, digest, &tag).await, refused);
    assert_eq!(ask().await, (false, first_revision));
    engine.close().await;
}

/// How far the clock of one engine is ahead of the others'.
static MOVED_SECONDS: AtomicU64 = AtomicU64::new(0);

fn moved_clock() -> Timestamp {
    clock() + Duration::from_secs(MOVED_SECONDS.load(Ordering::SeqCst))
}

#[tokio::test]
async fn an_exception_that_ends_does_not_outlive_its_moment() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry());
    write_database(&database_path(folder.path()));
    registry.push_image(&debian_image(VULNERABLE), "app:1").unwrap();
    let mut settings = settings(folder.path(), Some(&registry));
    settings.clock = moved_clock;
    let engine = TestEngine::start(settings, true).await;
    activate(&engine, &refuse_high("strict")).await;
    let tag = registry.reference("app:1");
    let image = engine.add_and_wait(&tag).await;
    let digest = image["imageDigest"].as_str().unwrap();
    // Later than all checks before the clock moves.
    let end = clock() + Duration::from_secs(60);
    let record = add(&engine, &with("expires_at", json!(end.to_string()))).await;
    assert_eq!(verdict(&engine, digest, &tag).await.0, "go");
    MOVED_SECONDS.store(60, Ordering::SeqCst);
    assert_eq!(verdict(&engine, digest, &tag).await, ("stop".to_owned(), json!(false)));
    let (_, expired) = engine.get("/exceptions?state=expired").await;
    assert_eq!((&expired[0]["id"], &expired[0]["is_live"]), (&record["id"], &json!(false)));
    engine.close().await;
}
