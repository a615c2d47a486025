//! What is recorded about synchronisations: events about all of it, about each source, and about each body of packages.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};
use storage::WriteTransaction;

use crate::accounts::ADMIN;
use crate::events::{Level, NewEvent, Resource, Service, record};
use crate::{Engine, StorageError};

/// How far a synchronisation is.
pub(super) enum SyncNews<'a> {
    Started,
    Completed,
    /// Why the old data of some feeds is still in force.
    Failed(&'a str),
}

/// One time that a source was asked.
pub(super) struct SourceRun<'a> {
    pub(super) source: &'a str,
    pub(super) begun_at: Timestamp,
    pub(super) ended_at: Timestamp,
}

impl SourceRun<'_> {
    fn seconds(&self) -> f64 {
        self.ended_at.duration_since(self.begun_at).as_secs_f64().max(0.0)
    }

    fn group(&self, group: &str) -> Resource {
        Resource::new("feed_group", format!("{}/{group}", self.source))
    }

    /// What is said about a group that has ended.
    fn result(&self, group: &str, status: &str, updated_records: i64) -> Value {
        json!({
            "group": group,
            "status": status,
            "total_time_seconds": self.seconds(),
            // Images are judged when the database is built of all sources.
            "updated_image_count": 0,
            "updated_record_count": updated_records,
        })
    }
}

impl Engine {
    /// Records an event about the synchronisation as a whole.
    pub(super) async fn tell_sync(&self, news: &SyncNews<'_>, sources: &[&str]) -> Result<(), StorageError> {
        let mut details = json!({"sync_feed_types": sources});
        let (kind, level, message) = match news {
            SyncNews::Started => ("system.feeds.sync.started", Level::Info, "Feeds sync task started"),
            SyncNews::Completed => ("system.feeds.sync.completed", Level::Info, "Feeds sync task completed"),
            SyncNews::Failed(problem) => {
                details["error"] = json!(problem);
                ("system.feeds.sync.failed", Level::Error, "Feeds sync task failed")
            }
        };
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        let about = Resource { kind: "feeds", id: None };
        record(self, &mut tx, &event(kind, level, message, about, details), self.now()).await?;
        tx.commit().await.map_err(StorageError::at("commit"))
    }

    /// Records that a source was taken over, or has nothing new, with its groups.
    ///
    /// The beginning is recorded with the end, at its own time: only then is it known whether there is anything to tell.
    pub(super) async fn tell_completed(
        &self,
        tx: &mut WriteTransaction,
        run: &SourceRun<'_>,
        updated_records: &BTreeMap<String, i64>,
        details: Value,
    ) -> Result<(), StorageError> {
        self.tell_started(tx, run).await?;
        for (group, updated) in updated_records {
            self.tell_group_started(tx, run, group).await?;
            let completed = event(
                "system.feeds.sync.group_completed",
                Level::Info,
                "Feed group sync completed",
                run.group(group),
                json!({"result": run.result(group, "success", *updated)}),
            );
            record(self, tx, &completed, run.ended_at).await?;
        }
        let about = Resource::new("feed", run.source);
        let completed =
            event("system.feeds.sync.feed_completed", Level::Info, "Feed sync completed", about, details);
        record(self, tx, &completed, run.ended_at).await
    }

    /// Records that the old data of a source stays in force, because of a group where that is known.
    pub(super) async fn tell_failed(
        &self,
        tx: &mut WriteTransaction,
        run: &SourceRun<'_>,
        group: Option<&str>,
        details: Value,
    ) -> Result<(), StorageError> {
        self.tell_started(tx, run).await?;
        if let Some(group) = group {
            self.tell_group_started(tx, run, group).await?;
            let failed = event(
                "system.feeds.sync.group_failed",
                Level::Error,
                "Feed group sync failed",
                run.group(group),
                json!({"result": run.result(group, "failure", 0), "error": details["error"]}),
            );
            record(self, tx, &failed, run.ended_at).await?;
        }
        let about = Resource::new("feed", run.source);
        let failed = event("system.feeds.sync.feed_failed", Level::Error, "Feed sync failed", about, details);
        record(self, tx, &failed, run.ended_at).await
    }

    async fn tell_started(&self, tx: &mut WriteTransaction, run: &SourceRun<'_>) -> Result<(), StorageError> {
        let about = Resource::new("feed", run.source);
        let started =
            event("system.feeds.sync.feed_started", Level::Info, "Feed sync started", about, json!({}));
        record(self, tx, &started, run.begun_at).await
    }

    async fn tell_group_started(
        &self,
        tx: &mut WriteTransaction,
        run: &SourceRun<'_>,
        group: &str,
    ) -> Result<(), StorageError> {
        let (kind, message) = ("system.feeds.sync.group_started", "Feed group sync started");
        let started = event(kind, Level::Info, message, run.group(group), json!({}));
        record(self, tx, &started, run.begun_at).await
    }
}

/// Events about feeds are the administrator's.
fn event(
    kind: &'static str,
    level: Level,
    message: &str,
    resource: Resource,
    details: Value,
) -> NewEvent<'static> {
    let message = message.to_owned();
    NewEvent { account: ADMIN, kind, level, message, details, resource, service: Service::PolicyEngine }
}
