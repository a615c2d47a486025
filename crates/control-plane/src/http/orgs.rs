//! `/api/v1/orgs`: the organizations of the caller.

use axum::extract::State;
use serde::Serialize;

use super::Shared;
use super::answer::{Answer, ok};
use super::call::{Caller, OrganizationCall};
use crate::Organization;
use crate::storage_error::wire_time;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OrganizationWire {
    id: i64,
    created_at: String,
    updated_at: String,
    name: String,
    provider: String,
    normalized_name: String,
}

impl From<Organization> for OrganizationWire {
    fn from(organization: Organization) -> Self {
        Self {
            id: organization.id,
            created_at: wire_time(organization.created_at),
            updated_at: wire_time(organization.updated_at),
            normalized_name: organization.name.to_lowercase(),
            name: organization.name,
            provider: organization.provider,
        }
    }
}

/// `GET /api/v1/orgs`.
pub(super) async fn list(State(shared): State<Shared>, Caller { user }: Caller) -> Answer {
    let organizations = match user.confined_to {
        Some((organization, _)) => vec![organization],
        None => shared.plane.list_organizations(user.id).await?,
    };
    ok(&organizations.into_iter().map(OrganizationWire::from).collect::<Vec<_>>())
}

/// `GET /api/v1/orgs/{organization}`.
pub(super) async fn get(call: OrganizationCall) -> Answer {
    ok(&OrganizationWire::from(call.organization))
}
