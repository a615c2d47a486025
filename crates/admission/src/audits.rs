//! What is written down about a decision, and under which name.

use std::borrow::Cow;
use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use model::ImageReference;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::crd::{ACTION_ALLOWED, ACTION_REJECT, API_VERSION, AuditImage, AuditReason, AuditSpec};
use crate::decision::{ImageOutcome, JudgedImage, Ruling};
use crate::images::{Metadata, Text};
use crate::message::is_object_name;
use crate::review::{Operation, ReviewRequest};
use crate::source::VerdictReason;
use crate::whitelist::ReleaseName;

/// When an audit without an owner may be removed, RFC 3339.
pub const EXPIRES_ANNOTATION: &str = "security.banzaicloud.com/expires-at";
/// Marks audits that have [`EXPIRES_ANNOTATION`], so that they can be listed.
pub const EXPIRES_LABEL: &str = "security.banzaicloud.com/expires";
/// `true` where the Pod's own name stands in for a release.
pub const FAKE_RELEASE_LABEL: &str = "fakerelease";

/// `true` where a Pod that ran already was judged, and not one that was to be created.
pub const RUNNING_LABEL: &str = "security.banzaicloud.com/running";

const REASONS_MAX: usize = 50;
const NAME_BYTES_MAX: usize = 253;
const HASH_CHARS: usize = 16;

/// Whose Pod was judged: everything that the audit needs of the review, owned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditSubject {
    /// Namespace of the Pod.
    pub namespace: String,
    /// Name of the Pod.
    pub pod: String,
    /// Identity of the Pod.
    pub pod_uid: Option<String>,
    /// What manages the Pod.
    pub owner: Option<OwnerReference>,
    /// The release.
    pub release: ReleaseName,
    /// Whether the Pod is there already.
    pub pod_exists: bool,
}

impl AuditSubject {
    /// The subject of a review.
    pub fn new(request: &ReviewRequest<'_>, metadata: &Metadata<'_>) -> Self {
        let text = |text: &Text<'_>| text.as_str().to_owned();
        Self {
            namespace: request.namespace.as_str().to_owned(),
            pod: match metadata.display_name() {
                "" => request.name.as_str().to_owned(),
                name => name.to_owned(),
            },
            pod_uid: metadata.uid.as_ref().map(text).filter(|uid| !uid.is_empty()),
            owner: metadata.controller().map(|owner| OwnerReference {
                api_version: text(&owner.api_version),
                kind: text(&owner.kind),
                name: text(&owner.name),
                uid: text(&owner.uid),
                controller: None,
                block_owner_deletion: None,
            }),
            release: ReleaseName::of(metadata),
            pod_exists: request.operation == Operation::Update,
        }
    }

    /// The subject of a Pod that runs.
    pub fn of_running(pod: &Pod) -> Self {
        let text = |text: &str| Text(Cow::Owned(text.to_owned()));
        let ObjectMeta { name, namespace, uid, labels, owner_references, .. } = &pod.metadata;
        let labels = labels.as_ref().map(|labels| {
            labels.iter().map(|(key, value)| (text(key), text(value))).collect::<BTreeMap<_, _>>()
        });
        let metadata = Metadata { name: name.as_deref().map(text), labels, ..Metadata::default() };
        let owners = owner_references.as_deref().unwrap_or_default();
        let owner = owners.iter().find(|owner| owner.controller == Some(true)).or_else(|| owners.first());
        Self {
            namespace: namespace.clone().unwrap_or_default(),
            pod: name.clone().unwrap_or_default(),
            pod_uid: uid.clone().filter(|uid| !uid.is_empty()),
            owner: owner.map(|owner| OwnerReference {
                controller: None,
                block_owner_deletion: None,
                ..owner.clone()
            }),
            release: ReleaseName::of(&metadata),
            pod_exists: true,
        }
    }
}

/// One audit, ready to be written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Value of [`FAKE_RELEASE_LABEL`].
    pub is_fake_release: bool,
    /// What removes the audit when it goes.
    pub owner: Option<OwnerReference>,
    /// Whether the owner is stored only after our answer, so that the audit has to come a little later.
    pub owner_is_new: bool,
    /// When it may be removed, for audits without an owner.
    pub expires_at: Option<Timestamp>,
    /// Whether it is about a Pod that ran already.
    #[serde(default)]
    pub is_running: bool,
    /// The content.
    pub spec: AuditSpec,
}

/// The audit of a decision; `None` where the Pod has no name to file it under.
pub fn audit_record(
    subject: &AuditSubject,
    images: &[JudgedImage],
    ruling: Ruling,
    now: Timestamp,
    keep_for: jiff::SignedDuration,
) -> Option<AuditRecord> {
    let name = audit_name(subject.owner.as_ref(), &subject.pod)?;
    let pod_stays = ruling.is_allowed() || subject.pod_exists;
    let own = subject.pod_uid.as_ref().filter(|_| pod_stays).map(|uid| OwnerReference {
        api_version: "v1".to_owned(),
        kind: "Pod".to_owned(),
        name: subject.pod.clone(),
        uid: uid.clone(),
        controller: None,
        block_owner_deletion: None,
    });
    let owner_is_new = subject.owner.is_none() && own.is_some() && !subject.pod_exists;
    let owner = subject.owner.clone().or(own);
    let expires_at = match owner {
        Some(_) => None,
        None => Some(now.checked_add(keep_for).unwrap_or(Timestamp::MAX)),
    };
    Some(AuditRecord {
        namespace: subject.namespace.clone(),
        name,
        is_fake_release: subject.release.is_fake,
        owner,
        owner_is_new,
        expires_at,
        is_running: false,
        spec: audit_spec(subject, images, ruling, now),
    })
}

/// The audit about a Pod that runs: the same words, and marked, because nobody was kept out.
pub fn running_audit_record(
    subject: &AuditSubject,
    images: &[JudgedImage],
    ruling: Ruling,
    now: Timestamp,
) -> Option<AuditRecord> {
    let mut record = audit_record(subject, images, ruling, now, jiff::SignedDuration::ZERO)?;
    record.is_running = true;
    let line = match ruling.is_allowed() {
        false => "Running Pod: refused by the policy, not evicted",
        true => "Running Pod: judged again",
    };
    record.spec.result.push(line.to_owned());
    Some(record)
}

/// `<owner kind>-<owner name>` in lower case, or the Pod's name; cut and made unique by a hash where no object could
/// have that name.
pub fn audit_name(owner: Option<&OwnerReference>, pod: &str) -> Option<String> {
    let wanted = match owner {
        Some(owner) => format!("{}-{}", owner.kind.to_lowercase(), owner.name.to_lowercase()),
        None => pod.to_owned(),
    };
    if wanted.is_empty() {
        return None;
    }
    if is_object_name(&wanted) {
        return Some(wanted);
    }
    let hash = HEXLOWER.encode(&Sha256::digest(wanted.as_bytes()));
    let kept: String = wanted
        .to_lowercase()
        .chars()
        .take(NAME_BYTES_MAX - HASH_CHARS - 1)
        .map(|character| if character.is_ascii_alphanumeric() { character } else { '-' })
        .collect();
    let kept = kept.trim_matches('-');
    let hash = &hash[..HASH_CHARS];
    Some(if kept.is_empty() { hash.to_owned() } else { format!("{kept}-{hash}") })
}

fn audit_spec(subject: &AuditSubject, images: &[JudgedImage], ruling: Ruling, now: Timestamp) -> AuditSpec {
    let mut result = Vec::with_capacity(images.len() + 1);
    if ruling == Ruling::Whitelisted {
        result.push(format!("Whitelisted release: {}", subject.release.name));
    }
    result.extend(images.iter().map(|image| result_line(image, ruling)));
    let verdict = images.iter().find_map(|image| image.outcome.verdict());
    let unseen_policy = images.iter().find_map(|image| match &image.outcome {
        ImageOutcome::RefusedUnseen { policy_id, .. } => policy_id.clone(),
        _ => None,
    });
    AuditSpec {
        release_name: subject.release.name.clone(),
        resource: "Pod".to_owned(),
        image: images.iter().map(audit_image).collect(),
        result,
        action: if ruling.is_allowed() { ACTION_ALLOWED } else { ACTION_REJECT }.to_owned(),
        pod: Some(subject.pod.clone()).filter(|pod| !pod.is_empty()),
        policy_id: verdict.map(|verdict| verdict.policy_id.clone()).or(unseen_policy),
        database_revision: verdict.map(|verdict| verdict.database_revision.clone()),
        decided_at: Some(now.to_string()),
        reasons: images.iter().flat_map(audit_reasons).take(REASONS_MAX).collect(),
    }
}

/// What became of an image, in the words of the answer that the caller got.
fn result_line(image: &JudgedImage, ruling: Ruling) -> String {
    let written = &image.written;
    match &image.outcome {
        ImageOutcome::Passed(_) => format!("Image passed policy check: {written}"),
        ImageOutcome::Refused(_) | ImageOutcome::RefusedUnseen { .. } => {
            format!("Image failed policy check: {written}")
        }
        ImageOutcome::Undecided { why } if ruling.is_allowed() => {
            format!("Image not decided: {written}: {why}")
        }
        ImageOutcome::Undecided { why } => {
            format!("Image failed policy check: {written}: not decided: {why}")
        }
    }
}

fn audit_image(image: &JudgedImage) -> AuditImage {
    let (image_name, image_tag, written_digest) = match &image.reference {
        Some(reference) => (
            normalized_name(reference),
            reference.tag().unwrap_or_default().to_owned(),
            reference.digest().map(ToString::to_string).unwrap_or_default(),
        ),
        None => (image.written.clone(), String::new(), String::new()),
    };
    match image.outcome.verdict() {
        Some(verdict) => AuditImage {
            image_name,
            image_tag,
            image_digest: verdict.digest.to_string(),
            last_updated: verdict.evaluated_at.to_string(),
            resolved_at: Some(verdict.resolved_at.to_string()),
        },
        None => AuditImage { image_name, image_tag, image_digest: written_digest, ..AuditImage::default() },
    }
}

/// `docker.io/library/nginx`: the name under which clients look an image up.
fn normalized_name(reference: &ImageReference) -> String {
    format!("{}/{}", reference.registry(), reference.registry_repository())
}

fn audit_reasons(image: &JudgedImage) -> Vec<AuditReason> {
    let one = |action: &str, reason: &VerdictReason| AuditReason {
        image: image.written.clone(),
        action: action.to_owned(),
        gate: reason.gate.clone(),
        trigger: reason.trigger.clone(),
        message: reason.message.clone(),
        vulnerability: reason.vulnerability.clone(),
        severity: reason.severity.map(|severity| severity.name().to_owned()),
        package: reason.package.clone(),
        installed: reason.installed.clone(),
        fixed_in: reason.fixed_in.clone(),
    };
    match &image.outcome {
        ImageOutcome::Passed(verdict) | ImageOutcome::Refused(verdict) => {
            let stops = verdict.reasons.iter().map(|reason| one("stop", reason));
            stops.chain(verdict.warnings.iter().map(|reason| one("warn", reason))).take(REASONS_MAX).collect()
        }
        ImageOutcome::RefusedUnseen { why, .. } => {
            vec![one("stop", &VerdictReason { message: why.clone(), ..VerdictReason::default() })]
        }
        ImageOutcome::Undecided { .. } => Vec::new(),
    }
}

impl AuditRecord {
    /// The object to apply.
    pub fn to_object(&self) -> Value {
        let mut labels = json!({ FAKE_RELEASE_LABEL: self.is_fake_release.to_string() });
        let mut metadata = json!({ "name": self.name, "namespace": self.namespace });
        if self.is_running {
            labels[RUNNING_LABEL] = json!("true");
        }
        if let Some(expires_at) = self.expires_at {
            labels[EXPIRES_LABEL] = json!("true");
            metadata["annotations"] = json!({ EXPIRES_ANNOTATION: expires_at.to_string() });
        }
        if let Some(owner) = &self.owner {
            metadata["ownerReferences"] = json!([owner]);
        }
        metadata["labels"] = labels;
        json!({ "apiVersion": API_VERSION, "kind": "Audit", "metadata": metadata, "spec": self.spec })
    }

    /// A hash of everything but times: equal ones need not be written again.
    pub fn content_hash(&self) -> [u8; 32] {
        let mut still = self.clone();
        still.expires_at = still.expires_at.map(|_| Timestamp::UNIX_EPOCH);
        still.spec.decided_at = None;
        // Pods of one owner differ in their names only.
        still.spec.pod = None;
        if still.is_fake_release {
            still.spec.release_name.clear();
        }
        for image in &mut still.spec.image {
            image.last_updated.clear();
            image.resolved_at = None;
        }
        Sha256::digest(still.to_object().to_string().as_bytes()).into()
    }
}

#[cfg(test)]
#[path = "audits_tests.rs"]
mod tests;
