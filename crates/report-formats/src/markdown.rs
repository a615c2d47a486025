//! Markdown for comments of code hosts and for wikis.

use std::fmt::Write as _;

use model::{Action, Decision, Finding};

use crate::base::{FoundBase, origin_word, package_lines};
use crate::escape::{markdown_code, markdown_text, web_address};
use crate::grouped::{by_package, fixed_in};
use crate::scan_table::{coverage_lines, summary_lines};
use crate::{Sbom, Scan};

/// Findings and verdict as Markdown.
pub fn scan_markdown(scan: &Scan<'_>) -> String {
    let mut text = heading(&scan.sbom);
    for line in summary_lines(scan).iter().chain(&coverage_lines(scan.report)) {
        writeln!(text, "- {}", markdown_text(line)).expect("writing to a String cannot fail");
    }
    if let Some(decision) = scan.decision {
        text.push_str(&verdict(decision));
    }
    if !scan.report.findings.is_empty() {
        let base = FoundBase::of(&scan.sbom);
        let (heading, rule) = if base.is_some() { (" From |", "---|") } else { ("", "") };
        writeln!(
            text,
            "\n| Package | Installed | Fixed in | Type | Vulnerability | Severity |{heading}\n|---|---|---|---|---|---|{rule}"
        )
        .expect("writing to a String cannot fail");
        for group in by_package(&scan.report.findings) {
            let origin = base.as_ref().map(|base| base.origin(group.everywhere.iter().copied()));
            let origin = origin.map_or_else(String::new, |origin| format!(" {origin} |"));
            for finding in &group.findings {
                writeln!(
                    text,
                    "| {} | {} | {} | {} | {} | {} |{origin}",
                    markdown_code(group.package),
                    markdown_code(&group.installed()),
                    markdown_code(&fixed_in(finding)),
                    group.kind.purl_type(),
                    vulnerability(finding),
                    finding.severity.name(),
                )
                .expect("writing to a String cannot fail");
            }
        }
    }
    let of_inventory = &scan.sbom.inventory.diagnostics;
    text.push_str(&diagnostics(of_inventory.iter().chain(&scan.report.diagnostics)));
    text
}

/// The packages as Markdown.
pub fn sbom_markdown(sbom: &Sbom<'_>) -> String {
    let mut text = heading(sbom);
    let packages = &sbom.inventory.packages;
    writeln!(text, "- {} packages", packages.len()).expect("writing to a String cannot fail");
    for line in package_lines(sbom) {
        writeln!(text, "- {}", markdown_text(&line)).expect("writing to a String cannot fail");
    }
    let base = FoundBase::of(sbom);
    let (heading, rule) = if base.is_some() { (" From |", "---|") } else { ("", "") };
    if !packages.is_empty() {
        writeln!(text, "\n| Package | Version | Type | Source |{heading}\n|---|---|---|---|{rule}")
            .expect("writing to a String cannot fail");
    }
    for package in packages {
        let source = package.source.as_ref().filter(|source| source.name != package.name);
        writeln!(
            text,
            "| {} | {} | {} | {} |{}",
            markdown_code(&package.name),
            package.version.as_deref().map_or_else(|| "(unknown)".to_owned(), markdown_code),
            package.kind.purl_type(),
            markdown_code(source.map_or("", |source| &source.name)),
            base.as_ref().map_or_else(String::new, |base| format!(" {} |", origin_word(base.has(package)))),
        )
        .expect("writing to a String cannot fail");
    }
    text.push_str(&diagnostics(sbom.inventory.diagnostics.iter()));
    text
}

fn heading(sbom: &Sbom<'_>) -> String {
    let mut text = format!("## {}\n\n", markdown_text(sbom.image_name));
    if let Some(facts) = sbom.facts() {
        writeln!(text, "- {}", markdown_code(&facts.digest.to_string()))
            .expect("writing to a String cannot fail");
    }
    if let Some(distro) = &sbom.inventory.distro {
        let name = distro.pretty_name.clone().unwrap_or_else(|| distro.namespace());
        writeln!(text, "- {}", markdown_text(&name)).expect("writing to a String cannot fail");
    }
    text
}

fn vulnerability(finding: &Finding) -> String {
    let id = markdown_code(&finding.id);
    match finding.url.as_deref().and_then(web_address) {
        Some(address) => format!("[{id}]({address})"),
        None => id,
    }
}

fn verdict(decision: &Decision) -> String {
    let word = match decision.final_action {
        Action::Go => "allowed",
        Action::Warn => "allowed with warnings",
        Action::Stop => "**refused**",
    };
    let mut text = format!("- policy {}: {word}\n", markdown_code(&decision.policy_id));
    let mut rows = decision.rows.iter().filter(|row| row.action != Action::Go).collect::<Vec<_>>();
    rows.sort_by_key(|row| std::cmp::Reverse(row.action));
    if !rows.is_empty() {
        text.push_str("\n| Action | Gate | Trigger | Reason |\n|---|---|---|---|\n");
    }
    for row in rows {
        let (gate, trigger) = (markdown_code(&row.gate), markdown_code(&row.trigger));
        let message = markdown_code(&row.message);
        writeln!(text, "| {} | {gate} | {trigger} | {message} |", row.action.name())
            .expect("writing to a String cannot fail");
    }
    text
}

fn diagnostics<'a>(diagnostics: impl Iterator<Item = &'a model::Diagnostic>) -> String {
    let mut text = String::new();
    for diagnostic in diagnostics {
        if text.is_empty() {
            text.push_str("\nWarnings:\n\n");
        }
        let (subject, message) = (markdown_code(&diagnostic.subject), markdown_text(&diagnostic.message));
        writeln!(text, "- {subject}: {message}").expect("writing to a String cannot fail");
    }
    text
}
