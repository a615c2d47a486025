//! Notifications: telling the operator's webhooks what the accounts subscribed to.
//!
//! A notification is stored in the transaction of the change it tells about and delivered afterwards, at least once, by whichever
//! process holds the duty.

mod settings;
mod store;

pub use settings::{EventLevel, NotificationKind, Webhook, WebhookSettings, WebhookTarget};
pub(crate) use store::{Notification, is_wanted, notify};
