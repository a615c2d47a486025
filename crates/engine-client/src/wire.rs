//! What comes back: the wire's names are hidden here, and everything that is not needed may be missing.

use std::collections::BTreeMap;
use std::str::FromStr;

use jiff::Timestamp;
use model::{Digest, Severity};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// How far the analysis of an image is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnalysisStatus {
    /// Wanted.
    NotAnalyzed,
    /// In work.
    Analyzing,
    /// Done.
    Analyzed,
    /// Given up.
    AnalysisFailed,
    /// A word of a newer engine.
    Other(String),
}

impl<'de> Deserialize<'de> for AnalysisStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        Ok(match word.as_str() {
            "not_analyzed" => Self::NotAnalyzed,
            "analyzing" => Self::Analyzing,
            "analyzed" => Self::Analyzed,
            "analysis_failed" => Self::AnalysisFailed,
            _ => Self::Other(word),
        })
    }
}

/// One image.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ImageRecord {
    /// Digest of the platform's manifest.
    #[serde(rename = "imageDigest", deserialize_with = "parsed")]
    pub digest: Digest,
    /// Digest of the index, where it is told.
    #[serde(rename = "parentDigest", default, deserialize_with = "lenient")]
    pub parent_digest: Option<Digest>,
    /// How far the analysis is.
    pub analysis_status: AnalysisStatus,
    /// Why the last analysis failed; only this product's engine tells.
    #[serde(default)]
    pub analysis_error: Option<String>,
    /// When it was analyzed.
    #[serde(default, deserialize_with = "lenient")]
    pub analyzed_at: Option<Timestamp>,
    /// When the record was changed.
    #[serde(default, deserialize_with = "lenient")]
    pub last_updated: Option<Timestamp>,
    /// Its tags; empty when the detail was not asked for.
    #[serde(rename = "image_detail", default)]
    pub tags: Vec<ImageTag>,
}

/// One tag of an image.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
#[derive(Default)]
pub struct ImageTag {
    /// Host with port.
    pub registry: Option<String>,
    /// Repository.
    #[serde(rename = "repo")]
    pub repository: Option<String>,
    /// Tag.
    pub tag: Option<String>,
    /// All of it.
    #[serde(rename = "fulltag")]
    pub full_tag: Option<String>,
    /// Hex part of the configuration's digest.
    #[serde(rename = "imageId")]
    pub image_id: Option<String>,
}

/// A verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckReport {
    /// The image.
    pub digest: Digest,
    /// The name it was judged under.
    pub tag: String,
    /// Whether the policy lets it pass.
    pub is_pass: bool,
    /// Which bundle.
    pub policy_id: String,
    /// When the verdict was computed.
    pub evaluated_at: Option<Timestamp>,
    /// `go`, `warn` or `stop`; only with detail.
    pub final_action: Option<String>,
    /// What decided; only with detail.
    pub final_action_reason: Option<String>,
    /// The matches; only with detail.
    pub rows: Vec<CheckRow>,
}

/// One match of one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckRow {
    /// What users write into whitelists.
    pub trigger_id: String,
    /// Gate.
    pub gate: String,
    /// Trigger.
    pub trigger: String,
    /// What was found.
    pub message: String,
    /// `go`, `warn` or `stop`.
    pub action: String,
    /// Name of the whitelist that applies.
    pub whitelist: Option<String>,
    /// The policy with the rule.
    pub policy_id: String,
}

/// The wire's form of a check: a list of one map, digest → tag → verdicts, newest first.
pub(crate) type CheckWire = Vec<BTreeMap<String, BTreeMap<String, Vec<VerdictWire>>>>;

#[derive(Deserialize)]
pub(crate) struct VerdictWire {
    #[serde(rename = "policyId")]
    policy_id: String,
    status: String,
    #[serde(default, deserialize_with = "lenient")]
    last_evaluation: Option<Timestamp>,
    #[serde(default)]
    detail: Value,
}

impl CheckReport {
    /// The newest verdict in an answer. Anything but exactly the word `pass` is no pass.
    pub(crate) fn from_wire(wire: CheckWire, digest: &Digest) -> Result<Self, String> {
        let images = wire.into_iter().next().ok_or("the list of images is empty")?;
        let (found, tags) = images.into_iter().next().ok_or("there is no image in the answer")?;
        if found != digest.to_string() {
            return Err(format!("the answer is about `{found}`, not about `{digest}`"));
        }
        let (tag, verdicts) = tags.into_iter().next().ok_or("there is no tag in the answer")?;
        let verdict = verdicts.into_iter().next().ok_or("there is no verdict in the answer")?;
        let result = verdict.detail.get("result");
        let text = |key: &str| Some(result?.get(key)?.as_str()?.to_owned());
        Ok(Self {
            digest: digest.clone(),
            tag,
            is_pass: verdict.status == "pass",
            policy_id: verdict.policy_id,
            evaluated_at: verdict.last_evaluation,
            final_action: text("final_action"),
            final_action_reason: text("final_action_reason"),
            rows: result.map(read_rows).transpose()?.unwrap_or_default(),
        })
    }
}

fn read_rows(result: &Value) -> Result<Vec<CheckRow>, String> {
    let rows = || {
        let image_id = result.get("image_id")?.as_str()?;
        result.get("result")?.get(image_id)?.get("result")?.get("rows")?.as_array()
    };
    let rows = rows().ok_or("the detail has no rows")?;
    rows.iter().map(|row| read_row(row).ok_or_else(|| format!("the detail has a bad row: {row}"))).collect()
}

fn read_row(row: &Value) -> Option<CheckRow> {
    let text = |column: usize| Some(row.get(column)?.as_str()?.to_owned());
    Some(CheckRow {
        trigger_id: text(2)?,
        gate: text(3)?,
        trigger: text(4)?,
        message: text(5)?,
        action: text(6)?,
        whitelist: row.get(7)?.get("whitelist_name").and_then(Value::as_str).map(str::to_owned),
        policy_id: text(8)?,
    })
}

#[derive(Deserialize)]
pub(crate) struct VulnerabilitiesWire {
    pub(crate) vulnerabilities: Vec<Vulnerability>,
}

/// One vulnerability of one package.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Vulnerability {
    /// Its id.
    #[serde(rename = "vuln")]
    pub id: String,
    /// How bad it is.
    #[serde(deserialize_with = "severity")]
    pub severity: Severity,
    /// Name of the package.
    #[serde(default)]
    pub package_name: String,
    /// Its version.
    #[serde(default)]
    pub package_version: String,
    /// Its kind: `dpkg`, `APKG`.
    #[serde(default)]
    pub package_type: String,
    /// Versions that fix it, joined with `, `; `None` as a word is none.
    #[serde(rename = "fix", default, deserialize_with = "none_word")]
    pub fixed_in: Option<String>,
    /// Whether the vendor has said that it will not fix it.
    #[serde(default)]
    pub will_not_fix: bool,
    /// Where to read on.
    #[serde(default)]
    pub url: Option<String>,
    /// Body of packages: `debian:12`.
    #[serde(default)]
    pub feed_group: Option<String>,
}

/// One policy bundle.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct PolicyRecord {
    /// Its id.
    #[serde(rename = "policyId")]
    pub id: String,
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
    /// Whether it judges when none is named.
    #[serde(default)]
    pub active: bool,
    /// When it was changed.
    #[serde(default, deserialize_with = "lenient")]
    pub last_updated: Option<Timestamp>,
    /// Which state of the account's exceptions it judges with; only our engine says it, and only when there are some.
    #[serde(default)]
    pub exceptions_revision: Option<String>,
    /// The bundle; an empty object when the detail was not asked for.
    #[serde(rename = "policybundle", default)]
    pub bundle: Value,
}

/// One feed.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Feed {
    /// Its name.
    pub name: String,
    /// When all of it was taken over; `None`: never.
    #[serde(default, deserialize_with = "lenient")]
    pub last_full_sync: Option<Timestamp>,
    /// Whether it is used.
    #[serde(default)]
    pub enabled: bool,
    /// What the engine says about it; only this product's engine does.
    #[serde(default)]
    pub state: Option<String>,
    /// Its groups.
    #[serde(default)]
    pub groups: Vec<FeedGroup>,
}

/// One group of a feed.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct FeedGroup {
    /// `debian:12`.
    pub name: String,
    /// When it was taken over.
    #[serde(default, deserialize_with = "lenient")]
    pub last_sync: Option<Timestamp>,
    /// Number of records.
    #[serde(default)]
    pub record_count: Option<u64>,
}

fn parsed<'de, T: FromStr<Err: std::fmt::Display>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

/// What cannot be read is as if it were not there: nothing is decided by it.
fn lenient<'de, T: FromStr, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(value.as_str().and_then(|text| text.parse().ok()))
}

/// A word that is no severity is an unknown one, which no policy takes for harmless.
fn severity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Severity, D::Error> {
    Ok(String::deserialize(deserializer)?.parse().unwrap_or(Severity::Unknown))
}

fn none_word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.filter(|text| !text.is_empty() && text != "None"))
}
