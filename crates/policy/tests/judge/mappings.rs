//! Which mapping is selected, and in which order its policies report.

use model::Action;
use serde_json::{Value, json};

use crate::fixture::{Subject, always, digest, document, finding, judge_document, mapping, rule};

/// The position of the mapping that is selected.
fn check(reference: &str, rules: &[(&str, &str, &str, &str)], expected: Option<usize>) {
    let mut bundle = document(vec![always("WARN")]);
    bundle["mappings"] = rules
        .iter()
        .map(|(registry, repository, kind, value)| mapping("m", registry, repository, kind, value, "p"))
        .collect();
    let decision = judge_document(&bundle, &Subject::named(reference));
    assert_eq!(decision.matched_mapping, expected, "{reference} {rules:?}");
    assert_eq!(decision.final_action, if expected.is_some() { Action::Warn } else { Action::Go });
    assert_eq!(decision.problems, []);
}

#[test]
fn the_first_mapping_that_fits_is_selected() {
    let everything = ("*", "*", "tag", "*");
    check("nginx:1.25", &[everything, everything], Some(0));
    check("nginx:1.25", &[("docker.io", "library/nginx", "tag", "*"), everything], Some(1));
    check("nginx:1.25", &[("docker.io", "nginx", "tag", "1.*"), everything], Some(0));
    check("nginx", &[("docker.io", "nginx", "tag", "latest")], Some(0));
    check("nginx:1.25", &[("docker.io", "nginx", "tag", "1")], None);
    check("registry.example.org:5000/a/b:1", &[("registry.example.org", "*", "tag", "*")], None);
    check("registry.example.org:5000/a/b:1", &[("registry.example.org:5000", "a/*", "tag", "*")], Some(0));
    check("registry.example.org:5000/a/b:1", &[("*.example.org*", "*b", "tag", "1")], Some(0));
    check("nginx:1.25", &[("docker.io", "regexp:(?!lib)n", "tag", "regexp:1")], Some(0));
    check("nginx:1.25", &[("docker.io", "Nginx", "tag", "*")], None);
    check("nginx:1.25", &[], None);
}

#[test]
fn digests_and_ids_are_compared_with_the_image() {
    let image_digest = digest('a').to_string();
    let other_digest = digest('d').to_string();
    let image_id = digest('c').hex().to_owned();
    check("nginx:1", &[("*", "*", "digest", &image_digest)], Some(0));
    check("nginx:1", &[("*", "*", "digest", &other_digest), ("*", "*", "tag", "*")], Some(1));
    check("nginx:1", &[("quay.io", "*", "digest", &image_digest)], None);
    check("nginx:1", &[("*", "*", "id", &image_id)], Some(0));
    check("nginx:1", &[("*", "*", "id", &image_digest)], None);
    check("nginx:1", &[("*", "*", "tag", "1"), ("*", "*", "digest", &image_digest)], Some(0));
}

#[test]
fn a_reference_by_digest_has_no_tag() {
    let reference = format!("nginx@{}", digest('a'));
    check(
        &reference,
        &[("*", "*", "tag", "latest"), ("*", "*", "tag", "1*"), ("*", "*", "tag", "*")],
        Some(2),
    );
    check(&reference, &[("*", "*", "tag", "regexp:.*"), ("*", "*", "tag", "**")], None);
    check(&format!("nginx:1@{}", digest('a')), &[("*", "*", "tag", "1")], Some(0));
}

#[test]
fn the_old_name_of_docker_hub_is_understood_in_references_only() {
    check("dockerhub/nginx:1", &[("docker.io", "nginx", "tag", "*")], Some(0));
    check("dockerhub/team/app:1", &[("docker.io", "team/app", "tag", "*")], Some(0));
    check(
        "nginx:1",
        &[("dockerhub", "nginx", "tag", "*"), ("docker.io", "dockerhub/nginx", "tag", "*")],
        None,
    );
    check("quay.io/dockerhub/nginx:1", &[("quay.io", "nginx", "tag", "*")], None);
}

#[test]
fn rows_come_by_policy_then_gate_then_rule_then_match() {
    let package = [("package_type", "all")];
    let missing = |instruction| {
        rule("WARN", "dockerfile", "instruction", &[("instruction", instruction), ("check", "not_exists")])
    };
    let mut bundle = document(vec![
        missing("USER"),
        rule("GO", "VULNERABILITIES", "Package", &package),
        missing("HEALTHCHECK"),
        always("WARN"),
        rule("WARN", "dockerfile", "no_dockerfile_provided", &[]),
    ]);
    bundle["policies"]
        .as_array_mut()
        .unwrap()
        .push(json!({"id": "q", "version": "1_0", "rules": [always("STOP")]}));
    bundle["mappings"][0]["policy_ids"] = json!(["q", "p"]);
    let subject = Subject::with_findings(vec![
        finding("CVE-1", "a", model::Severity::High, &[]),
        finding("CVE-2", "a", model::Severity::Low, &[]),
    ]);
    let decision = judge_document(&bundle, &subject);
    let rows: Vec<(&str, &str, &str, Action)> = decision
        .rows
        .iter()
        .map(|row| {
            let detail = row.message.split('\'').nth(1).unwrap_or(&row.trigger_id);
            (row.policy_id.as_str(), row.trigger.as_str(), detail, row.action)
        })
        .collect();
    assert_eq!(
        rows,
        [
            ("q", "always", "always", Action::Stop),
            ("p", "instruction", "USER", Action::Warn),
            ("p", "instruction", "HEALTHCHECK", Action::Warn),
            ("p", "no_dockerfile_provided", "b00b22232c1902075263067d2d2b8eea", Action::Warn),
            ("p", "package", "CVE-1+a", Action::Go),
            ("p", "package", "CVE-2+a", Action::Go),
            ("p", "always", "always", Action::Warn),
        ]
    );
    assert_eq!(decision.rows[4].finding, Some(0));
    assert_eq!(decision.rows[5].finding, Some(1));
    assert_eq!(decision.rows[0].finding, None);
    assert_eq!(decision.rows[4].gate, "vulnerabilities");
}

#[test]
fn the_most_severe_action_decides() {
    for (actions, expected) in [
        (vec![], Action::Go),
        (vec!["GO"], Action::Go),
        (vec!["GO", "WARN"], Action::Warn),
        (vec!["STOP", "WARN", "GO"], Action::Stop),
    ] {
        let rules: Vec<Value> = actions.iter().map(|action| always(action)).collect();
        let decision = judge_document(&document(rules), &Subject::new());
        assert_eq!(decision.final_action, expected, "{actions:?}");
        assert_eq!(decision.policy_action, expected);
        assert_eq!(decision.is_pass(), expected != Action::Stop);
        assert_eq!(decision.policy_id, "b");
    }
}

#[test]
fn a_single_policy_id_and_missing_lists_are_understood() {
    let bundle = json!({"id": "b", "version": "1_0",
        "policies": [{"id": "p", "version": "1_0", "rules": [{"gate": "ALWAYS", "trigger": "Always", "action": "STOP"}]},
            {"id": "broken", "version": "7", "rules": []}],
        "mappings": [{"name": "m", "registry": "*", "repository": "*", "image": {"type": "tag", "value": "*"}, "policy_id": "p"}]});
    let decision = judge_document(&bundle, &Subject::new());
    assert_eq!(decision.final_action, Action::Stop);
    assert_eq!((decision.rows[0].gate.as_str(), decision.rows[0].trigger.as_str()), ("always", "always"));
    let mut bundle = bundle;
    bundle["policies"][0].as_object_mut().unwrap().remove("rules");
    assert_eq!(judge_document(&bundle, &Subject::new()).final_action, Action::Go);
}
