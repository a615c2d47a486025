//! Registries of a spec, as the engine knows them.

use engine_client::{NewRegistry, Password};

use crate::engines::{ClusterEngine, Credentials, soon};
use crate::services::attempt::{Attempt, StepError, of_engine};
use crate::services::validation::Spec;

impl Attempt {
    /// Tells the engine who the cluster is at which registry; those of former specs go.
    pub(in crate::services) async fn put_registries(
        &mut self,
        engine: &ClusterEngine,
        spec: &Spec,
    ) -> Result<(), StepError> {
        let ours = self.inventory.engine.as_ref().map(|engine| engine.registries.clone()).unwrap_or_default();
        for former in ours {
            if !spec.registries.iter().any(|registry| registry.registry == former) {
                let what = format!("remove the registry `{former}`");
                engine.client.delete_registry(&former, soon()).await.map_err(of_engine(&what))?;
                if let Some(engine) = &mut self.inventory.engine {
                    engine.registries.remove(&former);
                }
                self.save().await?;
            }
        }
        if spec.registries.is_empty() {
            return Ok(());
        }
        let there = engine.client.list_registries(soon()).await.map_err(of_engine("list registries"))?;
        for registry in &spec.registries {
            let name = &registry.registry;
            let Credentials { user, password } =
                self.plane.registry_credentials(self.row.organization, registry).await?;
            let is_there = there.iter().any(|found| found.registry == *name);
            // One that somebody else has added stays when the service goes.
            if let Some(engine) = &mut self.inventory.engine
                && !is_there
                && engine.registries.insert(name.clone())
            {
                self.save().await?;
            }
            if is_there {
                // Foreign engines do not change a registry rightly; adding it anew is what works everywhere.
                let what = format!("replace the registry `{name}`");
                engine.client.delete_registry(name, soon()).await.map_err(of_engine(&what))?;
            }
            let new = NewRegistry {
                registry: name.clone(),
                name: name.clone(),
                user,
                password: Password(password),
                kind: registry.kind.name().to_owned(),
                verify: !registry.is_insecure,
            };
            let what = format!("add the registry `{name}`");
            engine.client.add_registry(&new, true, soon()).await.map_err(of_engine(&what))?;
        }
        Ok(())
    }
}
