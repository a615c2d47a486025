//! Deleting images, seeing them go, and bringing them back while they do.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{FIXED, TestEngine, VULNERABLE, debian_image, duties, registry, settings};

async fn delete(engine: &TestEngine, path: &str) -> Value {
    let (status, answer) = engine.send(Method::DELETE, path, &json!({})).await;
    assert_eq!(status, StatusCode::OK, "{answer:#}");
    answer
}

async fn count(engine: &TestEngine, path: &str) -> usize {
    engine.get(path).await.1.as_array().map_or(0, Vec::len)
}

#[tokio::test]
async fn a_deleted_image_is_shown_as_such_until_it_is_removed() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry());
    let (first, second) = (debian_image(VULNERABLE), debian_image(FIXED));
    registry.push_image(&first, "app:1").unwrap();
    registry.push_image(&second, "app:2").unwrap();
    let mut settings = settings(folder.path(), Some(&registry));
    settings.intervals.image_deletion = Duration::from_millis(50);
    let engine = TestEngine::start(settings, true).await;
    let (one, two) = (first.digest().to_string(), second.digest().to_string());
    for tag in ["app:1", "app:2"] {
        engine.add_and_wait(&registry.reference(tag)).await;
    }

    let refused = delete(&engine, &format!("/images/{one}")).await;
    assert_eq!(refused["status"], "delete_failed");
    assert_eq!(
        refused["detail"],
        "cannot delete image that is the latest of its tags, and has active subscription"
    );
    assert_eq!(
        delete(&engine, &format!("/images/{one}?force=true")).await,
        json!({"digest": one, "status": "deleting", "detail": null})
    );
    assert_eq!(delete(&engine, &format!("/images/{one}")).await["status"], "deleting", "twice is fine");
    let tag = registry.reference("app:1");
    assert_eq!(engine.get(&format!("/images?fulltag={tag}")).await.0, StatusCode::NOT_FOUND);
    assert_eq!(engine.get(&format!("/images/{one}")).await.1[0]["image_status"], "deleting");
    assert_eq!(engine.check(&one, &tag).await.0, StatusCode::OK);
    for (path, expected) in [
        ("/images", 1),
        ("/images?image_status=active", 1),
        ("/images?image_status=deleting", 1),
        ("/images?image_status=all", 2),
        ("/images?image_status=all&limit=1", 1),
        ("/images?image_status=all&limit=1&page=2", 1),
        ("/images?image_status=all&limit=1&page=3", 0),
        ("/summaries/imagetags", 1),
        ("/summaries/imagetags?image_status=deleting", 1),
        ("/summaries/imagetags?image_status=all", 2),
    ] {
        assert_eq!(count(&engine, path).await, expected, "{path}");
    }
    let subscriptions = engine.get(&format!("/subscriptions?subscription_key={tag}")).await.1;
    assert!(subscriptions.as_array().unwrap().iter().all(|record| record["active"] == false));

    duties(&engine, async || engine.get(&format!("/images/{one}")).await.0 == StatusCode::NOT_FOUND).await;
    assert_eq!(delete(&engine, &format!("/images/{one}")).await["status"], "not_found");
    assert_eq!(engine.get(&format!("/images/{two}")).await.0, StatusCode::OK, "the other one stays");
    assert_eq!(engine.get(&format!("/images/{one}/content/os")).await.0, StatusCode::NOT_FOUND);
    engine.close().await;
}

#[tokio::test]
async fn adding_a_deleted_image_brings_it_back() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry());
    let image = debian_image(VULNERABLE);
    registry.push_image(&image, "app:1").unwrap();
    let engine = TestEngine::start(settings(folder.path(), Some(&registry)), true).await;
    let (tag, digest) = (registry.reference("app:1"), image.digest().to_string());
    engine.add_and_wait(&tag).await;
    let id = image.config_digest().unwrap().hex().to_owned();
    assert_eq!(delete(&engine, &format!("/images/by_id/{id}?force=true")).await["digest"], digest);
    let (_, added) = engine.post("/images", &json!({"tag": tag})).await;
    assert_eq!(added[0]["image_status"], "active");
    assert_eq!(added[0]["analysis_status"], "not_analyzed");
    assert_eq!(engine.wait(&digest).await["analysis_status"], "analyzed");
    engine.close().await;
}

#[tokio::test]
async fn several_are_deleted_at_once_and_nonsense_is_not_found() {
    let folder = tempfile::tempdir().unwrap();
    let engine = TestEngine::start(settings(folder.path(), None), false).await;
    let unknown = format!("sha256:{}", "0".repeat(64));
    let answer = delete(&engine, &format!("/images?imageDigests={unknown},nonsense")).await;
    let statuses: Vec<&Value> = answer.as_array().unwrap().iter().map(|item| &item["status"]).collect();
    assert_eq!(statuses, ["not_found", "not_found"]);
    for (path, expected) in [
        ("/images", "Missing query parameter 'imageDigests'"),
        ("/images/x?force=maybe", "Wrong type, expected 'boolean' for query parameter 'force'"),
        ("/images?imageDigests=x&force=1", "Wrong type, expected 'boolean' for query parameter 'force'"),
    ] {
        let (status, answer) = engine.send(Method::DELETE, path, &json!({})).await;
        assert_eq!((status, answer["detail"].as_str()), (StatusCode::BAD_REQUEST, Some(expected)), "{path}");
    }
    engine.close().await;
}
