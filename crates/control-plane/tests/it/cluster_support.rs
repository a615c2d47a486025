//! What tests with clusters share: a real one, kubectl, and kubeconfigs.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::Cluster;

use crate::support::TestPlane;

/// Generous: on a machine where nothing else runs, everything is there within a second.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) async fn start_cluster() -> Arc<Cluster> {
    Arc::new(tokio::task::spawn_blocking(|| Cluster::start().unwrap()).await.unwrap())
}

/// Runs kubectl, which has to succeed, with something on its standard input.
pub(crate) async fn kubectl(cluster: &Arc<Cluster>, arguments: &[&str], stdin: &str) -> String {
    let output = try_kubectl(cluster, arguments, stdin).await;
    assert!(output.is_success(), "kubectl {arguments:?}: {}", output.stderr);
    output.stdout
}

/// The same until it succeeds: a kind that was just defined is not there for everybody at once.
pub(crate) async fn kubectl_until_done(cluster: &Arc<Cluster>, arguments: &[&str], stdin: &str) {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    loop {
        let output = try_kubectl(cluster, arguments, stdin).await;
        if output.is_success() {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "kubectl {arguments:?}: {}", output.stderr);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn try_kubectl(cluster: &Arc<Cluster>, arguments: &[&str], stdin: &str) -> testkit::Output {
    let cluster = Arc::clone(cluster);
    let words: Vec<String> = arguments.iter().map(|&word| word.to_owned()).collect();
    let stdin = stdin.to_owned();
    tokio::task::spawn_blocking(move || {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        cluster.kubectl_with_stdin(&words, stdin.as_bytes()).unwrap()
    })
    .await
    .unwrap()
}

/// Stops or starts its API server.
pub(crate) async fn set_api_server(cluster: &Arc<Cluster>, is_up: bool) {
    let cluster = Arc::clone(cluster);
    tokio::task::spawn_blocking(move || match is_up {
        true => cluster.restart_api_server().unwrap(),
        false => cluster.stop_api_server(),
    })
    .await
    .unwrap();
}

pub(crate) fn kubeconfig(path: &Path) -> String {
    fs_err::read_to_string(path).unwrap()
}

/// A kubeconfig with a token for this server.
pub(crate) fn token_kubeconfig(server: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "there", "user": "me"}}],
        "clusters": [{"name": "there", "cluster": {"server": server}}],
        "users": [{"name": "me", "user": {"token": "top-secret-token"}}],
    })
}

/// Makes a secret of a kubeconfig; its id.
pub(crate) async fn add_secret(plane: &TestPlane, organization: i64, name: &str, kubeconfig: &str) -> String {
    let body = json!({"name": name, "type": "kubernetes", "values": {"K8Sconfig": kubeconfig}});
    let path = format!("/api/v1/orgs/{organization}/secrets?validate=false");
    let (status, made) = plane.send(Method::POST, &path, &body).await;
    assert_eq!(status, StatusCode::CREATED, "{made:#}");
    made["id"].as_str().unwrap().to_owned()
}

/// What the client sends to import a cluster.
pub(crate) fn import(name: &str, secret_id: &str) -> Value {
    json!({"name": name, "secretId": secret_id, "cloud": "kubernetes", "properties": {"kubernetes": {}}})
}

/// Makes a secret and imports it; the answer.
pub(crate) async fn try_import(
    plane: &TestPlane,
    organization: i64,
    name: &str,
    kubeconfig: &str,
) -> (StatusCode, Value) {
    let secret_id = add_secret(plane, organization, &format!("{name}-kubeconfig"), kubeconfig).await;
    let path = format!("/api/v1/orgs/{organization}/clusters");
    plane.send(Method::POST, &path, &import(name, &secret_id)).await
}

/// The same, accepted; the path of the cluster.
pub(crate) async fn add_cluster(
    plane: &TestPlane,
    organization: i64,
    name: &str,
    kubeconfig: &str,
) -> String {
    let (status, made) = try_import(plane, organization, name, kubeconfig).await;
    assert_eq!((status, &made["name"]), (StatusCode::ACCEPTED, &json!(name)), "{made:#}");
    format!("/api/v1/orgs/{organization}/clusters/{}", made["id"])
}

/// Waits until the cluster has a status with a message that holds a text; the cluster.
pub(crate) async fn await_status(plane: &TestPlane, path: &str, status: &str, part: &str) -> Value {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    loop {
        let (_, cluster) = plane.get(path).await;
        if cluster["status"] == status && cluster["statusMessage"].as_str().unwrap().contains(part) {
            return cluster;
        }
        assert!(tokio::time::Instant::now() < deadline, "{status} {part}: {cluster:#}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
