//! Where a server is, whom to believe that it is the server, and with which token to ask.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use reqwest::Url;

use crate::tls::{self, Fingerprint};
use crate::token::Token;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The server gives itself 120 seconds.
const CALL_TIMEOUT: Duration = Duration::from_secs(150);
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// The address of a server: `http://127.0.0.1:9090/pipeline`. Invariant: http or https, with a host, no query, no user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

/// Why a text is no endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no address of a server, as https://pipeline.example.org/pipeline")]
pub struct EndpointError(pub String);

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let wrong = || EndpointError(text.to_owned());
        let url = Url::parse(text.trim().trim_end_matches('/')).map_err(|_| wrong())?;
        let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
        let is_bare = url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if is_web && is_bare { Ok(Self(url)) } else { Err(wrong()) }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl Endpoint {
    /// Whether nobody on the way can read along.
    pub fn is_encrypted(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Whether it is on this machine, by its address.
    pub fn is_loopback(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default();
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }

    /// The address of something on its host, whatever its base path is.
    pub(crate) fn join_at_root(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(path);
        url
    }

    /// The address of something below it. Segments are encoded: none of them can become two, or lead elsewhere.
    pub(crate) fn join(&self, segments: &[&str]) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }
}

/// Whom to believe that it is the server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Trust {
    /// The certificate authorities of this machine.
    #[default]
    System,
    /// Only these certificate authorities, PEM.
    Authorities(String),
    /// Only the one certificate of this fingerprint, whoever signed it.
    Pinned(Fingerprint),
    /// Anybody. Only to look at a certificate before it is pinned; no token is sent then.
    Anybody,
}

/// Where a server is, whom to believe that it is the server, and with which token to ask.
#[derive(Debug, Clone)]
pub struct ConnectionSettings {
    /// Where it is.
    pub endpoint: Endpoint,
    /// Whom to believe.
    pub trust: Trust,
    /// Who asks.
    pub token: Option<Token>,
    /// Longest answer that is read.
    pub answer_bytes_max: usize,
    /// Longest time for a call.
    pub call_timeout: Duration,
}

impl ConnectionSettings {
    /// Settings with the usual limits.
    pub fn new(endpoint: Endpoint, trust: Trust, token: Option<Token>) -> Self {
        Self { endpoint, trust, token, answer_bytes_max: ANSWER_BYTES_MAX, call_timeout: CALL_TIMEOUT }
    }

    pub(crate) fn connections(&self) -> Result<reqwest::Client, BuildClientError> {
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .user_agent("banzai-cli/1.0.0/lazaret")
            // Whoever redirects is somebody else, and must not get the token.
            .redirect(reqwest::redirect::Policy::none());
        if self.endpoint.is_loopback() {
            builder = builder.no_proxy();
        }
        builder = match &self.trust {
            Trust::System => builder,
            Trust::Authorities(pem) => {
                let certificates = reqwest::Certificate::from_pem_bundle(pem.as_bytes())
                    .map_err(BuildClientError::Authorities)?;
                if certificates.is_empty() {
                    return Err(BuildClientError::NoAuthorities);
                }
                builder.tls_certs_only(certificates)
            }
            Trust::Pinned(fingerprint) => builder
                .tls_backend_preconfigured(tls::pinned(fingerprint.clone()).map_err(BuildClientError::Tls)?),
            Trust::Anybody => builder.tls_danger_accept_invalid_certs(true).tls_info(true),
        };
        builder.build().map_err(BuildClientError::Connections)
    }
}

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
pub enum BuildClientError {
    /// The certificate authorities cannot be read.
    #[error("read the certificate authorities of the configuration")]
    Authorities(#[source] reqwest::Error),
    /// There are none in the text.
    #[error("find a certificate in the certificate authorities of the configuration")]
    NoAuthorities,
    /// TLS cannot be set up.
    #[error("prepare TLS")]
    Tls(#[source] rustls::Error),
    /// Connections cannot be set up.
    #[error("prepare connections")]
    Connections(#[source] reqwest::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_checked_and_joined() {
        for (text, shown, loopback) in [
            ("http://127.0.0.1:9090/pipeline/", "http://127.0.0.1:9090/pipeline", true),
            ("https://[::1]:9090", "https://[::1]:9090", true),
            ("http://localhost:1/", "http://localhost:1", true),
            (" https://p.example.org/pipeline ", "https://p.example.org/pipeline", false),
            ("http://127.0.0.1.example.org", "http://127.0.0.1.example.org", false),
        ] {
            let endpoint = text.parse::<Endpoint>().unwrap();
            assert_eq!((endpoint.to_string().as_str(), endpoint.is_loopback()), (shown, loopback), "{text}");
        }
        for wrong in
            ["", "example.org/pipeline", "ftp://x/", "https://u:p@x/", "https://x/?a=b", "https://x/#a"]
        {
            assert!(wrong.parse::<Endpoint>().is_err(), "{wrong}");
        }
        let endpoint = "http://h:1/base/".parse::<Endpoint>().unwrap();
        assert_eq!(endpoint.join(&["api", "a/b?c", "v1"]).as_str(), "http://h:1/base/api/a%2Fb%3Fc/v1");
        assert_eq!(
            "http://h:1".parse::<Endpoint>().unwrap().join(&["version"]).as_str(),
            "http://h:1/version"
        );
    }
}
