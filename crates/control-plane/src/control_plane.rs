//! The control plane value: what it owns, how it opens.

use std::sync::Arc;

use jiff::Timestamp;
use storage::{Database, Migrations, Sealer};

use crate::clusters::Clients;
use crate::first_start::{FirstStart, FirstStartError, first_start};
use crate::kept_key::Installation;
use crate::login::{Login, ProviderError};
use crate::secrets::{EmbeddedStore, SecretStore, SecretStoreError, SecretStoreSettings, VaultStore};
use crate::services::JoinedWebhooks;
use crate::storage_error::chain;
use crate::tokens::TokenKeys;
use crate::{ControlPlaneSettings, SigningKey, StorageError};

/// An open control plane.
pub struct ControlPlane {
    pub(crate) settings: ControlPlaneSettings,
    pub(crate) storage: Database,
    pub(crate) token_keys: TokenKeys,
    pub(crate) secrets: Arc<dyn SecretStore>,
    /// Where people log in, if anywhere.
    pub(crate) login: Option<Login>,
    /// Somebody wants something of a service.
    pub(crate) services_changed: tokio::sync::Notify,
    /// Which clusters the webhooks of this process answer.
    pub(crate) webhooks: JoinedWebhooks,
    /// Under which clients tell this installation from others.
    pub(crate) instance: uuid::Uuid,
    /// By which objects in clusters say whose they are.
    pub(crate) installation: Installation,
    /// Clients of clusters that were asked before.
    pub(crate) clients: Clients,
    /// Says that there is a cluster to look at now.
    pub(crate) wake_clusters: tokio::sync::Notify,
}

/// Why a control plane could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its tables cannot be brought up to date.
    #[error("prepare the control plane's tables")]
    Migrate(#[source] storage::MigrateError),
    /// There is nothing to sign tokens with, or to mark objects in clusters with.
    #[error("prepare the kept keys")]
    SigningKey(#[source] StorageError),
    /// The place that keeps secrets cannot be used.
    #[error("prepare the secrets")]
    Secrets(#[source] SecretStoreError),
    /// The provider of identities cannot be used as the settings say.
    #[error("prepare the login")]
    Login(#[source] ProviderError),
    /// The first user cannot be set up.
    #[error("set up the first user")]
    FirstStart(#[source] FirstStartError),
}

/// The migrations of the control plane's tables.
pub fn migrations() -> Migrations {
    Migrations {
        owner: "control_plane",
        sqlite: sqlx::migrate!("./migrations/sqlite"),
        postgres: sqlx::migrate!("./migrations/postgres"),
    }
}

impl ControlPlane {
    /// Brings the tables up to date, and makes the first user where there is none.
    pub async fn open(
        settings: ControlPlaneSettings,
        storage: Database,
        sealer: Arc<Sealer>,
    ) -> Result<(Arc<Self>, FirstStart), OpenError> {
        storage.migrate(migrations()).await.map_err(OpenError::Migrate)?;
        let signing_key = match &settings.signing_key {
            Some(key) => key.clone(),
            None => SigningKey::kept(&storage, &sealer).await.map_err(OpenError::SigningKey)?,
        };
        let installation = Installation::kept(&storage, &sealer).await.map_err(OpenError::SigningKey)?;
        let login = settings.login.as_ref().map(|settings| Login::new(settings, Arc::clone(&sealer)));
        let login = login.transpose().map_err(OpenError::Login)?;
        let secrets = open_secrets(&settings, &storage, sealer).await.map_err(OpenError::Secrets)?;
        let plane = Self {
            secrets,
            login,
            token_keys: TokenKeys::new(&signing_key),
            services_changed: tokio::sync::Notify::new(),
            webhooks: JoinedWebhooks::default(),
            instance: uuid::Uuid::new_v4(),
            installation,
            clients: Clients::default(),
            wake_clusters: tokio::sync::Notify::new(),
            settings,
            storage,
        };
        let first_start = first_start(&plane).await.map_err(OpenError::FirstStart)?;
        Ok((Arc::new(plane), first_start))
    }

    /// Whether its tables can be read.
    pub async fn check_storage(&self) -> Result<(), StorageError> {
        let (_users,): (i64,) = storage::query("SELECT count(*) FROM plane_users")
            .fetch_one_as(&self.storage)
            .await
            .map_err(StorageError::at("count users"))?;
        Ok(())
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.settings.clock)()
    }
}

async fn open_secrets(
    settings: &ControlPlaneSettings,
    storage: &Database,
    sealer: Arc<Sealer>,
) -> Result<Arc<dyn SecretStore>, SecretStoreError> {
    // Whichever place is used now: the tables may hold secrets of before.
    let embedded = EmbeddedStore::new(storage.clone(), sealer);
    embedded.reseal().await?;
    let settings = match &settings.secrets {
        SecretStoreSettings::Embedded => return Ok(Arc::new(embedded)),
        SecretStoreSettings::Vault(settings) => settings,
    };
    let left = embedded.count().await?;
    if left > 0 {
        tracing::warn!(
            secrets = left,
            "secrets of before are in the tables, where nobody looks while a Vault keeps them"
        );
    }
    let vault = VaultStore::new(settings)?;
    // A Vault is often sealed when everything starts again together; what needs no secrets works meanwhile.
    if let Err(error) = vault.check().await {
        tracing::error!(
            error = chain(&error),
            "secrets are not reached: see `lazaret config check` and Vault itself"
        );
    }
    Ok(Arc::new(vault))
}

impl std::fmt::Debug for ControlPlane {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ControlPlane").field("settings", &self.settings).finish_non_exhaustive()
    }
}
