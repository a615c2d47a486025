//! The provider: where its things are, with which keys it signs, and the exchange of a code for an id token.

use std::collections::VecDeque;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::Jwk;
use reqwest::header::CONTENT_TYPE;
use reqwest::{RequestBuilder, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

use super::id_token::{self, Expected, Person, Words};
use super::{IdTokenError, LoginError, LoginSettings};

const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
const ANSWER_BYTES_MAX: usize = 1 << 20;
const CERTIFICATES_BYTES_MAX: u64 = 1 << 20;
const TEXT_CHARS_MAX: usize = 300;
/// Where things are changes rarely.
const DISCOVERY_KEPT: Duration = Duration::from_secs(3600);
/// A key that the provider has withdrawn counts no longer than this.
const KEYS_KEPT: Duration = Duration::from_secs(3600);
/// Whoever makes up names of keys makes us ask so often in [`FETCHES_TIME`], and no oftener.
const FETCHES_MAX: usize = 6;
const FETCHES_TIME: Duration = Duration::from_secs(60);

/// Why the provider cannot be asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProviderError {
    /// The settings cannot be used.
    #[error("the settings of the login cannot be used: {0}")]
    Settings(String),
    /// A file with certificate authorities cannot be used.
    #[error("the certificates `{}` cannot be used: {problem}", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// No answer, or none in time.
    #[error("the provider at `{address}` is not reached: try again later")]
    Unreachable {
        /// Its address.
        address: String,
        /// Why.
        #[source]
        source: Arc<reqwest::Error>,
    },
    /// It answers something else than a provider does.
    #[error("the provider at `{address}` does not answer as one: {problem}")]
    Unreadable {
        /// Its address.
        address: String,
        /// What is wrong.
        problem: String,
    },
}

/// A provider of OpenID Connect.
pub(crate) struct Provider {
    settings: LoginSettings,
    client: reqwest::Client,
    known: Mutex<Known>,
}

/// What was learned from it.
#[derive(Default)]
struct Known {
    discovery: Option<(Instant, Arc<Discovery>)>,
    keys: Option<(Instant, Arc<Vec<Jwk>>)>,
    key_fetches: VecDeque<Instant>,
    /// The last call that failed: who waited for it meanwhile does not ask once more.
    failure: Option<(Instant, ProviderError)>,
}

/// Where its things are.
#[derive(Debug, Deserialize)]
pub(crate) struct Discovery {
    issuer: String,
    pub(crate) authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    userinfo_endpoint: Option<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct KeysWire {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct TokenWire {
    id_token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
}

/// What the provider gives for a code.
pub(crate) struct ProviderTokens {
    pub(crate) id_token: String,
    /// For questions about the same person.
    pub(crate) access_token: Option<String>,
}

#[derive(Deserialize)]
struct UserInfoWire {
    sub: String,
    #[serde(default)]
    groups: Option<Words>,
}

#[derive(Default, Deserialize)]
struct ErrorWire {
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_description: String,
}

impl Provider {
    pub(crate) fn new(settings: &LoginSettings) -> Result<Self, ProviderError> {
        let issuer = Url::parse(&settings.issuer).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.query().is_none()
                && url.fragment().is_none()
        });
        let Some(issuer) = issuer else {
            let problem = format!("`{}` is no issuer, as https://dex.example.com/dex", settings.issuer);
            return Err(ProviderError::Settings(problem));
        };
        let unusable = |source: reqwest::Error| ProviderError::Settings(source.to_string());
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIME_MAX)
            .timeout(settings.time_max)
            // The secret and the codes go to the addresses that the provider names, and nowhere else.
            .redirect(reqwest::redirect::Policy::none());
        if issuer.scheme() == "http" {
            builder = builder.no_proxy();
        }
        for path in &settings.ca_certificates {
            let failed = |problem: String| ProviderError::Certificates { path: path.clone(), problem };
            let bytes = read_certificates(path).map_err(failed)?;
            let certificates = reqwest::Certificate::from_pem_bundle(&bytes)
                .map_err(|error| failed(storage::chain(&error)))?;
            builder = builder.tls_certs_merge(certificates);
        }
        let known = Mutex::default();
        Ok(Self { settings: settings.clone(), client: builder.build().map_err(unusable)?, known })
    }

    /// Where its things are; asked for once an hour, and what was known counts while it does not answer.
    pub(crate) async fn discover(&self) -> Result<Arc<Discovery>, ProviderError> {
        let asked_at = Instant::now();
        let mut known = self.known.lock().await;
        if let Some((at, discovery)) = &known.discovery
            && at.elapsed() < DISCOVERY_KEPT
        {
            return Ok(Arc::clone(discovery));
        }
        if let Some((at, error)) = &known.failure
            && *at >= asked_at
        {
            return Err(error.clone());
        }
        match self.fetch_discovery().await {
            Ok(discovery) => {
                let discovery = Arc::new(discovery);
                known.discovery = Some((Instant::now(), Arc::clone(&discovery)));
                Ok(discovery)
            }
            Err(error) => {
                known.failure = Some((Instant::now(), error.clone()));
                let before = known.discovery.as_ref().map(|(_, discovery)| Arc::clone(discovery));
                before.ok_or(error)
            }
        }
    }

    async fn fetch_discovery(&self) -> Result<Discovery, ProviderError> {
        let issuer = &self.settings.issuer;
        let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let discovery: Discovery = self.get(&address).await?;
        let wrong = |problem: String| Err(ProviderError::Unreadable { address: address.clone(), problem });
        if discovery.issuer != *issuer {
            return wrong(format!("it says that it is `{}`", cut(&discovery.issuer)));
        }
        let needs_tls = issuer.starts_with("https://");
        let endpoints = [&discovery.authorization_endpoint, &discovery.token_endpoint, &discovery.jwks_uri];
        for endpoint in endpoints.into_iter().chain(&discovery.userinfo_endpoint) {
            let is_usable = Url::parse(endpoint).is_ok_and(|url| {
                url.has_host() && (url.scheme() == "https" || (url.scheme() == "http" && !needs_tls))
            });
            if !is_usable {
                return wrong(format!("it names `{}`, which is no address to use", cut(endpoint)));
            }
        }
        Ok(discovery)
    }

    /// The keys that it signs with; those known before, if they are newer than a moment.
    async fn keys(&self, newer_than: Option<Instant>) -> Result<Arc<Vec<Jwk>>, ProviderError> {
        let discovery = self.discover().await?;
        let mut known = self.known.lock().await;
        let now = Instant::now();
        while known.key_fetches.front().is_some_and(|at| now.duration_since(*at) > FETCHES_TIME) {
            known.key_fetches.pop_front();
        }
        let is_asked_often = known.key_fetches.len() >= FETCHES_MAX;
        if let Some((at, keys)) = &known.keys
            && at.elapsed() < KEYS_KEPT
            && (is_asked_often || newer_than.is_none_or(|moment| *at >= moment))
        {
            return Ok(Arc::clone(keys));
        }
        known.key_fetches.push_back(now);
        let KeysWire { keys } = self.get(&discovery.jwks_uri).await?;
        // A key of a kind that we do not know is no reason to refuse those of the others.
        let keys: Vec<Jwk> = keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).collect();
        let keys = Arc::new(keys);
        known.keys = Some((now, Arc::clone(&keys)));
        Ok(keys)
    }

    /// Whom an id token is about. Keys are fetched again when it names one that is not known.
    pub(crate) async fn verify(&self, token: &str, expected: &Expected<'_>) -> Result<Person, LoginError> {
        let began_at = Instant::now();
        let header = id_token::read_header(token)?;
        let known = self.keys(None).await?;
        if let Some(key) = id_token::find_key(&header, &known) {
            return Ok(id_token::verify(token, &header, key, expected)?);
        }
        let fetched = self.keys(Some(began_at)).await?;
        let key = id_token::find_key(&header, &fetched).ok_or(IdTokenError::UnknownKey)?;
        Ok(id_token::verify(token, &header, key, expected)?)
    }

    /// The tokens for a code.
    pub(crate) async fn exchange(&self, code: &str, verifier: &str) -> Result<ProviderTokens, LoginError> {
        let discovery = self.discover().await?;
        let request = self.exchange_request(&discovery, code, verifier);
        let (status, body) = self.send(request, &discovery.token_endpoint).await?;
        if status.is_client_error() {
            let wire: ErrorWire = serde_json::from_slice(&body).unwrap_or_default();
            let text = [wire.error, wire.error_description].map(|text| cut(&text)).join(" ");
            return Err(LoginError::Refused(or_status(text.trim(), status)));
        }
        let answer: TokenWire = read(&discovery.token_endpoint, status, &body)?;
        let problem = "it gives no id token: is `openid` among `login.scopes`?".to_owned();
        let address = discovery.token_endpoint.clone();
        let id_token = answer.id_token.ok_or(ProviderError::Unreadable { address, problem })?;
        Ok(ProviderTokens { id_token, access_token: answer.access_token })
    }

    /// The groups of somebody whose id token names none: some providers tell them only to who asks.
    ///
    /// Errors: it does not answer now, or badly. Who may not ask, or does not know where, finds none.
    pub(crate) async fn find_groups(
        &self,
        access_token: Option<&str>,
        subject: &str,
    ) -> Result<Vec<String>, ProviderError> {
        let discovery = self.discover().await?;
        let Some((address, token)) = discovery.userinfo_endpoint.as_deref().zip(access_token) else {
            return Ok(Vec::new());
        };
        let (status, body) = self.send(self.client.get(address).bearer_auth(token), address).await?;
        if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS {
            // It does not tell, and never will with this token; that is another thing than one that fails for the moment.
            tracing::warn!(
                status = status.as_u16(),
                "the provider of identities tells no groups to who asks"
            );
            return Ok(Vec::new());
        }
        let UserInfoWire { sub, groups } = read(address, status, &body)?;
        if sub != subject {
            let problem = "it speaks of somebody else than the id token".to_owned();
            return Err(ProviderError::Unreadable { address: address.to_owned(), problem });
        }
        Ok(id_token::groups(groups))
    }

    fn exchange_request(&self, discovery: &Discovery, code: &str, verifier: &str) -> RequestBuilder {
        let settings = &self.settings;
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", &settings.callback_url())
            .append_pair("code_verifier", verifier);
        let mut request = self.client.post(&discovery.token_endpoint);
        let methods = discovery.token_endpoint_auth_methods_supported.as_deref();
        let takes = |method: &str| methods.is_some_and(|methods| methods.iter().any(|known| known == method));
        match &settings.client_secret {
            Some(secret) if takes("client_secret_post") && !takes("client_secret_basic") => {
                form.append_pair("client_id", &settings.client_id)
                    .append_pair("client_secret", secret.reveal());
            }
            Some(secret) => {
                let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
                request = request.basic_auth(encoded(&settings.client_id), Some(encoded(secret.reveal())));
            }
            None => {
                form.append_pair("client_id", &settings.client_id);
            }
        }
        request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.finish())
    }

    async fn get<T: DeserializeOwned>(&self, address: &str) -> Result<T, ProviderError> {
        let (status, body) = self.send(self.client.get(address), address).await?;
        read(address, status, &body)
    }

    async fn send(
        &self,
        request: RequestBuilder,
        address: &str,
    ) -> Result<(StatusCode, Vec<u8>), ProviderError> {
        let unreachable = |source: reqwest::Error| ProviderError::Unreachable {
            address: address.to_owned(),
            source: Arc::new(source.without_url()),
        };
        let mut response = request.header("accept", "application/json").send().await.map_err(unreachable)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                let problem = format!("its answer has more than {ANSWER_BYTES_MAX} bytes");
                return Err(ProviderError::Unreadable { address: address.to_owned(), problem });
            }
            body.extend_from_slice(&chunk);
        }
        Ok((response.status(), body))
    }
}

fn read<T: DeserializeOwned>(address: &str, status: StatusCode, body: &[u8]) -> Result<T, ProviderError> {
    let wrong = |problem: String| ProviderError::Unreadable { address: address.to_owned(), problem };
    if !status.is_success() {
        return Err(wrong(format!("it says {status}")));
    }
    // The error of the parser could quote a token.
    serde_json::from_slice(body).map_err(|_| wrong("its answer is not the JSON that belongs here".to_owned()))
}

fn or_status(text: &str, status: StatusCode) -> String {
    if text.is_empty() { status.to_string() } else { text.to_owned() }
}

/// A text of the provider, fit to be shown.
pub(super) fn cut(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(TEXT_CHARS_MAX).collect()
}

fn read_certificates(path: &Path) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| error.to_string();
    let mut bytes = Vec::new();
    let mut bounded = fs_err::File::open(path).map_err(failed)?.take(CERTIFICATES_BYTES_MAX + 1);
    std::io::copy(&mut bounded, &mut bytes).map_err(failed)?;
    match bounded.limit() {
        0 => Err(format!("it has more than {CERTIFICATES_BYTES_MAX} bytes")),
        _ => Ok(bytes),
    }
}
