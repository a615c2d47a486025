//! `/user`: who am I, and my password.

use std::sync::Arc;

use axum::extract::State;

use super::account::UserWire;
use super::accounts::{credentials_of, store_credential};
use super::answer::{Answer, ok};
use super::call::Call;
use crate::Engine;

/// Who asks, whatever the account.
pub(super) async fn user(call: Call) -> Answer {
    ok(&UserWire::from(call.user))
}

/// `GET /user/credentials`.
pub(super) async fn credentials(call: Call) -> Answer {
    credentials_of(&call.user)
}

/// `POST /user/credentials`.
pub(super) async fn add_credential(State(engine): State<Arc<Engine>>, call: Call) -> Answer {
    store_credential(&engine, &call.user.account.name, &call.user.username, &call).await
}
