//! Organizations, users, tokens, secrets, clusters and what runs in them, for many clusters; the HTTP API of all that.

mod addresses;
mod anchore_proxy;
mod clusters;
mod control_plane;
mod engines;
mod first_start;
pub mod http;
mod kept_key;
mod leases;
mod login;
mod organizations;
mod processes;
mod running;
mod secrets;
mod security;
mod services;
mod settings;
mod signing_key;
mod storage_error;
mod tokens;
mod users;

pub use addresses::{AddressRule, RefusedAddress};
pub use anchore_proxy::EngineUseError;
pub use clusters::{
    CleanKubeconfig, Cluster, ClusterError, ClusterStatus, DeleteError, ImportError, Imported,
    KubeconfigError, NewCluster,
};
pub use control_plane::{ControlPlane, OpenError, migrations};
pub use engines::{EngineAccess, NotifyRunning, Urgency, VerdictsOf};
pub use first_start::{FirstStart, FirstStartError, TOKEN_FILE};
pub use http::monitoring::{MetricsText, Readiness};
pub use login::{
    BegunLogin, BrowserSession, FinishedLogin, Grant, IdTokenError, LoginAnswer, LoginError, LoginSettings,
    ProviderError,
};
pub use organizations::{Organization, Role};
pub use processes::{Process, ProcessError, ProcessEvent, ProcessFilter, ProcessKind, ProcessStatus};
pub use running::{
    ImageReport, JudgedPod, PodState, RunningFilter, RunningPage, RunningSettings, RunningSummary, Told,
};
pub use secrets::{
    ExpectedVersion, NewSecret, Secret, SecretError, SecretField, SecretId, SecretKind, SecretStore,
    SecretStoreError, SecretStoreSettings, SecretSummary, SecretValue, TAG_HIDDEN, TAG_KUBECONFIG,
    TAG_READ_ONLY, VaultError, VaultLogin, VaultSettings, count_sealed_secrets, generate_password,
};
pub use security::{
    NewWhitelistItem, Release, ReleaseFilter, RunningImage, ScanRecord, WhitelistError, WhitelistRecord,
};
pub use services::{
    SECURITY_SCAN, ServiceDetails, ServiceError, ServiceSettings, ServiceStatus, ServiceStep, StepState,
    WebhookHere,
};
pub use settings::ControlPlaneSettings;
pub use signing_key::{SIGNING_KEY_CHARS_MIN, ShortSigningKey, SigningKey};
pub use storage_error::StorageError;
pub use tokens::{AuthenticateError, NewToken, TokenError, TokenRecord};
pub use users::{NewUser, User};
