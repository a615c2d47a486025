//! Clusters from import to deletion, and in every way in which they do not answer.

use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

use crate::cluster_support::{
    DEADLINE, add_cluster, add_secret, await_status, import, kubeconfig, kubectl, set_api_server,
    start_cluster, token_kubeconfig,
};
use crate::support::{TestPlane, answer, change_database, settings};

const CLUSTERS: &str = "/api/v1/orgs/1/clusters";

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_from_import_to_deletion() {
    let cluster = start_cluster().await;
    let folder = tempfile::tempdir().unwrap();
    let plane = TestPlane::start(settings(folder.path())).await;
    let admin = kubeconfig(&cluster.kubeconfig("admin").unwrap());
    let path = add_cluster(&plane, 1, "demo", &admin).await;
    let demo = await_status(&plane, &path, "RUNNING", "Cluster is running").await;
    let version: Value =
        serde_json::from_str(&kubectl(&cluster, &["version", "-o", "json"], "").await).unwrap();
    assert_eq!(demo["version"], version["serverVersion"]["gitVersion"]);
    for (key, value) in [
        ("name", json!("demo")),
        ("cloud", json!("kubernetes")),
        ("distribution", json!("unknown")),
        ("creatorName", json!("ada")),
        ("creatorId", json!(1)),
        ("oidc", json!({"enabled": false})),
    ] {
        assert_eq!(demo[key], value, "{key}");
    }
    assert!(demo["startedAt"].is_string() && demo["createdAt"].is_string(), "{demo:#}");
    assert_eq!(plane.get(CLUSTERS).await.1, json!([demo]));

    let values = json!({"K8Sconfig": admin});
    let tried = json!({"name": "tried", "type": "kubernetes", "values": values});
    let (status, made) = plane.send(Method::POST, "/api/v1/orgs/1/secrets", &tried).await;
    assert_eq!(status, StatusCode::CREATED, "{made:#}");
    let secret_id = demo_secret_id(&plane).await;
    let (status, refused) = plane.send(Method::POST, CLUSTERS, &import("demo", &secret_id)).await;
    assert_eq!((status, &refused["code"]), (StatusCode::CONFLICT, &json!(409)), "{refused:#}");

    let wanted = ["default", "kube-node-lease", "kube-public", "kube-system"];
    let wanted: Vec<Value> = wanted.iter().map(|name| json!({"name": name})).collect();
    let by_name = format!("{CLUSTERS}/demo/namespaces?field=name");
    for path in [&format!("{path}/namespaces"), &by_name] {
        assert_eq!(plane.get(path).await, (StatusCode::OK, json!({"namespaces": wanted})), "{path}");
    }
    the_way_in(&plane, &path, &cluster).await;
    a_user_without_rights(&plane, &cluster).await;
    other_authorities_and_tokens(&plane, &admin).await;

    set_api_server(&cluster, false).await;
    await_status(&plane, &path, "ERROR", "refused the connection").await;
    let (status, refused) = plane.get(&format!("{path}/images")).await;
    assert_eq!((status, &refused["code"]), (StatusCode::BAD_GATEWAY, &json!(502)), "{refused:#}");
    assert!(refused["message"].as_str().unwrap().contains("cluster `demo` refused"), "{refused:#}");
    let token = plane.token.clone();
    plane.close().await;
    set_api_server(&cluster, true).await;
    let mut plane = TestPlane::start(settings(folder.path())).await;
    plane.token = token;
    let again = await_status(&plane, &path, "RUNNING", "Cluster is running").await;
    assert_eq!(again["startedAt"], demo["startedAt"], "it began once");

    let (status, body) = answer(plane.request(Method::DELETE, &format!("{path}?force=false"))).await;
    assert_eq!((status, body), (StatusCode::ACCEPTED, Value::Null));
    assert_eq!(plane.get(&path).await.0, StatusCode::NOT_FOUND);
    assert_eq!(answer(plane.request(Method::DELETE, &path)).await.0, StatusCode::NOT_FOUND);
    let path = add_again(&plane, &secret_id).await;
    await_status(&plane, &path, "RUNNING", "").await;
    plane.close().await;
}

async fn demo_secret_id(plane: &TestPlane) -> String {
    let (_, secrets) = plane.get("/api/v1/orgs/1/secrets").await;
    let secret = secrets.as_array().unwrap().iter().find(|secret| secret["name"] == "demo-kubeconfig");
    secret.unwrap()["id"].as_str().unwrap().to_owned()
}

/// A number is never used twice.
async fn add_again(plane: &TestPlane, secret_id: &str) -> String {
    let (status, made) = plane.send(Method::POST, CLUSTERS, &import("demo", secret_id)).await;
    assert_eq!((status, &made["id"]), (StatusCode::ACCEPTED, &json!(5)), "{made:#}");
    format!("{CLUSTERS}/5")
}

/// The kubeconfig that people get opens the cluster.
async fn the_way_in(plane: &TestPlane, path: &str, cluster: &testkit::Cluster) {
    let path = format!("{path}/config");
    let (status, config) = plane.get(&path).await;
    assert_eq!((status, &config["status"]), (StatusCode::OK, &json!(200)), "{config:#}");
    let response =
        plane.request(Method::GET, &path).header(header::ACCEPT, "text/plain").send().await.unwrap();
    assert!(response.headers()[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/plain"));
    let text = response.text().await.unwrap();
    assert_eq!(config["data"].as_str().unwrap(), text);

    let parsed = Kubeconfig::from_yaml(&text).unwrap();
    assert_eq!(parsed.clusters[0].cluster.as_ref().unwrap().server, Some(cluster.server_url()));
    let config = kube::Config::from_custom_kubeconfig(parsed, &KubeConfigOptions::default()).await.unwrap();
    let client = kube::Client::try_from(config).unwrap();
    assert!(client.apiserver_version().await.unwrap().git_version.starts_with('v'));
}

async fn a_user_without_rights(plane: &TestPlane, cluster: &testkit::Cluster) {
    let path = cluster.add_user("nobody", None).unwrap();
    let path = add_cluster(plane, 1, "weak", &kubeconfig(&path)).await;
    let weak = await_status(plane, &path, "WARNING", "may not list its namespaces").await;
    assert!(weak["version"].as_str().unwrap().starts_with('v'), "{weak:#}");
    let (status, refused) = plane.get(&format!("{path}/images")).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert!(refused["message"].as_str().unwrap().contains("does not let the user"), "{refused:#}");
}

/// The right address with the wrong rest.
async fn other_authorities_and_tokens(plane: &TestPlane, admin: &str) {
    let admin: Value = serde_json::from_str(admin).unwrap();
    let mut stranger = admin.clone();
    let (certificate, _) = self_signed(2018);
    stranger["clusters"][0]["cluster"]["certificate-authority-data"] = certificate;
    let mut revoked = admin;
    revoked["users"][0]["user"] = json!({"token": "top-secret-token"});
    for (name, kubeconfig, part) in [
        ("stranger", stranger, "`certificate-authority-data` of the kubeconfig has not signed"),
        ("revoked", revoked, "does not accept the credentials of the kubeconfig"),
    ] {
        let path = add_cluster(plane, 1, name, &kubeconfig.to_string()).await;
        await_status(plane, &path, "ERROR", part).await;
        assert_eq!(answer(plane.request(Method::DELETE, &path)).await.0, StatusCode::ACCEPTED);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_answer_says_why_and_nothing_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let plane = TestPlane::start(settings(folder.path())).await;
    // Accepts and says nothing.
    let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("https://{}", mute.local_addr().unwrap());
    let mut ended = token_kubeconfig(&server);
    let claims = data_encoding::BASE64URL_NOPAD.encode(br#"{"exp":1767312000}"#);
    ended["users"][0]["user"]["token"] = json!(format!("e30.{claims}.x"));
    for (name, kubeconfig, part) in [
        ("mute", token_kubeconfig(&server), "did not answer within"),
        ("closed", token_kubeconfig("https://127.0.0.1:1"), "refused the connection"),
        ("nowhere", token_kubeconfig("https://nowhere.invalid"), "has no address"),
        ("ended", ended, "the token of the kubeconfig ended on 2026-01-02T00:00:00Z"),
        (
            "certificate",
            expired_certificate(&server),
            "the client certificate of the kubeconfig ended on 2020-",
        ),
    ] {
        let path = add_cluster(&plane, 1, name, &kubeconfig.to_string()).await;
        let cluster = await_status(&plane, &path, "ERROR", part).await;
        assert!(!cluster.to_string().contains("top-secret"), "{cluster:#}");
    }
    let (_, clusters) = plane.get(CLUSTERS).await;
    let mute_id = clusters[0]["id"].clone();
    let began = std::time::Instant::now();
    let (status, refused) = plane.get(&format!("{CLUSTERS}/{mute_id}/namespaces")).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY, "{refused:#}");
    assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
    plane.close().await;
}

/// A certificate that was good for the year after this one, and its key, both PEM in base64.
fn self_signed(year: i32) -> (Value, Value) {
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
    parameters.not_before = rcgen::date_time_ymd(year, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(year + 1, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    let encode = |pem: String| json!(data_encoding::BASE64.encode(pem.as_bytes()));
    (encode(certificate.pem()), encode(key.serialize_pem()))
}

fn expired_certificate(server: &str) -> Value {
    let (certificate, key) = self_signed(2019);
    let mut kubeconfig = token_kubeconfig(server);
    kubeconfig["users"][0]["user"] = json!({"client-certificate-data": certificate, "client-key-data": key});
    kubeconfig
}

#[tokio::test]
async fn an_import_that_cannot_be_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let plane = TestPlane::start(settings(folder.path())).await;
    let good = token_kubeconfig("https://127.0.0.1:1").to_string();
    let id = add_secret(&plane, 1, "good", &good).await;
    let password = json!({"name": "pw", "type": "password", "values": {"username": "a", "password": "b"}});
    let (_, password) = plane.send(Method::POST, "/api/v1/orgs/1/secrets", &password).await;
    let with = |key: &str, value: Value| {
        let mut body = import("demo", &id);
        body[key] = value;
        body
    };
    for (body, part) in [
        (Value::Null, "Error parsing request"),
        (json!([]), "Error parsing request"),
        (with("name", json!("")), "name"),
        (with("name", json!("a/b")), "name"),
        (with("name", json!("x".repeat(200))), "name"),
        (with("name", json!(7)), "Error parsing request"),
        (with("cloud", json!("amazon")), "clusters are imported, not made"),
        (with("cloud", json!("")), "clusters are imported, not made"),
        (with("secretId", json!("")), "secretId"),
        (with("secretId", json!("0".repeat(64))), "does not exist"),
        (with("secretId", json!("../1")), "does not exist"),
        (with("secretId", json!(format!("brn:2:secret:{id}"))), "does not exist"),
        (with("secretId", password["id"].clone()), "is no kubeconfig"),
    ] {
        let (status, refused) = plane.send(Method::POST, CLUSTERS, &body).await;
        assert_eq!((status, &refused["code"]), (StatusCode::BAD_REQUEST, &json!(400)), "{body}: {refused:#}");
        assert!(refused.to_string().contains(part), "{body}: {refused:#}");
    }
    assert_eq!(plane.get(CLUSTERS).await.1, json!([]), "nothing half done");

    // By the name of the secret, and by its own organization's long form.
    let mut body = import("by-name", "");
    body["secretName"] = json!("good");
    assert_eq!(plane.send(Method::POST, CLUSTERS, &body).await.0, StatusCode::ACCEPTED);
    let body = import("by-brn", &format!("brn:1:secret:{id}"));
    assert_eq!(plane.send(Method::POST, CLUSTERS, &body).await.0, StatusCode::ACCEPTED);
    let bad = format!("{CLUSTERS}/1?force=perhaps");
    assert_eq!(answer(plane.request(Method::DELETE, &bad)).await.0, StatusCode::BAD_REQUEST);
    plane.close().await;
}

/// A row as the worker of services keeps it, which does not run in this test.
async fn add_service(folder: &std::path::Path, cluster: i64) {
    change_database(
        folder,
        "INSERT INTO plane_services (cluster_id, name, organization_id, status, spec, wanted, version, was_active, failures, \
         reason, inventory, created_by, created_us, updated_us) \
         VALUES ($1, 'securityscan', 1, 'ACTIVE', '{}', 'active', 1, 1, 0, '', '{}', 'ada', 0, 0)",
        cluster,
    )
    .await;
}

#[tokio::test]
async fn a_cluster_goes_after_its_services() {
    let folder = tempfile::tempdir().unwrap();
    let plane = TestPlane::start(settings(folder.path())).await;
    let kubeconfig = token_kubeconfig("https://127.0.0.1:1").to_string();
    let path = add_cluster(&plane, 1, "demo", &kubeconfig).await;
    add_service(folder.path(), 1).await;
    let cluster = await_status(&plane, &path, "ERROR", "").await;
    assert_eq!(cluster["securityscan"], json!(true));
    for _ in 0..2 {
        assert_eq!(answer(plane.request(Method::DELETE, &path)).await.0, StatusCode::ACCEPTED);
        await_status(&plane, &path, "DELETING", "services are deactivated first").await;
    }
    let spec = json!({"spec": {"policy": {"policyId": "reject_high"}}});
    let (status, refused) = plane.send(Method::PUT, &format!("{path}/services/securityscan"), &spec).await;
    assert!(!status.is_success(), "{refused:#}");

    let failed = "UPDATE plane_services SET status = 'ERROR', reason = 'it is away' WHERE cluster_id = $1";
    change_database(folder.path(), failed, 1).await;
    await_status(&plane, &path, "DELETING", "cannot be deactivated: it is away").await;
    change_database(folder.path(), "DELETE FROM plane_services WHERE cluster_id = $1", 1).await;
    let deadline = tokio::time::Instant::now() + DEADLINE;
    while plane.get(&path).await.0 != StatusCode::NOT_FOUND {
        assert!(tokio::time::Instant::now() < deadline, "it does not go");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    let path = add_cluster(&plane, 1, "other", &kubeconfig).await;
    add_service(folder.path(), 2).await;
    let force = format!("{path}?force=true");
    assert_eq!(answer(plane.request(Method::DELETE, &force)).await.0, StatusCode::ACCEPTED);
    assert_eq!(plane.get(&path).await.0, StatusCode::NOT_FOUND);
    plane.close().await;
}
