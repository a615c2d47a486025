//! What is told about a document before it is uploaded: every mistake with its place, and what has no effect.

use model::ProblemSeverity::{Error, Warn};
use policy::{Bundle, BundleError, explain, judge, review};
use serde_json::{Value, json};

use crate::fixture::{NOW, Subject, always, document, mapping, rule, timestamp};

/// Severity, type and path of each problem.
fn check(document: &Value, expected: &[(model::ProblemSeverity, &str, &str)]) {
    let problems = review(document, timestamp(NOW));
    let found: Vec<_> = problems
        .iter()
        .map(|problem| {
            (problem.severity, problem.problem_type.as_str(), problem.path.as_deref().unwrap_or_default())
        })
        .collect();
    assert_eq!(found, expected, "{problems:#?}");
    let is_good = problems.iter().all(|problem| problem.severity == Warn);
    assert_eq!(Bundle::parse(document).is_ok(), is_good);
}

/// A bundle with something at every place that problems can name.
fn whole() -> Value {
    let mut document = document(vec![always("GO"), always("WARN")]);
    document["whitelists"] =
        json!([{"id": "w", "version": "1_0", "items": [{"gate": "always", "trigger_id": "x"}]}]);
    document["mappings"][0]["whitelist_ids"] = json!(["w"]);
    document["whitelisted_images"] =
        json!([{"name": "n", "registry": "*", "repository": "a", "image": {"type": "tag", "value": "*"}}]);
    document["blacklisted_images"] = document["whitelisted_images"].clone();
    document
}

fn changed(pointer: &str, value: Value) -> Value {
    let mut document = whole();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match document.pointer_mut(parent).unwrap() {
        Value::Array(items) if name == "-" => items.push(value),
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
        parent => parent[name] = value,
    }
    document
}

#[test]
fn mistakes_have_a_place() {
    check(&whole(), &[]);
    let broken = json!("regexp:(");
    let rows = [
        ("/version", json!("9"), "UnsupportedVersionError", "version"),
        ("/policies/0/version", json!("9"), "UnsupportedVersionError", "policies.0.version"),
        ("/whitelists/0/version", json!("9"), "UnsupportedVersionError", "whitelists.0.version"),
        ("/policies/0/rules/1", rule("GO", "nosuch", "x", &[]), "GateNotFoundError", "policies.0.rules.1"),
        ("/policies/0/rules/1", rule("GO", "pkgdiff", "x", &[]), "EndOfLifedError", "policies.0.rules.1"),
        ("/policies/0/rules/-", rule("GO", "always", "x", &[]), "TriggerNotFoundError", "policies.0.rules.2"),
        (
            "/policies/0/rules/0",
            rule("GO", "always", "always", &[("x", "y")]),
            "InvalidParameterError",
            "policies.0.rules.0",
        ),
        ("/whitelists/0/items/0/trigger_id", broken.clone(), "ValidationError", "whitelists.0.items.0"),
        ("/mappings/0/repository", broken.clone(), "ValidationError", "mappings.0"),
        ("/mappings/0/policy_ids/-", json!("q"), "ReferencedObjectNotFoundError", "mappings.0"),
        ("/whitelisted_images/0/registry", broken.clone(), "ValidationError", "whitelisted_images.0"),
        ("/blacklisted_images/0/registry", broken, "ValidationError", "blacklisted_images.0"),
    ];
    for (pointer, value, kind, path) in rows {
        check(&changed(pointer, value), &[(Error, kind, path)]);
    }
}

#[test]
fn all_violations_of_the_schema_are_told_at_once() {
    let mut document = whole();
    document["policies"][0]["rules"][1]["action"] = json!("stop");
    document["policies"][0]["rules"][0].as_object_mut().unwrap().remove("gate");
    document["mappings"][0]["image"] = json!(5);
    document.as_object_mut().unwrap().remove("id");
    check(
        &document,
        &[
            (Error, "SchemaError", ""),
            (Error, "SchemaError", "policies.0.rules.0"),
            (Error, "SchemaError", "policies.0.rules.1.action"),
            (Error, "SchemaError", "mappings.0.image"),
        ],
    );
    check(&json!(null), &[(Error, "SchemaError", "")]);
}

#[test]
fn what_has_no_effect_is_a_warning() {
    let warn = |path| [(Warn, "NoEffectWarning", path)];
    check(&changed("/policies/-", json!({"id": "q", "version": "9"})), &warn("policies.1"));
    check(&changed("/whitelists/-", json!({"id": "v", "version": "9"})), &warn("whitelists.1"));
    check(&changed("/policies/0/rules", json!([])), &warn("policies.0"));
    let expired = |end: &str| changed("/whitelists/0/items/0/expires_on", json!(end));
    check(&expired(NOW), &warn("whitelists.0.items.0"));
    check(&expired("2026-06-15T12:00:01Z"), &[]);
    let after = |kind: &str, value: &str| {
        let mut document = whole();
        document["mappings"][0]["image"] = json!({"type": kind, "value": value});
        document["mappings"].as_array_mut().unwrap().push(mapping("late", "*", "*", "tag", "*", "p"));
        document
    };
    check(&after("tag", "*"), &warn("mappings.1"));
    check(&after("tag", "1.*"), &[]);
    check(&after("digest", "*"), &[]);
    let mut none = whole();
    none["mappings"] = json!([]);
    check(&none, &["mappings", "policies.0", "whitelists.0"].map(|path| (Warn, "NoEffectWarning", path)));
}

/// What `limit` of something gives, and one more.
fn check_limit(limit: usize, path: &str, build: impl Fn(usize) -> Value) {
    let at_limit = review(&build(limit), timestamp(NOW));
    assert!(at_limit.iter().all(|problem| problem.problem_type != "LimitExceededError"), "{path}");
    let document = build(limit + 1);
    check(&document, &[(Error, "LimitExceededError", path)]);
    // Stored earlier, it refuses every image.
    let decision = judge(&Bundle::load(&document).unwrap(), &Subject::new().input());
    assert!(!decision.is_pass() && decision.problems[0].problem_type == "LimitExceededError");
}

#[test]
fn large_bundles_are_refused_at_their_limits() {
    let with = |name: &str, value: Value| {
        let mut document = document(vec![always("GO")]);
        document[name] = value;
        document
    };
    check_limit(10_000, "policies", |count| document(vec![always("GO"); count]));
    check_limit(100, "policies.0.rules.0", |count| {
        document(vec![rule("GO", "always", "always", &vec![("x", "y"); count])])
    });
    check_limit(10_000, "mappings", |count| {
        with("mappings", json!(vec![mapping("m", "a", "*", "tag", "*", "p"); count]))
    });
    check_limit(1_000, "mappings.0", |count| {
        let mut document = document(vec![always("GO")]);
        document["mappings"][0]["policy_ids"] = json!(vec!["p"; count]);
        document
    });
    check_limit(100_000, "whitelists", |count| {
        let items = vec![json!({"gate": "g", "trigger_id": "t"}); count];
        let mut document = with("whitelists", json!([{"id": "w", "version": "1_0", "items": items}]));
        document["mappings"][0]["whitelist_ids"] = json!(["w"]);
        document
    });
    let image =
        json!({"name": "n", "registry": "*", "repository": "a", "image": {"type": "tag", "value": "1"}});
    check_limit(10_000, "blacklisted_images", |count| {
        with("blacklisted_images", json!(vec![image.clone(); count]))
    });
}

#[test]
fn huge_texts_and_many_mistakes_give_a_short_answer() {
    let huge = "x".repeat(4_000_000);
    let mut document = document(vec![
        rule("STOP", &huge, "t", &[]),
        rule("STOP", "always", &huge, &[]),
        rule("STOP", "vulnerabilities", "package", &[("package_type", &huge), (&huge, "y")]),
        rule(
            "STOP",
            "vulnerabilities",
            "package",
            &[("package_type", "all"), ("package_path_exclude", &huge)],
        ),
    ]);
    document["version"] = json!(huge);
    document["mappings"][0]["repository"] = json!(format!("regexp:{huge}"));
    document["mappings"][0]["policy_ids"] = json!(["p", huge]);
    document["whitelists"] = json!([{"id": huge, "version": huge}]);
    document["mappings"][0]["whitelist_ids"] = json!([huge]);
    let Err(BundleError::Invalid(problems)) = Bundle::parse(&document) else { panic!("it is refused") };
    let length: usize = problems.iter().map(|problem| problem.details.len()).sum();
    assert!(problems.len() >= 9 && length < 20_000, "{} problems of {length} bytes", problems.len());
    document["policies"][0]["rules"][0]["action"] = json!(huge);
    let Err(BundleError::Schema { detail, .. }) = Bundle::parse(&document) else { panic!("it is refused") };
    assert!(detail.len() < 2_000, "{}", detail.len());
}

#[test]
fn explanations_name_every_rule_that_was_run() {
    let mut document = document(vec![
        always("WARN"),
        rule("STOP", "vulnerabilities", "package", &[("package_type", "all")]),
        always("GO"),
    ]);
    document["policies"].as_array_mut().unwrap().push(
        json!({"id": "q", "version": "1_0", "rules": [{"gate": "ALWAYS", "trigger": "Always", "action": "STOP"}]}),
    );
    document["mappings"][0]["policy_ids"] = json!(["q", "p"]);
    let bundle = Bundle::parse(&document).unwrap();
    let subject = Subject::new();
    let explanation = explain(&bundle, &subject.input());
    assert_eq!(explanation.decision, judge(&bundle, &subject.input()));
    let rules: Vec<_> = explanation
        .rules
        .iter()
        .map(|rule| (rule.path.as_str(), rule.policy_id.as_str(), rule.rule_id.as_deref(), rule.rows.clone()))
        .collect();
    let expected = [
        ("policies.1.rules.0", "q", None, 0..1),
        ("policies.0.rules.0", "p", Some("r"), 1..2),
        ("policies.0.rules.2", "p", Some("r"), 2..3),
        ("policies.0.rules.1", "p", Some("r"), 3..3),
    ];
    assert_eq!(rules, expected);
    assert_eq!(
        (explanation.rules[0].gate.as_str(), explanation.rules[3].trigger.as_str()),
        ("always", "package")
    );
}
