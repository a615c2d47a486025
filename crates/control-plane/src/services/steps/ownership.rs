//! Whose a cluster is. The same cluster may be imported twice, here or by several installations: two services would label, apply
//! and remove the same objects. The first one says so at `kube-system`, before it changes anything, and the others are refused.

use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use admission::manifests::DEFAULT_NAME;

use crate::StorageError;
use crate::services::SECURITY_SCAN;
use crate::services::attempt::{Attempt, StepError, of_cluster};

/// On every object that a service applies, and as an annotation at the namespace that every cluster has: `INSTALLATION.CLUSTER`.
pub(super) const SERVICE_LABEL: &str = "security.banzaicloud.com/security-scan-service";
/// Its uid is the cluster's identity, whatever kubeconfig leads to it.
const ANCHOR: &str = "kube-system";

impl Attempt {
    /// Makes the cluster ours. Errors: it is another service's.
    pub(in crate::services) async fn claim_cluster(&mut self, client: &Client) -> Result<(), StepError> {
        let anchor = self.recognize_cluster(client).await?;
        let configurations: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
        let configuration = configurations
            .get_metadata_opt(DEFAULT_NAME)
            .await
            .map_err(of_cluster("look for a webhook of somebody else"))?;
        let owner = self.service_mark()?;
        let marks = [
            anchor.annotations.as_ref().and_then(|annotations| annotations.get(SERVICE_LABEL)),
            configuration
                .as_ref()
                .and_then(|configuration| configuration.metadata.labels.as_ref())
                .and_then(|labels| labels.get(SERVICE_LABEL)),
        ];
        for mark in marks.into_iter().flatten().filter(|mark| **mark != owner) {
            self.refuse_living_owner(mark).await?;
        }
        if marks[0] == Some(&owner) && self.inventory.cluster_identity.is_some() {
            return Ok(());
        }
        self.inventory.cluster_identity = anchor.uid.clone();
        self.save().await?;
        mark_anchor(client, &anchor, Some(&owner)).await.map_err(of_cluster("claim the cluster"))
    }

    /// The namespace that identifies the cluster. In another cluster than before there is nothing of ours.
    pub(in crate::services) async fn recognize_cluster(
        &mut self,
        client: &Client,
    ) -> Result<ObjectMeta, StepError> {
        let api: Api<Namespace> = Api::all(client.clone());
        let anchor = api.get_metadata(ANCHOR).await.map_err(of_cluster("recognize the cluster"))?.metadata;
        if self.inventory.cluster_identity.is_some() && self.inventory.cluster_identity != anchor.uid {
            self.notes.push(
                "the kubeconfig leads to another cluster than before: what is in the former one stays there"
                    .to_owned(),
            );
            self.inventory.forget_cluster();
            self.save().await?;
        }
        Ok(anchor)
    }

    /// Leaves the cluster to whoever wants it next.
    pub(in crate::services) async fn release_cluster(&mut self, client: &Client) -> Result<(), StepError> {
        if self.inventory.cluster_identity.is_none() {
            return Ok(());
        }
        let api: Api<Namespace> = Api::all(client.clone());
        let anchor = api.get_metadata(ANCHOR).await.map_err(of_cluster("release the cluster"))?.metadata;
        let mark = anchor.annotations.as_ref().and_then(|annotations| annotations.get(SERVICE_LABEL));
        if mark == Some(&self.service_mark()?) {
            mark_anchor(client, &anchor, None).await.map_err(of_cluster("release the cluster"))?;
        }
        self.inventory.cluster_identity = None;
        self.save().await
    }

    /// Says on an object whose it is.
    pub(super) fn sign(&self, object: &mut Value) -> Result<(), StepError> {
        object["metadata"]["labels"][SERVICE_LABEL] = Value::from(self.service_mark()?);
        Ok(())
    }

    fn service_mark(&self) -> Result<String, StepError> {
        let cluster = self.require_cluster()?;
        Ok(format!("{}.{}", self.plane.installation.id(), cluster.uid))
    }

    async fn refuse_living_owner(&mut self, mark: &str) -> Result<(), StepError> {
        let (installation, cluster) = mark.split_once('.').unwrap_or((mark, ""));
        if installation != self.plane.installation.id() {
            return Err(StepError::Final(format!(
                "the security scan service of another installation looks after this cluster (`{SERVICE_LABEL}: {mark}`): \
                 deactivate it there. If that installation is gone, remove the annotation from the namespace {ANCHOR} and the \
                 label from the ValidatingWebhookConfiguration {DEFAULT_NAME}"
            )));
        }
        let is_alive: bool = storage::query(
            "SELECT EXISTS (SELECT 1 FROM plane_services services \
             JOIN plane_clusters clusters ON clusters.id = services.cluster_id \
             WHERE clusters.uid = $1 AND services.name = $2)",
        )
        .bind(cluster)
        .bind(SECURITY_SCAN)
        .fetch_value(&self.plane.storage)
        .await
        .map_err(StorageError::at("look for the owner of a cluster"))?;
        if is_alive {
            return Err(StepError::Final(
                "the same Kubernetes cluster was imported more than once, and the security scan service is active in it \
                 already under another name or in another organization: deactivate it there first"
                    .to_owned(),
            ));
        }
        self.notes.push("taken over from a service whose cluster was deleted with force".to_owned());
        Ok(())
    }
}

/// Who was faster is not overwritten: the version of what was read goes with the change.
async fn mark_anchor(client: &Client, anchor: &ObjectMeta, mark: Option<&str>) -> Result<(), kube::Error> {
    let api: Api<Namespace> = Api::all(client.clone());
    let patch = json!({ "metadata": {
        "resourceVersion": anchor.resource_version, "annotations": { SERVICE_LABEL: mark },
    } });
    api.patch_metadata(ANCHOR, &PatchParams::default(), &Patch::Merge(&patch)).await.map(drop)
}
