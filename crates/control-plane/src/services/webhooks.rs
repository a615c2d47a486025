//! The webhooks in this process: which clusters they answer, kept like the tables say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use admission::manifests::DEFAULT_NAME;
use kube::Client;

use super::store::ServiceRow;
use super::validation::WebhookPlace;
use super::{SECURITY_SCAN, ServiceStatus};
use crate::engines::{ClusterEngine, Credentials, EngineChoice};
use crate::storage_error::chain;
use crate::{Cluster, ControlPlane};

/// Which engine each cluster is answered from, by the cluster's uid.
#[derive(Default)]
pub(crate) struct JoinedWebhooks(Mutex<BTreeMap<String, (EngineChoice, String)>>);

impl JoinedWebhooks {
    fn is_joined(&self, cluster: &str, engine: &ClusterEngine) -> bool {
        let joined = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        joined
            .get(cluster)
            .is_some_and(|(choice, user)| *choice == engine.choice && *user == fingerprint(engine))
    }

    fn note(&self, cluster: &str, engine: &ClusterEngine) {
        let mut joined = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        joined.insert(cluster.to_owned(), (engine.choice.clone(), fingerprint(engine)));
    }

    fn forget(&self, cluster: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(cluster);
    }
}

/// Another password needs another client; in our engine nobody is asked for one.
fn fingerprint(engine: &ClusterEngine) -> String {
    use sha2::Digest as _;
    let Credentials { user, password } = &engine.credentials;
    match engine.choice {
        EngineChoice::Own { .. } => user.clone(),
        EngineChoice::Custom { .. } => {
            data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(format!("{user}\n{password}")))
        }
    }
}

impl ControlPlane {
    /// Answers the reviews of a cluster, out of this engine. Errors: why not, for people.
    pub(crate) async fn join_webhook(
        &self,
        cluster: &Cluster,
        engine: &ClusterEngine,
        client: Client,
    ) -> Result<(), String> {
        let Some(here) = &self.settings.services.webhook else {
            return Err("there is no listener for webhooks in this process".to_owned());
        };
        if self.webhooks.is_joined(&cluster.uid, engine) && here.shared.clusters().contains(&cluster.uid) {
            return Ok(());
        }
        let Some(source) = self.verdict_source(engine) else {
            return Err("there is no engine in this process".to_owned());
        };
        here.shared.add(&cluster.uid, DEFAULT_NAME, source, client).await.map_err(|error| chain(&error))?;
        self.webhooks.note(&cluster.uid, engine);
        Ok(())
    }

    /// Whether reviews of a cluster are answered with all that is to be known about it.
    pub(crate) fn is_webhook_ready(&self, cluster: &Cluster) -> bool {
        self.settings.services.webhook.as_ref().is_some_and(|here| here.shared.is_ready(&cluster.uid))
    }

    /// Answers the reviews of a cluster no longer.
    pub(crate) async fn leave_webhook(&self, cluster: &str) {
        if let Some(here) = &self.settings.services.webhook {
            here.shared.remove(cluster).await;
        }
        self.webhooks.forget(cluster);
    }

    /// After a start, and beside other processes: answers for every cluster whose webhook is here.
    pub(crate) async fn keep_webhooks(&self) {
        let Some(here) = &self.settings.services.webhook else { return };
        // Looked at before the rows: who joins after that is none of those that are left below.
        let answered = here.shared.clusters();
        let rows = match self.all_services(SECURITY_SCAN).await {
            Ok(rows) => rows,
            Err(error) => {
                tracing::warn!(error = chain(&error), "services cannot be listed");
                return;
            }
        };
        let mut stay = BTreeSet::new();
        for row in rows {
            let cluster = match self.find_cluster(row.organization, row.cluster).await {
                Ok(Some(cluster)) => cluster,
                Ok(None) => continue,
                Err(error) => {
                    tracing::warn!(error = chain(&error), "a cluster cannot be read");
                    return;
                }
            };
            let is_here = row.inventory.webhook == Some(WebhookPlace::ControlPlane);
            if is_here && let Err(error) = self.keep_webhook(&cluster, &row).await {
                tracing::warn!(cluster.id = cluster.id, error, "webhook of a cluster is not answered here");
            }
            // One that is being activated is in no inventory yet.
            if is_here || row.status == ServiceStatus::Pending {
                stay.insert(cluster.uid);
            }
        }
        for cluster in answered.iter().filter(|cluster| !stay.contains(*cluster)) {
            self.leave_webhook(cluster).await;
        }
    }

    async fn keep_webhook(&self, cluster: &Cluster, row: &ServiceRow) -> Result<(), String> {
        let choice = row.inventory.engine.as_ref().map(|engine| engine.choice.clone());
        let choice = choice.ok_or("no engine is in its inventory")?;
        let engine = self.engine_of(row.organization, choice).await?;
        let client = self.kubernetes(cluster).await.map_err(|error| chain(&error))?;
        self.join_webhook(cluster, &engine, client).await
    }

    /// The engine that a cluster uses, as its inventory has it. Errors: why it cannot be asked.
    pub(crate) async fn engine_of(
        &self,
        organization: i64,
        choice: EngineChoice,
    ) -> Result<ClusterEngine, String> {
        match &choice {
            EngineChoice::Own { account } => {
                let client = match self.own_engine() {
                    Some(Ok(client)) => client.in_account(account),
                    Some(Err(error)) => return Err(chain(&error)),
                    None => return Err("there is no engine in this process".to_owned()),
                };
                let url = self.settings.services.engine.as_ref().map(|engine| engine.url.clone());
                let credentials = Credentials { user: account.clone(), password: String::new() };
                Ok(ClusterEngine { client, url: url.unwrap_or_default(), credentials, choice })
            }
            EngineChoice::Custom { url, secret_id, .. } => {
                let credentials = match self.password_credentials(organization, secret_id).await {
                    Ok(credentials) => credentials,
                    Err(super::checks::SecretProblem::Told(text)) => return Err(text),
                    Err(super::checks::SecretProblem::Secrets(error)) => return Err(chain(&error)),
                };
                let client = match self.custom_engine(&choice, &credentials) {
                    Ok(Some(client)) => client,
                    Ok(None) => return Err("the engine is not a foreign one".to_owned()),
                    Err(error) => return Err(chain(&error)),
                };
                Ok(ClusterEngine { client, url: url.clone(), credentials, choice })
            }
        }
    }
}
