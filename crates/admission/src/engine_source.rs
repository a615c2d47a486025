//! Verdicts from an engine elsewhere, over the Anchore v1 API: ours or a foreign one.
//!
//! One question is: have the engine resolve the tag and know the image, wait until it is analysed, ask for the verdict
//! under the name that the Pod uses, and for the packages behind the reasons.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use engine_client::{
    AnalysisStatus, CheckQuestion, CheckReport, CheckRow, Client, ClientError, Feed, ImageRecord,
    PolicyRecord, Vulnerability,
};
use model::{Digest, ImageReference};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use crate::settings::Clock;
use crate::source::{SourceState, Verdict, VerdictError, VerdictQuestion, VerdictReason, VerdictSource};

const POLL_FIRST: Duration = Duration::from_millis(100);
const POLL_MAX: Duration = Duration::from_secs(2);
const STATE_TIME: Duration = Duration::from_secs(8);
// A state this old still says which policy a verdict asked for now is made from.
const STATE_AGE_MAX: Duration = Duration::from_secs(1);
const REASONS_MAX: usize = 200;

/// An engine that is asked over HTTP.
pub struct EngineClientSource {
    client: Client,
    clock: Clock,
    state: ArcSwapOption<KnownState>,
}

struct KnownState {
    state: SourceState,
    policy_id: String,
    read_at: Instant,
}

#[async_trait]
impl VerdictSource for EngineClientSource {
    async fn verdict(&self, question: &VerdictQuestion) -> Result<Verdict, VerdictError> {
        let VerdictQuestion { reference, deadline } = question;
        let record = self.find_image(reference, *deadline).await?;
        let resolved_at = (self.clock)();
        let record = self.wait_analysed(record, *deadline).await?;
        // Read before the verdict: one that comes from a newer policy is then asked for again, never the reverse.
        let known = self.fresh_state(*deadline).await?;
        let name = name_to_ask_about(reference, &record.digest);
        let check = CheckQuestion { digest: &record.digest, tag: &name, policy_id: None, with_detail: true };
        let report = self.client.check(&check, *deadline).await.map_err(to_verdict_error)?;
        let vulnerabilities = match report.rows.iter().any(is_about_a_package) {
            // The verdict stands without them; only the text gets poorer.
            true => self.client.vulnerabilities(&record.digest, *deadline).await.unwrap_or_default(),
            false => Vec::new(),
        };
        let (reasons, warnings) = to_reasons(&report, &vulnerabilities);
        let CheckReport { digest, is_pass, policy_id, evaluated_at, .. } = report;
        Ok(Verdict {
            digest,
            resolved_at,
            is_pass,
            policy_id,
            policy_revision: known.state.policy_revision.clone(),
            database_revision: known.state.database_revision.clone(),
            reasons,
            warnings,
            evaluated_at: evaluated_at.unwrap_or_else(self.clock),
        })
    }

    async fn state(&self) -> Result<SourceState, VerdictError> {
        Ok(self.read_state(Instant::now() + STATE_TIME).await?.state.clone())
    }
}

impl EngineClientSource {
    /// A source; the engine is not asked yet.
    pub fn new(client: Client, clock: Clock) -> Self {
        Self { client, clock, state: ArcSwapOption::empty() }
    }

    /// Has the engine resolve the name. A tag is resolved by the registry each time; a digest says it all.
    async fn find_image(
        &self,
        reference: &ImageReference,
        deadline: Instant,
    ) -> Result<ImageRecord, VerdictError> {
        let Some(digest) = reference.digest() else {
            return self.client.add_image(&reference.to_string(), deadline).await.map_err(to_verdict_error);
        };
        match self.client.get_image(digest, deadline).await {
            // Adding a failed image again makes the engine try again.
            Ok(record) if record.analysis_status != AnalysisStatus::AnalysisFailed => return Ok(record),
            Ok(_) | Err(ClientError::NotFound { .. }) => {}
            Err(error) => return Err(to_verdict_error(error)),
        }
        let added =
            self.client.add_image_at_digest(reference, digest, &tag_of_digest(digest), deadline).await;
        added.map_err(to_verdict_error)
    }

    async fn wait_analysed(
        &self,
        mut record: ImageRecord,
        deadline: Instant,
    ) -> Result<ImageRecord, VerdictError> {
        let mut pause = POLL_FIRST;
        loop {
            match &record.analysis_status {
                AnalysisStatus::Analyzed => return Ok(record),
                AnalysisStatus::AnalysisFailed => {
                    let why = record
                        .analysis_error
                        .clone()
                        .unwrap_or_else(|| "the engine gives no reason".to_owned());
                    return Err(VerdictError::AnalysisFailed(why));
                }
                AnalysisStatus::NotAnalyzed | AnalysisStatus::Analyzing | AnalysisStatus::Other(_) => {}
            }
            if Instant::now() + pause >= deadline {
                return Err(VerdictError::NotYet);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(POLL_MAX);
            record = match self.client.get_image(&record.digest, deadline).await {
                Ok(next) => next,
                // One lost answer is no reason to give the image up while there is time.
                Err(error) if error.is_retryable() => record,
                Err(error) => return Err(to_verdict_error(error)),
            };
        }
    }

    async fn fresh_state(&self, deadline: Instant) -> Result<Arc<KnownState>, VerdictError> {
        match self.state.load_full() {
            Some(known) if known.read_at.elapsed() < STATE_AGE_MAX => Ok(known),
            _ => self.read_state(deadline).await,
        }
    }

    async fn read_state(&self, deadline: Instant) -> Result<Arc<KnownState>, VerdictError> {
        let read_at = Instant::now();
        let policies = self.client.list_policies(deadline).await.map_err(to_verdict_error)?;
        let feeds = self.client.feeds(deadline).await.map_err(to_verdict_error)?;
        let active = policies.into_iter().find(|policy| policy.active).ok_or(VerdictError::NoPolicy)?;
        let policy_revision = policy_revision(&active);
        let former = self.state.load_full();
        let same = former.filter(|known| known.state.policy_revision == policy_revision);
        let bundle = match &same {
            Some(known) if known.state.bundle.is_some() => known.state.bundle.clone(),
            _ => {
                let record =
                    self.client.get_policy(&active.id, true, deadline).await.map_err(to_verdict_error)?;
                // A bundle that only the engine understands still judges there; it just cannot refuse here.
                policy::Bundle::load(&record.bundle).ok().map(Arc::new)
            }
        };
        let state = SourceState { policy_revision, database_revision: database_revision(&feeds), bundle };
        let known = Arc::new(KnownState { state, policy_id: active.id, read_at });
        tracing::debug!(policy.id = known.policy_id, "state of the engine is read");
        self.state.store(Some(Arc::clone(&known)));
        Ok(known)
    }
}

/// The tag under which an engine files an image that is known by digest. Never the tag that stands beside the digest: an
/// engine would take the pinned image for the newest of that tag.
fn tag_of_digest(digest: &Digest) -> String {
    format!("digest-{}", digest.hex())
}

/// The name that mappings see. A foreign engine stops at a name without a tag, whatever its policy says.
fn name_to_ask_about(reference: &ImageReference, digest: &Digest) -> String {
    let of_digest =
        || format!("{}/{}:{}", reference.registry(), reference.repository(), tag_of_digest(digest));
    reference.full_tag().unwrap_or_else(of_digest)
}

fn policy_revision(policy: &PolicyRecord) -> String {
    let mut revision = policy.id.clone();
    if let Some(last_updated) = policy.last_updated {
        revision.push_str(&format!("@{last_updated}"));
    }
    if let Some(exceptions) = &policy.exceptions_revision {
        revision.push_str(&format!("+{exceptions}"));
    }
    revision
}

/// What the feeds say of the data that verdicts are made from now.
///
/// Files are accepted, with their time, before a database is made of them: only the state, which this product's engine
/// tells, says which one is in force. A foreign engine's verdict that falls in between is used until its time is over.
fn database_revision(feeds: &[Feed]) -> String {
    let mut hash = Sha256::new();
    for feed in feeds {
        hash.update(format!("{}\n{:?}\n{:?}\n", feed.name, feed.last_full_sync, feed.state));
        for group in &feed.groups {
            hash.update(format!("{}\n{:?}\n{:?}\n", group.name, group.last_sync, group.record_count));
        }
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn is_about_a_package(row: &CheckRow) -> bool {
    row.gate == "vulnerabilities" && row.trigger == "package" && row.action != "go"
}

/// Reasons and warnings of a report. The trigger id of a row about a package is `vulnerability+package`, by which its
/// versions are found.
fn to_reasons(
    report: &CheckReport,
    vulnerabilities: &[Vulnerability],
) -> (Vec<VerdictReason>, Vec<VerdictReason>) {
    let by_name: BTreeMap<(&str, &str), &Vulnerability> = vulnerabilities
        .iter()
        .map(|vulnerability| {
            ((vulnerability.id.as_str(), vulnerability.package_name.as_str()), vulnerability)
        })
        .collect();
    let to_reason = |row: &CheckRow| {
        let named = row.trigger_id.split_once('+').filter(|_| is_about_a_package(row));
        let found = named.and_then(|names| by_name.get(&names));
        VerdictReason {
            gate: row.gate.clone(),
            trigger: row.trigger.clone(),
            message: row.message.clone(),
            vulnerability: named.map(|(vulnerability, _)| vulnerability.to_owned()),
            package: named.map(|(_, package)| package.to_owned()),
            installed: found.map(|found| found.package_version.clone()).filter(|version| !version.is_empty()),
            fixed_in: found.and_then(|found| found.fixed_in.clone()),
            severity: found.map(|found| found.severity),
        }
    };
    let rows_with = |action: &'static str| report.rows.iter().filter(move |row| row.action == action);
    // A list of allowed images can let an image pass although rules say stop; then they refuse nothing.
    let reasons = if report.is_pass { Vec::new() } else { rows_with("stop").map(to_reason).collect() };
    (most_severe(reasons), most_severe(rows_with("warn").map(to_reason).collect()))
}

fn most_severe(mut reasons: Vec<VerdictReason>) -> Vec<VerdictReason> {
    if reasons.len() > REASONS_MAX {
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.severity));
        reasons.truncate(REASONS_MAX);
    }
    reasons
}

fn to_verdict_error(error: ClientError) -> VerdictError {
    let text = error.to_string();
    match error {
        ClientError::Unreachable { .. } | ClientError::Timeout { .. } => VerdictError::Unreachable(text),
        ClientError::Unauthorized { .. } => VerdictError::Unauthorized(text),
        ClientError::NotFound { .. } => VerdictError::NotFound,
        ClientError::NotAnalyzed { status } if status == "analysis_failed" => {
            VerdictError::AnalysisFailed(text)
        }
        ClientError::NotAnalyzed { .. } => VerdictError::NotYet,
        ClientError::Refused { message, codes, .. } => {
            let has = |code: &str| codes.iter().any(|found| found == code);
            if has("REGISTRY_IMAGE_NOT_FOUND") {
                VerdictError::NotFound
            } else if has("REGISTRY_PERMISSION_DENIED") {
                VerdictError::Unauthorized(message)
            } else {
                VerdictError::AnalysisFailed(message)
            }
        }
        ClientError::Unexpected { .. } => VerdictError::BadAnswer(text),
    }
}

#[cfg(test)]
#[path = "engine_source_tests.rs"]
mod tests;
