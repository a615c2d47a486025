//! `/api/v1/me`: who the caller is.

use serde::Serialize;

use super::answer::{Answer, ok};
use super::call::Caller;
use crate::storage_error::wire_time;

#[derive(Serialize)]
struct UserWire<'a> {
    id: i64,
    #[serde(rename = "createdAt")]
    created_at: String,
    #[serde(rename = "updatedAt")]
    updated_at: String,
    name: &'a str,
    email: &'a str,
    login: &'a str,
    image: &'a str,
}

/// `GET /api/v1/me`.
pub(super) async fn get(Caller { user }: Caller) -> Answer {
    ok(&UserWire {
        id: user.id,
        created_at: wire_time(user.created_at),
        updated_at: wire_time(user.updated_at),
        name: &user.name,
        email: &user.email,
        login: &user.login,
        image: &user.image,
    })
}
