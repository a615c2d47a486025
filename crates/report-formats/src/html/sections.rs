//! The tables of the HTML report.

use std::fmt::Write as _;

use model::{Action, Finding, FindingState, MatchedBy, SuppressedFinding};

use crate::base::{FoundBase, origin_word};
use crate::escape::{markup, web_address};
use crate::format::Report;
use crate::grouped::{PackageGroup, by_package, fixed_in};
use crate::{Sbom, Scan};

/// Findings, a body of the table for each package.
pub(super) fn findings(scan: &Scan<'_>) -> String {
    if scan.report.findings.is_empty() {
        let words = match (scan.report.is_covered(), scan.hidden_count) {
            (true, 0) => "No known vulnerabilities.",
            (true, _) => "No findings of the kind that is asked for.",
            (false, _) => "Nothing is known about this image.",
        };
        return format!("<h2>Findings</h2>\n<p>{words}</p>\n");
    }
    let mut text = "<h2>Findings</h2>\n<table id=\"findings\">\n<thead><tr><th scope=\"col\" class=\"severity\">Severity</th>\
        <th scope=\"col\" class=\"id\">Vulnerability</th><th scope=\"col\" class=\"fix\">Fixed in</th>\
        <th scope=\"col\">About</th></tr></thead>\n"
        .to_owned();
    let base = FoundBase::of(&scan.sbom);
    for group in by_package(&scan.report.findings) {
        let origin = base.as_ref().map(|base| base.origin(group.everywhere.iter().copied()));
        let words = origin.filter(|origin| !origin.is_empty());
        let words = words.map_or_else(String::new, |origin| format!(" · from: {origin}"));
        let (package, installed) = (markup(group.package), markup(&group.installed()));
        write!(
            text,
            "<tbody class=\"group\">\n<tr class=\"package\"><th scope=\"rowgroup\" colspan=\"4\">{package} \
            <span class=\"quiet\">{installed} · {}{words}</span></th></tr>\n",
            group.kind.purl_type()
        )
        .expect("writing to a String cannot fail");
        for finding in &group.findings {
            text.push_str(&finding_row(&group, finding, origin));
        }
        text.push_str("</tbody>\n");
    }
    text.push_str("</table>\n");
    text
}

fn finding_row(group: &PackageGroup<'_>, finding: &Finding, origin: Option<&str>) -> String {
    let severity = finding.severity.name();
    let fix = match finding.state {
        FindingState::Fixed => markup(&fixed_in(finding)),
        FindingState::NotFixed => "<span class=\"quiet\">no fix yet</span>".to_owned(),
        FindingState::WillNotFix => "<span class=\"quiet\">won&#39;t be fixed</span>".to_owned(),
        FindingState::Undecided => "<span class=\"undecided\">undecided</span>".to_owned(),
    };
    let summary = finding.summary.as_deref().unwrap_or("Details");
    format!(
        "<tr data-severity=\"{severity}\" data-state=\"{}\"{} data-package=\"{}\"><td><span class=\"tag {severity}\">{severity}</span></td>\
        <td class=\"id\">{}</td><td class=\"fix\">{fix}</td><td><details><summary>{}</summary>{}</details></td></tr>\n",
        finding.state.name(),
        origin_attribute(origin),
        markup(&format!("{} {}", group.package, group.version)),
        identifier(finding),
        markup(summary),
        details(finding),
    )
}

/// By which rows are filtered; nothing where no base is known.
fn origin_attribute(origin: Option<&str>) -> String {
    origin.map_or_else(String::new, |origin| format!(" data-origin=\"{origin}\""))
}

fn identifier(finding: &Finding) -> String {
    let id = markup(&finding.id);
    match finding.url.as_deref().and_then(web_address) {
        Some(address) => format!("<a href=\"{}\" rel=\"noreferrer noopener\">{id}</a>", markup(&address)),
        None => id,
    }
}

fn details(finding: &Finding) -> String {
    let evidence = &finding.evidence;
    let name = match evidence.matched_by {
        MatchedBy::SourcePackage => "source package",
        MatchedBy::PackageName => "package",
    };
    let why = format!(
        "{name} {} {} lies in {} of {} ({}, {})",
        evidence.matched_name,
        evidence.matched_version,
        evidence.range,
        evidence.record,
        evidence.feed.name(),
        evidence.ecosystem
    );
    let scores =
        finding.cvss.iter().map(|score| format!("{:.1} ({}) {}", score.score, score.source, score.vector));
    let severity = match &finding.severity_source {
        Some(source) => format!("{} by {source}", finding.severity),
        None => finding.severity.to_string(),
    };
    let epss = finding.epss.map(|epss| format!("{:.2} % in the next thirty days", epss.probability * 100.0));
    let exploited = finding.is_known_exploited.filter(|is_known| *is_known).map(|_| "yes".to_owned());
    let rows = [
        ("Path", Some(finding.package_path.clone())),
        ("Package URL", Some(finding.purl.clone())),
        ("Also", Some(finding.aliases.join(", "))),
        ("Severity", Some(severity)),
        ("CVSS", Some(scores.collect::<Vec<_>>().join("; "))),
        ("Known exploited", exploited),
        ("Probability of exploitation", epss),
        ("Published", finding.published.map(|time| format!("{time:.0}"))),
        ("Why", Some(why)),
    ];
    let rows = rows.into_iter().filter_map(|(name, value)| Some((name, value.filter(|it| !it.is_empty())?)));
    let rows = rows.map(|(name, value)| format!("<dt>{name}</dt><dd>{}</dd>", markup(&value)));
    format!("<dl>{}</dl>", rows.collect::<String>())
}

/// What something speaks against.
pub(super) fn suppressed(scan: &Scan<'_>) -> String {
    let report = scan.report;
    if report.suppressed.is_empty() {
        return String::new();
    }
    let mut text = "<h2>Suppressed</h2>\n<p class=\"quiet\">These would be findings, if what is known did not speak against them.</p>\n\
        <table>\n<thead><tr><th scope=\"col\" class=\"id\">Vulnerability</th><th scope=\"col\">Package</th>\
        <th scope=\"col\">Because</th></tr></thead>\n<tbody>\n"
        .to_owned();
    for SuppressedFinding { finding, reason } in &report.suppressed {
        let package = markup(&format!("{} {}", finding.package, finding.version));
        let because = markup(&reason.sentence());
        writeln!(
            text,
            "<tr><td class=\"id\">{}</td><td>{package}</td><td>{because}</td></tr>",
            identifier(finding)
        )
        .expect("writing to a String cannot fail");
    }
    text.push_str("</tbody>\n</table>\n");
    if report.suppressed_left_out > 0 {
        writeln!(text, "<p>{} more are not listed.</p>", report.suppressed_left_out)
            .expect("writing to a String cannot fail");
    }
    text
}

/// The rows of the policy that did not pass.
pub(super) fn decision(scan: &Scan<'_>) -> String {
    let Some(decision) = scan.decision else {
        return String::new();
    };
    let mut rows = decision.rows.iter().filter(|row| row.action != Action::Go).collect::<Vec<_>>();
    rows.sort_by_key(|row| std::cmp::Reverse(row.action));
    if rows.is_empty() {
        return String::new();
    }
    let mut text =
        "<h2>Policy</h2>\n<table>\n<thead><tr><th scope=\"col\">Action</th><th scope=\"col\">Rule</th>\
        <th scope=\"col\">Reason</th></tr></thead>\n<tbody>\n"
            .to_owned();
    for row in rows {
        let rule = markup(&format!("{}/{}", row.gate, row.trigger));
        writeln!(
            text,
            "<tr><td>{}</td><td class=\"rule\">{rule}</td><td>{}</td></tr>",
            row.action.name(),
            markup(&row.message)
        )
        .expect("writing to a String cannot fail");
    }
    text.push_str("</tbody>\n</table>\n");
    text
}

/// What could not be read or decided.
pub(super) fn diagnostics(report: &Report<'_>) -> String {
    let of_matching = report.scan().map_or(&[][..], |scan| &scan.report.diagnostics);
    let mut text = String::new();
    for diagnostic in report.sbom().inventory.diagnostics.iter().chain(of_matching) {
        if text.is_empty() {
            text.push_str("<h2>Warnings</h2>\n<ul>\n");
        }
        let (subject, message) = (markup(&diagnostic.subject), markup(&diagnostic.message));
        writeln!(text, "<li><code>{subject}</code>: {message}</li>")
            .expect("writing to a String cannot fail");
    }
    if !text.is_empty() {
        text.push_str("</ul>\n");
    }
    text
}

/// All packages.
pub(super) fn packages(sbom: &Sbom<'_>, is_open: bool) -> String {
    let packages = &sbom.inventory.packages;
    let open = if is_open { " open" } else { "" };
    let mut text = format!(
        "<h2>Packages</h2>\n<details{open}><summary>{} packages</summary>\n<table id=\"packages\">\n<thead><tr>\
        <th scope=\"col\">Name</th><th scope=\"col\">Version</th><th scope=\"col\">Type</th><th scope=\"col\">Source</th>\
        <th scope=\"col\">Path</th></tr></thead>\n<tbody>\n",
        packages.len()
    );
    let base = FoundBase::of(sbom);
    for package in packages {
        let source = package.source.as_ref().filter(|source| source.name != package.name);
        writeln!(
            text,
            "<tr data-listed{}><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"mono\">{}</td></tr>",
            origin_attribute(base.as_ref().map(|base| origin_word(base.has(package)))),
            markup(&package.name),
            markup(package.version.as_deref().unwrap_or("(unknown)")),
            package.kind.purl_type(),
            markup(source.map_or("", |source| &source.name)),
            markup(package.path()),
        )
        .expect("writing to a String cannot fail");
    }
    text.push_str("</tbody>\n</table>\n</details>\n");
    text
}
