//! The scan log: what was decided about the Pods of a cluster.

use admission::Audit;
use admission::crd::AuditSpec;

use super::listing::list_resources;
use crate::{Cluster, ClusterError, ControlPlane};

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanRecord {
    /// Name of the Audit.
    pub name: String,
    /// Namespace of what was judged; the webhook of others does not say.
    pub namespace: Option<String>,
    /// The decision.
    pub spec: AuditSpec,
}

impl ControlPlane {
    /// The decisions that a cluster keeps: all, or those about one release. Audits are asked for across namespaces, which finds
    /// those of webhooks that write them without one as well.
    pub async fn scan_log(
        &self,
        cluster: &Cluster,
        release: Option<&str>,
    ) -> Result<Vec<ScanRecord>, ClusterError> {
        let client = self.kubernetes(cluster).await?;
        let audits: Vec<Audit> = list_resources(cluster, client, "audits").await?;
        Ok(audits
            .into_iter()
            .filter(|audit| release.is_none_or(|release| audit.spec.release_name == release))
            .map(|audit| ScanRecord {
                name: audit.metadata.name.unwrap_or_default(),
                namespace: audit.metadata.namespace,
                spec: audit.spec,
            })
            .collect())
    }
}
