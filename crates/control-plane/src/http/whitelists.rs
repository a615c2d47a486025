//! `/api/v1/orgs/{organization}/clusters/{cluster}/whitelists`: which releases are exempt.

use admission::WhiteListItemSpec;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use serde::{Deserialize, Serialize};

use super::Shared;
use super::answer::{Answer, ApiError, ok};
use super::call::{ClusterCall, read_json};
use crate::{NewWhitelistItem, WhitelistError, WhitelistRecord};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ItemWire {
    #[serde(default)]
    name: String,
    #[serde(default)]
    owner: String,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    regexp: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    namespaces: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

impl From<WhitelistRecord> for ItemWire {
    fn from(record: WhitelistRecord) -> Self {
        let WhitelistRecord { name, spec } = record;
        let WhiteListItemSpec { reason, creator, regexp, namespaces, expires_at } = spec;
        Self {
            name,
            owner: creator,
            reason: Some(reason),
            regexp,
            namespaces: (!namespaces.is_empty()).then_some(namespaces),
            expires_at,
        }
    }
}

/// `GET …/whitelists`.
pub(super) async fn list(State(shared): State<Shared>, call: ClusterCall) -> Answer {
    let records = shared.plane.list_whitelist(&call.cluster).await?;
    ok(&records.into_iter().map(ItemWire::from).collect::<Vec<_>>())
}

/// `POST …/whitelists`.
pub(super) async fn create(State(shared): State<Shared>, call: ClusterCall, request: Request) -> Answer {
    let ItemWire { name, owner, reason, regexp, namespaces, expires_at } = read_json(request).await?;
    for (key, value) in [("name", &name), ("owner", &owner)] {
        if value.is_empty() {
            return Err(ApiError::legacy(
                StatusCode::BAD_REQUEST,
                "Error parsing request",
                format!("`{key}` is required"),
            ));
        }
    }
    let item = NewWhitelistItem {
        name,
        spec: WhiteListItemSpec {
            reason: reason.unwrap_or_default(),
            creator: owner,
            regexp: regexp.filter(|regexp| !regexp.is_empty()),
            namespaces: namespaces.unwrap_or_default(),
            expires_at: expires_at.filter(|time| !time.is_empty()),
        },
    };
    shared.plane.add_whitelist_item(&call.cluster, item).await?;
    Ok(StatusCode::CREATED.into_response())
}

/// The item of the path.
#[derive(Deserialize)]
pub(super) struct ItemPath {
    name: String,
}

/// `DELETE …/whitelists/{name}`.
pub(super) async fn delete(
    State(shared): State<Shared>,
    call: ClusterCall,
    Path(ItemPath { name }): Path<ItemPath>,
) -> Answer {
    shared.plane.delete_whitelist_item(&call.cluster, &name).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

impl From<WhitelistError> for ApiError {
    fn from(error: WhitelistError) -> Self {
        let status = match &error {
            WhitelistError::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            WhitelistError::Exists(_) | WhitelistError::NoWhitelist(_) => StatusCode::CONFLICT,
            WhitelistError::NotFound(_) => StatusCode::NOT_FOUND,
            WhitelistError::Cluster(_) => StatusCode::BAD_GATEWAY,
        };
        match error {
            WhitelistError::Cluster(error) => error.into(),
            error => Self::legacy(status, error.to_string(), "the whitelist is as it was"),
        }
    }
}
