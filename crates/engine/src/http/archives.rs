//! `/archives` and `/archives/images`: analyses that were put away.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use model::Digest;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::answer::{Answer, ApiError, ok, time};
use super::call::{Call, python_text};
use crate::{ArchiveImage, ArchivedImage, ArchivedTag, Engine, StorageError};

/// Images in one request.
const DIGESTS_MAX: usize = 100;

#[derive(Serialize)]
struct ArchivedImageWire {
    #[serde(rename = "imageDigest")]
    image_digest: String,
    #[serde(rename = "parentDigest")]
    parent_digest: String,
    annotations: Map<String, Value>,
    status: &'static str,
    analyzed_at: Option<String>,
    archive_size_bytes: i64,
    image_detail: Vec<DetailWire>,
    created_at: String,
    last_updated: String,
}

#[derive(Serialize)]
struct DetailWire {
    pullstring: String,
    registry: String,
    repository: String,
    tag: String,
    detected_at: String,
    created_at: String,
    last_updated: String,
}

#[derive(Serialize)]
struct OutcomeWire {
    digest: String,
    status: &'static str,
    detail: &'static str,
}

fn to_wire(image: ArchivedImage) -> ArchivedImageWire {
    let (created_at, last_updated) = (time(image.created_at), time(image.updated_at));
    let detail = |ArchivedTag { registry, repository, tag, detected_us }| DetailWire {
        pullstring: if tag.is_empty() {
            format!("{registry}/{repository}@{}", image.digest)
        } else {
            format!("{registry}/{repository}:{tag}")
        },
        registry,
        repository,
        tag,
        detected_at: time(storage::from_micros(detected_us)),
        created_at: created_at.clone(),
        last_updated: last_updated.clone(),
    };
    ArchivedImageWire {
        image_detail: image.tags.into_iter().map(detail).collect(),
        image_digest: image.digest.clone(),
        parent_digest: image.parent_digest,
        annotations: image.annotations,
        status: "archived",
        analyzed_at: image.analyzed_at.map(time),
        archive_size_bytes: image.size_bytes,
        created_at,
        last_updated,
    }
}

/// `GET /archives`.
pub(super) async fn summary(State(engine): State<Arc<Engine>>, call: Call) -> Answer {
    let summary = engine.archive_summary(&call.account).await?;
    ok(&json!({
        "images": {
            "total_image_count": summary.images,
            "total_tag_count": summary.tags,
            "total_data_bytes": summary.bytes,
            // An empty text for an empty archive, and null for no rules: clients know both.
            "last_updated": summary.images_updated_at.map_or_else(String::new, time),
        },
        "rules": {"count": summary.rules, "last_updated": summary.rules_updated_at.map(time)},
    }))
}

/// `GET /archives/images`.
pub(super) async fn list(State(engine): State<Arc<Engine>>, call: Call) -> Answer {
    let images = engine.list_archived_images(&call.account).await?;
    ok(&images.into_iter().map(to_wire).collect::<Vec<_>>())
}

/// `GET /archives/images/{digest}`.
pub(super) async fn get(State(engine): State<Arc<Engine>>, Path(digest): Path<String>, call: Call) -> Answer {
    match engine.find_archived_image(&call.account, &digest).await? {
        Some(image) => ok(&to_wire(image)),
        None => Err(ApiError::not_found("Not found in analysis archive")),
    }
}

/// `DELETE /archives/images/{digest}`.
pub(super) async fn delete(
    State(engine): State<Arc<Engine>>,
    Path(digest): Path<String>,
    call: Call,
) -> Answer {
    // Accepted from clients; nothing here needs to be forced.
    let _force = call.query.boolean("force", false)?;
    if engine.delete_archived_image(&call.account, &digest).await? {
        ok(&json!({}))
    } else {
        Err(ApiError::not_found("Not found in analysis archive"))
    }
}

/// `POST /archives/images`: a list of digests.
pub(super) async fn add(State(engine): State<Arc<Engine>>, call: Call) -> Answer {
    let digests = digests(call.body.as_ref())?;
    let mut outcomes = Vec::with_capacity(digests.len());
    for digest in digests {
        outcomes.push(add_one(&engine, &call.account, digest).await?);
    }
    ok(&outcomes)
}

fn digests(body: Option<&Value>) -> Result<Vec<String>, ApiError> {
    let values = match body {
        Some(Value::Array(values)) => values,
        other => {
            let text = other.map_or_else(|| "None".to_owned(), python_text);
            return Err(ApiError::bad_request(format!("{text} is not of type 'array'")));
        }
    };
    if values.is_empty() || values.len() > DIGESTS_MAX {
        let message = format!("the body must list 1 to {DIGESTS_MAX} image digests");
        return Err(ApiError::engine(StatusCode::BAD_REQUEST, message));
    }
    let text = |(position, value): (usize, &Value)| match value {
        Value::String(text) => Ok(text.clone()),
        other => Err(ApiError::bad_request(format!(
            "{} is not of type 'string' - '{position}'",
            python_text(other)
        ))),
    };
    values.iter().enumerate().map(text).collect()
}

async fn add_one(engine: &Engine, account: &str, digest: String) -> Result<OutcomeWire, StorageError> {
    let outcome = match digest.parse::<Digest>() {
        Ok(parsed) => engine.archive_image(account, &parsed).await?,
        Err(_) => ArchiveImage::NotFound,
    };
    let (status, detail) = match outcome {
        ArchiveImage::Archived => ("archived", "Completed successfully"),
        ArchiveImage::AlreadyArchived => ("archived", "Existing record found, archiving aborted"),
        ArchiveImage::NotFound => ("error", "Image not found"),
        ArchiveImage::NotAnalyzed => {
            ("error", "Invalid image analysis_status. Must be in analyzed state to archive")
        }
    };
    Ok(OutcomeWire { digest, status, detail })
}
