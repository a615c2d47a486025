//! What is known about the packages, as `vulnerabilities` of a document.

use std::collections::BTreeMap;

use model::{CvssScore, Finding, FindingState, MatchReport, PackageKind, Severity};
use serde_json::{Map, Value, json};

use crate::Sbom;
use crate::listing::Listing;
use crate::sbom_formats::CycloneDxVersion;

/// What tells packages of an inventory apart for a finding: kind, name, version, package URL, first place.
type Key<'a> = (PackageKind, &'a str, &'a str, &'a str, &'a str);

pub(super) fn list(
    sbom: &Sbom<'_>,
    listing: &Listing,
    report: &MatchReport,
    version: CycloneDxVersion,
) -> Vec<Value> {
    let mut references: BTreeMap<Key<'_>, &str> = BTreeMap::new();
    for (package, listed) in sbom.inventory.packages.iter().zip(&listing.packages) {
        let version = package.version.as_deref().unwrap_or_default();
        let key = (package.kind, package.name.as_str(), version, package.purl.as_str(), package.path());
        references.entry(key).or_insert(&listed.reference);
    }
    let findings = report.findings.iter().enumerate();
    findings.map(|(index, finding)| vulnerability(index, finding, &references, version)).collect()
}

fn vulnerability(
    index: usize,
    finding: &Finding,
    references: &BTreeMap<Key<'_>, &str>,
    version: CycloneDxVersion,
) -> Value {
    let mut vulnerability = Map::new();
    let mut add = |key: &str, value: Value| vulnerability.insert(key.to_owned(), value);
    add("bom-ref", json!(format!("finding-{index}")));
    add("id", json!(finding.id));
    let mut source = json!({"name": finding.evidence.feed.name()});
    if let Some(url) = &finding.url {
        source["url"] = json!(url);
    }
    add("source", source);
    add("ratings", ratings(finding, version));
    if let Some(summary) = &finding.summary {
        add("description", json!(summary));
    }
    if !finding.fixed_in.is_empty() {
        let package = finding.evidence.matched_name.as_str();
        add("recommendation", json!(format!("Upgrade {package} to {}", finding.fixed_in.join(" or "))));
    }
    if let Some(url) = &finding.url {
        add("advisories", json!([{"url": url}]));
    }
    if let Some(published) = finding.published {
        add("published", json!(published.to_string()));
    }
    match finding.state {
        FindingState::Fixed => drop(add("analysis", json!({"response": ["update"]}))),
        FindingState::WillNotFix => drop(add("analysis", json!({"response": ["will_not_fix"]}))),
        FindingState::Undecided => drop(add("analysis", json!({"state": "in_triage"}))),
        FindingState::NotFixed => {}
    }
    let key = (
        finding.package_kind,
        finding.package.as_str(),
        finding.version.as_str(),
        finding.purl.as_str(),
        finding.package_path.as_str(),
    );
    if let Some(reference) = references.get(&key) {
        let versions = json!([{"version": finding.version, "status": "affected"}]);
        add("affects", json!([{"ref": reference, "versions": versions}]));
    }
    let mut properties = vec![("lazaret:state", finding.state.name().to_owned())];
    properties.extend(finding.aliases.iter().map(|alias| ("lazaret:alias", alias.clone())));
    properties.extend(finding.fixed_in.iter().map(|fix| ("lazaret:fixed-in", fix.clone())));
    properties.push(("lazaret:range", finding.evidence.range.clone()));
    add("properties", properties.iter().map(|(name, value)| json!({"name": name, "value": value})).collect());
    Value::Object(vulnerability)
}

/// The class that counts, then all scores.
fn ratings(finding: &Finding, version: CycloneDxVersion) -> Value {
    let mut counting = Map::new();
    if let Some(source) = &finding.severity_source {
        counting.insert("source".to_owned(), json!({"name": source}));
    }
    counting.insert("severity".to_owned(), json!(severity(finding.severity)));
    let score = |CvssScore { source, vector, score }: &CvssScore| json!({"source": {"name": source}, "score": score, "method": method(vector, version), "vector": vector});
    std::iter::once(Value::Object(counting)).chain(finding.cvss.iter().map(score)).collect()
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "high",
        Severity::Medium => "medium",
        Severity::Low => "low",
        Severity::Negligible => "info",
        Severity::Unknown => "unknown",
    }
}

fn method(vector: &str, version: CycloneDxVersion) -> &'static str {
    match vector.split_once('/').map_or(vector, |(head, _)| head) {
        "CVSS:4.0" if version >= CycloneDxVersion::V1_5 => "CVSSv4",
        "CVSS:3.1" => "CVSSv31",
        "CVSS:3.0" => "CVSSv3",
        _ if vector.starts_with("AV:") => "CVSSv2",
        _ => "other",
    }
}
