//! What is remembered for speed is never older than the last change.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::wait_until_async;

use crate::support::{
    FIXED, PASSWORD, TestEngine, VULNERABLE, activate, answer, clock, database_path, debian_image,
    open_storage, refuse_high, registry, settings, write_database,
};

/// The verdict, asked for so often that it comes out of memory where it may.
async fn verdict(engine: &TestEngine, digest: &str, tag: &str) -> String {
    let mut verdicts = Vec::new();
    for _ in 0..5 {
        let (status, value) = engine.check(digest, tag).await;
        assert_eq!(status, StatusCode::OK, "{value:#}");
        verdicts.push(value[0][digest][tag][0]["status"].as_str().unwrap().to_owned());
    }
    verdicts.dedup();
    assert_eq!(verdicts.len(), 1, "{verdicts:?}");
    verdicts.remove(0)
}

#[tokio::test]
async fn every_change_is_in_the_next_verdict() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry());
    write_database(&database_path(folder.path()));
    registry.push_image(&debian_image(VULNERABLE), "app:1").unwrap();
    let engine = TestEngine::start(settings(folder.path(), Some(&registry)), true).await;
    let tag = registry.reference("app:1");
    let record = engine.add_and_wait(&tag).await;
    let digest = record["imageDigest"].as_str().unwrap();
    let mut mild = refuse_high("mild");
    mild["policies"][0]["rules"][0]["action"] = json!("WARN");
    for turn in 0..3 {
        activate(&engine, &refuse_high("strict")).await;
        assert_eq!(verdict(&engine, digest, &tag).await, "fail", "turn {turn}");
        activate(&engine, &mild).await;
        assert_eq!(verdict(&engine, digest, &tag).await, "pass", "turn {turn}");
    }
    activate(&engine, &refuse_high("strict")).await;
    assert_eq!(verdict(&engine, digest, &tag).await, "fail");

    let exception = json!({
        "vulnerability": "CVE-2099-0001", "scope": {"type": "account"}, "owner": "somebody", "reason": "a test",
    });
    let (_, exception) = engine.post("/exceptions", &exception).await;
    assert_eq!(verdict(&engine, digest, &tag).await, "pass");
    let path = format!("/exceptions/{}", exception["id"].as_str().unwrap());
    engine.send(Method::DELETE, &path, &json!({})).await;
    assert_eq!(verdict(&engine, digest, &tag).await, "fail");

    // Another handle on the same tables, as another process is on a server.
    let other = open_storage(folder.path()).await;
    let mut tx = other.begin().await.unwrap();
    storage::query("UPDATE policies SET is_active = 0 WHERE id = 'strict'").execute(&mut tx).await.unwrap();
    storage::query("UPDATE policies SET is_active = 1 WHERE id = 'mild'").execute(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(verdict(&engine, digest, &tag).await, "pass");

    let (status, _) = engine.send(Method::DELETE, &format!("/images/{digest}?force=true"), &json!({})).await;
    assert_eq!(status, StatusCode::OK);
    crate::support::duties(&engine, async || engine.check(digest, &tag).await.0 == StatusCode::NOT_FOUND)
        .await;
    engine.close().await;
}

#[tokio::test]
async fn an_item_of_a_whitelist_ends_in_time() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry());
    write_database(&database_path(folder.path()));
    registry.push_image(&debian_image(VULNERABLE), "app:1").unwrap();
    let engine = TestEngine::start(settings(folder.path(), Some(&registry)), true).await;
    let tag = registry.reference("app:1");
    let record = engine.add_and_wait(&tag).await;
    let digest = record["imageDigest"].as_str().unwrap();
    let end = clock() + Duration::from_secs(4);
    let mut bundle = refuse_high("strict");
    bundle["whitelists"] = json!([{"id": "w1", "version": "1_0", "name": "w", "items": [{
        "id": "i1", "gate": "vulnerabilities", "trigger_id": "CVE-2099-0001+*",
        "expires_on": end.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    }]}]);
    bundle["mappings"][0]["whitelist_ids"] = json!(["w1"]);
    activate(&engine, &bundle).await;
    assert_eq!(verdict(&engine, digest, &tag).await, "pass");
    wait_until_async(Duration::from_secs(20), "the item to end", async || {
        (engine.check(digest, &tag).await.1[0][digest][&tag][0]["status"] == "fail").then_some(())
    })
    .await
    .unwrap();
    assert!(clock() >= end - Duration::from_secs(1));
    engine.close().await;
}

#[tokio::test]
async fn a_password_is_wrong_as_soon_as_it_is_changed() {
    let folder = tempfile::tempdir().unwrap();
    let engine = TestEngine::start(settings(folder.path(), None), false).await;
    let credential = json!({"username": "eve", "password": PASSWORD});
    engine.post("/accounts", &json!({"name": "other", "type": "user"})).await;
    engine.post("/accounts/other/users", &credential).await;
    let asked = async |password: &str| {
        let url = format!("{}/v1/images", engine.url);
        answer(reqwest::Client::new().get(url).basic_auth("eve", Some(password))).await.0
    };
    for turn in 0..3 {
        assert_eq!(asked(PASSWORD).await, StatusCode::OK, "turn {turn}");
    }
    let changed = json!({"type": "password", "value": "another horse"});
    let (status, _) = engine.post("/accounts/other/users/eve/credentials", &changed).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(asked(PASSWORD).await, StatusCode::UNAUTHORIZED);
    assert_eq!(asked("another horse").await, StatusCode::OK);
    engine.send(Method::PUT, "/accounts/other/state", &json!({"state": "disabled"})).await;
    assert_eq!(asked("another horse").await, StatusCode::FORBIDDEN);
    engine.close().await;
}

/// The long part of the answer is put in as text: the whole must be what one writer would have written.
#[tokio::test]
async fn a_verdict_is_written_like_every_answer() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry());
    write_database(&database_path(folder.path()));
    registry.push_image(&debian_image(FIXED), "app:1").unwrap();
    let engine = TestEngine::start(settings(folder.path(), Some(&registry)), true).await;
    let tag = registry.reference("app:1");
    let record = engine.add_and_wait(&tag).await;
    let digest = record["imageDigest"].as_str().unwrap();
    for query in ["", "&history=true", "&detail=false", "&history=true"] {
        let path = format!("/v1/images/{digest}/check?tag={tag}{query}");
        let text = engine.request(Method::GET, &path).send().await.unwrap().text().await.unwrap();
        let mut value: Value = serde_json::from_str(&text).unwrap();
        value.sort_all_objects();
        assert_eq!(text, format!("{value:#}\n"), "{query}");
        let is_long = value[0][digest][&tag][0]["detail"]["result"]["bundle"].is_object();
        assert_eq!(is_long, query != "&detail=false", "{query}");
    }
    engine.close().await;
}
