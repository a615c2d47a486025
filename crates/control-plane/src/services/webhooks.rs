//! The webhooks in this process: which clusters they answer, kept like the tables say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use admission::manifests::DEFAULT_NAME;

use super::store::{ServiceRow, find};
use super::validation::WebhookPlace;
use super::{SECURITY_SCAN, ServiceStatus};
use crate::engines::{ClusterEngine, Credentials, EngineChoice, Urgency};
use crate::storage_error::chain;
use crate::{Cluster, ControlPlane};

/// How each cluster is answered, by the cluster's uid.
#[derive(Default)]
pub(crate) struct JoinedWebhooks {
    joined: Mutex<BTreeMap<String, Joined>>,
    /// Whoever changes how a cluster is answered does so alone, and looks at the tables in his turn.
    turns: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

/// What one cluster is answered with. Where any of it is another, the cluster is joined again.
#[derive(Clone, PartialEq, Eq)]
struct Joined {
    engine: EngineChoice,
    /// Tells credentials apart.
    user: String,
    /// Tells kubeconfigs apart.
    way: [u8; 32],
}

impl JoinedWebhooks {
    fn find(&self, cluster: &str) -> Option<Joined> {
        self.joined.lock().unwrap_or_else(PoisonError::into_inner).get(cluster).cloned()
    }

    fn note(&self, cluster: &str, joined: Joined) {
        self.joined.lock().unwrap_or_else(PoisonError::into_inner).insert(cluster.to_owned(), joined);
    }

    fn forget(&self, cluster: &str) {
        self.joined.lock().unwrap_or_else(PoisonError::into_inner).remove(cluster);
    }

    async fn turn(&self, cluster: &str) -> tokio::sync::OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(turns.entry(cluster.to_owned()).or_default())
        };
        turn.lock_owned().await
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
    pub(crate) async fn join_webhook(&self, cluster: &Cluster, engine: &ClusterEngine) -> Result<(), String> {
        let _turn = self.webhooks.turn(&cluster.uid).await;
        self.join_webhook_in_turn(cluster, engine).await
    }

    async fn join_webhook_in_turn(&self, cluster: &Cluster, engine: &ClusterEngine) -> Result<(), String> {
        let Some(here) = &self.settings.services.webhook else {
            return Err("there is no listener for webhooks in this process".to_owned());
        };
        let (client, way) = self.kubernetes_and_key(cluster).await.map_err(|error| error.text())?;
        let joined = Joined { engine: engine.choice.clone(), user: fingerprint(engine), way };
        let former =
            self.webhooks.find(&cluster.uid).filter(|_| here.shared.clusters().contains(&cluster.uid));
        if former.as_ref() == Some(&joined) {
            return Ok(());
        }
        let is_rotated = former.is_some_and(|former| former.way != way);
        if is_rotated {
            // What answers now knows the cluster; it is not given up for a kubeconfig that leads nowhere.
            let asked = client.apiserver_version().await;
            asked.map_err(|error| {
                format!("its new kubeconfig does not work, the former one is used on: {}", chain(&error))
            })?;
        }
        let Some(source) = self.verdict_source(engine, Urgency::Waited) else {
            return Err("there is no engine in this process".to_owned());
        };
        here.shared.add(&cluster.uid, DEFAULT_NAME, source, client).await.map_err(|error| chain(&error))?;
        if is_rotated {
            tracing::info!(cluster.id = cluster.id, "webhook of a cluster has a new way in");
        }
        self.webhooks.note(&cluster.uid, joined);
        Ok(())
    }

    /// Whether reviews of a cluster are answered with all that is to be known about it.
    pub(crate) fn is_webhook_ready(&self, cluster: &Cluster) -> bool {
        self.settings.services.webhook.as_ref().is_some_and(|here| here.shared.is_ready(&cluster.uid))
    }

    /// Why reviews of a cluster are not answered with all that, as far as it is known.
    pub(crate) fn webhook_problem(&self, cluster: &Cluster) -> String {
        let here = self.settings.services.webhook.as_ref();
        here.map(|here| here.shared.problem(&cluster.uid)).unwrap_or_default()
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
        let _turn = self.webhooks.turn(&cluster.uid).await;
        // The list may be older than what a step has just done.
        let row = find(&self.storage, row.cluster, SECURITY_SCAN).await.map_err(|error| chain(&error))?;
        let Some(row) = row.filter(|row| row.inventory.webhook == Some(WebhookPlace::ControlPlane)) else {
            return Ok(());
        };
        // Never the engine in use by itself: it may not be prepared yet.
        let choice = row.inventory.webhook_engine.ok_or("no engine is noted for its webhook")?;
        let engine = self.engine_of(row.organization, choice).await?;
        self.join_webhook_in_turn(cluster, &engine).await
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
