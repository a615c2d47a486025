//! Programs that log somebody in as the older client does, and virtual users.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::login_support::{Browser, Stage, id_token, location, refusal, send_id_token};
use crate::support::{TestPlane, answer, settings};

fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    serde_json::from_slice(&base64::Engine::decode(&engine, payload).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_older_client_learns_the_provider_and_gets_a_token_for_thirty_days() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::start(folder.path()).await;
    let plane = &stage.plane;
    // It takes scheme and host of where it is sent, and puts /dex behind it.
    let sent = Browser::new().get(&format!("{}/auth/dex/login", plane.url)).await;
    assert!(sent.status().is_redirection());
    let place = reqwest::Url::parse(&location(&sent)).unwrap();
    assert_eq!(format!("{}/dex", place.origin().ascii_serialization()), stage.dex.issuer());
    let (_, ours) = answer(plane.anonymous(Method::GET, "/pipeline/auth/oidc/client")).await;
    assert_eq!(
        (&ours["issuer"], &ours["clientId"], &ours["redirectPort"]),
        (&json!(stage.dex.issuer()), &json!("banzai-cli"), &json!(5555))
    );

    let given = id_token(&stage, "banzai-cli", "banzai-cli-secret", "grace").await;
    let admitted = send_id_token(plane, &given).await;
    assert_eq!((admitted.status(), location(&admitted).as_str()), (StatusCode::SEE_OTHER, "/pipeline/"));
    assert!(admitted.headers().get("set-cookie").is_none(), "a page of others must not log anybody in");
    let token = admitted.headers()["authorization"].to_str().unwrap().to_owned();
    let claims = claims(&token);
    assert_eq!(
        (claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), &claims["type"], &claims["text"]),
        (30 * 86_400, &json!("user"), &json!("grace"))
    );
    let with = |method, path: &str| plane.anonymous(method, path).bearer_auth(&token);
    let (status, me) = answer(with(Method::GET, "/api/v1/me")).await;
    assert_eq!((status, &me["login"]), (StatusCode::OK, &json!("grace")));
    // She ends it as any other of hers.
    let path = format!("/api/v1/tokens/{}", claims["jti"].as_str().unwrap());
    assert_eq!(answer(with(Method::DELETE, &path)).await.0, StatusCode::NO_CONTENT);
    assert_eq!(answer(with(Method::GET, "/api/v1/me")).await.0, StatusCode::UNAUTHORIZED);

    let stranger = id_token(&stage, "banzai-cli", "banzai-cli-secret", "mallory").await;
    let (status, text) = refusal(send_id_token(plane, &stranger).await).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{text}");
    stage.plane.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_that_are_none_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::start(folder.path()).await;
    let field = |name: &str, value: &str| {
        format!("--xyz\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    for (content_type, body, part) in [
        ("application/json", "{}".to_owned(), "send multipart/form-data"),
        ("multipart/form-data", field("id_token", "x"), "send multipart/form-data"),
        ("multipart/form-data; boundary=xyz", String::new(), "cannot be read"),
        (
            "multipart/form-data; boundary=xyz",
            format!("{}--xyz--\r\n", field("refresh_token", "x")),
            "no field",
        ),
        (
            "multipart/form-data; boundary=xyz",
            format!("{}--xyz--\r\n", field("other", "x")),
            "cannot be read",
        ),
        (
            "multipart/form-data; boundary=xyz",
            format!("{}--xyz--\r\n", field("id_token", &"a".repeat(70_000))),
            "cannot be read",
        ),
    ] {
        let request = stage.plane.anonymous(Method::POST, "/auth/dex/callback");
        let (status, refused) = answer(request.header("content-type", content_type).body(body)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{content_type}: {refused:#}");
        assert!(refused["detail"].as_str().unwrap().contains(part), "{content_type}: {refused:#}");
    }
    stage.plane.close().await;
}

#[tokio::test]
async fn a_virtual_user_acts_in_its_organization_only() {
    let folder = tempfile::tempdir().unwrap();
    let plane = TestPlane::start(settings(folder.path())).await;
    let other = plane.add_organization(folder.path(), "other").await;
    let body = json!({"name": "pipeline of acme", "virtualUser": "acme/ci"});
    let (status, made) = plane.send(Method::POST, "/api/v1/tokens", &body).await;
    assert_eq!((status, &made["virtualUser"]), (StatusCode::OK, &json!("acme/ci")), "{made:#}");
    let token = made["token"].as_str().unwrap().to_owned();
    let claims = claims(&token);
    assert_eq!(
        (&claims["type"], &claims["sub"], &claims["text"]),
        (&json!("hook"), &json!("acme/ci"), &json!("acme/ci"))
    );

    let with = |method, path: &str| plane.anonymous(method, path).bearer_auth(&token);
    let (_, organizations) = answer(with(Method::GET, "/api/v1/orgs")).await;
    assert_eq!((&organizations[0]["name"], &organizations[1]), (&json!("acme"), &Value::Null));
    let secret = json!({"name": "s", "type": "generic", "values": {"a": "b"}});
    for (organization, expected) in [(1, StatusCode::CREATED), (other, StatusCode::FORBIDDEN)] {
        let path = format!("/api/v1/orgs/{organization}/secrets");
        assert_eq!(answer(with(Method::POST, &path).json(&secret)).await.0, expected);
    }
    let (_, kept) = plane.get("/api/v1/orgs/1/secrets").await;
    assert_eq!(kept[0]["updatedBy"], json!("acme/ci"));
    // It makes no tokens and sees none, not even its own.
    for (method, path) in [(Method::GET, "/api/v1/tokens"), (Method::POST, "/api/v1/tokens")] {
        let (status, _) = answer(with(method, path).json(&json!({"name": "more"}))).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}");
    }

    // It may do what its maker may do, now.
    plane.set_role(folder.path(), "member").await;
    assert_eq!(answer(with(Method::GET, "/api/v1/orgs/1/clusters")).await.0, StatusCode::OK);
    assert_eq!(answer(with(Method::GET, "/api/v1/orgs/1/secrets")).await.0, StatusCode::FORBIDDEN);
    for (name, expected, part) in [
        ("acme/more", StatusCode::FORBIDDEN, "only an administrator of organization `acme`"),
        ("nowhere/ci", StatusCode::BAD_REQUEST, "does not exist, or you are not in it"),
        ("acme", StatusCode::BAD_REQUEST, "must be ORGANIZATION/NAME"),
        ("acme/", StatusCode::BAD_REQUEST, "must be ORGANIZATION/NAME"),
        ("other/a b", StatusCode::BAD_REQUEST, "must be ORGANIZATION/NAME"),
    ] {
        let (status, refused) =
            plane.send(Method::POST, "/api/v1/tokens", &json!({"virtualUser": name})).await;
        assert_eq!(status, expected, "{name}");
        assert!(refused["detail"].as_str().unwrap().contains(part), "{refused:#}");
    }
    let path = format!("/api/v1/tokens/{}", made["id"].as_str().unwrap());
    assert_eq!(answer(plane.request(Method::DELETE, &path)).await.0, StatusCode::NO_CONTENT);
    assert_eq!(answer(with(Method::GET, "/api/v1/orgs")).await.0, StatusCode::UNAUTHORIZED);
    plane.close().await;
}
