//! Where an engine is and how to speak to it.

use std::fmt;
use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

use outbound_guard::{Guard, RefusedAddress};

const CERTIFICATES_BYTES_MAX: u64 = 4 * 1024 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where an engine is and how to speak to it.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// `http://host:8228`; a `/v1` at the end is allowed and means the same.
    pub base_url: String,
    /// Who asks.
    pub user: String,
    /// His password.
    pub password: Password,
    /// PEM file with certificate authorities that are trusted besides those of the system.
    pub ca_certificates: Option<PathBuf>,
    /// The same as text.
    pub ca_pem: Option<String>,
    /// Take any certificate. For tests of a set-up, never for decisions.
    pub is_insecure: bool,
    /// Where the engine may be, if somebody else has named it.
    pub guard: Option<Guard>,
    /// Longest answer that is read.
    pub answer_bytes_max: usize,
}

impl ClientSettings {
    /// Settings with verified TLS and answers of at most 64 MiB.
    pub fn new(base_url: impl Into<String>, user: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            user: user.into(),
            password: Password(password.into()),
            ca_certificates: None,
            ca_pem: None,
            is_insecure: false,
            guard: None,
            answer_bytes_max: 64 * 1024 * 1024,
        }
    }
}

/// A password; its `Debug` form hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(…)")
    }
}

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
pub enum BuildClientError {
    /// The address is none.
    #[error("engine address `{url}` is not an http or https address")]
    BadUrl {
        /// The address.
        url: String,
    },
    /// The address leads where nothing is asked.
    #[error("engine address `{url}` is refused")]
    Refused {
        /// The address.
        url: String,
        /// Why.
        #[source]
        source: RefusedAddress,
    },
    /// The file with certificates cannot be read.
    #[error("read the certificates `{}`", path.display())]
    ReadCertificates {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file with certificates is too large to be one.
    #[error("certificates `{}` have more than {CERTIFICATES_BYTES_MAX} bytes", path.display())]
    TooManyCertificates {
        /// The file.
        path: PathBuf,
    },
    /// The certificates or the connection settings cannot be used.
    #[error("prepare connections to the engine")]
    Connection(#[source] reqwest::Error),
}

impl ClientSettings {
    /// The address all paths are put behind; it ends in `/v1`.
    pub(crate) fn parsed_url(&self) -> Result<reqwest::Url, BuildClientError> {
        let bad = || BuildClientError::BadUrl { url: self.base_url.clone() };
        let mut url = reqwest::Url::parse(self.base_url.trim_end_matches('/')).map_err(|_| bad())?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() || url.query().is_some() {
            return Err(bad());
        }
        // Numbers come to no resolver.
        if let Some(guard) = &self.guard {
            let refused = |source| BuildClientError::Refused { url: self.base_url.clone(), source };
            guard.check_url(&url).map_err(refused)?;
        }
        if url.path_segments().and_then(|mut segments| segments.next_back()) != Some("v1") {
            url.path_segments_mut().map_err(|()| bad())?.pop_if_empty().push("v1");
        }
        Ok(url)
    }

    pub(crate) fn connections(&self) -> Result<reqwest::Client, BuildClientError> {
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            // An engine never redirects; whoever does is somebody else and must not get the password.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        if let Some(path) = &self.ca_certificates {
            let failed = |source| BuildClientError::ReadCertificates { path: path.clone(), source };
            let file = fs_err::File::open(path).map_err(failed)?;
            let mut bytes = Vec::new();
            let mut bounded = file.take(CERTIFICATES_BYTES_MAX + 1);
            std::io::copy(&mut bounded, &mut bytes).map_err(failed)?;
            if bounded.limit() == 0 {
                return Err(BuildClientError::TooManyCertificates { path: path.clone() });
            }
            let certificates =
                reqwest::Certificate::from_pem_bundle(&bytes).map_err(BuildClientError::Connection)?;
            builder = builder.tls_certs_merge(certificates);
        }
        if let Some(pem) = &self.ca_pem {
            let certificates = reqwest::Certificate::from_pem_bundle(pem.as_bytes());
            builder = builder.tls_certs_merge(certificates.map_err(BuildClientError::Connection)?);
        }
        if let Some(guard) = &self.guard {
            builder = builder.dns_resolver(guard.resolver());
        }
        if self.is_insecure {
            builder = builder.tls_danger_accept_invalid_certs(true);
        }
        builder.build().map_err(BuildClientError::Connection)
    }
}
