//! `/images`: list, find and add.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::answer::{Answer, ApiError, ok, time};
use super::call::{Call, Query};
use super::images_body::{AddRequest, read_add_request};
use crate::images::parse_image_id;
use crate::storage_error::chain;
use crate::{
    AddImageError, AnalysisStatus, Engine, FoundBaseImage, ImageFilter, ImageList, ImageRecord, ImageStatus,
    PullString, RestoreImageError, TagRecord,
};

/// The text for a tag.
const NOT_IN_DATABASE: &str = "image data not found in DB";
/// The text for a digest and an id.
const NOT_FOUND: &str = "image not found in DB";
/// Images on one page of a list.
const LIMIT_MAX: u32 = 1000;

#[derive(Serialize)]
struct ImageWire {
    #[serde(rename = "imageDigest")]
    image_digest: String,
    #[serde(rename = "parentDigest")]
    parent_digest: String,
    #[serde(rename = "userId")]
    user_id: String,
    image_type: &'static str,
    analysis_status: &'static str,
    /// Not of the original: why the last analysis failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    analysis_error: Option<String>,
    image_status: &'static str,
    annotations: Map<String, Value>,
    created_at: String,
    last_updated: String,
    analyzed_at: Option<String>,
    image_content: ImageContentWire,
    image_detail: Vec<ImageDetailWire>,
    /// Not of the original: the image of this account that it was built on.
    #[serde(skip_serializing_if = "Option::is_none")]
    base_image: Option<BaseImageWire>,
}

#[derive(Serialize)]
struct BaseImageWire {
    #[serde(rename = "imageDigest")]
    image_digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fulltag: Option<String>,
    layer_count: usize,
}

impl From<FoundBaseImage> for BaseImageWire {
    fn from(FoundBaseImage { digest, full_tag, layer_count }: FoundBaseImage) -> Self {
        Self { image_digest: digest.to_string(), fulltag: full_tag, layer_count }
    }
}

#[derive(Serialize)]
struct ImageContentWire {
    metadata: MetadataWire,
}

#[derive(Default, Serialize)]
struct MetadataWire {
    arch: Option<String>,
    distro: Option<String>,
    distro_version: Option<String>,
    dockerfile_mode: Option<String>,
    image_size: Option<i64>,
    layer_count: Option<i64>,
}

#[derive(Serialize)]
struct ImageDetailWire {
    #[serde(rename = "userId")]
    user_id: String,
    #[serde(rename = "imageDigest")]
    image_digest: String,
    #[serde(rename = "imageId")]
    image_id: String,
    registry: String,
    repo: String,
    tag: String,
    digest: String,
    fulltag: String,
    fulldigest: String,
    dockerfile: Option<String>,
    created_at: String,
    last_updated: String,
    tag_detected_at: String,
}

fn to_wire(record: ImageRecord, with_detail: bool) -> ImageWire {
    let tags = if with_detail { record.tags.as_slice() } else { &[] };
    let dockerfile = shown_dockerfile(&record);
    let image_detail = tags.iter().map(|tag| to_detail(&record, tag, dockerfile.as_deref())).collect();
    let mode = record.dockerfile.is_some().then(|| "Actual".to_owned());
    let metadata = match record.summary {
        Some(summary) => MetadataWire {
            arch: Some(summary.architecture),
            distro: summary.distro,
            distro_version: summary.distro_version,
            dockerfile_mode: Some(mode.unwrap_or(summary.dockerfile_mode)),
            image_size: Some(summary.size_bytes),
            layer_count: Some(summary.layer_count),
        },
        None => MetadataWire { dockerfile_mode: mode, ..MetadataWire::default() },
    };
    ImageWire {
        image_digest: record.digest.to_string(),
        parent_digest: record.parent_digest.to_string(),
        user_id: record.account,
        image_type: "docker",
        analysis_status: record.status.name(),
        analysis_error: record.analysis_error,
        image_status: record.image_status.name(),
        annotations: record.annotations,
        created_at: time(record.created_at),
        last_updated: time(record.updated_at),
        analyzed_at: record.analyzed_at.map(time),
        image_content: ImageContentWire { metadata },
        image_detail,
        base_image: None,
    }
}

/// The Dockerfile that was supplied, or the one that the analysis guessed, in base64.
fn shown_dockerfile(record: &ImageRecord) -> Option<String> {
    let guessed = || record.summary.as_ref()?.guessed_dockerfile.as_deref();
    record.dockerfile.clone().or_else(|| guessed().map(|text| STANDARD.encode(text)))
}

fn to_detail(record: &ImageRecord, tag: &TagRecord, dockerfile: Option<&str>) -> ImageDetailWire {
    let full_digest = format!("{}/{}@{}", tag.registry, tag.repository, record.digest);
    ImageDetailWire {
        user_id: record.account.clone(),
        image_digest: record.digest.to_string(),
        image_id: record.image_id.hex().to_owned(),
        registry: tag.registry.clone(),
        repo: tag.repository.clone(),
        // Clients want texts here, also where an image was named by digest only.
        tag: tag.tag.clone().unwrap_or_default(),
        fulltag: tag.full_tag().unwrap_or_else(|| full_digest.clone()),
        digest: record.digest.to_string(),
        fulldigest: full_digest,
        dockerfile: dockerfile.map(str::to_owned),
        created_at: time(tag.created_at),
        last_updated: time(tag.updated_at),
        tag_detected_at: time(tag.detected_at),
    }
}

/// `GET /images`.
pub(super) async fn list(State(engine): State<Arc<Engine>>, call: Call) -> Answer {
    let history = call.query.boolean("history", false)?;
    let image_status = call.query.word("image_status", &["all", "active", "deleting"])?;
    let statuses = AnalysisStatus::ALL.map(AnalysisStatus::name);
    let analysis_status = call.query.word("analysis_status", &statuses)?.and_then(AnalysisStatus::from_name);
    let tag = call.query.text("fulltag").filter(|tag| !tag.is_empty());
    let image_status = match image_status {
        None => Some(ImageStatus::Active),
        Some(word) => ImageStatus::from_name(word),
    };
    let filter = match tag {
        None => {
            let (limit, offset) = page(&call.query)?;
            ImageFilter::All(ImageList { image_status, analysis_status, limit, offset })
        }
        Some(tag) => tag_filter(tag, history)?,
    };
    let mut records = engine.find_images(&call.account, &filter).await?;
    records.retain(|record| analysis_status.is_none_or(|status| record.status == status));
    if tag.is_some() && records.is_empty() {
        return Err(ApiError::not_found(NOT_IN_DATABASE));
    }
    ok(&records.into_iter().map(|record| to_wire(record, true)).collect::<Vec<_>>())
}

/// `limit` and `page` of a list: ours, for accounts with thousands of images. Without them everything is listed, as ever.
pub(super) fn page(query: &Query) -> Result<(Option<u32>, u32), ApiError> {
    let limit = query.integer_within("limit", 1, LIMIT_MAX)?;
    let page = query.integer_within("page", 1, u32::MAX)?.unwrap_or(1);
    Ok((limit, limit.unwrap_or(0).saturating_mul(page - 1)))
}

fn tag_filter(tag: &str, history: bool) -> Result<ImageFilter, ApiError> {
    let parsed = PullString::parse(tag).map_err(|error| {
        ApiError::engine(StatusCode::BAD_REQUEST, "cannot handle image input string")
            .with_detail("validation_error", chain(&error))
    })?;
    match parsed {
        // A digest has a route of its own.
        PullString::Digest(_) => Err(ApiError::not_found(NOT_IN_DATABASE)),
        parsed => Ok(ImageFilter::from_pull_string(parsed, history)),
    }
}

/// What a path names by digest; what is no digest names nothing.
pub(super) fn digest_filter(digest: &str) -> Result<ImageFilter, ApiError> {
    digest.parse().map(ImageFilter::Digest).map_err(|_| ApiError::not_found(NOT_FOUND))
}

/// What a path names by image id.
pub(super) fn image_id_filter(image_id: &str) -> Result<ImageFilter, ApiError> {
    parse_image_id(image_id).map(ImageFilter::ImageId).ok_or_else(|| ApiError::not_found(NOT_FOUND))
}

/// `GET /images/{digest}`.
pub(super) async fn get(State(engine): State<Arc<Engine>>, Path(digest): Path<String>, call: Call) -> Answer {
    get_one(&engine, &call, digest_filter(&digest)).await
}

/// `GET /images/by_id/{image_id}`.
pub(super) async fn get_by_id(
    State(engine): State<Arc<Engine>>,
    Path(image_id): Path<String>,
    call: Call,
) -> Answer {
    get_one(&engine, &call, image_id_filter(&image_id)).await
}

async fn get_one(engine: &Engine, call: &Call, filter: Result<ImageFilter, ApiError>) -> Answer {
    let with_detail = call.query.boolean("detail", true)?;
    let records = engine.find_images(&call.account, &filter?).await?;
    let record = records.into_iter().next().ok_or_else(|| ApiError::not_found(NOT_FOUND))?;
    let base = if with_detail { engine.find_base_image(&record).await? } else { None };
    ok(&[ImageWire { base_image: base.map(BaseImageWire::from), ..to_wire(record, with_detail) }])
}

/// `POST /images`.
pub(super) async fn add(State(engine): State<Arc<Engine>>, call: Call) -> Answer {
    let force = call.query.boolean("force", false)?;
    let autosubscribe = call.query.boolean("autosubscribe", false)?;
    let added = match read_add_request(&call.account, call.object()?, force)? {
        AddRequest::Pull(mut request) => {
            request.autosubscribe = autosubscribe;
            engine.add_image(&request).await.map_err(to_api_error)?
        }
        AddRequest::Import(mut request) => {
            request.autosubscribe = autosubscribe;
            engine.finish_import(&request).await?
        }
        AddRequest::Restore(digest) => engine.restore_image(&call.account, &digest).await?,
    };
    ok(&[to_wire(added, true)])
}

impl From<RestoreImageError> for ApiError {
    fn from(error: RestoreImageError) -> Self {
        match error {
            RestoreImageError::Storage(error) => error.into(),
            RestoreImageError::NotFound(_) => Self::not_found(error.to_string()),
            RestoreImageError::Exists | RestoreImageError::ImportedByOther(_) => {
                Self::engine(StatusCode::CONFLICT, error.to_string())
            }
        }
    }
}

pub(super) fn to_api_error(error: AddImageError) -> ApiError {
    let message = error.to_string();
    let bad_request = |message| ApiError::engine(StatusCode::BAD_REQUEST, message);
    match error {
        AddImageError::Registry(_) | AddImageError::Login(_) => bad_request(message)
            .with_detail("error_codes", json!(error.codes()))
            .with_detail("raw_exception_message", error.reason()),
        AddImageError::DockerfileNeedsForce { digest, tag } => {
            bad_request(message).with_detail("digest", digest.to_string()).with_detail("tag", tag)
        }
        AddImageError::NoAccount(_) | AddImageError::ForceNeedsKnownDigest => bad_request(message),
        AddImageError::Storage(error) => error.into(),
    }
}
