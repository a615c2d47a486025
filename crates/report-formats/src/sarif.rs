//! SARIF 2.1.0, as code hosts show it in their security pages.

use std::collections::BTreeMap;

use model::{DistroCoverage, Finding, FindingState, Severity};
use serde_json::{Value, json};

use crate::Scan;
use crate::base::{FoundBase, objection};
use crate::escape::web_address;
use crate::format::WriteOptions;
use crate::printable::printable;
use crate::scan_table::no_data_words;
use crate::stable::{finding_fingerprint, percent_encoded};
use crate::wire;

/// Most results that GitHub keeps of one run; the worst come first, and what is left out is said.
const RESULTS_MAX: usize = 5000;

/// The findings as one run of SARIF.
pub(crate) fn sarif(scan: &Scan<'_>, options: &WriteOptions<'_>) -> String {
    let findings = &scan.report.findings;
    let shown = &findings[..findings.len().min(RESULTS_MAX)];
    let mut by_id = BTreeMap::<&str, Vec<&Finding>>::new();
    for finding in shown {
        by_id.entry(&finding.id).or_default().push(finding);
    }
    let index = by_id.keys().enumerate().map(|(index, id)| (*id, index)).collect::<BTreeMap<_, _>>();
    let mut properties = json!({ "image": printable(scan.sbom.image_name) });
    if let Some(facts) = scan.sbom.facts() {
        properties["digest"] = json!(facts.digest.to_string());
    }
    let base = FoundBase::of(&scan.sbom);
    if let Some(found) = &base {
        properties["baseImage"] = json!(printable(&found.base.name));
    }
    wire::to_text(&json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "lazaret",
                "version": options.program_version,
                "rules": by_id.values().map(|findings| rule(findings)).collect::<Vec<_>>(),
            }},
            "invocations": [{
                // Nothing known is not the same as nothing found.
                "executionSuccessful": scan.report.is_covered(),
                "toolExecutionNotifications": notifications(scan, findings.len() - shown.len()),
            }],
            "results": shown.iter().map(|finding| result(scan, finding, index[&*finding.id], base.as_ref())).collect::<Vec<_>>(),
            "columnKind": "unicodeCodePoints",
            "properties": properties,
        }],
    }))
}

fn rule(findings: &[&Finding]) -> Value {
    let worst = findings.iter().max_by_key(|finding| finding.severity).expect("a rule has a finding");
    let id = printable(&worst.id);
    let summary = worst.summary.as_deref().map_or(id.clone(), printable);
    let mut rule = json!({
        "id": id,
        "name": "VulnerablePackage",
        "shortDescription": { "text": format!("{id}: {summary}") },
        "fullDescription": { "text": summary },
        "help": { "text": help(worst) },
        "defaultConfiguration": { "level": level(worst.severity) },
        "properties": {
            "security-severity": security_severity(worst),
            "precision": "very-high",
            "tags": ["security", "vulnerability", worst.severity.name().to_lowercase()],
        },
    });
    if let Some(address) = worst.url.as_deref().and_then(web_address) {
        rule["helpUri"] = json!(address);
    }
    rule
}

fn help(finding: &Finding) -> String {
    let other =
        if finding.aliases.is_empty() { String::new() } else { format!(" ({})", finding.aliases.join(", ")) };
    let source =
        finding.severity_source.as_deref().map_or_else(String::new, |source| format!(", says {source}"));
    let text = format!(
        "{}{other}: {}{source}. `lazaret scan --explain {0}` tells why it is reported.",
        finding.id, finding.severity
    );
    printable(&text).into_owned()
}

fn result(scan: &Scan<'_>, finding: &Finding, rule_index: usize, base: Option<&FoundBase<'_>>) -> Value {
    // Code hosts want a place; what is of a list without places is in the list.
    let path = match finding.package_path.trim_start_matches('/') {
        "" => scan.sbom.image_name,
        path => path,
    };
    let mut properties = json!({
        "purl": finding.purl,
        "state": finding.state.name(),
        "fixedIn": finding.fixed_in,
    });
    if let Some(of_base) = base.and_then(|base| base.has_finding(finding)) {
        properties["fromBaseImage"] = json!(of_base);
    }
    json!({
        "ruleId": printable(&finding.id),
        "ruleIndex": rule_index,
        "level": level(finding.severity),
        "message": { "text": message(finding) },
        "locations": [{
            "physicalLocation": {
                "artifactLocation": { "uri": percent_encoded(path) },
                "region": { "startLine": 1 },
            },
            "logicalLocations": [{
                "name": printable(&finding.package),
                "fullyQualifiedName": printable(&format!("{}:{}", scan.sbom.image_name, finding.package_path)),
                "kind": "package",
            }],
        }],
        "partialFingerprints": { "primaryLocationLineHash": finding_fingerprint(finding) },
        "properties": properties,
    })
}

fn message(finding: &Finding) -> String {
    let Finding { package, version, id, severity, .. } = finding;
    let cure = match finding.state {
        FindingState::Fixed => format!("fixed in {}", finding.fixed_in.join(", ")),
        FindingState::NotFixed => "there is no fix yet".to_owned(),
        FindingState::WillNotFix => "it will not be fixed".to_owned(),
        FindingState::Undecided => "undecided: a version could not be ordered".to_owned(),
    };
    let kind = finding.package_kind.purl_type();
    printable(&format!("{package} {version} ({kind}) has {id} ({severity}); {cure}")).into_owned()
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Negligible | Severity::Unknown => "note",
    }
}

/// A score in the class that counts here: a CVSS score of another class would contradict the severity.
fn security_severity(finding: &Finding) -> String {
    let of_class = |score: &f64| Severity::from_cvss_score(*score) == finding.severity;
    let score = finding.cvss.iter().map(|score| score.score).filter(of_class).reduce(f64::max);
    let lowest = match finding.severity {
        Severity::Critical => 9.0,
        Severity::High => 7.0,
        Severity::Medium => 4.0,
        Severity::Low => 0.1,
        Severity::Negligible | Severity::Unknown => 0.0,
    };
    format!("{:.1}", score.unwrap_or(lowest))
}

fn notifications(scan: &Scan<'_>, left_out: usize) -> Vec<Value> {
    let notification =
        |level: &str, text: &str| json!({ "level": level, "message": { "text": printable(text) } });
    let mut notifications = Vec::new();
    if let DistroCoverage::NoData(reason) = &scan.report.coverage {
        notifications.push(notification("error", &format!("NO DATA: {}", no_data_words(reason))));
    }
    for text in scan.sbom.bases.iter().filter_map(objection) {
        notifications.push(notification("warning", &text));
    }
    if left_out > 0 {
        let text =
            format!("{left_out} less severe findings are left out: more than {RESULTS_MAX} are not shown");
        notifications.push(notification("warning", &text));
    }
    for diagnostic in scan.sbom.inventory.diagnostics.iter().chain(&scan.report.diagnostics) {
        let text = format!("{}: {}", diagnostic.subject, diagnostic.message);
        notifications.push(notification("warning", &text));
    }
    notifications
}
