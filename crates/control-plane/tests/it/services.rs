//! The work on services: how long it may take, and whose turn it is. What it does in clusters is shown by the tests of the whole
//! chain.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use admission::{SourceState, Verdict, VerdictError, VerdictQuestion, VerdictSource};
use async_trait::async_trait;
use control_plane::{ControlPlaneSettings, EngineAccess, ServiceSettings};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use storage::Database;
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::cluster_support::{DEADLINE, add_cluster, token_kubeconfig};
use crate::support::{self, TestPlane};

/// An engine that is never reached: the work ends before.
struct NoVerdicts;

#[async_trait]
impl VerdictSource for NoVerdicts {
    async fn verdict(&self, _: &VerdictQuestion) -> Result<Verdict, VerdictError> {
        Err(VerdictError::NoPolicy)
    }

    async fn state(&self) -> Result<SourceState, VerdictError> {
        Err(VerdictError::NoPolicy)
    }
}

fn settings(folder: &std::path::Path, services: ServiceSettings) -> ControlPlaneSettings {
    let webhook_image = "registry.example/lazaret:1".to_owned();
    let engine = EngineAccess {
        router: axum::Router::new(),
        url: "http://127.0.0.1:1".to_owned(),
        verdicts: Arc::new(|_, _| Arc::new(NoVerdicts)),
        notify_running: Arc::new(|_, _, _| Box::pin(async { Ok(()) })),
    };
    let services = ServiceSettings { engine: Some(engine), image: webhook_image, ..services };
    ControlPlaneSettings { services, ..support::settings(folder) }
}

/// A server that takes connections and never says a word.
async fn silent_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((connection, _)) = listener.accept().await {
            held.push(connection);
        }
    });
    address
}

/// A port where nobody listens.
async fn closed_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

async fn activate(plane: &TestPlane, cluster: &str) -> String {
    let service = format!("{cluster}/services/securityscan");
    let spec = json!({"spec": {"policy": {"policyId": "deny_all"}}});
    let (status, answer) = plane.send(Method::POST, &service, &spec).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{answer:#}");
    service
}

/// Waits until the service has this status and a reason; the reason.
async fn await_reason(plane: &TestPlane, service: &str, status: &str) -> String {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let (_, details) = plane.get(service).await;
        let reason = details["output"]["reason"].as_str().unwrap_or_default();
        if details["status"] == status && !reason.is_empty() {
            return reason.to_owned();
        }
        assert!(Instant::now() < deadline, "{status}: {details:#}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn clusters_begun(database: &Database, organization: i64) -> i64 {
    storage::query(
        "SELECT count(DISTINCT steps.cluster_id) FROM plane_service_steps steps \
         JOIN plane_services services ON services.cluster_id = steps.cluster_id \
         WHERE services.organization_id = $1",
    )
    .bind(organization)
    .fetch_value(database)
    .await
    .unwrap()
}

#[tokio::test]
async fn an_attempt_that_takes_too_long_is_ended_and_in_the_end_the_service_is_in_error() {
    let folder = tempfile::tempdir().unwrap();
    let services = ServiceSettings {
        attempts: 2,
        attempt_time: Duration::from_millis(500),
        ..ServiceSettings::default()
    };
    let plane = TestPlane::start(settings(folder.path(), services)).await;
    let silent = silent_server().await;
    let kubeconfig = token_kubeconfig(&format!("https://{silent}")).to_string();
    let cluster = add_cluster(&plane, 1, "silent", &kubeconfig).await;
    let service = activate(&plane, &cluster).await;
    let wanted = "the attempt took longer than 0.5 s (control-plane.service-attempt-time) and was ended in the step `cluster`";
    assert_eq!(await_reason(&plane, &service, "PENDING").await, wanted);
    assert_eq!(await_reason(&plane, &service, "ERROR").await, wanted);
    let (_, details) = plane.get(&service).await;
    let steps = &details["output"]["steps"];
    assert_eq!((&steps[0]["state"], &steps[0]["message"]), (&json!("failed"), &json!(wanted)), "{details:#}");
    plane.close().await;
}

#[tokio::test]
async fn dead_clusters_of_one_organization_do_not_hold_up_another() {
    const DEAD: usize = 20;
    let folder = tempfile::tempdir().unwrap();
    let plane = TestPlane::start(settings(folder.path(), ServiceSettings::default())).await;
    let other = plane.add_organization(folder.path(), "other").await;
    let database = support::database(folder.path()).await;
    let (silent, closed) = (silent_server().await, closed_port().await);
    let kubeconfig = token_kubeconfig(&format!("https://{silent}")).to_string();
    let mut clusters: Vec<Value> = Vec::new();
    for number in 0..DEAD {
        clusters.push(json!(add_cluster(&plane, 1, &format!("dead-{number}"), &kubeconfig).await));
    }
    let refusing = token_kubeconfig(&format!("https://{closed}")).to_string();
    let of_other = add_cluster(&plane, other, "quick", &refusing).await;
    for cluster in &clusters {
        activate(&plane, cluster.as_str().unwrap()).await;
    }
    let service = activate(&plane, &of_other).await;
    let reason = await_reason(&plane, &service, "PENDING").await;
    assert!(reason.contains("ask the cluster"), "{reason}");
    // It did not wait for all the others, which were wanted before.
    let begun = clusters_begun(&database, 1).await;
    assert!(begun > 0 && begun < 16, "{begun} of {DEAD} came first");
    plane.close().await;
}
