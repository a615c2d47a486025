//! Who is let in, with what, and where.

use std::os::unix::fs::PermissionsExt as _;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{TestPlane, answer, settings};

#[tokio::test]
async fn the_first_start_makes_a_user_an_organization_and_a_token_that_stays() {
    let folder = tempfile::tempdir().unwrap();
    let plane = TestPlane::start(settings(folder.path())).await;
    let file = plane.first_start.token_file.clone().unwrap();
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "only its owner reads it");
    for base in ["/api/v1", "/pipeline/api/v1"] {
        let (status, me) = plane.get(&format!("{base}/me")).await;
        assert_eq!((status, &me["login"], &me["id"]), (StatusCode::OK, &json!("ada"), &json!(1)), "{me:#}");
        let (status, organizations) = plane.get(&format!("{base}/orgs")).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(
            (&organizations[0]["name"], &organizations[0]["normalizedName"], &organizations[1]),
            (&json!("acme"), &json!("acme"), &Value::Null),
            "{organizations:#}"
        );
    }
    let (status, one) = plane.get("/api/v1/orgs/1").await;
    assert_eq!((status, &one["id"]), (StatusCode::OK, &json!(1)));
    let token = plane.token.clone();
    plane.close().await;

    // The key is kept, the file is not written again.
    std::fs::remove_file(&file).unwrap();
    let mut plane = TestPlane::start(settings(folder.path())).await;
    assert_eq!((plane.first_start.token_file.clone(), file.exists()), (None, false));
    plane.token = token;
    assert_eq!(plane.get("/api/v1/me").await.0, StatusCode::OK);
    plane.close().await;
}

#[tokio::test]
async fn tokens_are_made_listed_and_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let mut plane = TestPlane::start(settings(folder.path())).await;
    let (status, made) = plane.send(Method::POST, "/api/v1/tokens", &json!({"name": "cli-host-ada"})).await;
    assert_eq!(status, StatusCode::OK, "{made:#}");
    let (id, token) = (made["id"].as_str().unwrap().to_owned(), made["token"].as_str().unwrap().to_owned());
    let claims = token.split('.').nth(1).unwrap();
    assert!(!claims.is_empty() && token.split('.').count() == 3, "a JWT: {token}");

    let (_, tokens) = plane.get("/api/v1/tokens").await;
    let names: Vec<_> = tokens.as_array().unwrap().iter().map(|token| token["name"].clone()).collect();
    assert_eq!(names, [json!("first user"), json!("cli-host-ada")]);
    assert!(!tokens.to_string().contains("\"token\":"), "the text is shown once: {tokens}");

    let first = std::mem::replace(&mut plane.token, token);
    assert_eq!(plane.get("/api/v1/me").await.0, StatusCode::OK);
    let path = format!("/api/v1/tokens/{id}");
    let (status, _) = answer(plane.request(Method::DELETE, &path)).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (status, refused) = plane.get("/api/v1/me").await;
    assert_eq!((status, &refused["message"]), (StatusCode::UNAUTHORIZED, &json!("Invalid token")));
    plane.token = first;
    let (status, gone) = answer(plane.request(Method::DELETE, &path)).await;
    assert_eq!((status, &gone["code"]), (StatusCode::NOT_FOUND, &json!(404)), "{gone:#}");

    for (body, part) in [
        (json!({"name": "x", "expiresAt": "2020-01-01T00:00:00Z"}), "ended already"),
        (json!({"name": "x".repeat(300)}), "characters"),
    ] {
        let (status, refused) = plane.send(Method::POST, "/api/v1/tokens", &body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(refused["message"].as_str().unwrap().contains(part), "{refused:#}");
    }
    plane.close().await;
}

#[tokio::test]
async fn who_has_no_token_of_this_installation_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let plane = TestPlane::start(settings(folder.path())).await;
    let other_folder = tempfile::tempdir().unwrap();
    let other = TestPlane::start(settings(other_folder.path())).await;
    let (head, rest) = plane.token.split_once('.').unwrap();
    // {"alg":"none"}
    let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", rest.split('.').next().unwrap());
    for (token, message) in [
        (None, "Failed to extract token from request"),
        (Some("abc"), "Failed to parse token"),
        (Some(other.token.as_str()), "Failed to parse token"),
        (Some(unsigned.as_str()), "Failed to parse token"),
        (Some(head), "Failed to parse token"),
    ] {
        let mut request = plane.anonymous(Method::GET, "/api/v1/me");
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let (status, refused) = answer(request).await;
        assert_eq!((status, &refused["message"]), (StatusCode::UNAUTHORIZED, &json!(message)), "{token:?}");
    }
    // In an address a token ends up in logs.
    let in_query = format!("/api/v1/me?access_token={}", plane.token);
    assert_eq!(answer(plane.anonymous(Method::GET, &in_query)).await.0, StatusCode::UNAUTHORIZED);
    plane.close().await;
    other.close().await;
}

#[tokio::test]
async fn an_organization_of_others_is_closed_and_a_cluster_that_is_not_there_is_not_found() {
    let folder = tempfile::tempdir().unwrap();
    let plane = TestPlane::start(settings(folder.path())).await;
    for path in ["/api/v1/orgs/2", "/api/v1/orgs/2/clusters", "/api/v1/orgs/2/clusters/1"] {
        let (status, body) = plane.get(path).await;
        assert_eq!((status, body), (StatusCode::FORBIDDEN, Value::Null), "{path}");
    }
    assert_eq!(plane.get("/api/v1/orgs/acme").await.0, StatusCode::BAD_REQUEST);
    assert_eq!(plane.get("/api/v1/orgs/1/clusters").await, (StatusCode::OK, json!([])));
    for path in
        ["/api/v1/orgs/1/clusters/7", "/api/v1/orgs/1/clusters/x", "/api/v1/orgs/1/clusters/7?field=name"]
    {
        let (status, body) = plane.get(path).await;
        assert_eq!((status, &body["code"]), (StatusCode::NOT_FOUND, &json!(404)), "{path}");
    }
    plane.close().await;
}

#[tokio::test]
async fn everybody_learns_what_this_is() {
    let folder = tempfile::tempdir().unwrap();
    let plane = TestPlane::start(settings(folder.path())).await;
    for base in ["", "/pipeline"] {
        let (status, version) = answer(plane.anonymous(Method::GET, &format!("{base}/version"))).await;
        assert_eq!((status, &version["version"]), (StatusCode::OK, &json!("1.2.3")));
        assert_eq!(answer(plane.anonymous(Method::GET, &format!("{base}/readyz"))).await.0, StatusCode::OK);
    }
    let (status, text) = answer(plane.anonymous(Method::GET, "/")).await;
    assert_eq!(status, StatusCode::OK);
    assert!(text.as_str().unwrap().contains("http://127.0.0.1:8228/v1"), "{text}");
    let (status, unknown) = answer(plane.anonymous(Method::GET, "/api/v2")).await;
    assert_eq!((status, &unknown["code"]), (StatusCode::NOT_FOUND, &json!(404)));

    // A scalar at the top breaks clients; the two readers look for different spellings of one key.
    let (status, capabilities) = plane.get("/api/v1/capabilities").await;
    assert_eq!(status, StatusCode::OK);
    assert!(capabilities.as_object().unwrap().values().all(Value::is_object), "{capabilities:#}");
    let scan = &capabilities["features"]["securityScan"];
    assert_eq!((&scan["enabled"], &scan["managed"]), (&json!(true), &json!(true)));
    plane.close().await;
}
