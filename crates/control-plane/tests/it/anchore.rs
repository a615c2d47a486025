//! `…/anchore/…`: the engine of a cluster, as its technical user.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::cluster_support::{add_cluster, token_kubeconfig};
use crate::engine_support::{RecordingEngine, active_cluster, set_service, settings_with};
use crate::support::{TestPlane, answer};

#[tokio::test]
async fn the_engine_sees_the_technical_user_and_nothing_of_the_caller() {
    let folder = tempfile::tempdir().unwrap();
    let engine = RecordingEngine::default();
    let plane = TestPlane::start(settings_with(folder.path(), &engine)).await;
    let path = active_cluster(&plane, folder.path(), 1).await;
    let request = plane
        .request(
            Method::PUT,
            &format!("/pipeline{path}/anchore/v1/things/sha256:a%2Fb?detail=true&field=id&x=a%26b"),
        )
        .header("cookie", "_banzai_session=secret")
        .header("x-anchore-account", "admin")
        .header("x-forwarded-for", "10.0.0.1")
        .header("proxy-authorization", "Basic x")
        .header("accept", "application/json")
        .header("content-type", "application/json; charset=utf-8")
        .body(r#"{"a": 1}"#);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.headers()["content-security-policy"], "sandbox; default-src 'none'");
    assert!(!response.headers().contains_key("set-cookie"), "{:?}", response.headers());
    let asked = engine.take();
    assert_eq!(asked.len(), 1);
    let [asked] = asked.try_into().unwrap();
    assert_eq!(
        (&asked["method"], &asked["path"], &asked["query"], &asked["body"]),
        (
            &json!("PUT"),
            &json!("/v1/things/sha256:a%2Fb"),
            &json!("detail=true&field=id&x=a%26b"),
            &json!(r#"{"a": 1}"#)
        )
    );
    let mut headers = asked["headers"].as_object().unwrap().clone();
    let credentials = headers.remove("authorization").unwrap();
    let credentials = credentials.as_str().unwrap().strip_prefix("Basic ").unwrap().to_owned();
    let credentials = data_encoding::BASE64.decode(credentials.as_bytes()).unwrap();
    let credentials = String::from_utf8(credentials).unwrap();
    assert!(credentials.ends_with("-anchore-user:technical-password"), "{credentials}");
    let expected = json!({"accept": "application/json", "content-type": "application/json; charset=utf-8"});
    assert_eq!(Value::Object(headers), expected);
    plane.close().await;
}

#[tokio::test]
async fn what_the_engine_says_comes_through_where_it_may() {
    let folder = tempfile::tempdir().unwrap();
    let engine = RecordingEngine::default();
    let plane = TestPlane::start(settings_with(folder.path(), &engine)).await;
    let path = active_cluster(&plane, folder.path(), 1).await;
    for (below, status, part) in [
        ("", 200, "{}"),
        ("teapot", 418, "short and stout"),
        ("denied", 502, "refuses the technical user"),
        ("moved", 502, "which engines never do"),
        ("long", 502, "more than"),
    ] {
        let (found, body) = plane.get(&format!("{path}/anchore/{below}")).await;
        assert_eq!(found.as_u16(), status, "{below}: {body:#}");
        assert!(body.to_string().contains(part), "{below}: {body:#}");
    }
    let head = plane.request(Method::HEAD, &format!("{path}/anchore/teapot")).send().await.unwrap();
    assert_eq!(head.status().as_u16(), 418);
    let options = plane.request(Method::OPTIONS, &format!("{path}/anchore/teapot")).send().await.unwrap();
    assert_eq!(options.status(), StatusCode::METHOD_NOT_ALLOWED);
    engine.take();

    // What leaves the engine's base, or is not for people, is asked nowhere.
    for (below, status) in [
        ("policies/%2e%2e/%2e%2e/x", 400),
        ("policies/..%2f..%2fx", 400),
        ("policies/%252e%252e/x", 400),
        ("policies/..%5cx", 400),
        ("policies/%00", 400),
        ("policies/%zz", 400),
        ("accounts", 403),
        ("v1/accounts/admin/users", 403),
        ("%61ccounts", 403),
        ("user/credentials", 403),
        ("oauth/token", 403),
    ] {
        // Sent by hand: clients of good manners tidy addresses up.
        let (found, body) = raw_get(&plane, &format!("{path}/anchore/{below}")).await;
        assert_eq!(found, status, "{below}: {body}");
        assert!(body.contains("\"detail\""), "{below}: {body}");
    }
    assert_eq!(engine.take(), Vec::<Value>::new());
    plane.close().await;
}

/// A request whose path is sent as it is written.
async fn raw_get(plane: &TestPlane, path: &str) -> (u16, String) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let address = plane.url.trim_start_matches("http://");
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\nconnection: close\r\n\r\n",
        plane.token
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let status = text.split(' ').nth(1).unwrap().parse().unwrap();
    (status, text)
}

#[tokio::test]
async fn without_an_engine_there_is_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let engine = RecordingEngine::default();
    let plane = TestPlane::start(settings_with(folder.path(), &engine)).await;
    let kubeconfig = token_kubeconfig("https://127.0.0.1:1").to_string();
    let path = add_cluster(&plane, 1, "demo", &kubeconfig).await;
    let id: i64 = path.rsplit_once('/').unwrap().1.parse().unwrap();
    let ask = async || {
        let (status, body) = plane.get(&format!("{path}/anchore/policies")).await;
        (status.as_u16(), body["detail"].as_str().unwrap_or_default().to_owned())
    };
    let (status, text) = ask().await;
    assert!(status == 409 && text.contains("is not active in cluster `demo`"), "{status} {text}");
    set_service(folder.path(), 1, id, "ERROR", None).await;
    let (status, text) = ask().await;
    assert!(status == 409 && text.contains("is ERROR and has no engine now"), "{status} {text}");
    set_service(folder.path(), 1, id, "ACTIVE", Some(&json!({"own": {"account": "nobody-anchore-user"}})))
        .await;
    let (status, text) = ask().await;
    assert!(status == 409 && text.contains("the secret `nobody-anchore-user` is missing"), "{status} {text}");

    // A foreign engine: gone, reached, and at an address that is never connected to.
    let secret = json!({"name": "foreign", "type": "password", "values": {"username": "u", "password": "p"}});
    let (_, secret) = plane.send(Method::POST, "/api/v1/orgs/1/secrets", &secret).await;
    let custom = |url: &str| json!({"custom": {"url": url, "secret_id": secret["id"], "is_insecure": false, "ca_certificate": ""}});
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/base", listener.local_addr().unwrap());
    let foreign = RecordingEngine::default();
    let router = foreign.router();
    let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    set_service(folder.path(), 1, id, "ACTIVE", Some(&custom(&url))).await;
    let (status, policies) = plane.get(&format!("{path}/anchore/policies?detail=true")).await;
    assert_eq!((status, &policies[0]["policyId"]), (StatusCode::OK, &json!("p1")));
    let asked = foreign.take();
    assert_eq!(
        (&asked[0]["path"], &asked[0]["headers"]["authorization"]),
        (&json!("/base/v1/policies"), &json!("Basic dTpw"))
    );
    assert_eq!(engine.take(), Vec::<Value>::new(), "the engine of the installation is not asked");
    serving.abort();
    set_service(folder.path(), 1, id, "ACTIVE", Some(&custom("http://127.0.0.1:1"))).await;
    let (status, text) = ask().await;
    assert!(status == 502 && text.contains("cannot be reached"), "{status} {text}");
    set_service(folder.path(), 1, id, "ACTIVE", Some(&custom("http://169.254.169.254"))).await;
    let (status, text) = ask().await;
    assert!(status == 409 && text.contains("never connected to"), "{status} {text}");
    plane.close().await;
}

#[tokio::test]
async fn members_have_no_way_to_the_engine_and_strangers_no_cluster() {
    let folder = tempfile::tempdir().unwrap();
    let engine = RecordingEngine::default();
    let plane = TestPlane::start(settings_with(folder.path(), &engine)).await;
    let path = active_cluster(&plane, folder.path(), 1).await;
    let other = plane.add_organization(folder.path(), "other").await;
    let foreign = path.replace("/orgs/1/", &format!("/orgs/{other}/"));
    assert_eq!(plane.get(&format!("{foreign}/anchore/policies")).await.0, StatusCode::NOT_FOUND);
    let anonymous = plane.anonymous(Method::GET, &format!("{path}/anchore/policies"));
    assert_eq!(answer(anonymous).await.0, StatusCode::UNAUTHORIZED);
    plane.set_role(folder.path(), "member").await;
    for method in [Method::GET, Method::HEAD, Method::POST, Method::DELETE] {
        let (status, _) = answer(plane.request(method.clone(), &format!("{path}/anchore/policies"))).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{method}");
    }
    assert_eq!(engine.take(), Vec::<Value>::new());
    // Policies and results have addresses of their own.
    assert_eq!(plane.get(&format!("{path}/policies")).await.0, StatusCode::OK);
    plane.close().await;
}
