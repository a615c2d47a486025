//! What has to be asked before anything is deployed: secrets, addresses, the engine's policies.

use engine_client::ClientError;
use futures_util::future::join_all;

use super::ServiceError;
use super::validation::{
    CustomEngine, Enforcement, PolicyChoice, RegistryChoice, RegistryKind, Spec, WebhookPlace,
};
use crate::addresses::{find_refusal, guard};
use crate::engines::{Credentials, EngineChoice, soon, technical_user};
use crate::storage_error::chain;
use crate::{Cluster, ControlPlane, Secret, SecretError, SecretKind, TAG_HIDDEN, TAG_KUBECONFIG};

/// Registries that are looked up at the same time.
const CHECKS_AT_ONCE: usize = 10;

impl From<CustomEngine> for EngineChoice {
    fn from(custom: CustomEngine) -> Self {
        let CustomEngine { url, secret_id, is_insecure, ca_certificate } = custom;
        Self::Custom { url, secret_id, is_insecure, ca_certificate }
    }
}

impl ControlPlane {
    /// Everything that stands against a spec in this cluster. Errors: what is ours to know cannot be asked.
    pub(super) async fn check_surroundings(
        &self,
        cluster: &Cluster,
        spec: &Spec,
    ) -> Result<Vec<String>, ServiceError> {
        let mut problems = Vec::new();
        let organization = cluster.organization_id;
        for some in spec.registries.chunks(CHECKS_AT_ONCE) {
            let mut checks = Vec::new();
            for registry in some {
                checks.push(self.check_registry(organization, registry, spec.custom_engine.as_ref()));
            }
            for found in join_all(checks).await {
                problems.extend(found?);
            }
        }
        if spec.enforcement != Enforcement::Off {
            self.check_webhook_place(spec, &mut problems);
        }
        match &spec.custom_engine {
            Some(custom) => self.check_custom_engine(organization, custom, spec, &mut problems).await?,
            None => self.check_own_engine(cluster, spec, &mut problems).await?,
        }
        Ok(problems)
    }

    /// Where the webhook of a spec runs.
    pub(crate) fn webhook_place(&self, spec: &Spec) -> WebhookPlace {
        spec.webhook_place.unwrap_or(match self.settings.services.webhook {
            Some(_) => WebhookPlace::ControlPlane,
            None => WebhookPlace::Cluster,
        })
    }

    fn check_webhook_place(&self, spec: &Spec, problems: &mut Vec<String>) {
        let settings = &self.settings.services;
        match self.webhook_place(spec) {
            WebhookPlace::ControlPlane if settings.webhook.is_none() => problems.push(
                "runIn `controlPlane` needs a listener for webhooks: start `lazaret serve` with --admission-listen".to_owned(),
            ),
            WebhookPlace::Cluster if settings.image.is_empty() => problems.push(
                "a webhook in the cluster needs an image of this program: set `control-plane.webhook-image`, or start \
                 `lazaret serve` with --admission-listen to have it in the control plane"
                    .to_owned(),
            ),
            _ => {}
        }
    }

    async fn check_registry(
        &self,
        organization: i64,
        registry: &RegistryChoice,
        custom_engine: Option<&CustomEngine>,
    ) -> Result<Vec<String>, ServiceError> {
        let mut problems = Vec::new();
        let what = format!("registry `{}`", registry.registry);
        match self.registry_credentials(organization, registry).await {
            Ok(_) => {}
            Err(SecretProblem::Told(problem)) => problems.push(format!("{what}: {problem}")),
            Err(SecretProblem::Secrets(error)) => return Err(ServiceError::Secrets(error)),
        }
        problems.extend(match custom_engine {
            // How the other engine pulls is not known here; what holds for all that people name holds for this.
            Some(_) => self.refused_host(&what, registry.host()).await,
            None => {
                // The rule by which the engine of this process pulls.
                let guard = self.settings.registry_addresses.guard_with_login(&registry.registry);
                find_refusal(&guard, registry.host()).await.map(|problem| format!("{what}: {problem}"))
            }
        });
        Ok(problems)
    }

    async fn check_custom_engine(
        &self,
        organization: i64,
        custom: &CustomEngine,
        spec: &Spec,
        problems: &mut Vec<String>,
    ) -> Result<(), ServiceError> {
        let host = url::Url::parse(&custom.url).ok().and_then(|url| url.host_str().map(str::to_owned));
        if let Some(problem) = self.refused_host("anchore url", host.as_deref().unwrap_or_default()).await {
            problems.push(problem);
            return Ok(());
        }
        let credentials = match self.password_credentials(organization, &custom.secret_id).await {
            Ok(credentials) => credentials,
            Err(SecretProblem::Told(problem)) => {
                problems.push(format!("customAnchore: {problem}"));
                return Ok(());
            }
            Err(SecretProblem::Secrets(error)) => return Err(ServiceError::Secrets(error)),
        };
        let choice = EngineChoice::from(custom.clone());
        let client = match self.custom_engine(&choice, &credentials) {
            Ok(Some(client)) => client,
            Ok(None) => return Ok(()),
            Err(error) => {
                problems.push(format!("customAnchore: {}", chain(&error)));
                return Ok(());
            }
        };
        // With credentials that are wrong, nothing that follows would mean anything.
        let asked = match &spec.policy {
            PolicyChoice::Named(id) if !is_predefined(id) => {
                client.get_policy(id, false, soon()).await.map(drop)
            }
            PolicyChoice::Named(_) | PolicyChoice::Custom(..) => client.list_policies(soon()).await.map(drop),
        };
        match asked {
            Ok(()) => {}
            Err(ClientError::NotFound { .. }) => problems.push(unknown_policy(spec.policy.id())),
            Err(error) => problems.push(format!("customAnchore: {}", chain(&error))),
        }
        Ok(())
    }

    async fn check_own_engine(
        &self,
        cluster: &Cluster,
        spec: &Spec,
        problems: &mut Vec<String>,
    ) -> Result<(), ServiceError> {
        let client = match self.own_engine() {
            None => {
                problems.push("default anchore is not enabled: name an engine in customAnchore".to_owned());
                return Ok(());
            }
            Some(Err(error)) => return Err(ServiceError::Engine(chain(&error))),
            Some(Ok(client)) => client,
        };
        let PolicyChoice::Named(id) = &spec.policy else { return Ok(()) };
        if is_predefined(id) {
            return Ok(());
        }
        // Bundles of the administrator are there for every cluster.
        for account in [technical_user(&cluster.uid).as_str(), "admin"] {
            match client.in_account(account).get_policy(id, false, soon()).await {
                Ok(_) => return Ok(()),
                Err(ClientError::NotFound { .. }) => {}
                Err(error) => return Err(ServiceError::Engine(chain(&error))),
            }
        }
        problems.push(unknown_policy(id));
        Ok(())
    }

    async fn refused_host(&self, what: &str, host: &str) -> Option<String> {
        find_refusal(&guard(self.settings.addresses), host).await.map(|problem| format!("{what}: {problem}"))
    }

    /// User and password in a secret of an organization.
    pub(crate) async fn password_credentials(
        &self,
        organization: i64,
        secret_id: &str,
    ) -> Result<Credentials, SecretProblem> {
        let secret = self.find_secret(organization, secret_id).await?;
        credentials_of(&secret, SecretKind::Password, ["username", "password"])
    }

    /// What a registry is told, out of the secret of the kind that it needs.
    pub(crate) async fn registry_credentials(
        &self,
        organization: i64,
        registry: &RegistryChoice,
    ) -> Result<Credentials, SecretProblem> {
        let secret = self.find_secret(organization, &registry.secret_id).await?;
        match registry.kind {
            RegistryKind::Docker => credentials_of(&secret, SecretKind::Password, ["username", "password"]),
            RegistryKind::AmazonEcr => {
                credentials_of(&secret, SecretKind::Amazon, ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
            }
        }
    }

    async fn find_secret(&self, organization: i64, id: &str) -> Result<Secret, SecretProblem> {
        match self.get_secret(organization, id).await {
            // Passwords of technical users and ways into clusters go to nobody whom a spec names.
            Ok(secret) if secret.tags.iter().any(|tag| tag == TAG_HIDDEN || tag == TAG_KUBECONFIG) => {
                Err(SecretProblem::Told(format!("the secret `{id}` is not for use by people")))
            }
            Ok(secret) => Ok(secret),
            Err(SecretError::NotFound) => {
                Err(SecretProblem::Told(format!("there is no secret `{id}` in the organization")))
            }
            Err(error) => Err(SecretProblem::Secrets(error)),
        }
    }
}

/// Why a secret gives no credentials.
#[derive(Debug)]
pub(crate) enum SecretProblem {
    /// Whoever named it can do something about it.
    Told(String),
    /// Secrets cannot be read.
    Secrets(SecretError),
}

fn credentials_of(secret: &Secret, kind: SecretKind, keys: [&str; 2]) -> Result<Credentials, SecretProblem> {
    if secret.kind != kind {
        return Err(SecretProblem::Told(format!(
            "secret `{}` is of type {}, and one of type {} is needed",
            secret.name,
            secret.kind.name(),
            kind.name()
        )));
    }
    let [user, password] = keys.map(|key| secret.value(key).map(|value| value.reveal().to_owned()));
    match (user, password) {
        (Some(user), Some(password)) if !user.is_empty() && !password.is_empty() => {
            Ok(Credentials { user, password })
        }
        _ => Err(SecretProblem::Told(format!(
            "secret `{}` needs values for {} and {}",
            secret.name, keys[0], keys[1]
        ))),
    }
}

/// Bundles that every engine gets, and the one that every account begins with.
pub(crate) fn is_predefined(id: &str) -> bool {
    policy::predefined_bundles().iter().any(|bundle| bundle.id == id) || policy::default_bundle().id == id
}

fn unknown_policy(id: &str) -> String {
    let ids: Vec<&str> = policy::predefined_bundles().iter().map(|bundle| bundle.id).collect();
    format!(
        "policy `{id}` does not exist in the engine: make the bundle first, or name one of {} or {}",
        ids.join(", "),
        policy::default_bundle().id
    )
}
