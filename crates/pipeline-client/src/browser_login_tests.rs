//! Where people log in: as a server of ours says it, as it is learned from an older one, and where nobody says it.

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse as _;
use axum::routing::{get, post};

use super::*;
use crate::settings::{ConnectionSettings, Trust};

async fn serve(routes: Router) -> Client {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/pipeline", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    Client::new(ConnectionSettings::new(endpoint, Trust::System, None)).unwrap()
}

fn redirect(place: &'static str) -> Router {
    Router::new().route(
        "/auth/dex/login",
        get(move || async move { (StatusCode::FOUND, [(header::LOCATION, place)]) }),
    )
}

#[tokio::test]
async fn the_provider_is_told_or_learned() {
    let ours = r#"{"issuer":"https://id.example.org","clientId":"x","scopes":["openid"],"redirectPort":0}"#;
    let json = [(header::CONTENT_TYPE, "application/json")];
    let page = || Router::new().fallback(|| async { axum::response::Html("<p>Hello") });
    for (routes, expected) in [
        (
            Router::new().route("/pipeline/auth/oidc/client", get(move || async move { (json, ours) })),
            Some(("https://id.example.org", "x", 0)),
        ),
        (
            redirect("https://dex.example.org:5556/dex/auth?client_id=y"),
            Some(("https://dex.example.org:5556/dex", "banzai-cli", 5555)),
        ),
        // Its user interface answers everything else.
        (
            redirect("https://dex.example.org/auth").merge(page()),
            Some(("https://dex.example.org/dex", "banzai-cli", 5555)),
        ),
        (Router::new(), None),
        (page(), None),
    ] {
        let found = serve(routes).await.find_login_provider().await.unwrap();
        let found = found
            .as_ref()
            .map(|provider| (provider.issuer.as_str(), provider.client_id.as_str(), provider.callback_port));
        assert_eq!(found, expected);
    }
    let broken = serve(redirect("mailto:x@example.org")).await.find_login_provider().await;
    assert!(matches!(broken, Err(CallError::Unexpected { .. })), "{broken:?}");
}

#[tokio::test]
async fn what_the_provider_gave_becomes_a_token() {
    let tokens = ProviderTokens { id_token: "id.to.ken".to_owned(), refresh_token: "re".to_owned() };
    assert_eq!(format!("{tokens:?}"), "ProviderTokens(…)");
    let take = |headers: HeaderMap, body: String| async move {
        let content_type = headers[header::CONTENT_TYPE].to_str().unwrap();
        let boundary = content_type.strip_prefix("multipart/form-data; boundary=").unwrap();
        let part = |name: &str, value: &str| {
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let expected =
            format!("{}{}--{boundary}--\r\n", part("id_token", "id.to.ken"), part("refresh_token", "re"));
        assert_eq!(body, expected);
        (StatusCode::SEE_OTHER, [(header::AUTHORIZATION, "a.jwt.x"), (header::LOCATION, "/ui")])
            .into_response()
    };
    let client = serve(Router::new().route("/auth/dex/callback", post(take))).await;
    assert_eq!(client.exchange_tokens(&tokens).await.unwrap(), Token::parse("a.jwt.x").unwrap());
    for (routes, is_refusal) in [
        (Router::new(), true),
        (Router::new().route("/auth/dex/callback", post(|| async { "no token" })), false),
    ] {
        let error = serve(routes).await.exchange_tokens(&tokens).await.unwrap_err();
        assert_eq!(error.status().is_some(), is_refusal, "{error}");
    }
}

#[tokio::test]
async fn nothing_is_sent_to_a_provider_that_is_not_encrypted() {
    let provider = |issuer: &str| LoginProvider {
        issuer: issuer.to_owned(),
        client_id: "x".to_owned(),
        scopes: Vec::new(),
        callback_port: 0,
    };
    let server: Endpoint = "https://pipeline.example.org/pipeline".parse().unwrap();
    for issuer in ["http://dex.example.org/dex", "file:///etc/passwd", ""] {
        let begun = BrowserLogin::begin(provider(issuer), &server, 5555, None).await;
        assert!(matches!(begun, Err(BrowserLoginError::Unencrypted(_))), "{issuer}");
    }
    // On this machine nobody reads along; there is none at this port.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let begun = BrowserLogin::begin(provider("http://127.0.0.1:1/dex"), &server, 5555, None).await;
    assert!(matches!(begun, Err(BrowserLoginError::Unreachable { .. })), "{begun:?}");
}
