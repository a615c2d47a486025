//! Pods that came or changed since the last look: asked for now and then, so that one that the webhook did not see is judged
//! soon, at a price that grows with what changes and not with the cluster.

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
/// When more has changed, all of it is looked at.
const CHANGES_MAX: usize = 5000;
/// The version is so old that the cluster does not know any more what came since.
const GONE: u16 = 410;
/// Statuses of a cluster that does not let us watch: it is looked at as a whole now and then.
const REFUSED: [u16; 3] = [401, 403, 405];

/// What came since a version.
pub(super) enum Fresh {
    /// Nothing that matters, up to this version.
    Nothing(String),
    /// Pods that are kept now, up to this version.
    Kept(String),
    /// Nobody knows: a whole look finds it.
    Unknown,
    /// The cluster does not say.
    Refused,
}

impl Look<'_> {
    /// Keeps the Pods that came or changed since a version of the list.
    pub(super) async fn catch_up(&self, since: &str) -> Result<Fresh, LookError> {
        let (mut pods, mut version) = (Vec::new(), since.to_owned());
        let api: Api<Pod> = Api::all(self.client.clone());
        let params = WatchParams::default().fields(RUNNING).timeout(WATCH_S);
        let reading = async {
            let events = match api.watch(&params, since).await {
                Ok(events) => events,
                Err(error) => return of_error(error).map(Some),
            };
            pin_mut!(events);
            while let Some(event) = events.next().await {
                match event {
                    Ok(WatchEvent::Added(pod) | WatchEvent::Modified(pod)) => {
                        version = pod.metadata.resource_version.clone().unwrap_or(version.clone());
                        pods.extend(SeenPod::new(&pod));
                        if pods.len() > CHANGES_MAX {
                            return Ok(Some(Fresh::Unknown));
                        }
                    }
                    // What is gone is struck off by the next whole look.
                    Ok(WatchEvent::Deleted(pod)) => {
                        version = pod.metadata.resource_version.unwrap_or(version.clone());
                    }
                    Ok(WatchEvent::Bookmark(bookmark)) => version = bookmark.metadata.resource_version,
                    Ok(WatchEvent::Error(status)) => {
                        return of_error(kube::Error::Api(status)).map(Some);
                    }
                    Err(error) => return of_error(error).map(Some),
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
        if pods.is_empty() {
            return Ok(Fresh::Nothing(version));
        }
        let mut known = store::known_pods(&self.plane.storage, self.cluster.id).await?;
        let is_changed = self.keep(pods.into_iter(), &mut known).await?;
        Ok(if is_changed { Fresh::Kept(version) } else { Fresh::Nothing(version) })
    }
}

fn of_error(error: kube::Error) -> Result<Fresh, LookError> {
    match &error {
        kube::Error::Api(status) if status.code == GONE => Ok(Fresh::Unknown),
        kube::Error::Api(status) if REFUSED.contains(&status.code) => Ok(Fresh::Refused),
        _ => Err(LookError::Cluster(format!("watch Pods: {}", chain(&error)))),
    }
}
