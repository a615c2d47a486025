//! Whether a registry answers, and lets somebody in.

use http::header::WWW_AUTHENTICATE;
use reqwest::{Response, Url};

use super::challenge::parse_challenges;
use super::connections::{HostRules, authority};
use super::transport::{ByteSpan, Request, Transport};
use super::{ACCEPT_ANYTHING, credentials, token};
use crate::error::ScanError;
use crate::options::{RegistryOptions, Secret};

/// What a registry that answers says about the credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ping {
    /// It let them in.
    LoggedIn,
    /// It did not ask for any.
    Anonymous,
}

/// Asks a registry (`host[:port]`) for the base of its API, and logs in when it wants that.
///
/// Errors: it cannot be reached, it is no registry, or it refuses the credentials.
pub async fn ping(registry: &str, options: &RegistryOptions) -> Result<Ping, ScanError> {
    let transport = Transport::new(options)?;
    let what = format!("API of registry `{registry}`");
    let base = HostRules::new(&options.insecure_registries).registry_base(registry);
    let mut url: Url = base.parse().map_err(|_| ScanError::BadAnswer {
        host: registry.to_owned(),
        what: what.clone(),
        problem: "its name makes no address".to_owned(),
    })?;
    url.set_path("/v2/");
    let mut request = Request {
        url,
        what,
        accept: ACCEPT_ANYTHING,
        authorization: None,
        bytes: ByteSpan::default(),
        form: None,
    };
    let answer = transport.send(&request).await?;
    match answer.response.status().as_u16() {
        200 => return Ok(Ping::Anonymous),
        401 if answer.is_from_asked_host => {}
        _ => return Err(unexpected(&answer.response, &request)),
    }
    request.authorization = Some(log_in(&transport, &answer.response, registry, options).await?);
    let answer = transport.send(&request).await?;
    match answer.response.status().as_u16() {
        200 => Ok(Ping::LoggedIn),
        401 | 403 => Err(refused(registry, "it refuses the user or the password")),
        _ => Err(unexpected(&answer.response, &request)),
    }
}

async fn log_in(
    transport: &Transport,
    response: &Response,
    registry: &str,
    options: &RegistryOptions,
) -> Result<Secret, ScanError> {
    let headers = response.headers().get_all(WWW_AUTHENTICATE);
    let challenge = parse_challenges(headers.iter().filter_map(|value| value.to_str().ok()))
        .ok_or_else(|| refused(registry, "status 401 without a challenge for a token or a password"))?;
    let identity =
        credentials::find_identity(&options.credentials, registry, "", options.timeouts.helper).await?;
    // A token for nothing in particular: whether the user may read which repository is seen when he does.
    let authorization = token::answer_challenge(transport, challenge, &identity, registry, "").await?;
    Ok(authorization.header)
}

fn refused(registry: &str, reason: &'static str) -> ScanError {
    ScanError::Unauthorized { host: registry.to_owned(), repository: "its API".to_owned(), reason }
}

fn unexpected(response: &Response, request: &Request) -> ScanError {
    ScanError::UnexpectedStatus {
        host: authority(response.url()),
        what: request.what.clone(),
        status: response.status().as_u16(),
    }
}
