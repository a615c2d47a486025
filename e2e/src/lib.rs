//! The stage of the end-to-end tests: a real cluster, a real registry, and the built program in its roles.
//!
//! The tests themselves are in `tests/`, one file per story.

mod exchange;
mod helm;
mod old_client;
mod plane;
mod replica;
mod stage;
mod state;
mod terminal;

pub use exchange::{ADMIN_LOGIN, Exchange, exchange};
pub use helm::{Helm, write_chart};
pub use old_client::OldClient;
pub use plane::Plane;
pub use replica::{Replica, WEBHOOK_NAME, WEBHOOK_NAMESPACE, await_pods, webhook_object, webhook_secret};
pub use reqwest::Method;
pub use stage::{ADMIN_PASSWORD, Engine, EngineOptions, Webhook, WebhookOptions, address_in, http_status};
pub use state::{cluster_state, plane_state, run_pod, service_reason, stop_at, wait_for_verdict};
pub use terminal::{build_database, build_database_from, feed_file, run_lazaret};
