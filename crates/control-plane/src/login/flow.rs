//! The way to the provider and back, and what a program gets that was there itself.

use data_encoding::BASE64URL_NOPAD;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::id_token::Expected;
use super::provider::{ProviderTokens, cut};
use super::redirect::is_own_path;
use super::{Login, LoginError, ProviderError, browsers};
use crate::tokens::NewToken;
use crate::{ControlPlane, StorageError};

/// How long somebody may be at the provider, in seconds.
const LOGIN_TIME_S: i64 = 600;
/// How long the token counts that a program gets for its login.
const TOKEN_TIME: SignedDuration = SignedDuration::from_hours(30 * 24);
/// What the sealed text is for; another one does not open here.
const SEALED_FOR: (&str, &str) = ("plane_logins", "cookie");
const COOKIE_BYTES_MAX: usize = 4096;
const CODE_BYTES_MAX: usize = 4096;

/// A login that begins: where the browser goes, and what it brings back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BegunLogin {
    /// The address at the provider.
    pub address: String,
    /// For a cookie; sealed.
    pub cookie: String,
    /// How long the cookie counts, in seconds.
    pub cookie_time_s: i64,
}

/// What the provider sends the browser back with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct LoginAnswer {
    /// What to exchange for an id token.
    pub code: Option<String>,
    /// What was sent to it at the beginning.
    pub state: Option<String>,
    /// Who it is; not all providers say it.
    pub iss: Option<String>,
    /// Why there is no code.
    pub error: Option<String>,
    /// The same for people.
    pub error_description: Option<String>,
}

/// A login that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishedLogin {
    /// For the cookie of the session.
    pub session: String,
    /// A path of this server.
    pub redirect: String,
}

/// What the browser carries while somebody is at the provider.
#[derive(Serialize, Deserialize)]
struct Carried {
    state: String,
    nonce: String,
    verifier: String,
    redirect: String,
    end_s: i64,
}

impl ControlPlane {
    pub(crate) fn login(&self) -> Result<&Login, LoginError> {
        self.login.as_ref().ok_or(LoginError::Off)
    }

    /// Begins a login that ends at a path of this server.
    pub async fn begin_login(&self, redirect: &str) -> Result<BegunLogin, LoginError> {
        let login = self.login()?;
        if !is_own_path(redirect) {
            return Err(LoginError::Redirect);
        }
        let discovery = login.provider.discover().await?;
        let carried = Carried {
            state: browsers::new_secret(),
            nonce: browsers::new_secret(),
            verifier: browsers::new_secret(),
            redirect: redirect.to_owned(),
            end_s: self.now().as_second().saturating_add(LOGIN_TIME_S),
        };
        let endpoint = &discovery.authorization_endpoint;
        let mut address = Url::parse(endpoint).map_err(|_| ProviderError::Unreadable {
            address: endpoint.clone(),
            problem: "it is no address".to_owned(),
        })?;
        let settings = &login.settings;
        let challenge = BASE64URL_NOPAD.encode(&Sha256::digest(carried.verifier.as_bytes()));
        address
            .query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &settings.client_id)
            .append_pair("redirect_uri", &settings.callback_url())
            .append_pair("scope", &settings.scopes.join(" "))
            .append_pair("state", &carried.state)
            .append_pair("nonce", &carried.nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        let cookie = login.seal(&carried)?;
        Ok(BegunLogin { address: address.into(), cookie, cookie_time_s: LOGIN_TIME_S })
    }

    /// Ends a login: whoever comes back with a code of the provider gets a session.
    pub async fn finish_login(
        &self,
        cookie: Option<&str>,
        answer: &LoginAnswer,
        browser: &str,
    ) -> Result<FinishedLogin, LoginError> {
        let login = self.login()?;
        let now = self.now();
        let carried = cookie.and_then(|cookie| login.open(cookie)).ok_or(LoginError::NotBegun)?;
        if answer.state.as_ref() != Some(&carried.state) || carried.end_s < now.as_second() {
            return Err(LoginError::NotBegun);
        }
        if answer.iss.as_ref().is_some_and(|issuer| *issuer != login.settings.issuer) {
            return Err(LoginError::BadAnswer("another issuer"));
        }
        if let Some(error) = &answer.error {
            let description = answer.error_description.as_deref().unwrap_or_default();
            return Err(LoginError::Refused(cut(format!("{error} {description}").trim())));
        }
        let code = answer.code.as_deref().filter(|code| !code.is_empty() && code.len() <= CODE_BYTES_MAX);
        let code = code.ok_or(LoginError::BadAnswer("no code"))?;
        let ProviderTokens { id_token, access_token } =
            login.provider.exchange(code, &carried.verifier).await?;
        let expected = Expected {
            issuer: &login.settings.issuer,
            audience: &login.settings.client_id,
            nonce: Some(&carried.nonce),
            age_max_s: None,
            now,
        };
        let mut person = login.provider.verify(&id_token, &expected).await?;
        if person.groups.is_empty() && login.settings.asks_for_groups() {
            person.groups = login.provider.find_groups(access_token.as_deref(), &person.subject).await?;
        }
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        let admitted = self.admit(&mut tx, &login.settings, &person, now).await?;
        let session = match admitted {
            Ok(user) => Ok(browsers::begin(&mut tx, &login.settings, user.id, browser, now).await?),
            Err(error) => Err(error),
        };
        // What a refusal takes away is taken away.
        tx.commit().await.map_err(StorageError::at("commit"))?;
        Ok(FinishedLogin { session: session?, redirect: carried.redirect })
    }

    /// Takes the id token of a program that was at the provider itself. Returns a token of ours for it, of 30 days.
    pub async fn admit_program(&self, id_token: &str) -> Result<String, LoginError> {
        let login = self.login()?;
        let now = self.now();
        let expected = Expected {
            issuer: &login.settings.issuer,
            audience: &login.settings.command_line_client,
            // The program knows it; an id token that was stolen somewhere must at least be fresh.
            nonce: None,
            age_max_s: Some(LOGIN_TIME_S),
            now,
        };
        let person = login.provider.verify(id_token, &expected).await?;
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        let admitted = self.admit(&mut tx, &login.settings, &person, now).await?;
        let token = match admitted {
            Ok(user) => {
                let end = now.checked_add(TOKEN_TIME).ok();
                let new = NewToken { name: "login by browser".to_owned(), expires_at: end };
                Ok(self.token_keys.issue(&mut tx, &user, &new, now).await?.1)
            }
            Err(error) => Err(error),
        };
        tx.commit().await.map_err(StorageError::at("commit"))?;
        token
    }
}

impl Login {
    fn seal(&self, carried: &Carried) -> Result<String, LoginError> {
        let text = serde_json::to_vec(carried).unwrap_or_default();
        let sealed = self.sealer.seal(SEALED_FOR.0, SEALED_FOR.1, &text).map_err(LoginError::Seal)?;
        Ok(BASE64URL_NOPAD.encode(&sealed))
    }

    fn open(&self, cookie: &str) -> Option<Carried> {
        if cookie.len() > COOKIE_BYTES_MAX {
            return None;
        }
        let sealed = BASE64URL_NOPAD.decode(cookie.as_bytes()).ok()?;
        let text = self.sealer.open(SEALED_FOR.0, SEALED_FOR.1, &sealed).ok()?;
        serde_json::from_slice(&text).ok()
    }
}
