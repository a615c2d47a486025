//! What is counted and measured, in the form that Prometheus reads.
//!
//! One [`Metrics`] value belongs to one engine; there is no global. Counters grow where things happen; levels (queues, ages,
//! images) are read from the tables when somebody asks.

mod levels;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use self::levels::Levels;

/// Methods that are told apart; a client may invent any number of others.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

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
    WebhookLabels { webhook }
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
    pub(crate) fn feed_update(&self, source: &str, outcome: &'static str) {
        let labels = FeedLabels { source: source.to_owned(), outcome: outcome.to_owned() };
        self.0.feed_updates.get_or_create(&labels).inc();
    }

    /// A notification was sent, or not: `delivered`, `failed` (it is tried again) or `dropped`.
    pub(crate) fn delivery(&self, notification: &str, outcome: &'static str) {
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

#[cfg(test)]
mod tests;
