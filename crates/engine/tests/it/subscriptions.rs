//! What an account subscribes to, by hand and with every added image.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{FIXED, TestEngine, debian_image, registry, settings};

/// Type and state of all subscriptions of a key.
async fn states(engine: &TestEngine, key: &str) -> Vec<(String, bool)> {
    let (status, found) = engine.get(&format!("/v1/subscriptions?subscription_key={key}")).await;
    assert_eq!(status, StatusCode::OK, "{found}");
    let of = |one: &Value| {
        (one["subscription_type"].as_str().unwrap().to_owned(), one["active"].as_bool().unwrap())
    };
    found.as_array().unwrap().iter().map(of).collect()
}

async fn find(engine: &TestEngine, key: &str, kind: &str) -> Value {
    let path = format!("/subscriptions?subscription_key={key}&subscription_type={kind}");
    engine.get(&path).await.1[0].clone()
}

#[tokio::test]
async fn an_added_tag_has_four_subscriptions() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry());
    registry.push_image(&debian_image(FIXED), "app:1").unwrap();
    let engine = TestEngine::start(settings(folder.path(), Some(&registry)), false).await;
    let tag = registry.reference("app:1");
    let state = |watched: bool| {
        [("analysis_update", true), ("policy_eval", false), ("tag_update", watched), ("vuln_update", false)]
            .map(|(kind, active)| (kind.to_owned(), active))
    };
    for (query, watched) in [
        ("", false),
        ("?autosubscribe=false", false),
        ("?autosubscribe=True", true),
        ("?autosubscribe=false", true),
    ] {
        let (status, _) = engine.post(&format!("/images{query}"), &json!({"tag": tag})).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(states(&engine, &tag).await, state(watched), "{query}");
    }
    let analysis = find(&engine, &tag, "analysis_update").await;
    let keys: Vec<&String> = analysis.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "active",
            "created_at",
            "last_updated",
            "subscription_id",
            "subscription_key",
            "subscription_type",
            "subscription_value",
            "userId"
        ]
    );
    assert!(analysis["created_at"].is_i64() && analysis["subscription_value"].is_null());
    let path = format!("/subscriptions/{}", analysis["subscription_id"].as_str().unwrap());
    engine.send(Method::PUT, &path, &json!({"active": false})).await;
    engine.post("/images", &json!({"tag": tag})).await;
    assert_eq!(find(&engine, &tag, "analysis_update").await["active"], false, "the owner's choice stays");
    let refused = engine.post("/images", &json!({"tag": registry.reference("app:nosuch")})).await;
    assert_eq!(refused.0, StatusCode::BAD_REQUEST);
    assert!(states(&engine, &registry.reference("app:nosuch")).await.is_empty());
    engine.close().await;
}

#[tokio::test]
async fn subscriptions_are_made_changed_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let engine = TestEngine::start(settings(folder.path(), None), false).await;
    let body = json!({"subscription_key": "docker.io/x:1", "subscription_type": "vuln_update", "active": true,
                      "subscription_value": "v"});
    let (status, made) = engine.post("/v1/subscriptions", &body).await;
    assert_eq!(status, StatusCode::OK, "{made}");
    assert_eq!(made[0]["subscription_id"], "16bcbed74e05ea6d24c587d96a7f7778");
    assert_eq!((&made[0]["active"], &made[0]["subscription_value"]), (&json!(true), &json!("v")));
    let (status, again) = engine.post("/subscriptions", &body).await;
    assert_eq!(
        (status, &again["message"]),
        (StatusCode::CONFLICT, &json!("subscription already exists in DB"))
    );
    let path = "/v1/subscriptions/16bcbed74e05ea6d24c587d96a7f7778";
    for (change, active, value) in [
        (json!({"active": false}), false, json!("v")),
        (json!({"subscription_value": "{\"digests\":[]}"}), false, json!("{\"digests\":[]}")),
        (
            json!({"active": true, "subscription_key": "other", "subscription_type": "bogus"}),
            true,
            json!("{\"digests\":[]}"),
        ),
        (json!({"subscription_value": null}), true, Value::Null),
        (json!({}), true, Value::Null),
    ] {
        let (status, changed) = engine.send(Method::PUT, path, &change).await;
        assert_eq!(status, StatusCode::OK, "{change}: {changed}");
        let changed = &changed[0];
        assert_eq!(
            (&changed["active"], &changed["subscription_value"]),
            (&json!(active), &value),
            "{change}"
        );
        assert_eq!(changed["subscription_key"], "docker.io/x:1", "{change}");
        assert_eq!(&engine.get(path).await.1[0], changed);
    }
    for _ in 0..2 {
        assert_eq!(engine.send(Method::DELETE, path, &json!(null)).await, (StatusCode::OK, json!(true)));
    }
    for absent in [path, "/subscriptions/nosuch", "/subscriptions/types"] {
        assert_eq!(engine.get(absent).await, (StatusCode::OK, json!([])), "{absent}");
    }
    let defaults = json!({"subscription_key": "nosuch:1", "subscription_type": "tag_update"});
    let (_, made) = engine.post("/subscriptions", &defaults).await;
    assert_eq!((&made[0]["active"], &made[0]["subscription_value"]), (&json!(false), &Value::Null));
    engine.close().await;
}

#[tokio::test]
async fn bad_input_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let engine = TestEngine::start(settings(folder.path(), None), false).await;
    let missing = "body does not contain both subscription_key and subscription_type";
    for (body, key, text) in [
        (json!({"subscription_key": "k"}), "message", missing),
        (json!({"subscription_type": "tag_update"}), "message", missing),
        (json!({}), "message", missing),
        (
            json!({"subscription_key": "k", "subscription_type": "bogus"}),
            "message",
            "bogus is not a supported subscription type",
        ),
        (
            json!({"subscription_key": 1, "subscription_type": "tag_update"}),
            "detail",
            "1 is not of type 'string' - 'subscription_key'",
        ),
        (json!({"active": "yes"}), "detail", "'yes' is not of type 'boolean' - 'active'"),
        (json!({"subscription_value": {}}), "detail", "{} is not of type 'string' - 'subscription_value'"),
        (
            json!({"subscription_key": "k".repeat(1001), "subscription_type": "tag_update"}),
            "message",
            "subscription_key must have at most 1000 characters",
        ),
    ] {
        let (status, value) = engine.post("/v1/subscriptions", &body).await;
        assert_eq!((status, &value[key]), (StatusCode::BAD_REQUEST, &json!(text)), "{value}");
    }
    let (status, value) = engine.get("/subscriptions?subscription_type=bogus").await;
    assert_eq!(
        (status, &value["message"]),
        (StatusCode::BAD_REQUEST, &json!("bogus is not a supported subscription type"))
    );
    let (status, _) = engine.send(Method::PUT, "/subscriptions/nosuch", &json!({"active": true})).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let nobody = engine.request(Method::POST, "/subscriptions").header("x-anchore-account", "nobody");
    let body = json!({"subscription_key": "k", "subscription_type": "tag_update"});
    let (status, _) = crate::support::answer(nobody.json(&body)).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "an account that is not there");
    engine.close().await;
}
