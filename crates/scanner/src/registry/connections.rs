//! Open connections and the rule which host may be spoken to how.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use outbound_guard::{AddressRule, Guard};
use reqwest::{Certificate, Client, Url, redirect};
use tokio::time::Instant;

use crate::error::ScanError;
use crate::options::{Credentials, ProxyOptions, RegistryOptions, Secret, Timeouts};
use crate::registry::files::read_small_file;

const CERTIFICATES_BYTES_MAX: u64 = 4 << 20;
const AUTHORIZATIONS_MAX: usize = 1024;

/// Connections and tokens that outlive one call; clones share them.
///
/// Tokens are kept per credentials, registry and repository: what one tenant may read is never read with the token of
/// another.
#[derive(Clone, Default)]
pub struct Connections {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    clients: Option<(ClientSettings, Arc<Clients>)>,
    authorizations: BTreeMap<AuthorizationKey, Authorization>,
}

/// What a token is good for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AuthorizationKey {
    pub(crate) credentials: Credentials,
    pub(crate) registry: String,
    pub(crate) repository: String,
}

/// The value of an `Authorization` header.
#[derive(Debug, Clone)]
pub(crate) struct Authorization {
    pub(crate) header: Secret,
    pub(crate) expires_at: Instant,
}

/// What the clients are built from; other settings need other clients.
#[derive(Clone, PartialEq, Eq)]
struct ClientSettings {
    ca_certificates: Vec<PathBuf>,
    proxy: ProxyOptions,
    timeouts: Timeouts,
    guard: Guard,
}

/// One client for each way to connect; they share no connection.
pub(crate) struct Clients {
    settings: ClientSettings,
    certificates: Vec<Certificate>,
    proxies: BTreeSet<String>,
    made: Mutex<BTreeMap<Way, Client>>,
}

/// How a host is connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Way {
    rule: AddressRule,
    is_verified: bool,
    /// Whether the names of proxies are resolved whatever they lead to.
    is_proxy_exempt: bool,
}

impl fmt::Debug for Connections {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Connections")
    }
}

impl Connections {
    /// The clients for these options; reads the certificate files when they are built.
    pub(crate) fn clients(&self, options: &RegistryOptions) -> Result<Arc<Clients>, ScanError> {
        let settings = ClientSettings {
            ca_certificates: options.ca_certificates.clone(),
            proxy: options.proxy.clone(),
            timeouts: options.timeouts.clone(),
            guard: options.addresses.guard(),
        };
        if let Some((built_from, clients)) = &self.lock().clients
            && *built_from == settings
        {
            return Ok(Arc::clone(clients));
        }
        let clients = Arc::new(Clients::new(settings.clone())?);
        self.lock().clients = Some((settings, Arc::clone(&clients)));
        Ok(clients)
    }

    pub(crate) fn authorization(&self, key: &AuthorizationKey, now: Instant) -> Option<Authorization> {
        self.lock().authorizations.get(key).filter(|kept| kept.expires_at > now).cloned()
    }

    pub(crate) fn keep_authorization(&self, key: AuthorizationKey, authorization: Authorization) {
        let mut state = self.lock();
        if state.authorizations.len() >= AUTHORIZATIONS_MAX {
            let now = Instant::now();
            state.authorizations.retain(|_, kept| kept.expires_at > now);
            if state.authorizations.len() >= AUTHORIZATIONS_MAX {
                state.authorizations.clear();
            }
        }
        state.authorizations.insert(key, authorization);
    }

    pub(crate) fn forget_authorization(&self, key: &AuthorizationKey) {
        self.lock().authorizations.remove(key);
    }

    /// A panic while the lock was held cannot leave a half-written value: every change is one assignment.
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clients {
    fn new(settings: ClientSettings) -> Result<Self, ScanError> {
        let certificates = load_certificates(&settings.ca_certificates)?;
        let addresses = [&settings.proxy.https, &settings.proxy.http].into_iter().flatten();
        let proxies = addresses.filter_map(|address| proxy_host(address.reveal())).collect();
        Ok(Self { settings, certificates, proxies, made: Mutex::default() })
    }

    /// The client for a host of this rule. It connects nowhere else; an address that is written as a number comes to no
    /// resolver and is looked at here.
    pub(crate) fn client(
        &self,
        url: &Url,
        rule: AddressRule,
        is_verified: bool,
        what: &str,
    ) -> Result<Client, ScanError> {
        let guard = self.settings.guard.clone().with_rule(rule);
        guard.check_url(url).map_err(|source| ScanError::ForbiddenAddress {
            host: authority(url),
            what: what.to_owned(),
            source,
        })?;
        // Whoever names the proxy itself as a registry gains nothing by that.
        let is_proxy_exempt = !self.proxies.contains(url.host_str().unwrap_or_default());
        self.made(Way { rule, is_verified, is_proxy_exempt })
    }

    fn made(&self, way: Way) -> Result<Client, ScanError> {
        // A panic while the lock was held cannot leave a half-made client.
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = made.get(&way) {
            return Ok(client.clone());
        }
        let client = self.build(way)?;
        made.insert(way, client.clone());
        Ok(client)
    }

    fn build(&self, way: Way) -> Result<Client, ScanError> {
        let exempt = if way.is_proxy_exempt { self.proxies.clone() } else { BTreeSet::new() };
        let guard = Guard { rule: way.rule, exempt, ..self.settings.guard.clone() };
        let mut builder = base_builder(&self.settings)?.dns_resolver(guard.resolver());
        if !way.is_verified {
            builder = builder.tls_danger_accept_invalid_certs(true);
        } else if !self.certificates.is_empty() {
            builder = builder.tls_certs_merge(self.certificates.clone());
        }
        builder.build().map_err(|error| bad_setting("set of trusted certificates".to_owned(), error))
    }
}

/// The host of a proxy's address, which may be written without a scheme.
fn proxy_host(address: &str) -> Option<String> {
    let with_scheme = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
    let url: Url = with_scheme.parse().ok()?;
    url.host_str().map(str::to_ascii_lowercase)
}

fn base_builder(settings: &ClientSettings) -> Result<reqwest::ClientBuilder, ScanError> {
    let mut builder = Client::builder()
        .user_agent("lazaret")
        // Redirects are followed by hand, with our own rules.
        .redirect(redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .connect_timeout(settings.timeouts.connect)
        .pool_idle_timeout(Duration::from_secs(60))
        .tcp_keepalive(Duration::from_secs(30));
    let https = settings.proxy.https.as_ref().map(|address| reqwest::Proxy::https(address.reveal()));
    let http = settings.proxy.http.as_ref().map(|address| reqwest::Proxy::http(address.reveal()));
    for proxy in [https, http].into_iter().flatten() {
        let exceptions = settings.proxy.exceptions.as_deref().and_then(reqwest::NoProxy::from_string);
        let proxy = proxy.map_err(|error| bad_setting("proxy address".to_owned(), error))?;
        builder = builder.proxy(proxy.no_proxy(exceptions));
    }
    Ok(builder)
}

fn load_certificates(paths: &[PathBuf]) -> Result<Vec<Certificate>, ScanError> {
    let mut certificates = Vec::new();
    for path in paths {
        let bytes = read_small_file(path, CERTIFICATES_BYTES_MAX)?;
        let what = format!("certificate file `{}`", path.display());
        let found = Certificate::from_pem_bundle(&bytes).map_err(|error| bad_setting(what.clone(), error))?;
        if found.is_empty() {
            return Err(ScanError::BadConnectionSetting {
                what: format!("{what} without a certificate"),
                source: None,
            });
        }
        certificates.extend(found);
    }
    Ok(certificates)
}

fn bad_setting(what: String, error: reqwest::Error) -> ScanError {
    ScanError::BadConnectionSetting { what, source: Some(error.without_url()) }
}

/// Which hosts are asked how.
#[derive(Debug, Clone)]
pub(crate) struct HostRules {
    insecure: BTreeSet<String>,
}

impl HostRules {
    pub(crate) fn new(insecure: &BTreeSet<String>) -> Self {
        Self {
            insecure: insecure.iter().map(|host| host.trim_end_matches('/').to_ascii_lowercase()).collect(),
        }
    }

    /// The address of a registry's API, by the name that references give it.
    pub(crate) fn registry_base(&self, registry: &str) -> String {
        // Docker Hub answers under another name than it is written with.
        let host = if registry == model::DOCKER_HUB { "registry-1.docker.io" } else { registry };
        let scheme = if self.is_plain(host) { "http" } else { "https" };
        format!("{scheme}://{host}")
    }

    fn is_plain(&self, authority: &str) -> bool {
        let written = authority.strip_prefix("http://").unwrap_or(authority);
        (self.insecure.contains(written) || self.insecure.contains(&format!("http://{written}")))
            && !written.ends_with(":443")
    }

    /// Whether the certificate of an address is checked, or the rule that forbids to ask it.
    pub(crate) fn is_verified(&self, url: &Url) -> Result<bool, &'static str> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err("addresses must not carry credentials");
        }
        let host = url.host_str().unwrap_or_default();
        // `Url` drops the default port, references keep what was written.
        let spellings = match (url.port(), url.scheme()) {
            (Some(port), _) => vec![format!("{host}:{port}")],
            (None, "http") => vec![host.to_owned(), format!("{host}:80")],
            (None, _) => vec![host.to_owned(), format!("{host}:443")],
        };
        match url.scheme() {
            "https" => {
                let is_unverified = spellings.iter().any(|name| {
                    self.insecure.contains(&format!("https://{name}"))
                        || (name.ends_with(":443") && self.insecure.contains(name))
                });
                Ok(!is_unverified)
            }
            "http" if spellings.iter().any(|name| self.is_plain(name)) => Ok(true),
            "http" => Err("plain http is only for registries that are named insecure"),
            _ => Err("only https is spoken"),
        }
    }
}

/// `host[:port]` of an address, for messages.
pub(crate) fn authority(url: &Url) -> String {
    match url.port() {
        Some(port) => format!("{}:{port}", url.host_str().unwrap_or_default()),
        None => url.host_str().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `Ok`: whether the certificate goes without a check.
    fn check(insecure: &[&str], url: &str, expected: Result<bool, ()>) {
        let rules = HostRules::new(&insecure.iter().map(|text| (*text).to_owned()).collect());
        let chosen = rules.is_verified(&url.parse().unwrap()).map(|is_verified| !is_verified).map_err(|_| ());
        assert_eq!(chosen, expected, "{insecure:?} {url}");
    }

    #[test]
    fn only_named_hosts_are_spoken_to_without_a_check() {
        check(&[], "https://h/v2/", Ok(false));
        check(&[], "http://h/v2/", Err(()));
        check(&["h"], "http://h/v2/", Ok(false));
        check(&["h"], "https://h/v2/", Ok(false));
        check(&["h:443"], "https://h/v2/", Ok(true));
        check(&["h:443"], "http://h:443/v2/", Err(()));
        check(&["h:5000"], "http://h:5000/", Ok(false));
        check(&["h:5000"], "http://h:5001/", Err(()));
        check(&["h:5000"], "http://h/", Err(()));
        check(&["h:80"], "http://h/", Ok(false));
        check(&["https://h:5000"], "https://h:5000/", Ok(true));
        check(&["https://h:5000"], "http://h:5000/", Err(()));
        check(&["https://h"], "https://h/", Ok(true));
        check(&["https://h"], "https://sub.h/", Ok(false));
        check(&["h"], "http://user@h/", Err(()));
        check(&["h"], "ftp://h/", Err(()));
        check(&["[::1]:5000"], "http://[::1]:5000/", Ok(false));
    }

    #[test]
    fn the_name_decides_the_scheme() {
        let rules = HostRules::new(&["h:5000".to_owned(), "h:443".to_owned(), "https://i".to_owned()].into());
        assert_eq!(rules.registry_base("h:5000"), "http://h:5000");
        assert_eq!(rules.registry_base("h:443"), "https://h:443");
        assert_eq!(rules.registry_base("i"), "https://i");
        assert_eq!(rules.registry_base("docker.io"), "https://registry-1.docker.io");
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, "nothing\n").unwrap();
        for path in [path, folder.path().join("missing.pem")] {
            let options = RegistryOptions { ca_certificates: vec![path], ..RegistryOptions::default() };
            assert!(Connections::default().clients(&options).is_err());
        }
    }
}
