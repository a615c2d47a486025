//! Our own triggers about single findings: exploitation, risk, age of a fix, and what they do without data.

use model::{DistroCoverage, Epss, Finding, FindingState, FindingTimes, NoDataReason, PackageKind, Severity};

use crate::fixture::{Subject, document, finding, ids, judge_document, language_finding, rule, timestamp};

type Params = [(&'static str, &'static str)];

/// Trigger ids of the rows under one rule.
fn check(trigger: &str, params: &[(&str, &str)], subject: &Subject, expected: &[&str]) {
    let decision = judge_document(&document(vec![rule("STOP", "vulnerabilities", trigger, params)]), subject);
    assert_eq!(ids(&decision), expected, "{trigger} {params:?}");
}

/// The message of the only row.
fn message(trigger: &str, params: &[(&str, &str)], subject: &Subject) -> String {
    let bundle = document(vec![rule("STOP", "vulnerabilities", trigger, params)]);
    let [row] = judge_document(&bundle, subject).rows.try_into().unwrap();
    row.message
}

fn rated(id: &str, severity: Severity, exploited: Option<bool>, epss: Option<(f64, f64)>) -> Finding {
    Finding {
        is_known_exploited: exploited,
        epss: epss.map(|(probability, percentile)| Epss { probability, percentile }),
        ..finding(id, "p", severity, &[])
    }
}

#[test]
fn known_exploited_vulnerabilities_are_told() {
    let all = Subject::with_findings(vec![
        rated("yes", Severity::Low, Some(true), None),
        rated("no", Severity::Critical, Some(false), None),
        Finding { fixed_in: vec!["2".to_owned()], ..rated("yes2", Severity::High, Some(true), None) },
    ]);
    check("known_exploited", &[], &all, &["yes+p", "yes2+p"]);
    check("known_exploited", &[("severity", "medium")], &all, &["yes2+p"]);
    check("known_exploited", &[("severity_comparison", "<"), ("severity", "medium")], &all, &["yes+p"]);
    check("known_exploited", &[("package_type", "non-os")], &all, &[]);
    check("known_exploited", &[("fix_available", "true")], &all, &["yes2+p"]);
    assert_eq!(
        message("known_exploited", &[("fix_available", "true")], &all),
        "yes2 in p 1.0-1 is known to be exploited (fixed in: 2)"
    );
    // What a distro will not fix counts, unless the rule says otherwise.
    let refused =
        Finding { state: FindingState::WillNotFix, ..rated("refused", Severity::High, Some(true), None) };
    let refused = Subject::with_findings(vec![refused]);
    check("known_exploited", &[], &refused, &["refused+p"]);
    check("known_exploited", &[("vendor_only", "true")], &refused, &[]);
}

#[test]
fn probabilities_are_compared() {
    let subject = Subject::with_findings(vec![
        rated("likely", Severity::Low, None, Some((0.5, 0.99))),
        rated("rare", Severity::Critical, None, Some((0.001, 0.2))),
    ]);
    let rows: [(&Params, &[&str]); 7] = [
        (&[("minimum_probability", "0.5")], &["likely+p"]),
        (&[("minimum_probability", "0.51")], &[]),
        (&[("minimum_probability", "0")], &["likely+p", "rare+p"]),
        (&[("minimum_percentile", "0.2")], &["likely+p", "rare+p"]),
        (&[("minimum_percentile", "1")], &[]),
        (&[("minimum_percentile", "0.2"), ("minimum_probability", "0.01")], &["likely+p"]),
        (&[("minimum_percentile", "0.999"), ("minimum_probability", "0.01")], &[]),
    ];
    for (params, expected) in rows {
        check("exploit_probability", params, &subject, expected);
    }
    assert_eq!(
        message("exploit_probability", &[("minimum_probability", "0.5")], &subject),
        "likely in p 1.0-1 is used by attackers with a probability of 0.50000 (percentile 0.99000)"
    );
}

#[test]
fn risk_is_severity_times_probability() {
    let subject = Subject::with_findings(vec![
        rated("critical", Severity::Critical, Some(false), Some((0.5, 0.9))),
        rated("exploited", Severity::High, Some(true), Some((0.01, 0.1))),
        rated("medium", Severity::Medium, Some(false), Some((0.5, 0.9))),
        rated("unrated", Severity::Unknown, Some(false), Some((0.3, 0.9))),
        rated("negligible", Severity::Negligible, Some(true), None),
    ]);
    let all = ["critical+p", "exploited+p", "medium+p", "unrated+p", "negligible+p"];
    let rows: [(&str, &[&str]); 6] = [
        ("80", &["exploited+p"]),
        ("50", &["critical+p", "exploited+p"]),
        ("30", &["critical+p", "exploited+p", "unrated+p"]),
        ("25", &["critical+p", "exploited+p", "medium+p", "unrated+p"]),
        ("0", &all),
        ("100", &[]),
    ];
    for (minimum, expected) in rows {
        check("risk", &[("minimum_risk", minimum)], &subject, expected);
    }
    assert_eq!(
        message("risk", &[("minimum_risk", "80")], &subject),
        "exploited in p 1.0-1 has a risk of 80.0 (severity High, known to be exploited)"
    );
    assert_eq!(
        message("risk", &[("minimum_risk", "50"), ("severity", "critical")], &subject),
        "critical in p 1.0-1 has a risk of 50.0 (severity Critical, probability 0.50000)"
    );
}

#[test]
fn a_missing_probability_matters_only_where_it_could_decide() {
    let rows = [
        (Severity::High, None, None, "50", true),
        (Severity::High, Some(false), None, "50", true),
        (Severity::Medium, None, None, "50", true),
        (Severity::Medium, None, None, "51", false),
        (Severity::Low, Some(false), None, "21", false),
        // The catalog of known exploited ones was not asked, and could make it worse.
        (Severity::High, None, Some((0.1, 0.1)), "50", true),
        (Severity::High, Some(false), Some((0.1, 0.1)), "50", false),
        (Severity::Low, None, Some((0.1, 0.1)), "50", false),
    ];
    for (severity, exploited, epss, minimum, is_missed) in rows {
        let subject = Subject::with_findings(vec![rated("CVE-1", severity, exploited, epss)]);
        let expected: &[&str] = if is_missed { &["risk+no_data"] } else { &[] };
        check("risk", &[("minimum_risk", minimum)], &subject, expected);
    }
}

#[test]
fn old_fixes_are_told() {
    let mut subject = Subject::with_findings(vec![
        finding("old", "p", Severity::High, &["2"]),
        finding("young", "p", Severity::High, &["2"]),
        finding("unfixed", "p", Severity::High, &[]),
    ]);
    let seen = |at: &str| FindingTimes { detected_at: None, fix_observed_at: Some(timestamp(at)) };
    subject.finding_times =
        vec![seen("2026-05-16T12:00:00Z"), seen("2026-05-16T12:00:01Z"), FindingTimes::default()];
    check("fix_age", &[("days", "30")], &subject, &["old+p"]);
    check("fix_age", &[("days", "29")], &subject, &["old+p", "young+p"]);
    assert_eq!(
        message("fix_age", &[("days", "30")], &subject),
        "old in p 1.0-1 has a fix that was first seen on 2026-05-16 (fixed in: 2)"
    );
    subject.finding_times.clear();
    check("fix_age", &[("days", "30")], &subject, &["fix_age+no_data"]);
    check("fix_age", &[("days", "30"), ("missing_data", "ignore")], &subject, &[]);
}

#[test]
fn rules_without_data_fire_and_say_so() {
    let rules: [(&str, &Params, &str); 4] = [
        ("known_exploited", &[], "no catalog of known exploited vulnerabilities was asked about CVE-1"),
        (
            "exploit_probability",
            &[("minimum_percentile", "0.9")],
            "no probability of exploitation is known for CVE-1",
        ),
        ("risk", &[("minimum_risk", "1")], "no probability of exploitation is known for CVE-1"),
        ("fix_age", &[("days", "1")], "nobody knows since when there is a fix for CVE-1"),
    ];
    for (trigger, params, reason) in rules {
        let ignoring: Vec<(&str, &str)> =
            params.iter().copied().chain([("missing_data", "ignore")]).collect();
        let id = format!("{trigger}+no_data");
        let unknown = Subject::with_findings(vec![finding("CVE-1", "p", Severity::High, &["2"])]);
        check(trigger, params, &unknown, &[&id]);
        check(trigger, &ignoring, &unknown, &[]);
        assert_eq!(message(trigger, params, &unknown), format!("There is no data for this rule: {reason}"));
        // An image without findings is clean if it was looked up, and not known if it was not.
        check(trigger, params, &Subject::new(), &[]);
        let mut not_covered = Subject::new();
        let namespace = "debian:9".to_owned();
        not_covered.report.coverage = DistroCoverage::NoData(NoDataReason::NotInDatabase { namespace });
        check(trigger, params, &not_covered, &[&id]);
        check(trigger, &ignoring, &not_covered, &[]);
        let language: Vec<(&str, &str)> =
            params.iter().copied().chain([("package_type", "non-os")]).collect();
        check(trigger, &language, &not_covered, &[]);
        let mut no_database = Subject::new();
        no_database.report = model::MatchReport::without_database();
        check(trigger, &language, &no_database, &[&id]);
    }
}

#[test]
fn a_long_list_of_unknown_findings_is_cut() {
    let mut findings: Vec<Finding> =
        (1..=7).rev().map(|number| finding(&format!("CVE-{number}"), "p", Severity::High, &[])).collect();
    findings.push(language_finding(PackageKind::Maven, "x", "/x.jar"));
    let os = Subject::with_findings(findings);
    assert_eq!(
        message("known_exploited", &[("package_type", "os")], &os),
        "There is no data for this rule: no catalog of known exploited vulnerabilities was asked about \
         CVE-1, CVE-2, CVE-3, CVE-4, CVE-5 and 2 more"
    );
}
