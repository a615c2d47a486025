//! The engine of a cluster: account, technical user and secret in ours, credentials that work in a foreign one.

use std::collections::BTreeMap;

use engine_client::{Client, ClientError, Password};

use crate::engines::{ClusterEngine, Credentials, EngineChoice, soon, technical_user};
use crate::services::attempt::{Attempt, StepError, of_engine};
use crate::services::inventory::EngineInventory;
use crate::services::validation::{CustomEngine, Spec};
use crate::storage_error::chain;
use crate::{Cluster, NewSecret, SecretError, SecretKind, SecretValue, TAG_HIDDEN, generate_password};

/// Whom the accounts of clusters belong to; engines want to know.
const EMAIL: &str = "banzai@banzaicloud.com";
const USER: &str = "username";
const PASSWORD: &str = "password";

impl Attempt {
    /// Makes sure that the cluster has somebody to ask for it.
    pub(in crate::services) async fn prepare_engine(
        &mut self,
        spec: &Spec,
    ) -> Result<ClusterEngine, StepError> {
        let cluster = self.require_cluster()?.clone();
        let choice = match &spec.custom_engine {
            Some(custom) => EngineChoice::from(custom.clone()),
            None => EngineChoice::Own { account: technical_user(&cluster.uid) },
        };
        self.choose_engine(choice.clone()).await?;
        match &spec.custom_engine {
            Some(custom) => self.reach_custom_engine(&cluster, custom, choice).await,
            None => self.prepare_account(&cluster, choice).await,
        }
    }

    /// Puts the engine into the inventory. Another one that was in use stays in it until the new one is.
    async fn choose_engine(&mut self, choice: EngineChoice) -> Result<(), StepError> {
        if self.inventory.engine.as_ref().is_some_and(|engine| engine.choice == choice) {
            return Ok(());
        }
        let former = self.inventory.engine.take();
        self.inventory.former_engines.extend(former);
        // Who comes back to an engine finds there what he left.
        let position =
            self.inventory.former_engines.iter().position(|engine| is_same_engine(&engine.choice, &choice));
        self.inventory.engine = Some(match position {
            Some(position) => EngineInventory { choice, ..self.inventory.former_engines.remove(position) },
            None => EngineInventory::new(choice),
        });
        self.save().await
    }

    async fn reach_custom_engine(
        &mut self,
        cluster: &Cluster,
        custom: &CustomEngine,
        choice: EngineChoice,
    ) -> Result<ClusterEngine, StepError> {
        let credentials = self.plane.password_credentials(cluster.organization_id, &custom.secret_id).await?;
        let client = self.custom_client(&choice, &credentials)?;
        client.list_policies(soon()).await.map_err(of_engine("ask the engine"))?;
        Ok(ClusterEngine { client, choice, url: custom.url.clone(), credentials })
    }

    fn custom_client(&self, choice: &EngineChoice, credentials: &Credentials) -> Result<Client, StepError> {
        match self.plane.custom_engine(choice, credentials) {
            Ok(Some(client)) => Ok(client),
            Ok(None) => Err(StepError::Final("the engine is not a foreign one".to_owned())),
            Err(error) => Err(StepError::Final(chain(&error))),
        }
    }

    fn administrator(&self) -> Result<Client, StepError> {
        match self.plane.own_engine() {
            Some(Ok(client)) => Ok(client),
            Some(Err(error)) => Err(StepError::Final(chain(&error))),
            None => Err(StepError::Final("default anchore is not enabled".to_owned())),
        }
    }

    async fn prepare_account(
        &mut self,
        cluster: &Cluster,
        choice: EngineChoice,
    ) -> Result<ClusterEngine, StepError> {
        let name = technical_user(&cluster.uid);
        let client = self.administrator()?;
        match client.get_account(&name, soon()).await {
            Ok(account) if account.state == "deleting" => {
                return Err(StepError::Transient(format!(
                    "the engine is still removing the account `{name}` of the last activation"
                )));
            }
            Ok(account) if account.state != "enabled" => client
                .set_account_state(&name, "enabled", soon())
                .await
                .map_err(of_engine("enable the account"))?,
            Ok(_) => {}
            Err(ClientError::NotFound { .. }) => {
                client.add_account(&name, EMAIL, soon()).await.map_err(of_engine("make an account"))?;
            }
            Err(error) => return Err(of_engine("look for the account")(error)),
        }
        let credentials = self.technical_credentials(cluster, &name).await?;
        let password = Password(credentials.password.clone());
        let has_user = client.has_user(&name, &name, soon()).await.map_err(of_engine("look for the user"))?;
        if !has_user {
            client.add_user(&name, &name, &password, soon()).await.map_err(of_engine("make a user"))?;
        } else {
            // What the engine and the secret say is compared by trying: a password that nobody knows any more is replaced.
            let tried = client.with_credentials(&name, &password.0).own_account(soon()).await;
            match tried {
                Ok(_) => {}
                Err(ClientError::Unauthorized { .. }) => {
                    client
                        .set_password(&name, &name, &password, soon())
                        .await
                        .map_err(of_engine("give the user another password"))?;
                    self.notes.push("the technical user got another password".to_owned());
                }
                Err(error) => return Err(of_engine("log in as the technical user")(error)),
            }
        }
        let url = self.plane.settings.services.engine.as_ref().map(|engine| engine.url.clone());
        Ok(ClusterEngine {
            client: client.in_account(&name),
            choice,
            url: url.unwrap_or_default(),
            credentials,
        })
    }

    /// User and password out of the secret, which is made where it is missing or holds no password.
    async fn technical_credentials(&self, cluster: &Cluster, name: &str) -> Result<Credentials, StepError> {
        let organization = cluster.organization_id;
        let found = self.plane.find_secret_by_name(organization, name).await?;
        let password = |secret: &crate::Secret| {
            let value = secret.value(PASSWORD).map(|value| value.reveal().to_owned());
            value.filter(|password| password.len() >= 6 && secret.kind == SecretKind::Password)
        };
        if let Some(password) = found.as_ref().and_then(password) {
            return Ok(Credentials { user: name.to_owned(), password });
        }
        let generated = generate_password();
        let new = NewSecret {
            name: name.to_owned(),
            kind: SecretKind::Password,
            values: BTreeMap::from([
                (USER.to_owned(), SecretValue::new(name)),
                (PASSWORD.to_owned(), generated.clone()),
            ]),
            tags: vec![TAG_HIDDEN.to_owned(), format!("clusterUID:{}", cluster.uid)],
            updated_by: self.row.created_by.clone(),
        };
        if let Some(useless) = found {
            self.plane.delete_secret(organization, useless.id.as_str()).await?;
        }
        match self.plane.create_secret(organization, new).await {
            Ok(_) => Ok(Credentials { user: name.to_owned(), password: generated.reveal().to_owned() }),
            // Another process was faster; it is asked the next time.
            Err(SecretError::AlreadyExists) => {
                Err(StepError::Transient("the secret of the technical user was just made".to_owned()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Cleans up engines that are no longer in use.
    pub(in crate::services) async fn leave_former_engines(&mut self) -> Result<(), StepError> {
        while let Some(engine) = self.inventory.former_engines.last().cloned() {
            let is_in_use = self
                .inventory
                .engine
                .as_ref()
                .is_some_and(|used| is_same_engine(&used.choice, &engine.choice));
            if !is_in_use {
                self.leave_engine(&engine).await?;
            }
            self.inventory.former_engines.pop();
            self.save().await?;
        }
        Ok(())
    }

    /// Cleans up all engines.
    pub(in crate::services) async fn leave_engines(&mut self) -> Result<(), StepError> {
        self.inventory.former_engines.extend(self.inventory.engine.take());
        self.leave_former_engines().await
    }

    async fn leave_engine(&mut self, engine: &EngineInventory) -> Result<(), StepError> {
        match &engine.choice {
            EngineChoice::Own { account } => self.remove_account(account).await,
            EngineChoice::Custom { secret_id, .. } => {
                let organization = self.row.organization;
                let credentials = match self.plane.password_credentials(organization, secret_id).await {
                    Ok(credentials) => credentials,
                    Err(problem) => match StepError::from(problem) {
                        // Without its secret nobody gets at the engine any more; what is there is its owner's to see to.
                        StepError::Final(text) => {
                            self.notes
                                .push(format!("what was put into the foreign engine stays there: {text}"));
                            return Ok(());
                        }
                        other => return Err(other),
                    },
                };
                let client = self.custom_client(&engine.choice, &credentials)?;
                match self.leave_custom_engine(&client, engine).await {
                    Err(StepError::Transient(text) | StepError::Final(text)) if self.is_given_up() => {
                        tracing::warn!(
                            cluster.id = self.row.cluster,
                            error = text,
                            "what was put into a foreign engine stays there"
                        );
                        Ok(())
                    }
                    left => left,
                }
            }
        }
    }

    /// Whether a foreign engine of a deleted cluster was asked often enough.
    fn is_given_up(&self) -> bool {
        self.cluster.is_none() && self.row.failures + 1 >= self.plane.settings.services.attempts
    }

    /// The account goes with its user, its registries and its bundles, and so does the secret.
    async fn remove_account(&mut self, name: &str) -> Result<(), StepError> {
        let client = self.administrator()?;
        match client.get_account(name, soon()).await {
            Err(ClientError::NotFound { .. }) => {}
            Err(error) => return Err(of_engine("look for the account")(error)),
            Ok(account) if account.state == "deleting" => {}
            Ok(_) => {
                client.delete_user(name, name, soon()).await.map_err(of_engine("remove the user"))?;
                client
                    .set_account_state(name, "disabled", soon())
                    .await
                    .map_err(of_engine("disable the account"))?;
                client.delete_account(name, soon()).await.map_err(of_engine("remove the account"))?;
            }
        }
        let secret = self.plane.find_secret_by_name(self.row.organization, name).await?;
        if let Some(secret) = secret {
            match self.plane.delete_secret(self.row.organization, secret.id.as_str()).await {
                Ok(()) | Err(SecretError::NotFound) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Whether two choices lead to the same engine. Another secret may hold the same user: what is in use must not be cleaned up.
fn is_same_engine(one: &EngineChoice, other: &EngineChoice) -> bool {
    match (one, other) {
        (EngineChoice::Own { account: one }, EngineChoice::Own { account: other }) => one == other,
        (EngineChoice::Custom { url: one, .. }, EngineChoice::Custom { url: other, .. }) => one == other,
        _ => false,
    }
}
