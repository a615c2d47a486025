//! Who to be when an image is pulled.

use std::collections::BTreeSet;

use model::{Digest, ImageReference};
use scanner::{Credentials, ScanOptions, Secret};

use super::choice::choose;
use super::records::row_name;
use super::{AMAZON, LoginError, RegistryRecord, TABLE};
use crate::{Engine, StorageError};

/// An analysis is wanted once, however many accounts have the image: so many of them are tried.
const CHOICES_MAX: i64 = 8;

/// One way to pull an image.
#[derive(Debug, Clone)]
pub(crate) struct PullChoice {
    /// What to pull.
    pub(crate) reference: ImageReference,
    /// As whom, and how.
    pub(crate) options: ScanOptions,
}

impl Engine {
    /// `base`, with the login that the account has for the image. Without one it is who the engine is by its settings.
    pub(crate) async fn scan_options(
        &self,
        account: &str,
        reference: &ImageReference,
        base: &ScanOptions,
    ) -> Result<ScanOptions, LoginError> {
        let records = self.list_registries(account).await?;
        let Some(record) = choose(&records, reference) else { return Ok(base.clone()) };
        let password = self.password_of(record).await?;
        let mut options = base.clone();
        let host = reference.registry();
        let registry = self.options_of(record, host, &password).await?;
        options.registry.insecure_registries = registry.insecure_registries;
        options.registry.addresses = registry.addresses;
        options.registry.credentials =
            Credentials::FirstOf(vec![registry.credentials, base.registry.credentials.clone()]);
        Ok(options)
    }

    /// The ways to pull an image that somebody wants analyzed: as each account that has it, the one of the reference first.
    pub(crate) async fn pull_choices(
        &self,
        digest: &Digest,
        reference: &ImageReference,
        base: &ScanOptions,
    ) -> Result<Vec<PullChoice>, StorageError> {
        let rows: Vec<(String, String, String)> = storage::query(
            "SELECT t.account, t.registry, t.repository FROM image_tags t JOIN accounts a ON a.name = t.account \
             WHERE t.digest = $1 AND a.state <> 'deleting' \
             GROUP BY t.account, t.registry, t.repository \
             ORDER BY CASE WHEN t.registry = $2 AND t.repository = $3 THEN 0 ELSE 1 END, max(t.updated_us) DESC \
             LIMIT $4",
        )
        .bind(digest.to_string())
        .bind(reference.registry())
        .bind(reference.repository())
        .bind(CHOICES_MAX)
        .fetch_all_as(&self.storage)
        .await
        .map_err(StorageError::at("look for who has an image"))?;
        let mut choices = Vec::new();
        let mut seen = BTreeSet::new();
        for (account, registry, repository) in rows {
            let Ok(named) = format!("{registry}/{repository}@{digest}").parse::<ImageReference>() else {
                continue;
            };
            match self.scan_options(&account, &named, base).await {
                Ok(options) => {
                    if seen.insert((named.to_string(), options.registry.credentials.clone())) {
                        choices.push(PullChoice { reference: named, options });
                    }
                }
                Err(LoginError::Storage(error)) => return Err(error),
                Err(error) => {
                    let error = crate::storage_error::chain(&error);
                    tracing::warn!(
                        account.name = account,
                        registry.name = registry,
                        error,
                        "no login for a registry"
                    );
                }
            }
        }
        if choices.is_empty() {
            choices.push(PullChoice { reference: reference.clone(), options: base.clone() });
        }
        Ok(choices)
    }

    async fn password_of(&self, record: &RegistryRecord) -> Result<Secret, LoginError> {
        let sealed: Vec<u8> =
            storage::query("SELECT password FROM registries WHERE account = $1 AND registry = $2")
                .bind(&record.account)
                .bind(&record.registry)
                .fetch_optional_value(&self.storage)
                .await
                .map_err(StorageError::at("read a sealed password"))?
                .unwrap_or_default();
        let row = row_name(&record.account, &record.registry);
        let opened = self.sealer.open(TABLE, &row, &sealed);
        let opened =
            opened.map_err(|source| LoginError::Sealed { registry: record.registry.clone(), source })?;
        Ok(Secret::new(String::from_utf8_lossy(&opened)))
    }

    /// User and password to send: those of the record, or those that Amazon gives for them.
    pub(super) async fn login_of(
        &self,
        record: &RegistryRecord,
        host: &str,
        password: &Secret,
    ) -> Result<(String, Secret), LoginError> {
        if record.kind.as_deref() == Some(AMAZON) {
            return self.amazon_login(record, host, password).await;
        }
        Ok((record.user.clone(), password.clone()))
    }
}
