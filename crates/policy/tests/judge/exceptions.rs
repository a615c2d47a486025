//! Exceptions of an account: which rows they cover, until when, and where they do not reach.

use model::{Action, ExceptionScope, Finding, PolicyException, Severity, WhitelistedBy};
use serde_json::{Value, json};

use crate::fixture::{NOW, Subject, always, digest, document, finding, judge_document, rule, timestamp};

fn exception(id: &str, vulnerability: &str) -> PolicyException {
    PolicyException {
        id: id.to_owned(),
        vulnerability: vulnerability.to_owned(),
        package: None,
        scope: ExceptionScope::Account,
        owner: "team".to_owned(),
        reason: "not reachable".to_owned(),
        expires_at: None,
        vex_url: None,
    }
}

fn with_scope(scope: ExceptionScope) -> PolicyException {
    PolicyException { scope, ..exception("e", "CVE-1") }
}

/// One finding `CVE-1` (alias `GHSA-1`) in `openssl`, in the image `quay.io/team/app:1`.
fn subject(exceptions: Vec<PolicyException>) -> Subject {
    let found = Finding {
        aliases: vec!["GHSA-1".to_owned()],
        is_known_exploited: Some(true),
        ..finding("CVE-1", "openssl", Severity::High, &[])
    };
    let mut subject = Subject::named("quay.io/team/app:1");
    subject.report.findings = vec![found];
    subject.exceptions = exceptions;
    subject
}

fn bundle() -> Value {
    document(vec![rule("STOP", "vulnerabilities", "package", &[("package_type", "all")])])
}

/// Which exception covers the one row.
fn check(exceptions: Vec<PolicyException>, expected: Option<&str>) {
    let decision = judge_document(&bundle(), &subject(exceptions.clone()));
    let [row] = decision.rows.as_slice() else { panic!("{:?}", decision.rows) };
    let by = expected.map(|id| WhitelistedBy {
        whitelist_name: "exceptions".to_owned(),
        whitelist_id: id.to_owned(),
        matched_rule_id: None,
    });
    assert_eq!(row.whitelisted, by, "{exceptions:?}");
    let action = if expected.is_some() { Action::Go } else { Action::Stop };
    assert_eq!((row.action, decision.final_action), (action, action));
    assert_eq!(decision.exceptions, Vec::from_iter(expected));
}

#[test]
fn an_exception_names_a_vulnerability_and_perhaps_a_package() {
    check(vec![], None);
    let rows = [
        ("CVE-1", None, true),
        ("GHSA-1", None, true),
        ("CVE-1", Some("openssl"), true),
        ("GHSA-1", Some("openssl"), true),
        ("CVE-1", Some("OpenSSL"), false),
        ("CVE-1", Some("zlib"), false),
        ("cve-1", None, false),
        ("CVE-*", None, false),
        ("CVE-10", None, false),
        ("", None, false),
    ];
    for (vulnerability, package, is_covered) in rows {
        let package = package.map(str::to_owned);
        check(vec![PolicyException { package, ..exception("e", vulnerability) }], is_covered.then_some("e"));
    }
}

#[test]
fn an_exception_is_about_some_images() {
    // The image has the digests a (manifest) and b (index).
    let rows = [
        (ExceptionScope::Digest(digest('a')), true),
        (ExceptionScope::Digest(digest('b')), true),
        (ExceptionScope::Digest(digest('c')), false),
        (ExceptionScope::Repository("quay.io/team/app".to_owned()), true),
        (ExceptionScope::Repository("quay.io/*".to_owned()), true),
        (ExceptionScope::Repository("*/app".to_owned()), true),
        (ExceptionScope::Repository("*".to_owned()), true),
        (ExceptionScope::Repository("team/app".to_owned()), false),
        (ExceptionScope::Repository("quay.io/team".to_owned()), false),
        (ExceptionScope::Repository("quay.io/team/app:1".to_owned()), false),
        (ExceptionScope::Repository("quay.io/team/app2".to_owned()), false),
        (ExceptionScope::Repository("regexp:.*".to_owned()), false),
    ];
    for (scope, is_covered) in rows {
        check(vec![with_scope(scope)], is_covered.then_some("e"));
    }
}

#[test]
fn an_exception_ends_at_its_moment() {
    let rows = [("2026-06-15T12:00:00.000000001Z", true), (NOW, false), ("2026-06-15T11:59:59Z", false)];
    for (end, is_live) in rows {
        let expiring = PolicyException { expires_at: Some(timestamp(end)), ..exception("e", "CVE-1") };
        check(vec![expiring], is_live.then_some("e"));
    }
}

#[test]
fn of_several_exceptions_the_first_counts() {
    let expired = PolicyException { expires_at: Some(timestamp(NOW)), ..exception("a", "CVE-1") };
    let other = exception("b", "CVE-2");
    let by_alias = exception("c", "GHSA-1");
    let by_id = exception("d", "CVE-1");
    check(vec![expired.clone(), other.clone(), by_alias.clone(), by_id.clone()], Some("c"));
    check(vec![expired, other, by_id, by_alias], Some("d"));
}

#[test]
fn a_whitelist_is_asked_first() {
    let mut bundle = bundle();
    bundle["whitelists"] = json!([{"id": "w", "version": "1_0", "name": "list",
        "items": [{"id": "i", "gate": "vulnerabilities", "trigger_id": "CVE-1+openssl"}]}]);
    bundle["mappings"][0]["whitelist_ids"] = json!(["w"]);
    let decision = judge_document(&bundle, &subject(vec![exception("e", "CVE-1")]));
    assert_eq!(decision.rows[0].whitelisted.as_ref().unwrap().whitelist_id, "w");
    assert!(decision.exceptions.is_empty());
}

#[test]
fn rows_that_are_not_about_the_finding_stay() {
    let mut subject = subject(vec![exception("e", "CVE-1")]);
    subject.report.findings.push(finding("CVE-2", "openssl", Severity::High, &[]));
    let package = rule("STOP", "vulnerabilities", "package", &[("package_type", "all")]);
    let decision = judge_document(&document(vec![package, always("WARN")]), &subject);
    let actions: Vec<Action> = decision.rows.iter().map(|row| row.action).collect();
    assert_eq!(actions, [Action::Go, Action::Stop, Action::Warn]);
    assert_eq!((decision.final_action, decision.exceptions), (Action::Stop, vec!["e".to_owned()]));
}

/// Rows of a trigger with the exception and without: trigger ids and actions.
fn check_trigger(trigger: &str, params: &[(&str, &str)], is_row_kept: bool) {
    let bundle = document(vec![rule("STOP", "vulnerabilities", trigger, params)]);
    let without = judge_document(&bundle, &subject(vec![]));
    assert_eq!((without.rows.len(), without.final_action), (1, Action::Stop), "{trigger}");
    let with = judge_document(&bundle, &subject(vec![exception("e", "GHSA-1")]));
    assert_eq!((with.rows.len(), with.final_action), (usize::from(is_row_kept), Action::Go), "{trigger}");
    assert_eq!(with.exceptions, ["e"], "{trigger}");
}

#[test]
fn every_trigger_about_findings_knows_exceptions() {
    check_trigger("known_exploited", &[], true);
    check_trigger("risk", &[("minimum_risk", "10")], true);
    // Sums leave out what is accepted.
    check_trigger("blacklist", &[("vulnerability_ids", "CVE-9,CVE-1")], false);
    check_trigger("exploit_probability", &[("minimum_probability", "0")], false);
}

#[test]
fn a_listed_vulnerability_stays_while_one_package_is_not_accepted() {
    let only_openssl = PolicyException { package: Some("openssl".to_owned()), ..exception("e", "CVE-1") };
    let mut subject = subject(vec![only_openssl]);
    subject.report.findings.push(finding("CVE-1", "libssl", Severity::High, &[]));
    let blacklist = rule("STOP", "vulnerabilities", "blacklist", &[("vulnerability_ids", "CVE-1,CVE-2")]);
    let decision = judge_document(&document(vec![blacklist]), &subject);
    assert_eq!(decision.rows[0].message, "Blacklisted vulnerabilities detected: ['CVE-1']");
    subject.report.findings.pop();
    subject.report.findings.push(finding("CVE-2", "libssl", Severity::High, &[]));
    let blacklist = rule("STOP", "vulnerabilities", "blacklist", &[("vulnerability_ids", "CVE-1,CVE-2")]);
    let decision = judge_document(&document(vec![blacklist]), &subject);
    assert_eq!(decision.rows[0].message, "Blacklisted vulnerabilities detected: ['CVE-2']");
}

#[test]
fn many_exceptions_are_bounded() {
    let exceptions = (0..20_000)
        .map(|number| PolicyException {
            package: Some(format!("p{number}")),
            ..exception(&format!("e{number}"), "CVE-1")
        })
        .collect();
    check(exceptions, None);
}
