//! `/api/v1/orgs/{organization}/processes`: what was done about clusters and services.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use serde::{Deserialize, Serialize};

use super::Shared;
use super::answer::{Answer, ApiError, ok};
use super::call::OrganizationCall;
use crate::storage_error::wire_time;
use crate::{Process, ProcessError, ProcessEvent, ProcessFilter, ProcessStatus};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProcessWire {
    id: String,
    parent_id: String,
    org_id: i64,
    #[serde(rename = "type")]
    kind: String,
    log: String,
    resource_id: String,
    resource_type: &'static str,
    status: &'static str,
    started_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<String>,
    events: Vec<EventWire>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EventWire {
    id: i64,
    process_id: String,
    #[serde(rename = "type")]
    kind: String,
    log: String,
    status: String,
    timestamp: String,
}

impl From<Process> for ProcessWire {
    fn from(process: Process) -> Self {
        let Process {
            id,
            parent_id,
            organization_id,
            cluster_id,
            kind,
            status,
            log,
            started_at,
            finished_at,
            events,
        } = process;
        let event = |event: ProcessEvent| EventWire {
            id: event.position,
            process_id: id.clone(),
            kind: event.kind,
            log: event.log,
            status: event.status,
            timestamp: wire_time(event.timestamp),
        };
        let events = events.into_iter().map(event).collect();
        Self {
            id,
            parent_id,
            org_id: organization_id,
            kind,
            log,
            resource_id: cluster_id.to_string(),
            resource_type: RESOURCE,
            status: status.name(),
            started_at: wire_time(started_at),
            finished_at: finished_at.map(wire_time),
            events,
        }
    }
}

/// What all processes are about.
const RESOURCE: &str = "cluster";

/// Which processes.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ProcessQuery {
    status: String,
    #[serde(rename = "type")]
    kind: String,
    resource_type: String,
    resource_id: String,
}

/// `GET …/processes`.
pub(super) async fn list(
    State(shared): State<Shared>,
    call: OrganizationCall,
    query: Result<Query<ProcessQuery>, axum::extract::rejection::QueryRejection>,
) -> Answer {
    let Query(query) = query.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let Some(filter) = read_filter(query)? else { return ok(&[(); 0]) };
    let processes = shared.plane.list_processes(call.organization.id, &filter).await?;
    ok(&processes.into_iter().map(ProcessWire::from).collect::<Vec<_>>())
}

/// `None`: nothing can fit.
fn read_filter(query: ProcessQuery) -> Result<Option<ProcessFilter>, ApiError> {
    let ProcessQuery { status, kind, resource_type, resource_id } = query;
    let status = match status.as_str() {
        "" => None,
        word => Some(ProcessStatus::from_name(word).ok_or_else(|| {
            ApiError::bad_request("`status` is `running`, `failed`, `finished` or `canceled`")
        })?),
    };
    if !resource_type.is_empty() && resource_type != RESOURCE {
        return Ok(None);
    }
    let cluster = match resource_id.as_str() {
        "" => None,
        text => match text.parse::<i64>() {
            Ok(id) if id > 0 => Some(id),
            _ => return Ok(None),
        },
    };
    Ok(Some(ProcessFilter { status, kind: Some(kind).filter(|kind| !kind.is_empty()), cluster }))
}

/// The process of the path.
#[derive(Deserialize)]
pub(super) struct ProcessPath {
    id: String,
}

/// `GET …/processes/{id}`.
pub(super) async fn get(
    State(shared): State<Shared>,
    call: OrganizationCall,
    Path(ProcessPath { id }): Path<ProcessPath>,
) -> Answer {
    let process = shared.plane.get_process(call.organization.id, &id).await?;
    ok(&ProcessWire::from(process))
}

/// `POST …/processes/{id}/cancel`.
pub(super) async fn cancel(
    State(shared): State<Shared>,
    call: OrganizationCall,
    Path(ProcessPath { id }): Path<ProcessPath>,
) -> Answer {
    shared.plane.cancel_process(call.organization.id, &id, &call.user).await?;
    Ok(StatusCode::ACCEPTED.into_response())
}

impl From<ProcessError> for ApiError {
    fn from(error: ProcessError) -> Self {
        match error {
            ProcessError::NotFound(_) => Self::not_found(error.to_string()),
            ProcessError::Ended { .. } | ProcessError::NotCancelable(_) => {
                Self::problem(StatusCode::CONFLICT, error.to_string())
            }
            ProcessError::Storage(error) => error.into(),
        }
    }
}
