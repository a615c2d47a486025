//! The whitelist: which releases of a cluster are exempt.

use admission::whitelist::WhiteListEntry;
use admission::{WhiteListItem, WhiteListItemSpec};
use kube::Api;
use kube::api::{DeleteParams, PostParams};

use super::listing::{LISTING_TIME_MAX, list_resources};
use super::names::is_object_name;
use crate::storage_error::chain;
use crate::{Cluster, ClusterError, ControlPlane};

/// An exemption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhitelistRecord {
    /// Name of the release, and of the item.
    pub name: String,
    /// The rest of it.
    pub spec: WhiteListItemSpec,
}

/// An exemption to make.
pub type NewWhitelistItem = WhitelistRecord;

/// Why the whitelist is not changed.
#[derive(Debug, thiserror::Error)]
pub enum WhitelistError {
    /// Something in the item cannot be used.
    #[error("{0}")]
    Invalid(String),
    /// There is one of this name.
    #[error("whitelist item `{0}` already exists: delete it first, or change it with kubectl")]
    Exists(String),
    /// There is none of this name.
    #[error("whitelist item `{0}` does not exist")]
    NotFound(String),
    /// The cluster does not know what a whitelist item is.
    #[error("cluster `{0}` has no whitelist: activate the security scan service first, which brings it")]
    NoWhitelist(String),
    /// The cluster cannot be asked.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

impl ControlPlane {
    /// The exemptions of a cluster.
    pub async fn list_whitelist(&self, cluster: &Cluster) -> Result<Vec<WhitelistRecord>, ClusterError> {
        self.list_whitelist_by(cluster, self.kubernetes(cluster).await?).await
    }

    /// The same by a client that somebody has already.
    pub(crate) async fn list_whitelist_by(
        &self,
        cluster: &Cluster,
        client: kube::Client,
    ) -> Result<Vec<WhitelistRecord>, ClusterError> {
        let items: Vec<WhiteListItem> = list_resources(cluster, client, "whitelist items").await?;
        let record = |item: WhiteListItem| WhitelistRecord {
            name: item.metadata.name.unwrap_or_default(),
            spec: item.spec,
        };
        Ok(items.into_iter().map(record).collect())
    }

    /// Exempts a release.
    pub async fn add_whitelist_item(
        &self,
        cluster: &Cluster,
        new: NewWhitelistItem,
    ) -> Result<(), WhitelistError> {
        let NewWhitelistItem { name, spec } = new;
        if !is_object_name(&name) {
            return Err(WhitelistError::Invalid(
                "`name` is the name of a release: up to 253 lower-case letters, digits, `-` and `.`; use `regexp` for others"
                    .to_owned(),
            ));
        }
        let item = WhiteListItem::new(&name, spec);
        // The webhook ignores what it cannot use; here somebody is there to be told.
        let (_, problems) = WhiteListEntry::from_item(&item);
        if let Some(problem) = problems.first() {
            return Err(WhitelistError::Invalid(chain(problem)));
        }
        let api: Api<WhiteListItem> = Api::all(self.kubernetes(cluster).await?);
        let params = PostParams::default();
        match tokio::time::timeout(LISTING_TIME_MAX, api.create(&params, &item)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(kube::Error::Api(status))) if status.code == 409 => Err(WhitelistError::Exists(name)),
            Ok(Err(kube::Error::Api(status))) if status.code == 404 => {
                Err(WhitelistError::NoWhitelist(cluster.name.clone()))
            }
            Ok(Err(kube::Error::Api(status))) if matches!(status.code, 400 | 422) => {
                Err(WhitelistError::Invalid(status.message.chars().take(500).collect()))
            }
            Ok(Err(error)) => Err(ClusterError::unreachable(&cluster.name, error).into()),
            Err(_) => Err(ClusterError::too_slow(&cluster.name, LISTING_TIME_MAX).into()),
        }
    }

    /// Ends an exemption.
    pub async fn delete_whitelist_item(&self, cluster: &Cluster, name: &str) -> Result<(), WhitelistError> {
        let not_found = || Err(WhitelistError::NotFound(name.chars().take(253).collect()));
        if !is_object_name(name) {
            return not_found();
        }
        let api: Api<WhiteListItem> = Api::all(self.kubernetes(cluster).await?);
        let params = DeleteParams::default();
        match tokio::time::timeout(LISTING_TIME_MAX, api.delete(name, &params)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(kube::Error::Api(status))) if status.code == 404 => not_found(),
            Ok(Err(error)) => Err(ClusterError::unreachable(&cluster.name, error).into()),
            Err(_) => Err(ClusterError::too_slow(&cluster.name, LISTING_TIME_MAX).into()),
        }
    }
}
