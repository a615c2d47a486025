//! Reviews of other projects, and broken ones.

use std::path::PathBuf;

use serde_json::json;

use super::*;
use crate::test_support::{Behaviour, Bench, create_pod};

fn published(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/reviews").join(name);
    std::fs::File::open(&path)
        .and_then(|file| std::io::Read::bytes(std::io::BufReader::new(file)).collect())
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn bodies_that_are_no_review_are_refused_with_a_status_and_a_text() {
    let check = |body: &[u8], status: u16, text: &str| {
        let error = parse_review(body).unwrap_err();
        assert_eq!(error.status().as_u16(), status, "{}", String::from_utf8_lossy(body));
        assert_eq!(error.to_string(), text, "{}", String::from_utf8_lossy(body));
    };
    let not_json = "body is not an AdmissionReview in JSON";
    check(b"", 400, "empty body");
    check(&vec![b' '; REVIEW_BYTES_MAX], 400, not_json);
    check(&vec![b' '; REVIEW_BYTES_MAX + 1], 413, "body has more than 3145728 bytes");
    check(b"{", 400, not_json);
    check(b"\xff\xfe", 400, not_json);
    check(b"[]", 400, "body is not an AdmissionReview: kind is ``, apiVersion is ``");
    check(br#"{"kind":{}}"#, 400, not_json);
    check("[".repeat(100_000).as_bytes(), 400, not_json);
    check(b"null", 400, "body is not an AdmissionReview: kind is ``, apiVersion is ``");
    check(b"{}", 400, "body is not an AdmissionReview: kind is ``, apiVersion is ``");
    check(
        br#"{"kind":"Pod","apiVersion":"v1"}"#,
        400,
        "body is not an AdmissionReview: kind is `Pod`, apiVersion is `v1`",
    );
    let review = |request: &str| {
        format!(r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{request}}}"#)
    };
    check(review("null").as_bytes(), 400, "AdmissionReview has no `request`");
    check(review("{}").as_bytes(), 400, "AdmissionReview has no `request.uid`");
    check(review(r#"{"uid":""}"#).as_bytes(), 400, "AdmissionReview has no `request.uid`");
    check(review(r#"{"uid":"u"}"#).as_bytes(), 400, "AdmissionReview has no `request.kind`");
    check(&published("21_broken_admission_request.json"), 400, "AdmissionReview has no `request.uid`");
    check(&published("26_broken_update_admission_request.json"), 400, "AdmissionReview has no `request.uid`");
    check(
        &published("25_null_request.json"),
        400,
        "body is not an AdmissionReview: kind is ``, apiVersion is ``",
    );
}

#[tokio::test]
async fn published_reviews_are_answered() {
    let bench = Bench::new();
    let charlie = "securesystemsengineering/charlie-image@sha256:\
                   91ac9b26df583762234c1cdb2fc930364754ccc59bc752a2bfe298d2ea68f9ff";
    bench.source.set(charlie, Behaviour::Pass);
    bench.source.set("alpine", Behaviour::Pass);
    bench.source.set("nginx", Behaviour::Refuse);
    for (name, is_allowed, text) in [
        ("01_deployment.json", true, ""),
        ("02_pod.json", true, ""),
        ("04_cronjob.json", true, ""),
        ("05_replication_controller.json", true, ""),
        ("06_daemonset.json", true, ""),
        ("10_update.json", true, ""),
        ("11_role.json", true, ""),
        ("12_err_pod.json", false, "Pod cannot be read: object of kind `Pod` has no `spec`"),
        ("19_pod_initcontainer.json", false, "Image failed policy check: nginx"),
        ("20_pod_ephemeralcontainer.json", false, "Image failed policy check: nginx"),
        ("pod_with_privileged_containers.json", false, "Image failed policy check: nginx"),
    ] {
        let body = published(name);
        let asked: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let started = tokio::time::Instant::now();
        let answer = bench.reviewer.review(&body, started, None).await.unwrap();
        let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(answer["apiVersion"], asked["apiVersion"], "{name}");
        assert_eq!(answer["response"]["uid"], asked["request"]["uid"], "{name}");
        assert_eq!(answer["response"]["allowed"], is_allowed, "{name}: {answer}");
        let message = answer["response"]["status"]["message"].as_str().unwrap_or_default();
        assert!(message.starts_with(text), "{name}: {message}");
    }
}

#[tokio::test]
async fn a_pod_that_cannot_be_read_is_refused() {
    let bench = Bench::new();
    let check = async |object: serde_json::Value| {
        let mut review = create_pod(&[], json!({}));
        review["request"]["object"] = object.clone();
        let response = bench.review(&review.to_string()).await;
        assert_eq!(response["allowed"], false, "{object}");
        let message = response["status"]["message"].as_str().unwrap();
        assert!(message.starts_with("Pod cannot be read: "), "{message}");
    };
    check(json!(null)).await;
    check(json!("pod")).await;
    check(json!({ "spec": null })).await;
    check(json!({ "spec": { "containers": "nginx" } })).await;
    check(json!({ "spec": { "containers": [{ "image": 1 }] } })).await;
    let many: Vec<_> = (0..1_001).map(|number| json!({ "image": format!("i{number}") })).collect();
    check(json!({ "spec": { "containers": many } })).await;
}
