//! The table of `lazaret scan`: what was found, what was not covered, and the verdict.

use std::fmt::Write as _;

use comfy_table::{ContentArrangement, Table, TableStyle};
use model::{
    Action, Decision, Diagnostic, DistroCoverage, Finding, FindingState, MatchReport, NoDataReason, Severity,
};

use crate::Scan;
use crate::printable::{cell, printable};

const DIAGNOSTICS_SHOWN_MAX: usize = 10;
const DECISION_ROWS_SHOWN_MAX: usize = 20;

/// Findings and verdict as tables; `width` is the terminal's, `None` for a pipe.
pub fn scan_table(scan: &Scan<'_>, width: Option<u16>) -> String {
    let mut text = String::new();
    let report = scan.report;
    if !report.findings.is_empty() {
        let mut table =
            new_table(width, &["PACKAGE", "INSTALLED", "FIXED IN", "TYPE", "VULNERABILITY", "SEVERITY"]);
        for finding in &report.findings {
            table.add_row([
                cell(&finding.package).as_ref(),
                &cell(&finding.version),
                &cell(&fixed_in(finding)),
                finding.package_kind.purl_type(),
                &cell(&finding.id),
                finding.severity.name(),
            ]);
        }
        writeln!(text, "{}\n", table.trim_fmt()).expect("writing to a String cannot fail");
    }
    text.push_str(&summary(scan));
    text.push_str(&coverage(report));
    text.push_str(&diagnostics_text(&scan.sbom.inventory.diagnostics));
    text.push_str(&diagnostics_text(&report.diagnostics));
    if let Some(decision) = scan.decision {
        text.push_str(&verdict(decision, width));
    }
    text
}

pub(crate) fn new_table(width: Option<u16>, header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(TableStyle::new()).set_header(header.iter().copied());
    match width {
        Some(width) => {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        }
        None => {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
    }
    table
}

/// What could not be read or decided, in lines.
pub(crate) fn diagnostics_text(diagnostics: &[Diagnostic]) -> String {
    let mut text = String::new();
    for diagnostic in diagnostics.iter().take(DIAGNOSTICS_SHOWN_MAX) {
        let offset = diagnostic.offset.map(|offset| format!(" at byte {offset}")).unwrap_or_default();
        writeln!(
            text,
            "warning: {}{offset}: {}",
            printable(&diagnostic.subject),
            printable(&diagnostic.message)
        )
        .expect("writing to a String cannot fail");
    }
    if let Some(more) = diagnostics.len().checked_sub(DIAGNOSTICS_SHOWN_MAX).filter(|more| *more > 0) {
        writeln!(text, "warning: {more} more like these; see `diagnostics` in the JSON")
            .expect("writing to a String cannot fail");
    }
    text
}

fn fixed_in(finding: &Finding) -> String {
    match finding.state {
        FindingState::Fixed => finding.fixed_in.join(", "),
        FindingState::NotFixed => String::new(),
        FindingState::WillNotFix => "(won't fix)".to_owned(),
        FindingState::Undecided => "(undecided)".to_owned(),
    }
}

fn summary(scan: &Scan<'_>) -> String {
    let findings = &scan.report.findings;
    let counts = Severity::ALL
        .into_iter()
        .rev()
        .filter_map(|severity| {
            let count = findings.iter().filter(|finding| finding.severity == severity).count();
            (count > 0).then(|| format!("{count} {}", severity.name().to_lowercase()))
        })
        .collect::<Vec<_>>()
        .join(", ");
    let found = match (findings.len(), scan.report.is_covered()) {
        (0, true) if scan.sbom.inventory.packages.is_empty() => "nothing to look up".to_owned(),
        (0, true) => "no known vulnerabilities".to_owned(),
        (0, false) => "nothing known".to_owned(),
        (1, _) => format!("1 finding ({counts})"),
        (count, _) => format!("{count} findings ({counts})"),
    };
    format!("{}: {} packages, {found}\n", printable(scan.sbom.image_name), scan.sbom.inventory.packages.len())
}

fn coverage(report: &MatchReport) -> String {
    let database = report.database.as_ref().map_or_else(String::new, |database| {
        let revision = database.revision.get(..12).unwrap_or(&database.revision);
        format!("database {revision}, built {:.0}\n", database.built_at)
    });
    let gap = match &report.coverage {
        DistroCoverage::Covered { ecosystem, synced_at } => {
            format!("data for {ecosystem} as of {synced_at:.0}\n")
        }
        DistroCoverage::NotNeeded => String::new(),
        DistroCoverage::NoData(NoDataReason::NoDatabase) => {
            "NO DATA: there is no vulnerability database; build one with `lazaret db build`\n".to_owned()
        }
        DistroCoverage::NoData(NoDataReason::UnknownDistro) => {
            "NO DATA: the image does not say which operating system it is\n".to_owned()
        }
        DistroCoverage::NoData(NoDataReason::PackagesNotRead) => {
            "NO DATA: packages of this image could not be read; what was found is not all there is\n"
                .to_owned()
        }
        DistroCoverage::NoData(NoDataReason::NotInDatabase { namespace }) => {
            format!("NO DATA: the database knows nothing about {}\n", cell(namespace))
        }
    };
    database + &gap
}

fn verdict(decision: &Decision, width: Option<u16>) -> String {
    let word = match decision.final_action {
        Action::Go => "ALLOWED",
        Action::Warn => "ALLOWED with warnings",
        Action::Stop => "REFUSED",
    };
    let mut text = format!("\npolicy {}: {word}\n", printable(&decision.policy_id));
    let mut rows = decision.rows.iter().filter(|row| row.action != Action::Go).collect::<Vec<_>>();
    rows.sort_by_key(|row| std::cmp::Reverse(row.action));
    if !rows.is_empty() {
        let mut table = new_table(width, &["ACTION", "GATE", "TRIGGER", "REASON"]);
        for row in rows.iter().take(DECISION_ROWS_SHOWN_MAX) {
            let message = printable(&row.message);
            table.add_row([row.action.name(), &row.gate, &row.trigger, &message]);
        }
        writeln!(text, "{}", table.trim_fmt()).expect("writing to a String cannot fail");
    }
    if let Some(more) = rows.len().checked_sub(DECISION_ROWS_SHOWN_MAX).filter(|more| *more > 0) {
        writeln!(text, "{more} more rows; see `decision` in the JSON")
            .expect("writing to a String cannot fail");
    }
    for problem in &decision.problems {
        writeln!(text, "problem in the bundle: {}: {}", problem.problem_type, printable(&problem.details))
            .expect("writing to a String cannot fail");
    }
    text
}
