//! From a challenge and credentials to the value of an `Authorization` header.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use serde::Deserialize;
use tokio::time::Instant;

use crate::error::{BadJson, ScanError};
use crate::options::Secret;
use crate::registry::challenge::Challenge;
use crate::registry::connections::{Authorization, authority};
use crate::registry::credentials::Identity;
use crate::registry::transport::{ByteSpan, Request, Transport};

const TOKEN_BODY_BYTES_MAX: u64 = 64 << 10;
const TOKEN_BYTES_MAX: usize = 32 << 10;
const LIFETIME_DEFAULT: Duration = Duration::from_secs(60);
const LIFETIME_MAX: Duration = Duration::from_secs(3600);
/// A token is given up this long before it ends, so that it does not end on the way.
const LIFETIME_MARGIN: Duration = Duration::from_secs(5);

/// Answers a challenge of `registry` for reading `repository`.
///
/// The realm of a token challenge may be on any host, and gets the user's password: that is how the protocol works.
/// The challenge came from the registry that the credentials are for, over TLS that was verified (or from one that the
/// user named insecure); the realm itself must be `https` unless its host is named insecure too. The scope that is asked
/// for is always ours, never the challenge's: reading this one repository, or nothing where none is named.
pub(crate) async fn answer_challenge(
    transport: &Transport,
    challenge: Challenge,
    identity: &Identity,
    registry: &str,
    repository: &str,
) -> Result<Authorization, ScanError> {
    let refused = |reason| ScanError::Unauthorized {
        host: registry.to_owned(),
        repository: repository.to_owned(),
        reason,
    };
    if let Identity::RegistryToken(token) = identity {
        return Ok(authorization("Bearer", token.reveal(), LIFETIME_DEFAULT));
    }
    match challenge {
        Challenge::Basic => match identity {
            Identity::User { user, password } => {
                Ok(authorization("Basic", &basic(user, password), LIFETIME_MAX))
            }
            _ => Err(refused("it wants a user and password, none are configured")),
        },
        Challenge::Bearer { realm, service } => {
            let realm: Url = realm.parse().map_err(|_| ScanError::BadAnswer {
                host: registry.to_owned(),
                what: format!("token for `{repository}`"),
                problem: "its token realm is not an address".to_owned(),
            })?;
            get_token(transport, realm, service.as_deref(), identity, registry, repository).await
        }
    }
}

fn authorization(scheme: &str, value: &str, lifetime: Duration) -> Authorization {
    let lifetime = lifetime.min(LIFETIME_MAX).saturating_sub(LIFETIME_MARGIN);
    Authorization { header: Secret::new(format!("{scheme} {value}")), expires_at: Instant::now() + lifetime }
}

fn basic(user: &str, password: &Secret) -> String {
    STANDARD.encode(format!("{user}:{}", password.reveal()))
}

#[derive(Deserialize)]
struct RawToken {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
    #[serde(default)]
    expires_in: Option<u64>,
}

async fn get_token(
    transport: &Transport,
    realm: Url,
    service: Option<&str>,
    identity: &Identity,
    registry: &str,
    repository: &str,
) -> Result<Authorization, ScanError> {
    let what = format!("token for `{repository}` of `{registry}`");
    let host = authority(&realm);
    let request = token_request(realm, service, identity, repository, what.clone());
    let answer = transport.send(&request).await?;
    match answer.response.status().as_u16() {
        200 => {}
        400 | 401 | 403 | 404 => {
            let reason = match identity {
                Identity::Anonymous => "no token for anonymous users",
                _ => "no token for the configured credentials",
            };
            return Err(ScanError::Unauthorized { host, repository: repository.to_owned(), reason });
        }
        status => return Err(ScanError::UnexpectedStatus { host, what, status }),
    }
    let body = transport.read_document(answer.response, TOKEN_BODY_BYTES_MAX, &what).await?;
    let raw: RawToken = serde_json::from_slice(&body).map_err(|error| ScanError::BadAnswer {
        host: host.clone(),
        what: what.clone(),
        problem: BadJson::new(&error, true).to_string(),
    })?;
    let token = raw.token.or(raw.access_token).filter(|token| is_token(token));
    let Some(token) = token else {
        return Err(ScanError::BadAnswer { host, what, problem: "no usable token in the answer".to_owned() });
    };
    let lifetime = raw.expires_in.map_or(LIFETIME_DEFAULT, Duration::from_secs);
    Ok(authorization("Bearer", &token, lifetime))
}

pub(super) fn is_token_answer(body: &[u8]) -> bool {
    let read = serde_json::from_slice::<RawToken>(body).ok();
    let token = read.and_then(|raw| Some((raw.token.or(raw.access_token)?, raw.expires_in)));
    token.is_some_and(|(token, seconds)| {
        // The end of its life must be a time.
        drop(authorization("Bearer", &token, seconds.map_or(LIFETIME_DEFAULT, Duration::from_secs)));
        is_token(&token)
    })
}

fn is_token(token: &str) -> bool {
    !token.is_empty() && token.len() <= TOKEN_BYTES_MAX && token.bytes().all(|byte| byte.is_ascii_graphic())
}

fn token_request(
    mut realm: Url,
    service: Option<&str>,
    identity: &Identity,
    repository: &str,
    what: String,
) -> Request {
    realm.set_fragment(None);
    let scope = format!("repository:{repository}:pull");
    let mut request = Request {
        url: realm,
        what,
        accept: "application/json",
        authorization: None,
        bytes: ByteSpan::default(),
        form: None,
    };
    if let Identity::Refresh(token) = identity {
        // An address is the encoder of forms that is at hand.
        let mut form = request.url.clone();
        form.set_query(None);
        form.query_pairs_mut()
            .append_pair("grant_type", "refresh_token")
            .append_pair("client_id", "lazaret")
            .append_pair("service", service.unwrap_or_default())
            .append_pair("scope", &scope)
            .append_pair("refresh_token", token.reveal());
        request.form = Some(Secret::new(form.query().unwrap_or_default()));
        return request;
    }
    let mut query = request.url.query_pairs_mut();
    if let Some(service) = service {
        query.append_pair("service", service);
    }
    if !repository.is_empty() {
        query.append_pair("scope", &scope);
    }
    drop(query);
    if let Identity::User { user, password } = identity {
        request.authorization = Some(Secret::new(format!("Basic {}", basic(user, password))));
    }
    request
}
