//! Secrets in a real Vault: where they lie, how the control plane is let in, and what it says when it is not.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use control_plane::{ControlPlane, SecretId, SecretStoreSettings, SecretValue, VaultLogin, VaultSettings};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::{Cluster, VaultServer, wait_until_async};

use crate::support::{TestPlane, open, settings};
use crate::vault_support::{DEADLINE, TestVault, password, with_vault};

async fn open_with(vault: VaultSettings) -> (tempfile::TempDir, Arc<ControlPlane>) {
    let folder = tempfile::tempdir().unwrap();
    let (plane, _) = open(with_vault(folder.path(), vault)).await;
    (folder, plane)
}

/// What a call that needs secrets says.
async fn refusal(plane: &ControlPlane) -> String {
    plane.create_secret(1, password("robot", "hunter2")).await.unwrap_err().to_string()
}

async fn start_server() -> VaultServer {
    tokio::task::spawn_blocking(|| VaultServer::start().unwrap()).await.unwrap()
}

#[tokio::test]
async fn secrets_lie_where_pipeline_kept_them() {
    let vault = TestVault::shared().await;
    let mount = vault.mount("2").await;
    let (_folder, plane) = open_with(vault.root_settings(&mount)).await;
    let mut made = password("robot", "hunter2");
    made.tags = vec!["b".to_owned(), "a".to_owned()];
    let made = plane.create_secret(1, made).await.unwrap();
    let path = |name: &str| format!("{mount}/data/orgs/1/{}", SecretId::of_name(name));
    let stored = vault.call(Method::GET, &path("robot"), &Value::Null).await;
    assert_eq!(
        stored["data"]["data"],
        json!({"value": {"name": "robot", "type": "password", "tags": ["a", "b"], "updatedBy": "ada",
            "values": {"username": "ada", "password": "hunter2"}}})
    );

    // One that Pipeline wrote, and entries that are no secrets.
    let theirs = json!({"name": "theirs", "type": "password", "tags": null, "updatedBy": "eve",
        "values": {"username": "u", "password": "p"}});
    vault.call(Method::POST, &path("theirs"), &json!({"data": {"value": theirs}})).await;
    vault.call(Method::POST, &path("strange"), &json!({"data": {"password": "hunter2"}})).await;
    vault.call(Method::POST, &format!("{mount}/data/orgs/1/notes"), &json!({"data": {"a": "b"}})).await;
    let names: Vec<String> =
        plane.list_secrets(1, None).await.unwrap().into_iter().map(|secret| secret.name).collect();
    assert_eq!(names, ["robot", "theirs"]);
    let read = plane.find_secret_by_name(1, "theirs").await.unwrap().unwrap();
    assert_eq!((read.updated_by.as_str(), read.value("password").unwrap().reveal()), ("eve", "p"));
    let strange = plane.find_secret_by_name(1, "strange").await.unwrap_err().to_string();
    assert!(strange.contains("under the key `value`") && !strange.contains("hunter2"), "{strange}");

    // Deleted with all its versions by us; by others only its last one.
    vault.call(Method::DELETE, &path("theirs"), &Value::Null).await;
    assert_eq!(plane.find_secret_by_name(1, "theirs").await.unwrap(), None);
    assert_eq!(plane.create_secret(1, password("theirs", "x")).await.unwrap().version, 2);
    plane.delete_secret(1, made.id.as_str()).await.unwrap();
    let metadata = format!("{mount}/metadata/orgs/1/{}", made.id);
    assert_eq!(vault.try_call(Method::GET, &metadata, &Value::Null).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn who_is_not_let_in_is_told_why_and_no_secret_is_told() {
    let vault = TestVault::shared().await;
    let (mount, old) = (vault.mount("2").await, vault.mount("1").await);
    let token = |text: &str| VaultLogin::Token(SecretValue::new(text));
    let approle = VaultLogin::AppRole {
        mount: "nothing".to_owned(),
        role_id: "r".to_owned(),
        secret_id: SecretValue::new("hunter3"),
    };
    let service_account = VaultLogin::Kubernetes {
        mount: "kubernetes".to_owned(),
        role: "r".to_owned(),
        token_file: "/nowhere/token".into(),
    };
    let made = vault.call(Method::POST, "auth/token/create", &json!({"policies": ["nothing"]})).await;
    let powerless = made["auth"]["client_token"].as_str().unwrap();
    for (settings, told) in [
        (vault.settings(&mount, token("hunter3")), "the token is unknown or has ended: set another one"),
        (
            vault.settings(&mount, token(powerless)),
            "the policy needs create, read, update, delete and list there",
        ),
        (vault.settings(&mount, approle), "the login by AppRole at `auth/nothing`: permission denied"),
        (vault.settings(&mount, service_account), "`/nowhere/token`"),
        (vault.root_settings(&old), "is a key-value engine of version 1: `vault kv enable-versioning"),
        (vault.root_settings("nowhere"), "nowhere"),
    ] {
        let (_folder, plane) = open_with(settings).await;
        let text = refusal(&plane).await;
        assert!(text.contains(told), "{told}: {text}");
        assert!(!["hunter2", "hunter3", powerless].iter().any(|secret| text.contains(secret)), "{text}");
    }
}

/// Makes a role and its settings.
async fn approle(vault: &TestVault, mount: &str, role: &Value) -> VaultSettings {
    vault.call(Method::POST, "sys/auth/approle", &json!({"type": "approle"})).await;
    let mut role = role.clone();
    role["token_policies"] = json!([vault.policy(mount).await]);
    vault.call(Method::POST, "auth/approle/role/lazaret", &role).await;
    let id = vault.call(Method::GET, "auth/approle/role/lazaret/role-id", &Value::Null).await;
    let secret = vault.call(Method::POST, "auth/approle/role/lazaret/secret-id", &json!({})).await;
    let login = VaultLogin::AppRole {
        mount: "approle".to_owned(),
        role_id: id["data"]["role_id"].as_str().unwrap().to_owned(),
        secret_id: SecretValue::new(secret["data"]["secret_id"].as_str().unwrap()),
    };
    vault.settings(mount, login)
}

/// What Vault knows of the tokens that logins by AppRole made.
async fn logins(vault: &TestVault) -> Vec<Value> {
    let list = vault.call(Method::GET, "auth/token/accessors?list=true", &Value::Null).await;
    let mut found = Vec::new();
    for accessor in list["data"]["keys"].as_array().unwrap() {
        let body = json!({"accessor": accessor});
        // It may have ended meanwhile.
        let (_, token) = vault.try_call(Method::POST, "auth/token/lookup-accessor", &body).await;
        if token["data"]["path"] == "auth/approle/login" {
            found.push(token["data"].clone());
        }
    }
    found
}

#[tokio::test]
async fn an_approle_is_let_in_its_token_is_renewed_and_then_made_anew() {
    let server = start_server().await;
    let vault = TestVault::of(&server);
    let mount = vault.mount("2").await;
    let role = json!({"token_ttl": "3s", "token_max_ttl": "8s"});
    let (_folder, plane) = open_with(approle(&vault, &mount, &role).await).await;
    plane.create_secret(1, password("robot", "hunter2")).await.unwrap();
    let [first] = logins(&vault).await.try_into().unwrap();
    let works = async || plane.find_secret_by_name(1, "robot").await.unwrap().is_some();

    wait_until_async(DEADLINE, "the token to be renewed", async || {
        assert!(works().await);
        let now = logins(&vault).await;
        let same = now.iter().find(|token| token["accessor"] == first["accessor"])?;
        same["last_renewal"].is_string().then_some(())
    })
    .await
    .unwrap();
    wait_until_async(DEADLINE, "another token in place of the one that grew old", async || {
        assert!(works().await);
        logins(&vault).await.iter().any(|token| token["accessor"] != first["accessor"]).then_some(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_revoked_token_is_replaced_and_a_revoked_login_is_told() {
    let server = start_server().await;
    let vault = TestVault::of(&server);
    let mount = vault.mount("2").await;
    let settings = approle(&vault, &mount, &json!({"token_ttl": "1h"})).await;
    let VaultLogin::AppRole { secret_id, .. } = settings.login.clone() else { unreachable!("made above") };
    let (_folder, plane) = open_with(settings).await;
    plane.create_secret(1, password("robot", "hunter2")).await.unwrap();
    let revoke_all = async || {
        for login in logins(&vault).await {
            let body = json!({"accessor": login["accessor"]});
            vault.call(Method::POST, "auth/token/revoke-accessor", &body).await;
        }
    };
    revoke_all().await;
    assert!(plane.find_secret_by_name(1, "robot").await.unwrap().is_some());

    let body = json!({"secret_id": secret_id.reveal()});
    vault.call(Method::POST, "auth/approle/role/lazaret/secret-id/destroy", &body).await;
    revoke_all().await;
    let text = plane.find_secret_by_name(1, "robot").await.unwrap_err().to_string();
    assert!(
        text.contains("refuses the login by AppRole at `auth/approle`: invalid role or secret ID"),
        "{text}"
    );
    assert!(!text.contains(secret_id.reveal()));
}

#[tokio::test]
async fn a_given_token_is_renewed() {
    let vault = TestVault::shared().await;
    let mount = vault.mount("2").await;
    let body = json!({"policies": [vault.policy(&mount).await], "ttl": "3s"});
    let made = vault.call(Method::POST, "auth/token/create", &body).await;
    let token = SecretValue::new(made["auth"]["client_token"].as_str().unwrap());
    let accessor = json!({"accessor": made["auth"]["accessor"]});
    let (_folder, plane) = open_with(vault.settings(&mount, VaultLogin::Token(token))).await;
    plane.create_secret(1, password("robot", "hunter2")).await.unwrap();
    wait_until_async(DEADLINE, "the token to be older than it was given", async || {
        assert!(plane.find_secret_by_name(1, "robot").await.unwrap().is_some());
        let token = vault.call(Method::POST, "auth/token/lookup-accessor", &accessor).await["data"].clone();
        let expires: jiff::Timestamp = token["expire_time"].as_str().unwrap().parse().unwrap();
        let age = expires.as_second() - token["creation_time"].as_i64().unwrap();
        (age > 6).then_some(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_service_account_of_a_real_cluster_is_let_in() {
    let vault = TestVault::shared().await;
    let mount = vault.mount("2").await;
    let (host, authority, jwt) = tokio::task::spawn_blocking(|| {
        let cluster = Cluster::start().unwrap();
        let kubectl = |arguments: &[&str]| cluster.kubectl(arguments).unwrap().success().unwrap();
        kubectl(&["create", "serviceaccount", "lazaret"]);
        kubectl(&[
            "create",
            "clusterrolebinding",
            "reviews",
            "--clusterrole=system:auth-delegator",
            "--serviceaccount=default:lazaret",
        ]);
        let jwt = kubectl(&["create", "token", "lazaret"]).trim().to_owned();
        (cluster.server_url(), cluster.authority_certificate().to_owned(), (cluster, jwt))
    })
    .await
    .unwrap();
    let (cluster, jwt) = jwt;
    let method = format!("kubernetes-{}", uuid::Uuid::new_v4());
    vault.call(Method::POST, &format!("sys/auth/{method}"), &json!({"type": "kubernetes"})).await;
    let config =
        json!({"kubernetes_host": host, "kubernetes_ca_cert": authority, "disable_local_ca_jwt": true});
    vault.call(Method::POST, &format!("auth/{method}/config"), &config).await;
    let role = json!({"bound_service_account_names": "lazaret", "bound_service_account_namespaces": "default",
        "token_policies": [vault.policy(&mount).await]});
    vault.call(Method::POST, &format!("auth/{method}/role/lazaret"), &role).await;

    let folder = tempfile::tempdir().unwrap();
    let token_file = folder.path().join("token");
    let login =
        VaultLogin::Kubernetes { mount: method, role: "lazaret".to_owned(), token_file: token_file.clone() };
    for (content, is_let_in) in [("not.a.token", false), (jwt.as_str(), true)] {
        fs_err::write(&token_file, format!("{content}\n")).unwrap();
        let (_folder, plane) = open_with(vault.settings(&mount, login.clone())).await;
        match plane.create_secret(1, password("robot", "hunter2")).await {
            Ok(_) => assert!(is_let_in),
            Err(error) => {
                let text = error.to_string();
                assert!(!is_let_in && text.contains("refuses the login by service account"), "{text}");
            }
        }
    }
    tokio::task::spawn_blocking(move || drop(cluster)).await.unwrap();
}

#[tokio::test]
async fn a_sealed_vault_and_one_that_is_gone_are_told_apart_and_a_sealed_one_may_come_back() {
    let mut server = start_server().await;
    let vault = TestVault::of(&server);
    let folder = tempfile::tempdir().unwrap();
    let mount = vault.mount("2").await;
    vault.call(Method::PUT, "sys/seal", &Value::Null).await;
    let plane = TestPlane::start(with_vault(folder.path(), vault.root_settings(&mount))).await;
    let secrets = "/api/v1/orgs/1/secrets";
    let body = json!({"name": "robot", "type": "generic", "values": {"k": "hunter2"}});
    assert_eq!(plane.get("/api/v1/orgs").await.0, StatusCode::OK, "what needs no secrets goes on");
    for (status, refused) in [plane.get(secrets).await, plane.send(Method::POST, secrets, &body).await] {
        assert_eq!((status, &refused["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!(503)));
        let text = refused["error"].as_str().unwrap();
        assert!(text.contains("is sealed: unseal it") && !text.contains("hunter2"), "{text}");
    }
    vault.call(Method::PUT, "sys/unseal", &json!({"key": server.unseal_key()})).await;
    wait_until_async(DEADLINE, "secrets to be kept again", async || {
        (plane.send(Method::POST, secrets, &body).await.0 == StatusCode::CREATED).then_some(())
    })
    .await
    .unwrap();
    server.stop();
    let (status, refused) = plane.get(secrets).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused["error"].as_str().unwrap().contains("does not answer"), "{refused:#}");
    plane.close().await;
}

#[tokio::test]
async fn a_vault_with_a_certificate_of_its_own_authority_is_trusted_when_that_is_named() {
    let server = tokio::task::spawn_blocking(|| VaultServer::start_with_tls().unwrap()).await.unwrap();
    let vault = TestVault::of(&server);
    let mount = vault.mount("2").await;
    let mut trusting = vault.root_settings(&mount);
    trusting.ca_certificates = vec![server.certificate().unwrap()];
    let (_folder, plane) = open_with(trusting).await;
    plane.create_secret(1, password("robot", "hunter2")).await.unwrap();
    let (_folder, plane) = open_with(vault.root_settings(&mount)).await;
    let text = refusal(&plane).await;
    assert!(text.contains("does not answer") && text.to_lowercase().contains("certificate"), "{text}");
}

type Seen = Arc<Mutex<Vec<[Option<String>; 2]>>>;

/// What a real Vault does not do by itself; the namespace says which of it.
async fn misbehave(State(seen): State<Seen>, headers: HeaderMap) -> Response {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let case = header("x-vault-namespace").unwrap_or_default();
    seen.lock().unwrap().push([Some(case.clone()), header("x-vault-token")]);
    match case.as_str() {
        "standby" => {
            (StatusCode::TEMPORARY_REDIRECT, [("location", "http://127.0.0.1:1/v1/x")]).into_response()
        }
        "page" => "<html>hunter2</html>".into_response(),
        "huge" => "x".repeat(5 << 20).into_response(),
        "broken" => (StatusCode::INTERNAL_SERVER_ERROR, r#"{"errors":["no quorum"]}"#).into_response(),
        _ => std::future::pending().await,
    }
}

#[tokio::test]
async fn what_is_no_vault_is_told_within_bounds() {
    let seen = Seen::default();
    let router = axum::Router::new().fallback(misbehave).with_state(Arc::clone(&seen));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        axum::serve(listener, router).await.unwrap();
    });
    for (case, told) in [
        ("standby", "is a standby that sends to `http://127.0.0.1:1/v1/x`"),
        ("page", "is there a Vault at this address?"),
        ("huge", "has more than 4194304 bytes"),
        ("broken", "answered 500: no quorum"),
        ("silent", "does not answer"),
    ] {
        let (_folder, plane) = open_with(VaultSettings {
            address: address.clone(),
            namespace: Some(case.to_owned()),
            ca_certificates: Vec::new(),
            mount: "secret".to_owned(),
            base: "orgs".to_owned(),
            login: VaultLogin::Token(SecretValue::new("s.token")),
            time_max: Duration::from_secs(1),
        })
        .await;
        let text = refusal(&plane).await;
        assert!(text.contains(told) && !text.contains("hunter2"), "{case}: {text}");
        assert_eq!(
            seen.lock().unwrap().last().unwrap(),
            &[case, "s.token"].map(|text| Some(text.to_owned()))
        );
    }
    server.abort();
}

/// Everything that is logged in this process.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_value_and_no_token_is_ever_logged() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .init();
    let vault = TestVault::shared().await;
    let mount = vault.mount("2").await;
    let body = json!({"policies": [vault.policy(&mount).await], "ttl": "1h"});
    let made = vault.call(Method::POST, "auth/token/create", &body).await;
    let token = made["auth"]["client_token"].as_str().unwrap();
    let in_vault = vault.settings(&mount, VaultLogin::Token(SecretValue::new(token)));
    assert!(!format!("{:?}", SecretStoreSettings::Vault(Box::new(in_vault.clone()))).contains(token));
    let folder = tempfile::tempdir().unwrap();
    for settings in [settings(folder.path()), with_vault(folder.path(), in_vault)] {
        let plane = TestPlane::start(settings).await;
        let path = "/api/v1/orgs/1/secrets";
        let secret = json!({"name": "logged", "type": "password",
            "values": {"username": "u", "password": "sentinel-of-values"}});
        for _ in 0..2 {
            plane.send(Method::POST, path, &secret).await;
        }
        let one = format!("{path}/{}", SecretId::of_name("logged"));
        assert_eq!(plane.get(&one).await.1["values"]["password"], "sentinel-of-values");
        plane.send(Method::PUT, &one, &secret).await;
        plane.get(&format!("{path}?values=true")).await;
        plane.close().await;
    }
    let text = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(text.contains("control_plane") && text.contains("/api/v1/orgs/1/secrets"), "something is logged");
    for sentinel in ["sentinel-of-values", token] {
        let line = text.lines().find(|line| line.contains(sentinel));
        assert_eq!(line, None, "{sentinel}");
    }
}
