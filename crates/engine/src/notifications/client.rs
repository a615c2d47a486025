//! One call of a webhook: where it goes, who it says it is, how long it may take.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Certificate, Client, Url, redirect};
use serde_json::Value;

use super::{Webhook, WebhookSettings};
use crate::storage_error::chain;

const CERTIFICATES_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// What of an answer is read, so that the connection can be used again; nobody looks at it.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// Why a webhook was not told. Names no address: it may hold a secret.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// A file of certificates, or the settings of the connection.
    #[error("{0}")]
    Settings(String),
    /// The address is none, or one that must not be called.
    #[error("the webhook's address {0}")]
    Address(&'static str),
    /// Nobody answered.
    #[error("the webhook cannot be reached: {0}")]
    Unreachable(String),
    /// The answer took too long.
    #[error("the webhook has not answered after {} s", .0.as_secs_f32())]
    TooSlow(Duration),
    /// Another answer than 2xx. Redirects are not followed: they would carry the credentials elsewhere.
    #[error("the webhook answered with status {0}")]
    Status(u16),
}

/// Calls webhooks by the rules of the settings.
pub(super) struct WebhookClient {
    verified: Client,
    unverified: Client,
    settings: WebhookSettings,
}

impl WebhookClient {
    /// Reads the files with certificates.
    pub(super) async fn new(settings: &WebhookSettings) -> Result<Self, WebhookError> {
        let settings = settings.clone();
        // Certificates are read from files.
        tokio::task::spawn_blocking(move || {
            Ok(Self { verified: build(&settings, false)?, unverified: build(&settings, true)?, settings })
        })
        .await
        .unwrap_or_else(|error| Err(WebhookError::Settings(chain(&error))))
    }

    /// Posts a body. Success is any 2xx.
    pub(super) async fn post(
        &self,
        webhook: &Webhook,
        (account, kind): (&str, &str),
        body: &Value,
    ) -> Result<(), WebhookError> {
        let url = fill(webhook.url.reveal(), account, kind);
        let url: Url = url.parse().map_err(|_| WebhookError::Address("is not one"))?;
        self.check_address(&url)?;
        let is_verified = webhook.is_verified.unwrap_or(self.settings.is_verified);
        let client = if is_verified { &self.verified } else { &self.unverified };
        let mut request = client.post(url).json(body);
        if let Some((user, password)) = webhook.login.as_ref().or(self.settings.login.as_ref()) {
            request = request.basic_auth(user, Some(password.reveal()));
        }
        let limit = self.settings.call_time_max;
        match tokio::time::timeout(limit, send(request)).await {
            Ok(ended) => ended,
            Err(_) => Err(WebhookError::TooSlow(limit)),
        }
    }

    fn check_address(&self, url: &Url) -> Result<(), WebhookError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(WebhookError::Address("begins neither with `http:` nor with `https:`"));
        }
        // Names are looked up by a resolver that knows the rule.
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        match host.parse::<IpAddr>() {
            Ok(address) if !self.settings.private_addresses && !is_public(address) => {
                Err(WebhookError::Address("is private, which the settings forbid"))
            }
            _ => Ok(()),
        }
    }
}

async fn send(request: reqwest::RequestBuilder) -> Result<(), WebhookError> {
    let unreachable = |error: reqwest::Error| WebhookError::Unreachable(chain(&error.without_url()));
    let mut response = request.send().await.map_err(unreachable)?;
    let status = response.status();
    let mut read = 0;
    // A body that breaks off changes nothing: the status said it.
    while let Ok(Some(chunk)) = response.chunk().await {
        read += chunk.len();
        if read > ANSWER_BYTES_MAX {
            break;
        }
    }
    if status.is_success() { Ok(()) } else { Err(WebhookError::Status(status.as_u16())) }
}

fn build(settings: &WebhookSettings, accept_any_certificate: bool) -> Result<Client, WebhookError> {
    let mut builder = Client::builder()
        .user_agent("lazaret")
        .redirect(redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .connect_timeout(settings.call_time_max)
        .pool_idle_timeout(Duration::from_secs(60));
    if !settings.private_addresses {
        builder = builder.dns_resolver(Arc::new(PublicResolver));
    }
    if accept_any_certificate {
        builder = builder.tls_danger_accept_invalid_certs(true);
    } else {
        for path in &settings.ca_certificates {
            builder = builder.tls_certs_merge(read_certificates(path)?);
        }
    }
    builder
        .build()
        .map_err(|error| WebhookError::Settings(format!("connections to webhooks: {}", chain(&error))))
}

fn read_certificates(path: &Path) -> Result<Vec<Certificate>, WebhookError> {
    let bad =
        |reason: String| WebhookError::Settings(format!("certificate file `{}`: {reason}", path.display()));
    let file = std::fs::File::open(path).map_err(|error| bad(error.to_string()))?;
    let mut bytes = Vec::new();
    let copied = io::copy(&mut io::Read::take(file, CERTIFICATES_BYTES_MAX + 1), &mut bytes)
        .map_err(|error| bad(error.to_string()))?;
    if copied > CERTIFICATES_BYTES_MAX {
        return Err(bad(format!("more than {CERTIFICATES_BYTES_MAX} bytes")));
    }
    let found = Certificate::from_pem_bundle(&bytes).map_err(|error| bad(chain(&error)))?;
    if found.is_empty() { Err(bad("no certificate in it".to_owned())) } else { Ok(found) }
}

/// The address for an account and a kind of notification.
fn fill(url: &str, account: &str, kind: &str) -> String {
    url.replace("<userId>", &escaped(account)).replace("<notification_type>", &escaped(kind))
}

/// An account's name must stay inside its place in the address.
fn escaped(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::with_capacity(text.len()), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~') {
            escaped.push(char::from(byte));
        } else {
            write!(escaped, "%{byte:02X}").expect("writing to a String cannot fail");
        }
        escaped
    })
}

/// Finds public addresses only.
struct PublicResolver;

impl Resolve for PublicResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let all = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = all.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err("it has no public address, and the settings forbid private ones".into());
            }
            let addresses: Addrs = Box::new(public.into_iter());
            Ok(addresses)
        })
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => is_public_v4(mapped),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    !(address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_unspecified()
        || address.is_broadcast()
        || address.is_multicast()
        || address.is_documentation()
        || first == 0
        // Shared by carriers (RFC 6598), and for measuring (RFC 2544).
        || (first == 100 && (64..128).contains(&second))
        || (first == 198 && (18..20).contains(&second))
        || first >= 240)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // Addresses that stand for IPv4 ones reach wherever those are: translation (RFC 6052) and 6to4.
    let is_translated = (first == 0x64 && second == 0xff9b) || first == 0x2002;
    !(address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || address.is_unique_local()
        || address.is_unicast_link_local()
        || is_translated)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_and_cannot_leave_their_place() {
        for (url, account, expected) in [
            ("http://h/<notification_type>/<userId>", "team-a", "http://h/vuln_update/team%2Da"),
            ("http://h/<userId>/x", "../a?b#c", "http://h/%2E%2E%2Fa%3Fb%23c/x"),
            ("http://h/", "a", "http://h/"),
        ] {
            let expected = expected.replace("%2D", "-");
            assert_eq!(fill(url, account, "vuln_update"), expected);
        }
    }

    #[test]
    fn private_addresses_are_known() {
        for (address, expected) in [
            ("8.8.8.8", true),
            ("2606:4700::1111", true),
            ("127.0.0.1", false),
            ("10.1.2.3", false),
            ("172.31.0.1", false),
            ("192.168.1.1", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("0.0.0.0", false),
            ("::1", false),
            ("::ffff:10.0.0.1", false),
            ("fe80::1", false),
            ("fd00::1", false),
            ("64:ff9b::a00:1", false),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), expected, "{address}");
        }
    }
}
