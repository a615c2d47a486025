//! CSV for spreadsheets: one line for each finding, or for each package.

use std::fmt::Write as _;

use crate::base::FoundBase;
use crate::escape::csv_field;
use crate::{Sbom, Scan};

/// The findings, one a line under a heading; RFC 4180 with `\n`.
pub fn scan_csv(scan: &Scan<'_>) -> String {
    let mut text = line(&[
        "vulnerability",
        "severity",
        "package",
        "version",
        "type",
        "state",
        "fixed_in",
        "path",
        "purl",
        "aliases",
        "severity_source",
        "cvss_score",
        "known_exploited",
        "epss",
        "record",
        "url",
        "summary",
        "from_base_image",
    ]);
    let base = FoundBase::of(&scan.sbom);
    for finding in &scan.report.findings {
        let score = finding.cvss.iter().map(|score| score.score).reduce(f64::max);
        text.push_str(&line(&[
            &finding.id,
            finding.severity.name(),
            &finding.package,
            &finding.version,
            finding.package_kind.purl_type(),
            finding.state.name(),
            &finding.fixed_in.join(" "),
            &finding.package_path,
            &finding.purl,
            &finding.aliases.join(" "),
            finding.severity_source.as_deref().unwrap_or_default(),
            &score.map_or_else(String::new, |score| score.to_string()),
            yes_or_no(finding.is_known_exploited),
            &finding.epss.map_or_else(String::new, |epss| epss.probability.to_string()),
            &finding.evidence.record,
            finding.url.as_deref().unwrap_or_default(),
            finding.summary.as_deref().unwrap_or_default(),
            yes_or_no(base.as_ref().and_then(|base| base.has_finding(finding))),
        ]));
    }
    text
}

/// The packages, one a line under a heading.
pub fn sbom_csv(sbom: &Sbom<'_>) -> String {
    let mut text = line(&[
        "name",
        "version",
        "type",
        "architecture",
        "source",
        "source_version",
        "licenses",
        "purl",
        "path",
        "layer",
        "owner",
        "from_base_image",
    ]);
    let base = FoundBase::of(sbom);
    for package in &sbom.inventory.packages {
        let location = package.locations.first();
        let layer = location.and_then(|location| location.layer.as_ref());
        text.push_str(&line(&[
            &package.name,
            package.version.as_deref().unwrap_or_default(),
            package.kind.purl_type(),
            package.architecture.as_deref().unwrap_or_default(),
            package.source.as_ref().map_or("", |source| &source.name),
            package.source.as_ref().map_or("", |source| &source.version),
            &package.licenses.join(" "),
            &package.purl,
            location.map_or("", |location| &location.path),
            &layer.map_or_else(String::new, ToString::to_string),
            package.owner.as_deref().unwrap_or_default(),
            yes_or_no(base.as_ref().and_then(|base| base.has(package))),
        ]));
    }
    text
}

fn yes_or_no(value: Option<bool>) -> &'static str {
    value.map_or("", |value| if value { "yes" } else { "no" })
}

fn line(fields: &[&str]) -> String {
    let mut line = String::new();
    for (index, field) in fields.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        write!(line, "{comma}{}", csv_field(field)).expect("writing to a String cannot fail");
    }
    line.push('\n');
    line
}
