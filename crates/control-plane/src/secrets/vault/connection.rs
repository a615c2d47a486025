//! Calls of Vault: bounded in time and size, their errors told apart.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use reqwest::header::{HeaderName, HeaderValue, LOCATION};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use super::super::SecretValue;
use super::{VaultError, VaultSettings};

const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
/// A secret of ours is at most half of it; a list of ten thousand ids is less.
const ANSWER_BYTES_MAX: usize = 4 << 20;
const CERTIFICATES_BYTES_MAX: u64 = 1 << 20;
const TEXT_CHARS_MAX: usize = 300;
const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");
const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");
/// Without it a Vault agent in between refuses the call.
const REQUEST: HeaderName = HeaderName::from_static("x-vault-request");

/// How one Vault is called.
#[derive(Debug)]
pub(super) struct Connection {
    client: reqwest::Client,
    address: String,
    namespace: Option<HeaderValue>,
}

/// What Vault said to a call that it understood.
#[derive(Debug)]
pub(super) enum VaultAnswer {
    /// This.
    Value(Value),
    /// Done.
    Nothing,
    /// There is nothing at this path; what it says about that.
    NotFound(Value),
}

impl VaultAnswer {
    /// The value where one must be.
    pub(super) fn value(self, path: &str) -> Result<Value, VaultError> {
        match self {
            Self::Value(value) => Ok(value),
            Self::Nothing | Self::NotFound(_) => {
                Err(VaultError::Unreadable { path: path.to_owned(), problem: "is empty".to_owned() })
            }
        }
    }
}

#[derive(Default, Deserialize)]
struct ErrorsWire {
    #[serde(default)]
    errors: Vec<String>,
}

impl Connection {
    pub(super) fn new(settings: &VaultSettings) -> Result<Self, VaultError> {
        let address = settings.address.trim_end_matches('/').to_owned();
        let url = reqwest::Url::parse(&address).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.username().is_empty()
                && url.query().is_none()
        });
        if url.is_none() {
            return Err(VaultError::Settings(format!(
                "`{address}` is no address, as https://vault.example.com:8200"
            )));
        }
        let unusable = |source: reqwest::Error| VaultError::Settings(source.to_string());
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIME_MAX)
            .timeout(settings.time_max)
            // The token goes to the address of the settings and nowhere else.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        for path in &settings.ca_certificates {
            let bytes = read_certificates(path)?;
            let certificates = reqwest::Certificate::from_pem_bundle(&bytes).map_err(unusable)?;
            builder = builder.tls_certs_merge(certificates);
        }
        let namespace = match &settings.namespace {
            None => None,
            Some(name) => Some(HeaderValue::from_str(name).map_err(|_| {
                VaultError::Settings("the namespace has characters that no header can have".to_owned())
            })?),
        };
        Ok(Self { client: builder.build().map_err(unusable)?, address, namespace })
    }

    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        token: Option<&SecretValue>,
        body: Option<&Value>,
    ) -> Result<VaultAnswer, VaultError> {
        let mut request = self
            .client
            .request(method, format!("{}/v1/{path}", self.address))
            .header(REQUEST, HeaderValue::from_static("true"));
        if let Some(namespace) = &self.namespace {
            request = request.header(NAMESPACE, namespace);
        }
        if let Some(token) = token {
            let mut value = HeaderValue::from_str(token.reveal())
                .map_err(|_| VaultError::Settings("the token has characters that no token has".to_owned()))?;
            value.set_sensitive(true);
            request = request.header(TOKEN, value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|source| self.unreachable(source))?;
        let status = response.status();
        if status.is_redirection() {
            let target = response.headers().get(LOCATION).and_then(|target| target.to_str().ok());
            let target = cut(target.unwrap_or("nowhere"));
            return Err(VaultError::Standby { address: self.address.clone(), target });
        }
        let body = self.read_body(response, path).await?;
        self.read_answer(status, path, &body)
    }

    async fn read_body(&self, mut response: reqwest::Response, path: &str) -> Result<Vec<u8>, VaultError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|source| self.unreachable(source))? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                let problem = format!("has more than {ANSWER_BYTES_MAX} bytes");
                return Err(VaultError::Unreadable { path: path.to_owned(), problem });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn read_answer(&self, status: StatusCode, path: &str, body: &[u8]) -> Result<VaultAnswer, VaultError> {
        if status == StatusCode::NO_CONTENT {
            return Ok(VaultAnswer::Nothing);
        }
        let value: Option<Value> = serde_json::from_slice(body).ok();
        if status.is_success() {
            // The error of the parser could quote a value.
            return value.map(VaultAnswer::Value).ok_or_else(|| VaultError::Unreadable {
                path: path.to_owned(),
                problem: "is no JSON: is there a Vault at this address?".to_owned(),
            });
        }
        let errors = value.clone().and_then(|value| serde_json::from_value::<ErrorsWire>(value).ok());
        let text = errors.map(|wire| wire.errors.join("; ")).unwrap_or_default();
        let text = cut(&text.split_whitespace().collect::<Vec<_>>().join(" "));
        let (path, address) = (path.to_owned(), self.address.clone());
        Err(match status {
            StatusCode::NOT_FOUND if text.is_empty() && value.is_some() => {
                return Ok(VaultAnswer::NotFound(value.unwrap_or_default()));
            }
            StatusCode::NOT_FOUND => {
                VaultError::Mount(format!("Vault has nothing at `{path}`: {}", or_dash(&text)))
            }
            StatusCode::FORBIDDEN => VaultError::Denied { path, text: or_dash(&text) },
            StatusCode::BAD_REQUEST if text.contains("check-and-set") && text.contains("did not match") => {
                VaultError::Conflict
            }
            StatusCode::SERVICE_UNAVAILABLE if text.contains("sealed") => VaultError::Sealed { address },
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                VaultError::Broken { address, status: status.as_u16(), text: or_dash(&text) }
            }
            status => VaultError::Refused { path, status: status.as_u16(), text: or_dash(&text) },
        })
    }

    fn unreachable(&self, source: reqwest::Error) -> VaultError {
        VaultError::Unreachable { address: self.address.clone(), source: source.without_url() }
    }
}

fn cut(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(TEXT_CHARS_MAX).collect()
}

fn or_dash(text: &str) -> String {
    if text.is_empty() { "it says no more".to_owned() } else { text.to_owned() }
}

fn read_certificates(path: &Path) -> Result<Vec<u8>, VaultError> {
    let failed = |error: std::io::Error| VaultError::Settings(error.to_string());
    let mut bytes = Vec::new();
    let mut bounded = fs_err::File::open(path).map_err(failed)?.take(CERTIFICATES_BYTES_MAX + 1);
    std::io::copy(&mut bounded, &mut bytes).map_err(failed)?;
    match bounded.limit() {
        0 => Err(VaultError::Settings(format!(
            "certificates `{}` have more than {CERTIFICATES_BYTES_MAX} bytes",
            path.display()
        ))),
        _ => Ok(bytes),
    }
}
