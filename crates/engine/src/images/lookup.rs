//! Asking registries for an account: what a tag names now, and which tags there are.

use model::ImageReference;
use scanner::{ResolvedImage, ScanError, ScanErrorKind, ScanOptions};
use serde_json::json;

use super::{AddImage, AddImageError, Pull};
use crate::events::{Level, NewEvent, Resource, Service, record};
use crate::storage_error::chain;
use crate::{Engine, LoginError, StorageError};

/// A repository with more is not watched: nobody could look at all its images.
pub(crate) const TAGS_MAX: usize = 10_000;

impl AddImage {
    /// What the registry is asked for.
    pub(crate) fn asked(&self) -> ImageReference {
        match &self.pull {
            Pull::Reference => self.reference.clone(),
            Pull::Digest(digest) => self.reference.at_digest(digest.clone()),
        }
    }
}

impl Engine {
    /// How an account asks a registry.
    async fn options_for(
        &self,
        account: &str,
        reference: &ImageReference,
        base: &ScanOptions,
    ) -> Result<ScanOptions, AddImageError> {
        self.scan_options(account, reference, base).await.map_err(|error| match error {
            LoginError::Storage(error) => AddImageError::Storage(error),
            error => AddImageError::Login(error),
        })
    }

    /// What a reference means right now, for this account.
    pub(crate) async fn resolve_for(
        &self,
        account: &str,
        reference: &ImageReference,
        base: &ScanOptions,
    ) -> Result<ResolvedImage, AddImageError> {
        let options = self.options_for(account, reference, base).await?;
        let resolved = scanner::resolve(reference, &options).await;
        resolved.map_err(|error| AddImageError::Registry(Box::new(error)))
    }

    /// The tags of a repository, for this account; none where there is no such repository.
    pub(crate) async fn tags_for(
        &self,
        account: &str,
        repository: &ImageReference,
        base: &ScanOptions,
    ) -> Result<Vec<String>, AddImageError> {
        let options = self.options_for(account, repository, base).await?;
        let tags = scanner::list_tags(repository, TAGS_MAX, &options).await;
        Ok(tags.map_err(|error| AddImageError::Registry(Box::new(error)))?.unwrap_or_default())
    }

    /// Records that a registry did not tell what a name means. That it cannot be recorded is no second failure.
    pub(crate) async fn tell_lookup_failure(&self, account: &str, name: &str, error: &AddImageError) {
        let event = NewEvent {
            account,
            kind: "system.image_analysis.registry_lookup_failed",
            level: Level::Error,
            message: "Referenced image not found in registry".to_owned(),
            details: json!({"anchore_error_json": {
                "message": error.to_string(),
                "httpcode": 400,
                "detail": {"error_codes": error.codes(), "raw_exception_message": error.reason()},
            }}),
            resource: Resource::new("image_reference", name),
            service: Service::Catalog,
        };
        self.tell_failure(&event).await;
    }

    /// Records that a registry did not list the tags of a repository.
    pub(crate) async fn tell_listing_failure(&self, account: &str, repository: &str, error: &AddImageError) {
        let event = NewEvent {
            account,
            kind: "system.repository.list_tags_fail",
            level: Level::Error,
            message: "Failed to list tags in repository".to_owned(),
            details: json!({"msg": error.reason(), "error_codes": error.codes()}),
            resource: Resource::new("repository", repository),
            service: Service::Catalog,
        };
        self.tell_failure(&event).await;
    }

    async fn tell_failure(&self, event: &NewEvent<'_>) {
        let recorded = async {
            let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
            record(self, &mut tx, event, self.now()).await?;
            tx.commit().await.map_err(StorageError::at("commit"))
        };
        if let Err(error) = recorded.await {
            tracing::error!(event.kind = event.kind, error = chain(&error), "cannot record an event");
        }
    }
}

impl AddImageError {
    /// The code that clients know for a registry's refusal.
    pub(crate) fn codes(&self) -> Vec<&'static str> {
        match self {
            Self::Registry(error) => codes_of(error),
            Self::Login(_) => vec!["REGISTRY_PERMISSION_DENIED"],
            _ => Vec::new(),
        }
    }

    /// What the registry said, with all causes.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Registry(error) => chain(error.as_ref()),
            Self::Login(error) => chain(error),
            other => chain(other),
        }
    }

    /// Whether asking the same registry for something else would end the same way.
    pub(crate) fn is_of_registry(&self) -> bool {
        match self {
            Self::Registry(error) => {
                matches!(error.kind(), ScanErrorKind::Unreachable | ScanErrorKind::RateLimited)
                    || matches!(**error, ScanError::TooSlow { .. })
            }
            _ => false,
        }
    }
}

fn codes_of(error: &ScanError) -> Vec<&'static str> {
    match error {
        // A list without the wanted platform has never had a code.
        ScanError::PlatformMissing { .. } => return Vec::new(),
        ScanError::ManifestSchema1 => return vec!["REGISTRY_NOT_SUPPORTED"],
        _ => {}
    }
    match error.kind() {
        ScanErrorKind::NotFound => vec!["REGISTRY_IMAGE_NOT_FOUND"],
        ScanErrorKind::Unauthorized => vec!["REGISTRY_PERMISSION_DENIED"],
        ScanErrorKind::RateLimited | ScanErrorKind::Unreachable => vec!["REGISTRY_NOT_ACCESSIBLE"],
        ScanErrorKind::BadImage
        | ScanErrorKind::LimitExceeded
        | ScanErrorKind::Unsupported
        | ScanErrorKind::Io
        | ScanErrorKind::Cancelled => vec!["UNKNOWN"],
    }
}
