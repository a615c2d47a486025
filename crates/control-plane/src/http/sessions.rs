//! `/api/v1/sessions`: the browsers that the caller is logged in with.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Serialize;

use super::Shared;
use super::answer::{Answer, ApiError, ok};
use super::call::Person;
use crate::BrowserSession;
use crate::storage_error::wire_time;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionWire {
    id: String,
    browser: String,
    created_at: String,
    used_at: String,
    expires_at: String,
}

impl From<BrowserSession> for SessionWire {
    fn from(session: BrowserSession) -> Self {
        let BrowserSession { id, browser, created_at, used_at, expires_at } = session;
        let [created_at, used_at, expires_at] = [created_at, used_at, expires_at].map(wire_time);
        Self { id, browser, created_at, used_at, expires_at }
    }
}

/// `GET /api/v1/sessions`.
pub(super) async fn list(State(shared): State<Shared>, Person { user }: Person) -> Answer {
    let sessions = shared.plane.list_sessions(user.id).await?;
    ok(&sessions.into_iter().map(SessionWire::from).collect::<Vec<_>>())
}

/// `DELETE /api/v1/sessions/{id}`.
pub(super) async fn delete(
    State(shared): State<Shared>,
    Person { user }: Person,
    Path(id): Path<String>,
) -> Answer {
    if shared.plane.end_session(user.id, &id).await? {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Err(ApiError::not_found(format!("session `{id}` does not exist")))
}
