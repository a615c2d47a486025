//! Subscriptions: what an account wants to be watched and told.

mod created;
mod store;

pub(crate) use created::{subscribe_tag, tell_analyses_again};
pub(crate) use store::subscription_id;
pub use store::{
    NewSubscription, Subscription, SubscriptionChange, SubscriptionError, SubscriptionFilter,
    SubscriptionKind,
};
