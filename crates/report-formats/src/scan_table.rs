//! The table of `lazaret scan`: what was found, what was not covered, and the verdict.

use std::fmt::Write as _;

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, TableStyle};
use model::{
    Action, Decision, Diagnostic, DistroCoverage, FindingState, MatchReport, NoDataReason, Severity,
    SuppressedFinding,
};

use crate::Scan;
use crate::base::{FoundBase, finding_lines};
use crate::grouped::{by_package, fixed_in, severity_counts, state_count};
use crate::printable::{cell, printable};

const DIAGNOSTICS_SHOWN_MAX: usize = 10;
const DECISION_ROWS_SHOWN_MAX: usize = 20;

/// How a table is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TableOptions {
    /// How wide it is; `None`: a pipe or a file, where lines are as long as they get.
    pub width: Option<u16>,
    /// Whether severities have colours.
    pub has_color: bool,
    /// Whether suppressed findings are listed, with what speaks against each.
    pub shows_suppressed: bool,
}

/// Findings package by package, what an update mends first, and the verdict.
///
/// On a terminal a package is named once; in a pipe on each line, so that lines can be searched for.
pub fn scan_table(scan: &Scan<'_>, options: TableOptions) -> String {
    let mut text = String::new();
    let report = scan.report;
    if !report.findings.is_empty() {
        writeln!(text, "{}\n", findings_table(scan, options).trim_fmt())
            .expect("writing to a String cannot fail");
    }
    if options.shows_suppressed && !report.suppressed.is_empty() {
        writeln!(text, "{}\n", suppressed_table(&report.suppressed, options).trim_fmt())
            .expect("writing to a String cannot fail");
    }
    for line in summary_lines(scan).iter().chain(&coverage_lines(report)) {
        writeln!(text, "{}", printable(line)).expect("writing to a String cannot fail");
    }
    text.push_str(&diagnostics_text(&scan.sbom.inventory.diagnostics));
    text.push_str(&diagnostics_text(&report.diagnostics));
    if let Some(decision) = scan.decision {
        text.push_str(&verdict(decision, options.width));
    }
    text
}

fn findings_table(scan: &Scan<'_>, options: TableOptions) -> Table {
    let base = FoundBase::of(&scan.sbom);
    let headings = ["PACKAGE", "INSTALLED", "FIXED IN", "TYPE", "VULNERABILITY", "SEVERITY"];
    let headings: Vec<&str> = headings.into_iter().chain(base.as_ref().map(|_| "FROM")).collect();
    let mut table = new_table(options.width, &headings);
    if options.has_color {
        table.enforce_styling();
    }
    for group in by_package(&scan.report.findings) {
        for (index, finding) in group.findings.iter().enumerate() {
            let is_named = index == 0 || options.width.is_none();
            let (package, installed, kind) = match is_named {
                true => (group.package, group.installed(), group.kind.purl_type()),
                false => ("", String::new(), ""),
            };
            let severity = Cell::new(finding.severity.name());
            let mut row = vec![
                Cell::new(cell(package)),
                Cell::new(cell(&installed)),
                Cell::new(cell(&fixed_in(finding))),
                Cell::new(kind),
                Cell::new(cell(&finding.id)),
                if options.has_color { colored(severity, finding.severity) } else { severity },
            ];
            row.extend(base.as_ref().map(|base| Cell::new(base.origin(group.everywhere.iter().copied()))));
            table.add_row(row);
        }
    }
    table
}

fn suppressed_table(suppressed: &[SuppressedFinding], options: TableOptions) -> Table {
    let mut table = new_table(options.width, &["SUPPRESSED", "INSTALLED", "VULNERABILITY", "BECAUSE"]);
    for SuppressedFinding { finding, reason } in suppressed {
        let because = printable(&reason.sentence()).into_owned();
        table.add_row([
            cell(&finding.package).as_ref(),
            &cell(&finding.version),
            &cell(&finding.id),
            &because,
        ]);
    }
    table
}

fn colored(cell: Cell, severity: Severity) -> Cell {
    match severity {
        Severity::Critical => cell.fg(Color::Red).add_attribute(Attribute::Bold),
        Severity::High => cell.fg(Color::Red),
        Severity::Medium => cell.fg(Color::Yellow),
        Severity::Low => cell.fg(Color::Cyan),
        Severity::Negligible | Severity::Unknown => cell.add_attribute(Attribute::Dim),
    }
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

/// What was found, in lines for people: how much, how bad, and what can be done.
pub(crate) fn summary_lines(scan: &Scan<'_>) -> Vec<String> {
    let findings = &scan.report.findings;
    let counts = severity_counts(findings)
        .into_iter()
        .map(|(severity, count)| format!("{count} {}", severity.name().to_lowercase()))
        .collect::<Vec<_>>()
        .join(", ");
    let found = match (findings.len(), scan.report.is_covered()) {
        (0, true) if scan.sbom.inventory.packages.is_empty() => "nothing to look up".to_owned(),
        (0, true) if scan.hidden_count > 0 => "no findings of the kind that is asked for".to_owned(),
        (0, true) => "no known vulnerabilities".to_owned(),
        (0, false) => "nothing known".to_owned(),
        (1, _) => format!("1 finding ({counts})"),
        (count, _) => format!("{count} findings ({counts})"),
    };
    let mut lines =
        vec![format!("{}: {} packages, {found}", scan.sbom.image_name, scan.sbom.inventory.packages.len())];
    let states = [
        (FindingState::Fixed, "with a fix"),
        (FindingState::NotFixed, "without a fix"),
        (FindingState::WillNotFix, "that will not be fixed"),
        (FindingState::Undecided, "UNDECIDED: a version could not be ordered"),
    ];
    let states = states
        .into_iter()
        .map(|(state, words)| (state_count(findings, state), words))
        .filter(|(count, _)| *count > 0)
        .map(|(count, words)| format!("{count} {words}"))
        .collect::<Vec<_>>();
    if !states.is_empty() {
        lines.push(states.join(", "));
    }
    let suppressed_count = scan.report.suppressed.len() + scan.report.suppressed_left_out;
    if suppressed_count > 0 {
        lines.push(format!(
            "{suppressed_count} suppressed: what is known speaks against them (`--show-suppressed` lists them)"
        ));
    }
    if scan.hidden_count > 0 {
        lines.push(format!("{} more findings are left out of this report, as asked for", scan.hidden_count));
    }
    lines.extend(finding_lines(scan));
    lines
}

/// What was asked, and what could not be, in lines for people.
pub(crate) fn coverage_lines(report: &MatchReport) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(database) = &report.database {
        let revision = database.revision.get(..12).unwrap_or(&database.revision);
        lines.push(format!("database {revision}, built {:.0}", database.built_at));
    }
    lines.extend(match &report.coverage {
        DistroCoverage::Covered { ecosystem, synced_at } => {
            Some(format!("data for {ecosystem} as of {synced_at:.0}"))
        }
        DistroCoverage::NotNeeded => None,
        DistroCoverage::NoData(reason) => Some(format!("NO DATA: {}", no_data_words(reason))),
    });
    lines
}

/// Why nothing can be said about the packages of the operating system.
pub(crate) fn no_data_words(reason: &NoDataReason) -> String {
    match reason {
        NoDataReason::NoDatabase => {
            "there is no vulnerability database; build one with `lazaret db build`".to_owned()
        }
        NoDataReason::UnknownDistro => "the image does not say which operating system it is".to_owned(),
        NoDataReason::PackagesNotRead => {
            "packages of this image could not be read; what was found is not all there is".to_owned()
        }
        NoDataReason::NotInDatabase { namespace } => {
            format!("the database knows nothing about {}", cell(namespace))
        }
    }
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
