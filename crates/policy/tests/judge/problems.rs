//! Mistakes: all at once on upload, and what they do in stored bundles.

use model::{Action, DecisionReason, ProblemSeverity};
use policy::{Bundle, BundleError, judge};
use serde_json::{Value, json};

use crate::fixture::{Subject, always, document, mapping, rule};

fn upload_problems(document: &Value) -> Vec<(String, String)> {
    match Bundle::parse(document) {
        Ok(_) => Vec::new(),
        Err(BundleError::Invalid(problems)) => {
            assert!(problems.iter().all(|problem| problem.severity == ProblemSeverity::Error));
            problems.into_iter().map(|problem| (problem.problem_type, problem.details)).collect()
        }
        Err(error) => panic!("{error}"),
    }
}

/// Types of the problems, and a text that the first one must contain.
fn check(document: &Value, types: &[&str], text: &str) {
    let problems = upload_problems(document);
    let found: Vec<&str> = problems.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(found, types, "{problems:?}");
    assert!(problems.first().is_none_or(|(_, details)| details.contains(text)), "{text}: {problems:?}");
    if types.is_empty() {
        return;
    }
    // In a stored bundle the same mistake refuses the image, whatever the lists of images say.
    let mut document = document.clone();
    if document["whitelisted_images"] == json!([]) {
        document["whitelisted_images"] = json!([
            {"name": "n", "registry": "*", "repository": "*", "image": {"type": "tag", "value": "*"}}
        ]);
    }
    let bundle = Bundle::load(&document).unwrap();
    let decision = judge(&bundle, &Subject::new().input());
    if types.iter().all(|kind| *kind == "EndOfLifedError") {
        assert_eq!((decision.final_action, decision.reason), (Action::Go, DecisionReason::Whitelisted));
        assert_eq!(decision.problems.len(), types.len());
        return;
    }
    assert_eq!((decision.final_action, decision.reason), (Action::Stop, DecisionReason::PolicyEvaluation));
    assert_eq!((decision.rows.len(), decision.matched_whitelisted_image), (0, None));
    assert!(!decision.problems.is_empty());
}

fn check_rule(gate: &str, trigger: &str, params: &[(&str, &str)], types: &[&str], text: &str) {
    check(&document(vec![rule("STOP", gate, trigger, params)]), types, text);
}

#[test]
fn gates_and_triggers_are_checked() {
    check_rule("always", "always", &[], &[], "");
    check_rule("nosuch", "always", &[], &["GateNotFoundError"], "(gate=nosuch,trigger=always,rule_id=r)");
    check_rule(
        "nosuch2",
        "always",
        &[],
        &["GateNotFoundError"],
        "always, dockerfile, files, ruby_gems, metadata, licenses, malware, npms, packages, passwd_file, retrieved_files, secret_scans, vulnerabilities",
    );
    check_rule("always", "nosuch", &[], &["TriggerNotFoundError"], "Valid triggers are: always");
    check_rule(
        "always",
        "always",
        &[("x", "y")],
        &["InvalidParameterError"],
        "parameter=x,valid_parameters=[]",
    );
    check_rule(
        "always",
        "always",
        &[("rule_id", "y"), ("parent_gate_cls", "z")],
        &["InvalidParameterError"; 2],
        "parameter=",
    );
}

#[test]
fn parameters_are_checked() {
    let value = "ParameterValueInvalidError";
    check_rule("vulnerabilities", "package", &[], &[value], "Required parameter `package_type`");
    check_rule(
        "vulnerabilities",
        "package",
        &[("package_type", "bogus"), ("severity", "xx")],
        &[value, value],
        "value 'bogus' is not one of ['all', 'os', 'non-os']",
    );
    check_rule(
        "vulnerabilities",
        "package",
        &[("package_type", "all"), ("cvss_v3_base_score", "--1")],
        &[value],
        "7.5",
    );
    check_rule(
        "vulnerabilities",
        "package",
        &[("package_type", "all"), ("package_path_exclude", "(")],
        &[value],
        "package_path_exclude",
    );
    check_rule(
        "dockerfile",
        "instruction",
        &[("instruction", "RUN"), ("check", "like"), ("value", "(")],
        &[value],
        "`value`",
    );
    check_rule(
        "dockerfile",
        "instruction",
        &[("instruction", "RUN"), ("check", "="), ("value", "(")],
        &[],
        "",
    );
    check_rule(
        "dockerfile",
        "instruction",
        &[("instruction", "from"), ("check", "exists")],
        &[value],
        "'from'",
    );
    check_rule("dockerfile", "exposed_ports", &[("ports", "a"), ("type", "blacklist")], &[value], "`ports`");
    check_rule(
        "vulnerabilities",
        "stale_feed_data",
        &[("max_days_since_sync", "-1")],
        &[value],
        "whole number",
    );
    check_rule("vulnerabilities", "blacklist", &[("vulnerability_ids", "")], &[value], "`vulnerability_ids`");
}

#[test]
fn gates_at_the_end_of_their_life_are_refused_and_then_tolerated() {
    check_rule("anchoresec", "vulnhigh", &[], &["EndOfLifedError"], "`vulnerabilities`");
    check_rule("gemcheck", "gemnofeed", &[], &["EndOfLifedError"], "`ruby_gems`");
    check_rule("ImageCheck", "any", &[("x", "y")], &["EndOfLifedError"], "nothing replaces it");
    let stored = document(vec![rule("STOP", "pkgdiff", "pkgadd", &[]), always("WARN")]);
    let decision = judge(&Bundle::load(&stored).unwrap(), &Subject::new().input());
    assert_eq!((decision.final_action, decision.rows.len()), (Action::Warn, 1));
    assert_eq!(decision.problems[0].problem_type, "EndOfLifedError");
}

/// Changes the value at `pointer` in a valid document and checks the problems.
fn check_change(pointer: &str, value: Value, types: &[&str], text: &str) {
    let mut document = document(vec![always("GO")]);
    document["whitelists"] = json!([{"id": "w", "version": "1_0", "items": []}]);
    document["mappings"][0]["whitelist_ids"] = json!(["w"]);
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match document.pointer_mut(parent).unwrap() {
        Value::Array(items) => items.push(value),
        parent => parent[name] = value,
    }
    check(&document, types, text);
}

#[test]
fn the_parts_of_a_bundle_are_checked() {
    check_change("/version", json!("2_0"), &["UnsupportedVersionError"], "found_version=2_0");
    check_change("/policies/0/version", json!("9"), &["UnsupportedVersionError"], "policy `p`");
    check_change("/whitelists/0/version", json!("9"), &["UnsupportedVersionError"], "whitelist `w`");
    check_change("/policies/-", json!({"id": "unused", "version": "9"}), &[], "");
    check_change(
        "/policies/-",
        json!({"id": "p", "version": "1_0"}),
        &["DuplicateIdentifierFoundError"],
        "identifier_type=policy",
    );
    check_change(
        "/whitelists/-",
        json!({"id": "w", "version": "1_0"}),
        &["DuplicateIdentifierFoundError"],
        "identifier_type=whitelist",
    );
    check_change(
        "/mappings/0/policy_ids",
        json!(["nosuch"]),
        &["ReferencedObjectNotFoundError"],
        "reference_type=policy,reference_id=nosuch",
    );
    check_change(
        "/mappings/0/whitelist_ids",
        json!(["nosuch"]),
        &["ReferencedObjectNotFoundError"],
        "reference_type=whitelist",
    );
    check_change("/mappings/0/policy_ids", json!([]), &["ValidationError"], "has neither");
    check_change("/mappings/0/policy_id", json!("p"), &["ValidationError"], "has both");
    check_change("/mappings/0/registry", json!("regexp:("), &["ValidationError"], "Mapping `all`");
    check_change("/mappings/0/image/value", json!("regexp:("), &["ValidationError"], "Mapping `all`");
    let broken = json!({"name": "deny", "registry": "*", "repository": "regexp:(", "image": {"type": "tag", "value": "*"}});
    check_change("/blacklisted_images", json!([broken]), &["ValidationError"], "Image rule `deny`");
    check_change("/whitelisted_images", json!([broken]), &["ValidationError"], "Image rule `deny`");
    let item = |trigger_id: &str, expires_on: &str| json!([{"gate": "g", "trigger_id": trigger_id, "expires_on": expires_on}]);
    check_change("/whitelists/0/items", item("*", "2031-01-01T00:00:00Z"), &[], "");
    check_change(
        "/whitelists/0/items",
        item("*", "2031-01-01T00:00:00"),
        &["ValidationError"],
        "2031-01-01T00:00:00",
    );
    check_change(
        "/whitelists/0/items",
        item("regexp:(", "2031-01-01T00:00:00Z"),
        &["ValidationError"],
        "whitelist_id=w",
    );
}

#[test]
fn all_problems_are_reported_at_once_and_each_once() {
    let mut document = document(vec![
        rule("STOP", "nosuch", "x", &[]),
        rule("STOP", "anchoresec", "x", &[]),
        rule("STOP", "vulnerabilities", "package", &[("a", "1"), ("b", "2")]),
    ]);
    document["version"] = json!("0");
    document["mappings"] = json!([
        mapping("one", "*", "*", "tag", "*", "p"),
        mapping("two", "regexp:(", "*", "tag", "*", "p"),
        mapping("three", "*", "*", "tag", "*", "missing"),
    ]);
    let mut types: Vec<String> = upload_problems(&document).into_iter().map(|(kind, _)| kind).collect();
    types.sort();
    assert_eq!(
        types,
        [
            "EndOfLifedError",
            "GateNotFoundError",
            "InvalidParameterError",
            "InvalidParameterError",
            "ParameterValueInvalidError",
            "ReferencedObjectNotFoundError",
            "UnsupportedVersionError",
            "ValidationError",
        ]
    );
}

#[test]
fn an_answer_lists_a_limited_number_of_problems() {
    for (mistakes, listed) in [(499, 499), (500, 500), (501, 501), (2000, 501)] {
        let rules = vec![rule("STOP", "nosuch", "x", &[]); mistakes];
        let problems = upload_problems(&document(rules));
        assert_eq!(problems.len(), listed, "{mistakes}");
        assert_eq!(problems.last().unwrap().1.contains("more problems"), mistakes > 500);
    }
}

#[test]
fn problems_of_other_mappings_do_not_matter() {
    let mut document = document(vec![always("WARN")]);
    document["mappings"] = json!([
        mapping("other", "quay.io", "*", "tag", "*", "missing"),
        mapping("all", "*", "*", "tag", "*", "p"),
        mapping("later", "*", "*", "tag", "*", "missing"),
    ]);
    let bundle = Bundle::load(&document).unwrap();
    assert_eq!(bundle.problems().len(), 2);
    let decision = judge(&bundle, &Subject::new().input());
    assert_eq!((decision.final_action, decision.matched_mapping), (Action::Warn, Some(1)));
    let decision = judge(&bundle, &Subject::named("quay.io/a:1").input());
    assert_eq!((decision.final_action, decision.matched_mapping), (Action::Stop, Some(0)));
    assert_eq!(decision.problems[0].problem_type, "ReferencedObjectNotFoundError");
}

#[test]
fn schema_violations_have_a_path() {
    let mut document = document(vec![always("GO")]);
    document["policies"][0]["rules"][0].as_object_mut().unwrap().remove("action");
    assert_eq!(
        Bundle::parse(&document).unwrap_err(),
        BundleError::Schema {
            detail: "'action' is a required property - 'policies.0.rules.0'".to_owned(),
            path: "policies.0.rules.0".to_owned(),
        }
    );
    assert_eq!(
        Bundle::parse(&json!({})).unwrap_err(),
        BundleError::Schema { detail: "'id' is a required property".to_owned(), path: String::new() }
    );
}
