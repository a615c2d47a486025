//! Verdicts through the API.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::wait_until_async;

use crate::support::{
    FIXED, TestEngine, VULNERABLE, activate, bundle, database_path, debian_image, refuse_high, registry,
    settings, write_database,
};

#[tokio::test]
async fn a_vulnerable_image_fails_and_a_fixed_one_passes() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry());
    write_database(&database_path(folder.path()));
    registry.push_image(&debian_image(VULNERABLE), "app:bad").unwrap();
    registry.push_image(&debian_image(FIXED), "app:good").unwrap();
    let engine = TestEngine::start(settings(folder.path(), Some(&registry)), true).await;
    activate(&engine, &refuse_high("strict")).await;
    for (name, status) in [("app:bad", "fail"), ("app:good", "pass")] {
        let tag = registry.reference(name);
        let record = engine.add_and_wait(&tag).await;
        let digest = record["imageDigest"].as_str().unwrap();
        let (code, value) = engine.check(digest, &tag).await;
        assert_eq!(code, StatusCode::OK, "200 whatever the verdict is: {value:#}");
        let verdict = &value[0][digest][&tag][0];
        assert_eq!((&verdict["status"], &verdict["policyId"]), (&json!(status), &json!("strict")));
        let result = &verdict["detail"]["result"];
        let id = result["image_id"].as_str().unwrap();
        let inner = &result["result"][id]["result"];
        assert_eq!(inner["header"].as_array().unwrap().len(), 9);
        assert_eq!(result["matched_mapping_rule"]["name"], "all");
        assert_eq!(result["matched_whitelisted_images_rule"], false);
        let rows = inner["rows"].as_array().unwrap();
        assert_eq!(inner["row_count"], rows.len());
        if status == "fail" {
            assert_eq!(result["final_action"], "stop");
            assert_eq!((&rows[0][0], &rows[0][2]), (&json!(id), &json!("CVE-2099-0001+libssl3")));
            assert_eq!(
                (&rows[0][6], &rows[0][7], &rows[0][8]),
                (&json!("stop"), &json!(false), &json!("p1"))
            );
        } else {
            assert_eq!((&result["final_action"], rows.len()), (&json!("go"), 0));
        }
        let (_, list) = engine.get(&format!("/images/{digest}/vuln/all")).await;
        assert_eq!(list["data"]["state"], "covered");
        let found = list["vulnerabilities"].as_array().unwrap();
        assert_eq!(found.len(), usize::from(status == "fail"));
        if let Some(found) = found.first() {
            assert_eq!(
                (&found["vuln"], &found["severity"], &found["fix"]),
                (&json!("CVE-2099-0001"), &json!("High"), &json!(FIXED))
            );
            for key in ["package", "package_type", "feed_group", "package_path", "url"] {
                assert!(found[key].is_string(), "{key}");
            }
        }
        let (_, by_id) = engine.get(&format!("/images/by_id/{id}/check?tag={tag}&detail=false")).await;
        assert_eq!(by_id[0][digest][&tag][0]["detail"], json!({}));
    }
    engine.close().await;
}

#[tokio::test]
async fn the_name_asked_about_becomes_the_key() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry());
    let image = debian_image(FIXED);
    registry.push_image(&image, "app:1").unwrap();
    let engine = TestEngine::start(settings(folder.path(), Some(&registry)), true).await;
    let own = registry.reference("app:1");
    engine.add_and_wait(&own).await;
    let digest = image.digest().to_string();
    for (tag, key) in [
        (own.as_str(), own.as_str()),
        ("", &own),
        ("1.0", "docker.io/1.0:latest"),
        ("other/app:2", "docker.io/other/app:2"),
        (&digest, &digest),
    ] {
        let (status, value) = engine.check(&digest, tag).await;
        assert_eq!(status, StatusCode::OK, "{tag}: {value:#}");
        let keys: Vec<&String> = value[0][&digest].as_object().unwrap().keys().collect();
        assert_eq!(keys, [key], "{tag}");
    }
    let (status, value) = engine.get(&format!("/images/{digest}/check")).await;
    assert_eq!(
        (status, &value["detail"]),
        (StatusCode::BAD_REQUEST, &json!("Missing query parameter 'tag'"))
    );
    let (status, _) = engine.check(&digest, "bad%20tag!").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (status, value) = engine.get(&format!("/images/{digest}/check?tag={own}&policyId=nosuch")).await;
    assert_eq!(
        (status, &value["message"]),
        (StatusCode::NOT_FOUND, &json!("Policy bundle nosuch not found in DB"))
    );
    let (status, value) = engine.check(&format!("sha256:{}", "0".repeat(64)), &own).await;
    assert_eq!((status, &value["message"]), (StatusCode::NOT_FOUND, &json!("image not found in DB")));
    engine.close().await;
}

#[tokio::test]
async fn an_image_that_is_not_analyzed_has_no_verdict() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry());
    let image = debian_image(FIXED);
    registry.push_image(&image, "app:1").unwrap();
    let engine = TestEngine::start(settings(folder.path(), Some(&registry)), false).await;
    let tag = registry.reference("app:1");
    engine.post("/images", &json!({"tag": tag})).await;
    let text = "image is not analyzed - analysis_status: not_analyzed";
    for path in [format!("check?tag={tag}"), "vuln/all".to_owned(), "content/os".to_owned()] {
        let (status, value) = engine.get(&format!("/v1/images/{}/{path}", image.digest())).await;
        assert_eq!((status, &value["message"]), (StatusCode::NOT_FOUND, &json!(text)), "{path}");
    }
    let (status, types) = engine.get(&format!("/v1/images/{}/vuln", image.digest())).await;
    assert_eq!((status, types), (StatusCode::OK, json!(["os", "non-os", "all"])));
}

#[tokio::test]
async fn without_data_nothing_is_clean_and_a_database_that_appears_is_used() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry());
    registry.push_image(&debian_image(VULNERABLE), "app:1").unwrap();
    let engine = TestEngine::start(settings(folder.path(), Some(&registry)), true).await;
    activate(
        &engine,
        &bundle("data", "vulnerabilities", "vulnerability_data_unavailable", "STOP", json!([])),
    )
    .await;
    let tag = registry.reference("app:1");
    let record = engine.add_and_wait(&tag).await;
    let digest = record["imageDigest"].as_str().unwrap();
    let status = async || engine.check(digest, &tag).await.1[0][digest][&tag][0]["status"].clone();
    assert_eq!(status().await, "fail", "no database is no clean image");
    let (_, list) = engine.get(&format!("/images/{digest}/vuln/all")).await;
    assert_eq!((&list["data"]["state"], &list["vulnerabilities"]), (&json!("no_data"), &json!([])));
    let (_, feeds) = engine.get("/system/feeds").await;
    assert_eq!((&feeds[0]["last_full_sync"], &feeds[0]["groups"]), (&Value::Null, &json!([])));
    assert!(feeds[0]["state"].as_str().unwrap().starts_with("missing"));

    write_database(&database_path(folder.path()));
    wait_until_async(Duration::from_secs(20), "the new file to be in use", async || {
        (status().await == "pass").then_some(())
    })
    .await
    .unwrap();
    let (_, feeds) = engine.get("/system/feeds").await;
    assert!(feeds[0]["last_full_sync"].is_string());
    assert_eq!(
        (&feeds[0]["groups"][0]["name"], &feeds[0]["groups"][0]["record_count"]),
        (&json!("debian:12"), &json!(1))
    );

    std::fs::write(database_path(folder.path()), "broken").unwrap();
    wait_until_async(Duration::from_secs(20), "the broken file to be noticed", async || {
        // Asking is what makes it look.
        assert_eq!(status().await, "pass", "a broken file leaves the old one in force");
        let (_, feeds) = engine.get("/system/feeds").await;
        feeds[0]["state"].as_str().unwrap().contains("not in use").then_some(())
    })
    .await
    .unwrap();
    engine.close().await;
}

#[tokio::test]
async fn history_holds_each_distinct_verdict_once() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry());
    registry.push_image(&debian_image(FIXED), "app:1").unwrap();
    let engine = TestEngine::start(settings(folder.path(), Some(&registry)), true).await;
    let tag = registry.reference("app:1");
    let record = engine.add_and_wait(&tag).await;
    let digest = record["imageDigest"].as_str().unwrap();
    let mut expected = Vec::new();
    let verdicts = [
        ("one", "WARN", "pass"),
        ("two", "STOP", "fail"),
        ("one", "STOP", "fail"),
        ("two", "STOP", "fail"),
        ("three", "WARN", "pass"),
    ];
    for (id, action, status) in verdicts {
        activate(&engine, &bundle(id, "always", "always", action, json!([]))).await;
        for _ in 0..2 {
            let (_, value) = engine.check(digest, &tag).await;
            assert_eq!(value[0][digest][&tag][0]["status"], status);
        }
        // A verdict that comes again, be it from the cache, leads the list again.
        let verdict = (json!(id), json!(status));
        expected.retain(|known| *known != verdict);
        expected.insert(0, verdict);
        let (_, value) =
            engine.get(&format!("/images/{digest}/check?tag={tag}&history=true&detail=false")).await;
        let found: Vec<(Value, Value)> = value[0][digest][&tag]
            .as_array()
            .unwrap()
            .iter()
            .map(|verdict| (verdict["policyId"].clone(), verdict["status"].clone()))
            .collect();
        assert_eq!(found, expected);
    }
    engine.close().await;
}

#[tokio::test]
async fn a_verdict_is_dated_by_the_question_and_its_rows_by_their_computation() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry());
    registry.push_image(&debian_image(FIXED), "app:1").unwrap();
    let engine = TestEngine::start(settings(folder.path(), Some(&registry)), true).await;
    let tag = registry.reference("app:1");
    let record = engine.add_and_wait(&tag).await;
    let digest = record["imageDigest"].as_str().unwrap();
    let times = async || {
        let (_, value) = engine.check(digest, &tag).await;
        let verdict = &value[0][digest][&tag][0];
        let asked: jiff::Timestamp = verdict["last_evaluation"].as_str().unwrap().parse().unwrap();
        (asked, verdict["detail"]["result"]["created_at"].as_i64().unwrap())
    };
    let (first, first_computed) = times().await;
    let second_computed = wait_until_async(Duration::from_secs(20), "a later question", async || {
        let (asked, computed) = times().await;
        (asked.duration_since(first).as_secs() >= 2).then_some(computed)
    })
    .await
    .unwrap();
    assert_eq!(second_computed, first_computed, "the same rows");
    engine.close().await;
}
