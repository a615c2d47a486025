//! One call of a webhook: where it goes, who it says it is, how long it may take.

use std::io;
use std::path::Path;
use std::time::Duration;

use outbound_guard::{AddressRule, Guard, RefusedAddress, find_refusal};
use reqwest::{Certificate, Client, Url, redirect};
use serde_json::Value;

use super::{Webhook, WebhookSettings};
use crate::storage_error::chain;

const CERTIFICATES_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// What of an answer is read, so that the connection can be used again; nobody looks at it.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// What somebody can do whose webhook is refused.
const ADVICE: &str = "whoever runs this engine may set `webhooks.private-addresses` to `true`";

/// Why a webhook was not told. Names no address: it may hold a secret.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// A file of certificates, or the settings of the connection.
    #[error("{0}")]
    Settings(String),
    /// The address is none, or one that must not be called.
    #[error("the webhook's address {0}")]
    Address(&'static str),
    /// It leads where nothing is told. The number of the address is no secret of the webhook's: it is in the path.
    #[error("the webhook's host is refused: {0}")]
    Refused(RefusedAddress),
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
        guard(&self.settings).check_url(url).map_err(WebhookError::Refused)
    }
}

fn guard(settings: &WebhookSettings) -> Guard {
    let rule = if settings.private_addresses { AddressRule::PrivateToo } else { AddressRule::PublicOnly };
    Guard::new(rule, ADVICE)
}

async fn send(request: reqwest::RequestBuilder) -> Result<(), WebhookError> {
    let unreachable = |error: reqwest::Error| match find_refusal(&error) {
        Some(refused) => WebhookError::Refused(refused.clone()),
        None => WebhookError::Unreachable(chain(&error.without_url())),
    };
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
        .pool_idle_timeout(Duration::from_secs(60))
        .dns_resolver(guard(settings).resolver());
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
}
