//! Logins for registries of Amazon: a token for twelve hours, asked for with a signed request.
//!
//! Source: <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html> and
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>, read 2026-11.

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use data_encoding::HEXLOWER;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use outbound_guard::AddressRule;
use reqwest::Url;
use serde::Deserialize;

use super::connections::{HostRules, authority};
use super::transport::Transport;
use crate::error::{BadJson, ScanError};
use crate::options::{RegistryOptions, Secret};

const SERVICE: &str = "ecr";
const TARGET: &str = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken";
const MEDIA_TYPE: &str = "application/x-amz-json-1.1";
const BODY_BYTES_MAX: u64 = 256 << 10;

/// Who asks Amazon for a login, and where.
#[derive(Debug, Clone)]
pub struct EcrRequest {
    /// The region of the registry.
    pub region: String,
    /// The twelve digits of the account that the registry belongs to; `None`: the account of the key.
    pub registry_id: Option<String>,
    /// Name of the access key.
    pub access_key: String,
    /// The access key itself.
    pub secret_key: Secret,
    /// For keys that are lent for a while.
    pub session_token: Option<Secret>,
    /// Address of the service; `None`: Amazon's own in that region.
    pub endpoint: Option<String>,
    /// The time of the request: a clock that is wrong by minutes is refused.
    pub now: Timestamp,
}

/// User and password for a registry, for a while.
#[derive(Debug, Clone)]
pub struct EcrLogin {
    /// Always `AWS`, so far.
    pub user: String,
    /// The token.
    pub password: Secret,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// The account and region in the name of a registry of Amazon (`123456789012.dkr.ecr.eu-west-1.amazonaws.com`).
pub fn parse_ecr_host(host: &str) -> Option<(&str, &str)> {
    let (account, rest) = host.split_once(".dkr.ecr")?;
    let rest = rest.strip_prefix("-fips").unwrap_or(rest).strip_prefix('.')?;
    let region = rest.strip_suffix(".amazonaws.com").or_else(|| rest.strip_suffix(".amazonaws.com.cn"))?;
    let is_region = !region.is_empty()
        && region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    (account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()) && is_region)
        .then_some((account, region))
}

/// Asks for a login.
///
/// Errors: the service cannot be reached or refuses the key.
pub async fn ecr_login(request: &EcrRequest, options: &RegistryOptions) -> Result<EcrLogin, ScanError> {
    let what = format!("login for the registries of region `{}`", request.region);
    let bad = |host: &str, problem: &str| ScanError::BadAnswer {
        host: host.to_owned(),
        what: what.clone(),
        problem: problem.to_owned(),
    };
    let suffix = if request.region.starts_with("cn-") { ".cn" } else { "" };
    let endpoint = request
        .endpoint
        .clone()
        .unwrap_or_else(|| format!("https://api.ecr.{}.amazonaws.com{suffix}", request.region));
    let mut url: Url = endpoint.parse().map_err(|_| bad(&endpoint, "its endpoint is not an address"))?;
    url.set_path("/");
    url.set_query(None);
    let host = authority(&url);
    let body = match &request.registry_id {
        Some(id) => serde_json::json!({ "registryIds": [id] }).to_string(),
        None => "{}".to_owned(),
    };
    let headers = signed_headers(request, &host, &body)
        .ok_or_else(|| bad(&host, "the access key has characters that no header can carry"))?;
    let mut transport = Transport::new(options)?;
    // The name is ours, and inside of Amazon's networks it leads to private addresses; an endpoint is named by the settings.
    match &request.endpoint {
        None => {
            transport.addresses.with_login = transport.addresses.with_login.max(AddressRule::PrivateNetworks);
            transport.addresses.add_login(&host);
        }
        Some(_) => transport.addresses.named.add_registry(&host),
    }
    if url.scheme() == "http" {
        // Whoever sets the endpoint has said so.
        transport.rules = HostRules::new(&[host.clone()].into());
    }
    let response = transport.post(&url, headers, body, &what).await?;
    match response.status().as_u16() {
        200 => {}
        400 | 401 | 403 => {
            let reason = "the access key is refused";
            return Err(ScanError::Unauthorized { host, repository: "its API".to_owned(), reason });
        }
        status => return Err(ScanError::UnexpectedStatus { host, what, status }),
    }
    let answer = transport.read_document(response, BODY_BYTES_MAX, &what).await?;
    let answer: RawAnswer = serde_json::from_slice(&answer)
        .map_err(|error| bad(&host, &BadJson::new(&error, true).to_string()))?;
    to_login(answer).ok_or_else(|| bad(&host, "no usable login in the answer"))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawAnswer {
    authorization_data: Vec<RawLogin>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawLogin {
    authorization_token: String,
    /// Seconds since 1970, with a fraction.
    expires_at: f64,
}

pub(super) fn is_login(body: &[u8]) -> bool {
    serde_json::from_slice(body).ok().and_then(to_login).is_some()
}

fn to_login(answer: RawAnswer) -> Option<EcrLogin> {
    let raw = answer.authorization_data.into_iter().next()?;
    let text = String::from_utf8(STANDARD.decode(raw.authorization_token).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    let lifetime = jiff::SignedDuration::try_from_secs_f64(raw.expires_at).ok()?;
    let expires_at = Timestamp::UNIX_EPOCH.checked_add(lifetime).ok()?;
    Some(EcrLogin { user: user.to_owned(), password: Secret::new(password), expires_at })
}

fn signed_headers(request: &EcrRequest, host: &str, body: &str) -> Option<HeaderMap> {
    let time = request.now.strftime("%Y%m%dT%H%M%SZ").to_string();
    // In alphabetical order, as the signature wants them.
    let mut signed = vec![("content-type", MEDIA_TYPE), ("host", host), ("x-amz-date", time.as_str())];
    if let Some(token) = &request.session_token {
        signed.push(("x-amz-security-token", token.reveal()));
    }
    signed.push(("x-amz-target", TARGET));
    let names = signed.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let lines: String = signed.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let canonical = format!("POST\n/\n\n{lines}\n{names}\n{}", sha256(body.as_bytes()));
    let scope = Scope { time: &time, region: &request.region, service: SERVICE };
    let signature = scope.sign(request.secret_key.reveal(), &canonical);
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={names}, Signature={signature}",
        request.access_key,
        scope.name()
    );
    let mut headers = HeaderMap::new();
    for (name, value) in signed.into_iter().filter(|(name, _)| *name != "host") {
        let mut value = HeaderValue::from_str(value).ok()?;
        value.set_sensitive(name == "x-amz-security-token");
        headers.insert(HeaderName::from_bytes(name.as_bytes()).ok()?, value);
    }
    let mut authorization = HeaderValue::from_str(&authorization).ok()?;
    authorization.set_sensitive(true);
    headers.insert(AUTHORIZATION, authorization);
    debug_assert!(headers.contains_key(CONTENT_TYPE));
    Some(headers)
}

/// What a signature is good for.
struct Scope<'a> {
    /// `20150830T123600Z`.
    time: &'a str,
    region: &'a str,
    service: &'a str,
}

impl Scope<'_> {
    fn day(&self) -> &str {
        self.time.split('T').next().unwrap_or_default()
    }

    fn name(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.day(), self.region, self.service)
    }

    fn sign(&self, secret_key: &str, canonical: &str) -> String {
        let text =
            format!("AWS4-HMAC-SHA256\n{}\n{}\n{}", self.time, self.name(), sha256(canonical.as_bytes()));
        let first = hmac::Key::new(hmac::HMAC_SHA256, format!("AWS4{secret_key}").as_bytes());
        let parts = [self.day(), self.region, self.service, "aws4_request"];
        let key = parts.iter().fold(first, |key, part| {
            hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref())
        });
        HEXLOWER.encode(hmac::sign(&key, text.as_bytes()).as_ref())
    }
}

fn sha256(bytes: &[u8]) -> String {
    HEXLOWER.encode(digest::digest(&digest::SHA256, bytes).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of Amazon's documentation.
    #[test]
    fn requests_are_signed_as_documented() {
        let canonical = "GET\n/\nAction=ListUsers&Version=2010-05-08\n\
            content-type:application/x-www-form-urlencoded; charset=utf-8\nhost:iam.amazonaws.com\n\
            x-amz-date:20150830T123600Z\n\ncontent-type;host;x-amz-date\n\
            e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(
            sha256(canonical.as_bytes()),
            "f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59"
        );
        let scope = Scope { time: "20150830T123600Z", region: "us-east-1", service: "iam" };
        assert_eq!(
            scope.sign("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", canonical),
            "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
        );
    }

    #[test]
    fn the_name_of_a_registry_holds_account_and_region() {
        for (host, expected) in [
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", Some(("123456789012", "eu-west-1"))),
            (
                "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
                Some(("123456789012", "us-gov-west-1")),
            ),
            ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", Some(("123456789012", "cn-north-1"))),
            ("12345678901.dkr.ecr.eu-west-1.amazonaws.com", None),
            ("123456789012.dkr.ecr.eu-west-1.example.com", None),
            ("123456789012.dkr.ecr.evil.example/x.amazonaws.com", None),
            ("registry.example.org", None),
        ] {
            assert_eq!(parse_ecr_host(host), expected, "{host}");
        }
    }
}
