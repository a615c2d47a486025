//! Notifications: telling the operator's webhooks what the accounts subscribed to.
//!
//! A notification is stored in the transaction of the change it tells about and delivered afterwards, at least once, by whichever
//! process holds the duty.

mod client;
mod deliver;
mod settings;
mod store;
mod trial;

pub use client::WebhookError;
pub(crate) use deliver::deliver;
pub use settings::{EventLevel, NotificationKind, Webhook, WebhookSettings, WebhookTarget};
pub(crate) use store::{Notification, is_wanted, notify};
pub use trial::WebhookTrialError;
