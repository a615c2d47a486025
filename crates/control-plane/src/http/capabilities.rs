//! `/api/v1/capabilities`: what this installation can do. Every value at the top is an object, or clients break.

use axum::extract::State;
use serde_json::json;

use super::Shared;
use super::answer::{Answer, ok};
use super::call::Caller;
use crate::SecretStoreSettings;

/// `GET /api/v1/capabilities`.
pub(super) async fn get(State(shared): State<Shared>, _caller: Caller) -> Answer {
    let is_vault = matches!(shared.plane.settings.secrets, SecretStoreSettings::Vault(_));
    let off = json!({"enabled": false});
    ok(&json!({
        "features": {
            "securityScan": {"enabled": true, "managed": true},
            "vault": {"enabled": is_vault, "managed": false},
            "monitoring": off,
            "logging": off,
            "dns": {"enabled": false, "baseDomain": ""},
            "expiry": off,
            "ingress": {"enabled": false, "controllers": []},
        },
        "helm": {"version": "3"},
    }))
}
