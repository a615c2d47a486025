//! The two custom resources: which releases are exempt, and what was decided.
//!
//! Both types are wire types: their field names are the ones that clients of the original service read.

use std::borrow::Cow;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::ClusterResourceScope;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// API group of both kinds.
pub const GROUP: &str = "security.banzaicloud.com";
/// The one served and stored version.
pub const VERSION: &str = "v1alpha1";
/// Group and version as an object states them.
pub const API_VERSION: &str = "security.banzaicloud.com/v1alpha1";

/// `spec.action` of a Pod that was let in.
pub const ACTION_ALLOWED: &str = "allowed";
/// `spec.action` of a Pod that was refused.
pub const ACTION_REJECT: &str = "reject";

/// An exemption: Pods of the release with this name, or of a release that the regular expression matches, are let in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WhiteListItem {
    /// Always [`API_VERSION`].
    #[serde(default)]
    pub api_version: String,
    /// Always `WhiteListItem`.
    #[serde(default)]
    pub kind: String,
    /// The name is the release's name.
    pub metadata: ObjectMeta,
    /// Why, by whom, and for which other releases.
    #[serde(default)]
    pub spec: WhiteListItemSpec,
}

/// Body of a [`WhiteListItem`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WhiteListItemSpec {
    /// Why the release is exempt.
    #[serde(default)]
    pub reason: String,
    /// Who says so.
    #[serde(default)]
    pub creator: String,
    /// Other release names, as a regular expression that has to match the whole name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regexp: Option<String>,
    /// Namespaces in which the item counts; empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
    /// From this moment on the item counts no more, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

/// What was decided about the Pods of one owner.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Audit {
    /// Always [`API_VERSION`].
    #[serde(default)]
    pub api_version: String,
    /// Always `Audit`.
    #[serde(default)]
    pub kind: String,
    /// Named after the owner; see [`crate::audits::audit_name`].
    pub metadata: ObjectMeta,
    /// The decision.
    #[serde(default)]
    pub spec: AuditSpec,
    /// Kept for clients that read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<AuditStatus>,
}

/// Body of an [`Audit`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditSpec {
    /// Release name, or the Pod's name where no label names a release.
    #[serde(default)]
    pub release_name: String,
    /// Always `Pod`.
    #[serde(default)]
    pub resource: String,
    /// The images, in the order of the Pod.
    #[serde(default)]
    pub image: Vec<AuditImage>,
    /// One line for each image, and one more for an exempt release.
    #[serde(default)]
    pub result: Vec<String>,
    /// [`ACTION_ALLOWED`] or [`ACTION_REJECT`].
    #[serde(default)]
    pub action: String,
    /// Name of the last Pod that was judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// The policy bundle that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_id: Option<String>,
    /// The revision of the vulnerability data that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database_revision: Option<String>,
    /// When it was decided, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<String>,
    /// What was found, for programs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<AuditReason>,
}

/// One image of an [`Audit`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditImage {
    /// Registry and repository: `docker.io/library/nginx`.
    #[serde(default)]
    pub image_name: String,
    /// Tag, empty where only a digest was written.
    #[serde(default)]
    pub image_tag: String,
    /// Digest that was judged, empty while it is not known.
    #[serde(default)]
    pub image_digest: String,
    /// When the verdict was made, RFC 3339; empty while there is none.
    #[serde(default)]
    pub last_updated: String,
    /// When the tag was resolved to the digest, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<String>,
}

/// One reason of an [`Audit`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditReason {
    /// The image as written in the Pod.
    pub image: String,
    /// `stop` or `warn`.
    pub action: String,
    /// Gate of the rule.
    pub gate: String,
    /// Trigger of the rule.
    pub trigger: String,
    /// What the rule says.
    pub message: String,
    /// The vulnerability.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vulnerability: Option<String>,
    /// Its severity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// The package it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// The installed version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installed: Option<String>,
    /// The version that fixes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed_in: Option<String>,
}

/// State of an [`Audit`]; the original service always leaves it empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditStatus {
    /// Free text.
    #[serde(default)]
    pub state: String,
}

macro_rules! resource {
    ($type:ty, $scope:ty, $kind:literal, $plural:literal) => {
        impl Resource for $type {
            type DynamicType = ();
            type Scope = $scope;

            fn kind(_: &()) -> Cow<'_, str> {
                Cow::Borrowed($kind)
            }
            fn group(_: &()) -> Cow<'_, str> {
                Cow::Borrowed(GROUP)
            }
            fn version(_: &()) -> Cow<'_, str> {
                Cow::Borrowed(VERSION)
            }
            fn plural(_: &()) -> Cow<'_, str> {
                Cow::Borrowed($plural)
            }
            fn meta(&self) -> &ObjectMeta {
                &self.metadata
            }
            fn meta_mut(&mut self) -> &mut ObjectMeta {
                &mut self.metadata
            }
        }
    };
}

resource!(WhiteListItem, ClusterResourceScope, "WhiteListItem", "whitelistitems");
resource!(Audit, NamespaceResourceScope, "Audit", "audits");

impl WhiteListItem {
    /// An item with this name, to be created.
    pub fn new(name: &str, spec: WhiteListItemSpec) -> Self {
        Self {
            api_version: API_VERSION.to_owned(),
            kind: "WhiteListItem".to_owned(),
            metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
            spec,
        }
    }
}

/// Both definitions, as they are installed.
pub fn definitions() -> Vec<CustomResourceDefinition> {
    definition_values()
        .into_iter()
        .map(|value| serde_json::from_value(value).expect("the definitions below have the shape of the type"))
        .collect()
}

/// Both definitions as JSON.
pub fn definition_values() -> Vec<Value> {
    vec![whitelist_definition(), audit_definition()]
}

fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn whitelist_definition() -> Value {
    let spec = json!({
        "type": "object",
        "required": ["reason", "creator"],
        "properties": {
            "reason": text("Why the release is exempt."),
            "creator": text("Who says so."),
            "regexp": text("Regular expression that matches whole release names."),
            "namespaces": {
                "type": "array",
                "description": "Namespaces in which the item counts; empty means all.",
                "items": { "type": "string" },
            },
            "expiresAt": {
                "type": "string", "format": "date-time",
                "description": "From this moment on the item counts no more.",
            },
        },
    });
    definition(
        "WhiteListItem",
        "Cluster",
        &["wl"],
        json!({ "spec": spec }),
        json!([
            { "name": "Reason", "type": "string", "jsonPath": ".spec.reason" },
            { "name": "Creator", "type": "string", "jsonPath": ".spec.creator" },
            { "name": "Regexp", "type": "string", "jsonPath": ".spec.regexp" },
            { "name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp" },
        ]),
    )
}

fn audit_definition() -> Value {
    let image = json!({
        "type": "object",
        "properties": {
            "imageName": text("Registry and repository."),
            "imageTag": text("Tag."),
            "imageDigest": text("Digest that was judged."),
            "lastUpdated": text("When the verdict was made."),
            "resolvedAt": text("When the tag was resolved."),
        },
    });
    let reason = json!({
        "type": "object",
        "properties": {
            "image": text("Image as written."), "action": text("stop or warn."),
            "gate": text("Gate of the rule."), "trigger": text("Trigger of the rule."),
            "message": text("What the rule says."), "vulnerability": text("Vulnerability."),
            "severity": text("Its severity."), "package": text("Package it is in."),
            "installed": text("Installed version."), "fixedIn": text("Version that fixes it."),
        },
    });
    let spec = json!({
        "type": "object",
        "required": ["releaseName", "resource", "image", "result", "action"],
        "properties": {
            "releaseName": text("Release, or the Pod where no label names a release."),
            "resource": text("Kind of the judged object."),
            "image": { "type": "array", "items": image },
            "result": { "type": "array", "items": { "type": "string" } },
            "action": text("allowed or reject."),
            "pod": text("Last Pod that was judged."),
            "policyId": text("Policy bundle that decided."),
            "databaseRevision": text("Revision of the vulnerability data that decided."),
            "decidedAt": text("When it was decided."),
            "reasons": { "type": "array", "items": reason },
        },
    });
    definition(
        "Audit",
        "Namespaced",
        &[],
        json!({
            "spec": spec,
            "status": { "type": "object", "properties": { "state": text("Free text.") } },
        }),
        json!([
            { "name": "Release", "type": "string", "jsonPath": ".spec.releaseName" },
            { "name": "Action", "type": "string", "jsonPath": ".spec.action" },
            { "name": "Image", "type": "string", "jsonPath": ".spec.image[*].imageName" },
            { "name": "Result", "type": "string", "jsonPath": ".spec.result[*]", "priority": 1 },
            { "name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp" },
        ]),
    )
}

fn definition(kind: &str, scope: &str, short_names: &[&str], properties: Value, columns: Value) -> Value {
    let singular = kind.to_lowercase();
    let plural = format!("{singular}s");
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("{plural}.{GROUP}") },
        "spec": {
            "group": GROUP,
            "scope": scope,
            "names": {
                "kind": kind, "listKind": format!("{kind}List"),
                "plural": plural, "singular": singular, "shortNames": short_names,
            },
            "versions": [{
                "name": VERSION, "served": true, "storage": true,
                "schema": { "openAPIV3Schema": { "type": "object", "properties": properties } },
                "additionalPrinterColumns": columns,
            }],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_have_the_names_that_clients_ask_for() {
        let definitions = definitions();
        let names: Vec<_> = definitions
            .iter()
            .map(|definition| (definition.metadata.name.as_deref().unwrap(), definition.spec.scope.as_str()))
            .collect();
        assert_eq!(
            names,
            [
                ("whitelistitems.security.banzaicloud.com", "Cluster"),
                ("audits.security.banzaicloud.com", "Namespaced")
            ]
        );
        assert_eq!(definitions[0].spec.names.short_names.as_deref(), Some(&["wl".to_owned()][..]));
    }

    #[test]
    fn every_field_of_the_audit_type_is_in_its_schema() {
        let full = AuditSpec {
            image: vec![AuditImage { resolved_at: Some(String::new()), ..AuditImage::default() }],
            pod: Some(String::new()),
            policy_id: Some(String::new()),
            database_revision: Some(String::new()),
            decided_at: Some(String::new()),
            reasons: vec![AuditReason {
                vulnerability: Some(String::new()),
                severity: Some(String::new()),
                package: Some(String::new()),
                installed: Some(String::new()),
                fixed_in: Some(String::new()),
                ..AuditReason::default()
            }],
            ..AuditSpec::default()
        };
        let written = serde_json::to_value(full).unwrap();
        let schema = &audit_definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        let spec = &schema["properties"]["spec"]["properties"];
        let keys = |value: &Value| {
            value.as_object().unwrap().keys().cloned().collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(keys(&written), keys(spec));
        assert_eq!(keys(&written["image"][0]), keys(&spec["image"]["items"]["properties"]));
        assert_eq!(keys(&written["reasons"][0]), keys(&spec["reasons"]["items"]["properties"]));
    }
}
