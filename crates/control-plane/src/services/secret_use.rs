//! Which service needs a secret.

use super::inventory::EngineInventory;
use super::spec::read_spec;
use super::store::ServiceRow;
use crate::engines::EngineChoice;
use crate::{ControlPlane, SecretId, StorageError};

impl ControlPlane {
    /// The cluster whose service needs this secret: it is in its spec, or what was put into an engine is taken out with it.
    pub(crate) async fn cluster_using_secret(
        &self,
        organization: i64,
        id: &SecretId,
    ) -> Result<Option<String>, StorageError> {
        for row in self.organization_services(organization).await? {
            if !is_used(&row, organization, id) {
                continue;
            }
            let cluster = self.find_cluster(organization, row.cluster).await?;
            // What is left of a deleted cluster needs nobody's consent.
            if let Some(cluster) = cluster {
                return Ok(Some(cluster.name));
            }
        }
        Ok(None)
    }
}

fn is_used(row: &ServiceRow, organization: i64, id: &SecretId) -> bool {
    let is_this = |text: &str| SecretId::parse(organization, text).as_ref() == Some(id);
    let spec: Option<serde_json::Value> = serde_json::from_str(&row.spec).ok();
    let spec = spec.as_ref().and_then(serde_json::Value::as_object).and_then(|spec| read_spec(spec).ok());
    let is_in_spec = spec.is_some_and(|spec| {
        (spec.custom_anchore.enabled && is_this(&spec.custom_anchore.secret_id))
            || spec.registries.iter().any(|registry| is_this(&registry.secret_id))
    });
    let inventory = &row.inventory;
    let engines =
        inventory.engine.iter().chain(&inventory.former_engines).map(|EngineInventory { choice, .. }| choice);
    is_in_spec
        || engines.chain(&inventory.webhook_engine).any(|choice| match choice {
            EngineChoice::Own { account } => SecretId::of_name(account) == *id,
            EngineChoice::Custom { secret_id, .. } => is_this(secret_id),
        })
}
