//! Telling the accounts that have an image how its analysis went.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use storage::WriteTransaction;

use crate::events::{Level, NewEvent, Resource, Service, record};
use crate::{Engine, StorageError};

/// Records an event for every tag, in every account, that names the image.
///
/// `failure` is why the analysis was given up; `None`: it is there.
pub(super) async fn tell_end(
    engine: &Engine,
    tx: &mut WriteTransaction,
    digest: &str,
    failure: Option<&str>,
    now: Timestamp,
) -> Result<(), StorageError> {
    let tags: Vec<(String, String, String, String, String)> = storage::query(
        "SELECT i.account, t.registry, t.repository, t.tag, i.annotations FROM images i \
         JOIN image_tags t ON t.account = i.account AND t.digest = i.digest WHERE i.digest = $1 \
         ORDER BY i.account, t.registry, t.repository, t.tag",
    )
    .bind(digest)
    .fetch_all_as(&mut *tx)
    .await
    .map_err(StorageError::at("look who has an image"))?;
    for (account, registry, repository, tag, annotations) in tags {
        let name = if tag.is_empty() {
            format!("{registry}/{repository}@{digest}")
        } else {
            format!("{registry}/{repository}:{tag}")
        };
        let annotations: Map<String, Value> = serde_json::from_str(&annotations).unwrap_or_default();
        let (kind, level, message, details) = match failure {
            None => (
                "user.image.analysis.completed",
                Level::Info,
                "Image analysis available",
                json!({
                    "annotations": annotations,
                    "subscription_type": "analysis_update",
                    "last_eval": status(digest, "analyzing", &annotations),
                    "curr_eval": status(digest, "analyzed", &annotations),
                }),
            ),
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

fn status(digest: &str, status: &str, annotations: &Map<String, Value>) -> Value {
    json!({"imageDigest": digest, "analysis_status": status, "annotations": annotations})
}
