//! `/api/v1/orgs/{organization}/clusters/{cluster}/namespaces`.

use axum::extract::State;
use serde::Serialize;

use super::Shared;
use super::answer::{Answer, ok};
use super::call::ClusterCall;

#[derive(Serialize)]
struct NamespacesWire {
    namespaces: Vec<NamespaceWire>,
}

#[derive(Serialize)]
struct NamespaceWire {
    name: String,
}

/// `GET …/namespaces`.
pub(super) async fn list(State(shared): State<Shared>, call: ClusterCall) -> Answer {
    let names = shared.plane.list_namespaces(&call.cluster).await?;
    ok(&NamespacesWire { namespaces: names.into_iter().map(|name| NamespaceWire { name }).collect() })
}
