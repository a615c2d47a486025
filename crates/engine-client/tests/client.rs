//! The client against answers as a foreign Anchore Engine 1.1.0 and ours give them, served by a real listener.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use engine_client::{AnalysisStatus, CheckQuestion, Client, ClientError, ClientSettings};
use model::{Digest, Severity};
use serde_json::{Value, json};
use tokio::time::Instant;

const USER: &str = "admin";
const PASSWORD: &str = "secret";
const HEX: &str = "1111111111111111111111111111111111111111111111111111111111111111";

fn digest() -> Digest {
    format!("sha256:{HEX}").parse().unwrap()
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

/// A server that gives one answer to every request, after `delay`, and records nothing.
async fn serve(status: u16, body: String, delay: Duration) -> String {
    let handler = move |request: Request| async move {
        tokio::time::sleep(delay).await;
        // `admin:secret`
        let is_known = request
            .headers()
            .get(header::AUTHORIZATION)
            .is_some_and(|value| value == "Basic YWRtaW46c2VjcmV0");
        if is_known {
            (StatusCode::from_u16(status).unwrap(), body).into_response()
        } else {
            (StatusCode::UNAUTHORIZED, "Unauthorized").into_response()
        }
    };
    start(Router::new().fallback(handler)).await
}

async fn start(router: Router) -> String {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

async fn answering(status: u16, body: Value) -> Client {
    let url = serve(status, body.to_string(), Duration::ZERO).await;
    Client::new(&ClientSettings::new(url, USER, PASSWORD)).unwrap()
}

fn image(status: &str) -> Value {
    json!({
        "analysis_status": status, "analyzed_at": null, "annotations": {"a": 1}, "created_at": "2026-11-22T03:59:01Z",
        "imageDigest": digest().to_string(), "parentDigest": digest().to_string(), "image_status": "active",
        "image_content": {"metadata": {"arch": null}}, "last_updated": "2026-11-22T03:59:36Z", "userId": "admin",
        "image_detail": [{"registry": "localhost:15443", "repo": "lib/alpine", "tag": "1.0", "imageId": HEX,
            "fulltag": "localhost:15443/lib/alpine:1.0", "dockerfile": null}],
    })
}

#[tokio::test]
async fn images_are_read_tolerantly() {
    let record = answering(200, json!([image("analyzing")])).await.add_image("a:1", soon()).await.unwrap();
    assert_eq!((record.digest, record.analysis_status), (digest(), AnalysisStatus::Analyzing));
    assert_eq!(record.tags[0].full_tag.as_deref(), Some("localhost:15443/lib/alpine:1.0"));
    assert!(record.last_updated.is_some() && record.analyzed_at.is_none());
    let least = json!([{"imageDigest": digest().to_string(), "analysis_status": "frozen"}]);
    let record = answering(200, least).await.get_image(&digest(), soon()).await.unwrap();
    assert_eq!(record.analysis_status, AnalysisStatus::Other("frozen".to_owned()));
    for bad in
        [json!([]), json!({}), json!("x"), json!([{"imageDigest": "md5:1", "analysis_status": "analyzed"}])]
    {
        let error = answering(200, bad.clone()).await.get_image(&digest(), soon()).await.unwrap_err();
        assert!(matches!(error, ClientError::Unexpected { .. }), "{bad}: {error}");
    }
}

#[tokio::test]
async fn an_image_is_added_by_digest_under_a_tag() {
    // Answers only the bodies that an engine accepts: a name with a tag, and a name with a digest.
    let router = Router::new().route(
        "/v1/images",
        axum::routing::post(|axum::Json(body): axum::Json<Value>| async move {
            let expected = json!({
                "tag": "registry.example.org:5000/team/app:pinned",
                "digest": format!("registry.example.org:5000/team/app@{}", digest()),
            });
            let hub = json!({
                "tag": "docker.io/nginx:pinned", "digest": format!("docker.io/nginx@{}", digest()),
            });
            if body == expected || body == hub {
                (StatusCode::OK, axum::Json(json!([image("not_analyzed")])))
            } else {
                (StatusCode::BAD_REQUEST, axum::Json(json!({"message": body.to_string(), "httpcode": 400})))
            }
        }),
    );
    let client = Client::new(&ClientSettings::new(start(router).await, USER, PASSWORD)).unwrap();
    for repository in [
        format!("registry.example.org:5000/team/app@{}", digest()),
        format!("registry.example.org:5000/team/app:1.0@{}", digest()),
        "nginx".to_owned(),
    ] {
        let reference = repository.parse().unwrap();
        let record = client.add_image_at_digest(&reference, &digest(), "pinned", soon()).await.unwrap();
        assert_eq!(record.digest, digest(), "{repository}");
    }
    let refused = client.add_image("nginx", soon()).await;
    assert!(matches!(refused, Err(ClientError::Refused { status: 400, .. })), "{refused:?}");
}

fn check_answer(status: &str, detail: Value) -> Value {
    json!([{digest().to_string(): {"docker.io/a:1": [
        {"policyId": "p", "status": status, "last_evaluation": "2026-11-22T03:59:01Z", "detail": detail}]}}])
}

async fn ask(status: u16, answer: Value) -> Result<engine_client::CheckReport, ClientError> {
    let digest = digest();
    let question = CheckQuestion { digest: &digest, tag: "a:1", policy_id: None, with_detail: true };
    answering(status, answer).await.check(&question, soon()).await
}

#[tokio::test]
async fn only_the_word_pass_is_a_pass() {
    for (status, is_pass) in
        [("pass", true), ("fail", false), ("Pass", false), ("", false), ("passed", false)]
    {
        assert_eq!(ask(200, check_answer(status, json!({}))).await.unwrap().is_pass, is_pass, "{status}");
    }
    let row = json!([
        HEX,
        "docker.io/a:1",
        "CVE-1+openssl",
        "vulnerabilities",
        "package",
        "HIGH",
        "stop",
        false,
        "p1"
    ]);
    let listed = json!([HEX, "docker.io/a:1", "CVE-2+openssl", "vulnerabilities", "package", "LOW", "go",
        {"whitelist_name": "accepted", "whitelist_id": "w", "matched_rule_id": "i"}, "p1"]);
    let detail = json!({"policy": {}, "result": {"image_id": HEX, "final_action": "stop",
        "final_action_reason": "policy_evaluation", "result": {HEX: {"result": {"rows": [row, listed]}}}}});
    let report = ask(200, check_answer("fail", detail)).await.unwrap();
    assert_eq!((report.tag.as_str(), report.final_action.as_deref()), ("docker.io/a:1", Some("stop")));
    assert_eq!((report.rows[0].trigger_id.as_str(), &report.rows[0].whitelist), ("CVE-1+openssl", &None));
    assert_eq!(report.rows[1].whitelist.as_deref(), Some("accepted"));
    let other = format!("sha256:{}", "2".repeat(64));
    for answer in [
        json!([]),
        json!([{}]),
        json!([{digest().to_string(): {}}]),
        json!([{digest().to_string(): {"a": []}}]),
        json!([{other: {"a": [{"policyId": "p", "status": "pass"}]}}]),
        check_answer("pass", json!({"result": {"image_id": HEX}})),
    ] {
        let error = ask(200, answer.clone()).await.unwrap_err();
        assert!(matches!(error, ClientError::Unexpected { .. }), "{answer}: {error}");
    }
}

#[tokio::test]
async fn refusals_are_sorted_by_what_can_be_done() {
    let engine_shape = |status: u16, message: &str, codes: Value| json!({"message": message, "httpcode": status, "detail": {"error_codes": codes, "raw_exception_message": "why"}});
    let not_analyzed = "image is not analyzed - analysis_status: analyzing";
    let wrapped = json!({"message": format!("Resource {not_analyzed} not found")}).to_string();
    type Check = fn(&ClientError) -> bool;
    let rows: [(u16, Value, Check, bool); 9] = [
        (401, json!("Unauthorized"), |error| matches!(error, ClientError::Unauthorized { .. }), false),
        (
            403,
            engine_shape(403, "Not authorized.", json!([])),
            |error| matches!(error, ClientError::Unauthorized { .. }),
            false,
        ),
        (
            404,
            engine_shape(404, "image data not found in DB", json!([])),
            |error| matches!(error, ClientError::NotFound { .. }),
            false,
        ),
        (
            404,
            engine_shape(404, not_analyzed, json!([])),
            |error| matches!(error, ClientError::NotAnalyzed { status } if status == "analyzing"),
            true,
        ),
        (
            500,
            engine_shape(500, &wrapped, json!([])),
            |error| matches!(error, ClientError::NotAnalyzed { status } if status == "analyzing"),
            true,
        ),
        (
            400,
            engine_shape(400, "cannot fetch", json!(["REGISTRY_IMAGE_NOT_FOUND"])),
            |error| {
                matches!(error, ClientError::Refused { status: 400, message, codes }
                if message == "cannot fetch: why" && codes == &["REGISTRY_IMAGE_NOT_FOUND"])
            },
            false,
        ),
        (
            400,
            json!({"detail": "'id' is a required property", "status": 400, "title": "Bad Request", "type": "about:blank"}),
            |error| matches!(error, ClientError::Refused { message, .. } if message == "'id' is a required property"),
            false,
        ),
        (503, json!("busy"), |error| matches!(error, ClientError::Unexpected { status: 503, .. }), true),
        (
            302,
            json!("elsewhere"),
            |error| matches!(error, ClientError::Unexpected { status: 302, .. }),
            false,
        ),
    ];
    for (status, body, is_expected, is_retryable) in rows {
        let error = answering(status, body.clone()).await.get_image(&digest(), soon()).await.unwrap_err();
        assert!(is_expected(&error), "{status} {body}: {error:?}");
        assert_eq!(error.is_retryable(), is_retryable, "{error:?}");
    }
}

#[tokio::test]
async fn deadlines_sizes_and_lost_servers_end_a_call() {
    let url = serve(200, "[]".to_owned(), Duration::from_secs(60)).await;
    let client = Client::new(&ClientSettings::new(url, USER, PASSWORD)).unwrap();
    let error = client.feeds(Instant::now() + Duration::from_millis(200)).await.unwrap_err();
    assert!(matches!(error, ClientError::Timeout { .. }), "{error}");

    let url = serve(200, json!(["x".repeat(98)]).to_string(), Duration::ZERO).await;
    for (limit, is_read) in [(101, false), (102, true), (103, true)] {
        let settings =
            ClientSettings { answer_bytes_max: limit, ..ClientSettings::new(&url, USER, PASSWORD) };
        let result = Client::new(&settings).unwrap().ping(soon()).await;
        assert_eq!(result.is_ok(), is_read, "{limit}: {result:?}");
    }
    let wrong = Client::new(&ClientSettings::new(&url, USER, "wrong")).unwrap();
    assert!(matches!(wrong.ping(soon()).await, Err(ClientError::Unauthorized { .. })));

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error =
        Client::new(&ClientSettings::new(gone, USER, PASSWORD)).unwrap().ping(soon()).await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
    assert!(!format!("{:?}", ClientSettings::new("http://h", USER, PASSWORD)).contains(PASSWORD));
}

#[tokio::test]
async fn every_call_uses_the_path_and_query_of_the_contract() {
    let router = Router::new().fallback(|request: Request| async move {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 1_000_000).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let seen = format!("{} {}", parts.method, parts.uri);
        // The record carries what was asked for back to the test.
        let record = json!({"policyId": seen, "name": body.to_string(), "active": body["active"] == true, "policybundle": {}});
        let is_list = parts.method != axum::http::Method::POST;
        axum::Json(if is_list { json!([record]) } else { record })
    });
    let url = start(router).await;
    for base in [url.clone(), format!("{url}/"), format!("{url}/v1"), format!("{url}/v1/")] {
        let client = Client::new(&ClientSettings::new(base, USER, PASSWORD)).unwrap();
        let listed = client.list_policies(soon()).await.unwrap();
        assert_eq!(listed[0].id, "GET /v1/policies?detail=false");
        let one = client.get_policy("a b/c", true, soon()).await.unwrap();
        assert_eq!(one.id, "GET /v1/policies/a%20b%2Fc?detail=true");
        let added = client.add_policy(&json!({"id": "x"}), soon()).await.unwrap();
        assert_eq!(
            (added.id.as_str(), added.name.as_deref()),
            ("POST /v1/policies?detail=true", Some("{\"id\":\"x\"}"))
        );
        let activated = client.activate_policy("x", soon()).await.unwrap();
        assert_eq!((activated.id.as_str(), activated.active), ("PUT /v1/policies/x", true));
    }
    for bad in ["", "host:8228", "ftp://host", "http://", "http://host?x=1"] {
        assert!(Client::new(&ClientSettings::new(bad, USER, PASSWORD)).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn vulnerabilities_and_feeds_say_what_is_not_known() {
    let body = json!({"imageDigest": "x", "vulnerability_type": "all", "vulnerabilities": [
        {"vuln": "CVE-2023-0001", "severity": "High", "fix": "None", "package_name": "openssl", "package_version": "1"},
        {"vuln": "CVE-2023-0002", "severity": "Terrible", "fix": "1.2, 1.3", "will_not_fix": true}]});
    let found = answering(200, body).await.vulnerabilities(&digest(), soon()).await.unwrap();
    assert_eq!((found[0].severity, &found[0].fixed_in), (Severity::High, &None));
    assert_eq!((found[1].severity, found[1].fixed_in.as_deref()), (Severity::Unknown, Some("1.2, 1.3")));
    let body = json!([{"name": "vulnerabilities", "enabled": true, "last_full_sync": null, "groups": [
        {"name": "alpine:3.18", "last_sync": null, "record_count": null}]}]);
    let feeds = answering(200, body).await.feeds(soon()).await.unwrap();
    assert_eq!((feeds[0].last_full_sync, feeds[0].groups[0].record_count), (None, None));
}
