//! Logins at a provider made by hand: one that tells groups only to who asks, and one that is asked too often.

use std::sync::{Arc, Mutex};

use axum::http::{HeaderMap, StatusCode as Status};
use axum::routing::{get, post};
use axum::{Json, Router};
use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{KeyPair, PKCS_ED25519};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::login_support::{Browser, location, login_settings, query_of, refusal, send_id_token};
use crate::support::{TestPlane, answer, clock, settings};

/// What the provider says, and what it was asked.
#[derive(Default)]
struct Script {
    id_token: Value,
    user_info: Value,
    nonce: String,
    key_fetches: usize,
    questions: usize,
}

struct Provider {
    issuer: String,
    script: Arc<Mutex<Script>>,
}

fn sign(pair: &KeyPair, key: &str, claims: &Value) -> String {
    let header = Header { kid: Some(key.to_owned()), ..Header::new(Algorithm::EdDSA) };
    let signing = EncodingKey::from_ed_pem(pair.serialize_pem().as_bytes()).unwrap();
    jsonwebtoken::encode(&header, claims, &signing).unwrap()
}

impl Provider {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let script = Arc::new(Mutex::new(Script::default()));
        let pair = Arc::new(KeyPair::generate_for(&PKCS_ED25519).unwrap());
        let key = json!({"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": BASE64URL_NOPAD.encode(pair.public_key_raw())});
        let discovery = json!({
            "issuer": issuer, "authorization_endpoint": format!("{issuer}/auth"),
            "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/keys"),
            "userinfo_endpoint": format!("{issuer}/userinfo"),
        });
        let (keys, tokens, people) = (script.clone(), script.clone(), script.clone());
        let of = issuer.clone();
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(async move || Json(discovery)))
            .route(
                "/keys",
                get(async move || {
                    keys.lock().unwrap().key_fetches += 1;
                    Json(json!({"keys": [key]}))
                }),
            )
            .route(
                "/token",
                post(async move || {
                    let script = tokens.lock().unwrap();
                    let now = clock().as_second();
                    let mut claims = json!({"iss": of, "sub": "42", "aud": "lazaret", "exp": now + 60, "iat": now,
                                            "nonce": script.nonce, "preferred_username": "grace"});
                    let more = script.id_token.as_object().cloned().unwrap_or_default();
                    claims.as_object_mut().unwrap().extend(more);
                    Json(json!({"id_token": sign(&pair, "k", &claims), "access_token": "for-questions"}))
                }),
            )
            .route(
                "/userinfo",
                get(async move |headers: HeaderMap| {
                    let mut script = people.lock().unwrap();
                    script.questions += 1;
                    match &script.user_info {
                        Value::Null => Err(Status::SERVICE_UNAVAILABLE),
                        Value::Object(_) if headers["authorization"] == "Bearer for-questions" => {
                            Ok(Json(script.user_info.clone()))
                        }
                        _ => Err(Status::FORBIDDEN),
                    }
                }),
            );
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { issuer, script }
    }

    fn says(&self, id_token: Value, user_info: Value) {
        let mut script = self.script.lock().unwrap();
        (script.id_token, script.user_info, script.questions) = (id_token, user_info, 0);
    }

    fn questions(&self) -> usize {
        self.script.lock().unwrap().questions
    }
}

async fn plane(folder: &std::path::Path, provider: &Provider) -> TestPlane {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut settings = settings(folder);
    settings.login = Some(login_settings(provider.issuer.clone(), &url));
    TestPlane::start_on(listener, settings).await
}

/// Logs in; the last answer.
async fn log_in(browser: &mut Browser, provider: &Provider, plane: &TestPlane) -> reqwest::Response {
    let begun = location(&browser.get(&format!("{}/auth/oidc/login", plane.url)).await);
    provider.script.lock().unwrap().nonce = query_of(&begun, "nonce");
    let state = query_of(&begun, "state");
    browser.get(&format!("{}/auth/oidc/callback?code=c&state={state}", plane.url)).await
}

#[tokio::test]
async fn groups_that_the_id_token_does_not_name_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let provider = Provider::start().await;
    let plane = plane(folder.path(), &provider).await;
    for (id_token, user_info, questions, expected) in [
        (json!({}), json!({"sub": "42", "groups": ["platform", "x"]}), 1, Ok(["acme"])),
        (json!({}), json!({"sub": "42", "groups": "everybody"}), 1, Ok(["tools"])),
        // What it says itself, counts.
        (json!({"groups": ["platform"]}), json!({"sub": "42", "groups": ["everybody"]}), 0, Ok(["acme"])),
        (json!({}), json!({"sub": "42"}), 1, Err((StatusCode::FORBIDDEN, "groups"))),
        (
            json!({}),
            json!({"sub": "43", "groups": ["platform"]}),
            1,
            Err((StatusCode::BAD_GATEWAY, "somebody else")),
        ),
        (json!({}), json!("not for you"), 1, Err((StatusCode::FORBIDDEN, "groups"))),
        // Nobody loses his place because the provider does not answer this once.
        (json!({}), Value::Null, 1, Err((StatusCode::BAD_GATEWAY, "it says 503"))),
    ] {
        provider.says(id_token, user_info.clone());
        let mut browser = Browser::new();
        let finished = log_in(&mut browser, &provider, &plane).await;
        assert_eq!(provider.questions(), questions, "{user_info}");
        match expected {
            Ok(names) => {
                assert_eq!(finished.status(), StatusCode::SEE_OTHER, "{user_info}");
                let (_, found) =
                    answer(browser.request(Method::GET, &format!("{}/api/v1/orgs", plane.url))).await;
                let found: Vec<&Value> = found.as_array().unwrap().iter().map(|one| &one["name"]).collect();
                assert_eq!(found, names, "{user_info}");
            }
            Err((status, part)) => {
                let (found, text) = refusal(finished).await;
                assert_eq!(found, status, "{user_info}: {text}");
                assert!(text.contains(part), "{text}");
            }
        }
    }
    plane.close().await;
}

#[tokio::test]
async fn made_up_keys_are_asked_for_a_few_times_only() {
    let folder = tempfile::tempdir().unwrap();
    let provider = Provider::start().await;
    let plane = plane(folder.path(), &provider).await;
    let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    for number in 0..20 {
        let token = sign(&pair, &format!("made-up-{number}"), &json!({}));
        let (status, text) = refusal(send_id_token(&plane, &token).await).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{text}");
        assert!(text.contains("names a key that the provider does not have"), "{text}");
    }
    assert_eq!(provider.script.lock().unwrap().key_fetches, 6);
    plane.close().await;
}

#[tokio::test]
async fn a_browser_gets_a_page_and_a_program_a_problem() {
    let folder = tempfile::tempdir().unwrap();
    let provider = Provider::start().await;
    let plane = plane(folder.path(), &provider).await;
    let mut browser = Browser::new();
    let begun = location(&browser.get(&format!("{}/auth/oidc/login", plane.url)).await);
    let script = "%3Cscript%3Ealert(1)%3C/script%3E";
    let state = query_of(&begun, "state");
    let back = format!("{}/auth/oidc/callback?error={script}&state={state}", plane.url);
    let page =
        browser.request(Method::GET, &back).header("accept", "text/html,*/*;q=0.8").send().await.unwrap();
    assert_eq!(page.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    assert!(page.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    let text = page.text().await.unwrap();
    assert!(
        text.contains("refuses the login: &lt;script&gt;alert(1)") && !text.contains("<script"),
        "{text}"
    );
    assert!(text.contains(&format!("<a href=\"{}/auth/oidc/login\">", plane.url)), "{text}");
    let problem = browser.request(Method::GET, &back).send().await.unwrap();
    assert_eq!(problem.headers()["content-type"], "application/problem+json");
    let away = format!("{}/auth/oidc/login?redirect=//evil.example", plane.url);
    let page = browser.request(Method::GET, &away).header("accept", "text/html").send().await.unwrap();
    assert_eq!(
        (page.status(), page.headers()["content-type"].to_str().unwrap()),
        (StatusCode::BAD_REQUEST, "text/html; charset=utf-8")
    );
    plane.close().await;
}
