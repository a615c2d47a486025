//! Our own triggers about the look-up: what could not be read or compared, and how old the data is.

use model::{Diagnostic, DiagnosticCode, DistroCoverage, Finding, FindingState, NoDataReason, Severity};

use crate::fixture::{Subject, check_rule, finding, timestamp};

const UNDECIDED: (&str, &str) = ("vulnerabilities", "undecided_packages");
const AGE: (&str, &str) = ("vulnerabilities", "database_age");

fn diagnostic(code: DiagnosticCode, subject: &str, message: &str) -> Diagnostic {
    Diagnostic { code, subject: subject.to_owned(), offset: None, message: message.to_owned() }
}

#[test]
fn everything_that_hides_packages_is_told() {
    let mut subject = Subject::with_findings(vec![
        Finding { state: FindingState::Undecided, ..finding("CVE-1", "p", Severity::High, &["2"]) },
        finding("CVE-2", "p", Severity::High, &[]),
    ]);
    subject.inventory.diagnostics = vec![
        diagnostic(DiagnosticCode::BrokenRecord, "/var/lib/dpkg/status", "line is no field"),
        diagnostic(DiagnosticCode::BrokenRecord, "/var/lib/dpkg/status", "line is no field again"),
    ];
    subject.report.diagnostics = vec![
        diagnostic(DiagnosticCode::UnmatchedEcosystem, "npm", "2 packages of kind npm are not matched"),
        diagnostic(DiagnosticCode::UnparsableVersion, "p", "version `1` cannot be ordered"),
        diagnostic(DiagnosticCode::UndeterminedAdvisory, "debian:12", "the source has not decided"),
    ];
    let finding = ("CVE-1+p", "CVE-1 in p 1.0-1: the version cannot be compared with `all versions`");
    let record = (
        "broken-record+/var/lib/dpkg/status",
        "/var/lib/dpkg/status: line is no field, and 1 more like this (broken-record)",
    );
    let kind =
        ("unmatched-ecosystem+npm", "npm: 2 packages of kind npm are not matched (unmatched-ecosystem)");
    let advisory =
        ("undetermined-advisory+debian:12", "debian:12: the source has not decided (undetermined-advisory)");
    check_rule(UNDECIDED, &[], &subject, &[finding, record, kind]);
    check_rule(
        UNDECIDED,
        &[("codes", "undetermined-advisory, broken-record")],
        &subject,
        &[record, advisory],
    );
    check_rule(UNDECIDED, &[("codes", "unparsable-bound")], &subject, &[finding]);
    check_rule(UNDECIDED, &[], &Subject::new(), &[]);
}

#[test]
fn an_image_that_was_not_looked_up_is_undecided() {
    let mut subject = Subject::new();
    subject.report.coverage = DistroCoverage::NoData(NoDataReason::PackagesNotRead);
    let row = (
        "undecided_packages+no_data",
        "There is no data for this rule: not all packages of the distro could be read",
    );
    check_rule(UNDECIDED, &[], &subject, &[row]);
    check_rule(UNDECIDED, &[("missing_data", "ignore")], &subject, &[]);
}

#[test]
fn the_age_of_the_database_is_told_in_hours() {
    let check = |hours: &str, built_at: &str, synced_at: Option<&str>, expected: Option<&str>| {
        let mut subject = Subject::new();
        subject.report.database.as_mut().unwrap().built_at = timestamp(built_at);
        match (&mut subject.report.coverage, synced_at) {
            (DistroCoverage::Covered { synced_at, .. }, Some(at)) => *synced_at = timestamp(at),
            (coverage, _) => *coverage = DistroCoverage::NotNeeded,
        }
        let message = expected.map(|start| format!("{start} more than {hours} hours ago"));
        let id = message.as_ref().map(|message| policy::trigger_id(AGE.0, AGE.1, message));
        let rows: Vec<(&str, &str)> = id.as_deref().into_iter().zip(message.as_deref()).collect();
        check_rule(AGE, &[("maximum_hours", hours)], &subject, &rows);
    };
    let (fresh, built, data) = (
        "2026-06-15T11:00:00Z",
        Some("The vulnerability database was built"),
        Some("The vulnerability data about debian:12 was taken over"),
    );
    // Now is 2026-06-15T12:00:00Z.
    check("24", "2026-06-14T12:00:00Z", Some(fresh), None);
    check("24", "2026-06-14T11:59:59.999Z", Some(fresh), built);
    check("24", fresh, Some("2026-06-14T12:00:00Z"), None);
    check("24", fresh, Some("2026-06-14T11:59:59Z"), data);
    check("24", "2026-06-01T00:00:00Z", Some("2026-06-01T00:00:00Z"), built);
    check("0", fresh, None, built);
    check("1", fresh, None, None);
    check("4294967295", "1970-01-01T00:00:00Z", None, None);

    let mut subject = Subject::new();
    subject.report = model::MatchReport::without_database();
    let row = ("database_age+no_data", "There is no data for this rule: there is no vulnerability database");
    check_rule(AGE, &[("maximum_hours", "1")], &subject, &[row]);
    check_rule(AGE, &[("maximum_hours", "1"), ("missing_data", "ignore")], &subject, &[]);
}
