//! Answers of the provider that are none: made up, changed, old, meant for others, or not there at all.

use control_plane::ControlPlaneSettings;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::LOCATION;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::login_support::{
    Browser, Stage, clients, id_token, location, query_of, refusal, send_id_token, with_query,
};
use crate::support::{TestPlane, answer, clock, settings};

const BASE64: base64::engine::GeneralPurpose = base64::engine::general_purpose::URL_SAFE_NO_PAD;

#[tokio::test(flavor = "multi_thread")]
async fn only_the_login_that_was_begun_ends() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::start(folder.path()).await;
    let plane = &stage.plane;
    let begin = format!("{}/auth/oidc/login", plane.url);
    let mut browser = Browser::new();
    let begun = location(&browser.get(&begun_at(&begin)).await);
    for (name, value) in [
        ("response_type", "code"),
        ("code_challenge_method", "S256"),
        ("scope", "openid profile email groups"),
    ] {
        assert_eq!(query_of(&begun, name), value);
    }

    // What the browser carries, what it comes back with, and what is said about it.
    let cookies = browser.cookies.clone();
    let back = browser.authenticate(&begun, "grace").await;
    let mut stranger = Browser::new();
    stranger.get(&begin).await;
    for (cookies, address, expected, part) in [
        (cookies.clone(), with_query(&back, "state", "other"), StatusCode::BAD_REQUEST, "was not begun"),
        (cookies.clone(), with_query(&back, "code", ""), StatusCode::BAD_REQUEST, "has no code"),
        (Vec::new(), back.clone(), StatusCode::BAD_REQUEST, "was not begun"),
        // Somebody who makes another one follow his link would have him work in his name.
        (stranger.cookies.clone(), back.clone(), StatusCode::BAD_REQUEST, "was not begun"),
        (
            vec![("_banzai_login".to_owned(), "made up".to_owned())],
            back.clone(),
            StatusCode::BAD_REQUEST,
            "was not begun",
        ),
        (
            cookies.clone(),
            with_query(&back, "code", "guessed"),
            StatusCode::UNAUTHORIZED,
            "refuses the login",
        ),
        (
            cookies.clone(),
            format!("{}&iss=https://evil.example.com", back),
            StatusCode::BAD_REQUEST,
            "another issuer",
        ),
        (
            cookies.clone(),
            format!("{}&error=access_denied&error_description=not%20today", with_query(&back, "code", "")),
            StatusCode::UNAUTHORIZED,
            "access_denied not today",
        ),
    ] {
        browser.cookies = cookies;
        let (status, text) = refusal(browser.get(&address).await).await;
        assert_eq!(status, expected, "{address}: {text}");
        assert!(text.contains(part) && browser.cookie("_banzai_session").is_none(), "{address}: {text}");
    }

    // The code counts once, whoever has seen what the browser carried.
    browser.cookies.clone_from(&cookies);
    assert_eq!(browser.get(&back).await.status(), StatusCode::SEE_OTHER);
    let mut thief = Browser::new();
    thief.cookies = cookies;
    let (status, text) = refusal(thief.get(&back).await).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "{text}");
    assert!(text.contains("refuses the login: invalid_"), "{text}");

    // A code that was got with another challenge, and an id token that belongs to another login.
    for (name, part) in [("code_challenge", "refuses the login"), ("nonce", "belongs to another login")] {
        let mut browser = Browser::new();
        let begun = location(&browser.get(&begin).await);
        let back = browser.authenticate(&with_query(&begun, name, &"x".repeat(43)), "grace").await;
        let (status, text) = refusal(browser.get(&back).await).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{name}: {text}");
        assert!(text.contains(part) && browser.cookie("_banzai_session").is_none(), "{name}: {text}");
    }
    stage.plane.close().await;
}

fn begun_at(begin: &str) -> String {
    format!("{begin}?redirect=/a?b=c")
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_sent_elsewhere_after_the_login() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::start(folder.path()).await;
    for redirect in [
        "//evil.example.com",
        "https://evil.example.com",
        "/%5Cevil.example.com",
        "/%09/evil.example.com",
        "javascript:alert(1)",
        "",
    ] {
        for login in ["oidc", "dex"] {
            let path = format!("/auth/{login}/login?redirect={redirect}");
            let (status, text) =
                refusal(stage.plane.anonymous(Method::GET, &path).send().await.unwrap()).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{redirect}");
            assert!(text.contains("must be a path of this server"), "{text}");
        }
    }
    let mut browser = Browser::new();
    let begun = location(&browser.get(&begun_at(&format!("{}/auth/oidc/login", stage.plane.url))).await);
    let back = browser.authenticate(&begun, "grace").await;
    assert_eq!(location(&browser.get(&back).await), "/a?b=c");
    stage.plane.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn id_tokens_that_are_forged_or_for_others_do_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::start(folder.path()).await;
    let other_folder = tempfile::tempdir().unwrap();
    let other = Stage::start(other_folder.path()).await;
    let good = id_token(&stage, "banzai-cli", "banzai-cli-secret", "grace").await;
    let parts: Vec<&str> = good.split('.').collect();
    let [header, payload, signature] = parts[..] else { unreachable!("{good}") };
    let changed = |text: &str, change: &dyn Fn(&mut Value)| {
        let bytes = base64::Engine::decode(&BASE64, text).unwrap();
        let mut value: Value = serde_json::from_slice(&bytes).unwrap();
        change(&mut value);
        base64::Engine::encode(&BASE64, value.to_string())
    };
    let with_header =
        |change: &dyn Fn(&mut Value)| format!("{}.{payload}.{signature}", changed(header, change));
    let admin = changed(payload, &|claims| claims["groups"] = serde_json::json!(["platform", "everything"]));
    let unsigned = changed(header, &|header| header["alg"] = "none".into());
    for (what, token, part) in [
        ("changed", format!("{header}.{admin}.{signature}"), "its signature is wrong"),
        ("unsigned", format!("{unsigned}.{payload}."), "cannot be read"),
        (
            "unsigned, with a signature",
            with_header(&|header| header["alg"] = "none".into()),
            "cannot be read",
        ),
        (
            "the public key as a secret",
            with_header(&|header| header["alg"] = "HS256".into()),
            "cannot be read",
        ),
        (
            "a key of another kind",
            with_header(&|header| header["alg"] = "ES256".into()),
            "a key that the provider",
        ),
        ("unknown key", with_header(&|header| header["kid"] = "unknown".into()), "a key that the provider"),
        (
            "another provider",
            id_token(&other, "banzai-cli", "banzai-cli-secret", "grace").await,
            "a key that",
        ),
        ("another client", id_token(&stage, "somebody-else", "other", "grace").await, "for another client"),
        (
            "the client of browsers",
            id_token(&stage, "lazaret", crate::login_support::SECRET, "grace").await,
            "for another client",
        ),
        ("a token of ours", stage.plane.token.clone(), "cannot be read"),
        ("nothing", String::new(), "cannot be read"),
        ("far too long", "a".repeat(65_000), "cannot be read"),
    ] {
        let response = send_id_token(&stage.plane, &token).await;
        assert!(response.headers().get("authorization").is_none(), "{what}");
        let (status, text) = refusal(response).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{what}: {text}");
        assert!(text.contains(part), "{what}: {text}");
    }
    assert_eq!(send_id_token(&stage.plane, &good).await.status(), StatusCode::SEE_OTHER);
    stage.plane.close().await;
    other.plane.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn id_tokens_of_other_times_do_not_count() {
    fn after(seconds: i64) -> Timestamp {
        clock() + SignedDuration::from_secs(seconds)
    }
    type Clock = fn() -> Timestamp;
    let clocks: [(Clock, &str, &str); 3] = [
        (|| after(2 * 3600), "it has ended", "it has ended"),
        (|| after(-3600), "of the future", "of the future"),
        (|| after(660), "", "more than ten minutes ago"),
    ];
    for (clock, by_browser, by_program) in clocks {
        let folder = tempfile::tempdir().unwrap();
        let change = |settings: &mut ControlPlaneSettings| settings.clock = clock;
        let stage = Stage::start_with(folder.path(), change).await;
        let finished = Browser::new().log_in(&stage.plane, "grace").await;
        if by_browser.is_empty() {
            assert_eq!(finished.status(), StatusCode::SEE_OTHER);
        } else {
            let (status, text) = refusal(finished).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED);
            assert!(text.contains(by_browser), "{text}");
        }
        let token = id_token(&stage, "banzai-cli", "banzai-cli-secret", "grace").await;
        let (status, text) = refusal(send_id_token(&stage.plane, &token).await).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert!(text.contains(by_program), "{text}");
        stage.plane.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_away_or_has_new_keys_or_is_another_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::start(folder.path()).await;
    let url = stage.plane.url.clone();
    stage.dex.stop();
    let (status, text) =
        refusal(stage.plane.anonymous(Method::GET, "/auth/oidc/login").send().await.unwrap()).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(text.contains("is not reached: try again later"), "{text}");
    stage.dex.start(&clients(&url)).unwrap();
    assert_eq!(Browser::new().log_in(&stage.plane, "grace").await.status(), StatusCode::SEE_OTHER);

    // It went away while somebody was there, and came back with keys that nobody had seen.
    let mut browser = Browser::new();
    let begun = location(&browser.get(&format!("{url}/auth/oidc/login")).await);
    let back = browser.authenticate(&begun, "grace").await;
    stage.dex.stop();
    let (status, _) = refusal(browser.get(&back).await).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    stage.dex.start(&clients(&url)).unwrap();
    assert_eq!(Browser::new().log_in(&stage.plane, "grace").await.status(), StatusCode::SEE_OTHER);
    stage.plane.close().await;

    // A provider that calls itself something else, and a client that it does not know.
    let folder = tempfile::tempdir().unwrap();
    let other = Stage::start_with(folder.path(), |settings| {
        settings.login.as_mut().unwrap().issuer.push('/');
    })
    .await;
    let (status, text) =
        refusal(other.plane.anonymous(Method::GET, "/auth/oidc/login").send().await.unwrap()).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert!(text.contains("it says that it is"), "{text}");
    other.plane.close().await;

    let folder = tempfile::tempdir().unwrap();
    let wrong_secret = |settings: &mut ControlPlaneSettings| {
        settings.login.as_mut().unwrap().client_secret = Some(control_plane::SecretValue::new("wrong"));
    };
    let wrong = Stage::start_with(folder.path(), wrong_secret).await;
    let (status, text) = refusal(Browser::new().log_in(&wrong.plane, "grace").await).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(text.contains("refuses the login: invalid_client"), "{text}");
    wrong.plane.close().await;
}

#[tokio::test]
async fn without_a_provider_nobody_logs_in_and_no_cookie_counts() {
    let folder = tempfile::tempdir().unwrap();
    let plane = TestPlane::start(settings(folder.path())).await;
    for path in ["/auth/oidc/login", "/auth/dex/login", "/auth/oidc/client", "/auth/oidc/callback"] {
        let response = plane.anonymous(Method::GET, path).send().await.unwrap();
        assert!(response.headers().get(LOCATION).is_none());
        let (status, text) = refusal(response).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        assert!(text.contains("`login.issuer`"), "{text}");
    }
    assert_eq!(send_id_token(&plane, "x").await.status(), StatusCode::NOT_FOUND);
    let cookie = plane.anonymous(Method::GET, "/api/v1/me").header("cookie", "_banzai_session=x");
    assert_eq!(answer(cookie).await.0, StatusCode::UNAUTHORIZED);
    plane.close().await;
}
