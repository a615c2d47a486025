//! What people ask about Pods that run.

use jiff::Timestamp;
use storage::Row;

use super::PodState;
use super::judgement::{Judgement, KeptReason, Outcome};
use super::store::{Progress, find_progress};
use crate::{Cluster, ControlPlane, StorageError};

/// Pods that are shown for one image; there may be more.
const PODS_MAX: i64 = 100;

/// How the Pods of a cluster were judged, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunningSummary {
    /// When the last look began.
    pub started_at: Option<Timestamp>,
    /// When the last complete look ended.
    pub finished_at: Option<Timestamp>,
    /// State of the policy that judged.
    pub policy_revision: String,
    /// State of the vulnerability data that judged.
    pub database_revision: String,
    /// Why there is no newer look, or what the cluster did not take.
    pub problem: String,
    /// Pods by state.
    pub pods: Vec<(PodState, i64)>,
    /// Images by state.
    pub images: Vec<(PodState, i64)>,
}

/// Which images are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunningFilter {
    /// Only those of this state.
    pub state: Option<PodState>,
    /// Those behind this one, in the order of their names.
    pub after: String,
    /// How many.
    pub limit: i64,
}

/// Images with what is known about them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningPage {
    /// In numbers.
    pub summary: RunningSummary,
    /// The images.
    pub images: Vec<ImageReport>,
    /// Behind which one to go on; `None`: this is the end.
    pub next: Option<String>,
}

/// What is known about an image that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageReport {
    /// The name that policies see, with the digest that runs.
    pub reference: String,
    /// Digest that was judged; empty while it is not known.
    pub digest: String,
    /// How it was judged.
    pub state: PodState,
    /// Why nobody knows, or why it is refused whatever is in it.
    pub why: String,
    /// Why it is refused; what is wrong with it although it passes.
    pub reasons: Vec<Told>,
    /// The bundle that judged.
    pub policy_id: String,
    /// State of the bundle.
    pub policy_revision: String,
    /// State of the vulnerability data.
    pub database_revision: String,
    /// When it was judged.
    pub judged_at: Option<Timestamp>,
    /// How many Pods run it.
    pub pods_count: i64,
    /// Some of them.
    pub pods: Vec<JudgedPod>,
}

/// A reason, as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// `stop` or `warn`.
    pub action: &'static str,
    /// Gate of the rule.
    pub gate: String,
    /// Trigger of the rule.
    pub trigger: String,
    /// What the rule says.
    pub message: String,
    /// The vulnerability.
    pub vulnerability: Option<String>,
    /// Its severity.
    pub severity: Option<String>,
    /// The package it is in.
    pub package: Option<String>,
    /// Its version.
    pub installed: Option<String>,
    /// The version that fixes it.
    pub fixed_in: Option<String>,
}

/// A Pod that runs an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedPod {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What manages it: kind and name.
    pub owner: Option<(String, String)>,
    /// Its release, or its own name.
    pub release: String,
    /// How it was judged as a whole.
    pub state: PodState,
}

impl ControlPlane {
    /// How the Pods of a cluster were judged, in numbers. `None`: they were not looked at.
    pub async fn running_summary(&self, cluster: &Cluster) -> Result<Option<RunningSummary>, StorageError> {
        let Some(progress) = find_progress(&self.storage, cluster.id).await? else { return Ok(None) };
        let Progress { basis, started_at, finished_at, failures: _, problem } = progress;
        let count = |sql: &'static str| async move {
            let rows: Vec<(String, i64)> = storage::query(sql)
                .bind(cluster.id)
                .fetch_all_as(&self.storage)
                .await
                .map_err(StorageError::at("count running Pods"))?;
            let states =
                rows.into_iter().filter_map(|(name, count)| Some((PodState::from_name(&name)?, count)));
            Ok::<_, StorageError>(states.collect())
        };
        Ok(Some(RunningSummary {
            started_at,
            finished_at,
            policy_revision: basis.policy_revision,
            database_revision: basis.database_revision,
            problem,
            pods: count(
                "SELECT state, count(*) FROM plane_running_pods WHERE cluster_id = $1 GROUP BY state ORDER BY state",
            )
            .await?,
            images: count(
                "SELECT state, count(*) FROM plane_running_images WHERE cluster_id = $1 GROUP BY state ORDER BY state",
            )
            .await?,
        }))
    }

    /// The images that run in a cluster with what is known about them. `None`: they were not looked at.
    pub async fn running_images(
        &self,
        cluster: &Cluster,
        filter: &RunningFilter,
    ) -> Result<Option<RunningPage>, StorageError> {
        let Some(summary) = self.running_summary(cluster).await? else { return Ok(None) };
        let rows = storage::query(
            "SELECT i.reference, i.state, i.verdict, (SELECT count(*) FROM plane_running_pod_images p \
                WHERE p.cluster_id = i.cluster_id AND p.reference = i.reference) AS pods \
             FROM plane_running_images i WHERE i.cluster_id = $1 AND i.reference > $2 AND ($3 = '' OR i.state = $3) \
             ORDER BY i.reference LIMIT $4",
        )
        .bind(cluster.id)
        .bind(&filter.after)
        .bind(filter.state.map(PodState::name).unwrap_or_default())
        .bind(filter.limit + 1)
        .fetch_all(&self.storage)
        .await
        .map_err(StorageError::at("list running images"))?;
        let limit = usize::try_from(filter.limit).unwrap_or(usize::MAX);
        let mut images = Vec::new();
        for row in rows.iter().take(limit) {
            let mut image = read_image(row)?;
            image.pods = self.pods_with(cluster, &image.reference).await?;
            images.push(image);
        }
        let next = (rows.len() > limit).then(|| images.last().map(|image| image.reference.clone())).flatten();
        Ok(Some(RunningPage { summary, images, next }))
    }

    async fn pods_with(&self, cluster: &Cluster, reference: &str) -> Result<Vec<JudgedPod>, StorageError> {
        let rows = storage::query(
            "SELECT p.namespace, p.name, p.subject, p.state FROM plane_running_pod_images i \
             JOIN plane_running_pods p ON p.cluster_id = i.cluster_id AND p.uid = i.uid \
             WHERE i.cluster_id = $1 AND i.reference = $2 ORDER BY p.namespace, p.name LIMIT $3",
        )
        .bind(cluster.id)
        .bind(reference)
        .bind(PODS_MAX)
        .fetch_all(&self.storage)
        .await
        .map_err(StorageError::at("list the Pods of an image"))?;
        let read = |row: &Row| -> Result<JudgedPod, Box<dyn std::error::Error + Send + Sync>> {
            let (subject, state): (String, String) = (row.get("subject")?, row.get("state")?);
            let subject: admission::audits::AuditSubject = serde_json::from_str(&subject)?;
            Ok(JudgedPod {
                namespace: row.get("namespace")?,
                name: row.get("name")?,
                owner: subject.owner.map(|owner| (owner.kind, owner.name)),
                release: subject.release.name,
                state: PodState::from_name(&state).unwrap_or(PodState::New),
            })
        };
        rows.iter().map(|row| read(row).map_err(StorageError::at("read a running Pod"))).collect()
    }
}

fn read_image(row: &Row) -> Result<ImageReport, StorageError> {
    let failed = StorageError::at("read a running image");
    let read = || -> Result<ImageReport, Box<dyn std::error::Error + Send + Sync>> {
        let (state, verdict): (String, String) = (row.get("state")?, row.get("verdict")?);
        let state = PodState::from_name(&state).unwrap_or(PodState::New);
        let mut report = ImageReport {
            reference: row.get("reference")?,
            digest: String::new(),
            state,
            why: String::new(),
            reasons: Vec::new(),
            policy_id: String::new(),
            policy_revision: String::new(),
            database_revision: String::new(),
            judged_at: None,
            pods_count: row.get("pods")?,
            pods: Vec::new(),
        };
        if state == PodState::New {
            return Ok(report);
        }
        let judgement: Judgement = serde_json::from_str(&verdict)?;
        (report.why, report.reasons) = match judgement.outcome {
            Outcome::Passed { warnings } => (String::new(), told("warn", warnings)),
            Outcome::Refused { reasons } => (String::new(), told("stop", reasons)),
            Outcome::RefusedUnseen { why } | Outcome::Undecided { why, .. } => (why, Vec::new()),
        };
        report.digest = judgement.digest.unwrap_or_default();
        report.policy_id = judgement.policy_id.unwrap_or_default();
        report.policy_revision = judgement.policy_revision;
        report.database_revision = judgement.database_revision;
        report.judged_at = Some(judgement.judged_at);
        Ok(report)
    };
    read().map_err(failed)
}

fn told(action: &'static str, reasons: Vec<KeptReason>) -> Vec<Told> {
    let one = |reason: KeptReason| {
        let KeptReason { gate, trigger, message, vulnerability, package, installed, fixed_in, severity } =
            reason;
        Told { action, gate, trigger, message, vulnerability, severity, package, installed, fixed_in }
    };
    reasons.into_iter().map(one).collect()
}
