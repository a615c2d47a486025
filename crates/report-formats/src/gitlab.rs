//! GitLab's report of container scanning, version 15.

use model::{DistroCoverage, Finding, FindingState, Severity};
use serde_json::{Value, json};

use crate::escape::web_address;
use crate::format::{Report, WriteOptions};
use crate::printable::printable;
use crate::scan_table::no_data_words;
use crate::stable::{report_time, uuid};
use crate::{Scan, wire};

const SCHEMA_VERSION: &str = "15.0.2";
/// Longest texts that GitLab takes.
const NAME_CHARS_MAX: usize = 255;
const SOLUTION_CHARS_MAX: usize = 7000;
const DESCRIPTION_CHARS_MAX: usize = 200_000;

/// The findings as a container scanning report.
pub(crate) fn gitlab(scan: &Scan<'_>, options: &WriteOptions<'_>) -> String {
    let time = report_time(&Report::Scan(*scan), options).strftime("%Y-%m-%dT%H:%M:%S").to_string();
    let tool = json!({
        "id": "lazaret",
        "name": "Lazaret",
        "version": if options.program_version.is_empty() { "0.0.0" } else { options.program_version },
        "vendor": { "name": "Lazaret" },
    });
    wire::to_text(&json!({
        "version": SCHEMA_VERSION,
        "scan": {
            "type": "container_scanning",
            // Nothing known is not the same as nothing found.
            "status": if scan.report.is_covered() { "success" } else { "failure" },
            "analyzer": tool,
            "scanner": tool,
            "start_time": time,
            "end_time": time,
            "messages": messages(scan),
        },
        "vulnerabilities": scan.report.findings.iter().map(|finding| vulnerability(scan, finding)).collect::<Vec<_>>(),
        "remediations": [],
    }))
}

fn messages(scan: &Scan<'_>) -> Vec<Value> {
    let no_data = match &scan.report.coverage {
        DistroCoverage::NoData(reason) => {
            Some(json!({ "level": "fatal", "value": format!("NO DATA: {}", no_data_words(reason)) }))
        }
        _ => None,
    };
    let diagnostics = scan.sbom.inventory.diagnostics.iter().chain(&scan.report.diagnostics);
    let warnings = diagnostics
        .map(|it| json!({ "level": "warn", "value": printable(&format!("{}: {}", it.subject, it.message)) }));
    no_data.into_iter().chain(warnings).collect()
}

fn vulnerability(scan: &Scan<'_>, finding: &Finding) -> Value {
    let Finding { id, package, version, package_path, .. } = finding;
    let summary = finding.summary.as_deref().unwrap_or(id);
    let solution = match finding.state {
        FindingState::Fixed => format!("Update {package} to {}", finding.fixed_in.join(" or ")),
        FindingState::NotFixed => "There is no fix yet".to_owned(),
        FindingState::WillNotFix => "It will not be fixed".to_owned(),
        FindingState::Undecided => "Undecided: a version could not be ordered".to_owned(),
    };
    let distro = scan.sbom.inventory.distro.as_ref().map(model::Distro::namespace);
    let system = distro.filter(|name| !name.is_empty()).unwrap_or_else(|| "unknown".to_owned());
    let image = if scan.sbom.image_name.is_empty() { "unknown" } else { scan.sbom.image_name };
    let identifiers = std::iter::once(id).chain(&finding.aliases).filter(|id| !id.is_empty());
    let address = finding.url.as_deref().and_then(web_address);
    json!({
        "id": uuid(&["gitlab", image, id, package, version, package_path]),
        "name": cut(&format!("{id}: {summary}"), NAME_CHARS_MAX),
        "description": cut(summary, DESCRIPTION_CHARS_MAX),
        "severity": severity(finding.severity),
        "solution": cut(&solution, SOLUTION_CHARS_MAX),
        "identifiers": identifiers.map(|id| identifier(id)).collect::<Vec<_>>(),
        "links": address.iter().map(|address| json!({ "url": address })).collect::<Vec<_>>(),
        "location": {
            "dependency": { "package": { "name": printable(package) }, "version": printable(version) },
            "operating_system": printable(&system),
            "image": printable(image),
        },
    })
}

fn identifier(id: &str) -> Value {
    let (kind, _) = id.split_once('-').unwrap_or(("other", ""));
    let kind = if kind.is_empty() { "other".to_owned() } else { kind.to_lowercase() };
    let id = printable(id);
    json!({ "type": printable(&kind), "name": id, "value": id })
}

/// GitLab's words: what a distro thinks not worth a fix is information there.
fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Negligible => "Info",
        other => other.name(),
    }
}

fn cut(text: &str, chars_max: usize) -> String {
    let shown = printable(text);
    match shown.char_indices().nth(chars_max) {
        None => shown.into_owned(),
        Some(_) => shown.chars().take(chars_max - 1).chain(['…']).collect(),
    }
}
