//! `/api/v1/securityscan`: whether images are scanned at all, as clients asked before there were capabilities.

use serde_json::json;

use super::answer::{Answer, ok};
use super::call::Caller;

/// `GET /api/v1/securityscan`.
pub(super) async fn get(_caller: Caller) -> Answer {
    ok(&json!({"enabled": true}))
}
