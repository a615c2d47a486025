//! The custom resources in the cluster: their definitions, and the whitelist items of the spec.

use std::collections::BTreeMap;

use admission::WhiteListItem;
use admission::crd::API_VERSION;
use futures_util::FutureExt as _;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, ListParams, PartialObjectMeta};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;

use crate::security::listing::{ListError, Page, list};
use crate::services::attempt::{Attempt, StepError, of_cluster, of_list};
use crate::services::validation::Spec;

/// Says that an object is ours; who takes the label away takes the object over.
pub(super) const OWNER_LABEL: &str = "security.banzaicloud.com/managed-by";
pub(super) const OWNER: &str = "security-scan-service";
/// Who made the item, as it has always been said.
const CREATOR: &str = "pipeline";

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
        let there = self.items_there(&api, ListParams::default()).await?;
        for item in &spec.white_list {
            if there.get(&item.name) == Some(&false) {
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
            let mut object = json!({
                "apiVersion": API_VERSION, "kind": "WhiteListItem",
                "metadata": { "name": item.name, "labels": { OWNER_LABEL: OWNER } },
                "spec": body,
            });
            self.sign(&mut object)?;
            admission::install::apply(client, &object).await?;
        }
        for name in there.iter().filter(|(_, is_ours)| **is_ours).map(|(name, _)| name) {
            if !spec.white_list.iter().any(|item| item.name == *name) {
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
        for name in self.items_there(&api, ours).await?.into_keys() {
            gone(api.delete(&name, &DeleteParams::default()).await.map(drop))
                .map_err(of_cluster("remove a whitelist item"))?;
        }
        self.inventory.has_items = false;
        self.save().await
    }

    /// Names of whitelist items, and whether they are ours.
    async fn items_there(
        &self,
        api: &Api<WhiteListItem>,
        which: ListParams,
    ) -> Result<BTreeMap<String, bool>, StepError> {
        let api = api.clone();
        let page = move |selection: ListParams| -> Page<PartialObjectMeta<WhiteListItem>> {
            let api = api.clone();
            async move { api.list_metadata(&selection).await }.boxed()
        };
        let read = |item: PartialObjectMeta<WhiteListItem>| {
            let owner = item.metadata.labels.as_ref().and_then(|labels| labels.get(OWNER_LABEL));
            let is_ours = owner.is_some_and(|owner| owner == OWNER);
            Some((item.metadata.name?, is_ours))
        };
        match list(self.require_cluster()?, "whitelist items", which, page, read).await {
            Ok(items) => Ok(items.into_iter().collect()),
            // Without the definition there are no items.
            Err(ListError::Absent(_)) => Ok(BTreeMap::new()),
            Err(error) => Err(of_list(error)),
        }
    }
}

/// What is gone already is fine.
pub(super) fn gone(removed: Result<(), kube::Error>) -> Result<(), kube::Error> {
    match removed {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        other => other,
    }
}
