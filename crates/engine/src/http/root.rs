//! `/`, `/health`, `/version`: what may be asked without saying who asks.

use serde_json::json;

use super::answer::{Answer, ok};

/// The version of Anchore Engine whose API this is; clients compare it.
pub(super) const SERVICE_VERSION: &str = "1.1.0";
/// The version of its database form; shown, without a meaning here.
pub(super) const DATABASE_VERSION: &str = "0.0.16";

pub(super) async fn version_prefix() -> Answer {
    ok(&"v1")
}

pub(super) async fn health() -> Answer {
    ok(&"ok")
}

pub(super) async fn version() -> Answer {
    ok(&json!({
        "service": {"version": SERVICE_VERSION}, "api": {}, "db": {"schema_version": DATABASE_VERSION},
    }))
}
