//! Puts the webhook into a cluster and takes it out again.

use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client};
use serde_json::Value;

use crate::crd::definitions;
use crate::manifests::{InstallOptions, manifests};

/// The name under which installed fields are owned.
pub const FIELD_MANAGER: &str = "lazaret";
/// How long new definitions may take until they are served.
pub const ESTABLISH_TIME: Duration = Duration::from_secs(30);

/// Why installing or removing stopped.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The API server refuses an object, or cannot be reached.
    #[error("{kind} `{name}` cannot be {what}")]
    Object {
        /// `applied`, `removed` or `read`.
        what: &'static str,
        /// Kind of the object.
        kind: String,
        /// Its name.
        name: String,
        /// What the API server says.
        #[source]
        source: Box<kube::Error>,
    },
    /// A definition of the original service is in the way: the scope of a definition cannot be changed.
    #[error(
        "CustomResourceDefinition `{name}` is there with scope `{found}` instead of `{wanted}`: save and remove its objects and the definition first"
    )]
    OtherScope {
        /// The definition.
        name: String,
        /// Its scope.
        found: String,
        /// The scope that is needed.
        wanted: String,
    },
    /// A definition is not served in time.
    #[error("CustomResourceDefinition `{name}` is not established after {} s", ESTABLISH_TIME.as_secs())]
    NotEstablished {
        /// The definition.
        name: String,
    },
    /// The objects cannot be written as YAML.
    #[error("manifests cannot be written as YAML")]
    Yaml(#[source] serde_saphyr::ser::Error),
}

/// What is left in the cluster when the webhook goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Removal {
    /// The definitions with all whitelist items and audits stay.
    #[default]
    KeepResources,
    /// Everything goes.
    RemoveResources,
}

/// Applies everything, server-side and in order; applying again changes nothing.
pub async fn install(client: &Client, options: &InstallOptions) -> Result<(), InstallError> {
    check_scopes(client).await?;
    let mut definitions_wait = true;
    for object in manifests(options) {
        let is_definition = object["kind"] == "CustomResourceDefinition";
        // The first object after the definitions waits for them.
        if !is_definition && object["kind"] != "Namespace" && definitions_wait {
            wait_established(client).await?;
            definitions_wait = false;
        }
        apply(client, &object).await?;
    }
    Ok(())
}

/// Applies the definitions of the custom resources and waits until they are served.
pub async fn install_definitions(client: &Client) -> Result<(), InstallError> {
    check_scopes(client).await?;
    for definition in crate::crd::definition_values() {
        apply(client, &definition).await?;
    }
    wait_established(client).await
}

/// Removes one object; one that is gone already is fine.
pub async fn remove(client: &Client, object: &Value) -> Result<(), InstallError> {
    let (api, kind, name) = api_of(client, object);
    match api.delete(&name, &DeleteParams::background()).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(source) => Err(InstallError::Object { what: "removed", kind, name, source: Box::new(source) }),
    }
}

/// Applies one object.
pub async fn apply(client: &Client, object: &Value) -> Result<(), InstallError> {
    let (api, kind, name) = api_of(client, object);
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    api.patch(&name, &parameters, &Patch::Apply(object)).await.map_err(|source| InstallError::Object {
        what: "applied",
        kind,
        name,
        source: Box::new(source),
    })?;
    Ok(())
}

/// Removes everything that the options install, the webhook configuration first, so that no moment is left in which the
/// API server asks somebody who is gone.
pub async fn uninstall(
    client: &Client,
    options: &InstallOptions,
    removal: Removal,
) -> Result<(), InstallError> {
    for object in manifests(options).into_iter().rev() {
        let kind = object["kind"].as_str().unwrap_or_default();
        // The namespace may hold other things than ours.
        let stays =
            kind == "Namespace" || (kind == "CustomResourceDefinition" && removal == Removal::KeepResources);
        if stays {
            continue;
        }
        remove(client, &object).await?;
    }
    Ok(())
}

/// The objects as YAML documents, for `--dry-run=client -o yaml`. No private key is ever part of them.
pub fn render_yaml(options: &InstallOptions) -> Result<String, InstallError> {
    let mut text = String::new();
    for object in manifests(options) {
        text.push_str("---\n");
        text.push_str(&serde_saphyr::to_string(&object).map_err(InstallError::Yaml)?);
        if !text.ends_with('\n') {
            text.push('\n');
        }
    }
    Ok(text)
}

fn api_of(client: &Client, object: &Value) -> (Api<DynamicObject>, String, String) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (api_version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
    let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
    // The plural that kube derives is right for every kind that is installed here.
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &kind));
    let api = match object["metadata"]["namespace"].as_str() {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    (api, kind, text(&object["metadata"]["name"]))
}

async fn check_scopes(client: &Client) -> Result<(), InstallError> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    for wanted in definitions() {
        let name = wanted.metadata.name.unwrap_or_default();
        let found = get_definition(&api, &name).await?;
        if let Some(found) = found
            && found.spec.scope != wanted.spec.scope
        {
            return Err(InstallError::OtherScope {
                name,
                found: found.spec.scope,
                wanted: wanted.spec.scope,
            });
        }
    }
    Ok(())
}

async fn get_definition(
    api: &Api<CustomResourceDefinition>,
    name: &str,
) -> Result<Option<CustomResourceDefinition>, InstallError> {
    api.get_opt(name).await.map_err(|source| InstallError::Object {
        what: "read",
        kind: "CustomResourceDefinition".to_owned(),
        name: name.to_owned(),
        source: Box::new(source),
    })
}

async fn wait_established(client: &Client) -> Result<(), InstallError> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let deadline = tokio::time::Instant::now() + ESTABLISH_TIME;
    for definition in definitions() {
        let name = definition.metadata.name.unwrap_or_default();
        while !get_definition(&api, &name).await?.is_some_and(|found| is_established(&found)) {
            if tokio::time::Instant::now() >= deadline {
                return Err(InstallError::NotEstablished { name });
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    Ok(())
}

fn is_established(definition: &CustomResourceDefinition) -> bool {
    let conditions = definition.status.as_ref().and_then(|status| status.conditions.as_deref());
    conditions
        .unwrap_or_default()
        .iter()
        .any(|condition| condition.type_ == "Established" && condition.status == "True")
}
