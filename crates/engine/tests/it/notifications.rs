//! Webhooks: what they are told, and that they are told it whatever happens.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use engine::{EngineSettings, EventLevel, NotificationKind, Webhook, WebhookTarget};
use reqwest::{Method, StatusCode, header};
use scanner::Secret;
use serde_json::{Value, json};
use testkit::Registry;

use crate::receiver::{Mood, Receiver, Told};
use crate::support::{
    FIXED, TestEngine, VULNERABLE, activate, bundle, database_path, debian_image, open_storage, registry,
    settings, write_database,
};
use crate::webhook_requests::assert_request;

/// Paths and types of real notifications of the engine whose clients we serve, and of the form of its tests.
const SHAPES: &str = include_str!("notification_shapes.json");
/// Their content is the bundle's, the evaluation's or the user's.
const OPAQUE: [&str; 7] = [
    "bundle",
    "result",
    "matched_mapping_rule",
    "matched_whitelisted_images_rule",
    "matched_blacklisted_images_rule",
    "event.details",
    "annotations",
];
const ANALYSIS: WebhookTarget = WebhookTarget::Kind(NotificationKind::AnalysisUpdate);

/// Every part of a value with its type.
fn collect(value: &Value, path: &str, parts: &mut BTreeMap<String, BTreeSet<&'static str>>) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !path.is_empty() {
        parts.entry(path.to_owned()).or_default().insert(kind);
    }
    if OPAQUE.iter().any(|opaque| path.ends_with(&format!(".{opaque}"))) {
        return;
    }
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                collect(value, &path, parts);
            }
        }
        Value::Array(values) => {
            values.iter().for_each(|value| collect(value, &format!("{path}[]"), parts));
        }
        _ => {}
    }
}

/// Compares with the recorded shape: everything of it is there with its type, and nothing else is but the second name of a
/// digest.
pub(crate) fn assert_shape(body: &Value, name: &str) {
    let shapes: BTreeMap<String, BTreeMap<String, BTreeSet<String>>> = serde_json::from_str(SHAPES).unwrap();
    let wanted = &shapes[name];
    let mut found = BTreeMap::new();
    collect(body, "", &mut found);
    for (path, kinds) in wanted {
        // Lists may be empty.
        if path.contains("[]") && !found.contains_key(path) {
            continue;
        }
        let found = found.get(path).map(|kinds| kinds.iter().copied().collect::<Vec<_>>());
        let found = found.unwrap_or_default();
        assert!(
            !found.is_empty() && found.iter().all(|kind| kinds.contains(*kind)),
            "{name}: `{path}` is {found:?}, recorded {kinds:?}: {body:#}"
        );
    }
    for path in found.keys() {
        let is_second_name = path.ends_with("image_digest") || path.ends_with("imageDigest");
        assert!(wanted.contains_key(path) || is_second_name, "{name}: `{path}` was never seen: {body:#}");
    }
}

/// Short pauses, and the receiver as the general webhook.
pub(crate) fn told_settings(folder: &Path, registry: &Registry, receiver: &Receiver) -> EngineSettings {
    let mut settings = settings(folder, Some(registry));
    settings.intervals.notification_delivery = Duration::from_millis(50);
    let url = format!("{}/general/<notification_type>/<userId>", receiver.url);
    settings.webhooks.targets.insert(WebhookTarget::General, Webhook::new(url));
    settings
}

fn authorization(told: &Told) -> &str {
    told.headers[header::AUTHORIZATION].to_str().unwrap()
}

#[tokio::test]
async fn the_course_of_an_analysis_is_told_to_the_general_webhook_and_to_its_own() {
    let (folder, registry, receiver) = (tempfile::tempdir().unwrap(), registry(), Receiver::start().await);
    registry.push_image(&debian_image(FIXED), "app:1").unwrap();
    let mut settings = told_settings(folder.path(), &registry, &receiver);
    settings.webhooks.login = Some(("hookuser".to_owned(), Secret::new("hookpass")));
    let mut own = Webhook::new(format!("{}/own/<userId>", receiver.url));
    own.login = Some(("puser".to_owned(), Secret::new("ppass")));
    settings.webhooks.targets.insert(ANALYSIS, own);
    let engine = TestEngine::start(settings, true).await.with_duties();
    let tag = registry.reference("app:1");
    engine.add_and_wait(&tag).await;
    let told = receiver.wait(4, "two changes at two webhooks", |_| true).await;
    for (place, login) in [
        ("/general/analysis_update/admin", "Basic aG9va3VzZXI6aG9va3Bhc3M="),
        ("/own/admin", "Basic cHVzZXI6cHBhc3M="),
    ] {
        let here: Vec<&Told> = told.iter().filter(|told| told.path == place).collect();
        let mut changes: Vec<(&Value, &Value)> = here
            .iter()
            .map(|told| {
                let payload = told.payload();
                (&payload["last_eval"]["analysis_status"], &payload["curr_eval"]["analysis_status"])
            })
            .collect();
        changes.sort_by_key(|(last, _)| last.to_string());
        let (waiting, running, done) = (json!("not_analyzed"), json!("analyzing"), json!("analyzed"));
        assert_eq!(changes, [(&running, &done), (&waiting, &running)], "{place}");
        for told in here {
            assert_shape(&told.body, "analysis_update");
            assert_eq!(authorization(told), login, "each call has its credentials, not only the first");
            assert_eq!(told.headers[header::CONTENT_TYPE], "application/json");
            let (body, payload) = (&told.body, told.payload());
            assert_eq!(payload["subscription_key"], tag);
            assert_eq!((&body["dataId"], &body["userId"]), (&payload["notificationId"], &json!("admin")));
            let created = body["created_at"].as_i64().unwrap();
            assert_eq!(body["max_tries"].as_i64().unwrap() - created, 30);
        }
    }
    let unsubscribe = |kind: &str| format!("/subscriptions?subscription_key={tag}&subscription_type={kind}");
    let id = engine.get(&unsubscribe("analysis_update")).await.1[0]["subscription_id"].clone();
    let path = format!("/subscriptions/{}", id.as_str().unwrap());
    engine.send(Method::PUT, &path, &json!({"active": false})).await;
    let (status, _) = engine.post("/images?force=true", &json!({"tag": tag})).await;
    assert_eq!(status, StatusCode::OK);
    let digest = debian_image(FIXED).digest().to_string();
    engine.wait(&digest).await;
    assert_eq!(receiver.told().len(), 4, "nobody subscribes any more");
    engine.close().await;
}

#[tokio::test]
async fn a_webhook_that_fails_is_told_again_and_holds_up_no_other() {
    let (folder, registry, receiver) = (tempfile::tempdir().unwrap(), registry(), Receiver::start().await);
    registry.push_image(&debian_image(FIXED), "app:1").unwrap();
    for (mood, expected) in [
        (Mood::RefusesOnce, "told at the second try"),
        (Mood::Babbles, "an answer without end is a 200"),
        (Mood::Hangs, "given up, the other one is told"),
        (Mood::Redirects, "not followed, the other one is told"),
        (Mood::Refuses, "given up, the other one is told"),
    ] {
        let folder = folder.path().join(format!("{mood:?}"));
        let place = format!("/{mood:?}");
        receiver.set(&place, mood);
        let mut settings = told_settings(&folder, &registry, &receiver);
        settings
            .webhooks
            .targets
            .insert(WebhookTarget::General, Webhook::new(format!("{}/general/{mood:?}", receiver.url)));
        settings.webhooks.targets.insert(ANALYSIS, Webhook::new(format!("{}{place}", receiver.url)));
        settings.webhooks.retry_window = Duration::from_secs(2);
        settings.webhooks.call_time_max = Duration::from_millis(300);
        let engine = TestEngine::start(settings, true).await.with_duties();
        engine.add_and_wait(&registry.reference("app:1")).await;
        let general = format!("/general/{mood:?}");
        receiver.wait(2, expected, |told| told.path == general).await;
        receiver.wait(2, expected, |told| told.path == place).await;
        let storage = open_storage(&folder).await;
        let left = || async {
            let count: i64 =
                storage::query("SELECT count(*) FROM notifications").fetch_value(&storage).await.unwrap();
            (count == 0).then_some(())
        };
        testkit::wait_until_async(Duration::from_secs(30), expected, left).await.unwrap();
        let tries: Vec<i64> =
            receiver.told_at(&place).iter().map(|told| told.body["tries"].as_i64().unwrap()).collect();
        let is_repeated = tries.iter().any(|tries| *tries > 0);
        assert_eq!(is_repeated, mood != Mood::Babbles, "{mood:?}: {tries:?}");
        assert!(receiver.told_at("/elsewhere").is_empty(), "credentials would go there");
        storage.close().await;
        engine.close().await;
    }
}

#[tokio::test]
async fn what_was_to_be_told_survives_the_end_of_the_process_and_is_tried_however_late() {
    let (folder, registry, receiver) = (tempfile::tempdir().unwrap(), registry(), Receiver::start().await);
    registry.push_image(&debian_image(FIXED), "app:1").unwrap();
    let mut settings = told_settings(folder.path(), &registry, &receiver);
    settings.webhooks.retry_window = Duration::ZERO;
    // No duties: what is stored is not delivered, as in a process that is killed at once.
    let first = TestEngine::start(settings.clone(), true).await;
    first.add_and_wait(&registry.reference("app:1")).await;
    first.close().await;
    assert!(receiver.told().is_empty());
    let second = TestEngine::start(settings.clone(), false).await.with_duties();
    receiver.wait(2, "what the first process left", |told| told.kind() == "analysis_update").await;
    second.close().await;

    // A process that was killed between the call and its record tells it twice, never not at all.
    let storage = open_storage(folder.path()).await;
    let mut tx = storage.begin().await.unwrap();
    for statement in [
        "INSERT INTO notifications VALUES ('n1', 'admin', 'tag_update', '{}', 0, 0)",
        "INSERT INTO notification_deliveries VALUES ('n1', 'general', 3, 0)",
        "INSERT INTO notifications VALUES ('n2', 'admin', 'tag_update', '{}', 0, 0)",
        "INSERT INTO notification_deliveries VALUES ('n2', 'vuln_update', 0, 0)",
    ] {
        storage::query(statement).execute(&mut tx).await.unwrap();
    }
    tx.commit().await.unwrap();
    storage.close().await;
    let third = TestEngine::start(settings, false).await.with_duties();
    receiver.wait(1, "a delivery that was under way", |told| told.body["dataId"] == "n1").await;
    let storage = open_storage(folder.path()).await;
    let left = || async {
        let count: i64 =
            storage::query("SELECT count(*) FROM notifications").fetch_value(&storage).await.unwrap();
        (count == 0).then_some(())
    };
    let what = "nothing is left, not even for a webhook that is no longer there";
    testkit::wait_until_async(Duration::from_secs(30), what, left).await.unwrap();
    storage.close().await;
    third.close().await;
}

#[tokio::test]
async fn events_of_the_wanted_level_are_told() {
    let (folder, registry, receiver) = (tempfile::tempdir().unwrap(), registry(), Receiver::start().await);
    let image = debian_image(FIXED);
    registry.push_image(&image, "app:1").unwrap();
    std::fs::write(registry.blob_file(&image.layers()[0].digest), "broken").unwrap();
    let mut settings = told_settings(folder.path(), &registry, &receiver);
    settings.webhooks.event_levels.insert(EventLevel::Error);
    let engine = TestEngine::start(settings, true).await.with_duties();
    activate(&engine, &bundle("b", "always", "always", "WARN", json!([]))).await;
    engine.add_and_wait(&registry.reference("app:1")).await;
    for kind in ["system.image_analysis.failed", "user.image.analysis.failed"] {
        let is_it = |told: &Told| told.payload()["event"]["type"] == kind;
        let told = receiver.wait(1, kind, is_it).await;
        assert_shape(&told[0].body, "event_log");
        assert_eq!(told[0].path, "/general/event_log/admin");
    }
    assert!(receiver.told().iter().all(|told| told.payload()["event"]["level"] != "info"), "only errors");
    engine.close().await;
}

#[tokio::test]
async fn changed_verdicts_and_vulnerabilities_are_told_once() {
    let (folder, registry, receiver) = (tempfile::tempdir().unwrap(), registry(), Receiver::start().await);
    registry.push_image(&debian_image(VULNERABLE), "app:1").unwrap();
    // An empty database first: the image is covered by nothing until the data comes.
    let mut settings = told_settings(folder.path(), &registry, &receiver);
    settings.intervals.policy_evaluation = Duration::from_millis(200);
    settings.intervals.vulnerability_update = Duration::from_millis(200);
    write_database(&database_path(folder.path()));
    let engine = TestEngine::start(settings, true).await.with_duties();
    activate(&engine, &bundle("warns", "always", "always", "WARN", json!([]))).await;
    let tag = registry.reference("app:1");
    for kind in ["policy_eval", "vuln_update"] {
        let body = json!({"subscription_key": tag, "subscription_type": kind, "active": true});
        assert_eq!(engine.post("/subscriptions", &body).await.0, StatusCode::OK);
    }
    let added = json!({"tag": tag, "annotations": {"a": 1}});
    let digest = engine.post("/images", &added).await.1[0]["imageDigest"].as_str().unwrap().to_owned();
    engine.wait(&digest).await;
    // The first results are remembered, then the policy and the data change.
    let storage = open_storage(folder.path()).await;
    let remembered = || async {
        let count: i64 =
            storage::query("SELECT count(*) FROM watch_results").fetch_value(&storage).await.unwrap();
        (count == 2).then_some(())
    };
    testkit::wait_until_async(Duration::from_secs(30), "first results", remembered).await.unwrap();
    storage.close().await;
    activate(&engine, &bundle("stops", "always", "always", "STOP", json!([]))).await;
    let told = receiver.wait(1, "the verdict", |told| told.kind() == "policy_eval").await;
    assert_shape(&told[0].body, "policy_eval");
    assert_request(&told[0], "general", false);
    let payload = told[0].payload();
    assert_eq!((&payload["subscription_key"], &payload["annotations"]), (&json!(tag), &json!({"a": 1})));
    let of = |result: &Value| {
        (result["final_action"].clone(), result["status"].clone(), result["bundle"]["id"].clone())
    };
    assert_eq!(of(&payload["last_eval"]), (json!("warn"), json!("pass"), json!("warns")));
    assert_eq!(of(&payload["curr_eval"]), (json!("stop"), json!("fail"), json!("stops")));

    crate::support::write_database_fixed(&database_path(folder.path()), "1.0");
    let told = receiver.wait(1, "the vulnerabilities", |told| told.kind() == "vuln_update").await;
    assert_shape(&told[0].body, "vuln_update");
    assert_request(&told[0], "general", false);
    let payload = told[0].payload();
    assert_eq!(payload["imageDigest"], digest);
    let difference = &payload["diff_vulnerability_result"];
    assert_eq!((&difference["added"], &difference["updated"]), (&json!([]), &json!([])));
    assert_eq!(
        difference["removed"],
        json!([{"CVE_ID": "CVE-2099-0001", "Feed": "vulnerabilities", "Feed_Group": "debian:12",
                "Fix_Available": FIXED, "Package_Name": "libssl3", "Package_Type": "dpkg",
                "Package_Version": VULNERABLE, "Severity": "High",
                "URL": "https://security.example.org/CVE-2099-0001",
                "Vulnerable_Package": format!("libssl3-{VULNERABLE}")}])
    );
    let (_, events) = engine.get("/events?event_type=user.checks.*").await;
    let types: Vec<&Value> =
        events["results"].as_array().unwrap().iter().map(|one| &one["event"]["type"]).collect();
    assert_eq!(types, ["user.checks.tag.vulnerabilities.update", "user.checks.tag.policy_evaluation.update"]);
    engine.close().await;
    let again: Vec<Told> =
        receiver.told().into_iter().filter(|told| told.kind() != "analysis_update").collect();
    assert_eq!(again.len(), 2, "told once: {again:#?}");
}

#[tokio::test]
async fn webhooks_are_tried_on_demand() {
    let (folder, registry, receiver) = (tempfile::tempdir().unwrap(), registry(), Receiver::start().await);
    let engine = TestEngine::start(settings(&folder.path().join("none"), None), false).await;
    let (status, value) = engine.post("/v1/system/webhooks/general/test", &json!({})).await;
    let not_configured = json!("Webhooks Configuration not found");
    assert_eq!((status, &value["message"]), (StatusCode::BAD_REQUEST, &not_configured));
    engine.close().await;

    let mut settings = told_settings(folder.path(), &registry, &receiver);
    settings.webhooks.call_time_max = Duration::from_millis(300);
    let own = WebhookTarget::Kind(NotificationKind::PolicyEvaluation);
    settings.webhooks.targets.insert(own, Webhook::new(format!("{}/policy_eval/<userId>", receiver.url)));
    let engine = TestEngine::start(settings.clone(), false).await;
    for (path, place, kind) in [
        ("general/test", "/general/test/admin", "tag_update"),
        ("general/test?notification_type=policy_eval", "/general/test/admin", "policy_eval"),
        ("policy_eval/test?notification_type=policy_eval", "/policy_eval/admin", "policy_eval"),
        ("policy_eval/test", "/policy_eval/admin", "tag_update"),
    ] {
        let request = engine.request(Method::POST, &format!("/v1/system/webhooks/{path}"));
        assert_eq!(crate::support::answer(request).await, (StatusCode::OK, json!({})), "{path}");
        let told = receiver.told().pop().unwrap();
        assert_eq!((told.path.as_str(), told.kind()), (place, kind), "{path}");
        assert_shape(&told.body, &format!("{kind} (test)"));
    }
    for kind in ["analysis_update", "vuln_update"] {
        let path = format!("/system/webhooks/general/test?notification_type={kind}");
        assert_eq!(engine.post(&path, &json!({})).await.0, StatusCode::OK, "{kind}");
    }
    for (path, status) in [
        ("tag_update/test", StatusCode::NOT_FOUND),
        ("bogus/test", StatusCode::NOT_FOUND),
        ("general/test?notification_type=bogus", StatusCode::BAD_REQUEST),
        ("event_log/test?notification_type=event_log", StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(engine.post(&format!("/system/webhooks/{path}"), &json!({})).await.0, status, "{path}");
    }
    for mood in [Mood::Refuses, Mood::Redirects, Mood::Hangs] {
        receiver.set("/general", mood);
        let began = Instant::now();
        let (status, value) = engine.post("/system/webhooks/general/test", &json!({})).await;
        assert_eq!(status, StatusCode::BAD_GATEWAY, "{mood:?}: {value}");
        assert!(!value.to_string().contains(&receiver.url), "an address may hold a secret: {value}");
        assert!(began.elapsed() < Duration::from_secs(20));
    }
    engine.close().await;

    settings.webhooks.private_addresses = false;
    let calls = receiver.told().len();
    for host in ["127.0.0.1", "localhost"] {
        let port = receiver.url.rsplit(':').next().unwrap();
        let webhook = Webhook::new(format!("http://{host}:{port}/private"));
        settings.webhooks.targets.insert(WebhookTarget::General, webhook);
        let engine = TestEngine::start(settings.clone(), false).await;
        let (status, value) = engine.post("/system/webhooks/general/test", &json!({})).await;
        assert_eq!(status, StatusCode::BAD_GATEWAY, "{host}");
        assert!(value["message"].as_str().unwrap().contains("private"), "{value}");
        engine.close().await;
    }
    assert_eq!(receiver.told().len(), calls);
}

#[tokio::test]
async fn the_result_of_each_scan_is_told_to_the_webhook_for_it() {
    let (folder, registry, receiver) = (tempfile::tempdir().unwrap(), registry(), Receiver::start().await);
    registry.push_image(&debian_image(VULNERABLE), "app:1").unwrap();
    write_database(&database_path(folder.path()));
    let mut settings = settings(folder.path(), Some(&registry));
    settings.intervals.notification_delivery = Duration::from_millis(50);
    let target = WebhookTarget::Kind(NotificationKind::ImageScan);
    settings.webhooks.targets.insert(target, Webhook::new(format!("{}/scan/<userId>", receiver.url)));
    let engine = TestEngine::start(settings, true).await.with_duties();
    activate(&engine, &crate::support::refuse_high("refuse")).await;
    let tag = registry.reference("app:1");
    engine.add_and_wait(&tag).await;
    receiver.wait(1, "the result", |_| true).await;
    // An image that is known already is scanned again when somebody insists.
    assert_eq!(engine.post("/images?force=true", &json!({"tag": tag})).await.0, StatusCode::OK);
    let told = receiver.wait(2, "the result of the second scan", |_| true).await;
    for told in &told {
        assert_eq!((told.path.as_str(), told.kind()), ("/scan/admin", "image_scan"));
        let payload = told.payload();
        assert_eq!(payload["subscription_key"], tag);
        assert_eq!(payload["curr_eval"]["final_action"], "stop", "{payload:#}");
        assert_eq!(payload["image_digest"], debian_image(VULNERABLE).digest().to_string());
    }
    engine.close().await;
}
