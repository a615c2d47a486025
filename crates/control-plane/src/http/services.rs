//! `…/clusters/{cluster}/services`, also called `features`: what runs in a cluster for its security.

use std::collections::BTreeMap;

use axum::extract::{Path, RawQuery, Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use serde::Serialize;
use serde_json::Value;

use super::Shared;
use super::answer::{Answer, ApiError, ok};
use super::call::{Caller, ClusterCall, read_body};
use super::podscan::SummaryWire;
use crate::storage_error::{chain, wire_time};
use crate::{ServiceDetails, ServiceError, ServiceStep};

/// A service that has no row.
const INACTIVE: &str = "INACTIVE";

#[derive(Serialize)]
struct DetailsWire {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    spec: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<OutputWire>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutputWire {
    anchore: VersionWire,
    image_validator: VersionWire,
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
    steps: Vec<StepWire>,
    #[serde(skip_serializing_if = "Option::is_none")]
    running_pods: Option<SummaryWire>,
}

#[derive(Serialize)]
struct VersionWire {
    version: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StepWire {
    name: String,
    state: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    message: String,
    started_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<String>,
}

impl From<ServiceStep> for StepWire {
    fn from(step: ServiceStep) -> Self {
        let ServiceStep { name, state, message, started_at, finished_at } = step;
        Self {
            name,
            state: state.name(),
            message,
            started_at: wire_time(started_at),
            finished_at: finished_at.map(wire_time),
        }
    }
}

impl From<ServiceDetails> for DetailsWire {
    fn from(details: ServiceDetails) -> Self {
        let ServiceDetails { status, spec, reason, steps, engine_version, webhook_version, running } =
            details;
        Self {
            status: status.name(),
            spec: Some(spec),
            output: Some(OutputWire {
                anchore: VersionWire { version: engine_version },
                image_validator: VersionWire { version: webhook_version },
                reason,
                steps: steps.into_iter().map(StepWire::from).collect(),
                running_pods: running.map(SummaryWire::from),
            }),
        }
    }
}

/// The parameters of a path with a service in it.
type ServicePath = Path<BTreeMap<String, String>>;

fn service_of(path: &ServicePath) -> &str {
    path.get("service").map_or("", String::as_str)
}

/// `GET …/services`.
pub(super) async fn list(State(shared): State<Shared>, call: ClusterCall) -> Answer {
    let services = shared.plane.list_services(&call.cluster).await?;
    let wire: BTreeMap<String, DetailsWire> = services
        .into_iter()
        .map(|(name, status)| (name, DetailsWire { status: status.name(), spec: None, output: None }))
        .collect();
    ok(&wire)
}

/// `GET …/services/{service}`.
pub(super) async fn get(State(shared): State<Shared>, call: ClusterCall, path: ServicePath) -> Answer {
    let details = shared.plane.service_details(&call.cluster, service_of(&path)).await?;
    let inactive = DetailsWire { status: INACTIVE, spec: None, output: None };
    ok(&details.map_or(inactive, DetailsWire::from))
}

/// `POST …/services/{service}`.
pub(super) async fn activate(
    State(shared): State<Shared>,
    Caller { user }: Caller,
    call: ClusterCall,
    path: ServicePath,
    request: Request,
) -> Answer {
    let body = read_body(request).await?;
    shared.plane.activate_service(&call.cluster, service_of(&path), &body, &user).await?;
    Ok(StatusCode::ACCEPTED.into_response())
}

/// `PUT …/services/{service}`.
pub(super) async fn update(
    State(shared): State<Shared>,
    Caller { user }: Caller,
    call: ClusterCall,
    path: ServicePath,
    request: Request,
) -> Answer {
    let body = read_body(request).await?;
    shared.plane.update_service(&call.cluster, service_of(&path), &body, &user).await?;
    Ok(StatusCode::ACCEPTED.into_response())
}

/// `DELETE …/services/{service}`; with `?removeResources=true` whitelist items and audits of the cluster go too.
pub(super) async fn deactivate(
    State(shared): State<Shared>,
    Caller { user }: Caller,
    call: ClusterCall,
    path: ServicePath,
    RawQuery(query): RawQuery,
) -> Answer {
    let with_resources = wants_resources_removed(query.as_deref().unwrap_or_default())?;
    shared.plane.deactivate_service(&call.cluster, service_of(&path), with_resources, &user).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// A slip must not delete what somebody wants to keep, nor keep what he wants gone.
fn wants_resources_removed(query: &str) -> Result<bool, ApiError> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    match pairs.filter(|(key, _)| *key == "removeResources").map(|(_, value)| value).next_back() {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => {
            Err(ApiError::bad_request(format!("removeResources must be true or false, not `{other}`")))
        }
    }
}

impl From<ServiceError> for ApiError {
    fn from(error: ServiceError) -> Self {
        let text = error.to_string();
        match error {
            ServiceError::Unknown(_) | ServiceError::NotActive { .. } => Self::not_found(text),
            ServiceError::BadRequest(text) => Self::bad_request(text),
            ServiceError::AlreadyActive(_) | ServiceError::ClusterGoes(_) => {
                Self::problem(StatusCode::CONFLICT, text)
            }
            ServiceError::Invalid { detail, problems } => {
                Self::Problem { status: StatusCode::UNPROCESSABLE_ENTITY, detail, violations: problems }
            }
            ServiceError::Secrets(error) => error.into(),
            ServiceError::Engine(text) => {
                Self::problem(StatusCode::SERVICE_UNAVAILABLE, format!("{text}; try again later"))
            }
            ServiceError::Storage(error) => Self::Internal(chain(&error)),
        }
    }
}
