//! The kinds of secrets, and what each of them holds.

/// What a secret is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretKind {
    /// A service principal of Azure.
    Azure,
    /// Access keys of Amazon.
    Amazon,
    /// Access to Cloudflare.
    Cloudflare,
    /// Access to DigitalOcean.
    DigitalOcean,
    /// The token of a function server.
    Fn,
    /// Whatever its maker wants.
    Generic,
    /// A service account of Google.
    Google,
    /// A password file of a web server.
    Htpasswd,
    /// A kubeconfig.
    Kubernetes,
    /// Access to PagerDuty.
    PagerDuty,
    /// User and password.
    Password,
    /// The certificate authorities of a cluster.
    PkeCertificates,
    /// An address of Slack.
    Slack,
    /// A key pair of SSH.
    Ssh,
    /// Certificates and keys.
    Tls,
    /// A token of Vault.
    Vault,
    /// Access to vSphere.
    Vsphere,
}

/// One value that secrets of a kind hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretField {
    /// Its key.
    pub name: &'static str,
    /// Whether a secret without it is refused.
    pub is_required: bool,
    /// Whether a form may show it while it is typed.
    pub is_safe_to_display: bool,
    /// What it is, for people.
    pub description: &'static str,
}

const fn field(
    name: &'static str,
    is_required: bool,
    is_safe_to_display: bool,
    description: &'static str,
) -> SecretField {
    SecretField { name, is_required, is_safe_to_display, description }
}

const fn shown(name: &'static str, description: &'static str) -> SecretField {
    field(name, true, true, description)
}

const fn hidden(name: &'static str, description: &'static str) -> SecretField {
    field(name, true, false, description)
}

const fn optional(name: &'static str, description: &'static str) -> SecretField {
    field(name, false, false, description)
}

const AZURE: &[SecretField] = &[
    shown("AZURE_CLIENT_ID", "Id of the application"),
    hidden("AZURE_CLIENT_SECRET", "Secret of the application"),
    shown("AZURE_TENANT_ID", "Id of the tenant"),
    shown("AZURE_SUBSCRIPTION_ID", "Id of the subscription"),
];
const AMAZON: &[SecretField] = &[
    field("AWS_REGION", false, true, "Region"),
    shown("AWS_ACCESS_KEY_ID", "Id of the access key"),
    hidden("AWS_SECRET_ACCESS_KEY", "The access key"),
];
const CLOUDFLARE: &[SecretField] =
    &[hidden("CF_API_KEY", "Key of the API"), shown("CF_API_EMAIL", "Mail address of the key's owner")];
const DIGITAL_OCEAN: &[SecretField] = &[hidden("DO_TOKEN", "Token of the API")];
const FN: &[SecretField] = &[hidden("master_token", "Token of the server")];
const GOOGLE: &[SecretField] = &[
    shown("type", "The word service_account"),
    shown("project_id", "Id of the project"),
    shown("private_key_id", "Id of the key"),
    hidden("private_key", "The key, PEM"),
    shown("client_email", "Mail address of the service account"),
    shown("client_id", "Id of the service account"),
    shown("auth_uri", "Where OAuth2 is authorized"),
    shown("token_uri", "Where OAuth2 tokens come from"),
    shown("auth_provider_x509_cert_url", "Where the provider's certificates are"),
    shown("client_x509_cert_url", "Where the service account's certificates are"),
];
const HTPASSWD: &[SecretField] = &[
    field("username", false, true, "User"),
    optional("password", "Password"),
    hidden("htpasswd", "The file: one USER:HASH per line"),
];
const KUBERNETES: &[SecretField] = &[hidden("K8Sconfig", "The kubeconfig, as text or in base64")];
const PAGER_DUTY: &[SecretField] = &[hidden("integrationKey", "Key of the integration")];
const PASSWORD: &[SecretField] = &[
    shown("username", "User"),
    optional("password", "Password; without one it is generated, and as randAlphaNum,N it has N characters"),
];
const PKE_CERTIFICATES: &[SecretField] = &[
    optional("caCert", "Certificate of the root"),
    optional("caKey", "Key of the root"),
    optional("kubernetesCaCert", "Certificate of the authority for Kubernetes"),
    optional("kubernetesCaKey", "Its key"),
    optional("etcdCaCert", "Certificate of the authority for etcd"),
    optional("etcdCaKey", "Its key"),
    optional("frontProxyCaCert", "Certificate of the authority for the front proxy"),
    optional("frontProxyCaKey", "Its key"),
    optional("saPub", "Public key of service accounts"),
    optional("saKey", "Its private half"),
];
const SLACK: &[SecretField] = &[hidden("apiUrl", "Address that messages are sent to")];
const SSH: &[SecretField] = &[
    shown("user", "User"),
    shown("identifier", "Name of the key"),
    shown("public_key_data", "Public key"),
    shown("public_key_fingerprint", "Its fingerprint"),
    hidden("private_key_data", "Private key"),
];
const TLS: &[SecretField] = &[
    field("hosts", false, true, "Names that the certificate is for"),
    field("validity", false, true, "How long it holds"),
    hidden("caCert", "Certificate of the authority, PEM"),
    optional("caKey", "Key of the authority, PEM"),
    hidden("serverKey", "Key of the server, PEM"),
    hidden("serverCert", "Certificate of the server, PEM"),
    optional("clientKey", "Key of the client, PEM"),
    optional("clientCert", "Certificate of the client, PEM"),
    optional("peerKey", "Key of the peer, PEM"),
    optional("peerCert", "Certificate of the peer, PEM"),
];
const VAULT: &[SecretField] = &[hidden("token", "Token")];
const VSPHERE: &[SecretField] = &[
    shown("url", "Address, without user and password"),
    shown("user", "User"),
    hidden("password", "Password"),
];

impl SecretKind {
    /// All kinds, by name.
    pub const ALL: [Self; 17] = [
        Self::Amazon,
        Self::Azure,
        Self::Cloudflare,
        Self::DigitalOcean,
        Self::Fn,
        Self::Generic,
        Self::Google,
        Self::Htpasswd,
        Self::Kubernetes,
        Self::PagerDuty,
        Self::Password,
        Self::PkeCertificates,
        Self::Slack,
        Self::Ssh,
        Self::Tls,
        Self::Vault,
        Self::Vsphere,
    ];

    /// The word on the wire and in the stores.
    pub fn name(self) -> &'static str {
        match self {
            Self::Azure => "azure",
            Self::Amazon => "amazon",
            Self::Cloudflare => "cloudflare",
            Self::DigitalOcean => "digitalocean",
            Self::Fn => "fn",
            Self::Generic => "generic",
            Self::Google => "google",
            Self::Htpasswd => "htpasswd",
            Self::Kubernetes => "kubernetes",
            Self::PagerDuty => "pagerduty",
            Self::Password => "password",
            Self::PkeCertificates => "pkecert",
            Self::Slack => "slack",
            Self::Ssh => "ssh",
            Self::Tls => "tls",
            Self::Vault => "vault",
            Self::Vsphere => "vsphere",
        }
    }

    /// The kind of this word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// What secrets of this kind hold.
    pub fn fields(self) -> &'static [SecretField] {
        match self {
            Self::Azure => AZURE,
            Self::Amazon => AMAZON,
            Self::Cloudflare => CLOUDFLARE,
            Self::DigitalOcean => DIGITAL_OCEAN,
            Self::Fn => FN,
            Self::Generic => &[],
            Self::Google => GOOGLE,
            Self::Htpasswd => HTPASSWD,
            Self::Kubernetes => KUBERNETES,
            Self::PagerDuty => PAGER_DUTY,
            Self::Password => PASSWORD,
            Self::PkeCertificates => PKE_CERTIFICATES,
            Self::Slack => SLACK,
            Self::Ssh => SSH,
            Self::Tls => TLS,
            Self::Vault => VAULT,
            Self::Vsphere => VSPHERE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_name() {
        for kind in SecretKind::ALL {
            assert_eq!(SecretKind::from_name(kind.name()), Some(kind));
        }
        assert!(SecretKind::ALL.is_sorted_by_key(|kind| kind.name()));
        for word in ["", "Password", "alibaba"] {
            assert_eq!(SecretKind::from_name(word), None, "{word}");
        }
    }
}
