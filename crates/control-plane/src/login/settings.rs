//! Which provider, and whom it may send.

use std::path::PathBuf;
use std::time::Duration;

use crate::{Role, SecretValue};

/// An OpenID Connect provider and what its people may do here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginSettings {
    /// The provider, exactly as its discovery document and its tokens name it: `https://dex.example.com/dex`.
    pub issuer: String,
    /// What the provider calls us.
    pub client_id: String,
    /// By what it knows us; `None`: we are a public client, and only PKCE protects the code.
    pub client_secret: Option<SecretValue>,
    /// What is asked for; `openid` is always among it.
    pub scopes: Vec<String>,
    /// PEM files of certificate authorities beside those of the system.
    pub ca_certificates: Vec<PathBuf>,
    /// Where browsers reach the control plane, without a slash at the end: `https://lazaret.example.com`.
    pub public_url: String,
    /// Only people with a verified address in one of these domains; none: everybody.
    pub email_domains: Vec<String>,
    /// Only people in one of these groups; none: everybody.
    pub required_groups: Vec<String>,
    /// What a login gives.
    pub grants: Vec<Grant>,
    /// What the provider calls programs on people's machines, which log in for themselves.
    pub command_line_client: String,
    /// The port where such a program waits for its browser; 0: any, where the provider takes any.
    pub command_line_port: u16,
    /// Longest time of a session.
    pub session_time: Duration,
    /// A session ends when it was not used for so long.
    pub idle_time: Duration,
    /// Longest time for one call of the provider.
    pub time_max: Duration,
}

/// A place in an organization that a login gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// To people in this group; `None`: to everybody who is let in.
    pub group: Option<String>,
    /// Name of the organization; it is made when the first of them comes.
    pub organization: String,
    /// What they may do there.
    pub role: Role,
}

impl LoginSettings {
    /// The address that the provider sends browsers back to.
    pub fn callback_url(&self) -> String {
        format!("{}/auth/oidc/callback", self.public_url)
    }

    /// Whether it matters in which groups somebody is.
    pub(crate) fn asks_for_groups(&self) -> bool {
        !self.required_groups.is_empty() || self.grants.iter().any(|grant| grant.group.is_some())
    }

    /// Whether cookies may only travel over TLS.
    pub fn is_encrypted(&self) -> bool {
        self.public_url.starts_with("https://")
    }

    /// Scheme, host and port of [`LoginSettings::public_url`], as browsers name where a request comes from.
    pub(crate) fn origin(&self) -> String {
        url::Url::parse(&self.public_url).map(|url| url.origin().ascii_serialization()).unwrap_or_default()
    }
}
