//! Watched tags: who moved is added and told.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::notifications::told_settings;
use crate::receiver::Receiver;
use crate::support::{FIXED, TestEngine, VULNERABLE, debian_image, registry, settings};

async fn wait_for_digest(engine: &TestEngine, tag: &str, digest: &str) -> Value {
    let look = async || {
        let (_, found) = engine.get(&format!("/images?fulltag={tag}")).await;
        (found[0]["imageDigest"] == digest).then(|| found[0].clone())
    };
    testkit::wait_until_async(Duration::from_secs(60), "the tag to be followed", look).await.unwrap()
}

#[tokio::test]
async fn a_tag_that_moves_is_added_with_its_annotations_and_told() {
    let (folder, registry, receiver) = (tempfile::tempdir().unwrap(), registry(), Receiver::start().await);
    let (old, new) = (debian_image(VULNERABLE), debian_image(FIXED));
    for name in ["app:1", "app:unwatched"] {
        registry.push_image(&old, name).unwrap();
    }
    let mut settings = told_settings(folder.path(), &registry, &receiver);
    settings.intervals.tag_watch = Duration::from_millis(100);
    let engine = TestEngine::start(settings, false).await.with_duties();
    let (tag, unwatched) = (registry.reference("app:1"), registry.reference("app:unwatched"));
    let added = json!({"tag": tag, "annotations": {"requestor": "ci"}});
    assert_eq!(engine.post("/images?autosubscribe=true", &added).await.0, StatusCode::OK);
    assert_eq!(engine.post("/images", &json!({"tag": unwatched})).await.0, StatusCode::OK);
    for name in ["app:1", "app:unwatched"] {
        registry.push_image(&new, name).unwrap();
    }
    let record = wait_for_digest(&engine, &tag, &new.digest().to_string()).await;
    assert_eq!(record["annotations"], json!({"requestor": "ci"}));
    assert_eq!(record["analysis_status"], "not_analyzed");
    let told = receiver.wait(1, "the move", |told| told.kind() == "tag_update").await;
    let payload = told[0].payload();
    assert_eq!(payload["subscription_key"], tag);
    assert_eq!(payload["last_eval"], json!([old.digest().to_string()]));
    assert_eq!(payload["curr_eval"], json!([new.digest().to_string()]));
    assert_eq!(payload["annotations"], json!({"requestor": "ci"}));
    let (_, history) = engine.get(&format!("/images?fulltag={tag}&history=true")).await;
    assert_eq!(history.as_array().unwrap().len(), 2);
    let (_, other) = engine.get(&format!("/images?fulltag={unwatched}")).await;
    assert_eq!(other[0]["imageDigest"], old.digest().to_string());
    engine.close().await;
    let moves = receiver.told().iter().filter(|told| told.kind() == "tag_update").count();
    assert_eq!(moves, 1, "told once");
}

#[tokio::test]
async fn registries_and_tags_that_fail_become_events_and_stop_no_others() {
    let (folder, good, mut dead) = (tempfile::tempdir().unwrap(), registry(), registry());
    let (old, new) = (debian_image(VULNERABLE), debian_image(FIXED));
    good.push_image(&old, "z:1").unwrap();
    dead.push_image(&old, "app:1").unwrap();
    let mut settings = settings(folder.path(), Some(&good));
    settings.scan.registry.insecure_registries.insert(dead.host());
    settings.intervals.tag_watch = Duration::from_millis(100);
    let engine = TestEngine::start(settings, false).await;
    for tag in [good.reference("z:1"), dead.reference("app:1")] {
        let (status, _) = engine.post("/images?autosubscribe=true", &json!({"tag": tag})).await;
        assert_eq!(status, StatusCode::OK);
    }
    for key in [good.reference("a:nosuch"), "no tag at all!".to_owned()] {
        let body = json!({"subscription_key": key, "subscription_type": "tag_update", "active": true});
        assert_eq!(engine.post("/subscriptions", &body).await.0, StatusCode::OK);
    }
    dead.stop();
    good.push_image(&new, "z:1").unwrap();
    let engine = engine.with_duties();
    wait_for_digest(&engine, &good.reference("z:1"), &new.digest().to_string()).await;
    for (name, code) in [
        (dead.reference("app:1"), "REGISTRY_NOT_ACCESSIBLE"),
        (good.reference("a:nosuch"), "REGISTRY_IMAGE_NOT_FOUND"),
    ] {
        let look = async || {
            let path =
                format!("/events?level=error&resource_type=image_reference&resource_id={name}&limit=1");
            let (_, events) = engine.get(&path).await;
            events["results"][0]["event"]["type"].is_string().then(|| events["results"][0]["event"].clone())
        };
        let event =
            testkit::wait_until_async(Duration::from_secs(30), "the event of a failure", look).await.unwrap();
        assert_eq!(event["type"], "system.image_analysis.registry_lookup_failed");
        assert_eq!(event["details"]["anchore_error_json"]["detail"]["error_codes"], json!([code]));
    }
    engine.close().await;
}

#[tokio::test]
async fn a_failed_lookup_and_a_second_tag_of_an_analyzed_image_become_events() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry());
    registry.push_image(&debian_image(FIXED), "app:1").unwrap();
    registry.push_image(&debian_image(FIXED), "app:2").unwrap();
    let engine = TestEngine::start(settings(folder.path(), Some(&registry)), true).await;
    let nosuch = registry.reference("app:nosuch");
    assert_eq!(engine.post("/images", &json!({"tag": nosuch})).await.0, StatusCode::BAD_REQUEST);
    engine.add_and_wait(&registry.reference("app:1")).await;
    for _ in 0..2 {
        engine.post("/images", &json!({"tag": registry.reference("app:2")})).await;
    }
    let (_, events) = engine.get("/events").await;
    let found: Vec<(&str, &str, &str)> = events["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let event = &one["event"];
            let text = |value: &'static str| event.pointer(value).unwrap().as_str().unwrap();
            (text("/type"), text("/resource/id"), text("/source/servicename"))
        })
        .collect();
    let (first, second) = (registry.reference("app:1"), registry.reference("app:2"));
    assert_eq!(
        found,
        [
            ("user.image.analysis.completed", second.as_str(), "catalog"),
            ("user.image.analysis.completed", first.as_str(), "analyzer"),
            ("system.image_analysis.registry_lookup_failed", nosuch.as_str(), "catalog"),
        ]
    );
    let details = &events["results"][0]["event"]["details"];
    assert_eq!(details["last_eval"]["analysis_status"], "analyzed");
    engine.close().await;
}
