//! A notification that tells nothing, to see whether a webhook can be reached.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::{WebhookClient, WebhookError};
use super::{NotificationKind, WebhookTarget};
use crate::{Engine, StorageError};

/// What clients see instead of a kind in the address.
const KIND_IN_ADDRESS: &str = "test";
const SUBJECT: &str = "test_image_digest";
const WINDOW: Duration = Duration::from_secs(3600);

/// Why the trial was not sent, or not taken.
#[derive(Debug, thiserror::Error)]
pub enum WebhookTrialError {
    /// The settings name no webhook.
    #[error("Webhooks Configuration not found")]
    NoWebhooks,
    /// The settings do not name this webhook.
    #[error("no webhook is configured for '{0}'")]
    NoSuchWebhook(String),
    /// It was not told.
    #[error("send the test notification")]
    NotTold(#[source] WebhookError),
    /// The tables cannot be read.
    #[error("look for the account")]
    Storage(#[source] StorageError),
}

impl Engine {
    /// Sends a trial notification of a kind to a webhook, once and at once.
    pub async fn try_webhook(
        &self,
        account: &str,
        target: &str,
        kind: NotificationKind,
    ) -> Result<(), WebhookTrialError> {
        let settings = &self.settings.webhooks;
        if settings.targets.is_empty() {
            return Err(WebhookTrialError::NoWebhooks);
        }
        let webhook = WebhookTarget::from_name(target)
            .and_then(|target| settings.targets.get(&target))
            .ok_or_else(|| WebhookTrialError::NoSuchWebhook(target.chars().take(100).collect()))?;
        let email = self.find_account(account).await.map_err(WebhookTrialError::Storage)?;
        let email = email.and_then(|account| account.email);
        let client = WebhookClient::new(settings).await.map_err(WebhookTrialError::NotTold)?;
        let body = self.trial(account, email.as_deref(), kind);
        client.post(webhook, (account, KIND_IN_ADDRESS), &body).await.map_err(WebhookTrialError::NotTold)
    }

    fn trial(&self, account: &str, email: Option<&str>, kind: NotificationKind) -> Value {
        let uuid = || uuid::Uuid::new_v4().to_string();
        let now = self.now();
        let mut payload = json!({
            "userId": account,
            "subscription_key": uuid(),
            "subscription_type": kind.name(),
            "notificationId": uuid(),
            "annotations": ["test"],
        });
        match kind {
            NotificationKind::TagUpdate => {
                payload["last_eval"] = json!([SUBJECT]);
                payload["curr_eval"] = json!([SUBJECT]);
            }
            NotificationKind::PolicyEvaluation => {
                payload["last_eval"] = json!({"image_digest": SUBJECT, "status": "pass"});
                payload["curr_eval"] = json!({"image_digest": SUBJECT, "status": "pass"});
            }
            NotificationKind::AnalysisUpdate | NotificationKind::EventLog => {
                let status = |status: &str| {
                    json!({"image_digest": SUBJECT, "imageDigest": SUBJECT, "analysis_status": status,
                           "annotations": {}})
                };
                payload["last_eval"] = status("analyzing");
                payload["curr_eval"] = status("analyzed");
            }
            NotificationKind::ImageScan => {
                payload["curr_eval"] = json!({"image_digest": SUBJECT, "status": "pass"});
            }
            NotificationKind::RunningPods => payload["changes"] = json!([]),
            NotificationKind::VulnerabilityUpdate => {
                payload["diff_vulnerability_result"] = json!({"added": [], "updated": [], "removed": []});
                payload["image_digest"] = json!(SUBJECT);
                payload["imageDigest"] = json!(SUBJECT);
            }
        }
        let expires = now.checked_add(WINDOW).unwrap_or(jiff::Timestamp::MAX);
        json!({
            "queueId": kind.name(),
            "userId": account,
            "dataId": uuid(),
            "created_at": now.as_second(),
            "last_updated": now.as_second(),
            "record_state_key": "active",
            "tries": 0,
            "max_tries": expires.as_second(),
            "data": {
                "notification_user": account,
                "notification_user_email": email.unwrap_or_default(),
                "notification_type": kind.name(),
                "notification_payload": payload,
            },
        })
    }
}
