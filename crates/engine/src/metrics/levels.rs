//! Levels: what is read from the tables when somebody asks.

use std::sync::atomic::AtomicU64;

use jiff::Timestamp;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use storage::from_micros;

use super::{JobLabels, KindLabels, LevelLabels, SourceLabels, StatusLabels, WebhookLabels};
use crate::storage_error::chain;
use crate::{DatabaseState, Engine};

/// Name, what was said about it, last success, when it was first known, records, failures.
type FeedRow = (String, Option<i64>, Option<i64>, i64, Option<i64>, i64);
type Level = Gauge<f64, AtomicU64>;

/// What is read from the tables when somebody asks.
#[derive(Default)]
pub(super) struct Levels {
    storage_up: Gauge,
    pub(super) jobs: Family<JobLabels, Gauge>,
    pub(super) oldest_job: Family<KindLabels, Level>,
    pub(super) images: Family<StatusLabels, Gauge>,
    pub(super) events: Family<LevelLabels, Gauge>,
    pub(super) waiting_notifications: Family<WebhookLabels, Gauge>,
    pub(super) oldest_notification: Family<WebhookLabels, Level>,
    pub(super) feed_age: Family<SourceLabels, Level>,
    pub(super) feed_records: Family<SourceLabels, Gauge>,
    pub(super) feed_failures: Family<SourceLabels, Gauge>,
    database_loaded: Gauge,
    database_age: Level,
    pub(super) source_age: Family<SourceLabels, Level>,
    pub(super) source_records: Family<SourceLabels, Gauge>,
}

impl Levels {
    pub(super) fn register(&self, registry: &mut Registry) {
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
            "waiting_notifications",
            "Notifications that a webhook has not taken yet, by webhook",
            self.waiting_notifications.clone(),
        );
        registry.register_with_unit(
            "oldest_waiting_notification_age",
            "Time since the notification that has waited longest was made, by webhook",
            Unit::Seconds,
            self.oldest_notification.clone(),
        );
        self.register_data(registry);
    }

    fn register_data(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "feed_age",
            "Time since a feed last answered well, or since it has been known if it never did",
            Unit::Seconds,
            self.feed_age.clone(),
        );
        registry.register(
            "feed_records",
            "Records in the accepted files of a feed",
            self.feed_records.clone(),
        );
        registry.register(
            "feed_consecutive_failures",
            "Failed attempts at a feed since it last answered well",
            self.feed_failures.clone(),
        );
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
        self.read_jobs(levels).await?;
        self.read_notifications(levels).await?;
        self.read_feeds(levels).await?;
        let images: Vec<(String, i64)> =
            storage::query("SELECT analysis_status, count(*) FROM images GROUP BY analysis_status")
                .fetch_all_as(&self.storage)
                .await?;
        let events: Vec<(String, i64)> = storage::query("SELECT level, count(*) FROM events GROUP BY level")
            .fetch_all_as(&self.storage)
            .await?;
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

    async fn read_jobs(&self, levels: &Levels) -> Result<(), sqlx::Error> {
        let now = self.now();
        let jobs: Vec<(String, String, i64, i64)> = storage::query(
            "SELECT kind, state, count(*), min(run_at_us) FROM jobs GROUP BY kind, state ORDER BY kind, state",
        )
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
                let age = seconds_between(from_micros(oldest), now);
                levels.oldest_job.get_or_create(&KindLabels { kind: kind.clone() }).set(age);
            }
            levels.jobs.get_or_create(&JobLabels { kind, state }).set(count);
        }
        Ok(())
    }

    async fn read_notifications(&self, levels: &Levels) -> Result<(), sqlx::Error> {
        let waiting: Vec<(String, i64, i64)> = storage::query(
            "SELECT d.target, count(*), min(n.created_us) FROM notification_deliveries d \
             JOIN notifications n ON n.id = d.notification GROUP BY d.target",
        )
        .fetch_all_as(&self.storage)
        .await?;
        levels.waiting_notifications.clear();
        levels.oldest_notification.clear();
        for target in self.settings.webhooks.targets.keys() {
            let labels = WebhookLabels { webhook: target.name().to_owned() };
            levels.waiting_notifications.get_or_create(&labels).set(0);
            levels.oldest_notification.get_or_create(&labels).set(0.0);
        }
        let now = self.now();
        for (webhook, count, oldest) in waiting {
            let labels = WebhookLabels { webhook };
            levels.waiting_notifications.get_or_create(&labels).set(count);
            levels.oldest_notification.get_or_create(&labels).set(seconds_between(from_micros(oldest), now));
        }
        Ok(())
    }

    /// Feeds that are not used have no numbers: nobody wants to be woken by their age.
    async fn read_feeds(&self, levels: &Levels) -> Result<(), sqlx::Error> {
        let feeds: Vec<FeedRow> = storage::query(
            "SELECT name, is_enabled, succeeded_us, created_us, records, failures FROM feed_sources ORDER BY name",
        )
        .fetch_all_as(&self.storage)
        .await?;
        let now = self.now();
        levels.feed_age.clear();
        levels.feed_records.clear();
        levels.feed_failures.clear();
        for (source, said, succeeded, created, records, failures) in feeds {
            let configured = self.settings.feeds.sources.iter().find(|known| known.name == source);
            if !configured.is_some_and(|known| said.map_or(known.is_enabled, |said| said != 0)) {
                continue;
            }
            let labels = SourceLabels { source };
            let age = seconds_between(from_micros(succeeded.unwrap_or(created)), now);
            levels.feed_age.get_or_create(&labels).set(age);
            levels.feed_records.get_or_create(&labels).set(records.unwrap_or_default());
            levels.feed_failures.get_or_create(&labels).set(failures);
        }
        Ok(())
    }
}

/// Never negative: two clocks may differ.
pub(super) fn seconds_between(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64().max(0.0)
}
