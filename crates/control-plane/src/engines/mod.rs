//! The engines that judge: the one of this installation, and foreign ones that organizations bring.

use std::sync::Arc;
use std::time::Duration;

use admission::{EngineClientSource, VerdictSource};
use engine_client::{BuildClientError, Client, ClientSettings};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use storage::WriteTransaction;
use tokio::time::Instant;

use crate::ControlPlane;
use crate::addresses::guard;

/// How long one answer of an engine may take. The longest is the one that asks a registry.
const ANSWER_TIME: Duration = Duration::from_secs(60);
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Verdicts of an account of the engine in this process.
pub type VerdictsOf = Arc<dyn Fn(&str, Urgency) -> Arc<dyn VerdictSource> + Send + Sync>;

/// Stores news about Pods that run, in a transaction and for the webhooks of an account of the engine in this process.
pub type NotifyRunning = Arc<
    dyn for<'t> Fn(
            &'t mut WriteTransaction,
            &'t str,
            Map<String, Value>,
        ) -> BoxFuture<'t, Result<(), BoxError>>
        + Send
        + Sync,
>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Who waits for verdicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// A Pod that is to be created.
    Waited,
    /// Nobody: the Pods run already.
    Unhurried,
}

/// The engine of this installation, as the program hands it over.
#[derive(Clone)]
pub struct EngineAccess {
    /// Its routes, which take requests without credentials for the administrator's.
    pub router: axum::Router,
    /// Where clusters reach it, without `/v1`.
    pub url: String,
    /// Verdicts without a hop.
    pub verdicts: VerdictsOf,
    /// Its webhooks.
    pub notify_running: NotifyRunning,
}

impl std::fmt::Debug for EngineAccess {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("EngineAccess").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Which engine a cluster uses; kept in the inventory, so that it can be cleaned up when it is another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EngineChoice {
    /// That of this installation, with an account for the cluster.
    Own {
        /// Name of the account and of its technical user.
        account: String,
    },
    /// One that the organization brings.
    Custom { url: String, secret_id: String, is_insecure: bool, ca_certificate: String },
}

/// An engine, ready to be asked for one cluster.
#[derive(Debug, Clone)]
pub(crate) struct ClusterEngine {
    /// Acts in the account of the cluster.
    pub(crate) client: Client,
    pub(crate) choice: EngineChoice,
    /// Where the cluster reaches it.
    pub(crate) url: String,
    pub(crate) credentials: Credentials,
}

/// User and password at an engine.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) user: String,
    pub(crate) password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// The deadline of the next answer.
pub(crate) fn soon() -> Instant {
    Instant::now() + ANSWER_TIME
}

/// Name of the technical user of a cluster, and of his account.
pub(crate) fn technical_user(cluster_uid: &str) -> String {
    format!("{cluster_uid}-anchore-user")
}

impl ControlPlane {
    /// The engine of this installation, asked as its administrator; `None` where there is none.
    pub(crate) fn own_engine(&self) -> Option<Result<Client, BuildClientError>> {
        self.settings.services.engine.as_ref().map(|access| Client::in_process(access.router.clone()))
    }

    /// A client of an engine that somebody else has named, which connects where the installation's rule allows.
    pub(crate) fn custom_engine(
        &self,
        choice: &EngineChoice,
        credentials: &Credentials,
    ) -> Result<Option<Client>, BuildClientError> {
        let EngineChoice::Custom { url, is_insecure, ca_certificate, .. } = choice else { return Ok(None) };
        let settings = ClientSettings {
            is_insecure: *is_insecure,
            ca_pem: Some(ca_certificate.clone()).filter(|pem| !pem.is_empty()),
            guard: Some(guard(self.settings.addresses)),
            answer_bytes_max: ANSWER_BYTES_MAX,
            ..ClientSettings::new(url.as_str(), credentials.user.as_str(), credentials.password.as_str())
        };
        Client::new(&settings).map(Some)
    }

    /// What judges the Pods of a cluster. `None`: there is no engine in this process.
    pub(crate) fn verdict_source(
        &self,
        engine: &ClusterEngine,
        urgency: Urgency,
    ) -> Option<Arc<dyn VerdictSource>> {
        match &engine.choice {
            EngineChoice::Own { account } => {
                let access = self.settings.services.engine.as_ref()?;
                Some((access.verdicts)(account, urgency))
            }
            EngineChoice::Custom { .. } => {
                Some(Arc::new(EngineClientSource::new(engine.client.clone(), self.settings.clock)))
            }
        }
    }
}
