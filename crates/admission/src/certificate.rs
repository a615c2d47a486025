//! Serving certificates of our own authority: made, checked, renewed at two thirds of their life, and swapped while
//! connections are open. Pure but for key generation: the time is an argument.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// Life of a serving certificate.
pub const SERVING_LIFE: Duration = Duration::from_secs(90 * 24 * 3_600);
/// Life of the authority.
pub const AUTHORITY_LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 3_600);
// Clocks of nodes differ; a certificate that is not valid yet is refused.
const BACKDATE: Duration = Duration::from_secs(3_600);

const AUTHORITY_NAME: &str = "lazaret admission authority";

/// Everything that is stored, PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Material {
    /// Certificates of the authority, the newest first; clients trust all of them.
    pub authorities: String,
    /// Private key of the newest authority.
    pub authority_key: String,
    /// The serving certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

impl std::fmt::Debug for Material {
    /// Keys stay out of logs.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Material").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// Key or certificate could not be made.
    #[error("certificate cannot be made")]
    Make(#[source] rcgen::Error),
    /// A stored certificate cannot be read.
    #[error("stored certificate `{0}` cannot be read")]
    Unreadable(&'static str),
    /// The TLS library refuses key or certificate.
    #[error("certificate cannot be used")]
    Unusable(#[source] rustls::Error),
}

/// What has to be done about stored material.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// Nothing.
    Keep,
    /// A new serving certificate of the same authority.
    RenewServing,
    /// A new authority and a new serving certificate.
    RenewAuthority,
}

/// Decides what to do: nothing before two thirds of the life are over, unless names have changed or it is unreadable.
pub fn plan(material: Option<&Material>, host_names: &[String], now: Timestamp) -> Plan {
    let Some(material) = material else { return Plan::RenewAuthority };
    let Ok(authorities) = read_certificates(&material.authorities, "ca.crt") else {
        return Plan::RenewAuthority;
    };
    let is_authority_good = authorities.first().is_some_and(|der| is_fresh(der, now))
        && KeyPair::from_pem(&material.authority_key).is_ok();
    if !is_authority_good {
        return Plan::RenewAuthority;
    }
    let is_serving_good = read_certificates(&material.certificate, "tls.crt")
        .ok()
        .and_then(|certificates| certificates.into_iter().next())
        .is_some_and(|der| is_fresh(&der, now) && has_names(&der, host_names))
        && certified_key(&material.certificate, &material.key).is_ok();
    if is_serving_good { Plan::Keep } else { Plan::RenewServing }
}

fn is_fresh(der: &CertificateDer<'_>, now: Timestamp) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else { return false };
    let begin = certificate.validity().not_before.timestamp();
    let end = certificate.validity().not_after.timestamp();
    let renew = begin.saturating_add(end.saturating_sub(begin) / 3 * 2);
    (begin..renew).contains(&now.as_second())
}

fn has_names(der: &CertificateDer<'_>, host_names: &[String]) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else { return false };
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return false };
    let found: Vec<String> = extension
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(bytes) => match bytes.len() {
                4 => <[u8; 4]>::try_from(*bytes).ok().map(|bytes| std::net::IpAddr::from(bytes).to_string()),
                _ => <[u8; 16]>::try_from(*bytes).ok().map(|bytes| std::net::IpAddr::from(bytes).to_string()),
            },
            _ => None,
        })
        .collect();
    host_names.iter().all(|name| found.contains(name))
}

/// Makes what the plan asks for. The authority before the newest stays trusted, so that no replica is cut off while
/// another one already serves with the new one.
pub fn renew(
    plan: Plan,
    material: Option<&Material>,
    host_names: &[String],
    now: Timestamp,
) -> Result<Material, CertificateError> {
    let make = CertificateError::Make;
    let kept = material.filter(|_| plan != Plan::RenewAuthority);
    let (authorities, authority_key) = match kept {
        Some(material) => {
            let key = KeyPair::from_pem(&material.authority_key).map_err(make)?;
            (material.authorities.clone(), key)
        }
        None => {
            let key = KeyPair::generate().map_err(make)?;
            let newest = authority_parameters(now).self_signed(&key).map_err(make)?.pem();
            let former =
                material.and_then(|material| first_certificate(&material.authorities)).unwrap_or_default();
            (format!("{newest}{former}"), key)
        }
    };
    let mut parameters = CertificateParams::new(host_names.to_vec()).map_err(make)?;
    parameters.distinguished_name = distinguished_name("lazaret admission");
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.use_authority_key_identifier_extension = true;
    set_validity(&mut parameters, now, SERVING_LIFE);
    let key = KeyPair::generate().map_err(make)?;
    let authority_key_pem = authority_key.serialize_pem();
    let issuer = Issuer::new(authority_parameters(now), authority_key);
    let certificate = parameters.signed_by(&key, &issuer).map_err(make)?;
    Ok(Material {
        authorities,
        authority_key: authority_key_pem,
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    })
}

fn authority_parameters(now: Timestamp) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = distinguished_name(AUTHORITY_NAME);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_validity(&mut parameters, now, AUTHORITY_LIFE);
    parameters
}

fn distinguished_name(name: &str) -> DistinguishedName {
    let mut distinguished_name = DistinguishedName::new();
    distinguished_name.push(DnType::CommonName, name);
    distinguished_name
}

fn set_validity(parameters: &mut CertificateParams, now: Timestamp, life: Duration) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let now = Duration::from_secs(u64::try_from(now.as_second()).unwrap_or(0));
    parameters.not_before = epoch + now.saturating_sub(BACKDATE);
    parameters.not_after = epoch + now + life;
}

fn first_certificate(pem: &str) -> Option<String> {
    const END: &str = "-----END CERTIFICATE-----";
    let end = pem.find(END)? + END.len();
    Some(format!("{}\n", &pem[..end]))
}

fn read_certificates(
    pem: &str,
    what: &'static str,
) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    certificates
        .ok()
        .filter(|certificates| !certificates.is_empty())
        .ok_or(CertificateError::Unreadable(what))
}

/// Chain and key for the TLS library, checked to belong together.
pub fn certified_key(certificate: &str, key: &str) -> Result<CertifiedKey, CertificateError> {
    let chain = read_certificates(certificate, "tls.crt")?;
    let key =
        PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| CertificateError::Unreadable("tls.key"))?;
    CertifiedKey::from_der(chain, key, &provider()).map_err(CertificateError::Unusable)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// The certificate in use; can be replaced at any time.
#[derive(Default)]
pub struct CertificateSlot {
    current: ArcSwapOption<CertifiedKey>,
}

impl std::fmt::Debug for CertificateSlot {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("CertificateSlot").field("is_loaded", &self.is_loaded()).finish()
    }
}

impl CertificateSlot {
    /// Uses this one for new connections.
    pub fn set(&self, key: CertifiedKey) {
        self.current.store(Some(Arc::new(key)));
    }

    /// Whether there is one.
    pub fn is_loaded(&self) -> bool {
        self.current.load().is_some()
    }

    /// A configuration that always serves the certificate in use. TLS 1.3 only: every API server speaks it.
    pub fn server_config(self: &Arc<Self>) -> Arc<rustls::ServerConfig> {
        let mut config = rustls::ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("the provider has all cipher suites of TLS 1.3")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Resolver(Arc::clone(self))));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Arc::new(config)
    }
}

#[derive(Debug)]
struct Resolver(Arc<CertificateSlot>);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.current.load_full()
    }
}

#[cfg(test)]
#[path = "certificate_tests.rs"]
mod tests;
