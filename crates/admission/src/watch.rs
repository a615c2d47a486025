//! Keeps the index like the cluster: one function watches any indexed kind.

use std::fmt::Debug;
use std::sync::Arc;

use futures_util::StreamExt as _;
use k8s_openapi::api::core::v1::Namespace;
use kube::core::{DeserializeGuard, ObjectMeta};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use crate::crd::WhiteListItem;
use crate::index::ClusterIndex;
use crate::whitelist::BadItem;

/// A kind of object that the index holds.
pub trait Indexed:
    Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug + Send + Sync + 'static
{
    /// Puts the object in or replaces it.
    fn apply(&self, index: &ClusterIndex) -> Vec<BadItem>;
    /// Takes the object out.
    fn delete(metadata: &ObjectMeta, index: &ClusterIndex);
    /// Replaces all objects of the kind.
    fn replace(all: &[Self], index: &ClusterIndex) -> Vec<BadItem>;
}

impl Indexed for WhiteListItem {
    fn apply(&self, index: &ClusterIndex) -> Vec<BadItem> {
        index.apply_item(self)
    }
    fn delete(metadata: &ObjectMeta, index: &ClusterIndex) {
        index.delete_item(metadata.name.as_deref().unwrap_or_default());
    }
    fn replace(all: &[Self], index: &ClusterIndex) -> Vec<BadItem> {
        index.replace_items(all)
    }
}

impl Indexed for Namespace {
    fn apply(&self, index: &ClusterIndex) -> Vec<BadItem> {
        index.apply_namespace(&self.metadata);
        Vec::new()
    }
    fn delete(metadata: &ObjectMeta, index: &ClusterIndex) {
        index.delete_namespace(metadata.name.as_deref().unwrap_or_default());
    }
    fn replace(all: &[Self], index: &ClusterIndex) -> Vec<BadItem> {
        index.replace_namespaces(all.iter().map(|namespace| &namespace.metadata));
        Vec::new()
    }
}

/// Watches one kind until `shutdown`, listing again after every gap. Objects that cannot be read are logged, counted and
/// left out; the last good list stays in use while the API server is away.
pub async fn watch_into<K: Indexed>(client: Client, index: Arc<ClusterIndex>, shutdown: CancellationToken) {
    let api: Api<DeserializeGuard<K>> = Api::all_with(client, &());
    let mut events = watcher(api, watcher::Config::default()).default_backoff().boxed();
    let mut listed: Vec<K> = Vec::new();
    let kind = K::kind(&()).into_owned();
    loop {
        let event = tokio::select! {
            () = shutdown.cancelled() => return,
            event = events.next() => event,
        };
        let problems = match event {
            None => return,
            Some(Err(error)) => {
                tracing::warn!(
                    kind,
                    error = &error as &dyn std::error::Error,
                    "watch of the cluster is interrupted"
                );
                continue;
            }
            Some(Ok(watcher::Event::Init)) => {
                listed.clear();
                continue;
            }
            Some(Ok(watcher::Event::InitApply(DeserializeGuard(object)))) => {
                match object {
                    Ok(object) => listed.push(object),
                    Err(invalid) => note_unreadable(&kind, &invalid.metadata, &invalid.error, &index),
                }
                continue;
            }
            Some(Ok(watcher::Event::InitDone)) => K::replace(&std::mem::take(&mut listed), &index),
            Some(Ok(watcher::Event::Apply(DeserializeGuard(Ok(object))))) => object.apply(&index),
            Some(Ok(watcher::Event::Apply(DeserializeGuard(Err(invalid))))) => {
                note_unreadable(&kind, &invalid.metadata, &invalid.error, &index);
                // What it said before may no longer hold, and an exemption must never outlive its object.
                K::delete(&invalid.metadata, &index);
                Vec::new()
            }
            Some(Ok(watcher::Event::Delete(DeserializeGuard(object)))) => {
                let metadata = match &object {
                    Ok(object) => object.meta(),
                    Err(invalid) => &invalid.metadata,
                };
                K::delete(metadata, &index);
                Vec::new()
            }
        };
        for problem in &problems {
            tracing::warn!(error = problem as &dyn std::error::Error, "whitelist item is used only in part");
        }
    }
}

fn note_unreadable(kind: &str, metadata: &ObjectMeta, error: &str, index: &ClusterIndex) {
    index.note_bad_object();
    let name = metadata.name.as_deref().unwrap_or_default();
    tracing::warn!(kind, object.name = name, error, "object cannot be read and is left out");
}
