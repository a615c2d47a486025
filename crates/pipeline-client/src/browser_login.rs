//! A login by browser: which provider, the address to open, the code that comes back, and the token of the server for it.

use std::fmt;
use std::time::Duration;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use reqwest::{Method, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use crate::error::CallError;
use crate::settings::Endpoint;
use crate::token::Token;
use crate::transport::{Call, Client};

const PROVIDER_TIME_MAX: Duration = Duration::from_secs(20);
const ANSWER_BYTES_MAX: usize = 1 << 20;
const TEXT_CHARS_MAX: usize = 300;
/// What every installation of the older client has; it hides nothing, and providers may want it all the same.
const CLIENT_SECRET: &str = "banzai-cli-secret";
const CALLBACK_PORT: u16 = 5555;
const SCOPES: [&str; 6] = ["openid", "profile", "email", "groups", "federated:id", "offline_access"];

/// Where the people of a server log in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoginProvider {
    /// The provider.
    pub issuer: String,
    /// What it calls programs like this.
    pub client_id: String,
    /// What to ask it for.
    pub scopes: Vec<String>,
    /// Where to wait for the browser; 0: on any port.
    #[serde(rename = "redirectPort")]
    pub callback_port: u16,
}

/// What the provider gives for a code.
#[derive(Clone, PartialEq, Eq)]
pub struct ProviderTokens {
    id_token: String,
    refresh_token: String,
}

impl fmt::Debug for ProviderTokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ProviderTokens(…)")
    }
}

/// Why the provider let nobody in.
#[derive(Debug, thiserror::Error)]
pub enum BrowserLoginError {
    /// Its address is not one to send anything to.
    #[error(
        "the server names `{0}` as the provider of logins, which is not encrypted: nothing was sent there"
    )]
    Unencrypted(String),
    /// The authorities cannot be used.
    #[error("prepare connections to the provider of logins")]
    Connections(#[source] reqwest::Error),
    /// No answer.
    #[error("the provider of logins at `{address}` cannot be reached")]
    Unreachable {
        /// Its address.
        address: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// An answer that is none.
    #[error("the provider of logins at `{address}` does not answer as one: {problem}")]
    Unexpected {
        /// Its address.
        address: String,
        /// What is wrong.
        problem: String,
    },
    /// It says no.
    #[error("the provider of logins refuses: {0}")]
    Refused(String),
}

/// A login that was begun.
pub struct BrowserLogin {
    connections: reqwest::Client,
    provider: LoginProvider,
    token_endpoint: String,
    address: Url,
    callback: String,
    state: String,
    nonce: String,
    verifier: String,
}

impl fmt::Debug for BrowserLogin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("BrowserLogin").field("provider", &self.provider).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct DiscoveryWire {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
}

#[derive(Deserialize)]
struct TokensWire {
    id_token: Option<String>,
    #[serde(default)]
    refresh_token: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorWire {
    error: String,
    error_description: String,
}

#[derive(Deserialize)]
struct NonceWire {
    #[serde(default)]
    nonce: String,
}

impl Client {
    /// Where the people of this server log in; `None`: they have tokens only.
    ///
    /// A server of ours says it; of an older one it is learned from where it sends browsers.
    pub async fn find_login_provider(&self) -> Result<Option<LoginProvider>, CallError> {
        match self.read::<LoginProvider>(&Call::get(&["auth", "oidc", "client"])).await {
            Ok(provider) => return Ok(Some(provider)),
            // An older server has nothing there, or the page of its user interface.
            Err(CallError::Refused { status: 400..500, .. } | CallError::Unexpected { .. }) => {}
            Err(error) => return Err(error),
        }
        let url = self.endpoint().join_at_root("/auth/dex/login");
        let (status, headers, _) =
            self.transfer(&Method::GET, &url, self.start_request(Method::GET, &url)).await?;
        let place = headers.get(LOCATION).and_then(|place| place.to_str().ok());
        let Some(place) = place.filter(|_| status.is_redirection()) else { return Ok(None) };
        let place = url.join(place).ok().filter(Url::has_host);
        let place = place
            .ok_or_else(|| self.unexpected("it sends browsers to no address that there is".to_owned()))?;
        Ok(Some(LoginProvider {
            issuer: format!("{}/dex", place.origin().ascii_serialization()),
            client_id: "banzai-cli".to_owned(),
            scopes: SCOPES.map(str::to_owned).to_vec(),
            callback_port: CALLBACK_PORT,
        }))
    }

    /// A token of the server for what the provider gave.
    pub async fn exchange_tokens(&self, tokens: &ProviderTokens) -> Result<Token, CallError> {
        let boundary = random();
        let fields = [("id_token", &tokens.id_token), ("refresh_token", &tokens.refresh_token)];
        let mut form: String = fields
            .iter()
            .map(|(name, value)| {
                format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
            })
            .collect();
        form.push_str(&format!("--{boundary}--\r\n"));
        let url = self.endpoint().join_at_root("/auth/dex/callback");
        let request = self
            .start_request(Method::POST, &url)
            .header(CONTENT_TYPE, format!("multipart/form-data; boundary={boundary}"))
            .body(form);
        let (status, headers, body) = self.transfer(&Method::POST, &url, request).await?;
        if !status.is_success() && !status.is_redirection() {
            return Err(match self.sort(status, &headers, &body) {
                Err(error) => error,
                Ok(_) => self.unexpected(format!("it says {status}")),
            });
        }
        let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        token
            .and_then(Token::parse)
            .ok_or_else(|| self.unexpected("it takes the login and gives no token".to_owned()))
    }
}

impl BrowserLogin {
    /// Asks the provider where browsers go. `authorities`: PEM beside the certificate authorities of the machine.
    pub async fn begin(
        provider: LoginProvider,
        endpoint: &Endpoint,
        port: u16,
        authorities: Option<&str>,
    ) -> Result<Self, BrowserLoginError> {
        let is_fine = |address: &str| {
            let url = address.parse::<Endpoint>();
            url.is_ok_and(|url| url.is_encrypted() || url.is_loopback() || !endpoint.is_encrypted())
        };
        if !is_fine(&provider.issuer) {
            return Err(BrowserLoginError::Unencrypted(cut(&provider.issuer)));
        }
        let mut builder = reqwest::Client::builder()
            .timeout(PROVIDER_TIME_MAX)
            .user_agent("banzai-cli/1.0.0/lazaret")
            .redirect(reqwest::redirect::Policy::none());
        if provider.issuer.parse::<Endpoint>().is_ok_and(|issuer| issuer.is_loopback()) {
            builder = builder.no_proxy();
        }
        if let Some(pem) = authorities {
            let certificates = reqwest::Certificate::from_pem_bundle(pem.as_bytes())
                .map_err(BrowserLoginError::Connections)?;
            builder = builder.tls_certs_merge(certificates);
        }
        let connections = builder.build().map_err(BrowserLoginError::Connections)?;
        let at = format!("{}/.well-known/openid-configuration", provider.issuer.trim_end_matches('/'));
        let (status, body) = transfer(connections.get(&at), &at).await?;
        let discovery: DiscoveryWire = read(&at, status, &body)?;
        let unexpected = |problem: String| BrowserLoginError::Unexpected { address: at.clone(), problem };
        if discovery.issuer != provider.issuer {
            return Err(unexpected(format!("it says that it is `{}`", cut(&discovery.issuer))));
        }
        for address in [&discovery.authorization_endpoint, &discovery.token_endpoint] {
            if !is_fine(address) {
                return Err(BrowserLoginError::Unencrypted(cut(address)));
            }
        }
        let address = Url::parse(&discovery.authorization_endpoint)
            .map_err(|_| unexpected("it names no address to open".to_owned()))?;
        let login = Self {
            connections,
            provider,
            token_endpoint: discovery.token_endpoint,
            address,
            callback: format!("http://localhost:{port}/callback"),
            state: random(),
            nonce: random(),
            verifier: random(),
        };
        Ok(login.with_query())
    }

    fn with_query(mut self) -> Self {
        let challenge = BASE64URL_NOPAD.encode(&Sha256::digest(self.verifier.as_bytes()));
        self.address
            .query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.provider.client_id)
            .append_pair("redirect_uri", &self.callback)
            .append_pair("scope", &self.provider.scopes.join(" "))
            .append_pair("state", &self.state)
            .append_pair("nonce", &self.nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        self
    }

    /// What a browser has to open.
    pub fn address(&self) -> &Url {
        &self.address
    }

    /// Whether a browser that comes back with this was sent by us.
    pub fn is_ours(&self, state: &str) -> bool {
        state == self.state
    }

    /// What the provider gives for a code.
    pub async fn finish(&self, code: &str) -> Result<ProviderTokens, BrowserLoginError> {
        let mut answer = self.exchange(code, true).await?;
        if answer.0 == StatusCode::UNAUTHORIZED {
            // Some providers want no secret of a public client.
            answer = self.exchange(code, false).await?;
        }
        let (status, body) = answer;
        if status.is_client_error() {
            let ErrorWire { error, error_description } = serde_json::from_slice(&body).unwrap_or_default();
            return Err(BrowserLoginError::Refused(cut(&format!("{error} {error_description}"))));
        }
        let TokensWire { id_token, refresh_token } = read(&self.token_endpoint, status, &body)?;
        let unexpected = |problem: &str| BrowserLoginError::Unexpected {
            address: self.token_endpoint.clone(),
            problem: problem.to_owned(),
        };
        let is_token = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        let id_token = id_token.filter(|token| is_token(token) && is_token(&refresh_token));
        let id_token = id_token.ok_or_else(|| unexpected("it gives no id token"))?;
        // It comes from the provider itself, over a connection that proves it; the server checks the signature.
        let payload = id_token.split('.').nth(1).unwrap_or_default();
        let payload = BASE64URL_NOPAD.decode(payload.as_bytes()).unwrap_or_default();
        let is_of_this_login =
            serde_json::from_slice::<NonceWire>(&payload).is_ok_and(|wire| wire.nonce == self.nonce);
        if !is_of_this_login {
            return Err(unexpected("its id token belongs to another login"));
        }
        Ok(ProviderTokens { id_token, refresh_token })
    }

    async fn exchange(
        &self,
        code: &str,
        with_secret: bool,
    ) -> Result<(StatusCode, Vec<u8>), BrowserLoginError> {
        let mut form = self.address.clone();
        form.query_pairs_mut()
            .clear()
            .append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", &self.callback)
            .append_pair("code_verifier", &self.verifier);
        let mut request = self.connections.post(&self.token_endpoint);
        if with_secret {
            request = request.basic_auth(&self.provider.client_id, Some(CLIENT_SECRET));
        } else {
            form.query_pairs_mut().append_pair("client_id", &self.provider.client_id);
        }
        let body = form.query().unwrap_or_default().to_owned();
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
        transfer(request, &self.token_endpoint).await
    }
}

async fn transfer(
    request: reqwest::RequestBuilder,
    address: &str,
) -> Result<(StatusCode, Vec<u8>), BrowserLoginError> {
    let unreachable = |source: reqwest::Error| BrowserLoginError::Unreachable {
        address: address.to_owned(),
        source: source.without_url(),
    };
    let mut response = request.send().await.map_err(unreachable)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            let problem = format!("its answer has more than {ANSWER_BYTES_MAX} bytes");
            return Err(BrowserLoginError::Unexpected { address: address.to_owned(), problem });
        }
        body.extend_from_slice(&chunk);
    }
    Ok((response.status(), body))
}

fn read<T: DeserializeOwned>(address: &str, status: StatusCode, body: &[u8]) -> Result<T, BrowserLoginError> {
    let unexpected = |problem: String| BrowserLoginError::Unexpected { address: address.to_owned(), problem };
    if !status.is_success() {
        return Err(unexpected(format!("it says {status}")));
    }
    serde_json::from_slice(body)
        .map_err(|_| unexpected("its answer is not the JSON that belongs here".to_owned()))
}

fn random() -> String {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes);
    HEXLOWER.encode(&bytes)
}

fn cut(text: &str) -> String {
    text.trim().chars().filter(|letter| !letter.is_control()).take(TEXT_CHARS_MAX).collect()
}

#[cfg(test)]
#[path = "browser_login_tests.rs"]
mod tests;
