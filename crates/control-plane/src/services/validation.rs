//! From what somebody wrote to what can be done: every rule that needs nobody else's answer.

use std::collections::BTreeSet;

use admission::whitelist::WhiteListEntry;
use admission::{WhiteListItem, WhiteListItemSpec};
use serde_json::Value;

use super::checks::is_predefined;
use super::spec::{RawEngine, RawItem, RawPolicy, RawRegistry, RawSpec, RawWebhook};

/// Longest id of a bundle, name of a registry, reason.
const TEXT_BYTES_MAX: usize = 1024;
const ITEMS_MAX: usize = 1000;
/// Each is looked up before anything is deployed, and told to the engine one by one.
const REGISTRIES_MAX: usize = 50;
/// Each is labelled one by one.
const NAMESPACES_MAX: usize = 1000;
const NAMESPACE: &str = "kube-system";

/// A spec that can be carried out, as far as it alone can tell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Spec {
    /// `None`: the engine of this installation.
    pub(crate) custom_engine: Option<CustomEngine>,
    pub(crate) policy: PolicyChoice,
    pub(crate) white_list: Vec<Exemption>,
    pub(crate) enforcement: Enforcement,
    pub(crate) webhook_place: Option<WebhookPlace>,
    pub(crate) registries: Vec<RegistryChoice>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CustomEngine {
    pub(crate) url: String,
    pub(crate) secret_id: String,
    pub(crate) is_insecure: bool,
    /// PEM; empty: the authorities of the system.
    pub(crate) ca_certificate: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum PolicyChoice {
    /// A bundle that is there, or one of those that every engine gets.
    Named(String),
    /// A bundle that comes with the spec, and its id.
    Custom(String, Value),
}

impl PolicyChoice {
    pub(crate) fn id(&self) -> &str {
        match self {
            Self::Named(id) | Self::Custom(id, _) => id,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exemption {
    pub(crate) name: String,
    pub(crate) reason: String,
    pub(crate) regexp: Option<String>,
}

/// Where Pods are asked about; never in the protected namespaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Enforcement {
    /// Nowhere: no webhook.
    Off,
    /// Everywhere, also in namespaces that come later.
    Everywhere,
    /// Only there.
    Only(Vec<String>),
    /// Everywhere else, also in namespaces that come later.
    AllBut(Vec<String>),
}

/// Where the webhook runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WebhookPlace {
    /// In the cluster, as a Deployment.
    Cluster,
    /// In this program, which the API server reaches by URL.
    ControlPlane,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RegistryChoice {
    /// `host[:port][/path]`.
    pub(crate) registry: String,
    pub(crate) secret_id: String,
    pub(crate) kind: RegistryKind,
    pub(crate) is_insecure: bool,
}

impl RegistryChoice {
    /// Without port and path.
    pub(crate) fn host(&self) -> &str {
        host_of(&self.registry)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RegistryKind {
    Docker,
    AmazonEcr,
}

impl RegistryKind {
    /// The word on the wire and in engines.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker_v2",
            Self::AmazonEcr => "awsecr",
        }
    }
}

/// Checks a spec. `namespace` is the one of the webhook, which is protected as kube-system is.
pub(crate) fn validate(raw: RawSpec, namespace: &str) -> Result<Spec, Vec<String>> {
    let RawSpec { custom_anchore, policy, white_list, webhook, registries } = raw;
    let mut problems = Vec::new();
    let spec = Spec {
        custom_engine: check_engine(custom_anchore, &mut problems),
        policy: check_policy(policy, &mut problems),
        white_list: check_white_list(white_list, &mut problems),
        webhook_place: webhook.as_ref().and_then(|webhook| check_place(&webhook.run_in, &mut problems)),
        enforcement: check_webhook(webhook, namespace, &mut problems),
        registries: check_registries(registries, &mut problems),
    };
    if problems.is_empty() { Ok(spec) } else { Err(problems) }
}

fn check_engine(raw: RawEngine, problems: &mut Vec<String>) -> Option<CustomEngine> {
    let RawEngine { enabled, url, secret_id, insecure, ca_certificate } = raw;
    if !enabled {
        return None;
    }
    if url.is_empty() || secret_id.is_empty() {
        problems.push("both anchore url and secretId are required".to_owned());
        return None;
    }
    match url::Url::parse(&url) {
        Ok(parsed) if !matches!(parsed.scheme(), "http" | "https") || !parsed.has_host() => {
            problems.push(format!("anchore url `{url}` must begin with http:// or https:// and name a host"));
        }
        Ok(parsed) if !parsed.username().is_empty() || parsed.password().is_some() => {
            problems
                .push("anchore url must hold no user and password: they belong into the secret".to_owned());
        }
        Ok(parsed) if parsed.query().is_some() || parsed.fragment().is_some() => {
            problems.push(format!("anchore url `{url}` must hold neither a query nor a fragment"));
        }
        Ok(_) => {}
        Err(error) => problems.push(format!("anchore url `{url}` is no URL: {error}")),
    }
    if !ca_certificate.is_empty() && !ca_certificate.contains("-----BEGIN CERTIFICATE-----") {
        problems.push("caCertificate must be certificates in PEM".to_owned());
    }
    Some(CustomEngine { url, secret_id, is_insecure: insecure, ca_certificate })
}

fn check_policy(raw: RawPolicy, problems: &mut Vec<String>) -> PolicyChoice {
    let RawPolicy { policy_id, is_custom, bundle } = raw;
    if !policy_id.is_empty() {
        if policy_id.len() > TEXT_BYTES_MAX || policy_id.contains(char::is_control) {
            problems.push(format!("policyId has at most {TEXT_BYTES_MAX} bytes and no control characters"));
        }
        return PolicyChoice::Named(policy_id);
    }
    if !is_custom {
        problems.push("policyId is required".to_owned());
        return PolicyChoice::Named(policy_id);
    }
    let Some(document) = bundle else {
        problems.push("customPolicy is enabled and has no policy: put the bundle there".to_owned());
        return PolicyChoice::Named(policy_id);
    };
    match policy::Bundle::parse(&document) {
        Ok(bundle) => {
            if is_predefined(bundle.id()) {
                problems.push(format!("customPolicy has the id of the predefined bundle `{}`", bundle.id()));
            }
            PolicyChoice::Custom(bundle.id().to_owned(), document)
        }
        Err(error) => {
            problems.push(format!("customPolicy is no good bundle: {}", with_causes(&error)));
            PolicyChoice::Named(policy_id)
        }
    }
}

fn with_causes(error: &policy::BundleError) -> String {
    match error {
        policy::BundleError::Invalid(found) => {
            let texts: Vec<String> = found.iter().take(10).map(|problem| problem.details.clone()).collect();
            texts.join(", ")
        }
        policy::BundleError::Schema { .. } => error.to_string(),
    }
}

fn check_white_list(raw: Vec<RawItem>, problems: &mut Vec<String>) -> Vec<Exemption> {
    if raw.len() > ITEMS_MAX {
        problems.push(format!("releaseWhiteList has {} items (limit {ITEMS_MAX})", raw.len()));
        return Vec::new();
    }
    if raw.iter().any(|item| item.name.is_empty() || item.reason.is_empty()) {
        problems.push("both name and reason must be specified".to_owned());
    }
    let mut names = BTreeSet::new();
    let mut checked = Vec::new();
    for RawItem { name, reason, regexp } in raw.into_iter().filter(|item| !item.name.is_empty()) {
        if !is_subdomain(&name) {
            problems.push(format!(
                "whitelist item `{name}`: a name has lower-case letters, digits, `-` and `.` only, at most 253"
            ));
        }
        if reason.len() > TEXT_BYTES_MAX {
            problems.push(format!("whitelist item `{name}`: the reason has at most {TEXT_BYTES_MAX} bytes"));
        }
        if !names.insert(name.clone()) {
            problems.push(format!("whitelist item `{name}` is there twice"));
        }
        let regexp = Some(regexp).filter(|regexp| !regexp.is_empty());
        let item = WhiteListItem::new(
            &name,
            WhiteListItemSpec { regexp: regexp.clone(), ..WhiteListItemSpec::default() },
        );
        // What the webhook could not use would exempt less than its author thinks.
        for problem in WhiteListEntry::from_item(&item).1 {
            problems.push(crate::storage_error::chain(&problem));
        }
        checked.push(Exemption { name, reason, regexp });
    }
    checked
}

fn check_place(word: &str, problems: &mut Vec<String>) -> Option<WebhookPlace> {
    match word {
        "" => None,
        "cluster" => Some(WebhookPlace::Cluster),
        "controlPlane" => Some(WebhookPlace::ControlPlane),
        other => {
            problems.push(format!("runIn must be `cluster` or `controlPlane`, not `{other}`"));
            None
        }
    }
}

fn check_webhook(raw: Option<RawWebhook>, namespace: &str, problems: &mut Vec<String>) -> Enforcement {
    // Who asks for a policy and says nothing about the webhook wants the policy enforced.
    let Some(RawWebhook { enabled, selector, namespaces, run_in: _ }) = raw else {
        return Enforcement::Everywhere;
    };
    if !enabled {
        return Enforcement::Off;
    }
    if selector.is_empty() || namespaces.is_empty() {
        problems.push("selector and namespaces must be filled".to_owned());
        return Enforcement::Off;
    }
    if namespaces.len() > NAMESPACES_MAX {
        problems.push(format!(
            "webhookConfig has {} namespaces (limit {NAMESPACES_MAX}): use the other selector, or `*`",
            namespaces.len()
        ));
        return Enforcement::Off;
    }
    if namespaces.iter().any(|name| name == namespace || name == NAMESPACE) {
        problems.push(format!("the following namespaces may not be modified: [{namespace} {NAMESPACE}]"));
    }
    let all = namespaces.iter().any(|name| name == "*");
    if all && namespaces.len() > 1 {
        problems.push("`*` means all namespaces and must stand alone".to_owned());
    }
    for name in namespaces.iter().filter(|name| *name != "*" && !is_label(name)) {
        problems.push(format!("`{name}` is no name of a namespace"));
    }
    match (selector.as_str(), all) {
        ("include", true) => Enforcement::Everywhere,
        ("include", false) => Enforcement::Only(namespaces),
        ("exclude", true) => Enforcement::Only(Vec::new()),
        ("exclude", false) => Enforcement::AllBut(namespaces),
        (other, _) => {
            problems.push(format!("selector must be `include` or `exclude`, not `{other}`"));
            Enforcement::Off
        }
    }
}

fn check_registries(raw: Vec<RawRegistry>, problems: &mut Vec<String>) -> Vec<RegistryChoice> {
    if raw.len() > REGISTRIES_MAX {
        problems.push(format!("registries has {} registries (limit {REGISTRIES_MAX})", raw.len()));
        return Vec::new();
    }
    if raw.iter().any(|registry| registry.registry.is_empty() || registry.secret_id.is_empty()) {
        problems.push("both registry and secretId are required".to_owned());
    }
    let mut names = BTreeSet::new();
    let mut checked = Vec::new();
    for RawRegistry { registry, secret_id, kind, insecure } in raw {
        if registry.is_empty() || secret_id.is_empty() {
            continue;
        }
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-._:/*[]".contains(letter);
        if registry.len() > TEXT_BYTES_MAX
            || !registry.chars().all(is_plain)
            || registry.contains("//")
            || registry.ends_with('/')
            || host_of(&registry).is_empty()
        {
            problems.push(format!(
                "registry `{registry}` must be host[:port] or host[:port]/path, without a scheme"
            ));
        }
        if !names.insert(registry.clone()) {
            problems.push(format!("registry `{registry}` is there twice"));
        }
        let is_amazon = is_amazon_registry(&registry);
        let kind = match kind.as_str() {
            "" if is_amazon => RegistryKind::AmazonEcr,
            "" | "docker_v2" => RegistryKind::Docker,
            "awsecr" if is_amazon => RegistryKind::AmazonEcr,
            "awsecr" => {
                // Keys of Amazon must reach nobody else.
                problems.push(format!(
                    "registry `{registry}` is of type awsecr and is none of Amazon: those are called ACCOUNT.dkr.ecr.REGION.amazonaws.com"
                ));
                RegistryKind::AmazonEcr
            }
            other => {
                problems.push(format!(
                    "type of registry `{registry}` must be docker_v2 or awsecr, not `{other}`"
                ));
                RegistryKind::Docker
            }
        };
        checked.push(RegistryChoice { registry, secret_id, kind, is_insecure: insecure });
    }
    checked
}

fn host_of(registry: &str) -> &str {
    let authority = registry.split('/').next().unwrap_or_default();
    match authority.strip_prefix('[') {
        Some(address) => address.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    }
}

/// Whether the whole host is one of Amazon's registries: `ACCOUNT.dkr.ecr.REGION.amazonaws.com`.
fn is_amazon_registry(registry: &str) -> bool {
    let authority = registry.split('/').next().unwrap_or_default();
    let labels: Vec<&str> = authority.split('.').collect();
    let is_region = |label: &str| {
        !label.is_empty()
            && label
                .chars()
                .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-')
    };
    match labels.as_slice() {
        [account, "dkr", "ecr" | "ecr-fips", region, "amazonaws", "com"]
        | [account, "dkr", "ecr", region, "amazonaws", "com", "cn"] => {
            !account.is_empty() && account.bytes().all(|digit| digit.is_ascii_digit()) && is_region(region)
        }
        _ => false,
    }
}

/// RFC 1123 label, as namespaces are called.
fn is_label(name: &str) -> bool {
    name.len() <= 63 && is_part(name)
}

/// RFC 1123 subdomain, as most objects are called.
fn is_subdomain(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_part)
}

fn is_part(name: &str) -> bool {
    let is_inner = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    !name.is_empty() && !name.starts_with('-') && !name.ends_with('-') && name.chars().all(is_inner)
}

#[cfg(test)]
#[path = "validation_tests.rs"]
mod tests;
