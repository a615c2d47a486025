//! `/summaries/imagetags`: one short line per tag.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;

use super::answer::{Answer, ok};
use super::call::Call;
use super::images::page;
use crate::{Engine, ImageFilter, ImageList, ImageStatus};

#[derive(Serialize)]
struct SummaryWire {
    #[serde(rename = "imageDigest")]
    image_digest: String,
    #[serde(rename = "parentDigest")]
    parent_digest: String,
    #[serde(rename = "imageId")]
    image_id: String,
    fulltag: String,
    analysis_status: &'static str,
    image_status: &'static str,
    created_at: i64,
    analyzed_at: Option<i64>,
    tag_detected_at: i64,
}

/// `GET /summaries/imagetags`.
pub(super) async fn image_tags(State(engine): State<Arc<Engine>>, call: Call) -> Answer {
    let image_status = match call.query.word("image_status", &["all", "active", "deleting"])? {
        None => Some(ImageStatus::Active),
        Some(word) => ImageStatus::from_name(word),
    };
    let (limit, offset) = page(&call.query)?;
    let list = ImageList { image_status, limit, offset, ..ImageList::default() };
    let images = engine.find_images(&call.account, &ImageFilter::All(list)).await?;
    let summaries: Vec<SummaryWire> = images
        .iter()
        .flat_map(|image| {
            image.tags.iter().map(move |tag| SummaryWire {
                image_digest: image.digest.to_string(),
                parent_digest: image.parent_digest.to_string(),
                image_id: image.image_id.hex().to_owned(),
                fulltag: tag
                    .full_tag()
                    .unwrap_or_else(|| format!("{}/{}@{}", tag.registry, tag.repository, image.digest)),
                analysis_status: image.status.name(),
                image_status: image.image_status.name(),
                created_at: image.created_at.as_second(),
                analyzed_at: image.analyzed_at.map(|time| time.as_second()),
                tag_detected_at: tag.detected_at.as_second(),
            })
        })
        .collect();
    ok(&summaries)
}
