//! What a cluster says of itself when it is asked how it is.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Namespace, Node};
use kube::api::ListParams;
use kube::{Api, Client};

use super::access::ClusterError;
use super::kubeconfig::CleanKubeconfig;
use super::{Cluster, ClusterStatus};
use crate::ControlPlane;
use crate::storage_error::{chain, wire_time};

/// For all questions together.
const INSPECTION_TIME_MAX: Duration = Duration::from_secs(20);
/// Credentials that end sooner are mentioned.
const ENDS_SOON: Duration = Duration::from_secs(7 * 86_400);
const VERSION_CHARS_MAX: usize = 64;
const UNKNOWN: &str = "unknown";

/// What was found out.
struct Inspection {
    version: String,
    distribution: &'static str,
    /// What the credentials may not do and have to.
    lack: Option<String>,
}

impl ControlPlane {
    /// The cluster as it is now: asked, and every way of not answering turned into a status with a sentence.
    pub(super) async fn inspect(&self, cluster: &Cluster) -> Cluster {
        let mut seen = cluster.clone();
        match self.ask(cluster).await {
            Ok((found, remark)) => {
                seen.version = found.version;
                if found.distribution != UNKNOWN {
                    seen.distribution = found.distribution.to_owned();
                }
                seen.started_at = Some(cluster.started_at.unwrap_or_else(|| self.now()));
                (seen.status, seen.status_message) = match found.lack {
                    Some(lack) => (ClusterStatus::Warning, lack),
                    None => (ClusterStatus::Running, format!("Cluster is running{remark}")),
                };
            }
            // Nothing is known about the cluster when our own parts fail.
            Err(error @ (ClusterError::Storage(_) | ClusterError::Secrets(_))) => {
                tracing::warn!(cluster.id = cluster.id, error = chain(&error), "a cluster was not asked");
            }
            Err(ClusterError::Unreachable { problem, .. }) => {
                (seen.status, seen.status_message) = (ClusterStatus::Error, format!("The cluster {problem}"));
            }
            Err(error) => (seen.status, seen.status_message) = (ClusterStatus::Error, chain(&error)),
        }
        seen
    }

    async fn ask(&self, cluster: &Cluster) -> Result<(Inspection, String), ClusterError> {
        let kubeconfig = self.cluster_kubeconfig(cluster).await?;
        let remark = self.check_credentials(&cluster.name, &kubeconfig)?;
        let client = self.client_of(cluster, &kubeconfig).await?;
        Ok((inspect(&cluster.name, &client).await?, remark))
    }

    /// Whether a kubeconfig is one that is used, and the cluster it leads to answers.
    pub async fn verify_kubeconfig(&self, text: &str) -> Result<(), ClusterError> {
        let kubeconfig = CleanKubeconfig::read(text, self.settings.addresses)?;
        let name = kubeconfig.server();
        self.check_credentials(&name, &kubeconfig)?;
        let client = self.new_client(&kubeconfig).await?;
        inspect(&name, &client).await.map(drop)
    }

    /// What there is to say about the end of the credentials.
    ///
    /// Errors: they have ended. Said before they are tried: a server only says that it does not know who asks.
    fn check_credentials(&self, name: &str, kubeconfig: &CleanKubeconfig) -> Result<String, ClusterError> {
        let now = self.now();
        match credentials_end(kubeconfig) {
            Some((what, end)) if end <= now => Err(ClusterError::Unreachable {
                cluster: name.to_owned(),
                problem: format!(
                    "was not asked: the {what} of the kubeconfig ended on {}. Put a new one into its secret",
                    wire_time(end)
                ),
                source: None,
            }),
            Some((what, end)) if end.duration_since(now).unsigned_abs() < ENDS_SOON => {
                Ok(format!("; the {what} of its kubeconfig ends on {}", wire_time(end)))
            }
            _ => Ok(String::new()),
        }
    }
}

async fn inspect(name: &str, client: &Client) -> Result<Inspection, ClusterError> {
    tokio::time::timeout(INSPECTION_TIME_MAX, ask_all(client))
        .await
        .map_err(|_| ClusterError::too_slow(name, INSPECTION_TIME_MAX))?
        .map_err(|error| ClusterError::unreachable(name, error))
}

async fn ask_all(client: &Client) -> Result<Inspection, kube::Error> {
    let version = client.apiserver_version().await?.git_version;
    let one = ListParams::default().limit(1);
    let lack = match Api::<Namespace>::all(client.clone()).list(&one).await {
        Err(kube::Error::Api(status)) if status.code == 403 => Some(
            "The cluster answers, but the user of the kubeconfig may not list its namespaces: bind the ClusterRole \
             `cluster-admin` to it, or give the kubeconfig of another user"
                .to_owned(),
        ),
        answer => {
            answer?;
            None
        }
    };
    let distribution = match distribution_of_version(&version) {
        Some(distribution) => distribution,
        // Who may not see nodes learns less; nothing depends on it.
        None => match Api::<Node>::all(client.clone()).list(&one).await {
            Ok(nodes) => nodes.items.first().and_then(distribution_of_node).unwrap_or(UNKNOWN),
            Err(_) => UNKNOWN,
        },
    };
    let version = version.chars().filter(|letter| !letter.is_control()).take(VERSION_CHARS_MAX).collect();
    Ok(Inspection { version, distribution, lack })
}

/// Many makers mark the version: `v1.30.4+k3s1`, `v1.29.3-eks-adc7111`, `v1.29.4-gke.1043002`.
fn distribution_of_version(version: &str) -> Option<&'static str> {
    [
        ("+k3s", "k3s"),
        ("+rke2", "rke2"),
        ("-eks-", "eks"),
        ("-gke.", "gke"),
        ("+k0s", "k0s"),
        ("+IKS", "iks"),
        ("-aliyun", "ack"),
        ("+vmware", "tanzu"),
        ("-rancher", "rke"),
    ]
    .into_iter()
    .find(|(mark, _)| version.contains(mark))
    .map(|(_, distribution)| distribution)
}

fn distribution_of_node(node: &Node) -> Option<&'static str> {
    let labels = node.metadata.labels.clone().unwrap_or_default();
    let provider = node.spec.as_ref().and_then(|spec| spec.provider_id.as_deref()).unwrap_or_default();
    let by_label = [
        ("node.openshift.io/os_id", "openshift"),
        ("kubernetes.azure.com/cluster", "aks"),
        ("minikube.k8s.io/name", "minikube"),
        ("microk8s.io/cluster", "microk8s"),
        ("doks.digitalocean.com/node-id", "doks"),
        ("talos.dev/owned-labels", "talos"),
    ]
    .into_iter()
    .find(|(label, _)| labels.contains_key(*label));
    match by_label {
        Some((_, distribution)) => Some(distribution),
        None => provider.starts_with("kind://").then_some("kind"),
    }
}

/// When the credentials end, as far as they say so themselves.
fn credentials_end(kubeconfig: &CleanKubeconfig) -> Option<(&'static str, Timestamp)> {
    let certificate = kubeconfig.client_certificate().and_then(|pem| certificate_end(&pem));
    let token = kubeconfig.token().and_then(|token| token_end(&token));
    certificate.map(|end| ("client certificate", end)).or_else(|| token.map(|end| ("token", end)))
}

fn certificate_end(pem: &[u8]) -> Option<Timestamp> {
    let (_, pem) = x509_parser::pem::parse_x509_pem(pem).ok()?;
    let certificate = pem.parse_x509().ok()?;
    Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
}

/// Reads the end of a token that is a JWT. It is not checked: whoever lies about it fails at the cluster.
fn token_end(token: &str) -> Option<Timestamp> {
    let claims = token.trim().split('.').nth(1)?;
    let claims = data_encoding::BASE64URL_NOPAD.decode(claims.trim_end_matches('=').as_bytes()).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&claims).ok()?;
    Timestamp::from_second(claims.get("exp")?.as_i64()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distributions_are_known_by_their_marks() {
        for (version, expected) in [
            ("v1.30.4+k3s1", Some("k3s")),
            ("v1.29.3-eks-adc7111", Some("eks")),
            ("v1.29.4-gke.1043002", Some("gke")),
            ("v1.31.0+rke2r1", Some("rke2")),
            ("v1.31.0", None),
        ] {
            assert_eq!(distribution_of_version(version), expected, "{version}");
        }
    }

    #[test]
    fn the_end_of_a_token_is_read_where_it_has_one() {
        let token =
            |claims: &str| format!("e30.{}.x", data_encoding::BASE64URL_NOPAD.encode(claims.as_bytes()));
        let end = token_end(&token(r#"{"exp":1767312000}"#));
        assert_eq!(end.map(wire_time).as_deref(), Some("2026-01-02T00:00:00Z"));
        for text in ["opaque", "a.b.c", "..", &token("[]"), &token(r#"{"exp":"x"}"#)] {
            assert_eq!(token_end(text), None, "{text}");
        }
    }
}
