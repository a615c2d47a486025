//! `/images/{digest}/sboms`: everything that is known of an image's packages, as a file.

use std::io::Write as _;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse as _;
use report_formats::{Sbom, sbom_json};

use super::answer::{Answer, ApiError};
use super::artifacts::no_artifacts;
use super::call::Call;
use super::images::digest_filter;
use crate::{AnalyzedImage, Engine};

/// `GET /images/{digest}/sboms/native`: the JSON of `lazaret sbom`, as gzip.
pub(super) async fn native(
    State(engine): State<Arc<Engine>>,
    Path(digest): Path<String>,
    call: Call,
) -> Answer {
    let found = engine.analyzed_image(&call.account, &digest_filter(&digest)?).await;
    let analyzed = found.map_err(|error| no_artifacts(&error))?;
    let disposition = format!("attachment; filename=\"{}_native.json.gzip\"", analyzed.image.digest);
    let disposition =
        HeaderValue::from_str(&disposition).map_err(|error| ApiError::Internal(error.to_string()))?;
    let packed = tokio::task::spawn_blocking(move || pack(&analyzed))
        .await
        .map_err(|error| ApiError::Internal(error.to_string()))?
        .map_err(|error| ApiError::Internal(error.to_string()))?;
    let kind = HeaderValue::from_static("application/gzip");
    Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, disposition)], packed).into_response())
}

fn pack(analyzed: &AnalyzedImage) -> std::io::Result<Vec<u8>> {
    let name = analyzed.image.tags.first().and_then(|tag| tag.full_tag());
    let image_name = name.unwrap_or_else(|| analyzed.image.digest.to_string());
    let sbom = Sbom {
        image_name: &image_name,
        image: Some(&analyzed.facts),
        inventory: &analyzed.inventory,
        bases: &[],
    };
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(sbom_json(&sbom).as_bytes())?;
    encoder.finish()
}
