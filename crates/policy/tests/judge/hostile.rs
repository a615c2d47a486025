//! Documents and expressions that want to do harm.

use model::{Action, DockerfileMode, PackageKind, ProblemSeverity, Severity};
use policy::{Bundle, explain, judge, judge_without_image, review};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::fixture::{
    NOW, Subject, always, document, finding, judge_document, language_finding, rule, timestamp,
};

/// Goes back exponentially on a row of `a` that does not end there.
const HOSTILE: &str = r"(?=(a+))(?:a|aa|\1)+$";

fn check_refused(document: &Value, subject: &Subject, problem_type: &str) {
    let decision = judge_document(document, subject);
    assert_eq!((decision.final_action, decision.rows.len()), (Action::Stop, 0));
    assert_eq!(decision.problems.len(), 1, "{:?}", decision.problems);
    assert_eq!(decision.problems[0].problem_type, problem_type);
    assert_eq!(decision.matched_whitelisted_image, None);
}

#[test]
fn an_expression_that_goes_back_too_long_refuses_the_image() {
    let victim = format!("{}b", "a".repeat(60));
    let by_line = rule(
        "GO",
        "dockerfile",
        "instruction",
        &[("instruction", "RUN"), ("check", "like"), ("value", HOSTILE)],
    );
    let subject = Subject::with_dockerfile(DockerfileMode::Guessed, &format!("RUN {victim}"));
    check_refused(&document(vec![always("WARN"), by_line]), &subject, "EvaluationLimitError");

    let by_path = rule(
        "GO",
        "vulnerabilities",
        "package",
        &[("package_type", "all"), ("package_path_exclude", HOSTILE)],
    );
    let subject = Subject::with_findings(vec![language_finding(PackageKind::Maven, "p", &victim)]);
    check_refused(&document(vec![by_path]), &subject, "EvaluationLimitError");

    let mut by_mapping = document(vec![]);
    by_mapping["mappings"][0]["repository"] = json!(format!("regexp:{HOSTILE}"));
    let subject = Subject::named(&format!("{victim}:1"));
    check_refused(&by_mapping, &subject, "EvaluationLimitError");
    let bundle = Bundle::parse(&by_mapping).unwrap();
    assert_eq!(judge_without_image(&bundle, &subject.reference, subject.now), None);

    let mut by_list = document(vec![]);
    by_list["whitelisted_images"] = json!([{"name": "n", "registry": "*", "repository": format!("regexp:{HOSTILE}"),
        "image": {"type": "tag", "value": "*"}}]);
    check_refused(&by_list, &subject, "EvaluationLimitError");

    let mut by_whitelist =
        document(vec![rule("STOP", "vulnerabilities", "package", &[("package_type", "all")])]);
    by_whitelist["whitelists"] = json!([{"id": "w", "version": "1_0",
        "items": [{"gate": "vulnerabilities", "trigger_id": format!("regexp:{HOSTILE}")}]}]);
    by_whitelist["mappings"][0]["whitelist_ids"] = json!(["w"]);
    let subject = Subject::with_findings(vec![finding(&victim, "p", Severity::High, &[])]);
    check_refused(&by_whitelist, &subject, "EvaluationLimitError");
}

#[test]
fn a_bundle_that_asks_for_too_much_work_refuses_the_image() {
    let mut bundle = document(vec![always("WARN"); 1000]);
    bundle["mappings"][0]["policy_ids"] = json!(vec!["p"; 1000]);
    check_refused(&bundle, &Subject::new(), "EvaluationLimitError");
    bundle["mappings"][0]["policy_ids"] = json!(vec!["p"; 10]);
    assert_eq!(judge_document(&bundle, &Subject::new()).rows.len(), 10_000);
}

#[test]
fn a_large_but_honest_bundle_is_evaluated() {
    let mut bundle = document(vec![rule("STOP", "vulnerabilities", "package", &[("package_type", "all")])]);
    let items: Vec<Value> =
        (0..20_000)
            .map(|number| json!({"gate": "vulnerabilities", "trigger_id": format!("CVE-{number}+p")}))
            .chain((0..300).map(
                |number| json!({"gate": "vulnerabilities", "trigger_id": format!("*+package-{number}-*")}),
            ))
            .collect();
    bundle["whitelists"] = json!([{"id": "w", "version": "1_0", "items": items}]);
    bundle["mappings"][0]["whitelist_ids"] = json!(["w"]);
    let findings =
        (0..5_000).map(|number| finding(&format!("CVE-{number}"), "p", Severity::High, &[])).collect();
    let decision = judge_document(&bundle, &Subject::with_findings(findings));
    assert_eq!((decision.final_action, decision.rows.len(), decision.problems.len()), (Action::Go, 5_000, 0));
}

fn any_json() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "1_0",
        "*",
        "p",
        "w",
        "regexp:",
        "regexp:(",
        "tag",
        "digest",
        "id",
        "GO",
        "STOP",
        "always",
        "dockerfile",
        "vulnerabilities",
        "package",
        "files",
        "anchoresec",
        "instruction",
        "2031-01-01T00:00:00Z",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        words.prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    let names = prop::sample::select(vec![
        "id",
        "version",
        "name",
        "comment",
        "policies",
        "mappings",
        "whitelists",
        "whitelisted_images",
        "blacklisted_images",
        "rules",
        "gate",
        "trigger",
        "action",
        "params",
        "value",
        "items",
        "trigger_id",
        "expires_on",
        "registry",
        "repository",
        "image",
        "type",
        "policy_id",
        "policy_ids",
        "whitelist_ids",
    ]);
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(names.clone().prop_map(str::to_owned), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// One of the words, or anything.
fn word_or_any(words: &[&'static str]) -> impl Strategy<Value = String> + use<> {
    prop_oneof![prop::sample::select(words.to_vec()).prop_map(str::to_owned), any::<String>()]
}

fn any_pattern() -> impl Strategy<Value = String> {
    prop_oneof![
        word_or_any(&["*", "p", "w", "", "regexp:a|b", "regexp:(?!a)", "library/*", "1_0"]),
        "regexp:[ab()*+?|.]{0,10}",
    ]
}

fn any_gate() -> impl Strategy<Value = String> {
    word_or_any(&["always", "dockerfile", "vulnerabilities", "files", "pkgdiff"])
}

fn any_rule() -> impl Strategy<Value = Value> {
    let trigger =
        word_or_any(&["always", "instruction", "package", "blacklist", "exposed_ports", "effective_user"]);
    let name = word_or_any(&[
        "package_type",
        "severity",
        "instruction",
        "check",
        "value",
        "ports",
        "type",
        "users",
        "vulnerability_ids",
    ]);
    let value = word_or_any(&["all", "high", "RUN", "like", "22", "blacklist", "root"]);
    (any_gate(), trigger, prop::collection::vec((name, value), 0..4)).prop_map(|(gate, trigger, params)| {
        let params: Vec<(&str, &str)> =
            params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        rule("STOP", &gate, &trigger, &params)
    })
}

fn any_image() -> impl Strategy<Value = Value> {
    let kind = prop::sample::select(vec!["tag", "digest", "id"]);
    (any_pattern(), any_pattern(), kind, any_pattern()).prop_map(|(registry, repository, kind, value)| {
        json!({"name": "n", "registry": registry, "repository": repository,
            "image": {"type": kind, "value": value}, "policy_ids": ["p"], "whitelist_ids": ["w"]})
    })
}

/// A document that follows the schema, with anything in its texts.
fn any_bundle() -> impl Strategy<Value = Value> {
    let item = (any_gate(), any_pattern()).prop_map(|(gate, id)| json!({"gate": gate, "trigger_id": id}));
    let list = |strategy| prop::collection::vec(strategy, 0..4);
    let images = || list(any_image().boxed());
    let parts = (list(any_rule().boxed()), images(), images(), images(), list(item.boxed()));
    parts.prop_map(|(rules, mut mappings, allowed, denied, items)| {
        let mut bundle = document(rules);
        mappings.push(bundle["mappings"][0].clone());
        bundle["mappings"] = json!(mappings);
        bundle["whitelisted_images"] = json!(allowed);
        bundle["blacklisted_images"] = json!(denied);
        bundle["whitelists"] = json!([{"id": "w", "version": "1_0", "items": items}]);
        bundle
    })
}

/// Whatever the document is: no panic, and what is refused early is refused in the end.
fn check_document(document: &Value) {
    let mistakes =
        review(document, timestamp(NOW)).into_iter().filter(|it| it.severity == ProblemSeverity::Error);
    assert_eq!(Bundle::parse(document).is_ok(), mistakes.count() == 0);
    let mut subject = Subject::with_findings(vec![finding("CVE-1", "p", Severity::High, &[])]);
    subject.image.dockerfile = "FROM scratch\nRUN abab\nEXPOSE 22".to_owned();
    if let Ok(bundle) = Bundle::load(document) {
        let decision = judge(&bundle, &subject.input());
        assert_eq!(Bundle::parse(document).is_ok(), bundle.problems().is_empty());
        assert_eq!(explain(&bundle, &subject.input()).decision, decision);
        if let Some(early) = judge_without_image(&bundle, &subject.reference, subject.now) {
            assert!(!early.is_pass() && !decision.is_pass());
        }
    } else {
        assert!(Bundle::parse(document).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_json_is_answered(document in any_json()) {
        check_document(&document);
    }

    #[test]
    fn any_bundle_is_judged(document in any_bundle()) {
        assert!(Bundle::load(&document).is_ok());
        check_document(&document);
    }

    #[test]
    fn any_text_parses_or_not(text in any::<String>()) {
        if let Ok(document) = serde_json::from_str::<Value>(&text) {
            check_document(&document);
        }
    }
}
