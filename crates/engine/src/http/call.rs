//! The part of a request that every handler needs: who asks, for which account, and with which query and body.
//!
//! The order of the checks is the API's: text that is no JSON is refused before anybody is asked who he is, everything
//! about the content only afterwards. Who did not say it rightly has little time for his text, because everybody may connect.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts as _, MatchedPath, RawPathParams, Request};
use axum::http::{HeaderMap, Method, StatusCode, header};
use base64::Engine as _;
use serde_json::{Map, Value};

use super::answer::ApiError;
use super::fields::HIDDEN;
use super::permission;
use crate::{AccountState, AuthenticateError, Engine, User};

const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Longest time until the whole body is there.
const BODY_TIME_MAX: Duration = Duration::from_secs(30);
/// The same without valid credentials: each such request holds one of a bounded number of places.
pub(super) const STRANGERS_BODY_TIME_MAX: Duration = Duration::from_secs(1);
/// The same for an upload, which may be larger.
const UPLOAD_TIME_MAX: Duration = Duration::from_secs(90);
const NAMESPACE: &str = "x-anchore-account";
/// As long as names of accounts may be.
const NAMESPACE_BYTES_MAX: usize = 128;

/// Rides in requests of this process and in no others: no listener puts it there.
#[derive(Debug, Clone)]
pub(super) struct Trusted(pub(super) User);

/// An authorized request.
#[derive(Debug)]
pub(super) struct Call {
    /// Who asks.
    pub(super) user: User,
    /// For which account, which the user may do this in; may be one that does not exist when an administrator asks.
    pub(super) account: String,
    /// The query.
    pub(super) query: Query,
    /// The body, where the method has one.
    pub(super) body: Option<Value>,
}

impl FromRequest<Arc<Engine>> for Call {
    type Rejection = ApiError;

    async fn from_request(request: Request, engine: &Arc<Engine>) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let parameters = RawPathParams::from_request_parts(&mut parts, &()).await;
        let has_body = parts.method == Method::POST || parts.method == Method::PUT;
        let authenticated = match parts.extensions.get::<Trusted>() {
            // Who says who he is, is asked for his password, trusted or not.
            Some(Trusted(user)) if !parts.headers.contains_key(header::AUTHORIZATION) => Ok(user.clone()),
            _ => authenticate(engine, &parts.headers).await,
        };
        let bytes = if has_body {
            let time_max = if authenticated.is_ok() { BODY_TIME_MAX } else { STRANGERS_BODY_TIME_MAX };
            match tokio::time::timeout(time_max, axum::body::to_bytes(body, BODY_BYTES_MAX)).await {
                Ok(read) => read.map_err(|_| {
                    let message = format!("request body is larger than {BODY_BYTES_MAX} bytes, or broke off");
                    ApiError::engine(StatusCode::PAYLOAD_TOO_LARGE, message)
                })?,
                Err(_) => {
                    authenticated?;
                    let message = format!("request body was not there after {} s", time_max.as_secs());
                    return Err(ApiError::engine(StatusCode::REQUEST_TIMEOUT, message));
                }
            }
        } else {
            Bytes::new()
        };
        let content_type = content_type(&parts.headers);
        let is_json = is_json(content_type);
        let body = if is_json { parse_body(&bytes)? } else { None };
        let user = authenticated?;
        let account = namespace(&user, &parts.headers)?;
        let Ok(parameters) = parameters else {
            return Err(ApiError::bad_request("the path is not UTF-8"));
        };
        let path = parts.extensions.get::<MatchedPath>();
        permission::check(&user, &account, &parts.method, path, &parameters)?;
        if !bytes.is_empty() && !is_json {
            return Err(ApiError::Problem {
                status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
                title: format!("Invalid Content-type ({content_type}), expected JSON data"),
                detail: None,
            });
        }
        Ok(Self { user, account, query: Query::parse(parts.uri.query().unwrap_or("")), body })
    }
}

/// An authorized request whose body is still to be read: it may be large, and is no call's business before that is clear.
#[derive(Debug)]
pub(super) struct UploadCall {
    /// For which account.
    pub(super) account: String,
    /// What the body is said to be.
    pub(super) content_type: String,
    body: axum::body::Body,
}

impl FromRequest<Arc<Engine>> for UploadCall {
    type Rejection = ApiError;

    async fn from_request(request: Request, engine: &Arc<Engine>) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let parameters = RawPathParams::from_request_parts(&mut parts, &()).await;
        let user = authenticate(engine, &parts.headers).await?;
        let account = namespace(&user, &parts.headers)?;
        let Ok(parameters) = parameters else {
            return Err(ApiError::bad_request("the path is not UTF-8"));
        };
        let path = parts.extensions.get::<MatchedPath>();
        permission::check(&user, &account, &parts.method, path, &parameters)?;
        Ok(Self { account, content_type: content_type(&parts.headers).to_owned(), body })
    }
}

impl UploadCall {
    /// Reads the body.
    pub(super) async fn read(self, bytes_max: usize) -> Result<Bytes, ApiError> {
        match tokio::time::timeout(UPLOAD_TIME_MAX, axum::body::to_bytes(self.body, bytes_max)).await {
            Ok(read) => read.map_err(|_| {
                let message = format!("the document is larger than {bytes_max} bytes, or broke off");
                ApiError::engine(StatusCode::PAYLOAD_TOO_LARGE, message)
            }),
            Err(_) => {
                let message = format!("the document was not there after {} s", UPLOAD_TIME_MAX.as_secs());
                Err(ApiError::engine(StatusCode::REQUEST_TIMEOUT, message))
            }
        }
    }
}

fn content_type(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("")
}

impl Call {
    /// For handlers whose body decides that only administrators may do it.
    pub(super) fn require_system(&self, action: &str) -> Result<(), ApiError> {
        if self.user.account.is_privileged() { Ok(()) } else { Err(permission::refused("system", action)) }
    }

    /// The body as an object.
    pub(super) fn object(&self) -> Result<&Map<String, Value>, ApiError> {
        match &self.body {
            Some(Value::Object(object)) => Ok(object),
            // A whole body that was encoded twice is such a text.
            Some(Value::String(_)) => Err(ApiError::bad_request(format!("{HIDDEN} is not of type 'object'"))),
            Some(other) => {
                Err(ApiError::bad_request(format!("{} is not of type 'object'", python_text(other))))
            }
            None => Err(ApiError::bad_request("None is not of type 'object'")),
        }
    }
}

pub(super) fn is_json(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    media_type == "application/json"
        || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

fn parse_body(bytes: &[u8]) -> Result<Option<Value>, ApiError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    match serde_json::from_slice(bytes) {
        Ok(Value::Null) | Err(_) => Err(ApiError::bad_request("Request body is not valid JSON")),
        Ok(value) if has_null_character(&value) => {
            Err(ApiError::bad_request("Request body has the character U+0000, which no text may have"))
        }
        Ok(value) => Ok(Some(value)),
    }
}

/// A text with it cannot be kept by every database.
fn has_null_character(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(has_null_character),
        Value::Object(object) => {
            object.iter().any(|(key, value)| key.contains('\0') || has_null_character(value))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A value the way the API's validation quotes it.
pub(super) fn python_text(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => quoted(text),
        // What is in them may be a secret, and helps nobody.
        Value::Array(values) => if values.is_empty() { "[]" } else { "[...]" }.to_owned(),
        Value::Object(object) => if object.is_empty() { "{}" } else { "{...}" }.to_owned(),
    }
}

/// In single quotes, or in double ones where the text has a single one; not more of it than helps.
fn quoted(text: &str) -> String {
    let shown: String = text.chars().take(200).collect();
    let shown = shown.replace('\\', r"\\").replace('\n', r"\n").replace('\t', r"\t").replace('\r', r"\r");
    match (shown.contains('\''), shown.contains('"')) {
        (false, _) => format!("'{shown}'"),
        (true, false) => format!("\"{shown}\""),
        (true, true) => format!("'{}'", shown.replace('\'', r"\'")),
    }
}

async fn authenticate(engine: &Engine, headers: &HeaderMap) -> Result<User, ApiError> {
    let authenticated = match (basic_credentials(headers), bearer_token(headers)) {
        (Some((username, password)), _) => engine.authenticate(&username, &password).await,
        (None, Some(token)) if engine.are_tokens_given() => engine.authenticate_token(token).await,
        _ => Err(AuthenticateError::Wrong),
    };
    let user = match authenticated {
        Ok(user) => user,
        Err(AuthenticateError::Wrong) => return Err(ApiError::Unauthorized),
        Err(error @ AuthenticateError::Busy) => {
            return Err(ApiError::engine(StatusCode::SERVICE_UNAVAILABLE, error.to_string()));
        }
        Err(AuthenticateError::Storage(error)) => return Err(error.into()),
    };
    is_rightful(&user)?;
    Ok(user)
}

/// Users of accounts that are not enabled are known, but may do nothing.
pub(super) fn is_rightful(user: &User) -> Result<(), ApiError> {
    if user.account.state == AccountState::Enabled {
        return Ok(());
    }
    let message = format!("Not authorized. Account {} not enabled.", user.account.name);
    Err(ApiError::engine(StatusCode::FORBIDDEN, message))
}

fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn basic_credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = base64::engine::general_purpose::STANDARD.decode(encoded.trim()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (username, password) = text.split_once(':')?;
    Some((username.to_owned(), password.to_owned()))
}

/// The account that the request names, or the user's own.
fn namespace(user: &User, headers: &HeaderMap) -> Result<String, ApiError> {
    let Some(wanted) = headers.get(NAMESPACE) else { return Ok(user.account.name.clone()) };
    match wanted.to_str() {
        Ok("") => Ok(user.account.name.clone()),
        Ok(wanted)
            if wanted.len() <= NAMESPACE_BYTES_MAX && wanted.bytes().all(|byte| byte.is_ascii_graphic()) =>
        {
            Ok(wanted.to_owned())
        }
        // It must not fall back to the user's own account: he meant another one.
        _ => Err(ApiError::bad_request(format!("header '{NAMESPACE}' is not a name of an account"))),
    }
}

/// The query; unknown parameters are ignored, of repeated ones the last counts.
#[derive(Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    fn parse(text: &str) -> Self {
        let uri = format!("/?{text}").parse::<axum::http::Uri>().unwrap_or_default();
        let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&uri);
        let mut pairs = pairs.map(|axum::extract::Query(pairs)| pairs).unwrap_or_default();
        // A character that no database keeps in a text names nothing.
        for (_, value) in pairs.iter_mut().filter(|(_, value)| value.contains('\0')) {
            *value = value.replace('\0', "\u{FFFD}");
        }
        Self(pairs)
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Of repeated ones the first.
    pub(super) fn first_text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// `true` or `false` in any case.
    pub(super) fn boolean(&self, name: &str, default: bool) -> Result<bool, ApiError> {
        match self.text(name) {
            None => Ok(default),
            Some(value) if value.eq_ignore_ascii_case("true") => Ok(true),
            Some(value) if value.eq_ignore_ascii_case("false") => Ok(false),
            Some(_) => Err(ApiError::bad_request(format!(
                "Wrong type, expected 'boolean' for query parameter '{name}'"
            ))),
        }
    }

    /// A whole number.
    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| {
            ApiError::bad_request(format!("Wrong type, expected 'integer' for query parameter '{name}'"))
        })
    }

    /// A whole number in a range.
    pub(super) fn integer_within(&self, name: &str, least: u32, most: u32) -> Result<Option<u32>, ApiError> {
        let Some(number) = self.integer(name)? else { return Ok(None) };
        match u32::try_from(number) {
            Ok(number) if (least..=most).contains(&number) => Ok(Some(number)),
            _ => {
                let message = format!("{name} must be valid integer between {least} and {most}");
                Err(ApiError::engine(StatusCode::BAD_REQUEST, message))
            }
        }
    }

    /// One of some words.
    pub(super) fn word(&self, name: &str, allowed: &[&str]) -> Result<Option<&str>, ApiError> {
        match self.text(name) {
            Some(value) if !allowed.contains(&value) => {
                let allowed = allowed.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(", ");
                Err(ApiError::bad_request(format!(
                    "'{value}' is not one of [{allowed}]\n\nFailed validating 'enum' in schema of query parameter '{name}'"
                )))
            }
            value => Ok(value),
        }
    }
}
