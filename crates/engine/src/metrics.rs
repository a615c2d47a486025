//! What is counted and measured, in the form that Prometheus reads.
//!
//! One [`Metrics`] value belongs to one engine; there is no global. Counters grow where things happen; levels (queues, ages,
//! images) are read from the tables when somebody asks.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::storage_error::chain;
use crate::{DatabaseState, Engine};

/// Methods that are told apart; a client may invent any number of others.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

type Level = Gauge<f64, AtomicU64>;

/// The numbers of one engine. Clones share them.
#[derive(Clone)]
pub struct Metrics(Arc<Families>);

struct Families {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    request_time: Family<RouteLabels, Histogram>,
    analyses: Family<OutcomeLabels, Counter>,
    analysis_time: Histogram,
    duties: Family<DutyLabels, Counter>,
    verdicts: Family<LookupLabels, Counter>,
    feed_updates: Family<FeedLabels, Counter>,
    deliveries: Family<DeliveryLabels, Counter>,
    levels: Levels,
}

/// What is read from the tables when somebody asks.
#[derive(Default)]
struct Levels {
    storage_up: Gauge,
    jobs: Family<JobLabels, Gauge>,
    oldest_job: Family<KindLabels, Level>,
    images: Family<StatusLabels, Gauge>,
    events: Family<LevelLabels, Gauge>,
    database_loaded: Gauge,
    database_age: Level,
    source_age: Family<SourceLabels, Level>,
    source_records: Family<SourceLabels, Gauge>,
}

macro_rules! labels {
    ($($(#[$doc:meta])* $name:ident { $($field:ident),+ })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
        struct $name { $($field: String),+ }
    )+};
}

labels! {
    RequestLabels { route, method, status }
    RouteLabels { route, method }
    OutcomeLabels { outcome }
    DutyLabels { duty, outcome }
    LookupLabels { result }
    FeedLabels { source, outcome }
    DeliveryLabels { notification, outcome }
    JobLabels { kind, state }
    KindLabels { kind }
    StatusLabels { status }
    LevelLabels { level }
    SourceLabels { source }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Metrics")
    }
}

impl Metrics {
    /// Everything at zero.
    pub fn new() -> Self {
        let mut families = Families {
            registry: Registry::with_prefix("lazaret"),
            requests: Family::default(),
            request_time: Family::new_with_constructor(|| Histogram::new(REQUEST_BUCKETS)),
            analyses: Family::default(),
            analysis_time: Histogram::new(ANALYSIS_BUCKETS),
            duties: Family::default(),
            verdicts: Family::default(),
            feed_updates: Family::default(),
            deliveries: Family::default(),
            levels: Levels::default(),
        };
        families.register();
        families.levels.register(&mut families.registry);
        Self(Arc::new(families))
    }

    /// A request was answered. `route` is the pattern that matched, never the path itself.
    pub(crate) fn request(&self, route: &str, method: &str, status: u16, took: Duration) {
        let method = METHODS.into_iter().find(|known| *known == method).unwrap_or("other").to_owned();
        let route = route.to_owned();
        let labels =
            RequestLabels { route: route.clone(), method: method.clone(), status: status.to_string() };
        self.0.requests.get_or_create(&labels).inc();
        self.0.request_time.get_or_create(&RouteLabels { route, method }).observe(took.as_secs_f64());
    }

    /// An attempt at an image ended: `completed`, `failed`, `retried`, `returned` or `lost`.
    pub(crate) fn analysis(&self, outcome: &'static str, took: Duration) {
        self.0.analyses.get_or_create(&OutcomeLabels { outcome: outcome.to_owned() }).inc();
        self.0.analysis_time.observe(took.as_secs_f64());
    }

    /// A turn of a duty ended.
    pub(crate) fn duty(&self, duty: &'static str, is_good: bool) {
        let outcome = if is_good { "completed" } else { "failed" }.to_owned();
        self.0.duties.get_or_create(&DutyLabels { duty: duty.to_owned(), outcome }).inc();
    }

    /// A verdict was asked for; `is_hit`: it was at hand.
    pub(crate) fn verdict(&self, is_hit: bool) {
        let result = if is_hit { "hit" } else { "miss" }.to_owned();
        self.0.verdicts.get_or_create(&LookupLabels { result }).inc();
    }

    /// A feed was asked for: `updated`, `unchanged` or `failed`.
    pub fn feed_update(&self, source: &str, outcome: &'static str) {
        let labels = FeedLabels { source: source.to_owned(), outcome: outcome.to_owned() };
        self.0.feed_updates.get_or_create(&labels).inc();
    }

    /// A notification was sent, or not: `delivered`, `failed` or `dropped`.
    pub fn delivery(&self, notification: &str, outcome: &'static str) {
        let labels = DeliveryLabels { notification: notification.to_owned(), outcome: outcome.to_owned() };
        self.0.deliveries.get_or_create(&labels).inc();
    }

    /// Everything as text, without the end mark: a program adds its own numbers.
    pub fn render(&self) -> String {
        let mut text = String::with_capacity(16 << 10);
        prometheus_client::encoding::text::encode_registry(&mut text, &self.0.registry)
            .expect("writing to a String cannot fail");
        text
    }
}

/// In seconds; a question about a stored image takes milliseconds, adding one asks a registry.
const REQUEST_BUCKETS: [f64; 11] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
/// In seconds, to the longest attempt.
const ANALYSIS_BUCKETS: [f64; 10] = [0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 180.0, 600.0, 1800.0];

impl Families {
    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "http_requests",
            "Requests to the engine API by route, method and status",
            self.requests.clone(),
        );
        registry.register_with_unit(
            "http_request_duration",
            "Time from the head of a request to the head of its answer",
            Unit::Seconds,
            self.request_time.clone(),
        );
        registry.register("analyses", "Attempts at images by outcome", self.analyses.clone());
        registry.register_with_unit(
            "analysis_duration",
            "Time of one attempt at an image",
            Unit::Seconds,
            self.analysis_time.clone(),
        );
        registry.register("duty_turns", "Turns of what comes back, by duty and outcome", self.duties.clone());
        registry.register(
            "verdict_lookups",
            "Verdicts asked for, by whether one was at hand",
            self.verdicts.clone(),
        );
        registry.register(
            "feed_updates",
            "Questions to feeds by source and outcome",
            self.feed_updates.clone(),
        );
        registry.register(
            "notification_deliveries",
            "Attempts to deliver notifications by type and outcome",
            self.deliveries.clone(),
        );
    }
}

impl Levels {
    fn register(&self, registry: &mut Registry) {
        registry.register("storage_up", "Whether the tables could be read just now", self.storage_up.clone());
        registry.register("jobs", "Durable work by kind and state", self.jobs.clone());
        registry.register_with_unit(
            "oldest_due_job_age",
            "How long the work that has waited longest has been due, by kind",
            Unit::Seconds,
            self.oldest_job.clone(),
        );
        registry.register("images", "Images of all accounts by analysis status", self.images.clone());
        registry.register("events", "Stored events by level", self.events.clone());
        registry.register(
            "vulnerability_database_loaded",
            "Whether there is vulnerability data in use",
            self.database_loaded.clone(),
        );
        registry.register_with_unit(
            "vulnerability_database_age",
            "Time since the vulnerability data in use was built",
            Unit::Seconds,
            self.database_age.clone(),
        );
        registry.register_with_unit(
            "vulnerability_source_age",
            "Time since a source of the vulnerability data was fetched",
            Unit::Seconds,
            self.source_age.clone(),
        );
        registry.register(
            "vulnerability_source_records",
            "Records of a source of the vulnerability data",
            self.source_records.clone(),
        );
    }

    fn set_database(&self, state: &DatabaseState, now: Timestamp) {
        self.source_age.clear();
        self.source_records.clear();
        let DatabaseState::Loaded { identity, status, .. } = state else {
            self.database_loaded.set(0);
            self.database_age.set(0.0);
            return;
        };
        self.database_loaded.set(1);
        self.database_age.set(seconds_between(identity.built_at, now));
        for source in &status.sources {
            let labels = SourceLabels { source: source.name.clone() };
            self.source_age.get_or_create(&labels).set(seconds_between(source.synced_at, now));
            let records = i64::try_from(source.records).unwrap_or(i64::MAX);
            self.source_records.get_or_create(&labels).set(records);
        }
    }
}

impl Engine {
    /// The numbers as they are now, as text without the end mark. Tables that cannot be read are a number too.
    pub async fn metrics_text(&self) -> String {
        let metrics = &self.settings.metrics;
        let levels = &metrics.0.levels;
        levels.set_database(&self.vulnerability_data().await.state, self.now());
        let is_up = match self.read_levels(levels).await {
            Ok(()) => 1,
            Err(error) => {
                tracing::warn!(error = chain(&error), "cannot read the tables for monitoring");
                0
            }
        };
        levels.storage_up.set(is_up);
        metrics.render()
    }

    async fn read_levels(&self, levels: &Levels) -> Result<(), sqlx::Error> {
        let now = self.now();
        let jobs: Vec<(String, String, i64, i64)> = storage::query(
            "SELECT kind, state, count(*), min(run_at_us) FROM jobs GROUP BY kind, state ORDER BY kind, state",
        )
        .fetch_all_as(&self.storage)
        .await?;
        let images: Vec<(String, i64)> =
            storage::query("SELECT analysis_status, count(*) FROM images GROUP BY analysis_status")
                .fetch_all_as(&self.storage)
                .await?;
        let events: Vec<(String, i64)> = storage::query("SELECT level, count(*) FROM events GROUP BY level")
            .fetch_all_as(&self.storage)
            .await?;
        levels.jobs.clear();
        levels.oldest_job.clear();
        let analysis = crate::analysis::JOB_KIND.to_owned();
        levels.oldest_job.get_or_create(&KindLabels { kind: analysis.clone() }).set(0.0);
        for state in ["queued", "running", "failed"] {
            levels.jobs.get_or_create(&JobLabels { kind: analysis.clone(), state: state.to_owned() }).set(0);
        }
        for (kind, state, count, oldest) in jobs {
            if state == "queued" {
                let age = seconds_between(storage::from_micros(oldest), now);
                levels.oldest_job.get_or_create(&KindLabels { kind: kind.clone() }).set(age);
            }
            levels.jobs.get_or_create(&JobLabels { kind, state }).set(count);
        }
        levels.images.clear();
        for (status, count) in images {
            levels.images.get_or_create(&StatusLabels { status }).set(count);
        }
        levels.events.clear();
        for (level, count) in events {
            levels.events.get_or_create(&LevelLabels { level }).set(count);
        }
        Ok(())
    }
}

/// Never negative: two clocks may differ.
fn seconds_between(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64().max(0.0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn everything() -> String {
        let metrics = Metrics::new();
        metrics.request("/images/{digest}", "GET", 200, Duration::from_millis(3));
        metrics.request("/images/{digest}", "BREW", 405, Duration::from_millis(3));
        metrics.analysis("completed", Duration::from_secs(3));
        metrics.duty("event_expiry", true);
        metrics.verdict(true);
        metrics.feed_update("debian", "updated");
        metrics.delivery("tag_update", "failed");
        let levels = &metrics.0.levels;
        levels.jobs.get_or_create(&JobLabels { kind: "k".into(), state: "queued".into() }).set(1);
        levels.oldest_job.get_or_create(&KindLabels { kind: "k".into() }).set(1.5);
        levels.images.get_or_create(&StatusLabels { status: "analyzed".into() }).set(1);
        levels.events.get_or_create(&LevelLabels { level: "info".into() }).set(1);
        levels.source_age.get_or_create(&SourceLabels { source: "a\"b\n".into() }).set(1.0);
        levels.source_records.get_or_create(&SourceLabels { source: "s".into() }).set(1);
        metrics.render()
    }

    #[test]
    fn requests_are_told_apart_by_route_and_known_method_only() {
        let text = everything();
        for line in [
            "lazaret_http_requests_total{route=\"/images/{digest}\",method=\"GET\",status=\"200\"} 1",
            "lazaret_http_requests_total{route=\"/images/{digest}\",method=\"other\",status=\"405\"} 1",
            "lazaret_verdict_lookups_total{result=\"hit\"} 1",
            "lazaret_vulnerability_source_age_seconds{source=\"a\\\"b\\n\"} 1.0",
        ] {
            assert!(text.contains(line), "`{line}` is missing in:\n{text}");
        }
    }

    /// The rules of `promtool check metrics`, as far as names, help and units go.
    #[test]
    fn names_help_and_units_follow_the_conventions() {
        let text = everything();
        let comments = |what: &str| -> BTreeMap<String, String> {
            let prefix = format!("# {what} ");
            let lines = text.lines().filter_map(|line| line.strip_prefix(&prefix)?.split_once(' '));
            lines.map(|(name, rest)| (name.to_owned(), rest.to_owned())).collect()
        };
        let (types, help, units) = (comments("TYPE"), comments("HELP"), comments("UNIT"));
        assert!(types.len() > 15, "{text}");
        for (name, kind) in &types {
            let about = help.get(name).unwrap_or_else(|| panic!("`{name}` has no help"));
            assert!(about.len() > 10, "{name}");
            let words: Vec<&str> = name.split('_').collect();
            let is_plain = |word: &&str| {
                !word.is_empty()
                    && word.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit())
            };
            assert!(words.iter().all(is_plain), "`{name}` is not lower case with single underlines");
            assert_eq!(words.first(), Some(&"lazaret"), "{name}");
            for word in &words {
                let banned = [
                    "counter",
                    "gauge",
                    "histogram",
                    "summary",
                    "metric",
                    "ms",
                    "sec",
                    "s",
                    "milliseconds",
                    "minutes",
                    "hours",
                    "days",
                    "kb",
                    "mb",
                    "kilobytes",
                    "megabytes",
                    "percent",
                ];
                assert!(!banned.contains(word), "`{word}` in `{name}`");
            }
            for suffix in ["_total", "_count", "_sum", "_bucket", "_created", "_info"] {
                assert!(!name.ends_with(suffix), "the family `{name}` ends in `{suffix}`");
            }
            if let Some(unit) = units.get(name) {
                assert!(
                    name.ends_with(&format!("_{unit}")) && ["seconds", "bytes"].contains(&unit.as_str()),
                    "{name}"
                );
            } else {
                assert!(
                    !name.ends_with("_seconds") && !name.ends_with("_bytes"),
                    "`{name}` says a unit it has not"
                );
            }
            let samples =
                text.lines().filter(|line| !line.starts_with('#') && line.starts_with(name.as_str()));
            let names: Vec<&str> = samples.filter_map(|line| line.split(['{', ' ']).next()).collect();
            let suffixes: &[&str] = match kind.as_str() {
                "counter" => &["_total"],
                "histogram" => &["_bucket", "_sum", "_count"],
                "gauge" => &[""],
                other => panic!("`{name}` is a {other}"),
            };
            let is_of_family =
                |sample: &&&str| suffixes.iter().any(|suffix| **sample == format!("{name}{suffix}"));
            assert!(names.iter().filter(is_of_family).count() > 0, "`{name}` has no samples:\n{text}");
        }
    }

    #[test]
    fn two_clocks_that_differ_make_no_negative_age() {
        let early: Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
        let late: Timestamp = "2026-11-22T00:01:00Z".parse().unwrap();
        assert_eq!((seconds_between(early, late), seconds_between(late, early)), (60.0, 0.0));
    }
}
