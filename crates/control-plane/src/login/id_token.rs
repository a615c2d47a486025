//! What an id token must be before anybody believes what it says.

use jiff::Timestamp;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use serde::Deserialize;
use serde_json::Value;

/// People in thousands of groups have long ones.
pub(crate) const ID_TOKEN_BYTES_MAX: usize = 64 << 10;
/// Clocks of two machines may differ by this many seconds.
const LEEWAY_S: i64 = 30;
const TEXT_CHARS_MAX: usize = 255;
const GROUPS_MAX: usize = 10_000;

/// Why an id token does not count.
#[derive(Debug, thiserror::Error)]
pub enum IdTokenError {
    /// It is no signed token, or is signed in a way that proves nothing.
    #[error("it cannot be read, or its kind of signature proves nothing")]
    Unreadable,
    /// The provider has no such key.
    #[error("it names a key that the provider does not have")]
    UnknownKey,
    /// Somebody else signed it, or it was changed.
    #[error("its signature is wrong")]
    Signature,
    /// Somebody else gave it out.
    #[error("it is of another issuer")]
    Issuer,
    /// It was given to somebody else.
    #[error("it is for another client")]
    Audience,
    /// It has ended.
    #[error("it has ended")]
    Expired,
    /// It begins later, or was given out later: the clocks differ.
    #[error("it is of the future: the clocks of the provider and of this machine differ")]
    NotYet,
    /// It was given out long ago.
    #[error("it was given out more than ten minutes ago: log in again")]
    Old,
    /// It belongs to another login.
    #[error("it belongs to another login")]
    Nonce,
    /// It does not say whom it is about.
    #[error("it has no usable subject")]
    Subject,
}

/// What an id token must say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) audience: &'a str,
    /// What was sent to the provider at the beginning of this login; `None`: somebody else began it.
    pub(crate) nonce: Option<&'a str>,
    /// How long ago it may have been given out, in seconds.
    pub(crate) age_max_s: Option<i64>,
    pub(crate) now: Timestamp,
}

/// Whom an id token is about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Person {
    pub(crate) subject: String,
    pub(crate) login: String,
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) is_email_verified: bool,
    pub(crate) image: String,
    pub(crate) groups: Vec<String>,
}

#[derive(Deserialize)]
struct ClaimsWire {
    iss: String,
    sub: String,
    aud: Words,
    exp: f64,
    iat: f64,
    #[serde(default)]
    nbf: Option<f64>,
    #[serde(default)]
    azp: Option<String>,
    #[serde(default)]
    nonce: Option<String>,
    #[serde(default)]
    preferred_username: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    email: Option<String>,
    /// Some providers send the word instead of the value.
    #[serde(default)]
    email_verified: Value,
    #[serde(default)]
    picture: Option<String>,
    #[serde(default)]
    groups: Option<Words>,
}

/// One text or a list of them.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Words {
    One(String),
    Several(Vec<String>),
}

/// The groups that somebody is told to be in.
pub(super) fn groups(words: Option<Words>) -> Vec<String> {
    match words {
        None => Vec::new(),
        Some(Words::One(word)) => vec![word],
        Some(Words::Several(mut words)) => {
            words.truncate(GROUPS_MAX);
            words
        }
    }
}

/// The head of a token, if its kind of signature proves who made it.
pub(crate) fn read_header(token: &str) -> Result<Header, IdTokenError> {
    if token.len() > ID_TOKEN_BYTES_MAX {
        return Err(IdTokenError::Unreadable);
    }
    // `none` is not even read.
    let header = jsonwebtoken::decode_header(token).map_err(|_| IdTokenError::Unreadable)?;
    match header.alg {
        // The key of these is our own secret, or a public key that somebody took for one.
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => Err(IdTokenError::Unreadable),
        _ => Ok(header),
    }
}

/// The key that a token says it is signed with.
pub(crate) fn find_key<'a>(header: &Header, keys: &'a [Jwk]) -> Option<&'a Jwk> {
    let fits = |key: &&Jwk| {
        let is_of_kind = match &key.algorithm {
            AlgorithmParameters::RSA(_) => matches!(
                header.alg,
                Algorithm::RS256
                    | Algorithm::RS384
                    | Algorithm::RS512
                    | Algorithm::PS256
                    | Algorithm::PS384
                    | Algorithm::PS512
            ),
            AlgorithmParameters::EllipticCurve(_) => {
                matches!(header.alg, Algorithm::ES256 | Algorithm::ES384)
            }
            AlgorithmParameters::OctetKeyPair(_) => header.alg == Algorithm::EdDSA,
            _ => false,
        };
        let is_for_signing = matches!(key.common.public_key_use, None | Some(PublicKeyUse::Signature));
        let is_of_algorithm =
            key.common.key_algorithm.is_none_or(|named| named.to_string() == format!("{:?}", header.alg));
        is_of_kind && is_for_signing && is_of_algorithm
    };
    let mut fitting = keys.iter().filter(fits);
    match &header.kid {
        Some(id) => fitting.find(|key| key.common.key_id.as_ref() == Some(id)),
        // Without a name it is the only one, or it is unclear which.
        None => fitting.next().filter(|_| fitting.next().is_none()),
    }
}

/// Whom a token is about.
///
/// Errors: one for each thing that it must be and is not.
pub(crate) fn verify(
    token: &str,
    header: &Header,
    key: &Jwk,
    expected: &Expected<'_>,
) -> Result<Person, IdTokenError> {
    let key = DecodingKey::from_jwk(key).map_err(|_| IdTokenError::UnknownKey)?;
    let mut validation = Validation::new(header.alg);
    // All of these are looked at below: the clock is ours, and an audience that is missing must not count as the right one.
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let claims = match jsonwebtoken::decode::<ClaimsWire>(token, &key, &validation) {
        Ok(data) => data.claims,
        Err(error) if matches!(error.kind(), ErrorKind::InvalidSignature) => {
            return Err(IdTokenError::Signature);
        }
        Err(_) => return Err(IdTokenError::Unreadable),
    };
    check(&claims, expected)?;
    Ok(person(claims))
}

fn check(claims: &ClaimsWire, expected: &Expected<'_>) -> Result<(), IdTokenError> {
    if claims.iss != expected.issuer {
        return Err(IdTokenError::Issuer);
    }
    let (is_ours, is_only_ours) = match &claims.aud {
        Words::One(word) => (word == expected.audience, true),
        Words::Several(words) => (words.iter().any(|word| word == expected.audience), words.len() == 1),
    };
    let is_given_to_us = match claims.azp.as_deref() {
        Some(party) => party == expected.audience,
        None => is_only_ours,
    };
    if !is_ours || !is_given_to_us {
        return Err(IdTokenError::Audience);
    }
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far from the limit")]
    let (now, leeway) = (expected.now.as_second() as f64, LEEWAY_S as f64);
    // JSON has finite numbers only.
    if claims.exp + leeway <= now {
        return Err(IdTokenError::Expired);
    }
    if claims.iat - leeway > now || claims.nbf.is_some_and(|begin| begin - leeway > now) {
        return Err(IdTokenError::NotYet);
    }
    #[expect(clippy::cast_precision_loss, reason = "minutes")]
    if expected.age_max_s.is_some_and(|age_max| claims.iat + (age_max as f64) < now) {
        return Err(IdTokenError::Old);
    }
    if expected.nonce.is_some() && claims.nonce.as_deref() != expected.nonce {
        return Err(IdTokenError::Nonce);
    }
    let subject = &claims.sub;
    if subject.is_empty() || subject.chars().count() > TEXT_CHARS_MAX || subject.contains('\0') {
        return Err(IdTokenError::Subject);
    }
    Ok(())
}

fn person(claims: ClaimsWire) -> Person {
    let text = |text: Option<String>| -> String {
        let text = text.unwrap_or_default();
        text.chars().filter(|letter| !letter.is_control()).take(TEXT_CHARS_MAX).collect()
    };
    let email = text(claims.email);
    let login = [text(claims.preferred_username), email.split('@').next().unwrap_or_default().to_owned()];
    let login = login.into_iter().find(|login| !login.is_empty()).unwrap_or_else(|| claims.sub.clone());
    Person {
        login,
        name: text(claims.name),
        is_email_verified: matches!(&claims.email_verified, Value::Bool(true))
            || claims.email_verified.as_str() == Some("true"),
        email,
        image: text(claims.picture.filter(|address| address.starts_with("https://"))),
        subject: claims.sub,
        groups: groups(claims.groups),
    }
}

#[cfg(test)]
#[path = "id_token_tests.rs"]
mod tests;
