//! Watched repositories: their tags are listed, and the images of new tags are added.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::Registry;

use crate::support::{FIXED, TestEngine, VULNERABLE, answer, debian_image, registry, settings};

async fn watch(engine: &TestEngine, query: &str) -> (StatusCode, Value) {
    answer(engine.request(Method::POST, &format!("/v1/repositories?{query}"))).await
}

fn value_of(record: &Value) -> Value {
    serde_json::from_str(record["subscription_value"].as_str().unwrap()).unwrap()
}

async fn wait_for_tags(engine: &TestEngine, count: usize) -> Vec<String> {
    let look = async || {
        let (_, images) = engine.get("/images").await;
        let details =
            images.as_array().unwrap().iter().flat_map(|image| image["image_detail"].as_array().unwrap());
        let mut tags: Vec<String> =
            details.map(|detail| detail["tag"].as_str().unwrap().to_owned()).collect();
        tags.sort();
        (tags.len() >= count).then_some(tags)
    };
    testkit::wait_until_async(Duration::from_secs(60), "images of the repository", look).await.unwrap()
}

fn repository_with_tags() -> Registry {
    let registry = registry();
    registry.push_image(&debian_image(FIXED), "team/app:1.0").unwrap();
    registry.push_image(&debian_image(VULNERABLE), "team/app:1.1").unwrap();
    registry
}

#[tokio::test]
async fn a_repository_is_tried_watched_and_watched_again() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), repository_with_tags());
    let engine = TestEngine::start(settings(folder.path(), Some(&registry)), false).await;
    let repository = registry.reference("team/app");
    let (status, tried) = watch(&engine, &format!("repository={repository}&dryrun=true")).await;
    assert_eq!(status, StatusCode::OK, "{tried}");
    let keys: Vec<&String> = tried[0].as_object().unwrap().keys().collect();
    let trial = [
        "active",
        "subscription_id",
        "subscription_key",
        "subscription_type",
        "subscription_value",
        "userId",
    ];
    assert_eq!(keys, trial);
    assert_eq!(tried[0]["active"], false);
    assert_eq!(engine.get("/subscriptions").await.1, json!([]), "a trial stores nothing");

    let (status, watched) = watch(&engine, &format!("repository={repository}")).await;
    assert_eq!(status, StatusCode::OK, "{watched}");
    let record = &watched[0];
    let keys: Vec<&String> = record.as_object().unwrap().keys().collect();
    let stored = ["active", "created_at", "last_updated", "record_state_key", "record_state_val"];
    assert_eq!(keys[..5], stored);
    assert_eq!(keys[5..], trial[1..]);
    assert_eq!(
        (&record["active"], &record["subscription_type"], &record["subscription_key"]),
        (&json!(true), &json!("repo_update"), &json!(repository))
    );
    assert_eq!(record["subscription_id"], tried[0]["subscription_id"]);
    let value =
        json!({"autosubscribe": false, "repotags": ["1.0", "1.1"], "tagcount": 2, "lookuptag": "latest"});
    assert_eq!(value_of(record), value);
    let again = format!("repository={repository}&autosubscribe=True&dryrun=False&lookuptag=1.0");
    let (status, watched) = watch(&engine, &again).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(value_of(&watched[0])["autosubscribe"], true);
    assert_eq!(value_of(&watched[0])["lookuptag"], "latest");
    let (_, all) = engine.get("/subscriptions?subscription_type=repo_update").await;
    assert_eq!(all.as_array().unwrap().len(), 1);
    engine.close().await;
}

#[tokio::test]
async fn what_is_no_repository_is_refused() {
    let (folder, mut registry) = (tempfile::tempdir().unwrap(), repository_with_tags());
    let engine = TestEngine::start(settings(folder.path(), Some(&registry)), false).await;
    let repository = registry.reference("team/app");
    let (status, value) = watch(&engine, "").await;
    assert_eq!(
        (status, &value["detail"]),
        (StatusCode::BAD_REQUEST, &json!("Missing query parameter 'repository'"))
    );
    let (status, value) = watch(&engine, "repository=bad%20repo").await;
    assert_eq!(
        (status, &value["message"]),
        (StatusCode::BAD_REQUEST, &json!("cannot handle image input string"))
    );
    let (status, value) = watch(&engine, &format!("repository={repository}&autosubscribe=maybe")).await;
    let wrong = "Wrong type, expected 'boolean' for query parameter 'autosubscribe'";
    assert_eq!((status, &value["detail"]), (StatusCode::BAD_REQUEST, &json!(wrong)));
    let nobody = engine.request(Method::POST, &format!("/repositories?repository={repository}"));
    let (status, _) = answer(nobody.header("x-anchore-account", "nobody")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    registry.stop();
    let digest = debian_image(FIXED).digest().to_string();
    for name in [
        String::new(),
        format!("{repository}:1.0"),
        format!("{repository}@{digest}"),
        digest,
        registry.reference("team/nosuch"),
        repository.clone(),
    ] {
        let (status, value) = watch(&engine, &format!("repository={name}")).await;
        let message = format!("no tags could be added from input regrepo ({name})");
        assert_eq!((status, &value["message"]), (StatusCode::NOT_FOUND, &json!(message)));
    }
    let (_, events) = engine.get("/events?event_type=system.repository.list_tags_fail").await;
    let about: Vec<&Value> =
        events["results"].as_array().unwrap().iter().map(|one| &one["event"]["resource"]["id"]).collect();
    assert_eq!(about, [&json!(repository), &json!(registry.reference("team/nosuch"))], "a dead registry");
    assert_eq!(engine.request(Method::GET, "/repositories").send().await.unwrap().status(), 405);
    engine.close().await;
}

#[tokio::test]
async fn the_images_of_new_tags_are_added_and_failures_do_not_stop_it() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), repository_with_tags());
    let broken = debian_image("9.9");
    registry.push_image(&broken, "team/app:0-broken").unwrap();
    std::fs::write(registry.blob_file(broken.config_digest().unwrap()), "broken").unwrap();
    let mut settings = settings(folder.path(), Some(&registry));
    settings.intervals.repository_watch = Duration::from_millis(100);
    let engine = TestEngine::start(settings, false).await.with_duties();
    let repository = registry.reference("team/app");
    // Subscriptions by hand: to nothing, and to what is no repository.
    for key in [registry.reference("team/nosuch"), "no repository!".to_owned(), format!("{repository}:1.0")] {
        let body = json!({"subscription_key": key, "subscription_type": "repo_update", "active": true});
        assert_eq!(engine.post("/subscriptions", &body).await.0, StatusCode::OK);
    }
    let (status, _) = watch(&engine, &format!("repository={repository}&autosubscribe=true")).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(wait_for_tags(&engine, 2).await, ["1.0", "1.1"]);
    let path = format!("/subscriptions?subscription_key={repository}:1.0&subscription_type=tag_update");
    assert_eq!(engine.get(&path).await.1[0]["active"], true, "autosubscribe");
    registry.push_image(&debian_image(VULNERABLE), "team/app:1.2").unwrap();
    assert_eq!(wait_for_tags(&engine, 3).await, ["1.0", "1.1", "1.2"]);
    let path = format!("/subscriptions?subscription_key={repository}");
    let value = value_of(&engine.get(&path).await.1[0]);
    assert_eq!(value["repotags"], json!(["0-broken", "1.0", "1.1", "1.2"]));
    assert_eq!((&value["tagcount"], &value["autosubscribe"]), (&json!(4), &json!(true)));
    let (_, events) = engine.get("/events?event_type=system.image_analysis.registry_lookup_failed").await;
    let about: Vec<&Value> =
        events["results"].as_array().unwrap().iter().map(|one| &one["event"]["resource"]["id"]).collect();
    assert_eq!(about, [&json!(format!("{repository}:0-broken"))], "told once, tried again after a minute");
    let details = &events["results"][0]["event"]["details"]["anchore_error_json"];
    assert_eq!(details["httpcode"], 400);
    assert!(
        details["detail"]["raw_exception_message"].is_string() && details["detail"]["error_codes"].is_array()
    );
    engine.close().await;
}
