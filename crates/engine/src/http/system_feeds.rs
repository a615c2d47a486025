//! `/system/feeds`: where vulnerability data comes from, how old it is, and asking for new data at once.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::answer::{Answer, ApiError, json_response, ok, time};
use super::call::Call;
use crate::storage_error::chain;
use crate::{Engine, FeedStatus, LastJudgement, ManageFeedError, SyncError, SyncOptions, SyncResult};

/// A longer synchronisation goes on after the answer.
const SYNC_WAIT_MAX: Duration = Duration::from_secs(110);

/// `GET /system/feeds`.
pub(super) async fn list(State(engine): State<Arc<Engine>>, _call: Call) -> Answer {
    ok(&engine.feeds().await?.iter().map(feed_wire).collect::<Vec<_>>())
}

/// `POST /system/feeds`: waits for the end, as long as a client waits.
pub(super) async fn sync(State(engine): State<Arc<Engine>>, call: Call) -> Answer {
    // Asking for one that is not waited for changes nothing, as clients expect.
    let _is_awaited = call.query.boolean("sync", true)?;
    let options = SyncOptions {
        is_flushed: call.query.boolean("flush", false)?,
        is_forced: call.query.boolean("force", false)?,
        is_only_due: false,
    };
    // A client that goes away must not leave half a synchronisation.
    let running = tokio::spawn(async move { engine.sync_feeds(&options).await });
    match tokio::time::timeout(SYNC_WAIT_MAX, running).await {
        Ok(Ok(Ok(results))) => ok(&results.iter().map(result_wire).collect::<Vec<_>>()),
        Ok(Ok(Err(error @ SyncError::AlreadyInProgress))) => Err(in_progress(error.to_string())),
        Ok(Ok(Err(error))) => Err(ApiError::Internal(chain(&error))),
        Ok(Err(error)) => Err(ApiError::Internal(error.to_string())),
        // `GET /system/feeds` shows how it ends.
        Err(_) => Ok(json_response(StatusCode::ACCEPTED, "application/json", json!([]))),
    }
}

/// `PUT /system/feeds/{feed}`.
pub(super) async fn update(
    State(engine): State<Arc<Engine>>,
    Path(feed): Path<String>,
    call: Call,
) -> Answer {
    let is_enabled = wanted_state(&call)?;
    ok(&feed_wire(&engine.set_feed_enabled(&feed, None, is_enabled).await?))
}

/// `PUT /system/feeds/{feed}/{group}`.
pub(super) async fn update_group(
    State(engine): State<Arc<Engine>>,
    Path((feed, group)): Path<(String, String)>,
    call: Call,
) -> Answer {
    let is_enabled = wanted_state(&call)?;
    let status = engine.set_feed_enabled(&feed, Some(&group), is_enabled).await?;
    group_answer(&status, &group)
}

/// `DELETE /system/feeds/{feed}`.
pub(super) async fn delete(
    State(engine): State<Arc<Engine>>,
    Path(feed): Path<String>,
    _call: Call,
) -> Answer {
    ok(&feed_wire(&engine.delete_feed(&feed, None).await?))
}

/// `DELETE /system/feeds/{feed}/{group}`.
pub(super) async fn delete_group(
    State(engine): State<Arc<Engine>>,
    Path((feed, group)): Path<(String, String)>,
    _call: Call,
) -> Answer {
    let status = engine.delete_feed(&feed, Some(&group)).await?;
    group_answer(&status, &group)
}

fn wanted_state(call: &Call) -> Result<bool, ApiError> {
    if call.query.text("enabled").is_none() {
        return Err(ApiError::bad_request("Missing query parameter 'enabled'"));
    }
    call.query.boolean("enabled", true)
}

fn in_progress(message: String) -> ApiError {
    ApiError::engine(StatusCode::CONFLICT, message)
        .with_detail("error_codes", json!(["FEED_SYNC_ALREADY_IN_PROGRESS"]))
}

impl From<ManageFeedError> for ApiError {
    fn from(error: ManageFeedError) -> Self {
        match error {
            ManageFeedError::UnknownFeed(_) | ManageFeedError::UnknownGroup { .. } => {
                Self::not_found(error.to_string())
            }
            ManageFeedError::Enabled(_) => Self::engine(StatusCode::CONFLICT, error.to_string()),
            ManageFeedError::Busy => in_progress(error.to_string()),
            ManageFeedError::Folder(_) => Self::Internal(chain(&error)),
            ManageFeedError::Storage(error) => error.into(),
        }
    }
}

fn group_answer(status: &FeedStatus, name: &str) -> Answer {
    let group = group_values(status).into_iter().find(|group| group["name"] == name);
    ok(&group.unwrap_or(Value::Null))
}

fn group_values(status: &FeedStatus) -> Vec<Value> {
    let group = |group: &crate::FeedGroupStatus| {
        json!({
            "name": group.name,
            "created_at": time(group.created_at),
            "updated_at": time(group.updated_at),
            "last_sync": group.synced_at.map(time),
            "enabled": group.is_enabled,
            "record_count": group.records,
        })
    };
    status.groups.iter().map(group).collect()
}

/// The fields after `groups` are not of the original; which of them are there depends on what they are about.
fn feed_wire(status: &FeedStatus) -> Value {
    let mut wire = json!({
        "name": status.name,
        "created_at": time(status.created_at),
        "updated_at": time(status.updated_at),
        "last_full_sync": status.synced_at.map(time),
        "enabled": status.is_enabled,
        "groups": group_values(status),
    });
    let mut add = |name: &str, value: Value| wire[name] = value;
    if let Some(problem) = &status.problem {
        add("problem", json!(problem));
    }
    if let Some(state) = &status.state {
        add("state", json!(state));
    }
    if let Some(judgement) = &status.last_judgement {
        add("last_judgement", judgement_wire(judgement));
    }
    if let Some(interval) = status.interval {
        add("addresses", json!(status.addresses));
        add("interval_seconds", json!(interval.as_secs()));
        add("record_count", json!(status.records));
        add("last_change", json!(status.changed_at.map(time)));
        add("last_failure", json!(status.failed_at.map(time)));
        add("failures", json!(status.failures));
    }
    wire
}

fn judgement_wire(judgement: &LastJudgement) -> Value {
    json!({
        "ended_at": time(judgement.ended_at),
        "images": judgement.images,
        "images_looked_at": judgement.images_looked_at,
        "images_changed": judgement.images_changed,
    })
}

fn result_wire(result: &SyncResult) -> Value {
    let status = if result.problem.is_none() { "success" } else { "failure" };
    let group = |group: &crate::SyncGroup| {
        json!({
            "group": group.name,
            "status": status,
            "total_time_seconds": result.seconds,
            "updated_record_count": group.updated_records,
            "updated_image_count": result.judgement.as_ref().map_or(0, |judgement| judgement.images_changed),
        })
    };
    let mut wire = json!({
        "feed": result.feed,
        "status": status,
        "total_time_seconds": result.seconds,
        "groups": result.groups.iter().map(group).collect::<Vec<_>>(),
    });
    if let Some(problem) = &result.problem {
        wire["problem"] = json!(problem);
    }
    if let Some(judgement) = &result.judgement {
        wire["judgement"] = judgement_wire(judgement);
    }
    wire
}
