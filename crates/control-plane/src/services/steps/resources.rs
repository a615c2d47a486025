//! The custom resources in the cluster: their definitions, and the whitelist items of the spec.

use std::time::Duration;

use admission::WhiteListItem;
use admission::crd::API_VERSION;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, ListParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;

use crate::services::attempt::{Attempt, StepError, of_cluster};
use crate::services::validation::Spec;

/// Says that an object is ours; who takes the label away takes the object over.
pub(super) const OWNER_LABEL: &str = "security.banzaicloud.com/managed-by";
pub(super) const OWNER: &str = "security-scan-service";
/// Who made the item, as it has always been said.
const CREATOR: &str = "pipeline";
/// For lists of thousands of objects.
const LIST_TIME: Duration = Duration::from_secs(60);

impl Attempt {
    /// A client of the cluster, when its API server answers.
    pub(in crate::services) async fn reach_cluster(&mut self) -> Result<Client, StepError> {
        let client = self.plane.kubernetes(self.require_cluster()?).await?;
        let version = client.apiserver_version().await.map_err(of_cluster("ask the cluster"))?;
        self.notes.push(format!("Kubernetes {}", version.git_version));
        Ok(client)
    }

    /// Applies the definitions and waits until they are served.
    pub(in crate::services) async fn put_definitions(&mut self, client: &Client) -> Result<(), StepError> {
        if !self.inventory.has_definitions {
            self.inventory.has_definitions = true;
            self.save().await?;
        }
        Ok(admission::install::install_definitions(client).await?)
    }

    /// Removes the definitions, with every whitelist item and audit.
    pub(in crate::services) async fn remove_definitions(&mut self, client: &Client) -> Result<(), StepError> {
        let api: Api<CustomResourceDefinition> = Api::all(client.clone());
        for definition in admission::crd::definitions() {
            gone(api.delete(&definition.name_any(), &DeleteParams::background()).await.map(drop))
                .map_err(of_cluster("remove a definition"))?;
        }
        self.inventory.has_definitions = false;
        self.save().await
    }

    /// Applies the items of the spec, and removes ours that are no longer in it. Those of others are theirs.
    pub(in crate::services) async fn put_white_list(
        &mut self,
        client: &Client,
        spec: &Spec,
    ) -> Result<(), StepError> {
        if spec.white_list.is_empty() && !self.inventory.has_items {
            return Ok(());
        }
        if !self.inventory.has_items {
            self.inventory.has_items = true;
            self.save().await?;
        }
        let api: Api<WhiteListItem> = Api::all(client.clone());
        let there = list(&api, &ListParams::default()).await?;
        for item in &spec.white_list {
            let found = there.iter().find(|found| found.metadata.name.as_deref() == Some(&item.name));
            if found.is_some_and(|found| !is_ours(found)) {
                self.notes.push(format!(
                    "whitelist item `{}` was there already, by somebody else, and is left as it is",
                    item.name
                ));
                continue;
            }
            let mut body = json!({ "creator": CREATOR, "reason": item.reason });
            if let Some(regexp) = &item.regexp {
                body["regexp"] = json!(regexp);
            }
            let object = json!({
                "apiVersion": API_VERSION, "kind": "WhiteListItem",
                "metadata": { "name": item.name, "labels": { OWNER_LABEL: OWNER } },
                "spec": body,
            });
            admission::install::apply(client, &object).await?;
        }
        for former in there.iter().filter(|found| is_ours(found)) {
            let name = former.metadata.name.as_deref().unwrap_or_default();
            if !spec.white_list.iter().any(|item| item.name == name) {
                gone(api.delete(name, &DeleteParams::default()).await.map(drop))
                    .map_err(of_cluster("remove a whitelist item"))?;
            }
        }
        if spec.white_list.is_empty() {
            self.inventory.has_items = false;
            self.save().await?;
        }
        Ok(())
    }

    /// Removes the items of the spec.
    pub(in crate::services) async fn remove_white_list(&mut self, client: &Client) -> Result<(), StepError> {
        if !self.inventory.has_items {
            return Ok(());
        }
        let api: Api<WhiteListItem> = Api::all(client.clone());
        let ours = ListParams::default().labels(&format!("{OWNER_LABEL}={OWNER}"));
        for item in list(&api, &ours).await? {
            let name = item.metadata.name.as_deref().unwrap_or_default();
            gone(api.delete(name, &DeleteParams::default()).await.map(drop))
                .map_err(of_cluster("remove a whitelist item"))?;
        }
        self.inventory.has_items = false;
        self.save().await
    }
}

fn is_ours(item: &WhiteListItem) -> bool {
    let labels = item.metadata.labels.as_ref();
    labels.and_then(|labels| labels.get(OWNER_LABEL)).is_some_and(|owner| owner == OWNER)
}

async fn list(api: &Api<WhiteListItem>, which: &ListParams) -> Result<Vec<WhiteListItem>, StepError> {
    let listed = tokio::time::timeout(LIST_TIME, api.list(which)).await;
    let listed =
        listed.map_err(|_| StepError::Transient("whitelist items cannot be listed in time".to_owned()))?;
    match listed {
        Ok(list) => Ok(list.items),
        // Without the definition there are no items.
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Vec::new()),
        Err(error) => Err(of_cluster("list whitelist items")(error)),
    }
}

/// What is gone already is fine.
pub(super) fn gone(removed: Result<(), kube::Error>) -> Result<(), kube::Error> {
    match removed {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        other => other,
    }
}
