//! What people see of secrets and do to them, which is less than services do.
//!
//! The secrets of technical users and all kubeconfigs go to whom they are for, never to people: a cluster's kubeconfig has its
//! own address, and nobody logs in as a technical user.

use super::{
    ExpectedVersion, HIDDEN, NewSecret, Secret, SecretError, SecretId, SecretKind, SecretSummary,
    SecretValue, TAG_HIDDEN, TAG_KUBECONFIG, TAG_READ_ONLY,
};
use crate::{ControlPlane, StorageError};

/// Which secrets somebody wants to see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SecretFilter {
    /// Of this kind.
    pub(crate) kind: Option<SecretKind>,
    /// With all of these tags.
    pub(crate) tags: Vec<String>,
    /// One of these, where there are any.
    pub(crate) ids: Vec<String>,
    /// With their values.
    pub(crate) with_values: bool,
}

impl ControlPlane {
    /// The secrets that a list shows.
    pub(crate) async fn show_secrets(
        &self,
        organization: i64,
        filter: &SecretFilter,
    ) -> Result<Vec<Secret>, SecretError> {
        let ids: Vec<SecretId> =
            filter.ids.iter().filter_map(|id| SecretId::parse(organization, id)).collect();
        let is_wanted = |secret: &SecretSummary| {
            !secret.has_tag(TAG_KUBECONFIG)
                && (filter.ids.is_empty() || ids.contains(&secret.id))
                && filter.tags.iter().all(|tag| secret.has_tag(tag))
        };
        let summaries = self.list_secrets(organization, filter.kind).await?;
        let mut shown = Vec::new();
        for summary in summaries.into_iter().filter(is_wanted) {
            if !filter.with_values || is_hidden(&summary) {
                shown.push(without_values(summary));
            } else if let Some(secret) = self.secrets.get(organization, &summary.id).await? {
                shown.push(secret);
            }
        }
        Ok(shown)
    }

    /// One secret as people see it.
    pub(crate) async fn show_secret(&self, organization: i64, id: &str) -> Result<Secret, SecretError> {
        let secret = self.get_secret(organization, id).await?;
        let summary = secret.summary();
        Ok(if is_hidden(&summary) { without_values(summary) } else { secret })
    }

    /// Keeps a new secret of somebody.
    pub(crate) async fn add_secret(
        &self,
        organization: i64,
        new: NewSecret,
    ) -> Result<SecretSummary, SecretError> {
        refuse_tag(&new)?;
        self.create_secret(organization, new).await
    }

    /// Changes a secret; with `version` only if it still is in that one.
    pub(crate) async fn change_secret(
        &self,
        organization: i64,
        id: &str,
        new: NewSecret,
        version: Option<i64>,
    ) -> Result<SecretSummary, SecretError> {
        let id = SecretId::parse(organization, id).ok_or(SecretError::NotFound)?;
        let old = self.secrets.describe(organization, &id).await?.ok_or(SecretError::NotFound)?;
        refuse_protected(&old)?;
        refuse_tag(&new)?;
        if SecretId::of_name(&new.name) != id {
            return Err(SecretError::Invalid("Secret name cannot be changed".to_owned()));
        }
        if new.kind != old.kind {
            return Err(SecretError::Invalid(format!(
                "Secret type cannot be changed: it is {}",
                old.kind.name()
            )));
        }
        self.put_secret(organization, new, ExpectedVersion::Exactly(version.unwrap_or(old.version))).await
    }

    /// Deletes a secret that nothing needs.
    pub(crate) async fn remove_secret(&self, organization: i64, id: &str) -> Result<(), SecretError> {
        let id = SecretId::parse(organization, id).ok_or(SecretError::NotFound)?;
        let old = self.secrets.describe(organization, &id).await?.ok_or(SecretError::NotFound)?;
        refuse_protected(&old)?;
        let cluster: Option<(String,)> = storage::query(
            "SELECT name FROM plane_clusters WHERE organization_id = $1 AND secret_id = $2 ORDER BY id LIMIT 1",
        )
        .bind(organization)
        .bind(id.as_str())
        .fetch_optional_as(&self.storage)
        .await
        .map_err(StorageError::at("look for clusters of a secret"))?;
        if let Some((cluster,)) = cluster {
            return Err(SecretError::InUse { cluster });
        }
        if let Some(cluster) = self.cluster_using_secret(organization, &id).await? {
            return Err(SecretError::InUseByService { cluster });
        }
        self.delete_secret(organization, id.as_str()).await
    }
}

fn is_hidden(secret: &SecretSummary) -> bool {
    secret.kind == SecretKind::Kubernetes || secret.has_tag(TAG_HIDDEN) || secret.has_tag(TAG_KUBECONFIG)
}

fn without_values(secret: SecretSummary) -> Secret {
    let SecretSummary { id, name, kind, keys, tags, version, updated_at, updated_by } = secret;
    let values = keys.into_iter().map(|key| (key, SecretValue::new(HIDDEN))).collect();
    Secret { id, name, kind, values, tags, version, updated_at, updated_by }
}

fn refuse_protected(secret: &SecretSummary) -> Result<(), SecretError> {
    match [TAG_READ_ONLY, TAG_KUBECONFIG].into_iter().find(|tag| secret.has_tag(tag)) {
        Some(tag) => Err(SecretError::Protected(format!(
            "the secret has the tag `{tag}`, so it is neither changed nor deleted by hand"
        ))),
        None => Ok(()),
    }
}

/// Who made such a secret would neither see nor delete it.
fn refuse_tag(new: &NewSecret) -> Result<(), SecretError> {
    match new.tags.iter().any(|tag| tag == TAG_KUBECONFIG) {
        true => {
            Err(SecretError::Invalid(format!("the tag `{TAG_KUBECONFIG}` is not for secrets made by hand")))
        }
        false => Ok(()),
    }
}
