//! The label `scan` of namespaces: which are asked about and which are not. What was there before is put back in the end.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use admission::manifests::{SCAN_LABEL, SYSTEM_NAMESPACES};
use futures_util::FutureExt as _;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ListParams, PartialObjectMeta, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::json;

use crate::security::listing::{Page, list};
use crate::services::attempt::{Attempt, StepError, of_cluster, of_list};
use crate::services::validation::Enforcement;

const SCAN: &str = "scan";
const NO_SCAN: &str = "noscan";
const PROTECTED: &str = SYSTEM_NAMESPACES[0];

impl Attempt {
    /// Labels the namespaces, the protected ones first; labels that say something else go.
    pub(in crate::services) async fn label_namespaces(
        &mut self,
        client: &Client,
        enforcement: &Enforcement,
    ) -> Result<(), StepError> {
        if *enforcement == Enforcement::Off {
            return self.restore_namespaces(client).await;
        }
        let api: Api<Namespace> = Api::all(client.clone());
        let labels = self.scan_labels(&api).await?;
        let own = self.plane.settings.services.namespace.clone();
        let (chosen, label) = match enforcement {
            Enforcement::Off | Enforcement::Everywhere => (&[][..], SCAN),
            Enforcement::Only(names) => (names.as_slice(), SCAN),
            Enforcement::AllBut(names) => (names.as_slice(), NO_SCAN),
        };
        for name in chosen.iter().filter(|name| !labels.contains_key(*name)) {
            self.notes.push(format!("there is no namespace `{name}`"));
        }
        let wanted = |name: &str| match name {
            _ if name == PROTECTED || name == own => Some(NO_SCAN),
            _ if chosen.iter().any(|chosen| chosen == name) => Some(label),
            _ => None,
        };
        // Protected ones first, then what opens a namespace up, then what closes one.
        let mut changes: Vec<(&String, Option<&'static str>)> = labels
            .iter()
            .map(|(name, found)| (name, found, wanted(name)))
            .filter(|(_, found, wanted)| found.as_deref() != *wanted)
            .map(|(name, _, wanted)| (name, wanted))
            .collect();
        changes.sort_by_key(|(name, wanted)| (!(*name == PROTECTED || **name == own), *wanted == Some(SCAN)));
        for (name, _) in &changes {
            let found = labels.get(*name).cloned().flatten();
            let is_as_we_left_it = self.inventory.labels_set.get(*name).is_none_or(|set| *set == found);
            match self.inventory.namespaces.entry((*name).clone()) {
                Entry::Vacant(entry) => drop(entry.insert(found)),
                // People have changed it since: that is what they want back.
                Entry::Occupied(mut entry) if !is_as_we_left_it => drop(entry.insert(found)),
                Entry::Occupied(_) => {}
            }
        }
        self.inventory
            .labels_set
            .extend(changes.iter().map(|(name, wanted)| ((*name).clone(), wanted.map(str::to_owned))));
        self.save().await?;
        for (name, wanted) in changes {
            label_namespace(&api, name, wanted).await?;
        }
        Ok(())
    }

    /// Gives every namespace the label back that it had, unless somebody has changed it meanwhile.
    pub(in crate::services) async fn restore_namespaces(&mut self, client: &Client) -> Result<(), StepError> {
        if self.inventory.namespaces.is_empty() {
            return Ok(());
        }
        let api: Api<Namespace> = Api::all(client.clone());
        let labels = self.scan_labels(&api).await?;
        for (name, former) in self.inventory.namespaces.clone() {
            // Gone with its label.
            let Some(found) = labels.get(&name) else { continue };
            if self.inventory.labels_set.get(&name).is_some_and(|set| set != found) {
                let found = found.as_deref().unwrap_or("none");
                self.notes.push(format!(
                    "namespace `{name}` keeps the label `{found}` that somebody gave it since"
                ));
            } else if *found != former {
                label_namespace(&api, &name, former.as_deref()).await?;
            }
        }
        self.inventory.namespaces.clear();
        self.inventory.labels_set.clear();
        self.save().await
    }

    async fn scan_labels(&self, api: &Api<Namespace>) -> Result<BTreeMap<String, Option<String>>, StepError> {
        let api = api.clone();
        let page = move |selection: ListParams| -> Page<PartialObjectMeta<Namespace>> {
            let api = api.clone();
            async move { api.list_metadata(&selection).await }.boxed()
        };
        let label = |namespace: PartialObjectMeta<Namespace>| {
            let label = namespace.metadata.labels.as_ref().and_then(|labels| labels.get(SCAN_LABEL)).cloned();
            Some((namespace.metadata.name?, label))
        };
        let listed = list(self.require_cluster()?, "namespaces", ListParams::default(), page, label).await;
        Ok(listed.map_err(of_list)?.into_iter().collect())
    }
}

async fn label_namespace(api: &Api<Namespace>, name: &str, label: Option<&str>) -> Result<(), StepError> {
    let patch = json!({ "metadata": { "labels": { SCAN_LABEL: label } } });
    let patched = api.patch_metadata(name, &PatchParams::default(), &Patch::Merge(&patch)).await;
    super::resources::gone(patched.map(drop)).map_err(of_cluster(&format!("label the namespace `{name}`")))
}
