//! The JSON of `lazaret scan`.

use std::collections::BTreeMap;

use model::{
    CvssScore, DatabaseIdentity, Decision, DecisionRow, DistroCoverage, Epss, EvaluationProblem, Evidence,
    Finding, MatchReport, MatchedBy, NoDataReason, Severity, SuppressedFinding, SuppressionReason,
};
use serde::Serialize;

use crate::base::FoundBase;
use crate::wire::{self, DiagnosticJson, ImageJson};
use crate::{SCHEMA_VERSION, Scan};

#[derive(Serialize)]
struct ScanJson<'a> {
    schema_version: &'static str,
    image: ImageJson<'a>,
    package_count: usize,
    database: Option<DatabaseJson<'a>>,
    coverage: CoverageJson,
    severity_counts: BTreeMap<&'static str, usize>,
    findings: Vec<FindingJson<'a>>,
    hidden_count: usize,
    suppressed: Vec<SuppressedJson<'a>>,
    suppressed_left_out: usize,
    diagnostics: Vec<DiagnosticJson<'a>>,
    decision: Option<DecisionJson<'a>>,
}

#[derive(Serialize)]
struct DatabaseJson<'a> {
    revision: &'a str,
    built_at: String,
}

#[derive(Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
enum CoverageJson {
    Covered { ecosystem: String, synced_at: String },
    NoData { reason: &'static str, namespace: Option<String> },
    NotNeeded,
}

#[derive(Serialize)]
pub(crate) struct FindingJson<'a> {
    id: &'a str,
    aliases: &'a [String],
    severity: &'static str,
    severity_source: Option<&'a str>,
    package: &'a str,
    version: &'a str,
    r#type: &'static str,
    purl: &'a str,
    path: &'a str,
    state: &'static str,
    fixed_in: &'a [String],
    summary: Option<&'a str>,
    url: Option<&'a str>,
    published: Option<String>,
    known_exploited: Option<bool>,
    epss: Option<EpssJson>,
    cvss: Vec<CvssJson<'a>>,
    evidence: EvidenceJson<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_base_image: Option<bool>,
}

#[derive(Serialize)]
struct SuppressedJson<'a> {
    finding: FindingJson<'a>,
    reason: &'static str,
    sentence: String,
    owner: Option<&'a str>,
    record: Option<&'a str>,
    statement: Option<&'static str>,
}

#[derive(Serialize)]
struct EpssJson {
    probability: f64,
    percentile: f64,
}

#[derive(Serialize)]
struct CvssJson<'a> {
    source: &'a str,
    vector: &'a str,
    score: f64,
}

#[derive(Serialize)]
struct EvidenceJson<'a> {
    feed: &'static str,
    record: &'a str,
    ecosystem: String,
    matched_by: &'static str,
    matched_name: &'a str,
    matched_version: &'a str,
    range: &'a str,
}

#[derive(Serialize)]
struct DecisionJson<'a> {
    policy_id: &'a str,
    final_action: &'static str,
    reason: &'static str,
    rows: Vec<RowJson<'a>>,
    problems: Vec<ProblemJson<'a>>,
}

#[derive(Serialize)]
struct RowJson<'a> {
    gate: &'a str,
    trigger: &'a str,
    trigger_id: &'a str,
    message: &'a str,
    action: &'static str,
    whitelisted_by: Option<&'a str>,
    policy_id: &'a str,
}

#[derive(Serialize)]
struct ProblemJson<'a> {
    problem_type: &'a str,
    details: &'a str,
    severity: &'static str,
}

/// Findings and verdict as JSON, valid under [`crate::SCAN_SCHEMA`].
pub fn scan_json(scan: &Scan<'_>) -> String {
    let MatchReport { database, coverage, findings, suppressed, suppressed_left_out, diagnostics } =
        scan.report;
    let inventory = scan.sbom.inventory;
    let base = FoundBase::of(&scan.sbom);
    wire::to_text(&ScanJson {
        schema_version: SCHEMA_VERSION,
        image: wire::image(&scan.sbom),
        package_count: inventory.packages.len(),
        database: database.as_ref().map(|DatabaseIdentity { revision, built_at }| DatabaseJson {
            revision,
            built_at: built_at.to_string(),
        }),
        coverage: coverage_json(coverage),
        severity_counts: Severity::ALL
            .into_iter()
            .map(|severity| {
                (severity.name(), findings.iter().filter(|finding| finding.severity == severity).count())
            })
            .collect(),
        findings: findings.iter().map(|found| finding_of(found, base.as_ref())).collect(),
        hidden_count: scan.hidden_count,
        suppressed: suppressed.iter().map(|one| suppressed_json(one, base.as_ref())).collect(),
        suppressed_left_out: *suppressed_left_out,
        diagnostics: inventory.diagnostics.iter().chain(diagnostics).map(wire::diagnostic).collect(),
        decision: scan.decision.map(decision),
    })
}

fn coverage_json(coverage: &DistroCoverage) -> CoverageJson {
    match coverage {
        DistroCoverage::Covered { ecosystem, synced_at } => {
            CoverageJson::Covered { ecosystem: ecosystem.to_string(), synced_at: synced_at.to_string() }
        }
        DistroCoverage::NotNeeded => CoverageJson::NotNeeded,
        DistroCoverage::NoData(NoDataReason::NoDatabase) => {
            CoverageJson::NoData { reason: "no-database", namespace: None }
        }
        DistroCoverage::NoData(NoDataReason::UnknownDistro) => {
            CoverageJson::NoData { reason: "unknown-distro", namespace: None }
        }
        DistroCoverage::NoData(NoDataReason::PackagesNotRead) => {
            CoverageJson::NoData { reason: "packages-not-read", namespace: None }
        }
        DistroCoverage::NoData(NoDataReason::NotInDatabase { namespace }) => {
            CoverageJson::NoData { reason: "not-in-database", namespace: Some(namespace.clone()) }
        }
    }
}

pub(crate) fn finding(finding: &Finding) -> FindingJson<'_> {
    let Finding {
        id,
        aliases,
        severity,
        severity_source,
        cvss,
        summary,
        url,
        published,
        is_known_exploited,
        epss,
        state,
        fixed_in,
        package_kind,
        package,
        version,
        purl,
        package_path,
        evidence,
    } = finding;
    FindingJson {
        id,
        aliases,
        severity: severity.name(),
        severity_source: severity_source.as_deref(),
        package,
        version,
        r#type: package_kind.purl_type(),
        purl,
        path: package_path,
        state: state.name(),
        fixed_in,
        summary: summary.as_deref(),
        url: url.as_deref(),
        published: published.map(|published| published.to_string()),
        known_exploited: *is_known_exploited,
        epss: epss.map(|Epss { probability, percentile }| EpssJson { probability, percentile }),
        cvss: cvss
            .iter()
            .map(|CvssScore { source, vector, score }| CvssJson { source, vector, score: *score })
            .collect(),
        evidence: evidence_json(evidence),
        from_base_image: None,
    }
}

fn finding_of<'a>(of: &'a Finding, base: Option<&FoundBase<'_>>) -> FindingJson<'a> {
    FindingJson { from_base_image: base.and_then(|base| base.has_finding(of)), ..finding(of) }
}

fn suppressed_json<'a>(
    suppressed: &'a SuppressedFinding,
    base: Option<&FoundBase<'_>>,
) -> SuppressedJson<'a> {
    let SuppressedFinding { finding: of, reason } = suppressed;
    let (owner, record, statement) = match reason {
        SuppressionReason::OwnerSpeaks { owner, ecosystem: _, record, statement } => {
            (Some(owner), Some(record), Some(statement))
        }
        SuppressionReason::OwnerIsCovered { owner, ecosystem: _ } => (Some(owner), None, None),
        SuppressionReason::VendorDenies { feed: _, record, statement } => {
            (None, Some(record), Some(statement))
        }
    };
    SuppressedJson {
        finding: finding_of(of, base),
        reason: reason.name(),
        sentence: reason.sentence(),
        owner: owner.map(String::as_str),
        record: record.map(String::as_str),
        statement: statement.map(|statement| statement.name()),
    }
}

fn evidence_json(evidence: &Evidence) -> EvidenceJson<'_> {
    let Evidence { feed, record, ecosystem, matched_by, matched_name, matched_version, range } = evidence;
    EvidenceJson {
        feed: feed.name(),
        record,
        ecosystem: ecosystem.to_string(),
        matched_by: match matched_by {
            MatchedBy::SourcePackage => "source-package",
            MatchedBy::PackageName => "package-name",
        },
        matched_name,
        matched_version,
        range,
    }
}

fn decision(decision: &Decision) -> DecisionJson<'_> {
    DecisionJson {
        policy_id: &decision.policy_id,
        final_action: decision.final_action.name(),
        reason: decision.reason.name(),
        rows: decision.rows.iter().map(row).collect(),
        problems: decision
            .problems
            .iter()
            .map(|EvaluationProblem { problem_type, details, severity, path: _ }| ProblemJson {
                problem_type,
                details,
                severity: severity.name(),
            })
            .collect(),
    }
}

fn row(row: &DecisionRow) -> RowJson<'_> {
    let DecisionRow { trigger_id, gate, trigger, message, action, whitelisted, policy_id, finding: _ } = row;
    RowJson {
        gate,
        trigger,
        trigger_id,
        message,
        action: action.name(),
        whitelisted_by: whitelisted.as_ref().map(|by| by.whitelist_id.as_str()),
        policy_id,
    }
}
