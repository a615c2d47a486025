//! The question of an admission webhook in the same process: may this image run?

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use model::{
    Action, Decision, DecisionReason, DecisionRow, Digest, ImageReference, MatchReport, Verdict,
    VerdictReason,
};
use policy::Bundle;
use scanner::{ScanError, ScanErrorKind, ScanOptions};
use serde_json::Map;
use tokio::time::Instant;

use crate::evaluation::judging_revision;
use crate::images::want_analysis;
use crate::storage_error::chain;
use crate::{
    AddImage, AddImageError, AnalysisStatus, Engine, EvaluateError, Evaluation, EvaluationQuestion,
    ImageFilter, ImageRecord, Pull, StorageError,
};

/// Who waits for a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// Somebody is waiting: before everything that was added for later.
    Waited,
    /// The Pod runs anyway: behind everything else.
    Unhurried,
}

impl Urgency {
    fn priority(self) -> i64 {
        match self {
            Self::Waited => 10,
            Self::Unhurried => -10,
        }
    }
}

/// Another process may end the analysis, which nobody here announces.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub enum VerdictError {
    /// Nobody knows yet: the time was too short, or the registry does not answer. Asking again helps.
    #[error("undecided: {reason}")]
    Undecided {
        /// What is being waited for, or what failed.
        reason: String,
    },
    /// There is no such image, or it is refused to us.
    #[error("image `{reference}` cannot be had: {reason}")]
    Unavailable {
        /// What was asked for.
        reference: String,
        /// What kind of obstacle it is.
        kind: ScanErrorKind,
        /// What the registry says.
        reason: String,
    },
    /// The image cannot be analyzed, today or tomorrow.
    #[error("image `{digest}` could not be analyzed: {reason}")]
    AnalysisFailed {
        /// The image.
        digest: Digest,
        /// Why.
        reason: String,
    },
    /// No policy is active, so nobody has said what may run.
    #[error("no policy is active")]
    NoActivePolicy,
    /// Ours.
    #[error("compute the verdict")]
    Internal(#[source] EvaluateError),
}

impl From<StorageError> for VerdictError {
    fn from(error: StorageError) -> Self {
        Self::Internal(error.into())
    }
}

/// What verdicts rest on right now.
#[derive(Debug, Clone)]
pub struct VerdictState {
    /// The active bundle.
    pub bundle: Arc<Bundle>,
    /// Its id.
    pub policy_id: String,
    /// Its revision, and that of the administrator's exceptions where there are some.
    pub policy_revision: String,
    /// Revision of the vulnerability data, or `none`.
    pub database_revision: String,
}

impl Engine {
    /// What verdicts of an account rest on right now: who keeps verdicts compares it.
    pub async fn verdict_state(&self, account: &str) -> Result<VerdictState, VerdictError> {
        let policy = self.find_active_policy(account).await?.ok_or(VerdictError::NoActivePolicy)?;
        let bundle = self
            .compiled(&policy)
            .map_err(|error| StorageError::new("read the stored policy bundle", error))?;
        let database_revision = self.vulnerability_data().await.revision();
        let exceptions = self.account_exceptions(account, self.now()).await?;
        let policy_revision = judging_revision(&policy, &exceptions);
        Ok(VerdictState { bundle, policy_id: policy.id, policy_revision, database_revision })
    }

    /// Judges an image by the active bundle of an account, analyzing it first if need be.
    ///
    /// Waits no longer than `deadline`; the analysis goes on after it, so a later question finds it done. A reference
    /// with a digest that is known asks no registry.
    pub async fn verdict(
        &self,
        account: &str,
        reference: &ImageReference,
        deadline: Instant,
    ) -> Result<Verdict, VerdictError> {
        self.verdict_with(account, reference, deadline, Urgency::Waited).await
    }

    /// The same for whoever is, or is not, in a hurry.
    pub async fn verdict_with(
        &self,
        account: &str,
        reference: &ImageReference,
        deadline: Instant,
        urgency: Urgency,
    ) -> Result<Verdict, VerdictError> {
        let priority = urgency.priority();
        let (image, resolved_at) = self.find_or_add(account, reference, deadline, priority).await?;
        let image = self.wait_for_analysis(account, image, deadline).await?;
        let question = EvaluationQuestion {
            account: account.to_owned(),
            filter: ImageFilter::Digest(image.digest.clone()),
            tag: reference.to_string(),
            policy_id: None,
            is_stored: true,
        };
        let evaluation = tokio::time::timeout_at(deadline, self.evaluate(&question))
            .await
            .map_err(|_| undecided("the evaluation is not done yet"))?
            .map_err(from_evaluate)?;
        Ok(to_verdict(evaluation, resolved_at))
    }

    async fn find_or_add(
        &self,
        account: &str,
        reference: &ImageReference,
        deadline: Instant,
        priority: i64,
    ) -> Result<(ImageRecord, Timestamp), VerdictError> {
        if let Some(digest) = reference.digest() {
            let filter = ImageFilter::Digest(digest.clone());
            if let Some(image) = self.find_images(account, &filter).await?.into_iter().next()
                && image.status != AnalysisStatus::AnalysisFailed
                && image.image_status == crate::ImageStatus::Active
            {
                if image.status == AnalysisStatus::NotAnalyzed {
                    self.hurry(reference, &image.digest, priority).await?;
                }
                return Ok((image, self.now()));
            }
        }
        let request = AddImage {
            account: account.to_owned(),
            // Beside a digest the tag is only decoration: it must not move to an image that somebody has pinned.
            reference: reference
                .digest()
                .map_or_else(|| reference.clone(), |digest| reference.at_digest(digest.clone())),
            pull: Pull::Reference,
            annotations: Map::new(),
            dockerfile: None,
            created_at: None,
            force: false,
            priority,
            autosubscribe: false,
        };
        let time_left = deadline.saturating_duration_since(Instant::now());
        let options = ScanOptions { time_max: time_left, ..self.settings.scan.clone() };
        let added = tokio::time::timeout_at(deadline, self.add_image_with(&request, &options))
            .await
            .map_err(|_| undecided("the registry has not answered yet"))?
            .map_err(|error| from_add(reference, error))?;
        Ok((added, self.now()))
    }

    /// Moves a wanted analysis before those that nobody waits for.
    async fn hurry(
        &self,
        reference: &ImageReference,
        digest: &Digest,
        priority: i64,
    ) -> Result<(), StorageError> {
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        want_analysis(&mut tx, reference, digest, priority, self.now())
            .await
            .map_err(StorageError::at("want the analysis"))?;
        tx.commit().await.map_err(StorageError::at("commit"))?;
        self.work_arrived.notify_one();
        Ok(())
    }

    async fn wait_for_analysis(
        &self,
        account: &str,
        mut image: ImageRecord,
        deadline: Instant,
    ) -> Result<ImageRecord, VerdictError> {
        let mut changes = self.analyses_changed.subscribe();
        let filter = ImageFilter::Digest(image.digest.clone());
        loop {
            // Marked as seen before the table is read: a change in between wakes the next wait.
            changes.mark_unchanged();
            if let Some(found) = self.find_images(account, &filter).await?.into_iter().next() {
                image = found;
            }
            match image.status {
                AnalysisStatus::Analyzed => return Ok(image),
                AnalysisStatus::AnalysisFailed => {
                    let reason = image.analysis_error.unwrap_or_default();
                    return Err(VerdictError::AnalysisFailed { digest: image.digest, reason });
                }
                AnalysisStatus::NotAnalyzed | AnalysisStatus::Analyzing => {}
            }
            let wait = deadline.min(Instant::now() + LOOK_AGAIN);
            if Instant::now() >= deadline {
                let last = image.analysis_error.map(|reason| format!(" (last attempt: {reason})"));
                return Err(undecided(&format!(
                    "the analysis of `{}` is not done yet: {}{}",
                    image.digest,
                    image.status.name(),
                    last.unwrap_or_default()
                )));
            }
            // Either way the table is read again.
            let _ = tokio::time::timeout_at(wait, changes.changed()).await;
        }
    }
}

fn undecided(reason: &str) -> VerdictError {
    VerdictError::Undecided { reason: reason.to_owned() }
}

fn from_add(reference: &ImageReference, error: AddImageError) -> VerdictError {
    match error {
        AddImageError::Registry(error) => from_scan(reference, &error),
        AddImageError::Login(crate::LoginError::Scan(error)) => from_scan(reference, &error),
        AddImageError::Login(error) => undecided(&chain(&error)),
        AddImageError::Storage(error) => error.into(),
        other @ (AddImageError::NoAccount(_)
        | AddImageError::DockerfileNeedsForce { .. }
        | AddImageError::ForceNeedsKnownDigest) => StorageError::new("add the image", other).into(),
    }
}

fn from_scan(reference: &ImageReference, error: &ScanError) -> VerdictError {
    let reason = chain(error);
    match error.kind() {
        ScanErrorKind::RateLimited
        | ScanErrorKind::Unreachable
        | ScanErrorKind::Cancelled
        | ScanErrorKind::Io => VerdictError::Undecided { reason },
        // The limit of time is the caller's deadline; every other limit is the image's fault.
        ScanErrorKind::LimitExceeded if error.is_retryable() => VerdictError::Undecided { reason },
        kind @ (ScanErrorKind::NotFound
        | ScanErrorKind::Unauthorized
        | ScanErrorKind::BadImage
        | ScanErrorKind::LimitExceeded
        | ScanErrorKind::Unsupported) => {
            VerdictError::Unavailable { reference: reference.to_string(), kind, reason }
        }
    }
}

fn from_evaluate(error: EvaluateError) -> VerdictError {
    match error {
        EvaluateError::NoActivePolicy(_) => VerdictError::NoActivePolicy,
        EvaluateError::NotAnalyzed { .. } => undecided("the image is being analyzed again"),
        other => VerdictError::Internal(other),
    }
}

fn to_verdict(evaluation: Evaluation, resolved_at: Timestamp) -> Verdict {
    let decision = &evaluation.decision;
    let rows = |action| {
        let of_action = decision.rows.iter().filter(move |row: &&DecisionRow| row.action == action);
        of_action.map(|row| to_reason(row, &evaluation.report)).collect::<Vec<_>>()
    };
    let is_pass = decision.is_pass();
    Verdict {
        is_pass,
        reasons: if is_pass { Vec::new() } else { refusals(decision, rows(Action::Stop)) },
        warnings: rows(Action::Warn),
        digest: evaluation.image.digest.clone(),
        resolved_at,
        policy_id: evaluation.policy.id.clone(),
        policy_revision: evaluation.policy_revision.clone(),
        database_revision: evaluation.database_revision.clone(),
        evaluated_at: evaluation.evaluated_at,
    }
}

/// A refusal always has a reason, even when no rule matched.
fn refusals(decision: &Decision, rows: Vec<VerdictReason>) -> Vec<VerdictReason> {
    let of_bundle = |trigger: &str, message: String| VerdictReason {
        gate: "bundle".to_owned(),
        trigger: trigger.to_owned(),
        message,
        vulnerability: None,
        package: None,
        installed: None,
        fixed_in: None,
        severity: None,
    };
    let mut reasons = Vec::new();
    if decision.reason == DecisionReason::Blacklisted {
        reasons
            .push(of_bundle("blacklisted_images", "the policy bundle denies this image by name".to_owned()));
    }
    reasons.extend(rows);
    let problems = decision.problems.iter();
    reasons.extend(problems.map(|problem| of_bundle(&problem.problem_type, problem.details.clone())));
    if reasons.is_empty() {
        reasons.push(of_bundle(
            "final_action",
            format!("policy bundle `{}` refuses this image", decision.policy_id),
        ));
    }
    reasons
}

fn to_reason(row: &DecisionRow, report: &MatchReport) -> VerdictReason {
    let finding = row.finding.and_then(|position| report.findings.get(position));
    VerdictReason {
        gate: row.gate.clone(),
        trigger: row.trigger.clone(),
        message: row.message.clone(),
        vulnerability: finding.map(|finding| finding.id.clone()),
        package: finding.map(|finding| finding.package.clone()),
        installed: finding.map(|finding| finding.version.clone()),
        fixed_in: finding
            .filter(|finding| !finding.fixed_in.is_empty())
            .map(|finding| finding.fixed_in.join(", ")),
        severity: finding.map(|finding| finding.severity),
    }
}
