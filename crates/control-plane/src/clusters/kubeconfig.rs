//! Kubeconfigs of strangers: what of them is used, and what is refused.
//!
//! A kubeconfig is a program for its reader: it names files to read, commands to run, proxies to talk through. The reader here
//! is a server with files, credentials and a network of its own, so only what is embedded in the text is used, and the rest
//! is refused with the words that say how to do without.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::config::{
    AuthInfo, Cluster, Context, KubeConfigOptions, Kubeconfig, NamedAuthInfo, NamedCluster, NamedContext,
};

use crate::addresses::{AddressRule, RefusedAddress, guard};

/// One with a hundred clusters in it is smaller.
pub(crate) const KUBECONFIG_BYTES_MAX: usize = 1024 * 1024;
const NAME_CHARS_SHOWN_MAX: usize = 100;

/// Why a kubeconfig is not used. Nothing of its contents but names is repeated.
#[derive(Debug, thiserror::Error)]
pub enum KubeconfigError {
    /// It is longer than any of use.
    #[error(
        "the kubeconfig has {length} bytes (limit {KUBECONFIG_BYTES_MAX}): `kubectl config view --minify --flatten` makes a short one"
    )]
    TooLarge {
        /// Its length.
        length: usize,
    },
    /// It is no YAML, or none of this shape.
    #[error(
        "the kubeconfig cannot be read{place}: `kubectl config view --minify --flatten` makes one that can"
    )]
    Unreadable {
        /// Where, as far as that is known.
        place: String,
    },
    /// It does not say which context is meant.
    #[error("the kubeconfig has no `current-context`: `kubectl config use-context NAME` sets it")]
    NoCurrentContext,
    /// Something is named and not there.
    #[error("the kubeconfig has no {what} `{name}`, which its current context names")]
    Missing {
        /// What: a context, a cluster, a user.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// It asks for what a server does for nobody.
    #[error("the kubeconfig has `{key}`, {reason}: {instead}")]
    Refused {
        /// What it has.
        key: &'static str,
        /// Why that is refused.
        reason: &'static str,
        /// What to do.
        instead: &'static str,
    },
    /// The address of the API server is none.
    #[error("`server` of the kubeconfig is no address as https://HOST:PORT")]
    BadServer,
    /// It may not be connected to.
    #[error("`server` of the kubeconfig is refused")]
    Address(#[source] RefusedAddress),
    /// Something embedded is broken.
    #[error("`{key}` of the kubeconfig is not the base64 text of {what}")]
    BadData {
        /// Which.
        key: &'static str,
        /// What it should be.
        what: &'static str,
    },
    /// It has nothing that says who is asking.
    #[error(
        "the kubeconfig has no credentials: give its user a `token`, or `client-certificate-data` with `client-key-data`"
    )]
    NoCredentials,
}

/// What is used of a kubeconfig: the current context with its cluster and its user, everything embedded.
pub struct CleanKubeconfig {
    kubeconfig: Kubeconfig,
    server: http::Uri,
}

const EMBED: &str = "`kubectl config view --minify --flatten` embeds it";
const TOKEN: &str =
    "make a token for a service account (`kubectl create token NAME --duration=…`) and give that";

impl CleanKubeconfig {
    /// Checks a kubeconfig, which may be base64 text of one.
    pub fn read(text: &str, rule: AddressRule) -> Result<Self, KubeconfigError> {
        let decoded = decode(text)?;
        let parsed = Kubeconfig::from_yaml(&decoded).map_err(|error| unreadable(&error))?;
        let name = parsed.current_context.as_deref().filter(|name| !name.is_empty());
        let context_name = name.ok_or(KubeconfigError::NoCurrentContext)?;
        let context = parsed
            .contexts
            .iter()
            .find(|context| context.name == context_name)
            .and_then(|named| named.context.clone())
            .ok_or_else(|| missing("context", context_name))?;
        let cluster = parsed
            .clusters
            .iter()
            .find(|cluster| cluster.name == context.cluster)
            .and_then(|named| named.cluster.clone())
            .ok_or_else(|| missing("cluster", &context.cluster))?;
        let user_name = context.user.clone().unwrap_or_default();
        let user = parsed
            .auth_infos
            .iter()
            .find(|user| user.name == user_name)
            .and_then(|named| named.auth_info.clone())
            .ok_or_else(|| missing("user", &user_name))?;
        let (cluster, server) = clean_cluster(cluster, rule)?;
        let user = clean_user(user)?;
        let kubeconfig = Kubeconfig {
            api_version: Some("v1".to_owned()),
            kind: Some("Config".to_owned()),
            current_context: Some(context_name.to_owned()),
            contexts: vec![NamedContext {
                name: context_name.to_owned(),
                context: Some(Context {
                    cluster: context.cluster.clone(),
                    user: context.user,
                    namespace: context.namespace,
                    ..Context::default()
                }),
                ..NamedContext::default()
            }],
            clusters: vec![NamedCluster {
                name: context.cluster,
                cluster: Some(cluster),
                ..NamedCluster::default()
            }],
            auth_infos: vec![NamedAuthInfo {
                name: user_name,
                auth_info: Some(user),
                ..NamedAuthInfo::default()
            }],
            ..Kubeconfig::default()
        };
        Ok(Self { kubeconfig, server })
    }

    /// Where the API server is: `https://HOST:PORT`.
    pub fn server(&self) -> String {
        self.server.to_string().trim_end_matches('/').to_owned()
    }

    /// The text of what is used, as YAML. Nothing in it runs on the machine of whoever gets it.
    pub fn to_yaml(&self) -> Result<String, KubeconfigError> {
        serde_saphyr::to_string(&self.kubeconfig)
            .map_err(|_| KubeconfigError::Unreadable { place: String::new() })
    }

    /// PEM of the certificate that says who is asking, where it is one that says so.
    pub(crate) fn client_certificate(&self) -> Option<Vec<u8>> {
        let user = self.user()?;
        STANDARD.decode(user.client_certificate_data.as_ref()?).ok()
    }

    /// The token that says who is asking, where it is one that says so.
    pub(crate) fn token(&self) -> Option<String> {
        // The type has no other way out than its wire form.
        let user = serde_json::to_value(self.user()?).ok()?;
        user.get("token")?.as_str().map(str::to_owned)
    }

    fn user(&self) -> Option<&AuthInfo> {
        self.kubeconfig.auth_infos.first()?.auth_info.as_ref()
    }

    /// The same for the client of the cluster.
    pub(crate) async fn to_config(&self) -> Result<kube::Config, kube::config::KubeconfigError> {
        kube::Config::from_custom_kubeconfig(self.kubeconfig.clone(), &KubeConfigOptions::default()).await
    }
}

impl std::fmt::Debug for CleanKubeconfig {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("CleanKubeconfig").field("server", &self.server).finish_non_exhaustive()
    }
}

fn decode(text: &str) -> Result<String, KubeconfigError> {
    let too_large = |length| Err(KubeconfigError::TooLarge { length });
    if text.len() > KUBECONFIG_BYTES_MAX * 2 {
        return too_large(text.len());
    }
    let compact: String = text.split_ascii_whitespace().collect();
    let decoded = match STANDARD.decode(compact) {
        Ok(bytes) => String::from_utf8(bytes)
            .map_err(|_| KubeconfigError::Unreadable { place: ": it is not UTF-8".to_owned() })?,
        Err(_) => text.to_owned(),
    };
    if decoded.len() > KUBECONFIG_BYTES_MAX { too_large(decoded.len()) } else { Ok(decoded) }
}

/// The text of the error would repeat lines of the file, which may be keys.
fn unreadable(error: &kube::config::KubeconfigError) -> KubeconfigError {
    let place = match error {
        kube::config::KubeconfigError::Parse(error) => error
            .location()
            .map(|location| format!(" (line {}, column {})", location.line(), location.column()))
            .unwrap_or_default(),
        _ => String::new(),
    };
    KubeconfigError::Unreadable { place }
}

fn missing(what: &'static str, name: &str) -> KubeconfigError {
    KubeconfigError::Missing { what, name: name.chars().take(NAME_CHARS_SHOWN_MAX).collect() }
}

fn is_there(value: Option<&String>) -> bool {
    value.is_some_and(|value| !value.is_empty())
}

fn refuse(
    is_there: bool,
    key: &'static str,
    reason: &'static str,
    instead: &'static str,
) -> Result<(), KubeconfigError> {
    if is_there { Err(KubeconfigError::Refused { key, reason, instead }) } else { Ok(()) }
}

fn clean_cluster(cluster: Cluster, rule: AddressRule) -> Result<(Cluster, http::Uri), KubeconfigError> {
    const FILE: &str = "a file of another machine";
    refuse(is_there(cluster.certificate_authority.as_ref()), "certificate-authority", FILE, EMBED)?;
    refuse(
        is_there(cluster.proxy_url.as_ref()),
        "proxy-url",
        "which would send requests through a machine that nobody here knows",
        "give an address that is reached without a proxy",
    )?;
    refuse(
        cluster.insecure_skip_tls_verify == Some(true),
        "insecure-skip-tls-verify",
        "with which anybody between could take the credentials",
        "remove it and give `certificate-authority-data`",
    )?;
    let text = cluster.server.clone().unwrap_or_default();
    let server: http::Uri = text.trim().parse().map_err(|_| KubeconfigError::BadServer)?;
    let host = server.host().filter(|host| !host.is_empty()).ok_or(KubeconfigError::BadServer)?;
    // What stands before the `@` would be a password in an address.
    let is_plain =
        server.query().is_none() && server.authority().is_some_and(|it| !it.as_str().contains('@'));
    if server.scheme_str() != Some("https") || !is_plain {
        return Err(KubeconfigError::BadServer);
    }
    guard(rule).check_host(host).map_err(KubeconfigError::Address)?;
    let authority = cluster.certificate_authority_data.filter(|data| !data.is_empty());
    check_pem(authority.as_ref(), "certificate-authority-data", "PEM certificates")?;
    let clean = Cluster {
        server: Some(text.trim().to_owned()),
        certificate_authority_data: authority,
        tls_server_name: cluster.tls_server_name.filter(|name| !name.is_empty()),
        ..Cluster::default()
    };
    Ok((clean, server))
}

fn clean_user(user: AuthInfo) -> Result<AuthInfo, KubeconfigError> {
    const FILE: &str = "a file of another machine";
    refuse(user.exec.is_some(), "exec", "which runs a program, and a server runs none for others", TOKEN)?;
    refuse(
        user.auth_provider.is_some(),
        "auth-provider",
        "which is a program, and a server runs none for others",
        TOKEN,
    )?;
    refuse(is_there(user.token_file.as_ref()), "tokenFile", FILE, "give its contents as `token`")?;
    refuse(is_there(user.client_certificate.as_ref()), "client-certificate", FILE, EMBED)?;
    refuse(is_there(user.client_key.as_ref()), "client-key", FILE, EMBED)?;
    let is_impersonation = is_there(user.impersonate.as_ref())
        || is_there(user.impersonate_uid.as_ref())
        || user.impersonate_groups.as_ref().is_some_and(|groups| !groups.is_empty())
        || user.impersonate_user_extra.as_ref().is_some_and(|extra| !extra.is_empty());
    refuse(
        is_impersonation,
        "as",
        "which acts as somebody else",
        "give the credentials of the user who is meant",
    )?;
    let certificate = user.client_certificate_data.filter(|data| !data.is_empty());
    check_pem(certificate.as_ref(), "client-certificate-data", "PEM certificates")?;
    let clean = AuthInfo {
        username: user.username.filter(|name| !name.is_empty()),
        password: user.password,
        token: user.token,
        client_certificate_data: certificate,
        client_key_data: user.client_key_data,
        ..AuthInfo::default()
    };
    let has_pair = clean.client_certificate_data.is_some() && clean.client_key_data.is_some();
    let has_password = clean.username.is_some() && clean.password.is_some();
    if clean.token.is_none() && !has_pair && !has_password {
        return Err(KubeconfigError::NoCredentials);
    }
    Ok(clean)
}

fn check_pem(data: Option<&String>, key: &'static str, what: &'static str) -> Result<(), KubeconfigError> {
    let Some(data) = data else { return Ok(()) };
    let is_pem = STANDARD.decode(data).is_ok_and(|bytes| {
        let mut blocks = x509_parser::pem::Pem::iter_from_buffer(&bytes).peekable();
        blocks.peek().is_some() && blocks.all(|block| block.is_ok_and(|block| block.label == "CERTIFICATE"))
    });
    if is_pem { Ok(()) } else { Err(KubeconfigError::BadData { key, what }) }
}
