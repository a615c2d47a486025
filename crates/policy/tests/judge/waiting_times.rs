//! Trigger `vulnerabilities`/`package`: how long a rule waits, and what the message says about it.

use model::{FindingTimes, ProblemSeverity, Severity};

use crate::fixture::{Subject, document, finding, judge_document, rule, timestamp};

const CREATION: &str = "max_days_since_creation";
const FIX: &str = "max_days_since_fix";

/// Message of the one row between fixes and identifier, `None` for no row; and how many notes there are.
fn check(
    params: &[(&str, &str)],
    detected_at: Option<&str>,
    fix_observed_at: Option<&str>,
    expected: Option<&str>,
    notes: usize,
) {
    let params: Vec<(&str, &str)> = [("package_type", "all")].iter().chain(params).copied().collect();
    let mut subject = Subject::with_findings(vec![finding("CVE-1", "p", Severity::High, &["2"])]);
    subject.finding_times = vec![FindingTimes {
        detected_at: detected_at.map(timestamp),
        fix_observed_at: fix_observed_at.map(timestamp),
    }];
    let bundle = document(vec![rule("STOP", "vulnerabilities", "package", &params)]);
    let decision = judge_document(&bundle, &subject);
    let found: Vec<&str> = decision
        .rows
        .iter()
        .map(|row| {
            let middle = row.message.split_once("(fixed in: 2)").unwrap().1;
            middle.strip_suffix("(CVE-1 - https://example.org/CVE-1)").unwrap()
        })
        .collect();
    let expected: Vec<&str> = expected.into_iter().collect();
    assert_eq!(found, expected, "{params:?} {detected_at:?} {fix_observed_at:?}");
    assert_eq!(decision.problems.len(), notes, "{params:?} {:?}", decision.problems);
    assert!(decision.problems.iter().all(|problem| problem.severity == ProblemSeverity::Warn));
    assert!(judge_document(&bundle, &Subject::new()).problems.is_empty());
}

#[test]
fn a_rule_waits_from_the_first_detection() {
    // Now is 2026-06-15T12:00:00Z.
    let rows = [
        ("7", Some("2026-06-08T12:00:00Z"), Some("(max_days_since_creation=2026-06-08)"), 0),
        ("7", Some("2026-06-08T12:00:00.000001Z"), None, 0),
        ("7", Some("2026-06-01T23:59:59Z"), Some("(max_days_since_creation=2026-06-01)"), 0),
        ("0", Some("2026-06-15T12:00:00Z"), Some("(max_days_since_creation=2026-06-15)"), 0),
        // From a clock that goes ahead.
        ("0", Some("2026-06-15T12:00:01Z"), None, 0),
        ("4294967295", Some("1970-01-01T00:00:00Z"), None, 0),
        // Nobody knows: the rule does not wait, and says so when it would have.
        ("7", None, Some(""), 1),
        ("0", None, Some(""), 0),
    ];
    for (days, detected_at, expected, notes) in rows {
        check(&[(CREATION, days)], detected_at, None, expected, notes);
    }
}

#[test]
fn a_rule_waits_from_the_first_sight_of_a_fix() {
    let with_fix = ("fix_available", "true");
    let rows = [
        ("30", Some("2026-05-16T12:00:00Z"), Some("(max_days_since_fix=2026-05-16)"), 0),
        ("30", Some("2026-05-16T12:00:01Z"), None, 0),
        ("30", None, Some(""), 1),
        ("0", None, Some(""), 0),
    ];
    for (days, fix_observed_at, expected, notes) in rows {
        check(&[(FIX, days), with_fix], None, fix_observed_at, expected, notes);
    }
    // Without the other parameter it asks nothing.
    check(&[(FIX, "30")], None, Some("2026-06-15T00:00:00Z"), Some(""), 0);
    check(&[(FIX, "30")], None, None, Some(""), 0);
}

#[test]
fn both_waits_hold_and_are_told_in_order() {
    let params = [("fix_available", "true"), (FIX, "1"), (CREATION, "1")];
    let (old, older, young) =
        (Some("2026-06-14T00:00:00Z"), Some("2026-06-13T00:00:00Z"), Some("2026-06-15T00:00:00Z"));
    check(&params, old, older, Some("(max_days_since_creation=2026-06-14 max_days_since_fix=2026-06-13)"), 0);
    check(&params, young, older, None, 0);
    check(&params, old, young, None, 0);
    check(&params, old, None, Some("(max_days_since_creation=2026-06-14)"), 1);
    check(&params, None, None, Some(""), 1);
}
