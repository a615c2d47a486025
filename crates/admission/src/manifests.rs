//! The objects that install the webhook, as plain JSON: what is applied and what is printed are the same values.

use serde_json::{Value, json};

use crate::crd::{GROUP, definition_values};
use crate::index::UNDECIDED_LABEL;
use crate::server::REVIEW_PATH;

/// Name of everything that is installed, unless told otherwise.
pub const DEFAULT_NAME: &str = "lazaret-admission";
/// Name of the webhook as refusals show it.
pub const WEBHOOK_NAME: &str = "pods.anchore-policy-validator.admission.banzaicloud.com";
/// Name of the webhook for namespaces that refuse what is undecided.
pub const STRICT_WEBHOOK_NAME: &str = "strict.anchore-policy-validator.admission.banzaicloud.com";
/// Name of the webhook for namespaces that let pass what is undecided, where all others do not.
pub const LENIENT_WEBHOOK_NAME: &str = "lenient.anchore-policy-validator.admission.banzaicloud.com";
/// Namespace label that includes (`scan`) or excludes (`noscan`) a namespace.
pub const SCAN_LABEL: &str = "scan";
/// A Pod with this label, offered for a dry run, is judged whatever the whitelist says: who installs the webhook sees by it that
/// the API server asks.
pub const PROBE_LABEL: &str = "security.banzaicloud.com/probe";
/// Namespaces that are never asked about: without them the cluster itself stops.
pub const SYSTEM_NAMESPACES: [&str; 3] = ["kube-system", "kube-node-lease", "kube-public"];

const REVIEW_PORT: u16 = 8443;
const HEALTH_PORT: u16 = 8081;
// `nobody` of distroless images; any user but root would do.
const USER: u32 = 65_532;

/// What a Pod becomes when the webhook does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailurePolicy {
    /// It is let in: a dead webhook never locks a cluster.
    #[default]
    Ignore,
    /// It is refused.
    Fail,
}

impl FailurePolicy {
    fn name(self) -> &'static str {
        match self {
            Self::Ignore => "Ignore",
            Self::Fail => "Fail",
        }
    }
}

/// Which namespaces are asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NamespaceSelection {
    /// All but the excluded ones.
    #[default]
    All,
    /// Those with the label `scan=scan`.
    Labelled,
}

/// How the engine is reached from inside the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineAccess {
    /// Its URL, without `/v1`.
    pub url: String,
    /// Name of the Secret in the webhook's namespace with `username` and `password`.
    pub credentials_secret: String,
    /// Whether its certificate goes unchecked.
    pub is_insecure: bool,
}

/// A server that runs inside the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceOptions {
    /// Namespace of everything.
    pub namespace: String,
    /// Image of the program.
    pub image: String,
    /// Arguments of the program.
    pub arguments: Vec<String>,
    /// How many run.
    pub replicas: u32,
    /// The engine.
    pub engine: EngineAccess,
}

/// Where the API server finds the webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookEndpoint {
    /// A Service inside the cluster. The server itself fills in the CA bundle.
    Service(ServiceOptions),
    /// A URL outside the cluster.
    Url {
        /// `https://host:port/imagecheck`.
        url: String,
        /// PEM of the authorities to trust.
        ca_bundle: String,
    },
}

/// What to install.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstallOptions {
    /// Name of the webhook configuration and of everything else.
    pub name: String,
    /// Where the API server finds the webhook.
    pub endpoint: WebhookEndpoint,
    /// What a Pod becomes when the webhook does not answer, where the namespace says nothing.
    pub failure_policy: FailurePolicy,
    /// Which namespaces are asked about.
    pub namespaces: NamespaceSelection,
    /// More namespaces that are never asked about.
    pub excluded_namespaces: Vec<String>,
    /// How long the API server waits, 1 to 30 seconds.
    pub timeout_seconds: u8,
}

impl InstallOptions {
    /// The defaults for everything that has one.
    pub fn new(endpoint: WebhookEndpoint) -> Self {
        Self {
            name: DEFAULT_NAME.to_owned(),
            endpoint,
            failure_policy: FailurePolicy::default(),
            namespaces: NamespaceSelection::default(),
            excluded_namespaces: Vec::new(),
            timeout_seconds: 10,
        }
    }
}

/// All objects in the order in which they are applied: the webhook configuration comes last, when what it needs is there.
pub fn manifests(options: &InstallOptions) -> Vec<Value> {
    let mut all = Vec::new();
    if let WebhookEndpoint::Service(service) = &options.endpoint {
        all.push(json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": service.namespace },
        }));
    }
    all.extend(definition_values());
    if let WebhookEndpoint::Service(service) = &options.endpoint {
        all.extend(access(&options.name, service));
        all.extend(workload(&options.name, service));
    }
    all.push(webhook_configuration(options));
    all
}

fn metadata(name: &str, namespace: Option<&str>) -> Value {
    let mut metadata = json!({ "name": name, "labels": labels(name) });
    if let Some(namespace) = namespace {
        metadata["namespace"] = json!(namespace);
    }
    metadata
}

fn labels(name: &str) -> Value {
    json!({ "app.kubernetes.io/name": "lazaret", "app.kubernetes.io/component": name })
}

/// Service account and rights: nothing about Pods, nothing about other Secrets than its own.
fn access(name: &str, service: &ServiceOptions) -> Vec<Value> {
    let namespace = Some(service.namespace.as_str());
    let rbac = "rbac.authorization.k8s.io/v1";
    let subject = json!([{ "kind": "ServiceAccount", "name": name, "namespace": service.namespace }]);
    let rule = |groups: &[&str], resources: &[&str], names: &[&str], verbs: &[&str]| {
        let mut rule = json!({ "apiGroups": groups, "resources": resources, "verbs": verbs });
        if !names.is_empty() {
            rule["resourceNames"] = json!(names);
        }
        rule
    };
    let reference =
        |kind: &str| json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name });
    let secret = format!("{name}-tls");
    vec![
        json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(name, namespace) }),
        json!({
            "apiVersion": rbac, "kind": "ClusterRole", "metadata": metadata(name, None),
            "rules": [
                rule(&[GROUP], &["whitelistitems"], &[], &["get", "list", "watch"]),
                rule(&[GROUP], &["audits"], &[], &["get", "list", "create", "patch", "delete"]),
                rule(&[""], &["namespaces"], &[], &["get", "list", "watch"]),
                rule(
                    &["admissionregistration.k8s.io"],
                    &["validatingwebhookconfigurations"],
                    &[name],
                    &["get", "patch"],
                ),
            ],
        }),
        json!({
            "apiVersion": rbac, "kind": "ClusterRoleBinding", "metadata": metadata(name, None),
            "roleRef": reference("ClusterRole"), "subjects": subject,
        }),
        json!({
            "apiVersion": rbac, "kind": "Role", "metadata": metadata(name, namespace),
            "rules": [
                rule(&[""], &["secrets"], &[&secret], &["get", "update"]),
                // A name cannot be asked for where the object does not exist yet.
                rule(&[""], &["secrets"], &[], &["create"]),
            ],
        }),
        json!({
            "apiVersion": rbac, "kind": "RoleBinding", "metadata": metadata(name, namespace),
            "roleRef": reference("Role"), "subjects": subject,
        }),
    ]
}

fn workload(name: &str, service: &ServiceOptions) -> Vec<Value> {
    let namespace = Some(service.namespace.as_str());
    let selector = json!({ "matchLabels": labels(name) });
    vec![
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata(name, namespace),
            "spec": {
                "replicas": service.replicas,
                "selector": selector,
                // A new replica is there before an old one goes.
                "strategy": { "type": "RollingUpdate", "rollingUpdate": { "maxUnavailable": 0, "maxSurge": 1 } },
                "template": { "metadata": { "labels": labels(name) }, "spec": pod(name, service) },
            },
        }),
        json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata(name, namespace),
            "spec": { "maxUnavailable": 1, "selector": selector },
        }),
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": metadata(name, namespace),
            "spec": {
                "selector": labels(name),
                "ports": [{ "name": "https", "port": 443, "targetPort": "https", "protocol": "TCP" }],
            },
        }),
    ]
}

fn pod(name: &str, service: &ServiceOptions) -> Value {
    let credential = |variable: &str, key: &str| {
        let from = json!({ "name": service.engine.credentials_secret, "key": key });
        json!({ "name": variable, "valueFrom": { "secretKeyRef": from } })
    };
    let probe = |path: &str| json!({ "httpGet": { "path": path, "port": "health" }, "periodSeconds": 5 });
    json!({
        "serviceAccountName": name,
        "securityContext": {
            "runAsNonRoot": true, "runAsUser": USER, "runAsGroup": USER, "fsGroup": USER,
            "seccompProfile": { "type": "RuntimeDefault" },
        },
        "affinity": { "podAntiAffinity": { "preferredDuringSchedulingIgnoredDuringExecution": [
            { "weight": 100, "podAffinityTerm": {
                "topologyKey": "kubernetes.io/hostname", "labelSelector": { "matchLabels": labels(name) },
            } },
        ] } },
        "containers": [{
            "name": "admission",
            "image": service.image,
            "args": service.arguments,
            "env": [
                { "name": "POD_NAMESPACE", "valueFrom": { "fieldRef": { "fieldPath": "metadata.namespace" } } },
                { "name": "ANCHORE_ENGINE_URL", "value": service.engine.url },
                { "name": "ANCHORE_ENGINE_INSECURE", "value": service.engine.is_insecure.to_string() },
                credential("ANCHORE_ENGINE_USERNAME", "username"),
                credential("ANCHORE_ENGINE_PASSWORD", "password"),
            ],
            "ports": [
                { "name": "https", "containerPort": REVIEW_PORT }, { "name": "health", "containerPort": HEALTH_PORT },
            ],
            "livenessProbe": probe("/healthz"),
            "readinessProbe": probe("/readyz"),
            "resources": {
                "requests": { "cpu": "50m", "memory": "64Mi" }, "limits": { "memory": "512Mi" },
            },
            "securityContext": {
                "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "runAsNonRoot": true,
                "capabilities": { "drop": ["ALL"] },
            },
            "volumeMounts": [{ "name": "state", "mountPath": "/var/lib/lazaret" }],
        }],
        "volumes": [{ "name": "state", "emptyDir": { "sizeLimit": "512Mi" } }],
    })
}

fn webhook_configuration(options: &InstallOptions) -> Value {
    // Namespaces that say the opposite of the default have a webhook of their own, so that what they say holds even
    // when nobody answers.
    let (exception_name, exception_policy, exception_mode) = match options.failure_policy {
        FailurePolicy::Ignore => (STRICT_WEBHOOK_NAME, FailurePolicy::Fail, "deny"),
        FailurePolicy::Fail => (LENIENT_WEBHOOK_NAME, FailurePolicy::Ignore, "allow"),
    };
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": metadata(&options.name, None),
        "webhooks": [
            webhook(options, WEBHOOK_NAME, options.failure_policy, ("NotIn", exception_mode)),
            webhook(options, exception_name, exception_policy, ("In", exception_mode)),
        ],
    })
}

/// One webhook; every namespace is selected by exactly one of the two.
fn webhook(
    options: &InstallOptions,
    name: &str,
    failure_policy: FailurePolicy,
    (operator, mode): (&str, &str),
) -> Value {
    let mut excluded: Vec<&str> = SYSTEM_NAMESPACES.to_vec();
    let client_config = match &options.endpoint {
        WebhookEndpoint::Service(service) => {
            excluded.push(&service.namespace);
            json!({ "service": {
                "name": options.name, "namespace": service.namespace, "path": REVIEW_PATH, "port": 443,
            } })
        }
        WebhookEndpoint::Url { url, ca_bundle } => {
            json!({ "url": url, "caBundle": k8s_openapi::ByteString(ca_bundle.as_bytes().to_vec()) })
        }
    };
    excluded.extend(options.excluded_namespaces.iter().map(String::as_str));
    excluded.sort_unstable();
    excluded.dedup();
    let mut expressions = vec![
        json!({ "key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": excluded }),
        json!({ "key": SCAN_LABEL, "operator": "NotIn", "values": ["noscan"] }),
        json!({ "key": UNDECIDED_LABEL, "operator": operator, "values": [mode] }),
    ];
    if options.namespaces == NamespaceSelection::Labelled {
        expressions.push(json!({ "key": SCAN_LABEL, "operator": "In", "values": ["scan"] }));
    }
    let rule = |operations: &[&str], resource: &str| {
        json!({
            "apiGroups": [""], "apiVersions": ["v1"], "operations": operations,
            "resources": [resource], "scope": "Namespaced",
        })
    };
    json!({
        "name": name,
        "clientConfig": client_config,
        "rules": [rule(&["CREATE", "UPDATE"], "pods"), rule(&["UPDATE"], "pods/ephemeralcontainers")],
        "failurePolicy": failure_policy.name(),
        "matchPolicy": "Equivalent",
        "sideEffects": "NoneOnDryRun",
        "timeoutSeconds": options.timeout_seconds,
        "admissionReviewVersions": ["v1"],
        "namespaceSelector": { "matchExpressions": expressions },
    })
}

#[cfg(test)]
#[path = "manifests_tests.rs"]
mod tests;
