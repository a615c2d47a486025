//! Gate `vulnerabilities`: filters, messages, identifiers, and the state of the data.

use model::{DistroCoverage, Finding, FindingState, NoDataReason, PackageKind, Severity};

use crate::fixture::{
    Subject, check_rule, cvss, document, finding, judge_document, language_finding, rule, timestamp,
};

const PACKAGE: (&str, &str) = ("vulnerabilities", "package");
const WORST_VECTOR: &str = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
const LOCAL_VECTOR: &str = "CVSS:3.0/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H";

/// Which of the findings pass the filters, by id.
fn check_filter(params: &[(&str, &str)], findings: &[Finding], expected: &[&str]) {
    let subject = Subject::with_findings(findings.to_vec());
    let decision = judge_document(&document(vec![rule("STOP", PACKAGE.0, PACKAGE.1, params)]), &subject);
    let found: Vec<&str> =
        decision.rows.iter().map(|row| findings[row.finding.unwrap()].id.as_str()).collect();
    assert_eq!(found, expected, "{params:?}");
}

#[test]
fn messages_and_identifiers_are_those_of_a_running_engine() {
    let all = [("package_type", "all")];
    let unfixed = finding("CVE-2099-0002", "bash", Severity::Low, &[]);
    check_rule(
        PACKAGE,
        &all,
        &Subject::with_findings(vec![unfixed]),
        &[(
            "CVE-2099-0002+bash",
            "LOW Vulnerability found in os package type (dpkg) - bash (CVE-2099-0002 - https://example.org/CVE-2099-0002)",
        )],
    );
    let fixed = finding("CVE-2099-0001", "libapt-pkg6.0", Severity::High, &["99:9", "99:10"]);
    let without_link = Finding { url: None, package_kind: PackageKind::Apk, ..fixed.clone() };
    check_rule(
        PACKAGE,
        &all,
        &Subject::with_findings(vec![fixed, without_link]),
        &[
            (
                "CVE-2099-0001+libapt-pkg6.0",
                "HIGH Vulnerability found in os package type (dpkg) - libapt-pkg6.0 (fixed in: 99:9, 99:10)(CVE-2099-0001 - https://example.org/CVE-2099-0001)",
            ),
            (
                "CVE-2099-0001+libapt-pkg6.0",
                "HIGH Vulnerability found in os package type (APKG) - libapt-pkg6.0 (fixed in: 99:9, 99:10)(CVE-2099-0001 - )",
            ),
        ],
    );
}

#[test]
fn identifiers_depend_on_the_package_manager() {
    let rows = [
        (PackageKind::Rpm, "os", "rpm", "/var/lib/rpm", "log4j"),
        (PackageKind::Maven, "non-os", "java", "/app/lib/log4j-core-2.14.1.jar", "log4j-core-2.14.1.jar"),
        (PackageKind::Gem, "non-os", "gem", "/gems/specifications/x.gemspec", "x.gemspec"),
        (PackageKind::Npm, "non-os", "npm", "/app/node_modules/lodash/package.json", "lodash"),
        (PackageKind::Npm, "non-os", "npm", "/package.json", "log4j-1.0-1"),
        (PackageKind::Npm, "non-os", "npm", "package.json", "log4j-1.0-1"),
        (PackageKind::Maven, "non-os", "java", "/app/", "log4j-1.0-1"),
        (PackageKind::PyPi, "non-os", "python", "/usr/lib/x", "log4j-1.0-1"),
        (PackageKind::Golang, "non-os", "go", "/bin/x", "log4j-1.0-1"),
        (PackageKind::Binary, "non-os", "binary", "/bin/x", "log4j-1.0-1"),
    ];
    for (kind, class, word, path, piece) in rows {
        let name = if class == "os" { "log4j" } else { path };
        let message = format!(
            "HIGH Vulnerability found in {class} package type ({word}) - {name} (GHSA-1 - https://example.org/GHSA-1)"
        );
        let subject = Subject::with_findings(vec![language_finding(kind, "log4j", path)]);
        let id = format!("GHSA-1+{piece}");
        check_rule(PACKAGE, &[("package_type", "all")], &subject, &[(&id, &message)]);
        check_rule(PACKAGE, &[("package_type", class)], &subject, &[(&id, &message)]);
        let other = if class == "os" { "non-os" } else { "os" };
        check_rule(PACKAGE, &[("package_type", other)], &subject, &[]);
    }
}

#[test]
fn severities_are_compared() {
    let findings: Vec<Finding> =
        Severity::ALL.iter().map(|severity| finding(severity.name(), "p", *severity, &[])).collect();
    let check = |comparison: &str, severity: &str, expected: &[&str]| {
        let params = [("package_type", "all"), ("severity_comparison", comparison), ("severity", severity)];
        check_filter(&params, &findings, expected);
    };
    check("=", "medium", &["Medium"]);
    check("!=", "medium", &["Unknown", "Negligible", "Low", "High", "Critical"]);
    check("<", "low", &["Unknown", "Negligible"]);
    check("<=", "negligible", &["Unknown", "Negligible"]);
    check(">", "high", &["Critical"]);
    check(">=", "high", &["High", "Critical"]);
    check(">=", "unknown", &["Unknown", "Negligible", "Low", "Medium", "High", "Critical"]);
    check_filter(&[("package_type", "all")], &findings, &["Negligible", "Low", "Medium", "High", "Critical"]);
    check_filter(&[("package_type", "all"), ("severity", "medium")], &findings, &["High", "Critical"]);
    check_filter(&[("package_type", "all"), ("severity_comparison", "=")], &findings, &["Unknown"]);
}

#[test]
fn fixes_and_refusals_to_fix_are_filtered() {
    let with_state =
        |id: &str, state, fixed_in: &[&str]| Finding { state, ..finding(id, "p", Severity::High, fixed_in) };
    let findings = [
        with_state("fixed", FindingState::Fixed, &["2"]),
        with_state("open", FindingState::NotFixed, &[]),
        with_state("refused", FindingState::WillNotFix, &[]),
        with_state("undecided", FindingState::Undecided, &["2"]),
    ];
    let all = ("package_type", "all");
    check_filter(&[all], &findings, &["fixed", "open", "undecided"]);
    check_filter(&[all, ("vendor_only", "true")], &findings, &["fixed", "open", "undecided"]);
    check_filter(&[all, ("vendor_only", "false")], &findings, &["fixed", "open", "refused", "undecided"]);
    check_filter(&[all, ("fix_available", "true")], &findings, &["fixed"]);
    check_filter(&[all, ("fix_available", "FALSE")], &findings, &["open", "undecided"]);
    // Of a repeated name the last value counts, and names ignore case.
    check_filter(
        &[all, ("fix_available", "true"), ("FIX_available", "false")],
        &findings,
        &["open", "undecided"],
    );
}

#[test]
fn paths_can_be_excluded_for_language_packages_only() {
    let mut jar = language_finding(PackageKind::Maven, "x", "/app/test.jar");
    jar.id = "jar".to_owned();
    let mut other = language_finding(PackageKind::Maven, "x", "/app/main.jar");
    other.id = "other".to_owned();
    let findings = [jar, other, finding("os", "p", Severity::High, &[])];
    let all = ("package_type", "all");
    check_filter(&[all, ("package_path_exclude", r".*test\.jar")], &findings, &["other", "os"]);
    check_filter(&[all, ("package_path_exclude", "/app/(?!test)")], &findings, &["jar", "os"]);
    check_filter(&[all, ("package_path_exclude", "app")], &findings, &["jar", "other", "os"]);
    check_filter(&[all, ("package_path_exclude", "/")], &findings, &["os"]);
    check_filter(&[all, ("package_path_exclude", "")], &findings, &["jar", "other", "os"]);
}

#[test]
fn scores_are_compared() {
    let with_scores = |id: &str, cvss| Finding { cvss, ..finding(id, "p", Severity::High, &[]) };
    let findings = [
        with_scores("none", vec![]),
        with_scores("worst", vec![cvss("nvd", LOCAL_VECTOR, 7.8), cvss("nvd", WORST_VECTOR, 9.8)]),
        with_scores("local", vec![cvss("nvd", LOCAL_VECTOR, 7.8), cvss("debian", WORST_VECTOR, 9.8)]),
        with_scores("osv", vec![cvss("osv", WORST_VECTOR, 9.8)]),
        with_scores("old", vec![cvss("nvd", "AV:N/AC:L/Au:N/C:C/I:C/A:C", 10.0)]),
    ];
    let check = |name: &str, comparison: Option<&str>, value: &str, expected: &[&str]| {
        let comparison_name = format!("{name}_comparison");
        let mut params = vec![("package_type", "all"), (name, value)];
        params.extend(comparison.map(|comparison| (comparison_name.as_str(), comparison)));
        check_filter(&params, &findings, expected);
    };
    check("cvss_v3_base_score", None, "9.8", &["worst", "osv"]);
    check("cvss_v3_base_score", Some("="), "7.8", &["local"]);
    check("cvss_v3_base_score", Some("!="), "7.8", &["none", "worst", "osv", "old"]);
    check("cvss_v3_base_score", Some("<"), "7.8", &["none", "old"]);
    check("cvss_v3_base_score", Some("<="), "7.8", &["none", "local", "old"]);
    check("cvss_v3_base_score", Some(">"), "-1", &["worst", "local", "osv"]);
    check("cvss_v3_exploitability_score", Some(">"), "1.8", &["worst", "osv"]);
    check("cvss_v3_exploitability_score", Some("="), "1.8", &["local"]);
    check("cvss_v3_impact_score", None, "5.9", &["worst", "local", "osv"]);
    check("vendor_cvss_v3_base_score", None, "9.8", &["local"]);
    check("vendor_cvss_v3_exploitability_score", None, "3.9", &["local"]);
    check("vendor_cvss_v3_impact_score", Some("<"), "0", &["none", "worst", "osv", "old"]);
    // A comparison without a score asks nothing.
    check_filter(
        &[("package_type", "all"), ("cvss_v3_base_score_comparison", "<")],
        &findings,
        &["none", "worst", "local", "osv", "old"],
    );
}

#[test]
fn scores_that_a_rule_asks_for_are_told() {
    let mut rated = finding("CVE-1", "p", Severity::High, &["2"]);
    rated.cvss = vec![cvss("nvd", WORST_VECTOR, 9.8), cvss("debian", LOCAL_VECTOR, 7.8)];
    let tail = "(CVE-1 - https://example.org/CVE-1)";
    let head = "HIGH Vulnerability found in os package type (dpkg) - p (fixed in: 2)";
    let check = |params: &[(&str, &str)], middle: &str| {
        let params: Vec<(&str, &str)> = [("package_type", "all")].iter().chain(params).copied().collect();
        let message = format!("{head}{middle}{tail}");
        let subject = Subject::with_findings(vec![rated.clone()]);
        check_rule(PACKAGE, &params, &subject, &[("CVE-1+p", &message)]);
    };
    check(&[("cvss_v3_base_score", "1")], "(cvss_v3_base_score=9.8)");
    check(
        &[("cvss_v3_impact_score", "1"), ("cvss_v3_base_score", "1"), ("cvss_v3_exploitability_score", "1")],
        "(cvss_v3_base_score=9.8 cvss_v3_exploitability_score=3.9 cvss_v3_impact_score=5.9)",
    );
    check(
        &[("vendor_cvss_v3_base_score", "1"), ("cvss_v3_base_score", "1")],
        "(cvss_v3_base_score=9.8)(vendor_cvss_v3_base_score=7.8)",
    );
}

#[test]
fn old_data_is_told_from_the_first_moment() {
    let fires = [(
        "deb3f1afb4ea0ddf587e6c62c341c6fa",
        "The vulnerability feed for this image distro is older than MAXAGE (2) days",
    )];
    let check = |change: &dyn Fn(&mut Subject), is_fresh: bool| {
        let mut subject = Subject::new();
        change(&mut subject);
        let expected: &[(&str, &str)] = if is_fresh { &[] } else { &fires };
        check_rule(
            ("vulnerabilities", "stale_feed_data"),
            &[("max_days_since_sync", "2")],
            &subject,
            expected,
        );
    };
    // Taken over at 2026-06-15T00:00:00Z.
    for (now, is_fresh) in [
        ("2026-06-15T00:00:00Z", true),
        ("2026-06-16T23:59:59Z", true),
        ("2026-06-17T00:00:00Z", true),
        ("2026-06-17T00:00:00.000000001Z", false),
        ("2026-06-17T00:00:01Z", false),
        ("2026-01-01T00:00:00Z", true),
    ] {
        check(&|subject| subject.now = timestamp(now), is_fresh);
        let without_os = |subject: &mut Subject| {
            subject.now = timestamp(now);
            subject.report.coverage = DistroCoverage::NotNeeded;
        };
        check(&without_os, is_fresh);
    }
    check(&|subject| subject.report.coverage = DistroCoverage::NoData(NoDataReason::NoDatabase), false);
    check(&|subject| subject.report.coverage = DistroCoverage::NoData(NoDataReason::UnknownDistro), false);
    let neither = |subject: &mut Subject| {
        subject.report.coverage = DistroCoverage::NotNeeded;
        subject.report.database = None;
    };
    check(&neither, false);
}

#[test]
fn missing_data_is_told_with_its_namespace() {
    let check = |change: &dyn Fn(&mut Subject), expected: Option<&str>| {
        let mut subject = Subject::new();
        change(&mut subject);
        let message = expected.map(|namespace| {
            format!(
                "Distro-specific feed data not found for distro namespace: {namespace}. Cannot perform CVE scan OS/distro packages"
            )
        });
        let id = message
            .as_ref()
            .map(|message| policy::trigger_id("vulnerabilities", "vulnerability_data_unavailable", message));
        let expected: Vec<(&str, &str)> = id.as_deref().into_iter().zip(message.as_deref()).collect();
        check_rule(("vulnerabilities", "vulnerability_data_unavailable"), &[], &subject, &expected);
    };
    check(&|_| {}, None);
    check(&|subject| subject.report.coverage = DistroCoverage::NotNeeded, None);
    let not_in_database = |subject: &mut Subject| {
        let namespace = "debian:9".to_owned();
        subject.report.coverage = DistroCoverage::NoData(NoDataReason::NotInDatabase { namespace });
    };
    check(&not_in_database, Some("debian:9"));
    check(&|subject| subject.report = model::MatchReport::without_database(), Some("debian:12"));
    let unknown = |subject: &mut Subject| {
        subject.inventory.distro = None;
        subject.report.coverage = DistroCoverage::NoData(NoDataReason::UnknownDistro);
    };
    check(&unknown, Some("unknown"));
}

#[test]
fn listed_vulnerabilities_are_told_once() {
    let mut aliased = finding("CVE-2020-2", "p", Severity::Low, &[]);
    aliased.aliases = vec!["DSA-1".to_owned()];
    let mut refused = finding("CVE-2020-3", "p", Severity::Low, &[]);
    refused.state = FindingState::WillNotFix;
    let findings = vec![
        finding("GHSA-1", "p", Severity::Unknown, &[]),
        finding("CVE-2020-1", "p", Severity::Low, &[]),
        finding("CVE-2020-1", "q", Severity::Low, &[]),
        aliased,
        refused,
    ];
    let check = |params: &[(&str, &str)], list: Option<&str>| {
        let message = list.map(|list| format!("Blacklisted vulnerabilities detected: {list}"));
        let id = message.as_ref().map(|message| policy::trigger_id("vulnerabilities", "blacklist", message));
        let expected: Vec<(&str, &str)> = id.as_deref().into_iter().zip(message.as_deref()).collect();
        check_rule(
            ("vulnerabilities", "blacklist"),
            params,
            &Subject::with_findings(findings.clone()),
            &expected,
        );
    };
    check(&[("vulnerability_ids", "CVE-2020-1, GHSA-1")], Some("['CVE-2020-1', 'GHSA-1']"));
    check(&[("vulnerability_ids", "GHSA-1,CVE-2020-1,CVE-9")], Some("['GHSA-1', 'CVE-2020-1']"));
    check(&[("vulnerability_ids", "DSA-1")], Some("['DSA-1']"));
    check(&[("vulnerability_ids", "cve-2020-1,CVE-2020")], None);
    check(&[("vulnerability_ids", "CVE-2020-3")], None);
    check(&[("vulnerability_ids", "CVE-2020-3"), ("vendor_only", "false")], Some("['CVE-2020-3']"));
}
