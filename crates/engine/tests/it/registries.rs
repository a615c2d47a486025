//! `/registries`, with real registries that ask for a password, and a stand-in for the service of Amazon.

use std::path::Path;
use std::sync::{Arc, Mutex};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::{Registry, RegistryMode};

use crate::support::{FIXED, TestEngine, answer, debian_image, open_storage, settings};

const SECRET: &str = "hunter2-of-the-registry";

fn guarded(user: &str) -> Registry {
    Registry::start(RegistryMode::Htpasswd { user: user.to_owned(), password: SECRET.to_owned() }).unwrap()
}

fn entry(registry: &str, user: &str, password: &str) -> Value {
    json!({"registry": registry, "registry_user": user, "registry_pass": password, "registry_type": "docker_v2"})
}

async fn in_account(
    engine: &TestEngine,
    account: &str,
    method: Method,
    path: &str,
    body: &Value,
) -> (StatusCode, Value) {
    answer(engine.request(method, path).header("x-anchore-account", account).json(body)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_is_checked_stored_without_showing_its_password_and_used() {
    let folder = tempfile::tempdir().unwrap();
    let registry = guarded("robot");
    registry.push_image(&debian_image(FIXED), "team/app:1").unwrap();
    let engine = TestEngine::start(settings(folder.path(), Some(&registry)), true).await;
    let tag = registry.reference("team/app:1");

    let (status, refused) = engine.post("/images", &json!({"tag": tag})).await;
    assert_eq!(
        (status, &refused["detail"]["error_codes"][0]),
        (StatusCode::BAD_REQUEST, &json!("REGISTRY_PERMISSION_DENIED"))
    );
    let host = registry.host();
    for (user, password) in [("robot", "wrong"), ("nobody", SECRET)] {
        let (status, refused) = engine.post("/registries", &entry(&host, user, password)).await;
        assert_eq!(status, StatusCode::NOT_ACCEPTABLE);
        let message = refused["message"].as_str().unwrap();
        let start = "cannot ping supplied registry with supplied credentials - exception: failed check to access registry";
        assert!(message.starts_with(start) && !message.contains(password), "{message}");
    }
    assert_eq!(engine.get("/registries").await.1, json!([]));
    let (status, stored) = engine.post("/registries", &entry(&host, "robot", SECRET)).await;
    assert_eq!(status, StatusCode::OK, "{stored}");
    assert_eq!((&stored[0]["registry"], &stored[0]["registry_name"]), (&json!(host), &json!(host)));
    let (status, again) = engine.post("/registries", &entry(&host, "robot", "wrong")).await;
    assert_eq!((status, &again["message"]), (StatusCode::CONFLICT, &json!("registry already exists in DB")));

    let record = engine.add_and_wait(&tag).await;
    assert_eq!(record["analysis_status"], "analyzed", "{record:#}");

    // Another account has no part in it.
    engine.post("/accounts", &json!({"name": "team-b"})).await;
    let (status, _) = in_account(&engine, "team-b", Method::POST, "/images", &json!({"tag": tag})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (_, listed) = in_account(&engine, "team-b", Method::GET, "/registries", &Value::Null).await;
    assert_eq!(listed, json!([]));

    let (_, shown) = engine.get("/registries").await;
    assert!(!format!("{shown}{stored}{:?}", engine.engine).contains(SECRET));
    let storage = open_storage(folder.path()).await;
    let sealed: Vec<u8> =
        storage::query("SELECT password FROM registries").fetch_value(&storage).await.unwrap();
    assert!(!String::from_utf8_lossy(&sealed).contains(SECRET));
    engine.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_may_pull_is_found_for_an_analysis_that_several_want() {
    let folder = tempfile::tempdir().unwrap();
    let registry = guarded("robot");
    registry.push_image(&debian_image(FIXED), "team/app:1").unwrap();
    let engine = TestEngine::start(settings(folder.path(), Some(&registry)), false).await;
    let tag = registry.reference("team/app:1");
    for account in ["team-a", "team-b"] {
        engine.post("/accounts", &json!({"name": account})).await;
        let (status, _) = in_account(
            &engine,
            account,
            Method::POST,
            "/registries",
            &entry(&registry.host(), "robot", SECRET),
        )
        .await;
        assert_eq!(status, StatusCode::OK);
        let (status, added) =
            in_account(&engine, account, Method::POST, "/images", &json!({"tag": tag})).await;
        assert_eq!(status, StatusCode::OK, "{added}");
    }
    // The account that added last can no longer pull; the longest record counts, also when it is wrong.
    let wrong = entry(&format!("{}/team/*", registry.host()), "robot", "wrong");
    let (status, _) = in_account(&engine, "team-b", Method::POST, "/registries?validate=false", &wrong).await;
    assert_eq!(status, StatusCode::OK);
    let (status, _) = in_account(&engine, "team-b", Method::POST, "/images", &json!({"tag": tag})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "the longest record is used");
    engine.close().await;

    let engine = TestEngine::start(settings(folder.path(), Some(&registry)), true).await;
    let record = async || {
        let (_, records) = in_account(&engine, "team-b", Method::GET, "/images", &Value::Null).await;
        records[0].clone()
    };
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !matches!(record().await["analysis_status"].as_str(), Some("analyzed" | "analysis_failed")) {
        assert!(std::time::Instant::now() < deadline);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(record().await["analysis_status"], "analyzed", "{:#}", record().await);
    engine.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_checked_unless_the_record_says_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::start(RegistryMode::Tls).unwrap();
    let engine = TestEngine::start(settings(folder.path(), None), false).await;
    registry.push_image(&debian_image(FIXED), "app:1").unwrap();
    let tag = registry.reference("app:1");
    for (verify, status) in [(Value::Null, 400), (json!(true), 400), (json!(false), 200)] {
        engine.request(Method::DELETE, &format!("/registries/{}", registry.host())).send().await.unwrap();
        let mut body = entry(&registry.host(), "u", "p");
        if !verify.is_null() {
            body["registry_verify"] = verify.clone();
        }
        let (stored, _) = engine.post("/registries?validate=false", &body).await;
        assert_eq!(stored, StatusCode::OK);
        let (added, answered) = engine.post("/images", &json!({"tag": tag})).await;
        assert_eq!(added.as_u16(), status, "{verify}: {answered:#}");
    }
    // It lets everybody in: whether the password is right cannot be known.
    let mut body = entry(&registry.host(), "u", "p");
    body["registry_verify"] = json!(false);
    let (status, refused) =
        engine.send(Method::PUT, &format!("/registries/{}", registry.host()), &body).await;
    assert_eq!(status, StatusCode::NOT_ACCEPTABLE);
    assert!(refused["message"].as_str().unwrap().contains("could not retrieve an auth URL from response"));
}

#[tokio::test]
async fn a_registry_that_is_not_there_and_odd_names_are_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let engine = TestEngine::start(settings(folder.path(), None), false).await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (status, refused) =
        engine.post("/registries", &entry(&format!("127.0.0.1:{port}"), "u", SECRET)).await;
    assert_eq!(status, StatusCode::NOT_ACCEPTABLE);
    assert!(!refused.to_string().contains(SECRET));
    for (registry, status) in
        [("", 400), ("a b", 400), ("ü.example", 400), ("x/", 409), ("https://x", 409), ("x%00", 400)]
    {
        let (found, answered) = engine.post("/registries?validate=false", &entry(registry, "u", "p")).await;
        assert_eq!(found.as_u16(), status, "{registry}: {answered}");
    }
    let long = entry("x.example.org", "u", &"p".repeat(64 * 1024 + 1));
    assert_eq!(engine.post("/registries?validate=false", &long).await.0, StatusCode::BAD_REQUEST);
    let (status, _) =
        in_account(&engine, "nosuch", Method::POST, "/registries?validate=false", &entry("x", "u", "p"))
            .await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "the account is not there");
    let (status, stored) = engine.post("/registries?validate=false", &entry("h:5000/team/*", "u", "p")).await;
    assert_eq!(status, StatusCode::OK);
    for path in ["/registries/h:5000/team/*", "/registries/h%3A5000%2Fteam%2F%2A"] {
        assert_eq!(engine.get(path).await, (StatusCode::OK, stored.clone()), "{path}");
    }
}

/// What the stand-in for Amazon was asked.
type Asked = Arc<Mutex<Vec<String>>>;

/// Gives out `AWS` and the password of the test registry, for so many seconds, to whoever signs.
async fn amazon(lifetime_s: i64, asked: Asked) -> String {
    use axum::http::HeaderMap;
    let answer = move |headers: HeaderMap, body: String| {
        let asked = asked.clone();
        async move {
            let header = |name: &str| headers[name].to_str().unwrap().to_owned();
            asked.lock().unwrap().push(format!(
                "{} {} {body}",
                header("x-amz-target"),
                header("authorization")
            ));
            let token =
                base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("AWS:{SECRET}"));
            let expires = crate::support::clock().as_second() + lifetime_s;
            axum::Json(json!({"authorizationData": [
                {"authorizationToken": token, "expiresAt": format!("{expires}.5").parse::<f64>().unwrap(), "proxyEndpoint": "https://x"}]}))
        }
    };
    let router = axum::Router::new().route("/", axum::routing::post(answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    format!("http://{address}")
}

/// A checked, added and analyzed image of a registry whose logins come from the stand-in.
async fn use_amazon(folder: &Path, lifetime_s: i64) -> (TestEngine, Registry, Vec<String>) {
    let registry = guarded("AWS");
    registry.push_image(&debian_image(FIXED), "team/app:1").unwrap();
    let asked = Asked::default();
    let mut settings = settings(folder, Some(&registry));
    settings.amazon.endpoint = Some(amazon(lifetime_s, asked.clone()).await);
    settings.amazon.region = Some("eu-central-1".to_owned());
    let engine = TestEngine::start(settings, true).await;
    let mut body = entry(&registry.host(), "AKIAEXAMPLE", "the secret key");
    body["registry_type"] = json!("awsecr");
    let (status, stored) = engine.post("/registries", &body).await;
    assert_eq!(status, StatusCode::OK, "{stored}");
    let record = engine.add_and_wait(&registry.reference("team/app:1")).await;
    assert_eq!(record["analysis_status"], "analyzed", "{record:#}");
    let asked = asked.lock().unwrap().clone();
    (engine, registry, asked)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn amazon_gives_a_login_which_is_kept_until_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, registry, asked) = use_amazon(folder.path(), 43_200).await;
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].starts_with("AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20261122/eu-central-1/ecr/aws4_request, SignedHeaders="), "{asked:?}");
    assert!(!asked[0].contains("the secret key"));
    for user in ["awsauto", "_iam_role:x"] {
        let mut body = entry(&registry.host(), user, "x");
        body["registry_type"] = json!("awsecr");
        let (status, refused) =
            engine.send(Method::PUT, &format!("/registries/{}", registry.host()), &body).await;
        assert_eq!(status, StatusCode::NOT_ACCEPTABLE);
        assert!(
            refused["message"].as_str().unwrap().contains("is not the name of an access key"),
            "{refused}"
        );
    }
    engine.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_ends_soon_is_asked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, _registry, asked) = use_amazon(folder.path(), 60).await;
    assert!(asked.len() >= 3, "when it is checked, added and analyzed: {asked:?}");
    engine.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_can_be_changed_and_a_lost_key_file_is_told_and_mended() {
    let folder = tempfile::tempdir().unwrap();
    let registry = guarded("robot");
    registry.push_image(&debian_image(FIXED), "team/app:1").unwrap();
    let keys = folder.path().join("keys");
    let start = async || {
        let mut settings = settings(folder.path(), Some(&registry));
        settings.key_file = Some(keys.clone());
        TestEngine::start(settings, false).await
    };
    let sealed = async || -> Vec<u8> {
        let storage = open_storage(folder.path()).await;
        storage::query("SELECT password FROM registries").fetch_value(&storage).await.unwrap()
    };
    let add = async |engine: &TestEngine| {
        engine.post("/images", &json!({"tag": registry.reference("team/app:1")})).await
    };
    let engine = start().await;
    let body = entry(&registry.host(), "robot", SECRET);
    assert_eq!(engine.post("/registries", &body).await.0, StatusCode::OK);
    let first = sealed().await;
    storage::Sealer::rotate(&keys).unwrap();
    assert_eq!(add(&engine).await.0, StatusCode::OK, "a running engine goes on");
    engine.close().await;

    let engine = start().await;
    let sealer = storage::Sealer::open_or_create(&keys).unwrap();
    assert!(!sealer.is_current(&first) && sealer.is_current(&sealed().await), "sealed again at the start");
    assert_eq!(add(&engine).await.0, StatusCode::OK);
    engine.close().await;

    fs_err::remove_file(&keys).unwrap();
    let engine = start().await;
    let (status, refused) = add(&engine).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let reason = refused["detail"]["raw_exception_message"].as_str().unwrap();
    assert!(reason.contains("is not in the key file") && reason.contains("set the value again"), "{reason}");
    let path = format!("/registries/{}", registry.host());
    assert_eq!(engine.send(Method::PUT, &path, &body).await.0, StatusCode::OK);
    assert_eq!(add(&engine).await.0, StatusCode::OK);
    engine.close().await;
}
