//! HTML: one file for a browser, without a server and without anything from outside.
//!
//! All rows are there without JavaScript; the script only hides some. The policy of the document lets nothing be loaded, and no
//! script run but this one.

mod sections;

use std::fmt::Write as _;

use data_encoding::BASE64;
use model::{Action, DistroCoverage, FindingState, Severity};
use sha2::{Digest as _, Sha256};

use crate::base::{FoundBase, finding_lines, objection, package_lines};
use crate::escape::markup;
use crate::format::{Report, WriteOptions};
use crate::grouped::{severity_counts, state_count};
use crate::scan_table::{coverage_lines, no_data_words};
use crate::{Sbom, Scan};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("filter.js");

/// The report as one HTML document.
pub(crate) fn html(report: &Report<'_>, options: &WriteOptions<'_>) -> String {
    let sbom = report.sbom();
    let script_hash = BASE64.encode(&Sha256::digest(SCRIPT.as_bytes()));
    let style_hash = BASE64.encode(&Sha256::digest(STYLE.as_bytes()));
    let title = markup(sbom.image_name);
    let mut text = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
        <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{style_hash}'; \
        script-src 'sha256-{script_hash}'; base-uri 'none'; form-action 'none'\">\n\
        <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
        <meta name=\"referrer\" content=\"no-referrer\">\n\
        <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
    );
    text.push_str(&header(sbom));
    text.push_str("<main>\n");
    if let Some(scan) = report.scan() {
        text.push_str(&banners(scan));
        text.push_str(&counts(scan));
    }
    text.push_str(&bases(report));
    text.push_str(&filter(report));
    if let Some(scan) = report.scan() {
        text.push_str(&sections::findings(scan));
        text.push_str(&sections::suppressed(scan));
        text.push_str(&sections::decision(scan));
    }
    text.push_str(&sections::diagnostics(report));
    text.push_str(&sections::packages(sbom, report.scan().is_none()));
    text.push_str("</main>\n");
    text.push_str(&footer(report, options));
    write!(text, "<script>{SCRIPT}</script>\n</body>\n</html>\n").expect("writing to a String cannot fail");
    text
}

fn header(sbom: &Sbom<'_>) -> String {
    let mut text = format!("<header>\n<h1>{}</h1>\n", markup(sbom.image_name));
    let mut facts = Vec::new();
    if let Some(distro) = &sbom.inventory.distro {
        facts.push(markup(&distro.pretty_name.clone().unwrap_or_else(|| distro.namespace())));
    }
    if let Some(image) = sbom.facts() {
        let variant =
            image.platform.variant.as_deref().map_or_else(String::new, |variant| format!("/{variant}"));
        facts.push(markup(&format!("{}/{}{variant}", image.platform.os, image.platform.architecture)));
        facts.push(format!("{:.1} MB compressed", megabytes(image.size_bytes)));
    }
    facts.push(format!("{} packages", sbom.inventory.packages.len()));
    writeln!(text, "<p class=\"quiet\">{}</p>", facts.join(" · ")).expect("writing to a String cannot fail");
    if let Some(image) = sbom.facts() {
        writeln!(text, "<p class=\"quiet\"><code>{}</code></p>", markup(&image.digest.to_string()))
            .expect("writing to a String cannot fail");
    }
    text.push_str("</header>\n");
    text
}

#[expect(clippy::cast_precision_loss, reason = "a size for people has one digit behind the point")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn banners(scan: &Scan<'_>) -> String {
    let mut text = String::new();
    let mut banner = |class: &str, words: &str| {
        writeln!(text, "<p class=\"banner {class}\">{words}</p>").expect("writing to a String cannot fail");
    };
    if let Some(decision) = scan.decision {
        let policy = markup(&decision.policy_id);
        match decision.final_action {
            Action::Stop => banner("", &format!("<strong>Refused</strong> by the policy {policy}")),
            Action::Warn => {
                banner("warn", &format!("<strong>Allowed with warnings</strong> by the policy {policy}"))
            }
            Action::Go => banner("good", &format!("<strong>Allowed</strong> by the policy {policy}")),
        }
    }
    if let DistroCoverage::NoData(reason) = &scan.report.coverage {
        banner("", &format!("<strong>No data:</strong> {}", markup(&no_data_words(reason))));
    }
    let undecided = state_count(&scan.report.findings, FindingState::Undecided);
    if undecided > 0 {
        banner(
            "warn",
            &format!(
                "<strong>{undecided} undecided:</strong> a version could not be ordered, so nobody knows"
            ),
        );
    }
    if scan.hidden_count > 0 {
        banner(
            "warn",
            &format!("{} more findings are left out of this report, as asked for", scan.hidden_count),
        );
    }
    text
}

fn counts(scan: &Scan<'_>) -> String {
    let mut text = "<ul class=\"counts\">\n".to_owned();
    let mut count = |class: &str, count: usize, words: &str| {
        writeln!(text, "<li class=\"{class}\"><strong>{count}</strong>{words}</li>")
            .expect("writing to a String cannot fail");
    };
    let findings = &scan.report.findings;
    count("all", findings.len(), if findings.len() == 1 { "finding" } else { "findings" });
    for (severity, number) in severity_counts(findings) {
        count(severity.name(), number, &severity.name().to_lowercase());
    }
    count("fixable", state_count(findings, FindingState::Fixed), "with a fix");
    let suppressed = scan.report.suppressed.len() + scan.report.suppressed_left_out;
    if suppressed > 0 {
        count("suppressed", suppressed, "suppressed");
    }
    text.push_str("</ul>\n");
    text
}

/// What came with the base image, and what is none.
fn bases(report: &Report<'_>) -> String {
    let sbom = report.sbom();
    let mut text = String::new();
    let objections: Vec<String> = sbom.bases.iter().filter_map(objection).collect();
    let lines = report.scan().map_or_else(|| package_lines(sbom), finding_lines);
    for line in lines {
        let class = if objections.contains(&line) { "banner warn" } else { "bases" };
        writeln!(text, "<p class=\"{class}\">{}</p>", markup(&line))
            .expect("writing to a String cannot fail");
    }
    text
}

/// Hidden without JavaScript: it would do nothing.
fn filter(report: &Report<'_>) -> String {
    let mut text = "<form class=\"filter\" hidden>\n\
        <input type=\"search\" name=\"words\" placeholder=\"Filter by package, identifier, path …\" aria-label=\"Filter\" title=\"/ comes here\">\n"
        .to_owned();
    if let Some(scan) = report.scan().filter(|scan| !scan.report.findings.is_empty()) {
        for (severity, _) in severity_counts(&scan.report.findings) {
            text.push_str(&severity_box(severity));
        }
        text.push_str(
            "<label><input type=\"checkbox\" name=\"fixable\"> with a fix only</label>\n\
            <label>order <select name=\"order\"><option value=\"\">updates first</option>\
            <option value=\"worst\">worst first</option><option value=\"package\">by name</option></select></label>\n",
        );
    }
    if FoundBase::of(report.sbom()).is_some() {
        text.push_str(
            "<label>from <select name=\"origin\"><option value=\"\">base and own layers</option>\
            <option value=\"base\">the base image</option><option value=\"own\">own layers</option></select></label>\n",
        );
    }
    text.push_str("<output class=\"quiet\"></output>\n</form>\n");
    text
}

fn severity_box(severity: Severity) -> String {
    let name = severity.name();
    format!("<label><input type=\"checkbox\" name=\"severity\" value=\"{name}\" checked> {name}</label>\n")
}

fn footer(report: &Report<'_>, options: &WriteOptions<'_>) -> String {
    let mut lines = report.scan().map_or_else(Vec::new, |scan| coverage_lines(scan.report));
    lines.push(format!("lazaret {}", options.program_version).trim_end().to_owned());
    if let Some(time) = options.written_at {
        lines.push(format!("written {time:.0}"));
    }
    let lines = lines.iter().map(|line| markup(line)).collect::<Vec<_>>();
    format!("<footer>{}</footer>\n", lines.join(" · "))
}
