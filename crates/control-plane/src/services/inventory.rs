//! What a service has put into engines and its cluster, so that exactly this can be taken away again. Written before the thing
//! itself, so that nothing is ever there that is not in it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::validation::WebhookPlace;
use crate::engines::EngineChoice;

/// Everything that one service put somewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Inventory {
    /// The engine in use.
    pub(crate) engine: Option<EngineInventory>,
    /// Engines that were in use before and are not cleaned up yet.
    pub(crate) former_engines: Vec<EngineInventory>,
    /// Whether there may be whitelist items of ours.
    pub(crate) has_items: bool,
    /// Whether the definitions of the custom resources were applied.
    pub(crate) has_definitions: bool,
    /// Uid of the namespace `kube-system` of the cluster that everything below is in; set when the cluster was claimed.
    pub(crate) cluster_identity: Option<String>,
    /// Namespaces whose label `scan` was changed, with what it was before.
    pub(crate) namespaces: BTreeMap<String, Option<String>>,
    /// What it was changed to: what says something else now was changed by people since.
    pub(crate) labels_set: BTreeMap<String, Option<String>>,
    /// Objects in the cluster, in the order in which they were applied.
    pub(crate) objects: Vec<ObjectName>,
    /// Where the webhook runs, if there is one.
    pub(crate) webhook: Option<WebhookPlace>,
    /// The engine that the live webhook asks: the one in use may be another one that is still being prepared.
    pub(crate) webhook_engine: Option<EngineChoice>,
}

/// What was put into one engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EngineInventory {
    pub(crate) choice: EngineChoice,
    /// Bundles that were not there before.
    #[serde(default)]
    pub(crate) bundles: BTreeSet<String>,
    /// Those of them that are copies of the administrator's.
    #[serde(default)]
    pub(crate) copied: BTreeSet<String>,
    #[serde(default)]
    pub(crate) registries: BTreeSet<String>,
    /// The bundle that was active before ours; only for foreign engines, where it is put back.
    #[serde(default)]
    pub(crate) former_policy: Option<String>,
    /// The bundle that we made active.
    #[serde(default)]
    pub(crate) policy: Option<String>,
}

impl EngineInventory {
    pub(crate) fn new(choice: EngineChoice) -> Self {
        Self {
            choice,
            bundles: BTreeSet::new(),
            copied: BTreeSet::new(),
            registries: BTreeSet::new(),
            former_policy: None,
            policy: None,
        }
    }
}

/// Which object it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct ObjectName {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) namespace: Option<String>,
    pub(crate) name: String,
}

impl ObjectName {
    /// The name of an object as it is applied.
    pub(crate) fn of(object: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Self {
            api_version: text(&object["apiVersion"]),
            kind: text(&object["kind"]),
            namespace: object["metadata"]["namespace"].as_str().map(str::to_owned),
            name: text(&object["metadata"]["name"]),
        }
    }

    /// As much of the object as names it.
    pub(crate) fn to_object(&self) -> Value {
        let mut metadata = serde_json::json!({ "name": self.name });
        if let Some(namespace) = &self.namespace {
            metadata["namespace"] = Value::from(namespace.as_str());
        }
        serde_json::json!({ "apiVersion": self.api_version, "kind": self.kind, "metadata": metadata })
    }
}

impl Inventory {
    /// Whether the cluster was changed.
    pub(crate) fn is_in_cluster(&self) -> bool {
        self.has_items
            || self.cluster_identity.is_some()
            || !self.namespaces.is_empty()
            || !self.objects.is_empty()
            || self.webhook.is_some()
    }

    /// Drops what is in the cluster, which is out of reach.
    pub(crate) fn forget_cluster(&mut self) {
        let engines = (self.engine.take(), std::mem::take(&mut self.former_engines));
        *self = Self { engine: engines.0, former_engines: engines.1, ..Self::default() };
    }

    /// Whether nothing of ours is left anywhere; the definitions may stay.
    pub(crate) fn is_empty(&self) -> bool {
        let Self {
            engine,
            former_engines,
            has_items,
            has_definitions: _,
            cluster_identity,
            namespaces,
            labels_set: _,
            objects,
            webhook,
            webhook_engine: _,
        } = self;
        engine.is_none()
            && former_engines.is_empty()
            && !has_items
            && cluster_identity.is_none()
            && namespaces.is_empty()
            && objects.is_empty()
            && webhook.is_none()
    }
}
