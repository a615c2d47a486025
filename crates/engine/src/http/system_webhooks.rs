//! `/system/webhooks`: trying them.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::json;

use super::answer::{Answer, ApiError, ok};
use super::call::Call;
use crate::notifications::WebhookTrialError;
use crate::storage_error::chain;
use crate::{Engine, NotificationKind};

const KINDS: [&str; 4] = ["tag_update", "analysis_update", "vuln_update", "policy_eval"];

/// `POST /system/webhooks/{type}/test`: an empty object when the webhook took it.
pub(super) async fn test(
    State(engine): State<Arc<Engine>>,
    Path(target): Path<String>,
    call: Call,
) -> Answer {
    let kind = call.query.word("notification_type", &KINDS)?.and_then(NotificationKind::from_name);
    let kind = kind.unwrap_or(NotificationKind::TagUpdate);
    engine.try_webhook(&call.account, &target, kind).await.map_err(|error| match error {
        WebhookTrialError::NoWebhooks => ApiError::engine(StatusCode::BAD_REQUEST, error.to_string()),
        WebhookTrialError::NoSuchWebhook(_) => ApiError::not_found(error.to_string()),
        WebhookTrialError::NotTold(_) => ApiError::engine(StatusCode::BAD_GATEWAY, chain(&error)),
        WebhookTrialError::Storage(error) => error.into(),
    })?;
    ok(&json!({}))
}
