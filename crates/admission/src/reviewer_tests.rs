//! Whole reviews, from bytes to bytes and audits.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::json;

use crate::cache::VerdictLimits;
use crate::crd::{WhiteListItem, WhiteListItemSpec};
use crate::index::UNDECIDED_LABEL;
use crate::settings::DecisionSettings;
use crate::source::VerdictError;
use crate::test_support::{Behaviour, Bench, create_pod, state};

fn bench() -> Bench {
    let bench = Bench::new();
    bench.source.set("good", Behaviour::Pass);
    bench.source.set("good2", Behaviour::Pass);
    bench.source.set("bad", Behaviour::Refuse);
    bench.source.set("down", Behaviour::Fail(VerdictError::Unreachable("connection refused".to_owned())));
    bench.source.set("slow", Behaviour::Slow(Duration::from_secs(20)));
    bench.source.set("panics", Behaviour::Panic);
    bench
}

fn set_mode(bench: &Bench, mode: &str) {
    bench.reviewer.index.apply_namespace(&ObjectMeta {
        name: Some("shop".to_owned()),
        labels: Some([(UNDECIDED_LABEL.to_owned(), mode.to_owned())].into()),
        ..ObjectMeta::default()
    });
}

/// One row of the decision table: images, mode of the namespace, whether it is let in, what the text must hold, and the
/// action of the audit.
async fn check(images: &[&str], mode: &str, is_allowed: bool, text: &str, action: &str) {
    let mut bench = bench();
    set_mode(&bench, mode);
    let response = bench.review(&create_pod(images, json!({})).to_string()).await;
    let row = format!("{images:?} in a namespace with `{mode}`: {response}");
    assert_eq!(response["allowed"], is_allowed, "{row}");
    assert_eq!(response["uid"], "u-1", "{row}");
    if is_allowed {
        assert!(response.get("status").is_none(), "{row}");
        assert!(response["warnings"].to_string().contains(text), "{row}");
    } else {
        assert_eq!(response["status"]["code"], 403, "{row}");
        let message = response["status"]["message"].as_str().unwrap();
        assert!(message.starts_with("Image failed policy check: "), "{row}");
        assert!(message.contains(text), "{row}");
    }
    let audit = bench.audits.try_recv().unwrap();
    assert_eq!((audit.spec.action.as_str(), audit.spec.image.len()), (action, images.len()), "{row}");
}

#[tokio::test(start_paused = true)]
async fn the_decision_table() {
    check(&["good"], "deny", true, "null", "allowed").await;
    check(&["good", "good2"], "deny", true, "null", "allowed").await;
    check(&["bad"], "deny", false, "CVE-2026-1", "reject").await;
    check(&["bad"], "allow", false, "CVE-2026-1", "reject").await;
    check(&["good", "bad"], "allow", false, "check: bad\n", "reject").await;
    check(&["bad", "good"], "allow", false, "check: bad\n", "reject").await;
    check(&["down"], "deny", false, "not decided: the engine cannot be reached", "reject").await;
    check(&["down"], "allow", true, "down: not decided", "allowed").await;
    check(&["down", "bad"], "allow", false, "check: down, bad\n", "reject").await;
    check(&["slow"], "deny", false, "not decided: no verdict came in time", "reject").await;
    check(&["slow"], "allow", true, "no verdict came in time", "allowed").await;
    check(&["unknown"], "deny", false, "the registry has no such image", "reject").await;
    check(&["unknown"], "Allow", false, "the registry has no such image", "reject").await;
    check(&["panics"], "deny", false, "the question was given up", "reject").await;
    check(&["Not A Name"], "allow", false, "check: Not A Name\n", "reject").await;
    check(&[""], "allow", false, "image reference is empty", "reject").await;
}

#[tokio::test(start_paused = true)]
async fn a_bundle_that_refuses_everything_needs_no_registry() {
    let mut bench = bench();
    set_mode(&bench, "allow");
    bench.reviewer.book.set_state(state("p1", Some("deny_all")));
    for image in ["down", "slow", "unknown"] {
        let started = tokio::time::Instant::now();
        let response = bench.review(&create_pod(&[image], json!({})).to_string()).await;
        assert_eq!(response["allowed"], false, "{image}: {response}");
        let message = response["status"]["message"].as_str().unwrap();
        assert!(message.starts_with(&format!("Image failed policy check: {image}\n")), "{message}");
        assert!(!message.contains("not decided"), "{message}");
        assert!(started.elapsed() <= Duration::from_secs(2), "{image}: {:?}", started.elapsed());
        assert_eq!(bench.audits.try_recv().unwrap().spec.policy_id.as_deref(), Some("deny_all"));
    }
    bench.reviewer.book.set_state(state("p1", Some("allow_all_and_warn")));
    let response = bench.review(&create_pod(&["down"], json!({})).to_string()).await;
    assert_eq!(response["allowed"], true, "undecided, and the namespace lets that pass: {response}");
}

#[tokio::test(start_paused = true)]
async fn the_answer_comes_before_the_time_of_the_request_is_over() {
    for (timeout_ms, expected_ms) in [(10_000_u64, 9_500_u64), (2_000, 1_500), (1_000, 500), (600, 300)] {
        let bench = bench();
        let started = tokio::time::Instant::now();
        let body = create_pod(&["slow"], json!({})).to_string();
        let timeout = Some(Duration::from_millis(timeout_ms));
        bench.reviewer.review(body.as_bytes(), started, timeout).await.unwrap();
        let elapsed = started.elapsed();
        let expected = Duration::from_millis(expected_ms);
        assert!(
            elapsed >= expected && elapsed < expected + Duration::from_millis(50),
            "{timeout_ms}: {elapsed:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_came_too_late_serves_the_next_attempt() {
    let bench = bench();
    let body = create_pod(&["slow"], json!({})).to_string();
    assert_eq!(bench.review(&body).await["allowed"], false);
    assert_eq!(bench.review(&body).await["allowed"], false);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(bench.review(&body).await["allowed"], true);
    assert_eq!(bench.source.questions_count(), 1, "all three waited for the same question");
}

#[tokio::test]
async fn many_pods_ask_once_and_known_images_never() {
    let bench = bench();
    bench.source.set("slow", Behaviour::Slow(Duration::from_millis(50)));
    let body = create_pod(&["slow", "good"], json!({})).to_string();
    let all = futures_util::future::join_all((0..200).map(|_| bench.review(&body))).await;
    assert!(all.iter().all(|response| response["allowed"] == true));
    assert_eq!(bench.source.questions_count(), 2);
    for spelling in ["docker.io/good:latest", "good:latest", "index.docker.io/good"] {
        assert_eq!(bench.review(&create_pod(&[spelling], json!({})).to_string()).await["allowed"], true);
    }
    assert_eq!(bench.source.questions_count(), 2, "other spellings of one name are one image");
}

#[tokio::test]
async fn a_verdict_holds_for_its_policy_and_its_tag_only() {
    let check = async |tag_ttl: Duration, policy_revision: &str, image: &str, questions: usize| {
        let limits = VerdictLimits { tag_ttl, ..VerdictLimits::default() };
        let bench = Bench::with(limits, DecisionSettings::default());
        bench.source.set(image, Behaviour::Pass);
        let body = create_pod(&[image], json!({})).to_string();
        bench.review(&body).await;
        bench.reviewer.book.set_state(state(policy_revision, None));
        bench.review(&body).await;
        assert_eq!(bench.source.questions_count(), questions, "{tag_ttl:?} {policy_revision} {image}");
    };
    let pinned = format!("good@sha256:{}", "1".repeat(64));
    check(Duration::from_secs(30), "p1", "good", 1).await;
    check(Duration::ZERO, "p1", "good", 2).await;
    check(Duration::ZERO, "p1", &pinned, 1).await;
    // The source still judges by `p1`, so a new policy is asked about twice: the first answer could be an old one.
    check(Duration::from_secs(30), "p2", "good", 3).await;
    check(Duration::from_secs(30), "p2", &pinned, 3).await;
}

#[tokio::test]
async fn only_images_that_a_change_brings_in_are_judged() {
    let check = async |old: &[&str], new: &[&str], is_allowed: bool, audited: usize| {
        let mut bench = bench();
        let mut review = create_pod(new, json!({}));
        review["request"]["operation"] = json!("UPDATE");
        review["request"]["oldObject"] = create_pod(old, json!({}))["request"]["object"].take();
        let response = bench.review(&review.to_string()).await;
        assert_eq!(response["allowed"], is_allowed, "{old:?} {new:?}");
        let images = bench.audits.try_recv().map_or(0, |audit| audit.spec.image.len());
        assert_eq!(images, audited, "{old:?} {new:?}");
    };
    check(&["bad"], &["bad"], true, 0).await;
    check(&["good"], &["bad"], false, 1).await;
    check(&["bad"], &["bad", "good"], true, 1).await;
    check(&["good", "bad"], &["good"], true, 0).await;
}

#[tokio::test]
async fn what_is_not_ours_is_let_in_without_a_word() {
    let check = async |change: fn(&mut serde_json::Value), audits: usize| {
        let mut bench = bench();
        let mut review = create_pod(&["bad"], json!({}));
        change(&mut review["request"]);
        let response = bench.review(&review.to_string()).await;
        assert_eq!(response, json!({ "uid": "u-1", "allowed": true }), "{review}");
        assert_eq!(usize::from(bench.audits.try_recv().is_ok()), audits);
    };
    check(|request| request["operation"] = json!("DELETE"), 0).await;
    check(|request| request["operation"] = json!("CONNECT"), 0).await;
    check(|request| request["kind"]["kind"] = json!("ConfigMap"), 0).await;
    check(|request| request["kind"]["group"] = json!("example.org"), 0).await;
    check(|request| request["object"]["spec"]["containers"] = json!([]), 0).await;
}

#[tokio::test]
async fn a_dry_run_is_decided_and_leaves_no_trace() {
    let mut bench = bench();
    let mut review = create_pod(&["bad"], json!({ "release": "r" }));
    review["request"]["dryRun"] = json!(true);
    assert_eq!(bench.review(&review.to_string()).await["allowed"], false);
    bench.reviewer.index.apply_item(&WhiteListItem::new("r", WhiteListItemSpec::default()));
    assert_eq!(bench.review(&review.to_string()).await["allowed"], true);
    bench.reviewer.tasks.close();
    bench.reviewer.tasks.wait().await;
    assert!(bench.audits.try_recv().is_err());
}

#[tokio::test]
async fn an_exempt_release_is_let_in_and_still_looked_at() {
    let check = async |item: &str, regexp: Option<&str>, labels: serde_json::Value, is_allowed: bool| {
        let mut bench = bench();
        let spec = WhiteListItemSpec { regexp: regexp.map(str::to_owned), ..WhiteListItemSpec::default() };
        bench.reviewer.index.apply_item(&WhiteListItem::new(item, spec));
        let response = bench.review(&create_pod(&["bad"], labels.clone()).to_string()).await;
        let row = format!("{item} {regexp:?} {labels}");
        assert_eq!(response["allowed"], is_allowed, "{row}");
        bench.reviewer.tasks.close();
        bench.reviewer.tasks.wait().await;
        let audit = bench.audits.try_recv().unwrap();
        assert_eq!(audit.spec.action, if is_allowed { "allowed" } else { "reject" }, "{row}");
        assert!(!audit.spec.image[0].image_digest.is_empty(), "{row}");
        if is_allowed {
            assert_eq!(response["status"]["message"], "Whitelisted release", "{row}");
            assert!(audit.spec.result[0].starts_with("Whitelisted release: "), "{row}");
        }
    };
    check("r", None, json!({ "release": "r" }), true).await;
    check("r", None, json!({ "app.kubernetes.io/instance": "r", "release": "x" }), true).await;
    check("x", None, json!({ "app.kubernetes.io/instance": "r", "release": "x" }), true).await;
    check("y", None, json!({ "app.kubernetes.io/instance": "r", "release": "x" }), false).await;
    check("web", None, json!({}), true).await;
    check("we", None, json!({}), false).await;
    check("web", None, json!({ "release": "other" }), false).await;
    check("any", Some("w.b"), json!({}), true).await;
    check("any", Some("w"), json!({}), false).await;
}

#[tokio::test]
async fn templates_are_warned_about_from_what_is_known() {
    let mut bench = bench();
    let mut review = create_pod(&[], json!({}));
    review["request"]["kind"] = json!({ "group": "apps", "version": "v1", "kind": "Deployment" });
    review["request"]["object"]["spec"] = json!({
        "replicas": 0, "template": { "spec": { "containers": [{ "image": "bad" }, { "image": "down" }] } },
    });
    let response = bench.review(&review.to_string()).await;
    assert_eq!(response, json!({ "uid": "u-1", "allowed": true }));
    assert_eq!(bench.source.questions_count(), 0, "nothing is waited for");
    bench.review(&create_pod(&["bad"], json!({})).to_string()).await;
    let response = bench.review(&review.to_string()).await;
    assert_eq!(response["allowed"], true);
    assert!(
        response["warnings"][0].as_str().unwrap().starts_with("bad: its Pods will be refused"),
        "{response}"
    );
    assert_eq!(bench.audits.recv().await.unwrap().spec.resource, "Pod");
    assert!(bench.audits.try_recv().is_err(), "templates are not audited");
}
