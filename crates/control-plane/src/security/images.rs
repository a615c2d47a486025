//! The images that run in a cluster.

use std::collections::{BTreeMap, BTreeSet};

use admission::whitelist::{INSTANCE_LABEL, RELEASE_LABEL};
use futures_util::FutureExt as _;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::Api;
use kube::api::ListParams;
use model::{Digest, ImageReference};

use super::listing::{Page, list};
use super::names::is_label_value;
use crate::{Cluster, ClusterError, ControlPlane};

/// An image that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningImage {
    /// Registry and repository: `docker.io/library/nginx`.
    pub name: String,
    /// Tag, empty where only a digest was written.
    pub tag: String,
    /// What runs.
    pub digest: Digest,
}

/// What is kept of a Pod.
#[derive(Debug, Clone)]
pub(super) struct PodImages {
    pub(super) namespace: String,
    /// The release it says it belongs to.
    pub(super) release: Option<String>,
    pub(super) images: Vec<RunningImage>,
}

impl ControlPlane {
    /// The images of all containers that run or ran in Pods that have not ended, once for each digest.
    pub async fn list_images(&self, cluster: &Cluster) -> Result<Vec<RunningImage>, ClusterError> {
        Ok(distinct(self.list_pods(cluster, None).await?))
    }

    /// The same for the Pods of one release.
    pub async fn list_release_images(
        &self,
        cluster: &Cluster,
        release: &str,
    ) -> Result<Vec<RunningImage>, ClusterError> {
        if !is_label_value(release) {
            return Ok(Vec::new());
        }
        let pods = self.list_pods(cluster, Some(&format!("{INSTANCE_LABEL}={release}"))).await?;
        if !pods.is_empty() {
            return Ok(distinct(pods));
        }
        Ok(distinct(self.list_pods(cluster, Some(&format!("{RELEASE_LABEL}={release}"))).await?))
    }

    pub(super) async fn list_pods(
        &self,
        cluster: &Cluster,
        labels: Option<&str>,
    ) -> Result<Vec<PodImages>, ClusterError> {
        let api: Api<Pod> = Api::all(self.kubernetes(cluster).await?);
        let page = move |params: ListParams| -> Page<Pod> {
            let api = api.clone();
            async move { api.list(&params).await }.boxed()
        };
        let mut selection = ListParams::default().fields("status.phase!=Succeeded,status.phase!=Failed");
        if let Some(labels) = labels {
            selection = selection.labels(labels);
        }
        Ok(list(cluster, "Pods", selection, page, |pod| Some(pod_images(pod))).await?)
    }
}

fn distinct(pods: Vec<PodImages>) -> Vec<RunningImage> {
    let mut seen = BTreeSet::new();
    let images = pods.into_iter().flat_map(|pod| pod.images);
    images.filter(|image| seen.insert(image.digest.clone())).collect()
}

fn pod_images(pod: Pod) -> PodImages {
    let labels = pod.metadata.labels.unwrap_or_default();
    let release = [INSTANCE_LABEL, RELEASE_LABEL]
        .into_iter()
        .find_map(|label| labels.get(label).filter(|value| !value.is_empty()))
        .cloned();
    let mut written: BTreeMap<String, String> = BTreeMap::new();
    if let Some(spec) = pod.spec {
        let inits = spec.init_containers.unwrap_or_default();
        for container in inits.into_iter().chain(spec.containers) {
            written.extend(container.image.map(|image| (container.name, image)));
        }
        for container in spec.ephemeral_containers.unwrap_or_default() {
            written.extend(container.image.map(|image| (container.name, image)));
        }
    }
    let status = pod.status.unwrap_or_default();
    let statuses =
        [status.init_container_statuses, status.container_statuses, status.ephemeral_container_statuses];
    let images = statuses
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|status| running_image(written.get(&status.name).map(String::as_str), &status))
        .collect();
    PodImages { namespace: pod.metadata.namespace.unwrap_or_default(), release, images }
}

/// The image of a container that has been pulled.
///
/// The name is the one in the Pod: the container runtime calls an image by any of its names, or by its id. The digest is what the
/// runtime says it runs: `docker-pullable://nginx@sha256:…` or `docker.io/library/nginx@sha256:…`; an id alone is no digest that a
/// registry knows.
fn running_image(written: Option<&str>, status: &ContainerStatus) -> Option<RunningImage> {
    let named = |text: &str| text.parse::<ImageReference>().ok();
    let reference = written.and_then(named).or_else(|| named(&status.image))?;
    let behind_at = |text: &str| text.rsplit_once('@').and_then(|(_, digest)| digest.parse::<Digest>().ok());
    let digest = behind_at(&status.image_id)
        .or_else(|| behind_at(&status.image))
        .or_else(|| reference.digest().filter(|_| !status.image_id.is_empty()).cloned())?;
    Some(RunningImage {
        name: format!("{}/{}", reference.registry(), reference.registry_repository()),
        tag: reference.tag().unwrap_or_default().to_owned(),
        digest,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_of_every_kind_are_read() {
        let hex = "a".repeat(64);
        for (written, runtime, id, expected) in [
            (
                "nginx",
                "nginx:latest",
                format!("docker-pullable://nginx@sha256:{hex}"),
                Some("docker.io/library/nginx latest"),
            ),
            (
                "nginx:1.27",
                "sha256:feed",
                format!("docker.io/library/nginx@sha256:{hex}"),
                Some("docker.io/library/nginx 1.27"),
            ),
            (
                "r.test:5000/team/app:2",
                "r.test:5000/team/app:1",
                format!("r.test:5000/team/app@sha256:{hex}"),
                Some("r.test:5000/team/app 2"),
            ),
            ("r.test:5000/app", "", format!("r.test:5000/app@sha256:{hex}"), Some("r.test:5000/app latest")),
            (&format!("quay.io/a/b@sha256:{hex}"), "", "sha256:feed".to_owned(), Some("quay.io/a/b ")),
            (
                &format!("quay.io/a/b:3@sha256:{hex}"),
                "",
                format!("quay.io/a/b@sha256:{hex}"),
                Some("quay.io/a/b 3"),
            ),
            // Not pulled yet, or known by nothing but the id on the node.
            ("nginx", "nginx", String::new(), None),
            (&format!("nginx@sha256:{hex}"), "nginx", String::new(), None),
            ("nginx", "nginx", format!("sha256:{hex}"), None),
            ("UPPER", "UPPER", format!("x@sha256:{hex}"), None),
        ] {
            let status =
                ContainerStatus { image: runtime.to_owned(), image_id: id, ..ContainerStatus::default() };
            let found = running_image(Some(written), &status);
            assert!(found.iter().all(|image| image.digest.hex() == hex), "{written}");
            let found = found.map(|image| format!("{} {}", image.name, image.tag));
            assert_eq!(found.as_deref(), expected, "{written}");
        }
    }
}
