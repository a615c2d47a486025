//! Reading, filtering, paging and deleting events.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{FIXED, TestEngine, activate, answer, bundle, debian_image, registry, settings};

/// Three changes of the active policy, one image that was analyzed and one lookup that failed.
async fn engine_with_events(folder: &std::path::Path, registry: &testkit::Registry) -> TestEngine {
    registry.push_image(&debian_image(FIXED), "app:1").unwrap();
    let mut settings = settings(folder, Some(registry));
    settings.base_url = "https://engine.example.org".to_owned();
    let engine = TestEngine::start(settings, true).await;
    for id in ["one", "two", "three"] {
        activate(&engine, &bundle(id, "always", "always", "WARN", json!([]))).await;
    }
    engine.add_and_wait(&registry.reference("app:1")).await;
    engine
}

fn types(page: &Value) -> Vec<&str> {
    page["results"].as_array().unwrap().iter().map(|one| one["event"]["type"].as_str().unwrap()).collect()
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn events_have_the_shape_that_clients_know() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry());
    let engine = engine_with_events(folder.path(), &registry).await;
    let (status, page) = engine.get("/v1/events").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(keys(&page), ["item_count", "next_page", "page", "results"]);
    assert_eq!(
        (&page["item_count"], &page["next_page"], &page["page"]),
        (&json!(4), &json!(false), &json!(1))
    );
    let newest = &page["results"][0];
    assert_eq!(keys(newest), ["created_at", "event", "generated_uuid"]);
    let event = &newest["event"];
    assert_eq!(keys(event), ["details", "level", "message", "resource", "source", "timestamp", "type"]);
    assert_eq!(event["type"], "user.image.analysis.completed");
    assert_eq!(
        event["resource"],
        json!({"id": registry.reference("app:1"), "type": "image_tag", "user_id": "admin"})
    );
    assert_eq!(
        event["source"],
        json!({"base_url": "https://engine.example.org", "hostid": "lazaret", "request_id": null,
               "servicename": "analyzer"})
    );
    let time = newest["created_at"].as_str().unwrap();
    assert!(time.len() == "2026-11-22T04:03:55.735874Z".len() && time.ends_with('Z'), "{time}");
    let id = newest["generated_uuid"].as_str().unwrap();
    assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    let (status, one) = engine.get(&format!("/events/{id}")).await;
    assert_eq!((status, &one), (StatusCode::OK, newest));
    engine.close().await;
}

#[tokio::test]
async fn filters_and_pages_choose_events() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry());
    let engine = engine_with_events(folder.path(), &registry).await;
    let all = ["user.image.analysis.completed"; 1].to_vec();
    let policies = ["user.policy.active.updated"; 3].to_vec();
    let everything = [all.clone(), policies.clone()].concat();
    let tag = registry.reference("app:1");
    for (query, expected) in [
        ("event_type=user.image.*", &all),
        ("event_type=*.updated", &policies),
        ("event_type=user.image.analysis.completed", &all),
        ("event_type=*", &everything),
        ("event_type=user_image*", &vec![]),
        ("event_type=user.image", &vec![]),
        ("source_servicename=analyzer", &all),
        ("source_servicename=catalog", &policies),
        ("source_hostid=lazaret", &everything),
        ("source_hostid=other", &vec![]),
        ("resource_type=policy_bundle", &policies),
        (&format!("resource_id={tag}"), &all),
        ("level=info", &everything),
        ("level=INFO", &vec![]),
        ("since=2020-01-01&before=2999-01-01T00:00:00Z", &everything),
        ("since=2999-01-01", &vec![]),
        ("before=2020-01-01T00:00:00", &vec![]),
        ("event_type=", &everything),
    ] {
        let (status, page) = engine.get(&format!("/v1/events?{query}")).await;
        assert_eq!((status, &types(&page)), (StatusCode::OK, expected), "{query}");
    }
    let mut seen = BTreeSet::new();
    for (number, count, has_next) in [(1, 3, true), (2, 1, false), (3, 0, false), (9999, 0, false)] {
        let (_, page) = engine.get(&format!("/events?limit=3&page={number}")).await;
        assert_eq!(
            (&page["item_count"], &page["next_page"], &page["page"]),
            (&json!(count), &json!(has_next), &json!(number))
        );
        seen.extend(page["results"].as_array().unwrap().iter().map(|one| one["generated_uuid"].to_string()));
    }
    assert_eq!(seen.len(), 4);
    let (_, page) = engine.get("/events?limit=4").await;
    assert_eq!(page["next_page"], false, "exactly full is the last one");
    engine.close().await;
}

#[tokio::test]
async fn bad_questions_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let engine = TestEngine::start(settings(folder.path(), None), false).await;
    let not_a_time = "Invalid value for since query parameter, must be valid datetime string";
    let out_of_range = "limit must be valid integer between 1 and 1000";
    for (query, key, text) in [
        ("limit=0", "message", out_of_range),
        ("limit=1001", "message", out_of_range),
        ("page=0", "message", "page must be a valid integer greater than 0"),
        ("since=garbage", "message", not_a_time),
        ("limit=x", "detail", "Wrong type, expected 'integer' for query parameter 'limit'"),
        ("page=1.5", "detail", "Wrong type, expected 'integer' for query parameter 'page'"),
    ] {
        let (status, value) = engine.get(&format!("/v1/events?{query}")).await;
        assert_eq!((status, &value[key]), (StatusCode::BAD_REQUEST, &json!(text)), "{query}");
    }
    let (status, value) = engine.send(Method::DELETE, "/events?since=garbage", &json!(null)).await;
    assert_eq!((status, &value["message"]), (StatusCode::BAD_REQUEST, &json!(not_a_time)));
    let (status, _) = engine.get(&format!("/events?event_type={}", "a".repeat(2000))).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    engine.close().await;
}

#[tokio::test]
async fn events_are_deleted_one_by_one_or_by_filter_and_only_in_their_account() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry());
    let engine = engine_with_events(folder.path(), &registry).await;
    let (_, page) = engine.get("/events").await;
    let id = page["results"][0]["generated_uuid"].as_str().unwrap().to_owned();
    let path = format!("/v1/events/{id}");
    let elsewhere = engine.request(Method::DELETE, &path).header("x-anchore-account", "other");
    assert_eq!(answer(elsewhere).await.0, StatusCode::NOT_FOUND);
    let response = engine.request(Method::DELETE, &path).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.text().await.unwrap(), "");
    for method in [Method::GET, Method::DELETE] {
        let (status, value) = answer(engine.request(method, &path)).await;
        assert_eq!((status, &value["message"]), (StatusCode::NOT_FOUND, &json!("Event not found")));
    }
    let delete = async |path: &str| answer(engine.request(Method::DELETE, path)).await;
    for nothing in ["/events?before=2020-01-01T00:00:00Z", "/events?level=bogus"] {
        assert_eq!(delete(nothing).await, (StatusCode::OK, json!([])), "{nothing}");
    }
    let (status, ids) = delete("/events").await;
    assert_eq!((status, ids.as_array().unwrap().len()), (StatusCode::OK, 3));
    assert_eq!(engine.get("/events").await.1["results"], json!([]));
    engine.close().await;
}

#[tokio::test]
async fn event_types_name_their_categories() {
    let folder = tempfile::tempdir().unwrap();
    let engine = TestEngine::start(settings(folder.path(), None), false).await;
    let (status, categories) = engine.get("/v1/event_types").await;
    assert_eq!(status, StatusCode::OK);
    let mut found = BTreeSet::new();
    for category in categories.as_array().unwrap() {
        assert_eq!(keys(category), ["description", "name", "subcategories"]);
        for subcategory in category["subcategories"].as_array().unwrap() {
            assert_eq!(keys(subcategory), ["description", "events", "name"]);
            for event in subcategory["events"].as_array().unwrap() {
                assert_eq!(keys(event), ["message", "name", "resource_type", "type"]);
                found.insert(event["type"].as_str().unwrap().to_owned());
            }
        }
    }
    assert_eq!(found.len(), 32);
    for wanted in ["system.feeds.sync.group_started", "user.checks.tag.policy_evaluation.update"] {
        assert!(found.contains(wanted), "{wanted}");
    }
    engine.close().await;
}
