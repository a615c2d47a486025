//! Tokens: what a client shows instead of a password, for an hour.
//!
//! A token is a JWT (RFC 7519) signed with HMAC-SHA-256 by a key that is derived from the key file: every process that has the
//! file accepts it, also after a restart. It holds a mark of the password's hash, so it dies with the password; and whoever
//! shows it is looked up each time, so it dies with the user and with his account.

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::{AuthenticateError, User};
use crate::Engine;

/// How long a token is good, in seconds.
pub(crate) const LIFETIME_S: i64 = 3600;
/// The one header that there is: what says otherwise is not ours.
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
const ISSUER: &str = "lazaret-engine";
const PURPOSE: &str = "engine access tokens 1";
const TOKEN_BYTES_MAX: usize = 4096;

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    iat: i64,
    exp: i64,
    /// Mark of the password's hash.
    pwd: String,
}

impl Engine {
    /// A token for somebody who has proved who he is by his password.
    pub async fn issue_token(&self, user: &User) -> Result<String, AuthenticateError> {
        let found = self.known_user(&user.username).await.map_err(AuthenticateError::Storage)?;
        let (user, hash) = found.filter(|(_, hash)| !hash.is_empty()).ok_or(AuthenticateError::Wrong)?;
        let now = self.now().as_second();
        let claims = Claims {
            iss: ISSUER.to_owned(),
            sub: user.username,
            iat: now,
            exp: now + LIFETIME_S,
            pwd: mark(&hash),
        };
        let keys = self.sealer.derive(PURPOSE);
        let key = keys.first().ok_or(AuthenticateError::Wrong)?;
        let claims = serde_json::to_string(&claims).map_err(|_| AuthenticateError::Wrong)?;
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(HEADER), URL_SAFE_NO_PAD.encode(claims));
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes()));
        Ok(format!("{signed}.{signature}"))
    }

    /// The user that a token was given to, if it still holds.
    pub async fn authenticate_token(&self, token: &str) -> Result<User, AuthenticateError> {
        let claims = self.verified_claims(token).ok_or(AuthenticateError::Wrong)?;
        let now = self.now().as_second();
        if claims.iss != ISSUER || claims.exp <= now || claims.iat > now + LIFETIME_S {
            return Err(AuthenticateError::Wrong);
        }
        let found = self.known_user(&claims.sub).await.map_err(AuthenticateError::Storage)?;
        match found {
            Some((user, hash)) if !hash.is_empty() && mark(&hash) == claims.pwd => Ok(user),
            _ => Err(AuthenticateError::Wrong),
        }
    }

    /// The signature is checked before anything is read.
    fn verified_claims(&self, token: &str) -> Option<Claims> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let is_ours = self.sealer.derive(PURPOSE).iter().any(|key| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, key);
            hmac::verify(&key, signed.as_bytes(), &signature).is_ok()
        });
        if !is_ours || URL_SAFE_NO_PAD.decode(header).ok()? != HEADER.as_bytes() {
            return None;
        }
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
    }
}

/// The hash holds a random salt: the same password set again makes another mark.
fn mark(hash: &str) -> String {
    URL_SAFE_NO_PAD.encode(&digest::digest(&digest::SHA256, hash.as_bytes()).as_ref()[..16])
}
