//! Feeds that the engine fetches by itself, from a server that changes them, cuts them and goes away.

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use advisory_feeds::sources::{FeedFile, FeedSource, INTERVAL_DEFAULT};
use engine::EngineSettings;
use jiff::{SignedDuration, Timestamp};
use model::FeedKind;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::{Behaviour, FileServer, Registry};

use crate::support::{
    FIXED, TestEngine, VULNERABLE, activate, answer, bundle, clock, database_path, debian_image,
    debian_image_of, refuse_high, registry, settings, write_database,
};

pub(crate) const TRACKER: &str = "/debian/tracker.json";
pub(crate) const OSV: &str = "/osv/all.json";

/// The document of Debian's tracker with these packages, each with one vulnerability that this version fixes.
fn tracker(packages: &[(&str, &str)]) -> String {
    let entry = |(number, (package, fixed)): (usize, &(&str, &str))| {
        let release =
            json!({"status": "resolved", "fixed_version": fixed, "urgency": "high", "repositories": {}});
        let id = format!("CVE-2099-{number:04}");
        ((*package).to_owned(), json!({id: {"scope": "remote", "releases": {"bookworm": release}}}))
    };
    let document: serde_json::Map<String, Value> = packages.iter().enumerate().map(entry).collect();
    Value::Object(document).to_string()
}

pub(crate) fn osv(count: usize) -> String {
    let record = |number| {
        json!({
            "id": format!("PYSEC-2099-{number}"),
            "affected": [{"package": {"ecosystem": "PyPI", "name": format!("p{number}")}, "versions": ["1"]}],
        })
    };
    Value::Array((0..count).map(record).collect()).to_string()
}

fn source(name: &str, kind: FeedKind, url: String) -> FeedSource {
    FeedSource {
        name: name.to_owned(),
        kind,
        files: vec![FeedFile { name: "feed.json".to_owned(), url }],
        interval: INTERVAL_DEFAULT,
        is_enabled: true,
    }
}

pub(crate) fn fetching(folder: &Path, registry: Option<&Registry>, server: &FileServer) -> EngineSettings {
    let mut settings = settings(folder, registry);
    settings.feeds.sources = vec![
        source("debian-tracker", FeedKind::DebianTracker, server.url(TRACKER)),
        source("osv-pypi", FeedKind::Osv, server.url(OSV)),
    ];
    settings.feeds.fetch.retry.attempts_max = 2;
    settings.feeds.fetch.retry.wait_first = Duration::from_millis(5);
    settings.feeds.fetch.limits.idle = Duration::from_millis(500);
    settings.feeds.fetch.limits.answer = Duration::from_millis(500);
    settings.feeds.fetch.limits.bytes_max = 1 << 20;
    settings
}

pub(crate) fn serving() -> FileServer {
    let server = FileServer::start().unwrap();
    server.put(TRACKER, tracker(&[("openssl", FIXED), ("zlib", "2"), ("curl", "2")]));
    server.put(OSV, osv(4));
    server
}

impl TestEngine {
    async fn sync(&self, query: &str) -> Value {
        let (status, results) = answer(self.request(Method::POST, &format!("/v1/system/feeds{query}"))).await;
        assert_eq!(status, StatusCode::OK, "{results:#}");
        results
    }

    /// The feed of this name, as it is listed.
    async fn feed(&self, name: &str) -> Value {
        let (_, feeds) = self.get("/v1/system/feeds").await;
        feeds.as_array().unwrap().iter().find(|feed| feed["name"] == name).unwrap().clone()
    }

    async fn event_types(&self) -> Vec<String> {
        let (status, events) = self.get("/v1/events?limit=1000").await;
        assert_eq!(status, StatusCode::OK, "{events:#}");
        let kind = |event: &Value| event["event"]["type"].as_str().unwrap().to_owned();
        events["results"].as_array().unwrap().iter().map(kind).collect()
    }
}

fn groups(feed: &Value) -> Vec<(String, Option<u64>)> {
    let group = |group: &Value| (group["name"].as_str().unwrap().to_owned(), group["record_count"].as_u64());
    feed["groups"].as_array().unwrap().iter().map(group).collect()
}

#[tokio::test]
async fn the_first_sync_brings_data_and_the_second_asks_whether_there_is_more() {
    let folder = tempfile::tempdir().unwrap();
    let server = serving();
    let engine = TestEngine::start(fetching(folder.path(), None, &server), false).await;
    let nothing = engine.feed("vulnerabilities").await;
    assert_eq!((&nothing["last_full_sync"], &nothing["groups"]), (&Value::Null, &json!([])));
    assert!(nothing["state"].as_str().unwrap().starts_with("missing"), "{nothing:#}");
    assert_eq!(engine.feed("osv-pypi").await["last_full_sync"], Value::Null);

    let results = engine.sync("?flush=false&sync=true").await;
    assert_eq!((&results[0]["feed"], &results[0]["status"]), (&json!("vulnerabilities"), &json!("success")));
    assert_eq!(results.as_array().unwrap().len(), 3, "{results:#}");
    let all = engine.feed("vulnerabilities").await;
    assert_eq!(groups(&all), [("debian:12".to_owned(), Some(3)), ("pypi".to_owned(), Some(4))]);
    assert!(all["last_full_sync"].is_string());
    let tracker = engine.feed("debian-tracker").await;
    assert_eq!((&tracker["record_count"], &tracker["enabled"]), (&json!(3), &json!(true)));
    let types = engine.event_types().await;
    // Newest first. Sources are asked at the same time, so only the ends have their place.
    let count = |kind: &str| types.iter().filter(|it| **it == format!("system.feeds.sync.{kind}")).count();
    for (kind, expected) in [("started", 1), ("completed", 1), ("feed_started", 2), ("feed_completed", 2)] {
        assert_eq!(count(kind), expected, "{kind}: {types:?}");
    }
    assert_eq!((count("group_started"), count("group_completed")), (2, 2), "{types:?}");
    assert_eq!(
        (&*types[0], types.last().map(|kind| &**kind)),
        ("system.feeds.sync.completed", Some("system.feeds.sync.started"))
    );

    server.take_requests();
    let written = std::fs::metadata(folder.path().join("vulnerabilities.db")).unwrap().modified().unwrap();
    let results = engine.sync("").await;
    assert_eq!(results[0]["groups"][0]["updated_record_count"], 0, "{results:#}");
    assert!(server.take_requests().iter().all(|request| request.headers.contains_key("if-none-match")));
    let now = std::fs::metadata(folder.path().join("vulnerabilities.db")).unwrap().modified().unwrap();
    assert_eq!(written, now, "nothing new builds nothing");
    engine.close().await;
}

#[tokio::test]
async fn whatever_goes_wrong_leaves_the_old_data_in_force_and_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let server = serving();
    let engine = TestEngine::start(fetching(folder.path(), None, &server), false).await;
    engine.sync("").await;
    let before = engine.feed("vulnerabilities").await;
    let one = tracker(&[("openssl", FIXED)]);
    let status = |code| Behaviour::Status(code, Vec::new());
    let cases: Vec<(Option<&str>, Behaviour, &str)> = vec![
        (Some(&one), Behaviour::Honest, "it has shrunk from 3 records to 1"),
        (Some("{}"), Behaviour::Honest, "no record is in it"),
        (Some(r#"{"openssl": 1, "zlib": 2}"#), Behaviour::Honest, "debian-tracker"),
        (Some("<html></html>"), Behaviour::Honest, "it is a web page"),
        (None, Behaviour::CutAfter(40), "was cut off after 40 bytes"),
        (None, Behaviour::Announce(40), "was cut off after 40 bytes"),
        (None, Behaviour::Announce(4000), "was cut off"),
        (None, Behaviour::Silent, "did not answer within"),
        (None, status(403), "answers 403"),
        (None, status(503), "answers 503"),
        (None, Behaviour::Status(429, vec![("Retry-After", "7200".to_owned())]), "asks to wait 7200 s"),
    ];
    for (content, behaviour, expected) in cases {
        let text =
            content.map_or_else(|| tracker(&[("openssl", "9"), ("zlib", "9"), ("curl", "9")]), str::to_owned);
        server.put(TRACKER, text);
        server.behave(TRACKER, behaviour);
        let results = engine.sync("").await;
        assert_eq!(results[0]["status"], "failure", "{expected}: {results:#}");
        let feed = engine.feed("debian-tracker").await;
        assert!(feed["problem"].as_str().unwrap().contains(expected), "{expected}: {feed:#}");
        assert!(feed["failures"].as_u64().unwrap() > 0);
        let all = engine.feed("vulnerabilities").await;
        assert_eq!(groups(&all), groups(&before), "{expected}");
        assert_eq!(all["state"], before["state"], "{expected}");
        assert_eq!(engine.feed("osv-pypi").await["problem"], Value::Null, "others go on");
    }
    let types = engine.event_types().await;
    assert_eq!(types.iter().filter(|kind| *kind == "system.feeds.sync.feed_failed").count(), 11);

    // What is right is accepted by hand, and everything is well again.
    server.put(TRACKER, one);
    server.behave(TRACKER, Behaviour::Honest);
    let results = engine.sync("?force=true").await;
    assert_eq!(results[0]["status"], "success", "{results:#}");
    assert_eq!(groups(&engine.feed("vulnerabilities").await)[0], ("debian:12".to_owned(), Some(1)));
    assert_eq!(engine.feed("debian-tracker").await["failures"], 0);
    engine.close().await;
}

#[tokio::test]
async fn only_images_with_a_changed_package_are_judged_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = serving();
    server.put(TRACKER, tracker(&[("openssl", "1"), ("zlib", "2"), ("curl", "2")]));
    let registry = registry();
    let engine = TestEngine::start(fetching(folder.path(), Some(&registry), &server), true).await;
    activate(&engine, &refuse_high("strict")).await;
    engine.sync("").await;
    registry.push_image(&debian_image(VULNERABLE), "affected:1").unwrap();
    registry.push_image(&debian_image_of("bash", "bash", "5"), "other:1").unwrap();
    let (with_openssl, without) = (registry.reference("affected:1"), registry.reference("other:1"));
    let affected = engine.add_and_wait(&with_openssl).await;
    let other = engine.add_and_wait(&without).await;
    let digest = affected["imageDigest"].as_str().unwrap();
    let (_, verdict) = engine.check(digest, &with_openssl).await;
    assert!(verdict.to_string().contains("\"status\":\"pass\""), "{verdict:#}");
    let wanted = format!("/v1/subscriptions?subscription_key={with_openssl}&subscription_type=vuln_update");
    let (_, subscriptions) = engine.get(&wanted).await;
    let subscription = format!("/v1/subscriptions/{}", subscriptions[0]["subscription_id"].as_str().unwrap());
    let (status, changed) = engine.send(Method::PUT, &subscription, &json!({"active": true})).await;
    assert_eq!(status, StatusCode::OK, "{changed:#}");

    server.put(TRACKER, tracker(&[("openssl", FIXED), ("zlib", "2"), ("curl", "2")]));
    let results = engine.sync("").await;
    let judgement = &results[0]["judgement"];
    assert_eq!(
        (&judgement["images"], &judgement["images_looked_at"], &judgement["images_changed"]),
        (&json!(2), &json!(1), &json!(1)),
        "{results:#}"
    );
    let (_, verdict) = engine.check(digest, &with_openssl).await;
    assert!(verdict.to_string().contains("\"status\":\"fail\""), "{verdict:#}");
    let types = engine.event_types().await;
    for kind in ["vulnerabilities", "policy_evaluation"] {
        assert_eq!(
            types.iter().filter(|it| **it == format!("user.checks.tag.{kind}.update")).count(),
            1,
            "{types:?}"
        );
    }

    // A package that no image has.
    server.put(TRACKER, tracker(&[("openssl", FIXED), ("zlib", "3"), ("curl", "2")]));
    let results = engine.sync("").await;
    assert_eq!(results[0]["judgement"]["images_looked_at"], 0, "{results:#}");
    let (_, other) =
        engine.get(&format!("/v1/images/{}/vuln/all", other["imageDigest"].as_str().unwrap())).await;
    assert_eq!(other["vulnerabilities"], json!([]));
    engine.close().await;
}

#[tokio::test]
async fn feeds_and_groups_are_switched_and_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let server = serving();
    let engine = TestEngine::start(fetching(folder.path(), None, &server), false).await;
    engine.sync("").await;
    let request =
        |method: &Method, path: &str| engine.request(method.clone(), &format!("/v1/system/feeds{path}"));
    let put = Method::PUT;
    let delete = Method::DELETE;
    for (method, path, expected) in [
        (&put, "/nosuch?enabled=false", 404),
        (&put, "/nosuch/x?enabled=false", 404),
        (&put, "/vulnerabilities/nosuch?enabled=false", 404),
        (&put, "/vulnerabilities", 400),
        (&put, "/vulnerabilities?enabled=perhaps", 400),
        (&delete, "/nosuch", 404),
        (&delete, "/vulnerabilities/nosuch", 404),
        (&delete, "/vulnerabilities", 409),
        (&delete, "/osv-pypi", 409),
        (&delete, "/vulnerabilities/debian:12", 409),
    ] {
        let (status, body) = answer(request(method, path)).await;
        assert_eq!(status.as_u16(), expected, "{method} {path}: {body:#}");
    }
    let (status, group) = answer(request(&put, "/vulnerabilities/debian%3A12?enabled=false")).await;
    assert_eq!(
        (status, &group["name"], &group["enabled"]),
        (StatusCode::OK, &json!("debian:12"), &json!(false))
    );
    let (status, feed) = answer(request(&put, "/osv-pypi?enabled=False")).await;
    assert_eq!((status, &feed["enabled"]), (StatusCode::OK, &json!(false)));
    server.take_requests();
    engine.sync("").await;
    assert!(server.take_requests().iter().all(|request| request.path == TRACKER));
    let all = engine.feed("vulnerabilities").await;
    assert_eq!(groups(&all), [("debian:12".to_owned(), None)], "{all:#}");

    let (status, feed) = answer(request(&delete, "/osv-pypi")).await;
    assert_eq!(
        (status, &feed["groups"], &feed["last_full_sync"]),
        (StatusCode::OK, &json!([]), &Value::Null)
    );
    assert_eq!(answer(request(&delete, "/osv-pypi")).await.0, StatusCode::OK, "again");
    answer(request(&put, "/vulnerabilities/debian:12?enabled=true")).await;
    answer(request(&put, "/osv-pypi?enabled=true")).await;
    engine.sync("").await;
    let all = engine.feed("vulnerabilities").await;
    assert_eq!(groups(&all), [("debian:12".to_owned(), Some(3)), ("pypi".to_owned(), Some(4))]);
    engine.close().await;
}

#[tokio::test]
async fn one_sync_runs_at_a_time_and_is_found_whole_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = serving();
    let engine = TestEngine::start(fetching(folder.path(), None, &server), false).await;
    server.behave_next(TRACKER, [Behaviour::Trickle(40, Duration::from_millis(150))]);
    let first = engine.request(Method::POST, "/v1/system/feeds").send();
    let second = async {
        let seen = || async { (!server.take_requests().is_empty()).then_some(()) };
        testkit::wait_until_async(Duration::from_secs(10), "the first sync asks", seen).await.unwrap();
        answer(engine.request(Method::POST, "/v1/system/feeds")).await
    };
    let (first, (status, body)) = tokio::join!(first, second);
    assert_eq!(first.unwrap().status(), StatusCode::OK);
    assert_eq!(status, StatusCode::CONFLICT, "{body:#}");
    assert_eq!(body["detail"]["error_codes"], json!(["FEED_SYNC_ALREADY_IN_PROGRESS"]));
    engine.close().await;

    server.stop();
    let engine = TestEngine::start(fetching(folder.path(), None, &server), false).await;
    assert_eq!(groups(&engine.feed("vulnerabilities").await).len(), 2);
    let results = engine.sync("").await;
    assert_eq!(results[0]["status"], "failure");
    let feed = engine.feed("osv-pypi").await;
    assert!(feed["problem"].as_str().unwrap().contains("cannot be reached"), "{feed:#}");
    assert!(feed["last_full_sync"].is_string(), "{feed:#}");
    assert_eq!(groups(&engine.feed("vulnerabilities").await).len(), 2);
    engine.close().await;
}

static FORWARD: AtomicI64 = AtomicI64::new(0);

/// The clock of the other tests, moved on by hand.
fn moved_clock() -> Timestamp {
    clock() + SignedDuration::from_hours(FORWARD.load(Ordering::SeqCst))
}

#[tokio::test]
async fn data_ages_while_its_own_source_fails_whatever_else_is_rebuilt() {
    let folder = tempfile::tempdir().unwrap();
    let server = serving();
    let registry = registry();
    let mut settings = fetching(folder.path(), Some(&registry), &server);
    settings.clock = moved_clock;
    let engine = TestEngine::start(settings, true).await;
    let params = json!([{"name": "max_days_since_sync", "value": "2"}]);
    activate(&engine, &bundle("fresh", "vulnerabilities", "stale_feed_data", "STOP", params)).await;
    registry.push_image(&debian_image(FIXED), "app:1").unwrap();
    let tag = registry.reference("app:1");
    engine.sync("").await;
    let image = engine.add_and_wait(&tag).await;
    let digest = image["imageDigest"].as_str().unwrap();
    let verdict = async || {
        let (_, verdict) = engine.check(digest, &tag).await;
        verdict[0][digest][&tag][0]["status"].as_str().unwrap().to_owned()
    };
    assert_eq!(verdict().await, "pass");

    FORWARD.store(72, Ordering::SeqCst);
    server.behave(TRACKER, Behaviour::Status(503, Vec::new()));
    server.put(OSV, osv(5));
    engine.sync("").await;
    assert_eq!(groups(&engine.feed("vulnerabilities").await)[1], ("pypi".to_owned(), Some(5)));
    assert_eq!(verdict().await, "fail");

    // "Nothing is new" makes it fresh again, without another database.
    FORWARD.store(73, Ordering::SeqCst);
    server.behave(TRACKER, Behaviour::Honest);
    let state = engine.feed("vulnerabilities").await["state"].clone();
    engine.sync("").await;
    assert_eq!(verdict().await, "pass");
    assert_eq!(engine.feed("vulnerabilities").await["state"], state);
    engine.close().await;
}

#[tokio::test]
async fn an_imported_database_is_judged_with_as_a_fetched_one_is() {
    let folder = tempfile::tempdir().unwrap();
    let registry = registry();
    let mut settings = settings(folder.path(), Some(&registry));
    settings.intervals.judge_again = Duration::from_millis(50);
    let engine = TestEngine::start(settings, true).await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let duties = tokio::spawn(engine.engine.clone().run_duties(async { drop(stopped.await) }));
    activate(&engine, &refuse_high("strict")).await;
    registry.push_image(&debian_image(VULNERABLE), "app:1").unwrap();
    let tag = registry.reference("app:1");
    let image = engine.add_and_wait(&tag).await;
    let path = database_path(folder.path());
    let built = tempfile::tempdir().unwrap();
    let looked_at =
        async || engine.feed("vulnerabilities").await["last_judgement"]["images_looked_at"].as_u64();
    let wait = async |wanted: u64, what: &str| {
        let attempt = || async { (looked_at().await == Some(wanted)).then_some(()) };
        testkit::wait_until_async(Duration::from_secs(20), what, attempt).await.unwrap();
    };

    write_database(&built.path().join("first.db"));
    vulnerability_db::install(&built.path().join("first.db"), &path).unwrap();
    wait(1, "the first data is judged with").await;
    let (_, verdict) = engine.check(image["imageDigest"].as_str().unwrap(), &tag).await;
    assert!(verdict.to_string().contains("\"status\":\"fail\""), "{verdict:#}");

    // The same and something about a package that no image has.
    let parsed: Value = serde_json::from_str(&tracker(&[("a", "1"), ("b", "1"), ("zlib", "2")])).unwrap();
    std::fs::write(built.path().join("tracker.json"), parsed.to_string()).unwrap();
    let feed = built.path().join("tracker.json");
    let parsed = advisory_feeds::read_feed(FeedKind::DebianTracker, &feed, &Default::default()).unwrap();
    let mut advisories =
        vulnerability_db::Database::open(&path).unwrap().find_advisory("CVE-2099-0001").unwrap();
    advisories.extend(parsed.advisories.into_iter().filter(|one| one.affected[0].package == "zlib"));
    let source = vulnerability_db::DatabaseSource {
        kind: FeedKind::DebianTracker,
        name: "tracker.json".to_owned(),
        advisories,
        diagnostics_count: 0,
        synced_at: clock(),
    };
    let second = vulnerability_db::build(vec![source], clock()).unwrap();
    vulnerability_db::write(&second, &path).unwrap();
    wait(0, "the second data is judged with").await;
    drop(stop);
    duties.await.unwrap();
    engine.close().await;
}
