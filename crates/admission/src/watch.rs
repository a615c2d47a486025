//! Keeps the index like the cluster: one function watches any indexed kind.
//!
//! The cluster may be a stranger's: of each object only what decisions need is kept, and lists end somewhere.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use k8s_openapi::api::core::v1::Namespace;
use kube::core::{DeserializeGuard, ObjectMeta};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::crd::WhiteListItem;
use crate::index::{ClusterIndex, NamespaceFacts};
use crate::whitelist::{BadItem, WhiteListEntry};

/// Whitelist items of a cluster.
const ITEMS_MAX: usize = 5_000;
/// Those of them that have an expression, each of which may become a program of 256 KiB.
const PATTERNS_MAX: usize = 1_000;
/// Namespaces of a cluster; five times of what Kubernetes says it carries.
const NAMESPACES_MAX: usize = 50_000;
const NAME_BYTES_MAX: usize = 253;
/// For one list, all pages together.
const LISTING_TIME_MAX: Duration = Duration::from_secs(120);
/// Before a list that was refused is asked for again.
const REFUSED_PAUSE: Duration = Duration::from_secs(30);

/// A kind of object that the index holds.
pub trait Indexed:
    Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug + Send + Sync + 'static
{
    /// What is kept of one.
    type Kept: Send;
    /// What there are too many of, for people.
    const WHAT: &'static str;

    /// Takes what is kept of an object; `None`: nothing of it can be.
    fn take(&self) -> (Option<Self::Kept>, Vec<BadItem>);
    /// Why no more than these are kept; `None`: there is room.
    fn find_excess(kept: &[Self::Kept]) -> Option<String>;
    /// Puts one in or replaces it. Errors: there is no room.
    fn put(kept: Self::Kept, index: &ClusterIndex) -> Result<(), String>;
    /// Takes the object out.
    fn delete(metadata: &ObjectMeta, index: &ClusterIndex);
    /// Replaces all objects of the kind.
    fn replace(all: Vec<Self::Kept>, index: &ClusterIndex);
    /// The list is not used because of its length.
    fn refuse(index: &ClusterIndex);
}

impl Indexed for WhiteListItem {
    type Kept = WhiteListEntry;
    const WHAT: &'static str = "whitelist items";

    fn take(&self) -> (Option<Self::Kept>, Vec<BadItem>) {
        match WhiteListEntry::check_size(self) {
            Ok(()) => {
                let (entry, problems) = WhiteListEntry::from_item(self);
                (Some(entry), problems)
            }
            Err(problem) => (None, vec![problem]),
        }
    }
    fn find_excess(kept: &[Self::Kept]) -> Option<String> {
        let patterns = kept.iter().filter(|entry| entry.has_pattern()).count();
        excess(kept.len(), ITEMS_MAX, Self::WHAT)
            .or_else(|| excess(patterns, PATTERNS_MAX, "whitelist items with an expression"))
    }
    fn put(kept: Self::Kept, index: &ClusterIndex) -> Result<(), String> {
        let (items, patterns) = index.items_without(&kept.name);
        let patterns = patterns + usize::from(kept.has_pattern());
        let excess = excess(items + 1, ITEMS_MAX, Self::WHAT)
            .or_else(|| excess(patterns, PATTERNS_MAX, "whitelist items with an expression"));
        if let Some(problem) = excess {
            // What it said before may no longer hold.
            index.delete_item(&kept.name);
            return Err(problem);
        }
        index.put_entry(kept);
        Ok(())
    }
    fn delete(metadata: &ObjectMeta, index: &ClusterIndex) {
        index.delete_item(metadata.name.as_deref().unwrap_or_default());
    }
    fn replace(all: Vec<Self::Kept>, index: &ClusterIndex) {
        index.replace_entries(all);
    }
    fn refuse(_: &ClusterIndex) {}
}

impl Indexed for Namespace {
    type Kept = (String, NamespaceFacts);
    const WHAT: &'static str = "namespaces";

    fn take(&self) -> (Option<Self::Kept>, Vec<BadItem>) {
        let name = self.metadata.name.clone().unwrap_or_default();
        let kept =
            (name.len() <= NAME_BYTES_MAX).then(|| (name, NamespaceFacts::from_metadata(&self.metadata)));
        (kept, Vec::new())
    }
    fn find_excess(kept: &[Self::Kept]) -> Option<String> {
        excess(kept.len(), NAMESPACES_MAX, Self::WHAT)
    }
    fn put((name, facts): Self::Kept, index: &ClusterIndex) -> Result<(), String> {
        if let Some(problem) = excess(index.namespaces_without(&name) + 1, NAMESPACES_MAX, Self::WHAT) {
            return Err(problem);
        }
        index.put_facts(name, facts);
        Ok(())
    }
    fn delete(metadata: &ObjectMeta, index: &ClusterIndex) {
        index.delete_namespace(metadata.name.as_deref().unwrap_or_default());
    }
    fn replace(all: Vec<Self::Kept>, index: &ClusterIndex) {
        index.replace_facts(all.into_iter().collect());
    }
    fn refuse(index: &ClusterIndex) {
        index.note_partial_namespaces();
    }
}

fn excess(count: usize, limit: usize, what: &str) -> Option<String> {
    (count > limit).then(|| format!("the cluster has more than {limit} {what}"))
}

/// How a watch ends.
enum Ended {
    /// Nobody wants it any more.
    Stopped,
    /// There is no use in going on: why, for people.
    Refused(String),
}

type Events<K> = BoxStream<'static, watcher::Result<watcher::Event<DeserializeGuard<K>>>>;

/// Watches one kind until `shutdown`, listing again after every gap. Objects that cannot be read are logged, counted and
/// left out; the last good list stays in use while the API server is away, and while its lists are too long or too slow.
pub async fn watch_into<K: Indexed>(client: Client, index: Arc<ClusterIndex>, shutdown: CancellationToken) {
    loop {
        let api: Api<DeserializeGuard<K>> = Api::all_with(client.clone(), &());
        let events: Events<K> = watcher(api, watcher::Config::default()).default_backoff().boxed();
        let Ended::Refused(problem) = follow::<K>(events, &index, &shutdown).await else { return };
        tracing::error!(problem, "objects of the cluster are not used; what was listed before stays in use");
        K::refuse(&index);
        index.note_refused_list(K::WHAT, problem);
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(REFUSED_PAUSE) => {}
        }
    }
}

async fn follow<K: Indexed>(
    mut events: Events<K>,
    index: &ClusterIndex,
    shutdown: &CancellationToken,
) -> Ended {
    let kind = K::kind(&());
    let mut listed = Vec::new();
    // Pages may go on for ever, and empty ones are not even told.
    let mut deadline = Some(Instant::now() + LISTING_TIME_MAX);
    loop {
        let event = tokio::select! {
            () = shutdown.cancelled() => return Ended::Stopped,
            () = tokio::time::sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                let seconds = LISTING_TIME_MAX.as_secs();
                return Ended::Refused(format!("the cluster has not listed its {} within {seconds} s", K::WHAT));
            }
            event = events.next() => event,
        };
        match event {
            None => return Ended::Stopped,
            Some(Err(error)) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(kind = &*kind, error, "watch of the cluster is interrupted");
                // Whoever does not answer at all is waited for as long as it takes.
                deadline = None;
            }
            Some(Ok(watcher::Event::Init)) => {
                listed.clear();
                deadline = Some(Instant::now() + LISTING_TIME_MAX);
            }
            Some(Ok(watcher::Event::InitApply(object))) => {
                listed.extend(read(&kind, object, index).ok());
                // The whole is looked at now and then: at every object it would cost the square.
                if listed.len() % 500 == 0
                    && let Some(problem) = K::find_excess(&listed)
                {
                    return Ended::Refused(problem);
                }
            }
            Some(Ok(watcher::Event::InitDone)) => {
                deadline = None;
                if let Some(problem) = K::find_excess(&listed) {
                    return Ended::Refused(problem);
                }
                K::replace(std::mem::take(&mut listed), index);
                index.note_good_list(K::WHAT);
            }
            Some(Ok(watcher::Event::Apply(object))) => match read(&kind, object, index) {
                Ok(kept) => {
                    if let Err(problem) = K::put(kept, index) {
                        return Ended::Refused(problem);
                    }
                }
                // What it said before may no longer hold, and an exemption must never outlive its object.
                Err(metadata) => K::delete(&metadata, index),
            },
            Some(Ok(watcher::Event::Delete(DeserializeGuard(object)))) => match &object {
                Ok(object) => K::delete(object.meta(), index),
                Err(invalid) => K::delete(&invalid.metadata, index),
            },
        }
    }
}

/// What is kept of an object. Errors: nothing of it is but whose it is.
fn read<K: Indexed>(
    kind: &str,
    DeserializeGuard(object): DeserializeGuard<K>,
    index: &ClusterIndex,
) -> Result<K::Kept, Box<ObjectMeta>> {
    let object = object.map_err(|invalid| {
        index.note_bad_object();
        let name = invalid.metadata.name.as_deref().unwrap_or_default();
        tracing::warn!(
            kind,
            object.name = name,
            error = invalid.error,
            "object cannot be read and is left out"
        );
        Box::new(invalid.metadata)
    })?;
    let (kept, problems) = object.take();
    index.count(&problems);
    for problem in &problems {
        tracing::warn!(error = problem as &dyn std::error::Error, "whitelist item is used only in part");
    }
    kept.ok_or_else(|| Box::new(object.meta().clone()))
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
