//! `/account`: in which account am I?

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse as _;
use serde::Serialize;

use super::answer::{Answer, ok, time};
use super::call::Call;
use crate::{Account, Engine, User};

#[derive(Serialize)]
pub(super) struct AccountWire {
    name: String,
    r#type: String,
    state: &'static str,
    email: Option<String>,
    created_at: String,
    last_updated: String,
}

#[derive(Serialize)]
pub(super) struct UserWire {
    username: String,
    r#type: &'static str,
    source: Option<String>,
    created_at: String,
    last_updated: String,
}

impl From<Account> for AccountWire {
    fn from(Account { name, kind, state, email, created_at, updated_at }: Account) -> Self {
        Self {
            name,
            r#type: kind,
            state: state.name(),
            email,
            created_at: time(created_at),
            last_updated: time(updated_at),
        }
    }
}

impl From<User> for UserWire {
    fn from(user: User) -> Self {
        let User { username, account: _, password_set_at: _, created_at, updated_at } = user;
        Self {
            username,
            r#type: "native",
            source: None,
            created_at: time(created_at),
            last_updated: time(updated_at),
        }
    }
}

/// The account that is asked for, which the administrator chooses; an empty body for one that is not there.
pub(super) async fn account(State(engine): State<Arc<Engine>>, call: Call) -> Answer {
    match engine.find_account(&call.account).await? {
        Some(account) => ok(&AccountWire::from(account)),
        None => Ok((StatusCode::OK, [(header::CONTENT_TYPE, "application/json")]).into_response()),
    }
}
