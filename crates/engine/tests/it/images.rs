//! Adding, finding and analyzing images.

use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::{Image, ImageBuilder, Layer};

use crate::support::{FIXED, TestEngine, VULNERABLE, debian_image, registry, settings};

#[tokio::test]
async fn an_image_is_added_analyzed_and_found_under_all_its_names() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry());
    let image = debian_image(VULNERABLE);
    let index = Image::index(&[
        image.clone(),
        ImageBuilder::new().architecture("arm64").layer(Layer::new().file("a", "b")).build(),
    ]);
    registry.push_image(&index, "team/app:1").unwrap();
    let engine = TestEngine::start(settings(folder.path(), Some(&registry)), true).await;
    let tag = registry.reference("team/app:1");
    let (status, added) = engine
        .post("/images?autosubscribe=True", &json!({"tag": tag, "annotations": {"by": "ci", "x": "null"}}))
        .await;
    assert_eq!(status, StatusCode::OK, "{added:#}");
    let digest = image.digest().to_string();
    let keys: Vec<&String> = added[0].as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "analysis_status",
            "analyzed_at",
            "annotations",
            "created_at",
            "imageDigest",
            "image_content",
            "image_detail",
            "image_status",
            "image_type",
            "last_updated",
            "parentDigest",
            "userId"
        ]
    );
    assert_eq!(added[0]["imageDigest"], digest);
    assert_eq!(added[0]["parentDigest"], index.digest().to_string());
    assert_eq!(added[0]["annotations"], json!({"by": "ci"}));
    let record = engine.wait(&digest).await;
    assert_eq!(record["analysis_status"], "analyzed");
    assert_eq!(record["image_content"]["metadata"]["distro"], "debian");
    assert_eq!(record["image_content"]["metadata"]["distro_version"], "12");
    let id = image.config_digest().unwrap().hex();
    let detail = &record["image_detail"][0];
    assert_eq!(
        (&detail["fulltag"], &detail["imageId"], &detail["tag"]),
        (&json!(tag), &json!(id), &json!("1"))
    );
    for path in [
        format!("/images/{digest}"),
        format!("/v1/images/{}", digest.replace(':', "%3A")),
        format!("/images/{}", index.digest()),
        format!("/images/by_id/{id}"),
        format!("/images?fulltag={tag}&history=false"),
        format!("/images?fulltag={id}"),
        format!("/images?fulltag={}@{digest}", registry.reference("team/app")),
        "/images".to_owned(),
    ] {
        let (status, found) = engine.get(&path).await;
        assert_eq!((status, &found[0]["imageDigest"]), (StatusCode::OK, &json!(digest)), "{path}");
    }
    let (_, without) = engine.get(&format!("/images/{digest}?detail=false&history=false")).await;
    assert_eq!(without[0]["image_detail"], json!([]));
    let (_, content) = engine.get(&format!("/images/{digest}/content/os")).await;
    let package = &content["content"][0];
    assert_eq!(
        (&package["package"], &package["version"], &package["sourcepkg"]),
        (&json!("libssl3"), &json!(VULNERABLE), &json!("openssl"))
    );
    for (path, message) in [
        (format!("/images?fulltag={}", registry.reference("team/app:2")), "image data not found in DB"),
        (format!("/images/sha256:{}", "0".repeat(64)), "image not found in DB"),
        (format!("/images?fulltag={digest}"), "image data not found in DB"),
        (format!("/images/{digest}/vuln/bogus"), "content type (bogus) not available"),
        (format!("/images/{digest}/content/bogus"), "content type (bogus) not available"),
    ] {
        let (status, value) = engine.get(&path).await;
        assert_eq!((status, &value["message"]), (StatusCode::NOT_FOUND, &json!(message)), "{path}");
    }
    engine.close().await;
}

#[tokio::test]
async fn a_tag_that_moves_keeps_its_history() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry());
    let engine = TestEngine::start(settings(folder.path(), Some(&registry)), false).await;
    let tag = registry.reference("app:1");
    let mut digests = Vec::new();
    for version in [VULNERABLE, FIXED, VULNERABLE] {
        let image = debian_image(version);
        registry.push_image(&image, "app:1").unwrap();
        let (status, added) = engine.post("/images", &json!({"tag": tag})).await;
        assert_eq!((status, &added[0]["imageDigest"]), (StatusCode::OK, &json!(image.digest().to_string())));
        let (_, newest) = engine.get(&format!("/images?fulltag={tag}")).await;
        assert_eq!(newest[0]["imageDigest"], image.digest().to_string(), "the tag names what was added last");
        digests.push(image.digest().to_string());
    }
    let (_, history) = engine.get(&format!("/images?fulltag={tag}&history=true")).await;
    let found: Vec<&Value> = history.as_array().unwrap().iter().map(|image| &image["imageDigest"]).collect();
    assert_eq!(found, [digests[0].as_str(), digests[1].as_str()]);
}

#[tokio::test]
async fn bad_requests_are_refused_in_the_words_of_the_original() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry());
    registry.push_image(&debian_image(FIXED), "app:1").unwrap();
    let engine = TestEngine::start(settings(folder.path(), Some(&registry)), false).await;
    let tag = registry.reference("app:1");
    let digest = format!("sha256:{}", "a".repeat(64));
    let engine_shape = [
        (json!({}), "Could not validate request due to error"),
        (json!({"digest": "x"}), "Validation error"),
        (
            json!({"tag": ""}),
            "Must include either \"tag\", \"tag\" and \"digest\", or \"source\" property in body",
        ),
        (
            json!({"source": {}}),
            "Must include either \"tag\", \"tag\" and \"digest\", or \"source\" property in body",
        ),
        (json!({"tag": "bad tag!"}), "Could not validate request due to error"),
        (
            json!({"tag": "n", "source": {"tag": {"pullstring": "n"}}}),
            "Cannot use both source property and tag, digest, or dockerfile property at top level",
        ),
        (json!({"source": {"bogus": {}}}), "Must have one source propery set"),
        (json!({"tag": format!("{tag}@{digest}")}), "Must have tag-based pull string"),
        (json!({"tag": digest}), "Must have tag-based pull string"),
        (json!({"tag": "a".repeat(64)}), "Must have tag-based pull string"),
        (
            json!({"tag": registry.reference("app:nosuch")}),
            "cannot fetch image digest/manifest from registry",
        ),
    ];
    for (body, message) in engine_shape {
        let (status, value) = engine.post("/v1/images", &body).await;
        assert_eq!(
            (status, &value["message"]),
            (StatusCode::BAD_REQUEST, &json!(message)),
            "{body}: {value:#}"
        );
        assert_eq!(value["httpcode"], 400);
        assert!(value["detail"]["error_codes"].is_array());
    }
    let problems = [
        (json!({"tag": 123}), "123 is not of type 'string' - 'tag'"),
        (json!({"tag": tag, "annotations": "x"}), "'x' is not of type 'object' - 'annotations'"),
        (json!({"tag": tag, "dockerfile": "%%"}), "'%%' does not match '^[a-zA-Z0-9+/=]+$' - 'dockerfile'"),
        (json!({"source": {"tag": {}}}), "'pullstring' is a required property - 'source.tag'"),
        (
            json!({"source": {"digest": {"pullstring": format!("x@{digest}")}}}),
            "'tag' is a required property - 'source.digest'",
        ),
    ];
    for (body, detail) in problems {
        let (status, value) = engine.post("/v1/images", &body).await;
        assert_eq!((status, &value["detail"]), (StatusCode::BAD_REQUEST, &json!(detail)), "{body}");
    }
}

#[tokio::test]
async fn failures_of_registries_have_codes() {
    let (folder, mut registry) = (tempfile::tempdir().unwrap(), registry());
    registry.push_image(&debian_image(FIXED), "app:1").unwrap();
    let engine = TestEngine::start(settings(folder.path(), Some(&registry)), false).await;
    let codes = async |name: &str| {
        let (status, value) = engine.post("/images", &json!({"tag": registry.reference(name)})).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(value["detail"]["raw_exception_message"].is_string());
        value["detail"]["error_codes"].clone()
    };
    assert_eq!(codes("app:nosuch").await, json!(["REGISTRY_IMAGE_NOT_FOUND"]));
    assert_eq!(codes("nosuch:1").await, json!(["REGISTRY_IMAGE_NOT_FOUND"]));
    registry.stop();
    let (status, value) = engine.post("/images", &json!({"tag": registry.reference("app:1")})).await;
    assert_eq!(
        (status, &value["detail"]["error_codes"]),
        (StatusCode::BAD_REQUEST, &json!(["REGISTRY_NOT_ACCESSIBLE"]))
    );
}

#[tokio::test]
async fn a_digest_or_a_forced_image_is_added_by_its_rules() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry());
    let image = debian_image(FIXED);
    registry.push_image(&image, "app:1").unwrap();
    let engine = TestEngine::start(settings(folder.path(), Some(&registry)), true).await;
    let (tag, digest) = (registry.reference("app:filed"), image.digest().to_string());
    let by_digest = json!({"tag": tag, "digest": format!("{}@{digest}", registry.reference("app"))});
    let (status, value) = engine.post("/images?force=true", &by_digest).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{value}");
    let (status, added) = engine.post("/images", &by_digest).await;
    assert_eq!((status, &added[0]["image_detail"][0]["fulltag"]), (StatusCode::OK, &json!(tag)));
    engine.wait(&digest).await;

    let dockerfile = json!({"tag": registry.reference("app:1"), "dockerfile": "RlJPTSBzY3JhdGNoCg=="});
    let (status, value) = engine.post("/images", &dockerfile).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(value["detail"]["digest"], digest);
    let (status, forced) = engine.post("/images?force=true", &dockerfile).await;
    assert_eq!((status, &forced[0]["analysis_status"]), (StatusCode::OK, &json!("not_analyzed")));
    assert_eq!(forced[0]["image_content"]["metadata"]["dockerfile_mode"], "Actual");
    assert_eq!(engine.wait(&digest).await["analysis_status"], "analyzed");
    engine.close().await;
}

#[tokio::test]
async fn a_failed_analysis_says_why_and_is_tried_again_when_asked() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry());
    let image = debian_image(FIXED);
    registry.push_image(&image, "app:1").unwrap();
    let layer = image.layers()[0].digest.clone();
    let file = registry.blob_file(&layer);
    let good = image.blobs()[&layer].clone();
    std::fs::write(&file, vec![0_u8; good.len()]).unwrap();
    let engine = TestEngine::start(settings(folder.path(), Some(&registry)), true).await;
    let tag = registry.reference("app:1");
    let record = engine.add_and_wait(&tag).await;
    assert_eq!(record["analysis_status"], "analysis_failed", "{record:#}");
    assert!(record["analysis_error"].as_str().unwrap().contains("layer"), "{record:#}");
    let (status, value) = engine.check(&image.digest().to_string(), &tag).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(value["message"], "image is not analyzed - analysis_status: analysis_failed");
    std::fs::write(&file, &good).unwrap();
    let record = engine.add_and_wait(&tag).await;
    assert_eq!(record["analysis_status"], "analyzed");
    assert_eq!(record.get("analysis_error"), None);
    engine.close().await;
}
