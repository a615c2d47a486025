//! `/api/v1/orgs/{organization}/clusters/{cluster}/scanlog`: what was decided about Pods.

use admission::crd::{AuditImage, AuditReason, AuditSpec};
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};

use super::Shared;
use super::answer::{Answer, ok};
use super::call::ClusterCall;
use crate::ScanRecord;

/// The first five keys are what clients have always got.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ScanWire {
    release_name: String,
    resource: String,
    result: Vec<String>,
    action: String,
    image: Vec<ImageWire>,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pod: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    database_revision: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_at: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<ReasonWire>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ImageWire {
    image_name: String,
    image_tag: String,
    image_digest: String,
    last_updated: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReasonWire {
    image: String,
    action: String,
    gate: String,
    trigger: String,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    vulnerability: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    package: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    installed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fixed_in: Option<String>,
}

impl From<ScanRecord> for ScanWire {
    fn from(record: ScanRecord) -> Self {
        let ScanRecord { name, namespace, spec } = record;
        let AuditSpec {
            release_name,
            resource,
            image,
            result,
            action,
            pod,
            policy_id,
            database_revision,
            decided_at,
            reasons,
        } = spec;
        Self {
            release_name,
            resource,
            result,
            action,
            image: image.into_iter().map(ImageWire::from).collect(),
            name,
            namespace,
            pod,
            policy_id,
            database_revision,
            decided_at,
            reasons: reasons.into_iter().map(ReasonWire::from).collect(),
        }
    }
}

impl From<AuditImage> for ImageWire {
    fn from(image: AuditImage) -> Self {
        let AuditImage { image_name, image_tag, image_digest, last_updated, resolved_at: _ } = image;
        Self { image_name, image_tag, image_digest, last_updated }
    }
}

impl From<AuditReason> for ReasonWire {
    fn from(reason: AuditReason) -> Self {
        let AuditReason {
            image,
            action,
            gate,
            trigger,
            message,
            vulnerability,
            severity,
            package,
            installed,
            fixed_in,
        } = reason;
        Self { image, action, gate, trigger, message, vulnerability, severity, package, installed, fixed_in }
    }
}

/// The release of the path.
#[derive(Deserialize)]
pub(super) struct ReleasePath {
    pub(super) release: String,
}

/// `GET …/scanlog`.
pub(super) async fn list(State(shared): State<Shared>, call: ClusterCall) -> Answer {
    let records = shared.plane.scan_log(&call.cluster, None).await?;
    ok(&records.into_iter().map(ScanWire::from).collect::<Vec<_>>())
}

/// `GET …/scanlog/{release}`.
pub(super) async fn of_release(
    State(shared): State<Shared>,
    call: ClusterCall,
    Path(path): Path<ReleasePath>,
) -> Answer {
    let records = shared.plane.scan_log(&call.cluster, Some(&path.release)).await?;
    ok(&records.into_iter().map(ScanWire::from).collect::<Vec<_>>())
}
