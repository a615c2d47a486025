//! What the server sends, as far as this client reads it. Keys that are missing are empty, others are ignored: servers of
//! several ages answer.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

/// `GET /version`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Version {
    /// Of the server.
    pub version: String,
}

/// `GET /api/v1/me`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct User {
    /// His number.
    pub id: i64,
    /// What he logs in as.
    pub login: String,
    /// What he is called.
    pub name: String,
}

/// One of `GET /api/v1/orgs`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Organization {
    /// Its number.
    pub id: i64,
    /// Its name.
    pub name: String,
}

/// One of `GET /api/v1/tokens`, and the answer to a new one.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TokenItem {
    /// Its id.
    pub id: String,
    /// Its name; may be empty.
    pub name: String,
    /// When it was made.
    pub created_at: Option<String>,
    /// When it ends.
    pub expires_at: Option<String>,
    /// Itself, only in the answer to its making.
    pub token: Option<String>,
}

/// One of `GET …/secrets`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Secret {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What kind of secret it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// Who changed it.
    pub updated_by: String,
    /// Its tags.
    #[serde(deserialize_with = "null_is_empty")]
    pub tags: Vec<String>,
    /// Its values, `<hidden>` in lists.
    #[serde(deserialize_with = "null_is_empty")]
    pub values: Map<String, Value>,
}

/// One of `GET /api/v1/secret-types`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct SecretType {
    /// What it holds.
    #[serde(deserialize_with = "null_is_empty")]
    pub fields: Vec<SecretField>,
}

/// A value of a kind of secret.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SecretField {
    /// Its name.
    pub name: String,
    /// Whether it must be there.
    pub required: bool,
    /// Whether it may be shown.
    pub is_safe_to_display: bool,
    /// What it is.
    pub description: String,
}

/// One of `GET …/clusters`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Cluster {
    /// Its number.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Which Kubernetes it is.
    pub distribution: String,
    /// Where it stands.
    pub location: String,
    /// Version of its API server.
    pub version: String,
    /// Who brought it.
    pub creator_name: String,
    /// When.
    pub created_at: String,
    /// How it is.
    pub status: String,
    /// The same in a sentence.
    pub status_message: String,
}

/// `GET …/clusters/{id}/config`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ClusterConfig {
    /// A kubeconfig.
    pub data: String,
}

/// `GET …/clusters/{id}/namespaces`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Namespaces {
    /// One each.
    #[serde(deserialize_with = "null_is_empty")]
    pub namespaces: Vec<Named>,
}

/// Something of which only the name counts.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Named {
    /// Its name.
    pub name: String,
}

/// `GET /api/v1/capabilities`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Capabilities {
    /// What this server can do.
    #[serde(deserialize_with = "null_is_empty")]
    pub features: BTreeMap<String, Feature>,
}

/// One thing that a server can do.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Feature {
    /// Whether it does.
    pub enabled: bool,
    /// Whether it brings what that needs.
    pub managed: bool,
}

/// One of `GET …/services`, and `GET …/services/{name}`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Service {
    /// `INACTIVE`, `PENDING`, `ACTIVE` or `ERROR`.
    pub status: String,
    /// Why, where the server says so.
    #[serde(alias = "reason", alias = "message")]
    pub status_message: Option<String>,
    /// What was asked for.
    pub spec: Value,
    /// What came of it.
    pub output: Value,
}

/// One of `GET …/scanlog`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ScanLogEntry {
    /// Whose images.
    pub release_name: String,
    /// What was to be created.
    pub resource: String,
    /// What came of each image.
    #[serde(deserialize_with = "null_is_empty")]
    pub result: Vec<String>,
    /// `allowed` or `reject`.
    pub action: String,
    /// The images.
    #[serde(deserialize_with = "null_is_empty")]
    pub image: Vec<ScannedImage>,
}

/// How running Pods were judged, in numbers.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RunningSummary {
    /// When the last complete look ended.
    pub finished_at: String,
    /// Why there is no newer one.
    pub problem: String,
    /// Pods by state.
    pub pods: BTreeMap<String, i64>,
    /// Images by state.
    pub images: BTreeMap<String, i64>,
}

/// An image that runs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RunningImage {
    /// Its name and digest.
    pub image: String,
    /// `passed`, `refused`, `undecided` or `new`.
    pub state: String,
    /// Why nobody knows.
    pub why: String,
    /// Why it is refused.
    pub reasons: Vec<RunningReason>,
    /// How many Pods run it.
    pub pod_count: i64,
    /// Some of them.
    pub pods: Vec<RunningPod>,
}

/// A reason against an image that runs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RunningReason {
    /// What the rule says.
    pub message: String,
    /// The vulnerability.
    pub vulnerability: Option<String>,
    /// How bad it is.
    pub severity: Option<String>,
    /// The package it is in.
    pub package: Option<String>,
}

/// A Pod that runs an image.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct RunningPod {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// An image of the scan log.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ScannedImage {
    /// Its repository.
    pub image_name: String,
    /// Its tag.
    pub image_tag: String,
    /// Its digest.
    pub image_digest: String,
    /// When the engine last looked at it.
    pub last_updated: String,
}

/// One of `GET …/whitelists`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct WhitelistItem {
    /// The release.
    pub name: String,
    /// Who says so.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// Which releases, where it is more than the one.
    pub regexp: Option<String>,
}

/// One of `GET …/processes`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Process {
    /// Its id.
    pub id: String,
    /// What it does.
    #[serde(rename = "type")]
    pub kind: String,
    /// How it ended.
    pub log: String,
    /// What it is about.
    pub resource_id: String,
    /// What kind of thing that is.
    pub resource_type: String,
    /// `running`, `failed`, `finished` or `canceled`.
    pub status: String,
    /// When it began.
    pub started_at: String,
    /// When it ended.
    pub finished_at: Option<String>,
    /// What happened, in order.
    #[serde(deserialize_with = "null_is_empty")]
    pub events: Vec<ProcessEvent>,
}

/// Something that happened in a process.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ProcessEvent {
    /// What was done.
    #[serde(rename = "type")]
    pub kind: String,
    /// What there is to say about it.
    pub log: String,
    /// How far it was.
    pub status: String,
    /// When.
    pub timestamp: String,
}

/// One of `GET …/anchore/policies`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct PolicyRecord {
    /// Id of the bundle.
    #[serde(rename = "policyId", alias = "policy_id")]
    pub policy_id: String,
    /// Whether it judges.
    pub active: bool,
    /// The bundle.
    pub policybundle: Value,
    /// When it was changed.
    #[serde(alias = "lastUpdated")]
    pub last_updated: String,
}

/// One of `GET …/anchore/images`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ImageRecord {
    /// Its digest.
    #[serde(rename = "imageDigest", alias = "image_digest")]
    pub image_digest: String,
    /// `not_analyzed`, `analyzing`, `analyzed` or `analysis_failed`.
    #[serde(alias = "analysisStatus")]
    pub analysis_status: String,
    /// When it was changed.
    #[serde(alias = "lastUpdated")]
    pub last_updated: String,
    /// Its names.
    #[serde(alias = "imageDetail", deserialize_with = "null_is_empty")]
    pub image_detail: Vec<ImageDetail>,
}

/// A name of an image.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ImageDetail {
    /// With registry and tag.
    #[serde(alias = "fulltag")]
    pub full_tag: String,
}

/// `GET …/anchore/images/{digest}/vuln/all`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct VulnerabilityReport {
    /// One each.
    #[serde(deserialize_with = "null_is_empty")]
    pub vulnerabilities: Vec<Vulnerability>,
}

/// A vulnerability of an image.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Vulnerability {
    /// Its id.
    pub vuln: String,
    /// How bad it is.
    pub severity: String,
    /// Package with version.
    pub package: String,
    /// The version without it, or `None` as a word.
    pub fix: String,
}

/// Programs in Go send `null` for a list or map without members.
fn null_is_empty<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}
