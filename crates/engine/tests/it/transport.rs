//! Paths, methods, authentication, bodies: the rows are what a live Anchore Engine 1.1.0 answers.

use reqwest::header::{ALLOW, CONTENT_TYPE, WWW_AUTHENTICATE};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{TestEngine, answer, settings};

/// Method, path, whether with credentials, expected status, expected content type.
const ROWS: &[(&str, &str, bool, u16, &str)] = &[
    ("GET", "/", false, 200, "application/json"),
    ("GET", "/v1", false, 200, "application/json"),
    ("GET", "/v1/", false, 200, "application/json"),
    ("HEAD", "/v1", false, 200, "application/json"),
    ("GET", "/health", false, 200, "application/json"),
    ("GET", "/v1/health", false, 200, "application/json"),
    ("GET", "/version", false, 200, "application/json"),
    ("GET", "/swagger.json", false, 200, "application/json"),
    ("GET", "/v1/swagger.json", false, 200, "application/json"),
    ("GET", "/openapi.json", false, 200, "application/json"),
    ("GET", "/v1/status", false, 401, "text/html; charset=utf-8"),
    ("GET", "/images", false, 401, "text/html; charset=utf-8"),
    ("GET", "/v1/nosuchroute", false, 404, "application/problem+json"),
    ("GET", "/v1/nosuchroute", true, 404, "application/problem+json"),
    ("GET", "/v1/enterprise/corrections", false, 404, "application/problem+json"),
    ("POST", "/v1/imageimport", false, 404, "application/problem+json"),
    ("PUT", "/v1/images", false, 405, "application/problem+json"),
    ("PATCH", "/v1/policies", true, 405, "application/problem+json"),
    ("DELETE", "/v1/policies", false, 405, "application/problem+json"),
    ("HEAD", "/v1/images", true, 200, "application/json"),
    ("GET", "/v1/images/", true, 200, "application/json"),
    ("GET", "/v1/images/", false, 401, "text/html; charset=utf-8"),
    ("GET", "/v1//images", true, 200, "application/json"),
    ("GET", "/v1/images?unknown=1&history=True", true, 200, "application/json"),
    ("GET", "/v1/images?history=TRUE", true, 200, "application/json"),
    ("GET", "/v1/images?history=1", true, 400, "application/problem+json"),
    ("GET", "/v1/images?history=", true, 400, "application/problem+json"),
    ("GET", "/v1/images?history=true&history=false", true, 200, "application/json"),
    ("GET", "/v1/images?image_status=bogus", true, 400, "application/problem+json"),
    ("GET", "/v1/images?image_status=deleting", true, 200, "application/json"),
    ("GET", "/v1/images?analysis_status=analysis_queued", true, 400, "application/problem+json"),
    ("GET", "/v1/policies/a%2Fb", true, 404, "application/problem+json"),
    ("GET", "/v1/policies/a%20b", true, 404, "application/json"),
    ("GET", "/v1/images/sha256%3Aab", true, 404, "application/json"),
    ("GET", "/v1/accounts/a%00", true, 404, "application/json"),
    ("GET", "/v1/registries/a%00", true, 404, "application/json"),
    ("GET", "/v1/policies/a%00", true, 404, "application/json"),
    ("GET", "/v1/subscriptions?subscription_key=%00", true, 200, "application/json"),
    ("GET", "/v1/events?event_type=%00", true, 200, "application/json"),
    ("GET", "/v1/user", true, 200, "application/json"),
    ("GET", "/v1/account", true, 200, "application/json"),
];

#[tokio::test]
async fn requests_are_answered_as_by_the_original() {
    let folder = tempfile::tempdir().unwrap();
    let engine = TestEngine::start(settings(folder.path(), None), false).await;
    for (method, path, is_authenticated, status, content_type) in ROWS {
        let method: Method = method.parse().unwrap();
        let request =
            if *is_authenticated { engine.request(method, path) } else { engine.anonymous(method, path) };
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), *status, "{path}");
        assert_eq!(response.headers()[CONTENT_TYPE], *content_type, "{path}");
        assert!(response.headers().contains_key("x-request-id"), "{path}");
    }
    let response = engine.anonymous(Method::GET, "/v1/images").send().await.unwrap();
    assert_eq!(response.headers()[WWW_AUTHENTICATE], "basic realm=\"Authentication required\"");
    assert_eq!(response.text().await.unwrap(), "Unauthorized");
    let response = engine.anonymous(Method::OPTIONS, "/v1/images").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let allowed = response.headers()[ALLOW].to_str().unwrap().to_owned();
    assert!(allowed.contains("GET") && allowed.contains("POST"), "{allowed}");
}

#[tokio::test]
async fn json_is_indented_sorted_and_ends_in_a_line_feed() {
    let folder = tempfile::tempdir().unwrap();
    let engine = TestEngine::start(settings(folder.path(), None), false).await;
    let text = async |path| engine.request(Method::GET, path).send().await.unwrap().text().await.unwrap();
    assert_eq!(text("/health").await, "\"ok\"\n");
    assert_eq!(text("/v1").await, "\"v1\"\n");
    assert_eq!(text("/v1/images").await, "[]\n");
    let version = "{\n  \"api\": {},\n  \"db\": {\n    \"schema_version\": \"0.0.16\"\n  },\n  \"service\": {\n    \"version\": \"1.1.0\"\n  }\n}\n";
    assert_eq!(text("/version").await, version);
}

/// Content type, body, whether with credentials, status, the text that clients see.
const BODIES: &[(&str, &str, bool, u16, &str)] = &[
    ("application/json", "{bad", false, 400, "Request body is not valid JSON"),
    ("application/json", "{}", false, 401, ""),
    ("application/json", "null", true, 400, "Request body is not valid JSON"),
    ("application/json", "[]", true, 400, "[] is not of type 'object'"),
    (
        "application/json",
        "{\"tag\": \"\\u0000\"}",
        true,
        400,
        "Request body has the character U+0000, which no text may have",
    ),
    ("application/json", "\"str\"", true, 400, "'***' is not of type 'object'"),
    ("application/json", "", true, 400, "None is not of type 'object'"),
    ("text/plain", "{}", true, 415, "Invalid Content-type (text/plain), expected JSON data"),
    ("text/plain", "{}", false, 401, ""),
    ("application/json; charset=utf-8", "{}", true, 400, "Could not validate request due to error"),
    ("application/vnd.foo+json", "{}", true, 400, "Could not validate request due to error"),
];

#[tokio::test]
async fn bodies_are_checked_in_the_right_order() {
    let folder = tempfile::tempdir().unwrap();
    let engine = TestEngine::start(settings(folder.path(), None), false).await;
    for (content_type, body, is_authenticated, status, text) in BODIES {
        let request = if *is_authenticated {
            engine.request(Method::POST, "/v1/images")
        } else {
            engine.anonymous(Method::POST, "/v1/images")
        };
        let (found, value) = answer(request.header(CONTENT_TYPE, *content_type).body(*body)).await;
        assert_eq!(found.as_u16(), *status, "{body} as {content_type}: {value}");
        if *status == 415 {
            assert_eq!((&value["title"], &value["detail"]), (&json!(text), &Value::Null));
        } else if *status == 400 {
            let shown = value["message"].as_str().or(value["detail"].as_str());
            assert_eq!(shown, Some(*text), "{body}");
        }
    }
    let (status, value) =
        answer(
            engine
                .request(Method::POST, "/images")
                .header(CONTENT_TYPE, "application/json")
                .body(vec![b' '; 8 * 1024 * 1024 + 1]),
        )
        .await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{value}");
    let ignored =
        engine.request(Method::GET, "/v1/images").header(CONTENT_TYPE, "application/json").body("null");
    assert_eq!(answer(ignored).await, (StatusCode::OK, json!([])), "bodies of GET are ignored");
}

/// There are 256 places for requests: strangers must not hold them by sending nothing.
#[tokio::test]
async fn a_stranger_who_does_not_send_the_body_is_sent_away() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let folder = tempfile::tempdir().unwrap();
    let engine = TestEngine::start(settings(folder.path(), None), false).await;
    let address = engine.url.strip_prefix("http://").unwrap();
    let ask = async || {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let head = "POST /v1/images HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{";
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    };
    let answered = tokio::time::timeout(std::time::Duration::from_secs(20), ask()).await;
    assert_eq!(answered.as_deref(), Ok("HTTP/1.1 401"));
}

#[tokio::test]
async fn only_the_right_password_is_let_in_and_a_changed_one_counts_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let engine = TestEngine::start(settings(folder.path(), None), false).await;
    for (user, password) in [
        ("admin", "wrong"),
        ("ad\0min", "x"),
        ("nobody", crate::support::PASSWORD),
        ("admin", ""),
        ("Admin", "x"),
    ] {
        let request = engine.anonymous(Method::GET, "/v1/user").basic_auth(user, Some(password));
        assert_eq!(answer(request).await.0, StatusCode::UNAUTHORIZED, "{user}");
    }
    for scheme in ["Bearer abc", "Digest username=\"admin\"", "Basic !!", "Basic YWRtaW4="] {
        let request = engine.anonymous(Method::GET, "/v1/user").header("Authorization", scheme);
        assert_eq!(answer(request).await.0, StatusCode::UNAUTHORIZED, "{scheme}");
    }
    assert_eq!(engine.get("/v1/user").await.1["username"], "admin");

    // Another start with another password changes nothing: the user is there.
    let mut changed = settings(folder.path(), None);
    changed.admin_password = Some("another password".to_owned());
    let (second, start) = engine::Engine::open(changed).await.unwrap();
    assert!(!start.is_new && start.generated_password.is_none());
    assert_eq!(engine.get("/v1/user").await.0, StatusCode::OK);
    let request = engine.anonymous(Method::GET, "/v1/user").basic_auth("admin", Some("another password"));
    assert_eq!(answer(request).await.0, StatusCode::UNAUTHORIZED);
    second.shutdown().await;
}
