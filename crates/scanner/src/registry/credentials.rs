//! Who to be for an image: the choice among the configured credentials.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

use crate::error::{BadJson, ScanError};
use crate::manifest::null_is_default;
use crate::options::{Credentials, DockerConfig, RegistryLogin, Secret};
use crate::registry::files::read_small_file;
use crate::registry::helper;

const CONFIG_BYTES_MAX: u64 = 4 << 20;
/// The name under which Docker keeps the login of Docker Hub.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";

/// Who to be at one registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    Anonymous,
    User {
        user: String,
        password: Secret,
    },
    /// Exchanged for a token at the realm.
    Refresh(Secret),
    /// Sent to the registry as it is.
    RegistryToken(Secret),
}

/// Finds the credentials for an image; `helper_timeout` bounds each helper program.
pub(crate) async fn find_identity(
    credentials: &Credentials,
    registry: &str,
    repository: &str,
    helper_timeout: std::time::Duration,
) -> Result<Identity, ScanError> {
    match credentials {
        Credentials::Anonymous => Ok(Identity::Anonymous),
        Credentials::Logins(logins) => Ok(find_login(logins, registry, repository)),
        Credentials::DockerConfig(config) => {
            find_in_config(config, registry, repository, helper_timeout).await
        }
        Credentials::FirstOf(all) => {
            for one in all {
                let found = Box::pin(find_identity(one, registry, repository, helper_timeout)).await?;
                if found != Identity::Anonymous {
                    return Ok(found);
                }
            }
            Ok(Identity::Anonymous)
        }
    }
}

fn find_login(logins: &[RegistryLogin], registry: &str, repository: &str) -> Identity {
    let best = logins
        .iter()
        .filter(|login| scope_covers(&login.scope, registry, repository))
        .max_by_key(|login| login.scope.len());
    match best {
        Some(login) => Identity::User { user: login.user.clone(), password: login.password.clone() },
        None => Identity::Anonymous,
    }
}

/// Whether credentials for `scope` are for an image: same host, and the repository is the named one, below it, or begins
/// with the text before `*`.
fn scope_covers(scope: &str, registry: &str, repository: &str) -> bool {
    let (host, path) = split_scope(scope);
    if host != registry {
        return false;
    }
    match path.strip_suffix('*') {
        Some(prefix) => repository.starts_with(prefix),
        None => {
            path.is_empty()
                || repository.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }
    }
}

/// Host and path of `https://host/v1/`, `host`, `host/team`; the many names of Docker Hub are one.
fn split_scope(scope: &str) -> (String, &str) {
    let bare = scope.strip_prefix("https://").or_else(|| scope.strip_prefix("http://")).unwrap_or(scope);
    let (host, path) = bare.split_once('/').unwrap_or((bare, ""));
    let path = path.trim_end_matches('/');
    let path = if matches!(path, "v1" | "v2") { "" } else { path };
    let host = match host.to_ascii_lowercase().as_str() {
        "index.docker.io" | "registry-1.docker.io" | "registry.hub.docker.com" => {
            model::DOCKER_HUB.to_owned()
        }
        other => other.to_owned(),
    };
    (host, path)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawConfig {
    #[serde(default, deserialize_with = "null_is_default")]
    auths: BTreeMap<String, RawAuth>,
    #[serde(default, deserialize_with = "null_is_default")]
    cred_helpers: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "null_is_default")]
    creds_store: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawAuth {
    #[serde(deserialize_with = "null_is_default")]
    auth: String,
    #[serde(deserialize_with = "null_is_default")]
    username: String,
    #[serde(deserialize_with = "null_is_default")]
    password: String,
    #[serde(deserialize_with = "null_is_default")]
    identitytoken: String,
    #[serde(deserialize_with = "null_is_default")]
    registrytoken: String,
}

/// The helper of the registry, else the entry of the file, else the helper for everything.
async fn find_in_config(
    config: &DockerConfig,
    registry: &str,
    repository: &str,
    helper_timeout: std::time::Duration,
) -> Result<Identity, ScanError> {
    let Some(raw) = read_config(&config.path).await? else { return Ok(Identity::Anonymous) };
    let server = if registry == model::DOCKER_HUB { DOCKER_HUB_KEY } else { registry };
    let folder = config.helper_folder.as_deref();
    let own_helper = raw.cred_helpers.iter().find(|(key, _)| split_scope(key).0 == registry);
    if let Some((_, name)) = own_helper {
        return helper::ask(name, folder, server, helper_timeout).await;
    }
    let entry = raw
        .auths
        .iter()
        .filter(|(scope, _)| scope_covers(scope, registry, repository))
        .max_by_key(|(scope, _)| split_scope(scope).1.len())
        .and_then(|(_, auth)| identity_of(auth));
    match entry {
        Some(Ok(identity)) => Ok(identity),
        Some(Err(problem)) => Err(ScanError::BadCredentialsEntry {
            path: config.path.clone(),
            registry: registry.to_owned(),
            problem,
        }),
        None if raw.creds_store.is_empty() => Ok(Identity::Anonymous),
        None => helper::ask(&raw.creds_store, folder, server, helper_timeout).await,
    }
}

/// A file that is not there is a user who never logged in.
async fn read_config(path: &Path) -> Result<Option<RawConfig>, ScanError> {
    let path = path.to_owned();
    let read = tokio::task::spawn_blocking(move || match read_small_file(&path, CONFIG_BYTES_MAX) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| ScanError::BadCredentialsFile { path, source: BadJson::new(&error, true) }),
        Err(ScanError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    });
    // The task neither panics nor is it aborted, except when the whole runtime stops.
    read.await.unwrap_or(Err(ScanError::Cancelled))
}

/// `None` for an entry without content, which Docker writes when a helper has the rest.
fn identity_of(raw: &RawAuth) -> Option<Result<Identity, &'static str>> {
    if !raw.registrytoken.is_empty() {
        return Some(Ok(Identity::RegistryToken(Secret::new(&raw.registrytoken))));
    }
    if !raw.identitytoken.is_empty() {
        return Some(Ok(Identity::Refresh(Secret::new(&raw.identitytoken))));
    }
    if !raw.auth.is_empty() {
        return Some(decode_auth(&raw.auth).ok_or("`auth` is not base64 of `user:password`"));
    }
    if !raw.username.is_empty() {
        let password = Secret::new(&raw.password);
        return Some(Ok(Identity::User { user: raw.username.clone(), password }));
    }
    None
}

pub(super) fn is_config(body: &[u8]) -> bool {
    let Ok(raw) = serde_json::from_slice::<RawConfig>(body) else { return false };
    raw.auths.iter().any(|(scope, auth)| {
        scope_covers(scope, model::DOCKER_HUB, "library/a") | matches!(identity_of(auth), Some(Ok(_)))
    })
}

fn decode_auth(text: &str) -> Option<Identity> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let bytes = GeneralPurpose::new(&alphabet::STANDARD, config).decode(text.trim()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    // Docker pads with zero bytes.
    let (user, password) = text.trim_end_matches('\0').split_once(':')?;
    Some(Identity::User { user: user.to_owned(), password: Secret::new(password) })
}

#[cfg(test)]
mod tests;
