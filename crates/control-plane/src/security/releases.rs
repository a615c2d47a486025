//! The releases of a cluster: what Helm knows, what labels say, and how their images were judged.

use std::collections::{BTreeMap, BTreeSet};

use admission::crd::ACTION_REJECT;
use admission::whitelist::{INSTANCE_LABEL, RELEASE_LABEL, WhiteListEntry};
use admission::{Audit, WhiteListItem};
use futures_util::FutureExt as _;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::core::{ObjectMeta, PartialObjectMeta};
use kube::{Api, Client};
use model::Digest;
use regex::Regex;
use serde::de::DeserializeOwned;

use super::helm::{HelmRelease, list_helm_releases};
use super::listing::{Page, list, list_resources};
use crate::{Cluster, ClusterError, ControlPlane};

/// A release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Name of its chart; empty where nobody says.
    pub chart_name: String,
    /// Version of its chart; empty where nobody says.
    pub chart_version: String,
    /// Its revision; 0 where nobody counts.
    pub revision: i64,
    /// How Helm left it; `unknown` where it was not Helm.
    pub status: String,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// When it was changed.
    pub updated_at: Option<Timestamp>,
    /// Whether an item of the whitelist exempts it.
    pub is_white_listed: bool,
    /// Whether a Pod of it was refused.
    pub is_rejected: bool,
    tags: Vec<String>,
}

/// Which releases are wanted.
#[derive(Debug, Clone, Default)]
pub struct ReleaseFilter {
    /// Only those whose values have this under `banzaicloud.tags`.
    pub tag: Option<String>,
    /// Only those whose name this finds something in.
    pub name: Option<Regex>,
}

type Key = (String, String);

impl ControlPlane {
    /// The releases of a cluster, by namespace and name.
    pub async fn list_releases(
        &self,
        cluster: &Cluster,
        filter: &ReleaseFilter,
    ) -> Result<Vec<Release>, ClusterError> {
        let client = self.kubernetes(cluster).await?;
        // At the same time: a cluster that is slow is slow once.
        let (mut releases, helm, items, audits) = tokio::try_join!(
            labelled_releases(cluster, &client),
            list_helm_releases(cluster, client.clone()),
            list_resources::<WhiteListItem>(cluster, client.clone(), "whitelist items"),
            list_resources::<Audit>(cluster, client.clone(), "audits"),
        )?;
        for release in helm.into_iter().map(from_helm) {
            releases.insert((release.namespace.clone(), release.name.clone()), release);
        }
        let entries: Vec<WhiteListEntry> =
            items.iter().map(|item| WhiteListEntry::from_item(item).0).collect();
        let rejected = rejected_names(audits);
        let now = self.now();
        let judged = releases.into_values().map(|release| Release {
            is_white_listed: entries
                .iter()
                .any(|entry| entry.is_match(&release.name, &release.namespace, now)),
            is_rejected: [Some(release.namespace.clone()), None]
                .into_iter()
                .any(|namespace| rejected.contains(&(namespace, release.name.clone()))),
            ..release
        });
        Ok(judged.filter(|release| filter.is_match(release)).collect())
    }

    /// Those of them in whose Pods this image runs.
    pub async fn list_releases_with_image(
        &self,
        cluster: &Cluster,
        digest: &Digest,
        filter: &ReleaseFilter,
    ) -> Result<Vec<Release>, ClusterError> {
        let pods = self.list_pods(cluster, None).await?;
        let running: BTreeSet<Key> = pods
            .into_iter()
            .filter(|pod| pod.images.iter().any(|image| image.digest == *digest))
            .filter_map(|pod| Some((pod.namespace, pod.release?)))
            .collect();
        if running.is_empty() {
            return Ok(Vec::new());
        }
        let mut releases = self.list_releases(cluster, filter).await?;
        releases.retain(|release| running.contains(&(release.namespace.clone(), release.name.clone())));
        Ok(releases)
    }
}

impl ReleaseFilter {
    fn is_match(&self, release: &Release) -> bool {
        self.tag.as_ref().is_none_or(|tag| release.tags.contains(tag))
            && self.name.as_ref().is_none_or(|name| name.is_match(&release.name))
    }
}

/// Namespace, where the Audit has one, and release name.
fn rejected_names(audits: Vec<Audit>) -> BTreeSet<(Option<String>, String)> {
    audits
        .into_iter()
        .filter(|audit| audit.spec.action == ACTION_REJECT)
        .map(|audit| (audit.metadata.namespace, audit.spec.release_name))
        .collect()
}

/// What workloads and Pods say they belong to.
async fn labelled_releases(
    cluster: &Cluster,
    client: &Client,
) -> Result<BTreeMap<Key, Release>, ClusterError> {
    let (deployments, stateful_sets, daemon_sets, pods) = tokio::try_join!(
        metadata_of(cluster, Api::<Deployment>::all(client.clone()), "Deployments"),
        metadata_of(cluster, Api::<StatefulSet>::all(client.clone()), "StatefulSets"),
        metadata_of(cluster, Api::<DaemonSet>::all(client.clone()), "DaemonSets"),
        metadata_of(cluster, Api::<Pod>::all(client.clone()), "Pods"),
    )?;
    let mut releases: BTreeMap<Key, Release> = BTreeMap::new();
    for found in [deployments, stateful_sets, daemon_sets, pods].into_iter().flatten() {
        let kept =
            releases.entry((found.namespace.clone(), found.name.clone())).or_insert_with(|| found.clone());
        kept.created_at = [kept.created_at, found.created_at].into_iter().flatten().min();
        kept.updated_at = [kept.updated_at, found.updated_at].into_iter().flatten().max();
        if kept.chart_name.is_empty() {
            (kept.chart_name, kept.chart_version) = (found.chart_name, found.chart_version);
        }
    }
    Ok(releases)
}

async fn metadata_of<K>(
    cluster: &Cluster,
    api: Api<K>,
    what: &'static str,
) -> Result<Vec<Release>, ClusterError>
where
    K: Clone + DeserializeOwned + std::fmt::Debug + Send + Sync + 'static,
{
    let page = move |params: ListParams| -> Page<PartialObjectMeta<K>> {
        let api = api.clone();
        async move { api.list_metadata(&params).await }.boxed()
    };
    Ok(list(cluster, what, ListParams::default(), page, |object| from_labels(object.metadata)).await?)
}

fn from_labels(metadata: ObjectMeta) -> Option<Release> {
    let labels = metadata.labels?;
    let value = |name: &str| labels.get(name).filter(|value| !value.is_empty());
    let name = value(INSTANCE_LABEL).or_else(|| value(RELEASE_LABEL))?.clone();
    let (chart_name, chart_version) =
        value("helm.sh/chart").or_else(|| value("chart")).map(|chart| split_chart(chart)).unwrap_or_default();
    let created_at = metadata.creation_timestamp.map(|time| time.0);
    Some(Release {
        name,
        namespace: metadata.namespace.unwrap_or_default(),
        chart_name,
        chart_version,
        revision: 0,
        status: "unknown".to_owned(),
        created_at,
        updated_at: created_at,
        is_white_listed: false,
        is_rejected: false,
        tags: Vec::new(),
    })
}

/// `cert-manager-v1.14.2` is two things: the version begins at the first `-` with `1.`, or `v1.`, behind it.
fn split_chart(text: &str) -> (String, String) {
    let begins = |rest: &str| {
        let number = rest.strip_prefix('v').unwrap_or(rest).split_once('.').map_or("", |(number, _)| number);
        !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
    };
    text.match_indices('-')
        .find(|(at, _)| begins(&text[at + 1..]))
        .map_or((text.to_owned(), String::new()), |(at, _)| {
            (text[..at].to_owned(), text[at + 1..].to_owned())
        })
}

fn from_helm(helm: HelmRelease) -> Release {
    let tags = helm.tags().to_vec();
    let body = helm.body.unwrap_or_default();
    let time = |text: Option<String>| text.and_then(|text| text.parse::<Timestamp>().ok());
    Release {
        name: helm.name,
        namespace: helm.namespace,
        chart_name: body.chart.metadata.name,
        chart_version: body.chart.metadata.version,
        revision: helm.revision,
        status: helm.status,
        created_at: time(body.info.first_deployed).or(helm.created_at),
        updated_at: time(body.info.last_deployed).or(helm.created_at),
        is_white_listed: false,
        is_rejected: false,
        tags,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charts_are_split_where_their_version_begins() {
        for (text, name, version) in [
            ("nginx-1.2.3", "nginx", "1.2.3"),
            ("cert-manager-v1.14.2", "cert-manager", "v1.14.2"),
            ("k8s-2-app-0.1.0-rc.1", "k8s-2-app", "0.1.0-rc.1"),
            ("plain", "plain", ""),
            ("a-b", "a-b", ""),
        ] {
            assert_eq!(split_chart(text), (name.to_owned(), version.to_owned()), "{text}");
        }
    }
}
