//! What else is in a namespace that a service made: with anything of others in it, it stays.

use std::time::Duration;

use admission::manifests::DEFAULT_NAME;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{APIResource, APIResourceList};
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::core::GroupVersion;
use kube::{Api, Client};

use crate::services::attempt::{StepError, of_cluster};

/// For all kinds together.
const LOOK_TIME: Duration = Duration::from_secs(60);
const PAGE_OBJECTS: u32 = 500;
/// Kept by the cluster, or by the webhook, about what is there, and gone with it.
const BYPRODUCTS: [&str; 4] = ["Audit", "Event", "Endpoints", "EndpointSlice"];

/// Something in a namespace that is not ours and was not there from its beginning. What cannot be looked at may be something.
pub(super) async fn find_tenant(client: &Client, namespace: &str) -> Result<Option<String>, StepError> {
    let looked = tokio::time::timeout(LOOK_TIME, look(client, namespace)).await;
    looked.unwrap_or_else(|_| {
        Err(StepError::Transient(format!("what is in the namespace `{namespace}` cannot be listed in time")))
    })
}

async fn look(client: &Client, namespace: &str) -> Result<Option<String>, StepError> {
    let core =
        client.list_core_api_resources("v1").await.map_err(of_cluster("list the kinds of the cluster"))?;
    if let Some(tenant) = look_at_group(client, namespace, &core).await? {
        return Ok(Some(tenant));
    }
    let groups = client.list_api_groups().await.map_err(of_cluster("list the kinds of the cluster"))?;
    for group in groups.groups {
        let version = group.preferred_version.or_else(|| group.versions.into_iter().next());
        let Some(version) = version else { continue };
        let kinds = match client.list_api_group_resources(&version.group_version).await {
            Ok(kinds) => kinds,
            // A server of its own that does not answer: what it holds is not known.
            Err(kube::Error::Api(status)) => {
                return Ok(Some(format!(
                    "something of {} may be in it, which cannot be listed ({})",
                    version.group_version, status.message
                )));
            }
            Err(error) => return Err(of_cluster("list the kinds of the cluster")(error)),
        };
        if let Some(tenant) = look_at_group(client, namespace, &kinds).await? {
            return Ok(Some(tenant));
        }
    }
    Ok(None)
}

async fn look_at_group(
    client: &Client,
    namespace: &str,
    kinds: &APIResourceList,
) -> Result<Option<String>, StepError> {
    let Ok(version) = kinds.group_version.parse::<GroupVersion>() else {
        return Ok(Some(format!("something of {} may be in it", kinds.group_version)));
    };
    for kind in kinds.resources.iter().filter(|kind| is_looked_at(kind)) {
        let resource = ApiResource {
            group: version.group.clone(),
            version: version.version.clone(),
            api_version: version.api_version(),
            kind: kind.kind.clone(),
            plural: kind.name.clone(),
        };
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
        let page = match api.list_metadata(&ListParams::default().limit(PAGE_OBJECTS)).await {
            Ok(page) => page,
            Err(kube::Error::Api(status)) => {
                return Ok(Some(format!(
                    "objects of kind {} may be in it, which cannot be listed ({})",
                    kind.kind, status.message
                )));
            }
            Err(error) => return Err(of_cluster(&format!("list {}", kind.name))(error)),
        };
        let names = page.items.iter().filter_map(|object| object.metadata.name.as_deref());
        if let Some(name) = names.into_iter().find(|name| !is_expected(&kind.kind, name)) {
            return Ok(Some(format!("the {} `{name}` is in it", kind.kind)));
        }
        if page.metadata.continue_.is_some_and(|token| !token.is_empty()) {
            return Ok(Some(format!("more than {PAGE_OBJECTS} objects of kind {} are in it", kind.kind)));
        }
    }
    Ok(None)
}

fn is_looked_at(kind: &APIResource) -> bool {
    kind.namespaced
        && !kind.name.contains('/')
        && kind.verbs.iter().any(|verb| verb == "list")
        && !BYPRODUCTS.contains(&kind.kind.as_str())
}

/// Ours on its way out, or what every namespace has from its beginning.
fn is_expected(kind: &str, name: &str) -> bool {
    name.starts_with(DEFAULT_NAME)
        || match kind {
            "ConfigMap" => name == "kube-root-ca.crt",
            "ServiceAccount" => name == "default",
            "Secret" => name.starts_with("default-token-"),
            _ => false,
        }
}
