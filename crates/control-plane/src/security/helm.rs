//! Helm's own records of releases: Secrets of type `helm.sh/release.v1`, one for each revision.
//!
//! What a record is, is in its labels; which chart it was made of, only in its body: JSON, compressed, base64.

use std::collections::BTreeMap;
use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::ListParams;
use kube::core::PartialObjectMeta;
use serde::Deserialize;

use super::listing::{LISTING_TIME_MAX, ListError, Page, list};
use crate::{Cluster, ClusterError};

/// Longer bodies are left unread: a record holds the whole chart, and those are smaller.
const RECORD_BYTES_MAX: u64 = 32 * 1024 * 1024;
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
/// Records that are fetched at the same time.
const FETCHES_MAX: usize = 8;

/// A release as Helm knows it.
#[derive(Debug, Clone)]
pub(super) struct HelmRelease {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) revision: i64,
    pub(super) status: String,
    pub(super) created_at: Option<Timestamp>,
    pub(super) body: Option<Body>,
}

/// What only the body says.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Body {
    #[serde(default)]
    pub(super) info: Info,
    #[serde(default)]
    pub(super) chart: Chart,
    #[serde(default)]
    pub(super) config: Option<Config>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Info {
    #[serde(default)]
    pub(super) first_deployed: Option<String>,
    #[serde(default)]
    pub(super) last_deployed: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Chart {
    #[serde(default)]
    pub(super) metadata: ChartMetadata,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct ChartMetadata {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) version: String,
}

/// The values that people gave; of these only the marks of the control plane.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Config {
    #[serde(default)]
    banzaicloud: Option<Marks>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Marks {
    #[serde(default)]
    tags: Vec<String>,
}

impl HelmRelease {
    /// The tags that somebody put into its values.
    pub(super) fn tags(&self) -> &[String] {
        let config = self.body.as_ref().and_then(|body| body.config.as_ref());
        config.and_then(|config| config.banzaicloud.as_ref()).map_or(&[], |marks| &marks.tags)
    }
}

/// The newest record of every release; nothing where the user of the kubeconfig may not read Secrets.
pub(super) async fn list_helm_releases(
    cluster: &Cluster,
    client: kube::Client,
) -> Result<Vec<HelmRelease>, ClusterError> {
    let all: Api<Secret> = Api::all(client.clone());
    let page = move |params: ListParams| -> Page<PartialObjectMeta<Secret>> {
        let api = all.clone();
        async move { api.list_metadata(&params).await }.boxed()
    };
    let selection = ListParams::default().labels("owner=helm").fields("type=helm.sh/release.v1");
    let records = match list(cluster, "Helm records", selection, page, |object| read_labels(&object)).await {
        Err(ListError::Forbidden(_) | ListError::Absent(_)) => return Ok(Vec::new()),
        records => records?,
    };
    let mut newest: BTreeMap<(String, String), (HelmRelease, String)> = BTreeMap::new();
    for (release, secret) in records {
        let key = (release.namespace.clone(), release.name.clone());
        if newest.get(&key).is_none_or(|(kept, _)| kept.revision < release.revision) {
            newest.insert(key, (release, secret));
        }
    }
    let fetched = futures_util::stream::iter(newest.into_values())
        .map(|(release, secret)| {
            let api: Api<Secret> = Api::namespaced(client.clone(), &release.namespace);
            async move {
                match api.get_opt(&secret).await {
                    Ok(record) => Ok(HelmRelease { body: read_body(record).await, ..release }),
                    Err(kube::Error::Api(status)) if status.code == 403 => Ok(release),
                    Err(error) => Err(ClusterError::unreachable(&cluster.name, error)),
                }
            }
        })
        .buffered(FETCHES_MAX)
        .try_collect();
    tokio::time::timeout(LISTING_TIME_MAX, fetched)
        .await
        .map_err(|_| ClusterError::too_slow(&cluster.name, LISTING_TIME_MAX))?
}

/// A release and the name of its Secret.
fn read_labels(object: &PartialObjectMeta<Secret>) -> Option<(HelmRelease, String)> {
    let labels = object.metadata.labels.as_ref()?;
    let release = HelmRelease {
        namespace: object.metadata.namespace.clone()?,
        name: labels.get("name")?.clone(),
        revision: labels.get("version")?.parse().ok()?,
        status: labels.get("status").cloned().unwrap_or_else(|| "unknown".to_owned()),
        created_at: object.metadata.creation_timestamp.as_ref().map(|time| time.0),
        body: None,
    };
    Some((release, object.metadata.name.clone()?))
}

async fn read_body(record: Option<Secret>) -> Option<Body> {
    let data = record?.data?.remove("release")?.0;
    tokio::task::spawn_blocking(move || parse_body(&data)).await.ok()?
}

fn parse_body(data: &[u8]) -> Option<Body> {
    let decoded = STANDARD.decode(data).ok()?;
    if decoded.starts_with(GZIP_MAGIC) {
        let inflated = GzDecoder::new(decoded.as_slice()).take(RECORD_BYTES_MAX);
        serde_json::from_reader(std::io::BufReader::new(inflated)).ok()
    } else {
        serde_json::from_slice(&decoded).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn bodies_are_read_with_and_without_compression_and_never_without_end() {
        let json = br#"{"chart":{"metadata":{"name":"web","version":"1.2.3"},"templates":[]},
            "config":{"banzaicloud":{"tags":["a"]}},"info":{"last_deployed":"2026-01-02T03:04:05.6+01:00"}}"#;
        let gzip = |bytes: &[u8]| {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        };
        for packed in [json.to_vec(), gzip(json)] {
            let body = parse_body(STANDARD.encode(packed).as_bytes()).unwrap();
            assert_eq!(
                (body.chart.metadata.name.as_str(), body.chart.metadata.version.as_str()),
                ("web", "1.2.3")
            );
        }
        let mut bomb = b"{\"x\":\"".to_vec();
        bomb.resize(40 * 1024 * 1024, b' ');
        bomb.extend(b"\"}");
        assert!(parse_body(STANDARD.encode(gzip(&bomb)).as_bytes()).is_none());
        for broken in [&b""[..], b"%", b"aGVsbG8=", b"H4sIAAAA"] {
            assert!(parse_body(broken).is_none());
        }
    }
}
