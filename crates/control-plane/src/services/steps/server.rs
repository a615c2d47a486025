//! What answers reviews: a Deployment in the cluster, or the listener of this process.

use std::time::Duration;

use admission::manifests::{DEFAULT_NAME, manifests};
use admission::{EngineAccess, InstallOptions, NamespaceSelection, ServiceOptions, WebhookEndpoint};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::engines::{ClusterEngine, EngineChoice};
use crate::kept_key::Installation;
use crate::services::attempt::{Attempt, StepError, of_cluster};
use crate::services::inventory::ObjectName;
use crate::services::validation::{Enforcement, Spec, WebhookPlace};

/// Longer, a step waits for nothing: the next attempt looks again.
const ROLL_OUT_TIME: Duration = Duration::from_secs(45);
const LOOK_EVERY: Duration = Duration::from_millis(500);
const STATE_FOLDER: &str = "/var/lib/lazaret";
/// Where the Pod finds the authorities of the engine.
const AUTHORITIES_FOLDER: &str = "/etc/lazaret-engine";
const AUTHORITIES_KEY: &str = "ca.crt";
const CHECKSUM: &str = "security.banzaicloud.com/engine-checksum";

impl Attempt {
    /// Starts what answers, and waits until it can.
    pub(in crate::services) async fn put_server(
        &mut self,
        client: &Client,
        engine: &ClusterEngine,
        spec: &Spec,
    ) -> Result<(), StepError> {
        if spec.enforcement == Enforcement::Off {
            return Ok(());
        }
        match self.plane.webhook_place(spec) {
            WebhookPlace::ControlPlane => self.join_shared_webhook(engine).await,
            WebhookPlace::Cluster => {
                let options = self.deployment_options(engine, spec);
                let mut objects = deployed_objects(&options, engine, &self.plane.installation);
                for object in &mut objects {
                    self.sign(object)?;
                }
                self.note_webhook_engine(engine).await?;
                self.keep_names(client, &objects).await?;
                for object in &objects {
                    admission::install::apply(client, object).await?;
                }
                wait_for_roll_out(client, &self.plane.settings.services.namespace).await
            }
        }
    }

    /// From here on the live webhook asks this engine, which is prepared.
    async fn join_shared_webhook(&mut self, engine: &ClusterEngine) -> Result<(), StepError> {
        let cluster = self.require_cluster()?.clone();
        self.note_webhook_engine(engine).await?;
        let deadline = Instant::now() + ROLL_OUT_TIME;
        self.plane.join_webhook(&cluster, engine).await.map_err(StepError::Transient)?;
        while !self.plane.is_webhook_ready(&cluster) {
            if Instant::now() >= deadline {
                let problem = self.plane.webhook_problem(&cluster);
                let problem = if problem.is_empty() { problem } else { format!(": {problem}") };
                return Err(StepError::Transient(format!(
                    "whitelist items and namespaces of the cluster could not be listed in time{problem}"
                )));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    async fn note_webhook_engine(&mut self, engine: &ClusterEngine) -> Result<(), StepError> {
        if self.inventory.webhook_engine.as_ref() == Some(&engine.choice) {
            return Ok(());
        }
        self.inventory.webhook_engine = Some(engine.choice.clone());
        self.save().await
    }

    pub(super) fn deployment_options(&self, engine: &ClusterEngine, spec: &Spec) -> InstallOptions {
        let settings = &self.plane.settings.services;
        let namespace = settings.namespace.clone();
        let mut arguments = vec!["admission", "--namespace", &namespace, "--state-dir", STATE_FOLDER];
        let authorities = format!("{AUTHORITIES_FOLDER}/{AUTHORITIES_KEY}");
        if authorities_of(engine).is_some() {
            arguments.extend(["--engine-ca", &authorities]);
        }
        let arguments = arguments.into_iter().map(str::to_owned).collect();
        self.install_options(
            spec,
            WebhookEndpoint::Service(ServiceOptions {
                image: settings.image.clone(),
                arguments,
                replicas: 2,
                engine: EngineAccess {
                    url: engine.url.clone(),
                    credentials_secret: credentials_name(),
                    is_insecure: matches!(engine.choice, EngineChoice::Custom { is_insecure: true, .. }),
                },
                namespace,
            }),
        )
    }

    /// What is installed, wherever it is.
    pub(super) fn install_options(&self, spec: &Spec, endpoint: WebhookEndpoint) -> InstallOptions {
        InstallOptions {
            namespaces: match spec.enforcement {
                Enforcement::Only(_) => NamespaceSelection::Labelled,
                Enforcement::Off | Enforcement::Everywhere | Enforcement::AllBut(_) => {
                    NamespaceSelection::All
                }
            },
            excluded_namespaces: vec![self.plane.settings.services.namespace.clone()],
            ..InstallOptions::new(endpoint)
        }
    }

    /// Puts the names of objects into the inventory before they are applied. A namespace that was there is not ours.
    pub(super) async fn keep_names(&mut self, client: &Client, objects: &[Value]) -> Result<(), StepError> {
        let mut names: Vec<ObjectName> = objects.iter().map(ObjectName::of).collect();
        // The server itself makes its certificate.
        if names.iter().any(|name| name.kind == "Deployment") {
            names.insert(
                1,
                ObjectName {
                    api_version: "v1".to_owned(),
                    kind: "Secret".to_owned(),
                    namespace: Some(self.plane.settings.services.namespace.clone()),
                    name: format!("{DEFAULT_NAME}-tls"),
                },
            );
        }
        for name in names {
            if self.inventory.objects.contains(&name) {
                continue;
            }
            if name.kind == "Namespace" {
                let api: Api<Namespace> = Api::all(client.clone());
                let found = api.get_opt(&name.name).await.map_err(of_cluster("look for a namespace"))?;
                if found.is_some() {
                    continue;
                }
            }
            self.inventory.objects.push(name);
        }
        self.save().await
    }
}

fn credentials_name() -> String {
    format!("{DEFAULT_NAME}-engine")
}

fn authorities_of(engine: &ClusterEngine) -> Option<&str> {
    match &engine.choice {
        EngineChoice::Custom { ca_certificate, .. } if !ca_certificate.is_empty() => Some(ca_certificate),
        EngineChoice::Custom { .. } | EngineChoice::Own { .. } => None,
    }
}

/// Everything but the definitions, which are there, and the webhook configuration, which comes when this runs.
fn deployed_objects(options: &InstallOptions, engine: &ClusterEngine, key: &Installation) -> Vec<Value> {
    let WebhookEndpoint::Service(service) = &options.endpoint else { return Vec::new() };
    let mut data = json!({ "username": engine.credentials.user, "password": engine.credentials.password });
    if let Some(authorities) = authorities_of(engine) {
        data[AUTHORITIES_KEY] = json!(authorities);
    }
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": { "name": credentials_name(), "namespace": service.namespace },
        "stringData": data,
    });
    // Pods read the Secret when they start: other credentials need other Pods. Who reads the mark can try out no password.
    let checksum = key.mark("engine", &format!("{}\n{data}", service.engine.url));
    let mut objects: Vec<Value> = manifests(options)
        .into_iter()
        .filter(|object| {
            let kind = object["kind"].as_str().unwrap_or_default();
            !matches!(kind, "CustomResourceDefinition" | "ValidatingWebhookConfiguration")
        })
        .collect();
    for object in objects.iter_mut().filter(|object| object["kind"] == "Deployment") {
        let template = &mut object["spec"]["template"];
        template["metadata"]["annotations"] = json!({ CHECKSUM: checksum });
        if authorities_of(engine).is_some() {
            mount_authorities(&mut template["spec"]);
        }
    }
    // Behind the namespace, before what needs it.
    objects.insert(1.min(objects.len()), secret);
    objects
}

fn mount_authorities(pod: &mut Value) {
    let volume = json!({ "name": "engine", "secret": {
        "secretName": credentials_name(), "items": [{ "key": AUTHORITIES_KEY, "path": AUTHORITIES_KEY }],
    } });
    let mount = json!({ "name": "engine", "mountPath": AUTHORITIES_FOLDER, "readOnly": true });
    if let Some(volumes) = pod["volumes"].as_array_mut() {
        volumes.push(volume);
    }
    if let Some(mounts) = pod["containers"][0]["volumeMounts"].as_array_mut() {
        mounts.push(mount);
    }
}

/// Waits until a replica answers; without one, nothing must be enforced.
async fn wait_for_roll_out(client: &Client, namespace: &str) -> Result<(), StepError> {
    let api: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let deadline = Instant::now() + ROLL_OUT_TIME;
    loop {
        let found = api.get_opt(DEFAULT_NAME).await.map_err(of_cluster("look at the Deployment"))?;
        let status = found.as_ref().and_then(|deployment| deployment.status.as_ref());
        let generation = found.as_ref().and_then(|deployment| deployment.metadata.generation);
        let updated = status.and_then(|status| status.updated_replicas).unwrap_or(0);
        let available = status.and_then(|status| status.available_replicas).unwrap_or(0);
        let is_seen = status.is_some_and(|status| status.observed_generation >= generation);
        if is_seen && updated > 0 && available > 0 {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let conditions = status.and_then(|status| status.conditions.clone()).unwrap_or_default();
            let why: Vec<String> = conditions.into_iter().filter_map(|condition| condition.message).collect();
            return Err(StepError::Transient(format!(
                "no replica of the Deployment `{namespace}/{DEFAULT_NAME}` is available: {}. A cluster without nodes needs the \
                 webhook in the control plane: start `lazaret serve` with --admission-listen",
                why.join(" ")
            )));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
