//! Rules of a spec, as rows.

use serde_json::json;

use super::super::spec::read_spec;
use super::*;

fn check(spec: &Value) -> Result<Spec, Vec<String>> {
    validate(read_spec(spec.as_object().unwrap()).unwrap(), "pipeline-system")
}

fn with(key: &str, value: &Value) -> Value {
    json!({"policy": {"policyId": "deny_all"}, key: value})
}

#[test]
fn what_was_refused_always_is_refused_in_the_same_words() {
    for (spec, text) in [
        (json!({}), "policyId is required"),
        (json!({"policy": {"customPolicy": {"enabled": false}}}), "policyId is required"),
        (
            with("customAnchore", &json!({"enabled": true, "url": "https://a.example"})),
            "both anchore url and secretId are required",
        ),
        (with("releaseWhiteList", &json!([{"name": "a"}])), "both name and reason must be specified"),
        (with("releaseWhiteList", &json!([{"reason": "a"}])), "both name and reason must be specified"),
        (with("webhookConfig", &json!({"enabled": true})), "selector and namespaces must be filled"),
        (
            with("webhookConfig", &json!({"enabled": true, "selector": "include", "namespaces": []})),
            "selector and namespaces must be filled",
        ),
        (
            with(
                "webhookConfig",
                &json!({"enabled": true, "selector": "exclude", "namespaces": ["kube-system"]}),
            ),
            "the following namespaces may not be modified: [pipeline-system kube-system]",
        ),
        (with("registry", &json!({"registry": "r.example"})), "both registry and secretId are required"),
        (
            json!({"releaseWhiteList": [{"name": "a"}], "registries": [{}]}),
            "policyId is required; both name and reason must be specified; both registry and secretId are required",
        ),
    ] {
        assert_eq!(check(&spec).unwrap_err().join("; "), text, "{spec}");
    }
}

#[test]
fn a_spec_has_a_bounded_size() {
    let names: Vec<String> = (0..1001).map(|number| format!("n{number}")).collect();
    let registries: Vec<Value> =
        names.iter().take(51).map(|name| json!({"registry": name, "secretId": "s"})).collect();
    let items: Vec<Value> = names.iter().map(|name| json!({"name": name, "reason": "r"})).collect();
    let webhook = json!({"enabled": true, "selector": "exclude", "namespaces": names});
    for (spec, text) in [
        (with("registries", &json!(registries)), "registries has 51 registries (limit 50)"),
        (with("releaseWhiteList", &json!(items)), "releaseWhiteList has 1001 items (limit 1000)"),
        (
            with("webhookConfig", &webhook),
            "webhookConfig has 1001 namespaces (limit 1000): use the other selector, or `*`",
        ),
    ] {
        assert_eq!(check(&spec).unwrap_err().join("; "), text);
    }
}

#[test]
fn what_was_let_through_is_refused_too() {
    let webhook = |selector: &str, namespaces: &[&str]| {
        with("webhookConfig", &json!({"enabled": true, "selector": selector, "namespaces": namespaces}))
    };
    let anchore = |url: &str| with("customAnchore", &json!({"enabled": true, "url": url, "secretId": "s"}));
    let item = |name: &str, regexp: &str| {
        with("releaseWhiteList", &json!([{"name": name, "reason": "r", "regexp": regexp}]))
    };
    let registry =
        |name: &str, kind: &str| with("registry", &json!({"registry": name, "secretId": "s", "type": kind}));
    for (spec, part) in [
        (webhook("Include", &["a"]), "selector must be"),
        (webhook("include", &["*", "a"]), "must stand alone"),
        (webhook("include", &["A_b"]), "no name of a namespace"),
        (webhook("include", &["pipeline-system"]), "may not be modified"),
        (with("webhookConfig", &json!({"enabled": false, "runIn": "moon"})), "runIn must be"),
        (anchore("ftp://a.example"), "must begin with http"),
        (anchore("anchore"), "is no URL"),
        (anchore("https://u:p@a.example"), "no user and password"),
        (anchore("https://a.example/?x=1"), "neither a query"),
        (item("Web", ""), "lower-case letters"),
        (item("web", "("), "regexp of whitelist item `web`"),
        (
            with("releaseWhiteList", &json!([{"name": "a", "reason": "r"}, {"name": "a", "reason": "r"}])),
            "is there twice",
        ),
        (registry("https://r.example", ""), "without a scheme"),
        (registry("r.example/", ""), "without a scheme"),
        (registry("r.example", "quay"), "must be docker_v2 or awsecr"),
        (registry("1.dkr.ecr.x.amazonaws.com.evil.org", "awsecr"), "none of Amazon"),
        (json!({"policy": {"customPolicy": {"enabled": true}}}), "has no policy"),
        (json!({"policy": {"customPolicy": {"enabled": true, "policy": {"id": "x"}}}}), "no good bundle"),
    ] {
        let problems = check(&spec).unwrap_err().join("; ");
        assert!(problems.contains(part), "{spec}: {problems}");
    }
}

#[test]
fn namespaces_are_chosen_in_one_sensible_way() {
    let names = || vec!["a".to_owned(), "b".to_owned()];
    for (webhook, expected) in [
        (json!(null), Enforcement::Everywhere),
        (json!({"enabled": false}), Enforcement::Off),
        (json!({"enabled": false, "selector": "include", "namespaces": ["a"]}), Enforcement::Off),
        (json!({"enabled": true, "selector": "include", "namespaces": ["*"]}), Enforcement::Everywhere),
        (
            json!({"enabled": true, "selector": "include", "namespaces": ["a", "b"]}),
            Enforcement::Only(names()),
        ),
        (
            json!({"enabled": true, "selector": "exclude", "namespaces": ["a", "b"]}),
            Enforcement::AllBut(names()),
        ),
        (json!({"enabled": true, "selector": "exclude", "namespaces": ["*"]}), Enforcement::Only(Vec::new())),
    ] {
        let spec = check(&with("webhookConfig", &webhook)).unwrap();
        assert_eq!(spec.enforcement, expected, "{webhook}");
    }
}

#[test]
fn keys_of_amazon_go_to_amazon_only() {
    for (registry, kind) in [
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", RegistryKind::AmazonEcr),
        ("123456789012.dkr.ecr-fips.us-east-1.amazonaws.com/team", RegistryKind::AmazonEcr),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", RegistryKind::AmazonEcr),
        ("1.dkr.ecr.x.amazonaws.com.evil.org", RegistryKind::Docker),
        ("evil.org/1.dkr.ecr.x.amazonaws.com", RegistryKind::Docker),
        ("x.1.dkr.ecr.x.amazonaws.com", RegistryKind::Docker),
        ("a1.dkr.ecr.x.amazonaws.com", RegistryKind::Docker),
        ("1.dkr.ecr.x.amazonaws.com:8080", RegistryKind::Docker),
        ("docker.pkg.github.com", RegistryKind::Docker),
    ] {
        let spec = check(&with("registry", &json!({"registry": registry, "secretId": "s"}))).unwrap();
        assert_eq!(spec.registries[0].kind, kind, "{registry}");
    }
}

#[test]
fn a_named_policy_counts_more_than_a_custom_one() {
    let mut bundle: Value = serde_json::from_str(policy::predefined_bundles()[4].json).unwrap();
    let predefined = json!({"enabled": true, "policy": bundle});
    let problems = check(&json!({"policy": {"customPolicy": predefined}})).unwrap_err();
    assert_eq!(problems, ["customPolicy has the id of the predefined bundle `deny_all`"]);
    bundle["id"] = json!("own");
    let custom = json!({"enabled": true, "policy": bundle});
    let spec = check(&json!({"policy": {"policyId": "reject_high", "customPolicy": custom}})).unwrap();
    assert_eq!(spec.policy, PolicyChoice::Named("reject_high".to_owned()));
    let spec = check(&json!({"policy": {"customPolicy": custom}})).unwrap();
    assert_eq!(spec.policy.id(), "own");
}
