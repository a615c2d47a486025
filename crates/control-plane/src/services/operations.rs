//! What people ask about services: list, look, activate, change, deactivate. What is wanted and the job that does it are stored
//! in one transaction.

use std::collections::BTreeMap;

use jiff::Timestamp;
use storage::{NewJob, WriteTransaction};

use super::spec::{Input, RawSpec, read_input, read_spec};
use super::store::{NewWish, find, want};
use super::worker::{JOB_KIND, job_key};
use super::{SECURITY_SCAN, ServiceDetails, ServiceError, ServiceStatus, Wanted};
use crate::clusters::is_going;
use crate::engines::soon;
use crate::processes::{self, NewProcess};
use crate::{Cluster, ControlPlane, ProcessKind, StorageError, User};

const PREFIX: &str = "invalid integrated service spec: ";
const WRAP_HINT: &str = "the request holds no spec: send the whole document as {\"spec\": {\"policy\": {\"policyId\": \"…\"}, …}} \
    (older clients drop whatever is not inside `spec`)";
/// Crashes count as well; failures that are noticed have a limit of their own.
const CLAIMS_MAX: i64 = 1000;
/// Somebody is waiting.
const PRIORITY: i64 = 10;

impl ControlPlane {
    /// The services of a cluster, by name; those that are not active are not in it.
    pub async fn list_services(
        &self,
        cluster: &Cluster,
    ) -> Result<BTreeMap<String, ServiceStatus>, ServiceError> {
        let rows = self.service_rows(cluster.organization_id, cluster.id).await?;
        Ok(rows
            .into_iter()
            .filter_map(|(name, status)| Some((name, ServiceStatus::from_name(&status)?)))
            .collect())
    }

    /// A service of a cluster; `None`: it is not active.
    pub async fn service_details(
        &self,
        cluster: &Cluster,
        service: &str,
    ) -> Result<Option<ServiceDetails>, ServiceError> {
        require_known(service)?;
        let Some(row) = find(&self.storage, cluster.id, service).await? else { return Ok(None) };
        let steps = self.service_steps(cluster.id, service).await?;
        let engine_version = match self.own_engine() {
            Some(Ok(client)) => client.version(soon()).await.unwrap_or_default(),
            _ => String::new(),
        };
        let webhook = row.inventory.webhook.is_some();
        Ok(Some(ServiceDetails {
            status: row.status,
            spec: serde_json::from_str(&row.spec).unwrap_or_default(),
            reason: row.reason,
            steps,
            engine_version,
            running: self.running_summary(cluster).await?,
            webhook_version: if webhook { self.settings.program_version.clone() } else { String::new() },
        }))
    }

    /// Wants a service in a cluster. One in error is tried again.
    pub async fn activate_service(
        &self,
        cluster: &Cluster,
        service: &str,
        body: &[u8],
        user: &User,
    ) -> Result<(), ServiceError> {
        require_known(service)?;
        let may_begin = |status: Option<ServiceStatus>| match status {
            None | Some(ServiceStatus::Error) => Ok(()),
            Some(ServiceStatus::Pending | ServiceStatus::Active) => {
                Err(ServiceError::AlreadyActive(service.to_owned()))
            }
        };
        // Who has it already need not be told about his spec.
        may_begin(find(&self.storage, cluster.id, service).await?.map(|row| row.status))?;
        let spec = self.checked_spec(cluster, body).await?;
        self.want_service(cluster, service, &spec, Wanted::Active, user, may_begin).await
    }

    /// Wants a service with another spec; one that is not active is activated.
    pub async fn update_service(
        &self,
        cluster: &Cluster,
        service: &str,
        body: &[u8],
        user: &User,
    ) -> Result<(), ServiceError> {
        require_known(service)?;
        let spec = self.checked_spec(cluster, body).await?;
        self.want_service(cluster, service, &spec, Wanted::Active, user, |_| Ok(())).await
    }

    /// Wants a service no longer: what it added goes; the custom resources stay unless `with_resources` says otherwise.
    pub async fn deactivate_service(
        &self,
        cluster: &Cluster,
        service: &str,
        with_resources: bool,
        user: &User,
    ) -> Result<(), ServiceError> {
        require_known(service)?;
        let not_active = || ServiceError::NotActive { service: service.to_owned(), cluster: cluster.id };
        let row = find(&self.storage, cluster.id, service).await?.ok_or_else(not_active)?;
        let wanted = if with_resources { Wanted::RemovedWithResources } else { Wanted::Removed };
        let is_there = |status: Option<ServiceStatus>| status.map(drop).ok_or_else(not_active);
        self.want_service(cluster, service, &row.spec, wanted, user, is_there).await
    }

    async fn want_service(
        &self,
        cluster: &Cluster,
        service: &str,
        spec: &str,
        wanted: Wanted,
        user: &User,
        may_begin: impl Fn(Option<ServiceStatus>) -> Result<(), ServiceError>,
    ) -> Result<(), ServiceError> {
        let now = self.now();
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        if wanted == Wanted::Active && is_going(&mut tx, cluster).await? {
            return Err(ServiceError::ClusterGoes(cluster.name.clone()));
        }
        let former = find(&mut tx, cluster.id, service).await?.map(|row| row.status);
        may_begin(former)?;
        let wish = NewWish {
            cluster: cluster.id,
            organization: cluster.organization_id,
            name: service,
            spec,
            wanted,
            by: &user.login,
        };
        want(&mut tx, &wish, now).await?;
        let process = NewProcess {
            organization: cluster.organization_id,
            about: (cluster.id, service),
            kind: match (wanted, former) {
                (Wanted::Active, None | Some(ServiceStatus::Error)) => ProcessKind::ServiceActivate,
                (Wanted::Active, Some(_)) => ProcessKind::ServiceUpdate,
                (Wanted::Removed | Wanted::RemovedWithResources, _) => ProcessKind::ServiceDeactivate,
            },
            by: &user.login,
        };
        processes::begin(&mut tx, &process, now).await?;
        enqueue_work(&mut tx, cluster.id, service, now).await?;
        tx.commit().await.map_err(StorageError::at("commit"))?;
        self.services_changed.notify_one();
        Ok(())
    }

    /// The spec of a body as it is kept, when all that can be known beforehand says that it can be carried out.
    async fn checked_spec(&self, cluster: &Cluster, body: &[u8]) -> Result<String, ServiceError> {
        let input = read_input(body).map_err(|error| ServiceError::BadRequest(error.to_string()))?;
        let (object, is_empty) = match input {
            Input::Spec(object) => (object, false),
            Input::Empty => (serde_json::Map::new(), true),
        };
        let raw: RawSpec = read_spec(&object).map_err(|problems| ServiceError::Invalid {
            detail: format!(
                "{PREFIX}{PREFIX}{PREFIX}failed to bind integrated service spec: {}",
                problems.join("; ")
            ),
            problems,
        })?;
        let invalid = |mut problems: Vec<String>| {
            if is_empty {
                problems.push(WRAP_HINT.to_owned());
            }
            ServiceError::Invalid { detail: format!("{PREFIX}{PREFIX}{}", problems.join("; ")), problems }
        };
        let spec = super::validation::validate(raw, &self.settings.services.namespace).map_err(invalid)?;
        let problems = self.check_surroundings(cluster, &spec).await?;
        if !problems.is_empty() {
            return Err(invalid(problems));
        }
        Ok(serde_json::Value::Object(object).to_string())
    }
}

/// Wants the work on a service, in the transaction of the change that causes it.
pub(super) async fn enqueue_work(
    tx: &mut WriteTransaction,
    cluster: i64,
    service: &str,
    now: Timestamp,
) -> Result<(), StorageError> {
    let key = job_key(cluster, service);
    let job = NewJob {
        kind: JOB_KIND,
        dedupe_key: &key,
        payload: "",
        priority: PRIORITY,
        attempts_max: CLAIMS_MAX,
    };
    storage::enqueue(tx, &job, now, now).await.map_err(StorageError::at("want work on a service"))?;
    // One that waits for its next attempt at the former spec begins now.
    hurry_service(tx, cluster, service, now).await
}

/// Work on a service that waits for its next attempt begins now.
pub(crate) async fn hurry_service(
    tx: &mut WriteTransaction,
    cluster: i64,
    service: &str,
    now: Timestamp,
) -> Result<(), StorageError> {
    let hurried = storage::hurry(tx, JOB_KIND, &job_key(cluster, service), now).await;
    hurried.map(drop).map_err(StorageError::at("hurry work on a service"))
}

fn require_known(service: &str) -> Result<(), ServiceError> {
    if service == SECURITY_SCAN { Ok(()) } else { Err(ServiceError::Unknown(service.to_owned())) }
}
