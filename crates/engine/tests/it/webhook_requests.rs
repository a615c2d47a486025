//! The calls that webhooks get, compared as requests and event by event with those of the engine whose clients we serve.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use engine::{EventLevel, NotificationKind, Webhook, WebhookTarget};
use reqwest::{Method, StatusCode, header};
use scanner::Secret;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::feeds::{fetching, serving};
use crate::notifications::assert_shape;
use crate::receiver::{Receiver, Told};
use crate::support::{FIXED, TestEngine, activate, answer, bundle, debian_image, registry};

const CASES: &str = include_str!("webhook_requests.json");
const LOGIN: (&str, &str) = ("hookuser", "hookpass");

/// What the case file holds.
#[derive(Deserialize)]
struct Cases {
    method: String,
    headers: BTreeMap<String, String>,
    /// What the two ends of a connection agree about; either may say something or nothing.
    headers_of_the_connection: BTreeSet<String>,
    /// By webhook: its address, and the path of each kind.
    paths: BTreeMap<String, BTreeMap<String, String>>,
    events: BTreeMap<String, EventCase>,
}

#[derive(Deserialize)]
struct EventCase {
    level: String,
    message: String,
    resource: String,
    service: Vec<String>,
    details: BTreeMap<String, String>,
}

fn cases() -> Cases {
    serde_json::from_str(CASES).unwrap()
}

/// Compares everything of a call but its body.
pub(crate) fn assert_request(told: &Told, webhook: &str, has_login: bool) {
    let cases = cases();
    assert_eq!(told.method, cases.method);
    // Only those of tests have no such key.
    let is_test = told.body.get("record_state_val").is_none();
    let kind = if is_test { "test" } else { told.kind() };
    assert_eq!(told.path, cases.paths[webhook][kind], "{kind}");
    for (name, expected) in &cases.headers {
        if name == header::AUTHORIZATION.as_str() && !has_login {
            continue;
        }
        let found =
            told.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>();
        let [found] = found.as_slice() else { panic_with(&format!("{kind}: `{name}` is {found:?}")) };
        let is_like = match expected.as_str() {
            "<address>" => found.parse::<std::net::SocketAddr>().is_ok(),
            "<number>" => found.parse::<usize>().is_ok(),
            "<text>" => !found.is_empty(),
            "<login>" => *found == testkit::exchanges::http::basic(LOGIN.0, LOGIN.1),
            exact => *found == exact,
        };
        assert!(is_like, "{kind}: `{name}` is `{found}`, recorded `{expected}`");
    }
    for name in told.headers.keys().map(header::HeaderName::as_str) {
        let is_known = cases.headers.contains_key(name) || cases.headers_of_the_connection.contains(name);
        assert!(is_known, "{kind}: the header `{name}` was never seen");
    }
}

#[expect(clippy::panic, reason = "a test that finds something else shows it")]
fn panic_with(text: &str) -> ! {
    panic!("{text}")
}

/// Compares an event with the recorded ones of its type. Ours may say more in their details.
fn assert_event(event: &Value, case: &EventCase) {
    for (found, expected) in [
        (&event["level"], &case.level),
        (&event["message"], &case.message),
        (&event["resource"]["type"], &case.resource),
    ] {
        assert_eq!(found, expected.as_str(), "{event:#}");
    }
    let service = event["source"]["servicename"].as_str().unwrap();
    assert!(case.service.iter().any(|known| known == service), "{event:#}");
    let mut found = BTreeMap::new();
    collect(&event["details"], "", &mut found);
    for (path, kind) in &case.details {
        // Lists may be empty, and whoever is the first has no one before him.
        let is_left_out = path.contains("[]") || path.starts_with("last_policy_bundle_id");
        let as_recorded = found.get(path).is_some_and(|found| found == kind);
        assert!(
            as_recorded || is_left_out,
            "`{path}` is {:?}, recorded `{kind}`: {event:#}",
            found.get(path)
        );
    }
}

fn collect(value: &Value, path: &str, found: &mut BTreeMap<String, &'static str>) {
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
        found.insert(path.to_owned(), kind);
    }
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                collect(value, &path, found);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, &format!("{path}[]"), found)),
        _ => {}
    }
}

/// Does what gives each recorded type of event.
async fn make_events(engine: &TestEngine, registry: &testkit::Registry) {
    registry.push_image(&debian_image(FIXED), "app:1").unwrap();
    let broken = debian_image("3.0.1-1");
    registry.push_image(&broken, "broken:1").unwrap();
    std::fs::write(registry.blob_file(&broken.layers()[0].digest), "broken").unwrap();
    activate(engine, &bundle("one", "always", "always", "WARN", json!([]))).await;
    activate(engine, &bundle("two", "always", "always", "WARN", json!([]))).await;
    activate(engine, &bundle("two", "always", "always", "STOP", json!([]))).await;
    engine.add_and_wait(&registry.reference("app:1")).await;
    engine.add_and_wait(&registry.reference("broken:1")).await;
    let (status, _) = engine.post("/images", &json!({"tag": registry.reference("nosuch:1")})).await;
    assert!(status.is_client_error());
    let unknown = format!("sha256:{}", "0".repeat(64));
    engine.post("/archives/images", &json!([unknown])).await;
    engine.post("/images", &json!({"source": {"archive": {"digest": unknown}}})).await;
    let (status, _) = answer(engine.request(Method::POST, "/v1/system/feeds")).await;
    assert_eq!(status, StatusCode::OK);
    for path in ["general/test", "policy_eval/test?notification_type=policy_eval"] {
        let (status, _) = answer(engine.request(Method::POST, &format!("/v1/system/webhooks/{path}"))).await;
        assert_eq!(status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn calls_and_events_are_as_recorded() {
    let (folder, registry, receiver) = (tempfile::tempdir().unwrap(), registry(), Receiver::start().await);
    let (cases, server) = (cases(), serving());
    let mut settings = fetching(folder.path(), Some(&registry), &server);
    settings.intervals.notification_delivery = Duration::from_millis(50);
    settings.webhooks.event_levels.extend([EventLevel::Info, EventLevel::Error]);
    settings.webhooks.login = Some((LOGIN.0.to_owned(), Secret::new(LOGIN.1)));
    let own = WebhookTarget::Kind(NotificationKind::PolicyEvaluation);
    for (target, name) in [(WebhookTarget::General, "general"), (own, "policy_eval")] {
        let url = format!("{}{}", receiver.url, cases.paths[name]["webhook"]);
        settings.webhooks.targets.insert(target, Webhook::new(url));
    }
    let engine = TestEngine::start(settings, true).await.with_duties();
    make_events(&engine, &registry).await;
    for (kind, case) in &cases.events {
        let is_it = |told: &Told| told.payload()["event"]["type"] == kind.as_str();
        for told in receiver.wait(1, kind, is_it).await {
            assert_shape(&told.body, "event_log");
            assert_event(&told.payload()["event"], case);
        }
    }
    receiver
        .wait(2, "two tests", |told| {
            told.path.ends_with("/admin") && told.body.get("record_state_val").is_none()
        })
        .await;
    for told in receiver.told() {
        let webhook = if told.path.starts_with("/general/") { "general" } else { "policy_eval" };
        assert_request(&told, webhook, true);
    }
    engine.close().await;
}
