//! Exceptions: which rows they cover, and until when.

use model::{Action, Severity, WhitelistedBy};
use serde_json::{Value, json};

use crate::fixture::{Subject, document, finding, judge_document, rule, timestamp};

fn subject() -> Subject {
    Subject::with_findings(vec![finding("CVE-2023-0001", "openssl", Severity::High, &[])])
}

fn bundle(whitelists: &[(&str, Value)]) -> Value {
    let mut bundle = document(vec![rule("STOP", "vulnerabilities", "package", &[("package_type", "all")])]);
    bundle["whitelists"] = whitelists
        .iter()
        .map(|(id, items)| json!({"id": id, "version": "1_0", "name": format!("name of {id}"), "items": items}))
        .collect();
    bundle["mappings"][0]["whitelist_ids"] = whitelists.iter().map(|(id, _)| json!(id)).collect();
    bundle
}

/// Which whitelist and item cover the one row.
fn check(whitelists: &[(&str, Value)], subject: &Subject, expected: Option<(&str, Option<&str>)>) {
    let decision = judge_document(&bundle(whitelists), subject);
    let expected_by = expected.map(|(id, item)| WhitelistedBy {
        whitelist_name: format!("name of {id}"),
        whitelist_id: id.to_owned(),
        matched_rule_id: item.map(str::to_owned),
    });
    assert_eq!(decision.rows.len(), 1);
    assert_eq!(decision.rows[0].whitelisted, expected_by, "{whitelists:?}");
    let action = if expected.is_some() { Action::Go } else { Action::Stop };
    assert_eq!(
        (decision.rows[0].action, decision.final_action, decision.policy_action),
        (action, action, action)
    );
}

fn item(id: &str, gate: &str, trigger_id: &str) -> Value {
    json!({"id": id, "gate": gate, "trigger_id": trigger_id})
}

#[test]
fn items_match_by_gate_and_trigger_id() {
    let rows = [
        ("vulnerabilities", "CVE-2023-0001+openssl", true),
        ("VULNERABILITIES", "CVE-2023-0001+openssl", true),
        ("vulnerabilities", "CVE-2023-*", true),
        ("vulnerabilities", "*+openssl", true),
        ("vulnerabilities", "*", true),
        ("vulnerabilities", "regexp:CVE-2023-[0-9]{4}\\+open", true),
        ("vulnerabilities", "regexp:openssl", false),
        ("vulnerabilities", "CVE-2023-0001", false),
        ("vulnerabilities", "cve-2023-0001+openssl", false),
        ("vulnerabilities", "CVE-2023-0001.openssl", false),
        ("anchoresec", "CVE-2023-0001+openssl", false),
        ("anchoresec", "*", false),
        ("package", "*", false),
    ];
    for (gate, trigger_id, is_match) in rows {
        check(
            &[("w", json!([item("i", gate, trigger_id)]))],
            &subject(),
            is_match.then_some(("w", Some("i"))),
        );
    }
    check(&[("w", json!([{"gate": "vulnerabilities", "trigger_id": "*"}]))], &subject(), Some(("w", None)));
    check(&[], &subject(), None);
}

#[test]
fn the_first_item_in_order_is_recorded() {
    let exact = |id: &str| item(id, "vulnerabilities", "CVE-2023-0001+openssl");
    let star = |id: &str| item(id, "vulnerabilities", "*");
    let other = item("x", "dockerfile", "*");
    check(&[("w", json!([exact("1"), star("2")]))], &subject(), Some(("w", Some("1"))));
    check(&[("w", json!([star("2"), exact("1")]))], &subject(), Some(("w", Some("2"))));
    check(&[("w", json!([other, exact("1"), exact("3")]))], &subject(), Some(("w", Some("1"))));
    check(
        &[("w", json!([])), ("v", json!([star("2")])), ("u", json!([exact("1")]))],
        &subject(),
        Some(("v", Some("2"))),
    );
}

#[test]
fn items_end_at_their_moment() {
    let expiring = |id: &str, trigger_id: &str| json!({"id": id, "gate": "vulnerabilities", "trigger_id": trigger_id, "expires_on": "2026-07-01T00:00:00Z"});
    for (now, is_current) in [
        ("2026-06-30T23:59:59Z", true),
        ("2026-06-30T23:59:59.999999999Z", true),
        ("2026-07-01T00:00:00Z", false),
        ("2026-07-01T00:00:01Z", false),
    ] {
        let mut subject = subject();
        subject.now = timestamp(now);
        for trigger_id in ["CVE-2023-0001+openssl", "*"] {
            check(
                &[("w", json!([expiring("i", trigger_id)]))],
                &subject,
                is_current.then_some(("w", Some("i"))),
            );
        }
        let later = item("later", "vulnerabilities", "*");
        let expected = if is_current { "i" } else { "later" };
        check(
            &[("w", json!([expiring("i", "CVE-2023-0001+openssl"), later]))],
            &subject,
            Some(("w", Some(expected))),
        );
    }
}

#[test]
fn other_rows_keep_their_action() {
    let mut subject = subject();
    subject.report.findings.push(finding("CVE-2023-0002", "zlib", Severity::High, &[]));
    let decision =
        judge_document(&bundle(&[("w", json!([item("i", "vulnerabilities", "*+openssl")]))]), &subject);
    let actions: Vec<Action> = decision.rows.iter().map(|row| row.action).collect();
    assert_eq!(actions, [Action::Go, Action::Stop]);
    assert_eq!(decision.final_action, Action::Stop);
}
