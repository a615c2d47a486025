//! Logins that Amazon gives for its registries: kept until shortly before they end.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use scanner::{EcrLogin, EcrRequest, Secret};
use sha2::{Digest as _, Sha256};

use super::{LoginError, RegistryRecord};
use crate::Engine;

/// A login is given up this long before it ends: an analysis takes a while.
const MARGIN: Duration = Duration::from_secs(30 * 60);
const LOGINS_MAX: usize = 1000;

/// What whoever runs the engine decides about Amazon's registries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AmazonSettings {
    /// Address of the service that gives logins; `None`: Amazon's own in the region of the registry.
    pub endpoint: Option<String>,
    /// The region of registries whose name holds none.
    pub region: Option<String>,
}

/// Logins that still hold, by registry and access key.
#[derive(Debug, Default)]
pub(crate) struct AmazonLogins(Mutex<BTreeMap<[u8; 32], EcrLogin>>);

impl AmazonLogins {
    fn find(&self, key: &[u8; 32], now: Timestamp) -> Option<EcrLogin> {
        let logins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let until = now.checked_add(MARGIN).unwrap_or(Timestamp::MAX);
        logins.get(key).filter(|login| login.expires_at > until).cloned()
    }

    fn keep(&self, key: [u8; 32], login: EcrLogin, now: Timestamp) {
        let mut logins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if logins.len() >= LOGINS_MAX {
            logins.retain(|_, login| login.expires_at > now);
            if logins.len() >= LOGINS_MAX {
                logins.clear();
            }
        }
        logins.insert(key, login);
    }
}

/// Every part is preceded by its length, so no two different keys make the same bytes.
fn mark(parts: &[&str]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.len().to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

impl Engine {
    pub(super) async fn amazon_login(
        &self,
        record: &RegistryRecord,
        host: &str,
        secret_key: &Secret,
    ) -> Result<(String, Secret), LoginError> {
        let settings = &self.settings.amazon;
        let found = scanner::parse_ecr_host(host);
        let registry_id = found.map(|(account, _)| account.to_owned());
        let region = found.map(|(_, region)| region.to_owned()).or_else(|| settings.region.clone());
        let region = region.ok_or_else(|| LoginError::NotAmazons(host.to_owned()))?;
        if record.user == "awsauto" || record.user.starts_with("_iam_role") {
            return Err(LoginError::NoAccessKey(record.user.clone()));
        }
        let now = self.now();
        let account = registry_id.as_deref().unwrap_or_default();
        let key = mark(&[&record.account, account, &region, &record.user, secret_key.reveal()]);
        if let Some(login) = self.amazon_logins.find(&key, now) {
            return Ok((login.user, login.password));
        }
        let request = EcrRequest {
            region,
            registry_id,
            access_key: record.user.clone(),
            secret_key: secret_key.clone(),
            session_token: None,
            endpoint: settings.endpoint.clone(),
            now,
        };
        let login = scanner::ecr_login(&request, &self.settings.scan.registry).await.map_err(Box::new)?;
        self.amazon_logins.keep(key, login.clone(), now);
        Ok((login.user, login.password))
    }
}
