//! What the program decides about a control plane.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use outbound_guard::RegistryAddresses;

use crate::{AddressRule, LoginSettings, RunningSettings, SecretStoreSettings, ServiceSettings, SigningKey};

/// The settings of one control plane.
#[derive(Clone)]
pub struct ControlPlaneSettings {
    /// Folder of this process's files, with the token of the first user.
    pub data_dir: PathBuf,
    /// What comes before `/api/v1` in addresses: empty or like `/pipeline`. Without it the API answers as well.
    pub base_path: String,
    /// What signs tokens; `None`: a key that is made once and kept sealed.
    pub signing_key: Option<SigningKey>,
    /// Login of the first user.
    pub first_user: String,
    /// Name of the first organization.
    pub first_organization: String,
    /// Version of the program.
    pub program_version: String,
    /// Where the engine API listens: `http://127.0.0.1:8228/v1`.
    pub engine_url: String,
    /// Where people log in; `None`: nowhere, they have tokens.
    pub login: Option<LoginSettings>,
    /// What keeps the secrets of organizations.
    pub secrets: SecretStoreSettings,
    /// To which addresses it connects when a kubeconfig or a service names them.
    pub addresses: AddressRule,
    /// Where registries of services may be: what its own engine pulls by.
    pub registry_addresses: RegistryAddresses,
    /// Pause between two questions to a cluster how it is.
    pub cluster_check_every: Duration,
    /// What runs in clusters.
    pub services: ServiceSettings,
    /// How Pods that run are judged.
    pub running: RunningSettings,
    /// The clock of the world.
    pub clock: fn() -> Timestamp,
}

impl fmt::Debug for ControlPlaneSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ControlPlaneSettings")
            .field("data_dir", &self.data_dir)
            .field("base_path", &self.base_path)
            .field("first_user", &self.first_user)
            .field("first_organization", &self.first_organization)
            .field("engine_url", &self.engine_url)
            .field("login", &self.login)
            .field("secrets", &self.secrets)
            .field("addresses", &self.addresses)
            .field("registry_addresses", &self.registry_addresses)
            .field("cluster_check_every", &self.cluster_check_every)
            .field("services", &self.services)
            .field("running", &self.running)
            .finish_non_exhaustive()
    }
}
