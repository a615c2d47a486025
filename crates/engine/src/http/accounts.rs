//! `/accounts`: tenants, their users and the passwords of those.

use std::sync::{Arc, LazyLock};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use regex::Regex;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::account::{AccountWire, UserWire};
use super::answer::{Answer, ApiError, ok, time};
use super::call::Call;
use super::fields::{mismatch, one_of, require, required_text, text};
use crate::accounts::PASSWORD_BYTES_MAX;
use crate::storage_error::chain;
use crate::{AccountError, AccountState, Engine, SERVICE_ACCOUNT, User};

/// In the class, `+-=` is a range, as it has always been.
const NAME_PATTERN: &str = "^[a-zA-Z0-9][a-zA-Z0-9@.!#$+-=^_`~;]{1,126}[a-zA-Z0-9]$";
const EMAIL_PATTERN: &str = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*@(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]*[a-z0-9])?";
const PASSWORD_PATTERN: &str = "'.{6,128}$'";
const EMAIL_BYTES_MAX: usize = 320;

static NAME: LazyLock<Regex> = LazyLock::new(|| Regex::new(NAME_PATTERN).expect("the pattern is a constant"));
static EMAIL: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(EMAIL_PATTERN).expect("the pattern is a constant"));

/// Hides how long a password is.
const MASK: &str = "********";

#[derive(Serialize)]
struct CredentialWire {
    r#type: &'static str,
    value: &'static str,
    created_at: String,
}

fn to_credential(set_at: jiff::Timestamp) -> CredentialWire {
    CredentialWire { r#type: "password", value: MASK, created_at: time(set_at) }
}

/// `GET /accounts`.
pub(super) async fn list(State(engine): State<Arc<Engine>>, call: Call) -> Answer {
    let states = AccountState::ALL.map(AccountState::name);
    let state = call.query.word("state", &states)?.and_then(AccountState::from_name);
    let accounts = engine.list_accounts(state).await?;
    ok(&accounts.into_iter().map(AccountWire::from).collect::<Vec<_>>())
}

/// `POST /accounts`.
pub(super) async fn add(State(engine): State<Arc<Engine>>, call: Call) -> Answer {
    let body = call.object()?;
    let name = checked_name(body, "name")?;
    let email = text(body, "email")?;
    if let Some(email) = email
        && (!EMAIL.is_match(email) || email.len() > EMAIL_BYTES_MAX || email.contains(char::is_control))
    {
        return Err(mismatch(email, &format!("\"{}\"", EMAIL_PATTERN.replace('\\', r"\\")), "email"));
    }
    if let Some(kind) = text(body, "type")?
        && kind != "user"
    {
        let message = format!("Invalid account request: Account type must be \"user\", found: {kind}");
        return Err(ApiError::engine(StatusCode::BAD_REQUEST, message));
    }
    let account = engine.create_account(name, email).await.map_err(to_api_error)?;
    ok(&AccountWire::from(account))
}

/// `GET /accounts/{account}`.
pub(super) async fn get(State(engine): State<Arc<Engine>>, Path(name): Path<String>, _call: Call) -> Answer {
    let found = engine.find_account(&name).await?.filter(|account| account.name != SERVICE_ACCOUNT);
    ok(&AccountWire::from(found.ok_or(AccountError::NotFound).map_err(to_api_error)?))
}

/// `DELETE /accounts/{account}`: only marks it.
pub(super) async fn delete(
    State(engine): State<Arc<Engine>>,
    Path(name): Path<String>,
    _call: Call,
) -> Answer {
    engine.delete_account(&name).await.map_err(to_api_error)?;
    ok(&json!({"state": AccountState::Deleting.name()}))
}

/// `PUT /accounts/{account}/state`.
pub(super) async fn set_state(
    State(engine): State<Arc<Engine>>,
    Path(name): Path<String>,
    call: Call,
) -> Answer {
    let Some(wanted) = text(call.object()?, "state")? else {
        let message = "Error updating account state: 'state' is a required property";
        return Err(ApiError::engine(StatusCode::BAD_REQUEST, message));
    };
    one_of(wanted, &["enabled", "disabled"], "state")?;
    let state = AccountState::from_name(wanted).unwrap_or(AccountState::Disabled);
    engine.set_account_state(&name, state).await.map_err(to_api_error)?;
    ok(&json!({"state": state.name()}))
}

/// `GET /accounts/{account}/users`.
pub(super) async fn list_users(
    State(engine): State<Arc<Engine>>,
    Path(account): Path<String>,
    _call: Call,
) -> Answer {
    let users = engine.list_users(&account).await.map_err(to_api_error)?;
    ok(&users.into_iter().map(UserWire::from).collect::<Vec<_>>())
}

/// `POST /accounts/{account}/users`.
pub(super) async fn add_user(
    State(engine): State<Arc<Engine>>,
    Path(account): Path<String>,
    call: Call,
) -> Answer {
    let body = call.object()?;
    require(body, &["username", "password"])?;
    let username = checked_name(body, "username")?;
    let password = required_text(body, "password")?;
    // The pattern is searched, not matched: it is the last line that counts.
    let last_line = password.strip_suffix('\n').unwrap_or(password).rsplit('\n').next().unwrap_or_default();
    if last_line.chars().count() < 6 {
        return Err(mismatch(password, PASSWORD_PATTERN, "password"));
    }
    check_length(password, "password")?;
    let user = engine.create_user(&account, username, password).await.map_err(to_api_error)?;
    ok(&UserWire::from(user))
}

/// `GET /accounts/{account}/users/{username}`.
pub(super) async fn get_user(
    State(engine): State<Arc<Engine>>,
    Path((account, username)): Path<(String, String)>,
    _call: Call,
) -> Answer {
    ok(&UserWire::from(engine.find_user(&account, &username).await.map_err(to_api_error)?))
}

/// `DELETE /accounts/{account}/users/{username}`.
pub(super) async fn delete_user(
    State(engine): State<Arc<Engine>>,
    Path((account, username)): Path<(String, String)>,
    call: Call,
) -> Answer {
    engine.delete_user(&account, &username, &call.user.username).await.map_err(to_api_error)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `GET /accounts/{account}/users/{username}/credentials`.
pub(super) async fn list_credentials(
    State(engine): State<Arc<Engine>>,
    Path((account, username)): Path<(String, String)>,
    _call: Call,
) -> Answer {
    credentials_of(&engine.find_user(&account, &username).await.map_err(to_api_error)?)
}

/// `POST /accounts/{account}/users/{username}/credentials`.
pub(super) async fn add_credential(
    State(engine): State<Arc<Engine>>,
    Path((account, username)): Path<(String, String)>,
    call: Call,
) -> Answer {
    store_credential(&engine, &account, &username, &call).await
}

/// `DELETE /accounts/{account}/users/{username}/credentials`.
pub(super) async fn delete_credential(
    State(engine): State<Arc<Engine>>,
    Path((account, username)): Path<(String, String)>,
    call: Call,
) -> Answer {
    if call.query.word("credential_type", &["password"])?.is_none() {
        return Err(ApiError::bad_request("Missing query parameter 'credential_type'"));
    }
    engine.delete_password(&account, &username, &call.user.username).await.map_err(to_api_error)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// A list of one, or of none.
pub(super) fn credentials_of(user: &User) -> Answer {
    ok(&user.password_set_at.map(to_credential).into_iter().collect::<Vec<_>>())
}

/// A new password is taken whatever it is, as it has always been; only an empty one is none.
pub(super) async fn store_credential(engine: &Engine, account: &str, username: &str, call: &Call) -> Answer {
    let body = call.object()?;
    require(body, &["type", "value"])?;
    one_of(required_text(body, "type")?, &["password"], "type")?;
    let password = required_text(body, "value")?;
    if password.is_empty() {
        return Err(ApiError::bad_request("'' is too short - 'value'"));
    }
    check_length(password, "value")?;
    let set_at = engine.set_password(account, username, password).await.map_err(to_api_error)?;
    ok(&to_credential(set_at))
}

/// Checking a password takes time by its length, and everybody may ask.
fn check_length(password: &str, name: &str) -> Result<(), ApiError> {
    if password.len() <= PASSWORD_BYTES_MAX {
        return Ok(());
    }
    let problem = format!("a password has at most {PASSWORD_BYTES_MAX} bytes - '{name}'");
    Err(ApiError::bad_request(problem))
}

fn checked_name<'a>(body: &'a Map<String, Value>, member: &str) -> Result<&'a str, ApiError> {
    let name = required_text(body, member)?;
    if NAME.is_match(name) {
        return Ok(name);
    }
    Err(mismatch(name, &format!("'{NAME_PATTERN}'"), member))
}

fn to_api_error(error: AccountError) -> ApiError {
    let message = error.to_string();
    match error {
        AccountError::NotFound | AccountError::UserNotFound => ApiError::not_found(message),
        AccountError::AlreadyExists
        | AccountError::ReservedName(_)
        | AccountError::StateChange { .. }
        | AccountError::CannotDisable
        | AccountError::CannotBeDeleted
        | AccountError::UserExists
        | AccountError::UserCannotBeDeleted
        | AccountError::DeletesHimself
        | AccountError::DeletesOwnCredential => ApiError::engine(StatusCode::BAD_REQUEST, message),
        AccountError::Password(_) | AccountError::Policies(_) => ApiError::Internal(chain(&error)),
        AccountError::Storage(error) => error.into(),
    }
}
