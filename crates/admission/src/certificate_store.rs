//! Where certificates are kept, and the loop that renews them and tells the API server whom to trust.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use private_files::write_private;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::certificate::{CertificateError, CertificateSlot, Material, Plan, certified_key, plan, renew};
use crate::settings::{CertificateSource, Clock};

const FILE_BYTES_MAX: u64 = 1 << 20;
const CA_FIELD_MANAGER: &str = "lazaret-authority";
const AUTHORITIES: &str = "ca.crt";
const AUTHORITY_KEY: &str = "ca.key";
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";
// A name of its own: the folder may be the data folder of an engine, which holds a lock too.
const LOCK: &str = "certificates.lock";

/// Why certificates cannot be loaded or stored.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The Secret cannot be read or written.
    #[error("secret `{name}` cannot be used")]
    Secret {
        /// Namespace and name.
        name: String,
        /// What the API server says.
        #[source]
        source: kube::Error,
    },
    /// A file cannot be read or written.
    #[error("certificate file `{path}` cannot be used")]
    File {
        /// The file.
        path: PathBuf,
        /// What happened.
        #[source]
        source: std::io::Error,
    },
    /// The certificate itself is the problem.
    #[error("certificate of the webhook cannot be provided")]
    Certificate(#[source] CertificateError),
    /// A Secret was asked for without a cluster.
    #[error("secret `{0}` needs a cluster")]
    NoCluster(String),
}

/// A certificate to serve with, and what clients have to trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    certificate: String,
    key: String,
    /// PEM of the authorities; `None` where somebody else hands them out.
    pub authorities: Option<String>,
}

impl Served {
    /// Certificate chain and private key, PEM.
    pub(crate) fn files(&self) -> (&str, &str) {
        (&self.certificate, &self.key)
    }
}

impl From<Material> for Served {
    fn from(material: Material) -> Self {
        let Material { authorities, authority_key: _, certificate, key } = material;
        Self { certificate, key, authorities: Some(authorities) }
    }
}

/// Loads what is stored, and renews and stores it where it is due.
pub async fn ensure(
    source: &CertificateSource,
    client: Option<&Client>,
    now: Timestamp,
) -> Result<Served, StoreError> {
    match source {
        CertificateSource::Files { certificate, key } => Ok(Served {
            certificate: read_file(certificate)?.unwrap_or_default(),
            key: read_file(key)?.unwrap_or_default(),
            authorities: None,
        }),
        CertificateSource::Folder { path, host_names } => {
            let (path, host_names) = (path.clone(), host_names.clone());
            tokio::task::spawn_blocking(move || ensure_folder(&path, &host_names, now))
                .await
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
        }
        CertificateSource::Secret { namespace, name, host_names } => {
            let client = client.ok_or_else(|| StoreError::NoCluster(name.clone()))?;
            ensure_secret(client, namespace, name, host_names, now).await
        }
    }
}

/// The webhook and its installation share the folder: whoever comes first makes the authority, the other takes it.
fn ensure_folder(folder: &Path, host_names: &[String], now: Timestamp) -> Result<Served, StoreError> {
    let failed = |path: &Path, source| StoreError::File { path: path.to_owned(), source };
    std::fs::create_dir_all(folder).map_err(|source| failed(folder, source))?;
    let lock_path = folder.join(LOCK);
    let lock = std::fs::File::create(&lock_path).map_err(|source| failed(&lock_path, source))?;
    lock.lock().map_err(|source| failed(&lock_path, source))?;
    let stored = load_folder(folder)?;
    match (plan(stored.as_ref(), host_names, now), stored) {
        (Plan::Keep, Some(stored)) => Ok(stored.into()),
        (plan, stored) => {
            let material = renew(plan, stored.as_ref(), host_names, now).map_err(StoreError::Certificate)?;
            save_folder(folder, &material)?;
            Ok(material.into())
        }
    }
}

async fn ensure_secret(
    client: &Client,
    namespace: &str,
    name: &str,
    host_names: &[String],
    now: Timestamp,
) -> Result<Served, StoreError> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let failed = |source| StoreError::Secret { name: format!("{namespace}/{name}"), source };
    // Replicas race for the first certificate and for renewals; who loses takes the winner's.
    let mut attempts_left = 5_u32;
    loop {
        let secret = api.get_opt(name).await.map_err(failed)?;
        let stored = secret.as_ref().and_then(read_secret);
        let plan = plan(stored.as_ref(), host_names, now);
        if let (Plan::Keep, Some(stored)) = (plan, &stored) {
            return Ok(stored.clone().into());
        }
        let material = renew(plan, stored.as_ref(), host_names, now).map_err(StoreError::Certificate)?;
        let parameters = PostParams { field_manager: Some("lazaret".to_owned()), ..PostParams::default() };
        let wanted = write_secret(namespace, name, secret.as_ref(), &material);
        let result = match &secret {
            None => api.create(&parameters, &wanted).await,
            Some(_) => api.replace(name, &parameters, &wanted).await,
        };
        match result {
            Ok(_) => return Ok(material.into()),
            Err(kube::Error::Api(status)) if status.code == 409 && attempts_left > 0 => attempts_left -= 1,
            Err(error) => return Err(failed(error)),
        }
    }
}

fn read_secret(secret: &Secret) -> Option<Material> {
    let data = secret.data.as_ref()?;
    let text = |key: &str| String::from_utf8(data.get(key)?.0.clone()).ok();
    Some(Material {
        authorities: text(AUTHORITIES)?,
        authority_key: text(AUTHORITY_KEY)?,
        certificate: text(CERTIFICATE)?,
        key: text(KEY)?,
    })
}

fn write_secret(namespace: &str, name: &str, former: Option<&Secret>, material: &Material) -> Secret {
    let data: BTreeMap<String, ByteString> = files(material)
        .into_iter()
        .map(|(key, text)| (key.to_owned(), ByteString(text.as_bytes().to_vec())))
        .collect();
    let metadata = former.map_or_else(
        || ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(namespace.to_owned()),
            ..ObjectMeta::default()
        },
        |former| former.metadata.clone(),
    );
    Secret { metadata, data: Some(data), type_: Some("Opaque".to_owned()), ..Secret::default() }
}

fn files(material: &Material) -> [(&'static str, &str); 4] {
    [
        (AUTHORITIES, &material.authorities),
        (AUTHORITY_KEY, &material.authority_key),
        (CERTIFICATE, &material.certificate),
        (KEY, &material.key),
    ]
}

fn load_folder(folder: &Path) -> Result<Option<Material>, StoreError> {
    let read = |name: &str| read_file(&folder.join(name));
    Ok(match (read(AUTHORITIES)?, read(AUTHORITY_KEY)?, read(CERTIFICATE)?, read(KEY)?) {
        (Some(authorities), Some(authority_key), Some(certificate), Some(key)) => {
            Some(Material { authorities, authority_key, certificate, key })
        }
        _ => None,
    })
}

fn read_file(path: &Path) -> Result<Option<String>, StoreError> {
    let failed = |source| StoreError::File { path: path.to_owned(), source };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let bytes: Result<Vec<u8>, _> = std::io::BufReader::new(file.take(FILE_BYTES_MAX)).bytes().collect();
    Ok(Some(String::from_utf8_lossy(&bytes.map_err(failed)?).into_owned()))
}

/// Each file is moved into place; keys can be read by their owner only.
fn save_folder(folder: &Path, material: &Material) -> Result<(), StoreError> {
    let failed = |path: &Path, source| StoreError::File { path: path.to_owned(), source };
    for (name, text) in files(material) {
        let path = folder.join(name);
        write_private(&path, text.as_bytes()).map_err(|source| failed(&path, source))?;
    }
    Ok(())
}

/// Looks after certificate and CA bundle.
pub struct CertificateKeeper {
    /// Where the certificate comes from.
    pub source: CertificateSource,
    /// The cluster; `None` in tests without one.
    pub client: Option<Client>,
    /// The ValidatingWebhookConfiguration to keep up to date.
    pub webhook_configuration: Option<String>,
    /// Where the certificate goes.
    pub slot: Arc<CertificateSlot>,
    /// Tells the time.
    pub clock: Clock,
}

impl CertificateKeeper {
    /// One round: load or renew, tell the API server whom to trust, then serve with it.
    pub async fn keep(&self, last: &mut Option<Served>) -> Result<(), StoreError> {
        let served = ensure(&self.source, self.client.as_ref(), (self.clock)()).await?;
        // The order matters: a certificate whose authority nobody trusts yet fails every Pod.
        if let (Some(client), Some(name), Some(authorities)) =
            (&self.client, &self.webhook_configuration, &served.authorities)
        {
            match reconcile_ca_bundle(client, name, authorities).await {
                Ok(()) => {}
                Err(error) => tracing::warn!(
                    webhook.name = name,
                    error = &error as &dyn std::error::Error,
                    "CA bundle of the webhook cannot be brought up to date"
                ),
            }
        }
        if last.as_ref() != Some(&served) {
            let key = certified_key(&served.certificate, &served.key).map_err(StoreError::Certificate)?;
            self.slot.set(key);
            *last = Some(served);
        }
        Ok(())
    }

    /// Rounds until `shutdown`. A failed round leaves the certificate in use as it is.
    pub async fn run(self, every: Duration, shutdown: CancellationToken) {
        let mut last = None;
        loop {
            if let Err(error) = self.keep(&mut last).await {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "certificate of the webhook is not renewed"
                );
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(every) => {}
            }
        }
    }
}

/// Writes the CA bundle into every webhook of the configuration, where it is another one. A configuration that is not
/// there is left alone: it may be gone on purpose.
pub async fn reconcile_ca_bundle(client: &Client, name: &str, authorities: &str) -> Result<(), kube::Error> {
    let api: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
    let Some(configuration) = api.get_opt(name).await? else { return Ok(()) };
    let webhooks = configuration.webhooks.unwrap_or_default();
    let is_current = |bundle: &Option<ByteString>| {
        bundle.as_ref().is_some_and(|bundle| bundle.0 == authorities.as_bytes())
    };
    if webhooks.iter().all(|webhook| is_current(&webhook.client_config.ca_bundle)) {
        return Ok(());
    }
    let bundle = ByteString(authorities.as_bytes().to_vec());
    let entries: Vec<_> = webhooks
        .iter()
        .map(|webhook| json!({ "name": webhook.name, "clientConfig": { "caBundle": bundle } }))
        .collect();
    let patch = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        // With the identity in it the patch cannot bring back an object that was removed meanwhile.
        "metadata": { "name": name, "uid": configuration.metadata.uid },
        "webhooks": entries,
    });
    let parameters = PatchParams::apply(CA_FIELD_MANAGER).force();
    api.patch(name, &parameters, &Patch::Apply(&patch)).await?;
    tracing::info!(webhook.name = name, "CA bundle of the webhook is up to date");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_folder_has_one_authority_however_many_begin_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new");
        let names = ["127.0.0.1".to_owned()];
        let authorities = std::thread::scope(|scope| {
            let starters = (0..8)
                .map(|_| scope.spawn(|| ensure_folder(&path, &names, Timestamp::UNIX_EPOCH)))
                .collect::<Vec<_>>();
            starters
                .into_iter()
                .map(|starter| starter.join().unwrap().unwrap().authorities.unwrap())
                .collect::<BTreeSet<_>>()
        });
        let stored = load_folder(&path).unwrap().unwrap().authorities;
        assert_eq!(authorities, BTreeSet::from([stored]));
    }
}
