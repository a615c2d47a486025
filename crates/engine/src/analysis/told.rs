//! Telling the accounts that have an image how its analysis went.

use std::collections::BTreeSet;

use jiff::Timestamp;
use model::Digest;
use serde_json::{Map, Value, json};
use storage::WriteTransaction;

use crate::events::{Level, NewEvent, Resource, Service, record};
use crate::notifications::{Notification, NotificationKind, is_wanted, notify};
use crate::{AnalysisStatus, Engine, StorageError};

/// Tells who subscribed to the analysis of a tag that it goes on, in all accounts or in one; call it before the change.
pub(crate) async fn tell_status(
    engine: &Engine,
    tx: &mut WriteTransaction,
    digest: &str,
    account: Option<&str>,
    next: AnalysisStatus,
    now: Timestamp,
) -> Result<(), StorageError> {
    if !is_wanted(engine, NotificationKind::AnalysisUpdate) {
        return Ok(());
    }
    let tags: Vec<(String, String, String, String, String, String)> = storage::query(
        "SELECT i.account, t.registry, t.repository, t.tag, i.annotations, i.analysis_status FROM images i \
         JOIN image_tags t ON t.account = i.account AND t.digest = i.digest \
         WHERE i.digest = $1 AND t.tag <> '' AND i.analysis_status NOT IN ($2, 'analyzed') \
         AND (i.account = $3 OR ($3 = '' AND (i.import_id IS NULL OR $2 = 'analyzed'))) \
         ORDER BY i.account, t.registry, t.repository, t.tag",
    )
    .bind(digest)
    .bind(next.name())
    .bind(account.unwrap_or_default())
    .fetch_all_as(&mut *tx)
    .await
    .map_err(StorageError::at("look who has an image"))?;
    for (account, registry, repository, tag, annotations, before) in tags {
        let annotations: Map<String, Value> = serde_json::from_str(&annotations).unwrap_or_default();
        let notification = Notification {
            account: &account,
            kind: NotificationKind::AnalysisUpdate,
            subscription_key: &format!("{registry}/{repository}:{tag}"),
            payload: status_change(digest, &before, next.name(), &annotations),
        };
        notify(engine, tx, &notification, now).await?;
    }
    Ok(())
}

/// An image that was added under a tag.
pub(crate) struct AddedTag<'a> {
    pub(crate) account: &'a str,
    pub(crate) full_tag: &'a str,
    pub(crate) digest: &'a Digest,
    pub(crate) annotations: &'a Map<String, Value>,
    /// How far its analysis was; `None`: the image is new.
    pub(crate) before: Option<AnalysisStatus>,
    /// How far it is now.
    pub(crate) next: AnalysisStatus,
    pub(crate) is_new_tag: bool,
}

/// Tells that adding an image changed its state, or that a tag came to an image whose analysis is there already.
pub(crate) async fn tell_added(
    engine: &Engine,
    tx: &mut WriteTransaction,
    added: &AddedTag<'_>,
    now: Timestamp,
) -> Result<(), StorageError> {
    let Some(before) = added.before else { return Ok(()) };
    let is_available = before == AnalysisStatus::Analyzed && added.next == AnalysisStatus::Analyzed;
    if before == added.next && !(is_available && added.is_new_tag) {
        return Ok(());
    }
    let digest = added.digest.to_string();
    let payload = status_change(&digest, before.name(), added.next.name(), added.annotations);
    if is_available {
        let mut details = payload.clone();
        details.insert("subscription_type".to_owned(), json!("analysis_update"));
        let event = NewEvent {
            account: added.account,
            kind: "user.image.analysis.completed",
            level: Level::Info,
            message: "Image analysis available".to_owned(),
            details: Value::Object(details),
            resource: Resource::new("image_tag", added.full_tag),
            service: Service::Catalog,
        };
        record(engine, tx, &event, now).await?;
    }
    let notification = Notification {
        account: added.account,
        kind: NotificationKind::AnalysisUpdate,
        subscription_key: added.full_tag,
        payload,
    };
    notify(engine, tx, &notification, now).await
}

/// What is told about a change, in events and to webhooks.
fn status_change(
    digest: &str,
    before: &str,
    next: &str,
    annotations: &Map<String, Value>,
) -> Map<String, Value> {
    let mut told = Map::new();
    told.insert("annotations".to_owned(), Value::Object(annotations.clone()));
    told.insert("last_eval".to_owned(), status(digest, before, annotations));
    told.insert("curr_eval".to_owned(), status(digest, next, annotations));
    told
}

/// Records an event for every tag, in every account, that names the image; a failure also for the image itself.
///
/// `failure` is why the analysis was given up; `None`: it is there.
pub(crate) async fn tell_end(
    engine: &Engine,
    tx: &mut WriteTransaction,
    digest: &str,
    account: Option<&str>,
    failure: Option<&str>,
    now: Timestamp,
) -> Result<(), StorageError> {
    let tags: Vec<(String, String, String, String, String)> = storage::query(
        "SELECT i.account, t.registry, t.repository, t.tag, i.annotations FROM images i \
         JOIN image_tags t ON t.account = i.account AND t.digest = i.digest WHERE i.digest = $1 \
         AND ($2 = '' OR i.account = $2) ORDER BY i.account, t.registry, t.repository, t.tag",
    )
    .bind(digest)
    .bind(account.unwrap_or_default())
    .fetch_all_as(&mut *tx)
    .await
    .map_err(StorageError::at("look who has an image"))?;
    if let Some(reason) = failure {
        let accounts: BTreeSet<&str> = tags.iter().map(|(account, ..)| account.as_str()).collect();
        for account in accounts {
            record(engine, tx, &failed_image(account, digest, reason), now).await?;
        }
    }
    for (account, registry, repository, tag, annotations) in tags {
        let name = if tag.is_empty() {
            format!("{registry}/{repository}@{digest}")
        } else {
            format!("{registry}/{repository}:{tag}")
        };
        let annotations: Map<String, Value> = serde_json::from_str(&annotations).unwrap_or_default();
        let (kind, level, message, details) = match failure {
            None => {
                let mut details = status_change(digest, "analyzing", "analyzed", &annotations);
                details.insert("subscription_type".to_owned(), json!("analysis_update"));
                (
                    "user.image.analysis.completed",
                    Level::Info,
                    "Image analysis available",
                    Value::Object(details),
                )
            }
            Some(reason) => (
                "user.image.analysis.failed",
                Level::Error,
                "Failed to analyze image",
                json!({ "msg": reason }),
            ),
        };
        let event = NewEvent {
            account: &account,
            kind,
            level,
            message: message.to_owned(),
            details,
            resource: Resource::new("image_tag", name),
            service: Service::Analyzer,
        };
        record(engine, tx, &event, now).await?;
    }
    Ok(())
}

fn failed_image<'a>(account: &'a str, digest: &str, reason: &str) -> NewEvent<'a> {
    NewEvent {
        account,
        kind: "system.image_analysis.failed",
        level: Level::Error,
        message: "Failed to analyze image".to_owned(),
        details: json!({ "msg": reason }),
        resource: Resource::new("image_digest", digest),
        service: Service::Analyzer,
    }
}

/// The digest has both names: what is sent has always had one, what is published the other.
fn status(digest: &str, status: &str, annotations: &Map<String, Value>) -> Value {
    json!({
        "imageDigest": digest, "image_digest": digest, "analysis_status": status, "annotations": annotations,
    })
}
