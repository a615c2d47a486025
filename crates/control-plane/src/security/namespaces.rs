//! The namespaces of a cluster.

use futures_util::FutureExt as _;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::ListParams;
use kube::core::PartialObjectMeta;

use super::listing::{Page, list};
use crate::{Cluster, ClusterError, ControlPlane};

impl ControlPlane {
    /// The names of the namespaces of a cluster.
    pub async fn list_namespaces(&self, cluster: &Cluster) -> Result<Vec<String>, ClusterError> {
        let api: Api<Namespace> = Api::all(self.kubernetes(cluster).await?);
        let page = move |params: ListParams| -> Page<PartialObjectMeta<Namespace>> {
            let api = api.clone();
            async move { api.list_metadata(&params).await }.boxed()
        };
        Ok(list(cluster, "namespaces", ListParams::default(), page, |object| object.metadata.name).await?)
    }
}
