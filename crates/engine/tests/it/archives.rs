//! The archive of analyses and its rules.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{TestEngine, VULNERABLE, debian_image, duties, registry, settings};

async fn digests(engine: &TestEngine, path: &str) -> Vec<String> {
    let (_, list) = engine.get(path).await;
    list.as_array().unwrap().iter().map(|item| item["imageDigest"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_archived_image_comes_back_as_it_was() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry());
    let image = debian_image(VULNERABLE);
    registry.push_image(&image, "app:1").unwrap();
    let mut settings = settings(folder.path(), Some(&registry));
    settings.intervals.image_deletion = Duration::from_millis(50);
    let engine = TestEngine::start(settings, true).await;
    let (tag, digest) = (registry.reference("app:1"), image.digest().to_string());
    let (_, empty) = engine.get("/archives").await;
    assert_eq!(empty["images"]["last_updated"], "");
    assert_eq!(empty["rules"], json!({"count": 0, "last_updated": null}));
    engine.post("/images", &json!({"tag": tag, "annotations": {"team": "a"}})).await;
    let before = engine.wait(&digest).await;

    let unknown = format!("sha256:{}", "0".repeat(64));
    let (_, outcomes) = engine.post("/archives/images", &json!([digest, unknown])).await;
    assert_eq!(
        outcomes[0],
        json!({"digest": digest, "status": "archived", "detail": "Completed successfully"})
    );
    assert_eq!(outcomes[1]["status"], "error");
    let (_, again) = engine.post("/archives/images", &json!([digest])).await;
    assert_eq!(again[0]["detail"], "Existing record found, archiving aborted");
    let (_, record) = engine.get(&format!("/archives/images/{digest}")).await;
    assert_eq!(record["image_detail"][0]["pullstring"], tag);
    assert_eq!(record["annotations"], json!({"team": "a"}));
    assert!(record["archive_size_bytes"].as_i64().unwrap() > 100);
    assert_eq!(engine.get("/archives").await.1["images"]["total_tag_count"], 1);

    let restore = json!({"source": {"archive": {"digest": digest}}});
    assert_eq!(engine.post("/images", &restore).await.0, StatusCode::CONFLICT, "it is there");
    engine.send(Method::DELETE, &format!("/images/{digest}?force=true"), &json!({})).await;
    duties(&engine, async || engine.get(&format!("/images/{digest}")).await.0 == StatusCode::NOT_FOUND).await;
    let (status, restored) = engine.post("/images", &restore).await;
    assert_eq!(status, StatusCode::OK, "{restored:#}");
    let comparable = |record: &Value| {
        let mut record = record.clone();
        record["last_updated"] = Value::Null;
        record["image_detail"][0]["last_updated"] = Value::Null;
        record
    };
    assert_eq!(comparable(&restored[0]), comparable(&before));
    let (_, packages) = engine.get(&format!("/images/{digest}/content/os")).await;
    assert_eq!(packages["content"][0]["package"], "libssl3");

    let path = format!("/archives/images/{digest}");
    assert_eq!(engine.send(Method::DELETE, &path, &json!({})).await, (StatusCode::OK, json!({})));
    assert_eq!(engine.send(Method::DELETE, &path, &json!({})).await.0, StatusCode::NOT_FOUND);
    engine.close().await;
}

#[tokio::test]
async fn a_rule_moves_old_versions_and_another_removes_them() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry());
    let mut settings = settings(folder.path(), Some(&registry));
    settings.intervals.archive_transition = Duration::from_millis(50);
    settings.intervals.image_deletion = Duration::from_millis(50);
    let engine = TestEngine::start(settings, true).await;
    let mut added = Vec::new();
    for version in ["3.0.1-1", "3.0.2-1"] {
        let image = debian_image(version);
        registry.push_image(&image, "app:1").unwrap();
        engine.add_and_wait(&registry.reference("app:1")).await;
        added.push(image.digest().to_string());
    }
    let selector = json!({"registry": "*", "repository": "a*", "tag": "*"});
    let (status, rule) = engine
        .post(
            "/archives/rules",
            &json!({"selector": selector, "transition": "archive", "tag_versions_newer": 1}),
        )
        .await;
    assert_eq!(status, StatusCode::OK, "{rule:#}");
    assert_eq!(rule["analysis_age_days"], -1);
    duties(&engine, async || digests(&engine, "/images?image_status=all").await == [added[1].clone()]).await;
    assert_eq!(digests(&engine, "/archives/images").await, [added[0].clone()]);

    engine.post("/archives/rules", &json!({"selector": selector, "transition": "delete"})).await;
    duties(&engine, async || digests(&engine, "/archives/images").await.is_empty()).await;
    assert_eq!(digests(&engine, "/images").await, [added[1].clone()], "only the archive was emptied");
    let path = format!("/archives/rules/{}", rule["rule_id"].as_str().unwrap());
    assert_eq!(engine.get(&path).await.1, rule);
    assert_eq!(engine.send(Method::DELETE, &path, &json!({})).await, (StatusCode::OK, json!({})));
    assert_eq!(engine.get(&path).await.0, StatusCode::NOT_FOUND);
    engine.close().await;
}

#[tokio::test]
async fn bad_rules_and_lists_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let engine = TestEngine::start(settings(folder.path(), None), false).await;
    let selector = json!({"registry": "*", "repository": "*", "tag": "*"});
    for (path, body) in [
        ("/archives/rules", json!({"selector": selector})),
        ("/archives/rules", json!({"selector": selector, "transition": "burn"})),
        ("/archives/rules", json!({"transition": "archive"})),
        ("/archives/rules", json!({"selector": {}, "transition": "archive"})),
        (
            "/archives/rules",
            json!({"selector": {"registry": "*", "repository": "*", "tag": 1}, "transition": "archive"}),
        ),
        ("/archives/rules", json!({"selector": selector, "transition": "archive", "analysis_age_days": "x"})),
        (
            "/archives/rules",
            json!({"selector": selector, "transition": "archive", "max_images_per_account": 1}),
        ),
        ("/archives/images", json!([])),
        ("/archives/images", json!({})),
        ("/archives/images", json!([1])),
        ("/archives/images", Value::from(vec!["x"; 101])),
        ("/images", json!({"source": {"archive": {}}})),
        ("/images", json!({"source": {"archive": {"digest": 1}}})),
    ] {
        let (status, answer) = engine.post(path, &body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path} {body} {answer:#}");
    }
    let (status, _) = engine.post("/images", &json!({"source": {"archive": {"digest": "sha256:1"}}})).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let events = engine.get("/events?event_type=system.image_analysis.restore_from_archive_failed").await.1;
    assert_eq!(events["results"].as_array().unwrap().len(), 1);
    engine.close().await;
}
