//! Tokens: signed texts that say who calls. The signature proves where one comes from, its row that it is still wanted.

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use storage::{Row, WriteTransaction, from_micros, to_micros};

use crate::users::{self, User};
use crate::{ControlPlane, SigningKey, StorageError};

/// Longer texts are no tokens.
const TOKEN_BYTES_MAX: usize = 4096;
const NAME_CHARS_MAX: usize = 200;
/// Clocks of two machines may differ by this many seconds.
const LEEWAY_S: u64 = 30;
const ISSUER: &str = "lazaret";

/// A token that was given out; the text itself is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRecord {
    /// Its id, which is in the token.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends; `None`: never.
    pub expires_at: Option<Timestamp>,
}

/// A token to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// What it is for.
    pub name: String,
    /// When it ends; `None`: never.
    pub expires_at: Option<Timestamp>,
}

/// Why a token was not made or not found.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The user has none of this id.
    #[error("token `{0}` does not exist")]
    NotFound(String),
    /// The name or the end cannot be used.
    #[error("{0}")]
    Invalid(String),
    /// It cannot be signed.
    #[error("sign a token")]
    Sign(#[source] jsonwebtoken::errors::Error),
    /// The tables cannot be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why somebody is not let in.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticateError {
    /// The text is no token of ours, or it has ended.
    #[error("Failed to parse token")]
    Unreadable(#[source] jsonwebtoken::errors::Error),
    /// It was revoked, or its user is gone.
    #[error("Invalid token")]
    Revoked,
    /// The tables cannot be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// What a token says.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Claims {
    jti: String,
    sub: String,
    #[serde(default)]
    iss: String,
    #[serde(default)]
    aud: serde_json::Value,
    iat: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    scope: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    text: String,
}

/// What signs and what checks.
pub(crate) struct TokenKeys {
    signing: EncodingKey,
    checking: DecodingKey,
}

impl TokenKeys {
    pub(crate) fn new(key: &SigningKey) -> Self {
        let secret = key.secret();
        Self {
            signing: EncodingKey::from_secret(secret.as_bytes()),
            checking: DecodingKey::from_secret(secret.as_bytes()),
        }
    }

    /// Makes a token and its row.
    pub(crate) async fn issue(
        &self,
        tx: &mut WriteTransaction,
        user: &User,
        new: &NewToken,
        now: Timestamp,
    ) -> Result<(TokenRecord, String), TokenError> {
        let id = uuid::Uuid::new_v4().to_string();
        let claims = Claims {
            jti: id.clone(),
            sub: user.id.to_string(),
            iss: ISSUER.to_owned(),
            aud: serde_json::json!([ISSUER]),
            iat: now.as_second(),
            exp: new.expires_at.map(Timestamp::as_second),
            scope: "api:invoke".to_owned(),
            kind: "user".to_owned(),
            text: user.login.clone(),
        };
        let text = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.signing)
            .map_err(TokenError::Sign)?;
        storage::query(
            "INSERT INTO plane_tokens (id, user_id, name, created_us, expires_us) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(&id)
        .bind(user.id)
        .bind(&new.name)
        .bind(to_micros(now))
        .bind(new.expires_at.map(to_micros))
        .execute(tx)
        .await
        .map_err(StorageError::at("store a token"))?;
        let record = TokenRecord { id, name: new.name.clone(), created_at: now, expires_at: new.expires_at };
        Ok((record, text))
    }

    fn read(&self, text: &str, now: Timestamp) -> Result<Claims, jsonwebtoken::errors::Error> {
        use jsonwebtoken::errors::ErrorKind;
        if text.len() > TOKEN_BYTES_MAX {
            return Err(ErrorKind::InvalidToken.into());
        }
        let mut validation = Validation::new(Algorithm::HS256);
        // The clock is the control plane's; permanent tokens have no end; audiences were never looked at.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let claims = jsonwebtoken::decode::<Claims>(text, &self.checking, &validation)?.claims;
        let leeway = i64::try_from(LEEWAY_S).unwrap_or(0);
        if claims.exp.is_some_and(|end| end.saturating_add(leeway) < now.as_second()) {
            return Err(ErrorKind::ExpiredSignature.into());
        }
        Ok(claims)
    }
}

impl ControlPlane {
    /// Whose token this is.
    pub async fn authenticate(&self, token: &str) -> Result<User, AuthenticateError> {
        let now = self.now();
        let claims = self.token_keys.read(token, now).map_err(AuthenticateError::Unreadable)?;
        let Ok(id) = claims.sub.parse::<i64>() else { return Err(AuthenticateError::Revoked) };
        let known: bool = storage::query(
            "SELECT EXISTS (SELECT 1 FROM plane_tokens WHERE id = $1 AND user_id = $2 \
             AND (expires_us IS NULL OR expires_us > $3))",
        )
        .bind(&claims.jti)
        .bind(id)
        .bind(to_micros(now))
        .fetch_value(&self.storage)
        .await
        .map_err(StorageError::at("look for a token"))?;
        if claims.kind != "user" || !known {
            return Err(AuthenticateError::Revoked);
        }
        users::find(&self.storage, id).await?.ok_or(AuthenticateError::Revoked)
    }

    /// Makes a token for a user. Returns its record and its text, which is not kept.
    pub async fn create_token(
        &self,
        user: &User,
        new: &NewToken,
    ) -> Result<(TokenRecord, String), TokenError> {
        let now = self.now();
        if new.name.chars().count() > NAME_CHARS_MAX || new.name.contains('\0') {
            return Err(TokenError::Invalid(format!("the name has more than {NAME_CHARS_MAX} characters")));
        }
        if new.expires_at.is_some_and(|end| end <= now) {
            return Err(TokenError::Invalid("the token would have ended already".to_owned()));
        }
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        let issued = self.token_keys.issue(&mut tx, user, new, now).await?;
        tx.commit().await.map_err(StorageError::at("commit"))?;
        Ok(issued)
    }

    /// The tokens of a user, oldest first.
    pub async fn list_tokens(&self, user: i64) -> Result<Vec<TokenRecord>, StorageError> {
        let rows = storage::query(
            "SELECT id, name, created_us, expires_us FROM plane_tokens WHERE user_id = $1 ORDER BY created_us, id",
        )
        .bind(user)
        .fetch_all(&self.storage)
        .await
        .map_err(StorageError::at("list tokens"))?;
        rows.iter().map(read_token).collect()
    }

    /// One token of a user.
    pub async fn find_token(&self, user: i64, id: &str) -> Result<TokenRecord, TokenError> {
        let row = storage::query(
            "SELECT id, name, created_us, expires_us FROM plane_tokens WHERE user_id = $1 AND id = $2",
        )
        .bind(user)
        .bind(id)
        .fetch_optional(&self.storage)
        .await
        .map_err(StorageError::at("read a token"))?;
        let row = row.ok_or_else(|| TokenError::NotFound(id.to_owned()))?;
        Ok(read_token(&row)?)
    }

    /// Revokes a token: from now on nobody is let in with it.
    pub async fn revoke_token(&self, user: i64, id: &str) -> Result<(), TokenError> {
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        let gone = storage::query("DELETE FROM plane_tokens WHERE user_id = $1 AND id = $2")
            .bind(user)
            .bind(id)
            .execute(&mut tx)
            .await
            .map_err(StorageError::at("revoke a token"))?;
        tx.commit().await.map_err(StorageError::at("commit"))?;
        if gone == 0 { Err(TokenError::NotFound(id.to_owned())) } else { Ok(()) }
    }
}

fn read_token(row: &Row) -> Result<TokenRecord, StorageError> {
    let read = || -> Result<TokenRecord, Box<dyn std::error::Error + Send + Sync>> {
        let expires: Option<i64> = row.get("expires_us")?;
        Ok(TokenRecord {
            id: row.get("id")?,
            name: row.get("name")?,
            created_at: from_micros(row.get("created_us")?),
            expires_at: expires.map(from_micros),
        })
    };
    read().map_err(StorageError::at("read a token"))
}
