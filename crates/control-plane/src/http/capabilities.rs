//! `/api/v1/capabilities`: what this installation can do. Every value at the top is an object, or clients break.

use serde_json::json;

use super::answer::{Answer, ok};
use super::call::Caller;

/// `GET /api/v1/capabilities`.
pub(super) async fn get(_caller: Caller) -> Answer {
    let off = json!({"enabled": false});
    ok(&json!({
        "features": {
            "securityScan": {"enabled": true, "managed": true},
            "vault": {"enabled": false, "managed": false},
            "monitoring": off,
            "logging": off,
            "dns": {"enabled": false, "baseDomain": ""},
            "expiry": off,
            "ingress": {"enabled": false, "controllers": []},
        },
        "helm": {"version": "3"},
    }))
}
