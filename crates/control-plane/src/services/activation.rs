//! Activation, step by step, in the order in which nothing is enforced before it is known what, and where not.

use super::attempt::{Attempt, StepError};
use super::spec::read_spec;
use super::validation::{Spec, validate};
use crate::engines::ClusterEngine;

impl Attempt {
    /// Brings the cluster to what the spec says. Every step may have been done before.
    pub(super) async fn activate(&mut self) -> Result<(), StepError> {
        let spec = self.spec()?;

        self.begin("cluster").await?;
        let result = self.reach_and_claim_cluster().await;
        let client = self.end(result).await?;

        self.begin("engine").await?;
        let result = self.prepare_engine(&spec).await;
        let engine = self.end(result).await?;

        // What an engine refuses most often comes before anything that changes how Pods are judged.
        self.begin("registries").await?;
        let result = self.put_registries(&engine, &spec).await;
        self.end(result).await?;

        self.begin("policies").await?;
        let result = self.put_policies(&engine, &spec).await;
        self.end(result).await?;

        self.begin("policy").await?;
        let result = self.activate_policy(&engine, &spec).await;
        self.end(result).await?;

        self.begin("definitions").await?;
        let result = self.put_definitions(&client).await;
        self.end(result).await?;

        self.begin("whitelist").await?;
        let result = self.put_white_list(&client, &spec).await;
        self.end(result).await?;

        self.begin("namespaces").await?;
        let result = self.label_namespaces(&client, &spec.enforcement).await;
        self.end(result).await?;

        self.begin("server").await?;
        let result = self.put_server(&client, &engine, &spec).await;
        self.end(result).await?;

        self.begin("webhook").await?;
        let result = self.put_webhook(&client, &engine, &spec).await;
        self.end(result).await?;

        self.begin("ready").await?;
        let result = self.wait_until_asked(&client, &spec).await;
        self.end(result).await?;

        self.begin("former engines").await?;
        let result = self.leave_what_was_before(&engine, &spec).await;
        self.end(result).await
    }

    async fn reach_and_claim_cluster(&mut self) -> Result<kube::Client, StepError> {
        let client = self.reach_cluster().await?;
        self.claim_cluster(&client).await?;
        Ok(client)
    }

    /// What former specs needed goes when all that this one needs works.
    async fn leave_what_was_before(&mut self, engine: &ClusterEngine, spec: &Spec) -> Result<(), StepError> {
        self.remove_former_registries(engine, spec).await?;
        self.leave_former_engines().await
    }

    /// The spec of the row: it was checked before it was stored.
    fn spec(&self) -> Result<Spec, StepError> {
        let broken = |what: String| StepError::Final(format!("the stored spec cannot be used: {what}"));
        let value: serde_json::Value =
            serde_json::from_str(&self.row.spec).map_err(|error| broken(error.to_string()))?;
        let object = value.as_object().ok_or_else(|| broken("it is no object".to_owned()))?;
        let raw = read_spec(object).map_err(|problems| broken(problems.join("; ")))?;
        validate(raw, &self.plane.settings.services.namespace).map_err(|problems| broken(problems.join("; ")))
    }
}
