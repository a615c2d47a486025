//! Deactivation: what is in the inventory is taken away again, enforcement first.

use super::attempt::{Attempt, StepError};

impl Attempt {
    /// Takes away what was added. The definitions with whitelist items of others and audits stay, unless told otherwise.
    pub(super) async fn deactivate(&mut self, with_resources: bool) -> Result<(), StepError> {
        // Of a cluster that was deleted only what is in engines is left to do.
        if self.cluster.is_some() {
            self.begin("cluster").await?;
            let result = self.reach_known_cluster().await;
            let client = self.end(result).await?;

            self.begin("webhook").await?;
            let result = self.remove_webhook(&client).await;
            self.end(result).await?;

            self.begin("namespaces").await?;
            let result = self.restore_namespaces(&client).await;
            self.end(result).await?;

            self.begin("whitelist").await?;
            let result = self.remove_white_list(&client).await;
            self.end(result).await?;

            if with_resources && self.inventory.has_definitions {
                self.begin("definitions").await?;
                let result = self.remove_definitions(&client).await;
                self.end(result).await?;
            }

            self.begin("release").await?;
            let result = self.release_cluster(&client).await;
            self.end(result).await?;
        }
        self.begin("engine").await?;
        let result = self.leave_engines().await;
        self.end(result).await
    }

    /// The same for an activation that never was one. A cluster in which nothing was changed is not asked.
    pub(super) async fn roll_back(&mut self) -> Result<(), StepError> {
        if self.inventory.is_in_cluster() && self.cluster.is_some() {
            self.begin("roll back the cluster").await?;
            let result = self.roll_back_cluster().await;
            self.end(result).await?;
        }
        if self.inventory.is_empty() {
            return Ok(());
        }
        self.begin("roll back the engine").await?;
        let result = self.leave_engines().await;
        self.end(result).await
    }

    async fn roll_back_cluster(&mut self) -> Result<(), StepError> {
        let client = self.reach_known_cluster().await?;
        self.remove_webhook(&client).await?;
        self.restore_namespaces(&client).await?;
        self.remove_white_list(&client).await?;
        self.release_cluster(&client).await
    }

    async fn reach_known_cluster(&mut self) -> Result<kube::Client, StepError> {
        let client = self.reach_cluster().await?;
        if self.inventory.is_in_cluster() {
            self.recognize_cluster(&client).await?;
        }
        Ok(client)
    }
}
