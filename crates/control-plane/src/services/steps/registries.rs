//! Registries of a spec, as the engine knows them.

use engine_client::{ClientError, NewRegistry, Password};

use crate::engines::{ClusterEngine, Credentials, EngineChoice, soon};
use crate::services::attempt::{Attempt, StepError, of_engine};
use crate::services::validation::Spec;

/// The status of engines for a registry that does not take a login.
const NOT_ACCEPTABLE: u16 = 406;
/// What somebody can do whose registry is not taken.
const ADVICE: &str = "correct the user and the password in the registry's secret, or take the registry out of the service if it \
    lets everybody in: images of such a registry are pulled without a login";

impl Attempt {
    /// Tells the engine who the cluster is at which registry; those of former specs go in the end.
    pub(in crate::services) async fn put_registries(
        &mut self,
        engine: &ClusterEngine,
        spec: &Spec,
    ) -> Result<(), StepError> {
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
            let new = NewRegistry {
                registry: name.clone(),
                name: name.clone(),
                user,
                password: Password(password),
                kind: registry.kind.name().to_owned(),
                verify: !registry.is_insecure,
            };
            put_registry(engine, &new, is_there).await?;
        }
        Ok(())
    }

    /// Takes away the registries of former specs.
    pub(in crate::services) async fn remove_former_registries(
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
        Ok(())
    }
}

/// Adds a registry, or changes one so that credentials that are refused leave the former ones in force.
async fn put_registry(engine: &ClusterEngine, new: &NewRegistry, is_there: bool) -> Result<(), StepError> {
    let name = &new.registry;
    let client = &engine.client;
    match (is_there, &engine.choice) {
        (true, EngineChoice::Own { .. }) => {
            let what = format!("change the registry `{name}`");
            client.update_registry(new, true, soon()).await.map_err(of_check(&what))?;
            return Ok(());
        }
        (true, EngineChoice::Custom { .. }) => {
            // Foreign engines do not change a registry rightly; adding it anew is what works everywhere.
            let what = format!("replace the registry `{name}`");
            client.delete_registry(name, soon()).await.map_err(of_engine(&what))?;
        }
        (false, _) => {}
    }
    let what = format!("add the registry `{name}`");
    client.add_registry(new, true, soon()).await.map_err(of_check(&what))?;
    Ok(())
}

/// What it means that an engine does not take a registry. Its text speaks to who calls it himself.
fn of_check(what: &str) -> impl FnOnce(ClientError) -> StepError {
    move |error| match error {
        ClientError::Refused { status: NOT_ACCEPTABLE, message, .. } => {
            let message = message.split("; validate=false").next().unwrap_or_default();
            StepError::Final(format!("{what}: {message}; {ADVICE}"))
        }
        error => of_engine(what)(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_that_is_refused_says_what_a_spec_can_do() {
        let refused = |status, message: &str| {
            let error = ClientError::Refused { status, message: message.to_owned(), codes: Vec::new() };
            match of_check("add the registry `r`")(error) {
                StepError::Final(text) | StepError::Transient(text) => text,
                other => format!("{other:?}"),
            }
        };
        let text = refused(406, "the registry lets everybody in; validate=false stores it all the same");
        assert_eq!(text, format!("add the registry `r`: the registry lets everybody in; {ADVICE}"));
        assert!(!refused(400, "bad").contains(ADVICE));
    }
}
