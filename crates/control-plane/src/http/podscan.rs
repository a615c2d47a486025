//! `/api/v1/orgs/{organization}/clusters/{cluster}/podscan`: how the Pods that run were judged.

use std::collections::BTreeMap;

use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};

use super::Shared;
use super::answer::{Answer, ApiError, ok};
use super::call::ClusterCall;
use crate::storage_error::wire_time;
use crate::{ImageReport, JudgedPod, PodState, RunningFilter, RunningPage, RunningSummary, Told};

const IMAGES_MAX: i64 = 500;
const IMAGES: i64 = 100;

/// What may stand behind the `?`.
#[derive(Deserialize)]
pub(super) struct PodScanQuery {
    state: Option<String>,
    after: Option<String>,
    limit: Option<String>,
}

#[derive(Serialize)]
struct PodScanWire {
    summary: SummaryWire,
    images: Vec<ImageWire>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// How Pods that run were judged, in numbers; also in the output of the service.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SummaryWire {
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<String>,
    policy_revision: String,
    database_revision: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    problem: String,
    pods: BTreeMap<&'static str, i64>,
    images: BTreeMap<&'static str, i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ImageWire {
    image: String,
    image_digest: String,
    state: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    why: String,
    reasons: Vec<ReasonWire>,
    policy_id: String,
    policy_revision: String,
    database_revision: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_judged: Option<String>,
    pod_count: i64,
    pods: Vec<PodWire>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReasonWire {
    action: &'static str,
    gate: String,
    trigger: String,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    vulnerability: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    package: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    installed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fixed_in: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PodWire {
    namespace: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<OwnerWire>,
    release_name: String,
    state: &'static str,
}

#[derive(Serialize)]
struct OwnerWire {
    kind: String,
    name: String,
}

impl From<RunningSummary> for SummaryWire {
    fn from(summary: RunningSummary) -> Self {
        let RunningSummary {
            started_at,
            finished_at,
            policy_revision,
            database_revision,
            problem,
            pods,
            images,
        } = summary;
        let named = |counts: Vec<(PodState, i64)>| {
            counts.into_iter().map(|(state, count)| (state.name(), count)).collect()
        };
        Self {
            started_at: started_at.map(wire_time),
            finished_at: finished_at.map(wire_time),
            policy_revision,
            database_revision,
            problem,
            pods: named(pods),
            images: named(images),
        }
    }
}

impl From<ImageReport> for ImageWire {
    fn from(report: ImageReport) -> Self {
        let ImageReport {
            reference,
            digest,
            state,
            why,
            reasons,
            policy_id,
            policy_revision,
            database_revision,
            judged_at,
            pods_count,
            pods,
        } = report;
        Self {
            image: reference,
            image_digest: digest,
            state: state.name(),
            why,
            reasons: reasons.into_iter().map(ReasonWire::from).collect(),
            policy_id,
            policy_revision,
            database_revision,
            last_judged: judged_at.map(wire_time),
            pod_count: pods_count,
            pods: pods.into_iter().map(PodWire::from).collect(),
        }
    }
}

impl From<Told> for ReasonWire {
    fn from(told: Told) -> Self {
        let Told { action, gate, trigger, message, vulnerability, severity, package, installed, fixed_in } =
            told;
        Self { action, gate, trigger, message, vulnerability, severity, package, installed, fixed_in }
    }
}

impl From<JudgedPod> for PodWire {
    fn from(pod: JudgedPod) -> Self {
        let JudgedPod { namespace, name, owner, release, state } = pod;
        Self {
            namespace,
            name,
            owner: owner.map(|(kind, name)| OwnerWire { kind, name }),
            release_name: release,
            state: state.name(),
        }
    }
}

/// `GET …/podscan`.
pub(super) async fn list(
    State(shared): State<Shared>,
    call: ClusterCall,
    query: Result<Query<PodScanQuery>, axum::extract::rejection::QueryRejection>,
) -> Answer {
    let Query(query) = query.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let page = shared.plane.running_images(&call.cluster, &filter(query)?).await?;
    let page = page.ok_or_else(|| {
        ApiError::not_found(format!(
            "the Pods of cluster `{}` were not looked at: activate the security scan service first",
            call.cluster.name
        ))
    })?;
    let RunningPage { summary, images, next } = page;
    ok(&PodScanWire {
        summary: summary.into(),
        images: images.into_iter().map(ImageWire::from).collect(),
        next,
    })
}

fn filter(query: PodScanQuery) -> Result<RunningFilter, ApiError> {
    let PodScanQuery { state, after, limit } = query;
    let state = match state.as_deref() {
        None | Some("") => None,
        Some(name) => Some(
            PodState::from_name(name)
                .filter(|state| *state != PodState::Exempt)
                .ok_or_else(|| ApiError::bad_request("state must be new, passed, refused or undecided"))?,
        ),
    };
    let limit = match limit {
        None => IMAGES,
        Some(text) => {
            text.parse().ok().filter(|limit| (1..=IMAGES_MAX).contains(limit)).ok_or_else(|| {
                ApiError::bad_request(format!("limit must be a number from 1 to {IMAGES_MAX}"))
            })?
        }
    };
    Ok(RunningFilter { state, after: after.unwrap_or_default(), limit })
}
