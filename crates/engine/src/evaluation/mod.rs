//! What a policy says about an image: stored inventory, current database, current bundle, one decision.
//!
//! Three caches, each keyed by everything its value depends on, so nothing is ever invalidated by hand:
//! the unpacked analysis (digest, time of the analysis), the match report (that and the database in use), and the
//! decision (that, the name asked about, the revisions of the bundle and of the account's exceptions, how many items of
//! whitelists have ended, and the five minutes it is in, because rules may look at the clock, to the day). What the tables say is remembered only while they say it:
//! see [`crate::remembered`].

mod basis;
mod history;

pub use self::history::PastEvaluation;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use model::{
    Decision, Digest, DockerfileMode, ImageContents, ImageFacts, ImageReference, Inventory, MatchReport,
};
use moka::future::Cache;
use policy::{Bundle, EvaluationInput};

use self::basis::Basis;
use self::history::{HistoryKey, Newest};
use crate::analysis::{self, Analysis};
use crate::contents;
use crate::exceptions::AccountExceptions;
use crate::remembered::Remembered;
use crate::vulnerability_database::Snapshot;
use crate::{
    AnalysisStatus, Engine, ImageFilter, ImageRecord, ParsePullStringError, PolicyRecord, PullString,
    StorageError,
};

/// How long a decision may be reused.
const DECISION_SECONDS: i64 = 300;
const ANALYSES_BYTES_MAX: u64 = 256 * 1024 * 1024;
const CONTENTS_BYTES_MAX: u64 = 256 * 1024 * 1024;
const REPORTS_FINDINGS_MAX: u64 = 500_000;
const DECISIONS_ROWS_MAX: u64 = 500_000;
const BASES_BYTES_MAX: u64 = 16 * 1024 * 1024;
const POLICIES_MAX: u64 = 64;
const NEWEST_MAX: u64 = 10_000;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EvaluationQuestion {
    /// The account whose policies hold.
    pub account: String,
    /// Which image.
    pub filter: ImageFilter,
    /// The name under which the image is asked about; empty: the image's own.
    pub tag: String,
    /// Which bundle; `None`: the active one.
    pub policy_id: Option<String>,
    /// Whether the verdict is kept for the history.
    pub is_stored: bool,
}

/// A verdict and what it rests on.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// The image.
    pub image: Arc<ImageRecord>,
    /// The name it was judged under, as the answer shows it.
    pub key: String,
    /// The bundle.
    pub policy: Arc<PolicyRecord>,
    /// The verdict.
    pub decision: Arc<Decision>,
    /// The findings it rests on.
    pub report: Arc<MatchReport>,
    /// Revision of the bundle, and of the account's exceptions where there are some.
    pub policy_revision: String,
    /// Revision of the vulnerability data, or `none`.
    pub database_revision: String,
    /// When it was computed.
    pub evaluated_at: Timestamp,
    /// When it was asked for: up to that time it holds.
    pub asked_at: Timestamp,
}

/// An image with its findings.
#[derive(Debug, Clone)]
pub struct ImageReport {
    /// The image.
    pub image: ImageRecord,
    /// What is in it.
    pub inventory: Arc<model::Inventory>,
    /// Its findings.
    pub report: Arc<MatchReport>,
}

/// Why there is no verdict.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EvaluateError {
    /// The account has no such image.
    #[error("image not found in DB")]
    ImageNotFound,
    /// The analysis is not done.
    #[error("image is not analyzed - analysis_status: {}", status.name())]
    NotAnalyzed {
        /// How far it is.
        status: AnalysisStatus,
        /// Why the last attempt failed.
        reason: Option<String>,
    },
    /// The analysis did not look at files.
    #[error(
        "the files of this image are not recorded: it was analyzed without looking at them; add it again with force=true"
    )]
    NotRecorded,
    /// There is no bundle of this id.
    #[error("Policy bundle {0} not found in DB")]
    PolicyNotFound(String),
    /// No bundle is active.
    #[error("user has no active policy to evaluate: {0}")]
    NoActivePolicy(String),
    /// The name asked about names no image.
    #[error("cannot handle image input string")]
    BadReference(#[source] ParsePullStringError),
    /// Ours: tables, stored content or the vulnerability database cannot be read.
    #[error("compute the evaluation")]
    Failed(#[source] Arc<StorageError>),
}

impl From<StorageError> for EvaluateError {
    fn from(error: StorageError) -> Self {
        Self::Failed(Arc::new(error))
    }
}

/// Identifies what is known about an image: the same digest analyzed again is something else.
pub(crate) type AnalysisKey = (Digest, Option<Timestamp>);

/// Everything a decision depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct DecisionKey {
    analysis: AnalysisKey,
    dockerfile: Option<String>,
    reference: ImageReference,
    policy_revision: String,
    database_generation: u64,
    ended_whitelist_items: usize,
    slot: i64,
}

/// What an account judges by.
struct Rules {
    /// Of the bundle and the exceptions.
    policy_revision: String,
    bundle: Arc<Bundle>,
    exceptions: AccountExceptions,
}

#[derive(Clone)]
struct Decided {
    decision: Arc<Decision>,
    report: Arc<MatchReport>,
    evaluated_at: Timestamp,
}

/// An analysis in memory.
#[derive(Clone)]
struct Unpacked {
    facts: Arc<ImageFacts>,
    inventory: Arc<model::Inventory>,
    weight: u32,
}

/// What was computed lately.
pub(crate) struct EvaluationCaches {
    analyses: Cache<AnalysisKey, Unpacked>,
    pub(crate) contents: Cache<AnalysisKey, Option<Arc<ImageContents>>>,
    reports: Cache<(AnalysisKey, u64), Arc<MatchReport>>,
    decisions: Cache<DecisionKey, Decided>,
    bases: Remembered<EvaluationQuestion, Basis>,
    policies: Remembered<(String, Option<String>), Arc<PolicyRecord>>,
    newest: Remembered<HistoryKey, Newest>,
    pub(crate) details: crate::http::Details,
}

impl EvaluationCaches {
    pub(crate) fn new() -> Self {
        let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).saturating_add(1);
        Self {
            analyses: Cache::builder()
                .max_capacity(ANALYSES_BYTES_MAX)
                .weigher(|_, unpacked: &Unpacked| unpacked.weight)
                .build(),
            contents: Cache::builder()
                .max_capacity(CONTENTS_BYTES_MAX)
                .weigher(|_, contents: &Option<Arc<ImageContents>>| contents::weigh(contents.as_deref()))
                .build(),
            reports: Cache::builder()
                .max_capacity(REPORTS_FINDINGS_MAX)
                .weigher(move |_, report: &Arc<MatchReport>| count(report.findings.len()))
                .build(),
            decisions: Cache::builder()
                .max_capacity(DECISIONS_ROWS_MAX)
                .weigher(move |_, decided: &Decided| count(decided.decision.rows.len()))
                .build(),
            bases: Remembered::new(BASES_BYTES_MAX, basis::weigh),
            policies: Remembered::new(POLICIES_MAX, |_, _| 1),
            newest: Remembered::new(NEWEST_MAX, |_, _| 1),
            details: crate::http::Details::new(),
        }
    }
}

impl Engine {
    /// Judges an analyzed image by a bundle.
    pub async fn evaluate(&self, question: &EvaluationQuestion) -> Result<Evaluation, EvaluateError> {
        // The mark comes first: what is read afterwards is at least as new.
        let mark =
            self.storage.mark().await.map_err(StorageError::at("look whether anything has changed"))?;
        let Basis { image, reference, key, policy, bundle, exceptions } =
            self.basis_of(mark.as_ref(), question).await?;
        let data = self.vulnerability_data().await;
        let asked_at = self.now();
        let exceptions = exceptions.at(asked_at);
        let rules = Rules { policy_revision: judging_revision(&policy, &exceptions), bundle, exceptions };
        let policy_revision = rules.policy_revision.clone();
        let decided = self.decide(&image, reference, rules, &data).await?;
        if question.is_stored {
            let verdict = (policy.id.as_str(), decided.decision.final_action);
            let history = (question.account.clone(), image.digest.to_string(), key.clone());
            self.store_evaluation(mark.as_ref(), history, verdict, asked_at).await?;
        }
        Ok(Evaluation {
            image,
            key,
            policy,
            decision: decided.decision,
            report: decided.report,
            policy_revision,
            database_revision: data.revision(),
            evaluated_at: decided.evaluated_at,
            asked_at,
        })
    }

    /// What is in an image and which vulnerabilities that has.
    pub async fn report(&self, account: &str, filter: &ImageFilter) -> Result<ImageReport, EvaluateError> {
        let image = self.find_one_image(account, filter).await?;
        require_analyzed(&image)?;
        let data = self.vulnerability_data().await;
        let unpacked = self.unpack(&image).await?;
        let report = self.match_report(&image, &unpacked, &data).await?;
        let report = self.with_sync_time(report, &data).await?;
        Ok(ImageReport { image, inventory: unpacked.inventory, report })
    }

    pub(crate) async fn find_one_image(
        &self,
        account: &str,
        filter: &ImageFilter,
    ) -> Result<ImageRecord, EvaluateError> {
        self.find_images(account, filter).await?.into_iter().next().ok_or(EvaluateError::ImageNotFound)
    }

    #[tracing::instrument(name = "policy_evaluation", skip_all, fields(image.digest = %image.digest))]
    async fn decide(
        &self,
        image: &ImageRecord,
        reference: ImageReference,
        Rules { policy_revision, bundle, exceptions }: Rules,
        data: &Snapshot,
    ) -> Result<Decided, EvaluateError> {
        let now = self.now();
        let key = DecisionKey {
            analysis: analysis_key(image),
            dockerfile: image.dockerfile.clone(),
            reference: reference.clone(),
            policy_revision,
            database_generation: data.generation,
            ended_whitelist_items: bundle.count_ended_items(now),
            slot: now.as_second().div_euclid(DECISION_SECONDS),
        };
        // One computation however many ask at the same time.
        let is_hit = AtomicBool::new(true);
        let computed = self.caches.decisions.try_get_with(key, async {
            is_hit.store(false, Ordering::Relaxed);
            let unpacked = self.unpack(image).await?;
            let report = self.match_report(image, &unpacked, data).await?;
            let report = self.with_sync_time(report, data).await?;
            let times = self.finding_times(&image.digest, &report).await?;
            let facts = with_supplied_dockerfile(&unpacked.facts, image.dockerfile.as_deref());
            let contents = if bundle.needs_contents() { self.contents_of(image).await? } else { None };
            let (inventory, judged) = (unpacked.inventory, report.clone());
            let decision = tokio::task::spawn_blocking(move || {
                let input = EvaluationInput {
                    contents: contents.as_deref(),
                    exceptions: &exceptions.exceptions,
                    finding_times: &times,
                    ..EvaluationInput::new(&reference, &facts, &inventory, &judged, now)
                };
                policy::judge(&bundle, &input)
            })
            .await
            .map_err(StorageError::at("judge the image"))?;
            Ok::<_, EvaluateError>(Decided { decision: Arc::new(decision), report, evaluated_at: now })
        });
        let computed = computed.await;
        self.settings.metrics.verdict(is_hit.load(Ordering::Relaxed));
        computed.map_err(|error| EvaluateError::clone(&error))
    }

    async fn match_report(
        &self,
        image: &ImageRecord,
        unpacked: &Unpacked,
        data: &Snapshot,
    ) -> Result<Arc<MatchReport>, EvaluateError> {
        let Some(database) = data.database.clone() else {
            return Ok(Arc::new(MatchReport::without_database()));
        };
        let inventory = unpacked.inventory.clone();
        let matched = self.caches.reports.try_get_with((analysis_key(image), data.generation), async {
            let report = tokio::task::spawn_blocking(move || {
                vulnerability_db::matching::match_inventory(&inventory, &database)
            })
            .await
            .map_err(StorageError::at("match the inventory"))?
            .map_err(StorageError::at("read the vulnerability database"))?;
            Ok::<_, EvaluateError>(Arc::new(report))
        });
        matched.await.map_err(|error| EvaluateError::clone(&error))
    }

    /// Facts, with a Dockerfile that somebody supplied, and inventory of an analyzed image.
    pub(crate) async fn analysis_of(
        &self,
        image: &ImageRecord,
    ) -> Result<(Arc<ImageFacts>, Arc<Inventory>), EvaluateError> {
        let unpacked = self.unpack(image).await?;
        Ok((with_supplied_dockerfile(&unpacked.facts, image.dockerfile.as_deref()), unpacked.inventory))
    }

    async fn unpack(&self, image: &ImageRecord) -> Result<Unpacked, EvaluateError> {
        let digest = image.digest.to_string();
        let unpacked = self.caches.analyses.try_get_with(analysis_key(image), async {
            let (form, content): (i64, Vec<u8>) =
                storage::query("SELECT form, content FROM analyses WHERE digest = $1 AND (imported_by IS NULL OR imported_by = $2)")
                    .bind(digest)
                    .bind(&image.account)
                    .fetch_one_as(&self.storage)
                    .await
                    .map_err(StorageError::at("read an analysis"))?;
            // An inventory takes about ten times its compressed form.
            let weight = u32::try_from(content.len().saturating_mul(10)).unwrap_or(u32::MAX);
            let Analysis { facts, inventory } =
                tokio::task::spawn_blocking(move || analysis::decode(form, &content))
                    .await
                    .map_err(StorageError::at("unpack an analysis"))?
                    .map_err(StorageError::at("unpack an analysis"))?;
            let unpacked = Unpacked { facts: Arc::new(facts), inventory: Arc::new(inventory), weight };
            Ok::<_, EvaluateError>(unpacked)
        });
        unpacked.await.map_err(|error| EvaluateError::clone(&error))
    }
}

/// Which state of the bundle and of the exceptions judges.
pub(crate) fn judging_revision(policy: &PolicyRecord, exceptions: &AccountExceptions) -> String {
    match exceptions.revision.as_str() {
        "" => policy.revision.clone(),
        revision => format!("{}+{revision}", policy.revision),
    }
}

pub(crate) fn analysis_key(image: &ImageRecord) -> AnalysisKey {
    (image.digest.clone(), image.analyzed_at)
}

pub(crate) fn require_analyzed(image: &ImageRecord) -> Result<(), EvaluateError> {
    match image.status {
        AnalysisStatus::Analyzed => Ok(()),
        status => Err(EvaluateError::NotAnalyzed { status, reason: image.analysis_error.clone() }),
    }
}

/// The reference that mappings see, and the key of the answer: the normalized tag, or the text as it was given when it
/// names no tag.
fn name_asked_about(image: &ImageRecord, tag: &str) -> Result<(ImageReference, String), EvaluateError> {
    let own = || -> Result<ImageReference, EvaluateError> {
        let own = image.tags.first().ok_or(EvaluateError::ImageNotFound)?;
        let text =
            own.full_tag().unwrap_or_else(|| format!("{}/{}@{}", own.registry, own.repository, image.digest));
        text.parse().map_err(|error| StorageError::new("read the image's own tag", error).into())
    };
    if tag.is_empty() {
        let reference = own()?;
        let key = reference.to_string();
        return Ok((reference, key));
    }
    match PullString::parse(tag).map_err(EvaluateError::BadReference)? {
        PullString::Reference(reference) => {
            let key = reference.full_tag().unwrap_or_else(|| tag.to_owned());
            Ok((reference, key))
        }
        // A bare digest or id has no repository that a mapping could match: the image's own stands in.
        PullString::Digest(_) | PullString::ImageId(_) => Ok((own()?, tag.to_owned())),
    }
}

/// A Dockerfile that a user supplied wins over the one that was guessed from the history.
fn with_supplied_dockerfile(facts: &Arc<ImageFacts>, supplied: Option<&str>) -> Arc<ImageFacts> {
    use base64::Engine as _;
    let decoded = supplied
        .and_then(|text| base64::engine::general_purpose::STANDARD.decode(text).ok())
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    match decoded {
        Some(dockerfile) => Arc::new(ImageFacts {
            dockerfile_mode: DockerfileMode::Actual,
            dockerfile,
            ..ImageFacts::clone(facts)
        }),
        None => facts.clone(),
    }
}
