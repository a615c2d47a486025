//! Organizations, users, tokens, secrets, clusters and what runs in them, for many clusters; the HTTP API of all that.

mod clusters;
mod control_plane;
mod first_start;
pub mod http;
mod organizations;
mod secrets;
mod settings;
mod signing_key;
mod storage_error;
mod tokens;
mod users;

pub use clusters::{Cluster, ClusterStatus};
pub use control_plane::{ControlPlane, OpenError, migrations};
pub use first_start::{FirstStart, FirstStartError, TOKEN_FILE};
pub use http::monitoring::{MetricsText, Readiness};
pub use organizations::{Organization, Role};
pub use secrets::{
    ExpectedVersion, NewSecret, Secret, SecretError, SecretField, SecretId, SecretKind, SecretStore,
    SecretStoreError, SecretStoreSettings, SecretSummary, SecretValue, TAG_HIDDEN, TAG_KUBECONFIG,
    TAG_READ_ONLY, generate_password,
};
pub use settings::ControlPlaneSettings;
pub use signing_key::{SIGNING_KEY_CHARS_MIN, ShortSigningKey, SigningKey};
pub use storage_error::StorageError;
pub use tokens::{AuthenticateError, NewToken, TokenError, TokenRecord};
pub use users::{NewUser, User};
