//! One attempt to bring a service to what is wanted: what it knows, and how its steps are noted.

use std::sync::Arc;

use admission::InstallError;
use engine_client::ClientError;
use storage::Lease;

use super::checks::SecretProblem;
use super::inventory::Inventory;
use super::store::{ServiceRow, note_step, save_inventory};
use super::{SECURITY_SCAN, StepState, Wanted};
use crate::leases::LEASE;
use crate::processes;
use crate::security::listing::ListError;
use crate::storage_error::chain;
use crate::{Cluster, ClusterError, ControlPlane, ProcessStatus, SecretError, StorageError};

const MESSAGE_CHARS_MAX: usize = 1000;

/// Why a step did not work, by what is to be done.
#[derive(Debug)]
pub(crate) enum StepError {
    /// Again later, without anybody changing anything.
    Transient(String),
    /// Somebody has to change something.
    Final(String),
    /// Something newer is wanted: begin with that.
    Superseded,
    /// Somebody else works on it: stop.
    LeaseLost,
}

impl From<StorageError> for StepError {
    fn from(error: StorageError) -> Self {
        Self::Transient(chain(&error))
    }
}

impl From<SecretError> for StepError {
    fn from(error: SecretError) -> Self {
        match error {
            SecretError::Store(_) | SecretError::Storage(_) => Self::Transient(chain(&error)),
            other => Self::Final(chain(&other)),
        }
    }
}

impl From<SecretProblem> for StepError {
    fn from(problem: SecretProblem) -> Self {
        match problem {
            SecretProblem::Told(text) => Self::Final(text),
            SecretProblem::Secrets(error) => error.into(),
        }
    }
}

impl From<ClusterError> for StepError {
    fn from(error: ClusterError) -> Self {
        match error {
            ClusterError::Unreachable { .. } | ClusterError::Secrets(_) | ClusterError::Storage(_) => {
                Self::Transient(chain(&error))
            }
            other => Self::Final(chain(&other)),
        }
    }
}

impl From<InstallError> for StepError {
    fn from(error: InstallError) -> Self {
        let text = chain(&error);
        match error {
            InstallError::Object { source, .. } => of_kube(&source, text),
            InstallError::NotEstablished { .. } => Self::Transient(text),
            InstallError::OtherScope { .. } | InstallError::Yaml(_) => Self::Final(text),
        }
    }
}

/// What a failed call of the engine means; `what` was tried.
pub(crate) fn of_engine(what: &str) -> impl FnOnce(ClientError) -> StepError {
    move |error| {
        let text = format!("{what}: {}", chain(&error));
        if error.is_retryable() { StepError::Transient(text) } else { StepError::Final(text) }
    }
}

/// What it means that objects of a cluster cannot be listed.
pub(crate) fn of_list(error: ListError) -> StepError {
    match error {
        ListError::Forbidden(error) => StepError::Final(error.text()),
        ListError::Absent(error) | ListError::Failed(error) => error.into(),
    }
}

/// What a failed call of the API server means; `what` was tried.
pub(crate) fn of_cluster(what: &str) -> impl FnOnce(kube::Error) -> StepError {
    move |error| {
        let text = format!("{what}: {}", chain(&error));
        of_kube(&error, text)
    }
}

fn of_kube(error: &kube::Error, text: String) -> StepError {
    match error {
        kube::Error::Api(status) if status.code < 500 && status.code != 429 && status.code != 409 => {
            StepError::Final(text)
        }
        _ => StepError::Transient(text),
    }
}

/// The same word as processes have it.
fn process_status(state: StepState) -> ProcessStatus {
    match state {
        StepState::Running => ProcessStatus::Running,
        StepState::Done => ProcessStatus::Finished,
        StepState::Failed => ProcessStatus::Failed,
    }
}

/// One attempt.
pub(crate) struct Attempt {
    pub(crate) plane: Arc<ControlPlane>,
    pub(crate) row: ServiceRow,
    /// `None`: the cluster was deleted meanwhile.
    pub(crate) cluster: Option<Cluster>,
    pub(crate) inventory: Inventory,
    lease: Lease,
    step: Option<(i64, &'static str)>,
    steps_count: i64,
    /// Somebody who cancels is heard once: taking back what was done is not canceled.
    heeds_cancel: bool,
    /// What people should know about the step at work.
    pub(crate) notes: Vec<String>,
}

impl Attempt {
    pub(crate) async fn new(
        plane: Arc<ControlPlane>,
        row: ServiceRow,
        lease: Lease,
    ) -> Result<Self, StorageError> {
        let cluster = plane.find_cluster(row.organization, row.cluster).await?;
        let inventory = row.inventory.clone();
        // Cleaning up for a cluster that is gone is nobody's to cancel.
        let heeds_cancel = cluster.is_some();
        Ok(Self {
            plane,
            row,
            cluster,
            inventory,
            lease,
            step: None,
            steps_count: 0,
            heeds_cancel,
            notes: Vec::new(),
        })
    }

    /// Does what is wanted, in bounded time: whatever hangs must not keep its place from others.
    pub(super) async fn carry_out(&mut self) -> Result<(), StepError> {
        let time = self.plane.settings.services.attempt_time;
        let wanted = self.row.wanted;
        let work = async {
            match wanted {
                Wanted::Active => self.activate().await,
                Wanted::Removed => self.deactivate(false).await,
                Wanted::RemovedWithResources => self.deactivate(true).await,
            }
        };
        let ended = tokio::time::timeout(time, work).await;
        match ended {
            Ok(result) => result,
            Err(_) => self.end(Err(self.too_slow())).await,
        }
    }

    /// Takes back what an activation did, in bounded time.
    pub(super) async fn take_back(&mut self) -> Result<(), StepError> {
        let time = self.plane.settings.services.attempt_time;
        let ended = tokio::time::timeout(time, self.roll_back()).await;
        match ended {
            Ok(result) => result,
            Err(_) => self.end(Err(self.too_slow())).await,
        }
    }

    fn too_slow(&self) -> StepError {
        let step = self.step.map_or("", |(_, step)| step);
        let time = self.plane.settings.services.attempt_time;
        StepError::Transient(format!(
            "the attempt took longer than {} s (control-plane.service-attempt-time) and was ended in the step `{step}`",
            time.as_secs_f64()
        ))
    }

    /// The row that is worked for.
    pub(crate) fn key(&self) -> (i64, &'static str, i64) {
        (self.row.cluster, SECURITY_SCAN, self.row.version)
    }

    /// Whether only cleaning up is left, for a cluster that was deleted.
    pub(super) fn is_orphan(&self) -> bool {
        self.cluster.is_none() && self.row.wanted != Wanted::Active
    }

    pub(crate) fn require_cluster(&self) -> Result<&Cluster, StepError> {
        self.cluster.as_ref().ok_or_else(|| StepError::Final("the cluster was deleted".to_owned()))
    }

    /// Notes that a step begins. Errors: somebody canceled it.
    pub(crate) async fn begin(&mut self, name: &'static str) -> Result<(), StepError> {
        let about = (self.row.cluster, SECURITY_SCAN);
        if self.heeds_cancel
            && let Some(by) = processes::canceled_by(&self.plane.storage, about).await?
        {
            self.heeds_cancel = false;
            return Err(StepError::Final(format!("canceled by {by}")));
        }
        self.steps_count += 1;
        self.step = Some((self.steps_count, name));
        self.notes.clear();
        tracing::debug!(cluster.id = self.row.cluster, service.step = name, "step begins");
        self.note(StepState::Running, "").await
    }

    /// Notes how the step ended, and hands its result on.
    pub(crate) async fn end<T>(&mut self, result: Result<T, StepError>) -> Result<T, StepError> {
        match &result {
            Ok(_) => {
                let message = self.notes.join("; ");
                self.note(StepState::Done, &message).await?;
            }
            Err(StepError::Transient(text) | StepError::Final(text)) => {
                let text = text.clone();
                self.note(StepState::Failed, &text).await?;
            }
            Err(StepError::Superseded | StepError::LeaseLost) => {}
        }
        result
    }

    async fn note(&mut self, state: StepState, message: &str) -> Result<(), StepError> {
        let Some(step) = self.step else { return Ok(()) };
        let message: String = message.chars().take(MESSAGE_CHARS_MAX).collect();
        let now = self.plane.now();
        let mut tx = self.plane.storage.begin().await.map_err(StorageError::at("begin"))?;
        self.hold(&mut tx).await?;
        let (cluster, name, _) = self.key();
        note_step(&mut tx, (cluster, name), step, (state, &message), now).await?;
        processes::note(&mut tx, (cluster, name), (step.1, process_status(state).name(), &message), now)
            .await?;
        tx.commit().await.map_err(StorageError::at("commit"))?;
        Ok(())
    }

    /// Stores the inventory: call it before what is in it is done, and after what is no longer in it is undone.
    pub(crate) async fn save(&mut self) -> Result<(), StepError> {
        let mut tx = self.plane.storage.begin().await.map_err(StorageError::at("begin"))?;
        self.hold(&mut tx).await?;
        if !save_inventory(&mut tx, self.key(), &self.inventory).await? {
            return Err(StepError::Superseded);
        }
        tx.commit().await.map_err(StorageError::at("commit"))?;
        Ok(())
    }

    /// In this transaction the work is still ours, and still wanted.
    async fn hold(&self, tx: &mut storage::WriteTransaction) -> Result<(), StepError> {
        let until = self.plane.now() + LEASE;
        let is_ours = storage::heartbeat(tx, self.lease, until)
            .await
            .map_err(StorageError::at("prolong the work on a service"))?;
        if !is_ours {
            return Err(StepError::LeaseLost);
        }
        let (cluster, name, version) = self.key();
        let newest: Option<i64> =
            storage::query("SELECT version FROM plane_services WHERE cluster_id = $1 AND name = $2")
                .bind(cluster)
                .bind(name)
                .fetch_optional_value(tx)
                .await
                .map_err(StorageError::at("read the version of a service"))?;
        if newest == Some(version) { Ok(()) } else { Err(StepError::Superseded) }
    }
}
