//! `/api/v1/orgs/{organization}/clusters`: the clusters of an organization.

use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Shared;
use super::answer::{Answer, ApiError, ok, with_status};
use super::call::{ClusterCall, OrganizationCall, read_json};
use crate::storage_error::{chain, wire_time};
use crate::{
    Cluster, ClusterError, DeleteError, ImportError, Imported, KubeconfigError, NewCluster, SecretId,
};

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
    let scanned = shared.plane.scanned_clusters(call.organization.id).await?;
    let wire = |cluster: Cluster| {
        let securityscan = scanned.contains(&cluster.id);
        ClusterWire { securityscan, ..cluster.into() }
    };
    ok(&clusters.into_iter().map(wire).collect::<Vec<_>>())
}

/// `GET …/clusters/{cluster}`.
pub(super) async fn get(State(shared): State<Shared>, call: ClusterCall) -> Answer {
    let scanned = shared.plane.scanned_clusters(call.cluster.organization_id).await?;
    let securityscan = scanned.contains(&call.cluster.id);
    ok(&ClusterWire { securityscan, ..call.cluster.into() })
}

/// What clients send to import a cluster; `properties` says nothing about a cluster that is there already.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewClusterWire {
    #[serde(default)]
    name: String,
    #[serde(default, alias = "secret_id")]
    secret_id: Option<String>,
    /// The older way to name the secret.
    #[serde(default, alias = "secret_name")]
    secret_name: Option<String>,
    #[serde(default)]
    cloud: Option<String>,
    #[serde(default)]
    location: Option<String>,
}

#[derive(Serialize)]
struct ImportedWire {
    name: String,
    id: i64,
}

/// `POST …/clusters`.
pub(super) async fn create(State(shared): State<Shared>, call: OrganizationCall, request: Request) -> Answer {
    let NewClusterWire { name, secret_id, secret_name, cloud, location } = read_json(request).await?;
    let secret_id = match (secret_id.filter(|id| !id.is_empty()), secret_name) {
        (Some(id), _) => id,
        (None, Some(name)) if !name.is_empty() => SecretId::of_name(&name).to_string(),
        (None, _) => String::new(),
    };
    let new = NewCluster {
        name,
        secret_id,
        cloud: cloud.unwrap_or_default(),
        location: location.unwrap_or_default(),
    };
    let imported = shared.plane.import_cluster(call.organization.id, &call.user, &new).await?;
    let (status, cluster) = match imported {
        Imported::New(cluster) => (StatusCode::ACCEPTED, cluster),
        Imported::Already(cluster) => (StatusCode::CREATED, cluster),
    };
    with_status(status, &ImportedWire { name: cluster.name, id: cluster.id })
}

/// `GET …/clusters/{cluster}/config`.
pub(super) async fn config(State(shared): State<Shared>, call: ClusterCall, headers: HeaderMap) -> Answer {
    let kubeconfig = shared.plane.cluster_kubeconfig(&call.cluster).await?;
    let text = kubeconfig.to_yaml().map_err(ClusterError::Kubeconfig)?;
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // Whoever takes both gets JSON, as clients that name nothing do.
    if accept.contains("text/plain") && !accept.contains("json") {
        return Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response());
    }
    ok(&json!({"status": 200, "data": text}))
}

#[derive(Deserialize)]
pub(super) struct DeleteParameters {
    #[serde(default)]
    force: bool,
}

/// `DELETE …/clusters/{cluster}`.
pub(super) async fn delete(
    State(shared): State<Shared>,
    call: ClusterCall,
    parameters: Result<Query<DeleteParameters>, axum::extract::rejection::QueryRejection>,
) -> Answer {
    let Query(DeleteParameters { force }) =
        parameters.map_err(|_| ApiError::bad_request("`force` is `true` or `false`"))?;
    shared.plane.delete_cluster(&call.cluster, &call.user, force).await?;
    Ok(StatusCode::ACCEPTED.into_response())
}

impl From<ImportError> for ApiError {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Invalid(text) => {
                Self::legacy(StatusCode::BAD_REQUEST, "Error parsing request", text)
            }
            ImportError::Exists(_) => {
                Self::legacy(StatusCode::CONFLICT, error.to_string(), "cluster already exists with this name")
            }
            ImportError::Access(error) => error.into(),
            ImportError::Storage(error) => error.into(),
        }
    }
}

impl From<DeleteError> for ApiError {
    fn from(error: DeleteError) -> Self {
        match error {
            DeleteError::NotReady { .. } => Self::problem(StatusCode::CONFLICT, error.to_string()),
            DeleteError::Service(error) => error.into(),
            DeleteError::Storage(error) => error.into(),
        }
    }
}

impl From<ClusterError> for ApiError {
    fn from(error: ClusterError) -> Self {
        let text = error.text();
        match error {
            ClusterError::NoSecret(_) | ClusterError::WrongSecret(_) | ClusterError::Client(_) => {
                Self::legacy(StatusCode::BAD_REQUEST, text.clone(), text)
            }
            ClusterError::Kubeconfig(error) => error.into(),
            // The cause is for the log of whoever asks for it; the text has what people need.
            ClusterError::Unreachable { cluster, problem, .. } => Self::legacy(
                StatusCode::BAD_GATEWAY,
                format!("cluster `{cluster}` {problem}"),
                "the cluster did not answer as it should",
            ),
            ClusterError::TooMuch { .. } => {
                Self::legacy(StatusCode::UNPROCESSABLE_ENTITY, text.clone(), text)
            }
            ClusterError::Secrets(error) => error.into(),
            ClusterError::Storage(error) => error.into(),
        }
    }
}

impl From<KubeconfigError> for ApiError {
    fn from(error: KubeconfigError) -> Self {
        Self::legacy(StatusCode::BAD_REQUEST, chain(&error), "the kubeconfig is not used")
    }
}
