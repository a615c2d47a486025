//! The webhook configuration: the API server asks from now on, or no longer.

use std::time::Duration;

use admission::manifests::{DEFAULT_NAME, PROBE_LABEL, manifests};
use admission::{InstallOptions, WebhookEndpoint};
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{DeleteParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::resources::gone;
use super::tenants::find_tenant;
use crate::engines::ClusterEngine;
use crate::services::attempt::{Attempt, StepError, of_cluster};
use crate::services::inventory::ObjectName;
use crate::services::validation::{Enforcement, Spec, WebhookPlace};

/// API servers take a configuration over after a moment.
const ASKED_TIME: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(250);
const CONFIGURATION: &str = "ValidatingWebhookConfiguration";

impl Attempt {
    /// Registers the webhook, and takes away what former specs needed and this one does not.
    pub(in crate::services) async fn put_webhook(
        &mut self,
        client: &Client,
        engine: &ClusterEngine,
        spec: &Spec,
    ) -> Result<(), StepError> {
        if spec.enforcement == Enforcement::Off {
            self.notes.push("webhookConfig is not enabled: nothing is enforced".to_owned());
            return self.remove_webhook(client).await;
        }
        let place = self.plane.webhook_place(spec);
        let options = match place {
            WebhookPlace::Cluster => self.deployment_options(engine, spec),
            WebhookPlace::ControlPlane => self.url_options(spec)?,
        };
        let mut configuration: Vec<Value> =
            manifests(&options).into_iter().filter(|object| object["kind"] == CONFIGURATION).collect();
        for object in &mut configuration {
            self.sign(object)?;
        }
        self.inventory.webhook = Some(place);
        self.keep_names(client, &configuration).await?;
        for object in &configuration {
            admission::install::apply(client, object).await?;
        }
        match place {
            WebhookPlace::Cluster => {
                let cluster = self.require_cluster()?.clone();
                self.plane.leave_webhook(&cluster.uid).await;
                wait_for_authorities(client).await
            }
            WebhookPlace::ControlPlane => {
                let is_left = |name: &ObjectName| name.kind != CONFIGURATION;
                self.remove_objects(client, is_left).await
            }
        }
    }

    fn url_options(&self, spec: &Spec) -> Result<InstallOptions, StepError> {
        let cluster = self.require_cluster()?;
        let here = self.plane.settings.services.webhook.as_ref();
        let here = here.ok_or_else(|| {
            StepError::Final(
                "there is no listener for webhooks any more: start `lazaret serve` with --admission-listen"
                    .to_owned(),
            )
        })?;
        let url =
            format!("{}{}", here.url.trim_end_matches('/'), admission::SharedWebhook::path(&cluster.uid));
        let ca_bundle = here.shared.authorities();
        Ok(self.install_options(spec, WebhookEndpoint::Url { url, ca_bundle }))
    }

    /// Takes the webhook out of the cluster: first nobody is asked any more, then nobody answers.
    pub(in crate::services) async fn remove_webhook(&mut self, client: &Client) -> Result<(), StepError> {
        self.remove_objects(client, |_| true).await?;
        if let Some(cluster) = self.cluster.clone() {
            self.plane.leave_webhook(&cluster.uid).await;
        }
        if self.inventory.webhook.is_some() || self.inventory.webhook_engine.is_some() {
            self.inventory.webhook = None;
            self.inventory.webhook_engine = None;
            self.save().await?;
        }
        Ok(())
    }

    async fn remove_objects(
        &mut self,
        client: &Client,
        is_left: impl Fn(&ObjectName) -> bool,
    ) -> Result<(), StepError> {
        // The configuration first, then in the reverse order of their making.
        let mut names: Vec<ObjectName> =
            self.inventory.objects.iter().rev().filter(|name| is_left(name)).cloned().collect();
        names.sort_by_key(|name| match name.kind.as_str() {
            CONFIGURATION => 0,
            "Namespace" => 2,
            _ => 1,
        });
        for name in names {
            if name.kind == "Namespace" {
                self.remove_namespace(client, &name.name).await?;
            } else {
                admission::install::remove(client, &name.to_object()).await?;
            }
            self.inventory.objects.retain(|kept| *kept != name);
            self.save().await?;
        }
        Ok(())
    }

    /// A namespace that we made goes, unless others have moved in.
    async fn remove_namespace(&mut self, client: &Client, name: &str) -> Result<(), StepError> {
        if let Some(tenant) = find_tenant(client, name).await? {
            self.notes.push(format!("the namespace `{name}` stays, because {tenant}"));
            return Ok(());
        }
        let api: Api<Namespace> = Api::all(client.clone());
        gone(api.delete(name, &DeleteParams::background()).await.map(drop))
            .map_err(of_cluster("remove the namespace"))
    }

    /// Waits until the API server asks: a Pod that cannot be is offered, which only the webhook refuses. Nothing is stored.
    pub(in crate::services) async fn wait_until_asked(
        &mut self,
        client: &Client,
        spec: &Spec,
    ) -> Result<(), StepError> {
        let Some(namespace) = self.probed_namespace(client, &spec.enforcement).await? else {
            return Ok(());
        };
        let api: Api<Pod> = Api::namespaced(client.clone(), &namespace);
        let probe: Pod = serde_json::from_value(json!({
            // So marked, no whitelist item lets it pass.
            "metadata": { "generateName": "security-scan-probe-", "labels": { PROBE_LABEL: "true" } },
            // No image can have this name: it is refused without asking anybody.
            "spec": { "containers": [{ "name": "probe", "image": "security-scan/PROBE" }] },
        }))
        .map_err(|error| StepError::Final(format!("make a probe: {error}")))?;
        let parameters = PostParams { dry_run: true, ..PostParams::default() };
        let deadline = Instant::now() + ASKED_TIME;
        let mut last = "it let a Pod pass without asking".to_owned();
        while Instant::now() < deadline {
            match api.create(&parameters, &probe).await {
                Ok(_) => {}
                Err(kube::Error::Api(status)) if status.message.contains("Image failed policy check") => {
                    return Ok(());
                }
                // Another rule of the cluster came first; then nothing can be seen of ours.
                Err(kube::Error::Api(status))
                    if status.code == 403 && !status.message.contains(DEFAULT_NAME) =>
                {
                    self.notes.push(format!(
                        "it is not known whether the API server asks already: {}",
                        status.message
                    ));
                    return Ok(());
                }
                Err(error) => last = crate::storage_error::chain(&error),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Err(StepError::Transient(format!("the API server does not ask the webhook: {last}")))
    }

    /// A namespace in which a probe says something.
    async fn probed_namespace(
        &self,
        client: &Client,
        enforcement: &Enforcement,
    ) -> Result<Option<String>, StepError> {
        const USUAL: &str = "default";
        let candidate = match enforcement {
            Enforcement::Off => None,
            Enforcement::Everywhere => Some(USUAL),
            Enforcement::Only(names) => names.first().map(String::as_str),
            Enforcement::AllBut(names) => Some(USUAL).filter(|usual| !names.iter().any(|name| name == usual)),
        };
        let Some(candidate) = candidate else { return Ok(None) };
        let api: Api<Namespace> = Api::all(client.clone());
        let found = api.get_opt(candidate).await.map_err(of_cluster("look for a namespace"))?;
        Ok(found.and_then(|namespace| namespace.metadata.name))
    }
}

/// The server in the cluster writes its authorities into the configuration; before that nobody is asked successfully.
async fn wait_for_authorities(client: &Client) -> Result<(), StepError> {
    let api: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
    let deadline = Instant::now() + ASKED_TIME;
    loop {
        let found = api.get_opt(DEFAULT_NAME).await.map_err(of_cluster("look at the webhook"))?;
        let webhooks = found.and_then(|configuration| configuration.webhooks).unwrap_or_default();
        let is_trusted = |bundle: &Option<k8s_openapi::ByteString>| {
            bundle.as_ref().is_some_and(|bundle| !bundle.0.is_empty())
        };
        if !webhooks.is_empty() && webhooks.iter().all(|webhook| is_trusted(&webhook.client_config.ca_bundle))
        {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(StepError::Transient(
                "the webhook in the cluster has not said yet which authority signs its certificate"
                    .to_owned(),
            ));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
