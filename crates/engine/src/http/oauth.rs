//! `/oauth/token`: a token for a user and his password (RFC 6749 §4.3), for clients that do not want to send the password each
//! time.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use super::answer::{Answer, ApiError, json_response};
use super::call::{STRANGERS_BODY_TIME_MAX, is_rightful};
use crate::accounts::TOKEN_LIFETIME_S;
use crate::{AuthenticateError, Engine};

/// The one client there is.
const CLIENT: &str = "anonymous";
const FORM_BYTES_MAX: usize = 16 * 1024;

/// `POST /oauth/token`.
pub(super) async fn token(State(engine): State<Arc<Engine>>, request: Request) -> Answer {
    if !engine.are_tokens_given() {
        return Err(ApiError::engine(StatusCode::FORBIDDEN, "Oauth not enabled in configuration"));
    }
    let form = Form::read(request).await?;
    if form.get("grant_type") != Some("password") {
        return Ok(refused("unsupported_grant_type", "the grant_type is `password`, sent as a form"));
    }
    if form.get("client_id") != Some(CLIENT) {
        return Ok(refused("invalid_client", "the client_id is `anonymous`"));
    }
    let (Some(username), Some(password)) = (form.get("username"), form.get("password")) else {
        return Ok(refused("invalid_request", "username and password are needed"));
    };
    let user = match engine.authenticate(username, password).await {
        Ok(user) => user,
        Err(AuthenticateError::Wrong) => {
            return Ok(refused("invalid_grant", "user or password is wrong"));
        }
        Err(error @ AuthenticateError::Busy) => {
            return Err(ApiError::engine(StatusCode::SERVICE_UNAVAILABLE, error.to_string()));
        }
        Err(AuthenticateError::Storage(error)) => return Err(error.into()),
    };
    is_rightful(&user)?;
    let token = match engine.issue_token(&user).await {
        Ok(token) => token,
        Err(AuthenticateError::Storage(error)) => return Err(error.into()),
        Err(_) => return Ok(refused("invalid_grant", "user or password is wrong")),
    };
    let body = json!({"access_token": token, "expires_in": TOKEN_LIFETIME_S, "token_type": "Bearer"});
    Ok(not_kept(json_response(StatusCode::OK, "application/json", body)))
}

fn refused(error: &'static str, description: &'static str) -> Response {
    let body = json!({"error": error, "error_description": description});
    not_kept(json_response(StatusCode::BAD_REQUEST, "application/json", body))
}

/// Nobody on the way may keep the answer: RFC 6749 §5.1.
fn not_kept(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.into_response()
}

/// The fields of a form; of repeated ones the first counts. What is no form has none.
struct Form(Vec<(String, String)>);

impl Form {
    async fn read(request: Request) -> Result<Self, ApiError> {
        let is_form = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .is_some_and(|media| media.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"));
        let body = axum::body::to_bytes(request.into_body(), FORM_BYTES_MAX);
        let bytes = match tokio::time::timeout(STRANGERS_BODY_TIME_MAX, body).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(_)) => {
                let message = format!("request body is larger than {FORM_BYTES_MAX} bytes, or broke off");
                return Err(ApiError::engine(StatusCode::PAYLOAD_TOO_LARGE, message));
            }
            Err(_) => {
                return Err(ApiError::engine(
                    StatusCode::REQUEST_TIMEOUT,
                    "request body was not there in time",
                ));
            }
        };
        Ok(Self(if is_form { Self::parse(&bytes) } else { Vec::new() }))
    }

    fn parse(bytes: &Bytes) -> Vec<(String, String)> {
        // A query is a form, and its parser is at hand.
        let uri = std::str::from_utf8(bytes).ok().and_then(|text| format!("/?{text}").parse().ok());
        let pairs =
            uri.and_then(|uri| axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&uri).ok());
        pairs.map(|axum::extract::Query(pairs)| pairs).unwrap_or_default()
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}
