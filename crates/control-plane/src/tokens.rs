//! Tokens: signed texts that say who calls. The signature proves where one comes from, its row that it is still wanted.

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use storage::{Row, WriteTransaction, from_micros, to_micros};

use crate::users::{self, User};
use crate::{ControlPlane, Role, SigningKey, StorageError};

/// Longer texts are no tokens.
const TOKEN_BYTES_MAX: usize = 4096;
const NAME_CHARS_MAX: usize = 200;
const VIRTUAL_NAME_CHARS_MAX: usize = 100;
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
    /// The virtual user whose token it is; `None`: the person's own.
    pub virtual_user: Option<String>,
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
    /// Only administrators of the organization make virtual users.
    #[error("only an administrator of organization `{0}` makes tokens of its virtual users")]
    NotAdministrator(String),
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

/// Kinds of tokens, as clients have always seen them.
const OF_PERSON: &str = "user";
const OF_VIRTUAL_USER: &str = "hook";

/// A machine with a name of its own, which acts in one organization.
struct VirtualUser<'a> {
    name: &'a str,
    organization: i64,
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

    /// Makes a token of a person and its row.
    pub(crate) async fn issue(
        &self,
        tx: &mut WriteTransaction,
        user: &User,
        new: &NewToken,
        now: Timestamp,
    ) -> Result<(TokenRecord, String), TokenError> {
        self.issue_as(tx, user, None, new, now).await
    }

    async fn issue_as(
        &self,
        tx: &mut WriteTransaction,
        user: &User,
        virtual_user: Option<VirtualUser<'_>>,
        new: &NewToken,
        now: Timestamp,
    ) -> Result<(TokenRecord, String), TokenError> {
        let id = uuid::Uuid::new_v4().to_string();
        let name = virtual_user.as_ref().map(|virtual_user| virtual_user.name.to_owned());
        let claims = Claims {
            jti: id.clone(),
            sub: name.clone().unwrap_or_else(|| user.id.to_string()),
            iss: ISSUER.to_owned(),
            aud: serde_json::json!([ISSUER]),
            iat: now.as_second(),
            exp: new.expires_at.map(Timestamp::as_second),
            scope: "api:invoke".to_owned(),
            kind: if name.is_some() { OF_VIRTUAL_USER } else { OF_PERSON }.to_owned(),
            text: name.clone().unwrap_or_else(|| user.login.clone()),
        };
        let text = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.signing)
            .map_err(TokenError::Sign)?;
        storage::query(
            "INSERT INTO plane_tokens (id, user_id, name, created_us, expires_us, virtual_user, organization_id) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(&id)
        .bind(user.id)
        .bind(&new.name)
        .bind(to_micros(now))
        .bind(new.expires_at.map(to_micros))
        .bind(name.clone())
        .bind(virtual_user.map(|virtual_user| virtual_user.organization))
        .execute(tx)
        .await
        .map_err(StorageError::at("store a token"))?;
        let record = TokenRecord {
            id,
            name: new.name.clone(),
            created_at: now,
            expires_at: new.expires_at,
            virtual_user: name,
        };
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
        match claims.kind.as_str() {
            OF_PERSON => self.find_person(&claims, now).await,
            OF_VIRTUAL_USER => self.find_virtual_user(&claims, now).await,
            _ => Err(AuthenticateError::Revoked),
        }
    }

    async fn find_person(&self, claims: &Claims, now: Timestamp) -> Result<User, AuthenticateError> {
        let Ok(id) = claims.sub.parse::<i64>() else { return Err(AuthenticateError::Revoked) };
        let known: bool = storage::query(
            "SELECT EXISTS (SELECT 1 FROM plane_tokens WHERE id = $1 AND user_id = $2 AND virtual_user IS NULL \
             AND (expires_us IS NULL OR expires_us > $3))",
        )
        .bind(&claims.jti)
        .bind(id)
        .bind(to_micros(now))
        .fetch_value(&self.storage)
        .await
        .map_err(StorageError::at("look for a token"))?;
        if !known {
            return Err(AuthenticateError::Revoked);
        }
        users::find(&self.storage, id).await?.ok_or(AuthenticateError::Revoked)
    }

    /// A virtual user may do what whoever made its token may do now, in its organization.
    async fn find_virtual_user(&self, claims: &Claims, now: Timestamp) -> Result<User, AuthenticateError> {
        let row: Option<(i64, i64, i64)> = storage::query(
            "SELECT user_id, organization_id, created_us FROM plane_tokens WHERE id = $1 AND virtual_user = $2 \
             AND (expires_us IS NULL OR expires_us > $3)",
        )
        .bind(&claims.jti)
        .bind(&claims.sub)
        .bind(to_micros(now))
        .fetch_optional_as(&self.storage)
        .await
        .map_err(StorageError::at("look for a token"))?;
        let (maker, organization, created_us) = row.ok_or(AuthenticateError::Revoked)?;
        let place = self.find_membership(organization, maker).await?.ok_or(AuthenticateError::Revoked)?;
        let created_at = from_micros(created_us);
        Ok(User {
            // Nobody has this number.
            id: 0,
            login: claims.sub.clone(),
            name: claims.sub.clone(),
            email: String::new(),
            image: String::new(),
            created_at,
            updated_at: created_at,
            confined_to: Some(place),
        })
    }

    /// Makes a token for a virtual user, `ORGANIZATION/NAME`. It is among the tokens of the person who makes it.
    pub async fn create_virtual_token(
        &self,
        maker: &User,
        virtual_user: &str,
        new: &NewToken,
    ) -> Result<(TokenRecord, String), TokenError> {
        let now = self.now();
        check(new, now)?;
        let (organization, name) = virtual_user.split_once('/').unwrap_or_default();
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "._-/".contains(letter);
        if organization.is_empty()
            || name.is_empty()
            || name.len() > VIRTUAL_NAME_CHARS_MAX
            || !name.chars().all(is_plain)
        {
            return Err(TokenError::Invalid(format!(
                "`virtualUser` must be ORGANIZATION/NAME, with a name of letters, digits, `.`, `_`, `-` and `/`, \
                 {VIRTUAL_NAME_CHARS_MAX} at most"
            )));
        }
        let places = self.list_organizations(maker.id).await?;
        let place = places.into_iter().find(|place| place.name == organization);
        let Some(place) = place else {
            let text = format!("organization `{organization}` does not exist, or you are not in it");
            return Err(TokenError::Invalid(text));
        };
        match self.find_membership(place.id, maker.id).await? {
            Some((_, Role::Admin)) => {}
            _ => return Err(TokenError::NotAdministrator(place.name)),
        }
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        let virtual_user = VirtualUser { name: virtual_user, organization: place.id };
        let issued = self.token_keys.issue_as(&mut tx, maker, Some(virtual_user), new, now).await?;
        tx.commit().await.map_err(StorageError::at("commit"))?;
        Ok(issued)
    }

    /// Makes a token for a user. Returns its record and its text, which is not kept.
    pub async fn create_token(
        &self,
        user: &User,
        new: &NewToken,
    ) -> Result<(TokenRecord, String), TokenError> {
        let now = self.now();
        check(new, now)?;
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        let issued = self.token_keys.issue(&mut tx, user, new, now).await?;
        tx.commit().await.map_err(StorageError::at("commit"))?;
        Ok(issued)
    }

    /// The tokens of a user, oldest first.
    pub async fn list_tokens(&self, user: i64) -> Result<Vec<TokenRecord>, StorageError> {
        let rows = storage::query(
            "SELECT id, name, created_us, expires_us, virtual_user FROM plane_tokens WHERE user_id = $1 \
             ORDER BY created_us, id",
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
            "SELECT id, name, created_us, expires_us, virtual_user FROM plane_tokens WHERE user_id = $1 AND id = $2",
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

fn check(new: &NewToken, now: Timestamp) -> Result<(), TokenError> {
    if new.name.chars().count() > NAME_CHARS_MAX || new.name.contains('\0') {
        return Err(TokenError::Invalid(format!("the name has more than {NAME_CHARS_MAX} characters")));
    }
    if new.expires_at.is_some_and(|end| end <= now) {
        return Err(TokenError::Invalid("the token would have ended already".to_owned()));
    }
    Ok(())
}

fn read_token(row: &Row) -> Result<TokenRecord, StorageError> {
    let read = || -> Result<TokenRecord, Box<dyn std::error::Error + Send + Sync>> {
        let expires: Option<i64> = row.get("expires_us")?;
        Ok(TokenRecord {
            id: row.get("id")?,
            name: row.get("name")?,
            created_at: from_micros(row.get("created_us")?),
            expires_at: expires.map(from_micros),
            virtual_user: row.get("virtual_user")?,
        })
    };
    read().map_err(StorageError::at("read a token"))
}
