//! The way of people to the engine of a cluster: as the cluster's technical user, and as nobody else.
//!
//! What he may not do at the engine, nobody does through here: he is no administrator of the engine of this installation.

mod path;

use engine_client::{BuildClientError, Client, ClientError};

pub(crate) use path::{engine_name, engine_path, engine_query};

use crate::engines::{Credentials, EngineChoice};
use crate::services::{SecretProblem, Wanted, find_service};
use crate::storage_error::chain;
use crate::{Cluster, ControlPlane, SECURITY_SCAN, SecretError, StorageError};

/// Why the engine of a cluster was not asked, or did not answer.
#[derive(Debug, thiserror::Error)]
pub enum EngineUseError {
    /// The cluster has none.
    #[error(
        "service \"{SECURITY_SCAN}\" is not active in cluster `{0}`: activate it, then its engine can be asked"
    )]
    NotActive(String),
    /// It has none yet, or none any more.
    #[error("service \"{SECURITY_SCAN}\" of cluster `{cluster}` is {status} and has no engine now{reason}")]
    NotReady {
        /// The cluster's name.
        cluster: String,
        /// The status of the service.
        status: &'static str,
        /// Why, behind a colon; may be empty.
        reason: String,
    },
    /// The address names nothing at the engine.
    #[error("{0}")]
    BadPath(String),
    /// Nothing is called like this.
    #[error("nothing at an engine is called `{0}`")]
    BadName(String),
    /// The address is one that nobody reaches through a cluster.
    #[error(
        "accounts, users and tokens of an engine are not reached through a cluster: the control plane manages the account that the \
         cluster uses"
    )]
    Reserved,
    /// The engine cannot be asked with what the cluster has.
    #[error("the engine of cluster `{cluster}` cannot be asked: {problem}; updating the service mends it")]
    Unusable {
        /// The cluster's name.
        cluster: String,
        /// What is wrong.
        problem: String,
    },
    /// Secrets cannot be read.
    #[error(transparent)]
    Secrets(#[from] SecretError),
    /// The engine does not answer, or refuses.
    #[error(transparent)]
    Engine(#[from] ClientError),
    /// The tables cannot be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl ControlPlane {
    /// A client of a cluster's engine that acts as the technical user of this cluster.
    pub(crate) async fn cluster_engine(&self, cluster: &Cluster) -> Result<Client, EngineUseError> {
        let row = find_service(&self.storage, cluster.id, SECURITY_SCAN).await?;
        let row = row.filter(|row| row.organization == cluster.organization_id);
        let row = row.ok_or_else(|| EngineUseError::NotActive(cluster.name.clone()))?;
        let engine = row.inventory.engine.filter(|_| row.wanted == Wanted::Active);
        let engine = engine.ok_or_else(|| EngineUseError::NotReady {
            cluster: cluster.name.clone(),
            status: row.status.name(),
            reason: if row.reason.is_empty() { String::new() } else { format!(": {}", row.reason) },
        })?;
        let unusable = |problem: String| EngineUseError::Unusable { cluster: cluster.name.clone(), problem };
        let unbuilt = |error: BuildClientError| unusable(chain(&error));
        match &engine.choice {
            EngineChoice::Own { account } => {
                let own = self.own_engine().ok_or_else(|| {
                    unusable("this installation runs without an engine of its own".to_owned())
                })?;
                let credentials = self.technical_credentials(cluster, account).await?;
                let Credentials { user, password } =
                    credentials.ok_or_else(|| unusable(format!("the secret `{account}` is missing")))?;
                Ok(own.map_err(unbuilt)?.with_credentials(&user, &password))
            }
            EngineChoice::Custom { secret_id, .. } => {
                let credentials = self.password_credentials(cluster.organization_id, secret_id).await;
                let credentials = credentials.map_err(|problem| match problem {
                    SecretProblem::Told(text) => unusable(text),
                    SecretProblem::Secrets(error) => error.into(),
                })?;
                // The rule may have become stricter since the service was activated: making the client looks at it again.
                let client = self.custom_engine(&engine.choice, &credentials).map_err(unbuilt)?;
                client.ok_or_else(|| unusable("it is not known where it is".to_owned()))
            }
        }
    }

    /// The technical user of a cluster as his secret has him.
    async fn technical_credentials(
        &self,
        cluster: &Cluster,
        account: &str,
    ) -> Result<Option<Credentials>, SecretError> {
        let secret = self.find_secret_by_name(cluster.organization_id, account).await?;
        let password = secret.and_then(|secret| Some(secret.value("password")?.reveal().to_owned()));
        Ok(password.map(|password| Credentials { user: account.to_owned(), password }))
    }
}
