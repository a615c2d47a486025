//! `/api/v1/orgs/{organization}/clusters`: the clusters of an organization.

use axum::extract::State;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Shared;
use super::answer::{Answer, ok};
use super::call::{ClusterCall, OrganizationCall};
use crate::Cluster;
use crate::storage_error::wire_time;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ClusterWire {
    id: i64,
    name: String,
    status: &'static str,
    status_message: String,
    cloud: String,
    distribution: String,
    location: String,
    version: String,
    spot: bool,
    logging: bool,
    monitoring: bool,
    securityscan: bool,
    oidc: Value,
    node_pools: Map<String, Value>,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<String>,
    creator_name: String,
    creator_id: i64,
}

impl From<Cluster> for ClusterWire {
    fn from(cluster: Cluster) -> Self {
        Self {
            id: cluster.id,
            name: cluster.name,
            status: cluster.status.name(),
            status_message: cluster.status_message,
            cloud: cluster.cloud,
            distribution: cluster.distribution,
            location: cluster.location,
            version: cluster.version,
            spot: false,
            logging: false,
            monitoring: false,
            securityscan: false,
            oidc: json!({"enabled": false}),
            node_pools: Map::new(),
            created_at: wire_time(cluster.created_at),
            started_at: cluster.started_at.map(wire_time),
            creator_name: cluster.creator_name,
            creator_id: cluster.creator_id,
        }
    }
}

/// `GET …/clusters`.
pub(super) async fn list(State(shared): State<Shared>, call: OrganizationCall) -> Answer {
    let clusters = shared.plane.list_clusters(call.organization.id).await?;
    ok(&clusters.into_iter().map(ClusterWire::from).collect::<Vec<_>>())
}

/// `GET …/clusters/{cluster}`.
pub(super) async fn get(call: ClusterCall) -> Answer {
    ok(&ClusterWire::from(call.cluster))
}
