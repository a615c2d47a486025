//! `/api/v1/tokens`: the tokens of the caller.

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use serde::{Deserialize, Serialize};

use super::Shared;
use super::answer::{Answer, ApiError, ok};
use super::call::{Person, read_json};
use crate::storage_error::{chain, wire_time};
use crate::{NewToken, TokenError, TokenRecord};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewTokenWire {
    #[serde(default)]
    name: String,
    #[serde(default)]
    expires_at: Option<jiff::Timestamp>,
    /// `ORGANIZATION/NAME`: the token of a machine, which acts in this organization only.
    #[serde(default)]
    virtual_user: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TokenWire {
    id: String,
    name: String,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    virtual_user: Option<String>,
    /// Only in the answer to its making.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl TokenWire {
    fn new(record: TokenRecord, token: Option<String>) -> Self {
        Self {
            id: record.id,
            name: record.name,
            created_at: wire_time(record.created_at),
            expires_at: record.expires_at.map(wire_time),
            virtual_user: record.virtual_user,
            token,
        }
    }
}

/// `GET /api/v1/tokens`.
pub(super) async fn list(State(shared): State<Shared>, Person { user }: Person) -> Answer {
    let tokens = shared.plane.list_tokens(user.id).await?;
    ok(&tokens.into_iter().map(|record| TokenWire::new(record, None)).collect::<Vec<_>>())
}

/// `POST /api/v1/tokens`.
pub(super) async fn create(
    State(shared): State<Shared>,
    Person { user }: Person,
    request: Request,
) -> Answer {
    let NewTokenWire { name, expires_at, virtual_user } = read_json(request).await?;
    let new = NewToken { name, expires_at };
    let (record, token) = match virtual_user.filter(|name| !name.is_empty()) {
        Some(name) => shared.plane.create_virtual_token(&user, &name, &new).await?,
        None => shared.plane.create_token(&user, &new).await?,
    };
    ok(&TokenWire::new(record, Some(token)))
}

/// `GET /api/v1/tokens/{id}`.
pub(super) async fn get(
    State(shared): State<Shared>,
    Person { user }: Person,
    Path(id): Path<String>,
) -> Answer {
    ok(&TokenWire::new(shared.plane.find_token(user.id, &id).await?, None))
}

/// `DELETE /api/v1/tokens/{id}`.
pub(super) async fn delete(
    State(shared): State<Shared>,
    Person { user }: Person,
    Path(id): Path<String>,
) -> Answer {
    shared.plane.revoke_token(user.id, &id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::NotFound(_) => Self::not_found(error.to_string()),
            TokenError::Invalid(text) => Self::bad_request(text),
            TokenError::NotAdministrator(_) => Self::problem(StatusCode::FORBIDDEN, error.to_string()),
            TokenError::Sign(_) => Self::Internal(chain(&error)),
            TokenError::Storage(error) => error.into(),
        }
    }
}
