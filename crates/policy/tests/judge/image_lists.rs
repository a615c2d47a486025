//! Lists of allowed and denied images.

use model::{Action, DecisionReason};
use serde_json::{Value, json};

use crate::fixture::{Subject, always, digest, document, judge_document};

fn image(repository: &str, kind: &str, value: &str) -> Value {
    json!({"name": "n", "registry": "docker.io", "repository": repository, "image": {"type": kind, "value": value}})
}

fn check(
    action: &str,
    allowed: &[Value],
    denied: &[Value],
    expected: (Action, DecisionReason, Option<usize>, Option<usize>),
) {
    let mut bundle = document(vec![always(action)]);
    bundle["whitelisted_images"] = json!(allowed);
    bundle["blacklisted_images"] = json!(denied);
    let decision = judge_document(&bundle, &Subject::named("nginx:1"));
    let found = (
        decision.final_action,
        decision.reason,
        decision.matched_whitelisted_image,
        decision.matched_blacklisted_image,
    );
    assert_eq!(found, expected, "{allowed:?} {denied:?}");
    // Policies are evaluated and reported all the same.
    assert_eq!(decision.policy_action.name().to_uppercase(), action);
    assert_eq!(decision.rows.len(), 1);
    assert_eq!(decision.matched_mapping, Some(0));
}

#[test]
fn denied_beats_allowed_beats_policies() {
    use DecisionReason::{Blacklisted, PolicyEvaluation, Whitelisted};
    let hit = image("nginx", "tag", "*");
    let miss = image("redis", "tag", "*");
    check("STOP", &[], &[], (Action::Stop, PolicyEvaluation, None, None));
    check(
        "WARN",
        std::slice::from_ref(&miss),
        std::slice::from_ref(&miss),
        (Action::Warn, PolicyEvaluation, None, None),
    );
    check("STOP", &[miss.clone(), hit.clone(), hit.clone()], &[], (Action::Go, Whitelisted, Some(1), None));
    check("GO", &[], &[miss.clone(), hit.clone()], (Action::Stop, Blacklisted, None, Some(1)));
    check(
        "GO",
        std::slice::from_ref(&hit),
        &[miss, hit.clone()],
        (Action::Stop, Blacklisted, Some(0), Some(1)),
    );
}

#[test]
fn images_can_be_listed_by_digest_and_id() {
    use DecisionReason::{Blacklisted, PolicyEvaluation, Whitelisted};
    let by_digest = |letter| image("*", "digest", &digest(letter).to_string());
    let by_id = |letter| image("*", "id", digest(letter).hex());
    check("STOP", &[by_digest('a')], &[], (Action::Go, Whitelisted, Some(0), None));
    check("STOP", &[by_digest('d')], &[], (Action::Stop, PolicyEvaluation, None, None));
    check("STOP", &[by_id('c')], &[], (Action::Go, Whitelisted, Some(0), None));
    check("GO", &[], &[by_id('d'), by_digest('a')], (Action::Stop, Blacklisted, None, Some(1)));
}

#[test]
fn lists_hold_without_any_mapping() {
    let mut bundle = document(vec![]);
    bundle["mappings"] = json!([]);
    bundle["blacklisted_images"] = json!([image("*", "tag", "1")]);
    let decision = judge_document(&bundle, &Subject::named("nginx:1"));
    assert_eq!((decision.final_action, decision.policy_action), (Action::Stop, Action::Go));
    assert_eq!((decision.rows.len(), decision.matched_mapping), (0, None));
    let decision = judge_document(&bundle, &Subject::named("nginx:2"));
    assert_eq!((decision.final_action, decision.reason), (Action::Go, DecisionReason::PolicyEvaluation));
}
