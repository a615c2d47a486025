//! A Pod that runs, reduced to whose it is and what it runs.

use std::collections::{BTreeMap, BTreeSet};

use admission::audits::{AuditSubject, audit_name};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use model::{Digest, ImageReference};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Images of one Pod that are looked at; no real one has nearly as many.
const IMAGES_MAX: usize = 200;

/// A Pod as the cluster shows it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SeenPod {
    pub(super) uid: String,
    /// Name of the Audit.
    pub(super) audit: String,
    pub(super) subject: AuditSubject,
    pub(super) images: Vec<SeenImage>,
}

/// An image of a Pod.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct SeenImage {
    /// As written in the Pod.
    pub(super) written: String,
    /// The name that policies see with the digest that runs; only the name while nothing does. What no engine can be asked about
    /// is something that is no reference.
    pub(super) reference: String,
}

/// Stands behind the name of an image that only its node knows.
const LOCAL_ID: &str = " (local id ";

/// Why no engine can be asked about what is no reference.
pub(super) fn why_unknown(text: &str) -> String {
    match text.contains(LOCAL_ID) {
        true => "its node knows it by a local id only, under which no registry has it".to_owned(),
        false => format!("`{text}` is no name of an image"),
    }
}

impl SeenPod {
    /// Reads a Pod. `None`: it has no identity.
    pub(super) fn new(pod: &Pod) -> Option<Self> {
        let subject = AuditSubject::of_running(pod);
        let uid = subject.pod_uid.clone()?;
        let audit = audit_name(subject.owner.as_ref(), &subject.pod)?;
        Some(Self { uid, audit, subject, images: images(pod) })
    }

    /// A hash of all that a judgement depends on.
    pub(super) fn content_hash(&self) -> String {
        let text = serde_json::json!([self.subject, self.images, self.audit]).to_string();
        data_encoding::HEXLOWER.encode(&Sha256::digest(text)[..16])
    }
}

/// The images of all containers and volumes, each once.
fn images(pod: &Pod) -> Vec<SeenImage> {
    let Some(spec) = &pod.spec else { return Vec::new() };
    let statuses = statuses(pod);
    let init = spec.init_containers.iter().flatten().map(|it| (it.name.as_str(), it.image.as_deref()));
    let usual = spec.containers.iter().map(|it| (it.name.as_str(), it.image.as_deref()));
    let later = spec.ephemeral_containers.iter().flatten().map(|it| (it.name.as_str(), it.image.as_deref()));
    let of_containers = init
        .chain(usual)
        .chain(later)
        .map(|(name, image)| seen_image(image.unwrap_or_default(), statuses.get(name).copied()));
    // Nobody tells the digest of an image that is mounted.
    let of_volumes = spec.volumes.iter().flatten().filter_map(|volume| volume.image.as_ref());
    let of_volumes = of_volumes.map(|image| seen_image(image.reference.as_deref().unwrap_or_default(), None));
    let mut seen = BTreeSet::new();
    of_containers.chain(of_volumes).filter(|image| seen.insert(image.clone())).take(IMAGES_MAX).collect()
}

fn statuses(pod: &Pod) -> BTreeMap<&str, &ContainerStatus> {
    let Some(status) = &pod.status else { return BTreeMap::new() };
    [&status.init_container_statuses, &status.container_statuses, &status.ephemeral_container_statuses]
        .into_iter()
        .flatten()
        .flatten()
        .map(|status| (status.name.as_str(), status))
        .collect()
}

/// What runs under a written name. The digest is the one that the node tells: `docker-pullable://nginx@sha256:…` or
/// `docker.io/library/nginx@sha256:…`; an id without a repository names nothing that a registry knows.
fn seen_image(written: &str, status: Option<&ContainerStatus>) -> SeenImage {
    let image_id = status.map(|status| status.image_id.as_str()).unwrap_or_default();
    let reference = match written.parse::<ImageReference>() {
        Ok(reference) => running_reference(&reference, written, image_id),
        Err(_) if written.is_empty() => "(no name)".to_owned(),
        Err(_) => written.to_owned(),
    };
    SeenImage { written: written.to_owned(), reference }
}

fn running_reference(reference: &ImageReference, written: &str, image_id: &str) -> String {
    let digest = image_id.rsplit_once('@').and_then(|(_, digest)| digest.parse::<Digest>().ok());
    let name = format!("{}/{}", reference.registry(), reference.repository());
    let tag = reference.tag().map(|tag| format!(":{tag}")).unwrap_or_default();
    match digest.or_else(|| reference.digest().cloned()) {
        Some(digest) => format!("{name}{tag}@{digest}"),
        None if image_id.is_empty() => format!("{name}{tag}"),
        None => format!("{written}{LOCAL_ID}{image_id})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_counts_and_not_what_is_written() {
        let (one, other) = ("a".repeat(64), "b".repeat(64));
        for (written, id, expected) in [
            ("nginx", None, Ok("docker.io/nginx:latest".to_owned())),
            ("nginx:1", Some(String::new()), Ok("docker.io/nginx:1".to_owned())),
            (
                "nginx:1",
                Some(format!("docker-pullable://nginx@sha256:{one}")),
                Ok(format!("docker.io/nginx:1@sha256:{one}")),
            ),
            (
                "r.test:5000/team/app",
                Some(format!("r.test:5000/team/app@sha256:{one}")),
                Ok(format!("r.test:5000/team/app:latest@sha256:{one}")),
            ),
            (
                &format!("quay.io/a/b:3@sha256:{one}"),
                Some(format!("quay.io/a/b@sha256:{other}")),
                Ok(format!("quay.io/a/b:3@sha256:{other}")),
            ),
            (
                &format!("quay.io/a/b@sha256:{one}"),
                Some("sha256:feed".to_owned()),
                Ok(format!("quay.io/a/b@sha256:{one}")),
            ),
            ("nginx", Some(format!("sha256:{one}")), Err("local id")),
            ("", None, Err("no name of an image")),
            ("UPPER/case", None, Err("no name of an image")),
        ] {
            let status = id.map(|image_id| ContainerStatus { image_id, ..ContainerStatus::default() });
            let seen = seen_image(written, status.as_ref());
            match expected {
                Ok(expected) => {
                    let found: ImageReference = seen.reference.parse().unwrap();
                    assert_eq!(found, expected.parse().unwrap(), "{written}");
                }
                Err(part) => {
                    assert!(seen.reference.parse::<ImageReference>().is_err(), "{written}");
                    let why = why_unknown(&seen.reference);
                    assert!(why.contains(part), "{written}: {why}");
                }
            }
        }
    }
}
