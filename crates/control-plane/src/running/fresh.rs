//! Pods that came, changed or went since the last look: asked for now and then, so that one that the webhook did not see is
//! judged soon. What the cluster is asked for grows with what changes, and not with the cluster; when something has changed that
//! is to be judged or told, our own tables are gone through once.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, pin_mut};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{WatchEvent, WatchParams};

use super::look::{CALL_TIME, Look, LookError, RUNNING};
use super::pod::SeenPod;
use super::store;
use crate::storage_error::chain;

/// How long the cluster waits for more that changes, in seconds: what is told is what has changed already.
const WATCH_S: u32 = 1;
/// When more was told, all of it is looked at.
const EVENTS_MAX: usize = 5000;
/// The version is so old that the cluster does not know any more what came since.
const GONE: u16 = 410;
/// Statuses of a cluster that does not let us watch: it is looked at as a whole now and then.
const REFUSED: [u16; 3] = [401, 403, 405];

/// What came since a version.
pub(super) enum Fresh {
    /// Nothing that matters, up to this version.
    Nothing(String),
    /// Pods that are kept or forgotten now, up to this version, which is to be judged and told.
    Kept(String),
    /// Nobody knows: a whole look finds it.
    Unknown,
    /// The cluster does not say.
    Refused,
}

/// What the events since a version leave.
struct Changes {
    version: String,
    events: usize,
    /// How each Pod was at last; `None`: it is gone, or has ended.
    pods: BTreeMap<String, Option<SeenPod>>,
}

impl Changes {
    fn since(version: &str) -> Self {
        Self { version: version.to_owned(), events: 0, pods: BTreeMap::new() }
    }

    /// Takes one event. `false`: there are too many.
    fn take(&mut self, pod: &Pod, is_gone: bool) -> bool {
        if let Some(version) = &pod.metadata.resource_version {
            self.version.clone_from(version);
        }
        if is_gone {
            self.pods.extend(pod.metadata.uid.clone().map(|uid| (uid, None)));
        } else {
            self.pods.extend(SeenPod::new(pod).map(|pod| (pod.uid.clone(), Some(pod))));
        }
        self.events += 1;
        self.events <= EVENTS_MAX
    }
}

impl Look<'_> {
    /// Keeps the Pods that came or changed since a version of the list, and forgets those that went.
    pub(super) async fn catch_up(&self, since: &str) -> Result<Fresh, LookError> {
        let mut changes = Changes::since(since);
        let api: Api<Pod> = Api::all(self.client.clone());
        let params = WatchParams::default().fields(RUNNING).timeout(WATCH_S);
        let reading = async {
            let events = match api.watch(&params, since).await {
                Ok(events) => events,
                Err(error) => return of_error(error).map(Some),
            };
            pin_mut!(events);
            while let Some(event) = events.next().await {
                let is_bounded = match event {
                    Ok(WatchEvent::Added(pod) | WatchEvent::Modified(pod)) => changes.take(&pod, false),
                    Ok(WatchEvent::Deleted(pod)) => changes.take(&pod, true),
                    Ok(WatchEvent::Bookmark(bookmark)) => {
                        changes.version = bookmark.metadata.resource_version;
                        true
                    }
                    Ok(WatchEvent::Error(status)) => {
                        return of_error(kube::Error::Api(status)).map(Some);
                    }
                    Err(error) => return of_error(error).map(Some),
                };
                if !is_bounded {
                    return Ok(Some(Fresh::Unknown));
                }
            }
            Ok(None)
        };
        match tokio::time::timeout(CALL_TIME, reading).await {
            Ok(Ok(None)) => {}
            Ok(Ok(Some(fresh))) => return Ok(fresh),
            Ok(Err(error)) => return Err(error),
            Err(_) => {
                let text = format!("watch Pods: no end within {} s", CALL_TIME.as_secs());
                return Err(LookError::Cluster(text));
            }
        }
        let Changes { version, pods, .. } = changes;
        let is_news = self.keep_changes(pods).await?;
        Ok(if is_news { Fresh::Kept(version) } else { Fresh::Nothing(version) })
    }

    /// Returns whether something is to be judged or told.
    async fn keep_changes(&self, pods: BTreeMap<String, Option<SeenPod>>) -> Result<bool, LookError> {
        if pods.is_empty() {
            return Ok(false);
        }
        let uids: Vec<&str> = pods.keys().map(String::as_str).collect();
        let mut known = store::known_among(&self.plane.storage, self.cluster.id, &uids).await?;
        let is_changed = self.keep(pods.into_values().flatten(), &mut known).await?;
        if known.is_empty() {
            return Ok(is_changed);
        }
        let has_old_audit = self.forget(known).await?;
        self.forget_images().await?;
        Ok(is_changed || has_old_audit)
    }
}

fn of_error(error: kube::Error) -> Result<Fresh, LookError> {
    match &error {
        kube::Error::Api(status) if status.code == GONE => Ok(Fresh::Unknown),
        kube::Error::Api(status) if REFUSED.contains(&status.code) => Ok(Fresh::Refused),
        _ => Err(LookError::Cluster(format!("watch Pods: {}", chain(&error)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(uid: &str, version: usize, image: &str) -> Pod {
        serde_json::from_value(serde_json::json!({
            "metadata": {"name": uid, "namespace": "default", "uid": uid, "resourceVersion": version.to_string()},
            "spec": {"containers": [{"name": "one", "image": image}]},
        }))
        .unwrap()
    }

    #[test]
    fn how_each_pod_was_at_last_counts_once() {
        let mut changes = Changes::since("1");
        for (number, (uid, image, is_gone)) in [
            ("same", "a", false),
            ("short", "a", false),
            ("same", "a", false),
            ("moved", "a", false),
            ("short", "a", true),
            ("went", "a", true),
            ("moved", "b", false),
        ]
        .into_iter()
        .enumerate()
        {
            assert!(changes.take(&pod(uid, number + 2, image), is_gone));
        }
        let left = changes.pods.iter().map(|(uid, pod)| {
            (
                uid.as_str(),
                pod.as_ref().map(|pod| pod.images.iter().map(|image| image.written.as_str()).collect()),
            )
        });
        let left: Vec<(&str, Option<Vec<&str>>)> = left.collect();
        let expected =
            [("moved", Some(vec!["b"])), ("same", Some(vec!["a"])), ("short", None), ("went", None)];
        assert_eq!((left.as_slice(), changes.version.as_str()), (expected.as_slice(), "8"));
    }

    #[test]
    fn too_many_events_are_no_matter_of_a_few_pods() {
        let mut changes = Changes::since("1");
        let (one, gone) = (pod("one", 2, "a"), pod("one", 3, "a"));
        for number in 0..EVENTS_MAX {
            let (pod, is_gone) = if number % 2 == 0 { (&one, false) } else { (&gone, true) };
            assert!(changes.take(pod, is_gone), "{number}");
        }
        assert!(!changes.take(&one, false));
    }
}
