//! The verdict that needs no image.

use model::{Action, Decision, DecisionReason};
use policy::{Bundle, judge, judge_without_image};
use serde_json::{Value, json};

use crate::fixture::{NOW, Subject, always, digest, document, mapping, rule, timestamp};

fn early(document: &Value, reference: &str) -> Option<Decision> {
    judge_without_image(&Bundle::load(document).unwrap(), &reference.parse().unwrap(), timestamp(NOW))
}

/// Whether the bundle refuses `nginx:1` already, and that the whole judgement never disagrees.
fn check(document: &Value, expected: Option<DecisionReason>) {
    let decision = early(document, "nginx:1");
    assert_eq!(decision.as_ref().map(|decision| decision.reason), expected, "{document}");
    let whole = judge(&Bundle::load(document).unwrap(), &Subject::named("nginx:1").input());
    if let Some(decision) = decision {
        assert_eq!(decision.final_action, Action::Stop);
        assert_eq!((whole.final_action, whole.policy_id), (Action::Stop, decision.policy_id));
    }
}

fn image(kind: &str, value: &str) -> Value {
    json!({"name": "n", "registry": "*", "repository": "nginx", "image": {"type": kind, "value": value}})
}

const BY_POLICY: Option<DecisionReason> = Some(DecisionReason::PolicyEvaluation);
const BY_LIST: Option<DecisionReason> = Some(DecisionReason::Blacklisted);

#[test]
fn only_unconditional_rules_refuse() {
    check(&document(vec![always("STOP")]), BY_POLICY);
    check(&document(vec![always("WARN")]), None);
    check(&document(vec![]), None);
    check(&document(vec![rule("STOP", "dockerfile", "no_dockerfile_provided", &[])]), None);
    check(
        &document(vec![rule("STOP", "dockerfile", "no_dockerfile_provided", &[]), always("STOP")]),
        BY_POLICY,
    );
    let decision = early(&document(vec![always("WARN"), always("STOP")]), "nginx:1").unwrap();
    assert_eq!(decision.rows.len(), 2);
    assert_eq!((decision.matched_mapping, decision.policy_action), (Some(0), Action::Stop));
    assert_eq!(decision.rows[1].message, "Unconditional trigger match");
}

#[test]
fn exceptions_cover_unconditional_rules() {
    for (trigger_id, expires_on, expected) in [
        ("always", "2031-01-01T00:00:00Z", None),
        ("*", "2031-01-01T00:00:00Z", None),
        ("always", NOW, BY_POLICY),
        ("other", "2031-01-01T00:00:00Z", BY_POLICY),
    ] {
        let mut document = document(vec![always("STOP")]);
        document["whitelists"] = json!([{"id": "w", "version": "1_0",
            "items": [{"gate": "always", "trigger_id": trigger_id, "expires_on": expires_on}]}]);
        document["mappings"][0]["whitelist_ids"] = json!(["w"]);
        check(&document, expected);
    }
}

#[test]
fn an_image_that_could_be_allowed_is_looked_at() {
    let image_digest = digest('d').to_string();
    for (allowed, expected) in [
        (image("tag", "*"), None),
        (image("tag", "2"), BY_POLICY),
        (image("digest", &image_digest), None),
        (image("id", digest('d').hex()), None),
        (
            json!({"name": "n", "registry": "quay.io", "repository": "*", "image": {"type": "id", "value": "x"}}),
            BY_POLICY,
        ),
    ] {
        let mut document = document(vec![always("STOP")]);
        document["whitelisted_images"] = json!([allowed]);
        check(&document, expected);
    }
}

#[test]
fn an_image_that_is_denied_by_name_is_refused() {
    for (denied, allowed, expected) in [
        (image("tag", "1"), json!([]), BY_LIST),
        (image("tag", "1"), json!([image("tag", "*")]), BY_LIST),
        (image("tag", "2"), json!([]), None),
        (image("digest", &digest('a').to_string()), json!([]), None),
    ] {
        let mut document = document(vec![always("GO")]);
        document["blacklisted_images"] = json!([image("id", "x"), denied]);
        document["whitelisted_images"] = allowed;
        check(&document, expected);
        document["mappings"] = json!([]);
        check(&document, expected);
    }
}

#[test]
fn every_mapping_that_could_be_selected_must_refuse() {
    let mut document = document(vec![always("STOP")]);
    document["policies"].as_array_mut().unwrap().push(json!({"id": "soft", "version": "1_0", "rules": []}));
    let by_digest = |policy_id| mapping("d", "*", "*", "digest", &digest('d').to_string(), policy_id);
    let by_tag = |policy_id| mapping("t", "*", "*", "tag", "*", policy_id);
    for (mappings, expected) in [
        (json!([by_digest("p"), by_tag("p")]), BY_POLICY),
        (json!([by_digest("soft"), by_tag("p")]), None),
        (json!([by_digest("p"), by_tag("soft")]), None),
        (json!([by_digest("p")]), None),
        (json!([by_tag("p"), by_digest("soft")]), BY_POLICY),
        (json!([mapping("q", "quay.io", "*", "tag", "*", "soft"), by_tag("p")]), BY_POLICY),
        (json!([]), None),
    ] {
        document["mappings"] = mappings;
        check(&document, expected);
    }
    document["mappings"] = json!([by_digest("p"), by_tag("p")]);
    assert_eq!(early(&document, "nginx:1").unwrap().matched_mapping, None);
}

#[test]
fn bundles_with_mistakes_decide_nothing_early() {
    check(&document(vec![always("STOP"), rule("STOP", "nosuch", "any", &[])]), None);
    let mut bundle = document(vec![always("STOP")]);
    bundle["version"] = json!("9");
    check(&bundle, None);
    check(&document(vec![rule("STOP", "anchoresec", "vulnhigh", &[]), always("STOP")]), BY_POLICY);
}
