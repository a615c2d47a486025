//! The way into a cluster: from its secret over its kubeconfig to a client.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use kube::Client;
use sha2::{Digest as _, Sha256};

use super::Cluster;
use super::connection::connect;
use super::explain::explain;
use super::kubeconfig::{CleanKubeconfig, KubeconfigError};
use crate::storage_error::chain;
use crate::{ControlPlane, SecretError, SecretId, SecretKind, StorageError};

/// The value of a secret that is a kubeconfig.
const KUBECONFIG_KEY: &str = "K8Sconfig";

/// Why nothing could be asked of a cluster.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// Its secret is gone.
    #[error(
        "the secret `{0}` with the kubeconfig does not exist in the organization: make it, then import the cluster with its id"
    )]
    NoSecret(String),
    /// Its secret is something else.
    #[error(
        "the secret `{0}` is no kubeconfig: it has to be of type `kubernetes`, with the value `K8Sconfig`"
    )]
    WrongSecret(String),
    /// The kubeconfig is not used.
    #[error(transparent)]
    Kubeconfig(#[from] KubeconfigError),
    /// No client can be made of what the kubeconfig says.
    #[error("no client can be made of the kubeconfig: {0}")]
    Client(String),
    /// It does not answer, or not in time, or with an error. The text says which, for people.
    #[error("cluster `{cluster}` {problem}")]
    Unreachable {
        /// Its name.
        cluster: String,
        /// What is wrong with it.
        problem: String,
        /// The same for programs.
        #[source]
        source: Option<Box<kube::Error>>,
    },
    /// It has more than is read at once.
    #[error("cluster `{cluster}` has more than {limit} {what}: ask it with kubectl")]
    TooMuch {
        /// Its name.
        cluster: String,
        /// Of what.
        what: &'static str,
        /// How much is read.
        limit: usize,
    },
    /// The store of secrets does not answer.
    #[error(transparent)]
    Secrets(SecretError),
    /// The tables cannot be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl ClusterError {
    /// What `error` says about this cluster.
    pub(crate) fn unreachable(cluster: &str, error: kube::Error) -> Self {
        Self::Unreachable {
            cluster: cluster.to_owned(),
            problem: explain(&error),
            source: Some(Box::new(error)),
        }
    }

    /// What people are told. The cause of a cluster that does not answer is in it already, cut to a bearable length.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Unreachable { .. } => self.to_string(),
            _ => chain(self),
        }
    }

    /// It did not answer in time.
    pub(crate) fn too_slow(cluster: &str, time: std::time::Duration) -> Self {
        Self::Unreachable {
            cluster: cluster.to_owned(),
            problem: format!("did not answer completely within {} s", time.as_secs()),
            source: None,
        }
    }
}

/// Clients that are used again, because every new one begins with a handshake.
#[derive(Default)]
pub(crate) struct Clients(Mutex<BTreeMap<i64, ([u8; 32], Client)>>);

impl Clients {
    fn get(&self, cluster: i64, key: &[u8; 32]) -> Option<Client> {
        let clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        clients.get(&cluster).filter(|(kept, _)| kept == key).map(|(_, client)| client.clone())
    }

    fn keep(&self, cluster: i64, key: [u8; 32], client: Client) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(cluster, (key, client));
    }

    pub(super) fn forget(&self, cluster: i64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&cluster);
    }
}

impl ControlPlane {
    /// A client of this cluster. Answers begin within 15 s and have at most 64 MiB; whoever reads more than one bounds the whole.
    pub async fn kubernetes(&self, cluster: &Cluster) -> Result<Client, ClusterError> {
        let kubeconfig = self.cluster_kubeconfig(cluster).await?;
        self.client_of(cluster, &kubeconfig).await
    }

    /// The same with what tells the ways into it apart: another kubeconfig has another one.
    pub(crate) async fn kubernetes_and_key(
        &self,
        cluster: &Cluster,
    ) -> Result<(Client, [u8; 32]), ClusterError> {
        let kubeconfig = self.cluster_kubeconfig(cluster).await?;
        Ok((self.client_of(cluster, &kubeconfig).await?, key_of(&kubeconfig)?))
    }

    /// The kubeconfig of this cluster, as far as it is used.
    pub async fn cluster_kubeconfig(&self, cluster: &Cluster) -> Result<CleanKubeconfig, ClusterError> {
        Ok(self.read_kubeconfig(cluster.organization_id, &cluster.secret_id).await?.1)
    }

    /// The id of a secret, however it is written, and the kubeconfig in it.
    pub(super) async fn read_kubeconfig(
        &self,
        organization: i64,
        secret_id: &str,
    ) -> Result<(SecretId, CleanKubeconfig), ClusterError> {
        let secret = match self.get_secret(organization, secret_id).await {
            Ok(secret) => secret,
            Err(SecretError::NotFound) => return Err(ClusterError::NoSecret(secret_id.to_owned())),
            Err(error) => return Err(ClusterError::Secrets(error)),
        };
        let value =
            (secret.kind == SecretKind::Kubernetes).then(|| secret.values.get(KUBECONFIG_KEY)).flatten();
        let value = value.ok_or_else(|| ClusterError::WrongSecret(secret.name.clone()))?;
        let kubeconfig = CleanKubeconfig::read(value.reveal(), self.settings.addresses)?;
        Ok((secret.id, kubeconfig))
    }

    pub(super) async fn client_of(
        &self,
        cluster: &Cluster,
        kubeconfig: &CleanKubeconfig,
    ) -> Result<Client, ClusterError> {
        let key = key_of(kubeconfig)?;
        if let Some(client) = self.clients.get(cluster.id, &key) {
            return Ok(client);
        }
        let client = self.new_client(kubeconfig).await?;
        self.clients.keep(cluster.id, key, client.clone());
        Ok(client)
    }

    pub(super) async fn new_client(&self, kubeconfig: &CleanKubeconfig) -> Result<Client, ClusterError> {
        let config = kubeconfig.to_config().await.map_err(|error| ClusterError::Client(error.to_string()))?;
        connect(&config, self.settings.addresses).map_err(|error| ClusterError::Client(error.to_string()))
    }
}

fn key_of(kubeconfig: &CleanKubeconfig) -> Result<[u8; 32], ClusterError> {
    Ok(Sha256::digest(kubeconfig.to_yaml()?).into())
}
