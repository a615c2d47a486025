//! Being let in: a login, the token that comes of it, and how long that counts.

use std::path::Path;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

use super::super::SecretValue;
use super::connection::Connection;
use super::{VaultError, VaultLogin};

const TOKEN_FILE_BYTES_MAX: u64 = 64 << 10;

/// A token of Vault and how long it counts.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) token: SecretValue,
    pub(super) began_at: Instant,
    /// How long it counts from then; `None`: for ever, or nobody may say.
    pub(super) lease: Option<Duration>,
    pub(super) is_renewable: bool,
}

impl Session {
    fn new(token: SecretValue, lease_s: u64, is_renewable: bool) -> Self {
        let lease = (lease_s > 0).then(|| Duration::from_secs(lease_s));
        Self { token, began_at: Instant::now(), lease, is_renewable }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.lease.is_some_and(|lease| self.began_at.elapsed() >= lease)
    }

    /// When to do something about its end: with a third of the time left. `None`: never.
    pub(super) fn renew_at(&self) -> Option<Instant> {
        self.lease.map(|lease| self.began_at + lease * 2 / 3)
    }
}

#[derive(Deserialize)]
struct AuthWire {
    auth: Option<AuthBlockWire>,
}

#[derive(Deserialize)]
struct AuthBlockWire {
    client_token: String,
    #[serde(default)]
    lease_duration: u64,
    #[serde(default)]
    renewable: bool,
}

#[derive(Deserialize)]
struct LookupWire {
    data: LookupDataWire,
}

#[derive(Deserialize)]
struct LookupDataWire {
    #[serde(default)]
    ttl: u64,
    #[serde(default)]
    renewable: bool,
}

/// Whether Vault says that it does not know the token, rather than that the token may not.
pub(super) fn is_token_unknown(error: &VaultError) -> bool {
    matches!(error, VaultError::Denied { text, .. } if text.contains("invalid token") || text.contains("bad token"))
}

/// Logs in anew.
pub(super) async fn log_in(connection: &Connection, login: &VaultLogin) -> Result<Session, VaultError> {
    match login {
        VaultLogin::Token(token) => look_up(connection, token).await,
        VaultLogin::AppRole { mount, role_id, secret_id } => {
            let body = json!({"role_id": role_id, "secret_id": secret_id.reveal()});
            exchange(connection, "AppRole", mount, &body).await
        }
        VaultLogin::Kubernetes { mount, role, token_file } => {
            let jwt = read_token(token_file)
                .await
                .map_err(|source| VaultError::ServiceAccount { path: token_file.clone(), source })?;
            let body = json!({"role": role, "jwt": jwt.reveal()});
            exchange(connection, "service account", mount, &body).await
        }
    }
}

/// Makes the lease of a token longer.
pub(super) async fn renew(connection: &Connection, session: &Session) -> Result<Session, VaultError> {
    let path = "auth/token/renew-self";
    let answer = connection.call(Method::POST, path, Some(&session.token), Some(&json!({}))).await?;
    read_auth(path, answer.value(path)?)
}

async fn exchange(
    connection: &Connection,
    method: &'static str,
    mount: &str,
    body: &Value,
) -> Result<Session, VaultError> {
    let path = format!("auth/{mount}/login");
    let answer =
        connection.call(Method::POST, &path, None, Some(body)).await.map_err(|error| match error {
            VaultError::Denied { text, .. } | VaultError::Refused { text, .. } => {
                VaultError::LoginRefused { method: format!("{method} at `auth/{mount}`"), text }
            }
            error => error,
        })?;
    read_auth(&path, answer.value(&path)?)
}

/// How long a given token counts.
async fn look_up(connection: &Connection, token: &SecretValue) -> Result<Session, VaultError> {
    let path = "auth/token/lookup-self";
    match connection.call(Method::GET, path, Some(token), None).await {
        Ok(answer) => {
            let unreadable = |_| unreadable(path);
            let LookupWire { data } = serde_json::from_value(answer.value(path)?).map_err(unreadable)?;
            Ok(Session::new(token.clone(), data.ttl, data.renewable))
        }
        Err(VaultError::Denied { text, .. })
            if text.contains("invalid token") || text.contains("bad token") =>
        {
            let text = "the token is unknown or has ended: set another one".to_owned();
            Err(VaultError::LoginRefused { method: "token".to_owned(), text })
        }
        // A token without the default policy may not look at itself, and may do its work all the same.
        Err(VaultError::Denied { .. }) => Ok(Session::new(token.clone(), 0, false)),
        Err(error) => Err(error),
    }
}

fn read_auth(path: &str, value: Value) -> Result<Session, VaultError> {
    let AuthWire { auth } = serde_json::from_value(value).map_err(|_| unreadable(path))?;
    let AuthBlockWire { client_token, lease_duration, renewable } = auth.ok_or_else(|| unreadable(path))?;
    Ok(Session::new(SecretValue::new(client_token), lease_duration, renewable))
}

fn unreadable(path: &str) -> VaultError {
    VaultError::Unreadable { path: path.to_owned(), problem: "is no login".to_owned() }
}

async fn read_token(path: &Path) -> std::io::Result<SecretValue> {
    let mut text = String::new();
    let file = tokio::fs::File::open(path).await?;
    file.take(TOKEN_FILE_BYTES_MAX).read_to_string(&mut text).await?;
    Ok(SecretValue::new(text.trim()))
}
