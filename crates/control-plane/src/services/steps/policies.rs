//! Bundles: those that every cluster gets, the one that is chosen, and which of them judges.

use engine_client::{Client, ClientError};
use serde_json::Value;

use crate::engines::{ClusterEngine, EngineChoice, soon};
use crate::services::attempt::{Attempt, StepError, of_engine};
use crate::services::inventory::EngineInventory;
use crate::services::validation::{PolicyChoice, Spec};

/// The account whose bundles are there for every cluster.
const ADMINISTRATOR: &str = "admin";

impl Attempt {
    /// Adds the bundles that are missing; those that are there are left as they are.
    pub(in crate::services) async fn put_policies(
        &mut self,
        engine: &ClusterEngine,
        spec: &Spec,
    ) -> Result<(), StepError> {
        let there = engine.client.list_policies(soon()).await.map_err(of_engine("list policies"))?;
        let is_there = |id: &str| there.iter().any(|policy| policy.id == id);
        let chosen = spec.policy.id();
        let of_account = std::iter::once(policy::default_bundle()).filter(|bundle| bundle.id == chosen);
        for bundle in policy::predefined_bundles().iter().chain(of_account) {
            if !is_there(bundle.id) {
                let document = serde_json::from_str(bundle.json)
                    .map_err(|error| StepError::Final(format!("read a predefined bundle: {error}")))?;
                self.add_bundle(&engine.client, bundle.id, &document).await?;
            }
        }
        match &spec.policy {
            PolicyChoice::Custom(id, document) => {
                if let Some(engine) = &mut self.inventory.engine {
                    engine.copied.remove(id);
                }
                if is_there(id) && !self.is_our_bundle(id) {
                    self.check_foreign_bundle(engine, id, document).await
                } else {
                    self.add_bundle(&engine.client, id, document).await
                }
            }
            PolicyChoice::Named(id) if super::super::checks::is_predefined(id) => Ok(()),
            PolicyChoice::Named(id) if is_there(id) && !self.is_copied(id) => Ok(()),
            PolicyChoice::Named(id) => self.copy_bundle(engine, id, is_there(id)).await,
        }
    }

    fn is_our_bundle(&self, id: &str) -> bool {
        self.inventory.engine.as_ref().is_some_and(|engine| engine.bundles.contains(id))
    }

    fn is_copied(&self, id: &str) -> bool {
        self.inventory.engine.as_ref().is_some_and(|engine| engine.copied.contains(id))
    }

    async fn add_bundle(&mut self, client: &Client, id: &str, document: &Value) -> Result<(), StepError> {
        if let Some(engine) = &mut self.inventory.engine
            && engine.bundles.insert(id.to_owned())
        {
            self.save().await?;
        }
        let what = format!("store the bundle `{id}`");
        client.add_policy(document, soon()).await.map_err(of_engine(&what))?;
        Ok(())
    }

    /// A bundle of this id is there, and not by us: in the cluster's own account it is replaced, elsewhere it is its owner's.
    async fn check_foreign_bundle(
        &mut self,
        engine: &ClusterEngine,
        id: &str,
        document: &Value,
    ) -> Result<(), StepError> {
        if matches!(engine.choice, EngineChoice::Own { .. }) {
            return self.add_bundle(&engine.client, id, document).await;
        }
        let found = engine.client.get_policy(id, true, soon()).await.map_err(of_engine("read a bundle"))?;
        if found.bundle == *document {
            return Ok(());
        }
        Err(StepError::Final(format!(
            "the engine has another bundle with the id `{id}`: give yours an id of its own, or name the one that is there in policyId"
        )))
    }

    /// A bundle of the administrator becomes one of the cluster's account, also when he has changed it since.
    async fn copy_bundle(
        &mut self,
        engine: &ClusterEngine,
        id: &str,
        is_there: bool,
    ) -> Result<(), StepError> {
        let unknown = || StepError::Final(format!("policy `{id}` does not exist in the engine"));
        if !matches!(engine.choice, EngineChoice::Own { .. }) {
            return Err(unknown());
        }
        let original = match engine.client.in_account(ADMINISTRATOR).get_policy(id, true, soon()).await {
            Ok(original) => original.bundle,
            // He took it away; the copy is what the cluster was promised.
            Err(ClientError::NotFound { .. }) if is_there => return Ok(()),
            Err(ClientError::NotFound { .. }) => return Err(unknown()),
            Err(error) => return Err(of_engine("read a bundle of the administrator")(error)),
        };
        if is_there {
            let copy =
                engine.client.get_policy(id, true, soon()).await.map_err(of_engine("read a bundle"))?;
            if copy.bundle == original {
                return Ok(());
            }
            self.notes.push(format!("the administrator has changed the bundle `{id}`: it is copied again"));
        }
        if let Some(engine) = &mut self.inventory.engine
            && engine.copied.insert(id.to_owned())
        {
            self.save().await?;
        }
        self.add_bundle(&engine.client, id, &original).await
    }

    /// Makes the chosen bundle the one that judges, and takes away those of former specs.
    pub(in crate::services) async fn activate_policy(
        &mut self,
        engine: &ClusterEngine,
        spec: &Spec,
    ) -> Result<(), StepError> {
        let chosen = spec.policy.id();
        let there = engine.client.list_policies(soon()).await.map_err(of_engine("list policies"))?;
        let active = there.iter().find(|policy| policy.active).map(|policy| policy.id.clone());
        if let Some(inventory) = &mut self.inventory.engine {
            let is_foreign = matches!(inventory.choice, EngineChoice::Custom { .. });
            if is_foreign && inventory.former_policy.is_none() && inventory.policy.is_none() {
                inventory.former_policy = active.clone();
            }
            inventory.policy = Some(chosen.to_owned());
        }
        self.save().await?;
        if active.as_deref() != Some(chosen) {
            let what = format!("activate the policy `{chosen}`");
            engine.client.activate_policy(chosen, soon()).await.map_err(of_engine(&what))?;
        }
        let ours = self.inventory.engine.as_ref().map(|engine| engine.bundles.clone()).unwrap_or_default();
        for superseded in ours {
            let stays = superseded == chosen || super::super::checks::is_predefined(&superseded);
            if !stays {
                self.remove_bundle(&engine.client, &superseded).await?;
                if let Some(engine) = &mut self.inventory.engine {
                    engine.bundles.remove(&superseded);
                    engine.copied.remove(&superseded);
                }
                self.save().await?;
            }
        }
        Ok(())
    }

    async fn remove_bundle(&mut self, client: &Client, id: &str) -> Result<(), StepError> {
        match client.delete_policy(id, soon()).await {
            Ok(()) => Ok(()),
            // Somebody has made it the active one meanwhile.
            Err(ClientError::Refused { status: 409, .. }) => {
                self.notes.push(format!("the bundle `{id}` is in use and stays"));
                Ok(())
            }
            Err(error) => Err(of_engine(&format!("remove the bundle `{id}`"))(error)),
        }
    }

    /// Takes out of a foreign engine what was put in, and lets judge what judged before.
    pub(super) async fn leave_custom_engine(
        &mut self,
        client: &Client,
        engine: &EngineInventory,
    ) -> Result<(), StepError> {
        for registry in &engine.registries {
            let what = format!("remove the registry `{registry}`");
            client.delete_registry(registry, soon()).await.map_err(of_engine(&what))?;
        }
        let there = client.list_policies(soon()).await.map_err(of_engine("list policies"))?;
        let active = there.iter().find(|policy| policy.active).map(|policy| policy.id.as_str());
        if let Some(former) = &engine.former_policy
            && active == engine.policy.as_deref()
            && there.iter().any(|policy| policy.id == *former)
        {
            client.activate_policy(former, soon()).await.map_err(of_engine("put the former policy back"))?;
        }
        for bundle in &engine.bundles {
            self.remove_bundle(client, bundle).await?;
        }
        Ok(())
    }
}
