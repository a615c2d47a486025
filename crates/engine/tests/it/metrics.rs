//! Numbers for monitoring change when what they count happens.

use std::time::Duration;

use reqwest::Method;
use testkit::Behaviour;

use crate::feeds::{OSV, TRACKER, fetching, osv, serving};
use crate::notifications::told_settings;
use crate::receiver::{Mood, Receiver};
use crate::support::{FIXED, TestEngine, debian_image, registry};

impl TestEngine {
    /// The value of a sample by its name with labels.
    async fn number(&self, name: &str) -> Option<f64> {
        let text = self.engine.metrics_text().await;
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
    }

    async fn wait_for_number(&self, name: &str, is_there: impl Fn(Option<f64>) -> bool) {
        let look = || async { is_there(self.number(name).await).then_some(()) };
        let found = testkit::wait_until_async(Duration::from_secs(30), name, look).await;
        if found.is_err() {
            assert_eq!(self.engine.metrics_text().await, name, "never came");
        }
    }
}

#[tokio::test]
async fn feeds_are_counted_by_outcome_and_have_an_age() {
    let folder = tempfile::tempdir().unwrap();
    let server = serving();
    let engine = TestEngine::start(fetching(folder.path(), None, &server), false).await;
    let sync = async || {
        engine.request(Method::POST, "/v1/system/feeds").send().await.unwrap().error_for_status().unwrap();
    };
    let updates = |source: &str, outcome: &str| {
        format!("lazaret_feed_updates_total{{source=\"{source}\",outcome=\"{outcome}\"}}")
    };
    let (debian, pypi) = ("{source=\"debian-tracker\"}", "{source=\"osv-pypi\"}");
    assert_eq!(engine.number(&updates("debian-tracker", "updated")).await, None);
    assert_eq!(engine.number(&format!("lazaret_feed_records{debian}")).await, Some(0.0));
    assert_eq!(engine.number("lazaret_vulnerability_database_loaded").await, Some(0.0));
    let unasked = engine.number(&format!("lazaret_feed_age_seconds{pypi}")).await.unwrap();

    sync().await;
    assert_eq!(engine.number(&updates("debian-tracker", "updated")).await, Some(1.0));
    assert_eq!(engine.number(&format!("lazaret_feed_records{debian}")).await, Some(3.0));
    assert_eq!(engine.number(&format!("lazaret_feed_records{pypi}")).await, Some(4.0));
    assert_eq!(engine.number("lazaret_vulnerability_database_loaded").await, Some(1.0));
    assert!(engine.number("lazaret_vulnerability_database_age_seconds").await.unwrap() < 60.0);
    assert!(unasked < 60.0);

    server.behave(TRACKER, Behaviour::Status(503, Vec::new()));
    server.put(OSV, osv(5));
    sync().await;
    sync().await;
    assert_eq!(engine.number(&updates("debian-tracker", "failed")).await, Some(2.0));
    assert_eq!(engine.number(&format!("lazaret_feed_consecutive_failures{debian}")).await, Some(2.0));
    assert_eq!(engine.number(&format!("lazaret_feed_consecutive_failures{pypi}")).await, Some(0.0));
    assert_eq!(engine.number(&updates("osv-pypi", "updated")).await, Some(2.0));
    assert_eq!(engine.number(&updates("osv-pypi", "unchanged")).await, Some(1.0));
    assert_eq!(engine.number(&format!("lazaret_feed_records{pypi}")).await, Some(5.0));
    let age = async |labels: &str| engine.number(&format!("lazaret_feed_age_seconds{labels}")).await;
    assert!(age(debian).await > age(pypi).await, "the one that fails grows old");

    // Who is switched off has no age to be woken for.
    let off = engine.request(Method::PUT, "/v1/system/feeds/debian-tracker?enabled=false");
    off.send().await.unwrap().error_for_status().unwrap();
    assert_eq!(age(debian).await, None);
    engine.close().await;
}

#[tokio::test]
async fn notifications_are_counted_by_outcome_and_those_that_wait_are_a_level() {
    let (folder, registry, receiver) = (tempfile::tempdir().unwrap(), registry(), Receiver::start().await);
    registry.push_image(&debian_image(FIXED), "app:1").unwrap();
    receiver.set("/general", Mood::Refuses);
    let mut settings = told_settings(folder.path(), &registry, &receiver);
    settings.webhooks.retry_window = Duration::from_secs(600);
    let engine = TestEngine::start(settings, true).await.with_duties();
    let waiting = "lazaret_waiting_notifications{webhook=\"general\"}";
    let age = "lazaret_oldest_waiting_notification_age_seconds{webhook=\"general\"}";
    let deliveries = |outcome: &str| {
        format!(
            "lazaret_notification_deliveries_total{{notification=\"analysis_update\",outcome=\"{outcome}\"}}"
        )
    };
    assert_eq!((engine.number(waiting).await, engine.number(age).await), (Some(0.0), Some(0.0)));
    engine.add_and_wait(&registry.reference("app:1")).await;
    engine.wait_for_number(waiting, |count| count == Some(2.0)).await;
    engine.wait_for_number(&deliveries("failed"), |count| count >= Some(2.0)).await;
    assert!(engine.number(age).await > Some(0.0));
    assert_eq!(engine.number(&deliveries("delivered")).await, None);

    receiver.set("/general", Mood::Takes);
    engine.wait_for_number(&deliveries("delivered"), |count| count == Some(2.0)).await;
    engine.wait_for_number(waiting, |count| count == Some(0.0)).await;
    engine.close().await;
}

#[tokio::test]
async fn what_is_given_up_is_counted_as_dropped() {
    let (folder, registry, receiver) = (tempfile::tempdir().unwrap(), registry(), Receiver::start().await);
    registry.push_image(&debian_image(FIXED), "app:1").unwrap();
    receiver.set("/general", Mood::Refuses);
    let mut settings = told_settings(folder.path(), &registry, &receiver);
    settings.webhooks.retry_window = Duration::ZERO;
    let engine = TestEngine::start(settings, true).await.with_duties();
    engine.add_and_wait(&registry.reference("app:1")).await;
    let dropped =
        "lazaret_notification_deliveries_total{notification=\"analysis_update\",outcome=\"dropped\"}";
    engine.wait_for_number(dropped, |count| count == Some(2.0)).await;
    assert_eq!(engine.number("lazaret_waiting_notifications{webhook=\"general\"}").await, Some(0.0));
    engine.close().await;
}
