//! `/images/{digest}/vuln`: the findings.

use std::sync::Arc;

use axum::extract::{Path, State};
use model::{BasePackages, CvssScore, DistroCoverage, Finding, FindingState, NoDataReason, PackageKind};
use serde::Serialize;
use serde_json::{Value, json};

use super::answer::{Answer, ApiError, ok};
use super::call::Call;
use super::images::{digest_filter, image_id_filter};
use crate::{Engine, ImageFilter};

const TYPES: [&str; 3] = ["os", "non-os", "all"];
/// Stands for a score that is not known.
const NO_SCORE: f64 = -1.0;

/// Every text is there, because clients sort by them.
#[derive(Serialize)]
struct VulnerabilityWire {
    vuln: String,
    severity: &'static str,
    url: String,
    fix: String,
    will_not_fix: bool,
    package: String,
    package_name: String,
    package_version: String,
    package_type: &'static str,
    package_cpe: &'static str,
    package_cpe23: &'static str,
    package_path: String,
    feed: &'static str,
    feed_group: String,
    nvd_data: Vec<Value>,
    vendor_data: Vec<Value>,
    /// Not of the original: whether the package came with the base image; absent where the base or the layer is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    from_base_image: Option<bool>,
}

/// `GET /images/{digest}/vuln`: also for images that nobody knows.
pub(super) async fn types(_call: Call) -> Answer {
    ok(&TYPES)
}

/// `GET /images/{digest}/vuln/{type}`.
pub(super) async fn list(
    State(engine): State<Arc<Engine>>,
    Path((digest, kind)): Path<(String, String)>,
    call: Call,
) -> Answer {
    list_one(&engine, &call, digest_filter(&digest), &kind).await
}

/// `GET /images/by_id/{image_id}/vuln/{type}`.
pub(super) async fn list_by_id(
    State(engine): State<Arc<Engine>>,
    Path((image_id, kind)): Path<(String, String)>,
    call: Call,
) -> Answer {
    list_one(&engine, &call, image_id_filter(&image_id), &kind).await
}

async fn list_one(engine: &Engine, call: &Call, filter: Result<ImageFilter, ApiError>, kind: &str) -> Answer {
    let vendor_only = call.query.boolean("vendor_only", true)?;
    let _force_refresh = call.query.boolean("force_refresh", false)?;
    if !TYPES.contains(&kind) {
        return Err(ApiError::not_found(format!("content type ({kind}) not available")));
    }
    let image_report = engine.report(&call.account, &filter?).await?;
    let base = engine.find_base_image(&image_report.image).await?;
    let layers = base.map(|base| BasePackages::new(&image_report.inventory, base.layer_count));
    let report = &image_report.report;
    let vulnerabilities: Vec<VulnerabilityWire> = report
        .findings
        .iter()
        .filter(|finding| kind == "all" || (kind == "os") == finding.package_kind.is_operating_system())
        .filter(|finding| !vendor_only || finding.state != FindingState::WillNotFix)
        .map(|finding| VulnerabilityWire {
            from_base_image: layers.as_ref().and_then(|layers| layers.has_finding(finding)),
            ..to_wire(finding)
        })
        .collect();
    ok(&json!({
        "imageDigest": image_report.image.digest.to_string(),
        "vulnerability_type": kind,
        "vulnerabilities": vulnerabilities,
        // Not of the original: an empty list means something only when there was data.
        "data": coverage(&report.coverage),
        "diagnostics": report.diagnostics.iter().chain(&image_report.inventory.diagnostics).map(|diagnostic| json!({
            "code": diagnostic.code.name(), "subject": diagnostic.subject, "message": diagnostic.message,
        })).collect::<Vec<_>>(),
    }))
}

fn coverage(coverage: &DistroCoverage) -> Value {
    match coverage {
        DistroCoverage::Covered { ecosystem, synced_at } => {
            json!({"state": "covered", "ecosystem": ecosystem.to_string(), "synced_at": super::answer::time(*synced_at)})
        }
        DistroCoverage::NotNeeded => json!({"state": "not_needed"}),
        DistroCoverage::NoData(NoDataReason::NoDatabase) => {
            json!({"state": "no_data", "reason": "there is no vulnerability database"})
        }
        DistroCoverage::NoData(NoDataReason::UnknownDistro) => {
            json!({"state": "no_data", "reason": "the image names no distro"})
        }
        DistroCoverage::NoData(NoDataReason::PackagesNotRead) => {
            json!({"state": "no_data", "reason": "not all of the image's packages could be read"})
        }
        DistroCoverage::NoData(NoDataReason::NotInDatabase { namespace }) => {
            json!({"state": "no_data", "reason": format!("the database knows nothing about {namespace}")})
        }
    }
}

fn to_wire(finding: &Finding) -> VulnerabilityWire {
    let (nvd, vendor): (Vec<&CvssScore>, Vec<&CvssScore>) =
        finding.cvss.iter().partition(|score| score.source.eq_ignore_ascii_case("nvd"));
    let is_os = finding.package_kind.is_operating_system();
    VulnerabilityWire {
        vuln: finding.id.clone(),
        severity: finding.severity.name(),
        url: finding.url.clone().unwrap_or_default(),
        fix: if finding.fixed_in.is_empty() { "None".to_owned() } else { finding.fixed_in.join(", ") },
        will_not_fix: finding.state == FindingState::WillNotFix,
        package: format!("{}-{}", finding.package, finding.version),
        package_name: finding.package.clone(),
        package_version: finding.version.clone(),
        package_type: package_type(finding.package_kind),
        package_cpe: "None",
        package_cpe23: "None",
        package_path: if is_os { "pkgdb".to_owned() } else { finding.package_path.clone() },
        feed: "vulnerabilities",
        feed_group: finding.evidence.ecosystem.to_string(),
        nvd_data: scores(finding, &nvd),
        vendor_data: scores(finding, &vendor),
        from_base_image: None,
    }
}

fn scores(finding: &Finding, scores: &[&CvssScore]) -> Vec<Value> {
    if scores.is_empty() {
        return Vec::new();
    }
    let block = |is_version_two: bool| {
        let score = scores.iter().find(|score| score.vector.starts_with("CVSS:") != is_version_two);
        json!({
            "base_score": score.map_or(NO_SCORE, |score| score.score),
            "exploitability_score": NO_SCORE,
            "impact_score": NO_SCORE,
        })
    };
    vec![json!({"id": finding.id, "cvss_v2": block(true), "cvss_v3": block(false)})]
}

/// The name of a kind of package in this API.
pub(crate) fn package_type(kind: PackageKind) -> &'static str {
    match kind {
        PackageKind::Apk => "APKG",
        PackageKind::Deb => "dpkg",
        PackageKind::Rpm => "rpm",
        PackageKind::Npm => "npm",
        PackageKind::Gem => "gem",
        PackageKind::PyPi => "python",
        PackageKind::Maven => "java",
        PackageKind::Golang => "go",
        PackageKind::Binary => "binary",
        other => other.purl_type(),
    }
}
