//! `/api/v1/orgs/{organization}/clusters/{cluster}/deployments`: releases, and how their images were judged.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use model::Digest;
use regex::RegexBuilder;
use serde::{Deserialize, Serialize};

use super::Shared;
use super::answer::{Answer, ApiError, ok};
use super::call::ClusterCall;
use crate::storage_error::wire_time;
use crate::{Release, ReleaseFilter};

/// What an expression may become.
const PROGRAM_BYTES_MAX: usize = 1 << 20;
const DIGEST_HEX_CHARS: usize = 64;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReleaseWire {
    release_name: String,
    chart: String,
    chart_name: String,
    chart_version: String,
    version: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<String>,
    status: String,
    namespace: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
    supported: bool,
    white_listed: bool,
    rejected: bool,
}

impl From<Release> for ReleaseWire {
    fn from(release: Release) -> Self {
        let chart = match (release.chart_name.as_str(), release.chart_version.as_str()) {
            (name, "") => name.to_owned(),
            (name, version) => format!("{name}-{version}"),
        };
        Self {
            release_name: release.name,
            chart,
            chart_name: release.chart_name,
            chart_version: release.chart_version,
            version: release.revision,
            updated_at: release.updated_at.map(wire_time),
            status: release.status,
            namespace: release.namespace,
            created_at: release.created_at.map(wire_time),
            supported: true,
            white_listed: release.is_white_listed,
            rejected: release.is_rejected,
        }
    }
}

/// Which releases are wanted.
#[derive(Deserialize)]
pub(super) struct FilterParameters {
    #[serde(default)]
    tag: Option<String>,
    #[serde(default)]
    filter: Option<String>,
}

type Parameters = Result<Query<FilterParameters>, QueryRejection>;

fn read_filter(parameters: Parameters) -> Result<ReleaseFilter, ApiError> {
    let invalid = |text: String| ApiError::legacy(StatusCode::BAD_REQUEST, "Error parsing request", text);
    let Query(FilterParameters { tag, filter }) = parameters.map_err(|error| invalid(error.body_text()))?;
    let name = match filter.filter(|text| !text.is_empty()) {
        Some(text) => Some(
            RegexBuilder::new(&text)
                .size_limit(PROGRAM_BYTES_MAX)
                .build()
                .map_err(|_| invalid("`filter` is no regular expression that can be used".to_owned()))?,
        ),
        None => None,
    };
    Ok(ReleaseFilter { tag: tag.filter(|tag| !tag.is_empty()), name })
}

/// `GET …/deployments`.
pub(super) async fn list(State(shared): State<Shared>, call: ClusterCall, parameters: Parameters) -> Answer {
    let filter = read_filter(parameters)?;
    let releases = shared.plane.list_releases(&call.cluster, &filter).await?;
    ok(&releases.into_iter().map(ReleaseWire::from).collect::<Vec<_>>())
}

/// The image of the path.
#[derive(Deserialize)]
pub(super) struct ImagePath {
    digest: String,
}

/// `GET …/images/{digest}/deployments`.
pub(super) async fn of_image(
    State(shared): State<Shared>,
    call: ClusterCall,
    Path(ImagePath { digest }): Path<ImagePath>,
    parameters: Parameters,
) -> Answer {
    let is_sha256 = digest.strip_prefix("sha256:").is_some_and(|hex| hex.len() == DIGEST_HEX_CHARS);
    let parsed = digest.parse::<Digest>().ok().filter(|_| is_sha256).ok_or_else(|| {
        ApiError::legacy(
            StatusCode::BAD_REQUEST,
            "invalid image digest format",
            "a digest is `sha256:` and 64 digits of 0-9a-f",
        )
    })?;
    let filter = read_filter(parameters)?;
    let releases = shared.plane.list_releases_with_image(&call.cluster, &parsed, &filter).await?;
    ok(&releases.into_iter().map(ReleaseWire::from).collect::<Vec<_>>())
}
