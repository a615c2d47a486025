//! The work on services: how long it may take, and whose turn it is. What it does in clusters is shown by the tests of the whole
//! chain.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use admission::{SourceState, Verdict, VerdictError, VerdictQuestion, VerdictSource};
use async_trait::async_trait;
use control_plane::{AddressRule, ControlPlaneSettings, EngineAccess, ServiceSettings};
use outbound_guard::{HostList, RegistryAddresses};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use storage::Database;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

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

/// A control plane, and a second one beside it that works on services.
struct Working {
    plane: TestPlane,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Working {
    async fn start(settings: ControlPlaneSettings) -> Self {
        let plane = TestPlane::start(settings.clone()).await;
        let (worker, _) = support::open(settings).await;
        let stop = CancellationToken::new();
        let task = tokio::spawn(worker.run_services(stop.clone().cancelled_owned()));
        Self { plane, stop, task }
    }

    async fn close(self) {
        self.stop.cancel();
        self.task.await.unwrap();
        self.plane.close().await;
    }
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
    let working = Working::start(settings(folder.path(), services)).await;
    let plane = &working.plane;
    let silent = silent_server().await;
    let kubeconfig = token_kubeconfig(&format!("https://{silent}")).to_string();
    let cluster = add_cluster(plane, 1, "silent", &kubeconfig).await;
    let service = activate(plane, &cluster).await;
    let wanted = "the attempt took longer than 0.5 s (control-plane.service-attempt-time) and was ended in the step `cluster`";
    assert_eq!(await_reason(plane, &service, "PENDING").await, wanted);
    assert_eq!(await_reason(plane, &service, "ERROR").await, wanted);
    let (_, details) = plane.get(&service).await;
    let steps = &details["output"]["steps"];
    assert_eq!((&steps[0]["state"], &steps[0]["message"]), (&json!("failed"), &json!(wanted)), "{details:#}");
    working.close().await;
}

#[tokio::test]
async fn dead_clusters_of_one_organization_do_not_hold_up_another() {
    const DEAD: usize = 20;
    let folder = tempfile::tempdir().unwrap();
    let working = Working::start(settings(folder.path(), ServiceSettings::default())).await;
    let plane = &working.plane;
    let other = plane.add_organization(folder.path(), "other").await;
    let database = support::database(folder.path()).await;
    let (silent, closed) = (silent_server().await, closed_port().await);
    let kubeconfig = token_kubeconfig(&format!("https://{silent}")).to_string();
    let mut clusters: Vec<Value> = Vec::new();
    for number in 0..DEAD {
        clusters.push(json!(add_cluster(plane, 1, &format!("dead-{number}"), &kubeconfig).await));
    }
    let refusing = token_kubeconfig(&format!("https://{closed}")).to_string();
    let of_other = add_cluster(plane, other, "quick", &refusing).await;
    for cluster in &clusters {
        activate(plane, cluster.as_str().unwrap()).await;
    }
    let service = activate(plane, &of_other).await;
    let reason = await_reason(plane, &service, "PENDING").await;
    assert!(reason.contains("ask the cluster"), "{reason}");
    // It did not wait for all the others, which were wanted before.
    let begun = clusters_begun(&database, 1).await;
    assert!(begun > 0 && begun < 16, "{begun} of {DEAD} came first");
    working.close().await;
}

#[tokio::test]
async fn a_secret_that_a_service_uses_is_not_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let plane = TestPlane::start(settings(folder.path(), ServiceSettings::default())).await;
    let kubeconfig = token_kubeconfig(&format!("https://{}", closed_port().await)).to_string();
    let cluster = add_cluster(&plane, 1, "prod", &kubeconfig).await;
    let mut ids = Vec::new();
    for name in ["used", "free"] {
        let values = json!({"username": "ada", "password": "secret"});
        let body = json!({"name": name, "type": "password", "values": values});
        let (_, made) = plane.send(Method::POST, "/api/v1/orgs/1/secrets", &body).await;
        ids.push(made["id"].as_str().unwrap().to_owned());
    }
    let registry = json!({"registry": "127.0.0.1:5000", "secretId": format!("brn:1:secret:{}", ids[0])});
    let spec = json!({"spec": {"policy": {"policyId": "deny_all"}, "registries": [registry]}});
    let service = format!("{cluster}/services/securityscan");
    let (status, answer) = plane.send(Method::POST, &service, &spec).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{answer:#}");
    let (status, answer) =
        plane.send(Method::DELETE, &format!("/api/v1/orgs/1/secrets/{}", ids[0]), &json!(null)).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let text = answer.to_string();
    assert!(text.contains("running cluster uses it") && text.contains("cluster `prod`"), "{text}");
    let (status, answer) =
        plane.send(Method::DELETE, &format!("/api/v1/orgs/1/secrets/{}", ids[1]), &json!(null)).await;
    assert_eq!(status, StatusCode::NO_CONTENT, "{answer:#}");
    plane.close().await;
}

/// An engine with one account that does not answer at first, and notes what is deleted.
fn stumbling_engine(deleted: Arc<Mutex<Vec<String>>>) -> axum::Router {
    let asked = Arc::new(Mutex::new(0));
    axum::Router::new().fallback(move |method: Method, uri: axum::http::Uri| {
        let (asked, deleted) = (Arc::clone(&asked), Arc::clone(&deleted));
        async move {
            if method == Method::DELETE {
                deleted.lock().unwrap().push(uri.path().to_owned());
            }
            let mut asked = asked.lock().unwrap();
            *asked += 1;
            match *asked {
                0..=2 => (StatusCode::SERVICE_UNAVAILABLE, axum::Json(json!({"message": "not yet"}))),
                _ => (StatusCode::OK, axum::Json(json!({"name": "lost-anchore-user", "state": "enabled"}))),
            }
        }
    })
}

#[tokio::test]
async fn what_a_deleted_cluster_left_is_cleaned_up_however_long_the_engine_is_away() {
    const LOST: &str = "INSERT INTO plane_services (cluster_id, name, organization_id, status, spec, wanted, version, was_active, \
        failures, reason, inventory, created_by, created_us, updated_us) \
        VALUES (999, 'securityscan', 1, 'ERROR', '{}', 'active', 3, 1, 1, 'lost', $1, 'ada', 0, 0)";
    let folder = tempfile::tempdir().unwrap();
    let deleted = Arc::new(Mutex::new(Vec::new()));
    let mut settings = settings(folder.path(), ServiceSettings { attempts: 1, ..ServiceSettings::default() });
    settings.services.engine.as_mut().unwrap().router = stumbling_engine(Arc::clone(&deleted));
    let working = Working::start(settings).await;
    let plane = &working.plane;
    let values = json!({"username": "lost-anchore-user", "password": "secret"});
    let body =
        json!({"name": "lost-anchore-user", "type": "password", "values": values, "tags": ["banzai:hidden"]});
    let (status, made) = plane.send(Method::POST, "/api/v1/orgs/1/secrets", &body).await;
    assert_eq!(status, StatusCode::CREATED, "{made:#}");
    let database = support::database(folder.path()).await;
    let mut tx = database.begin().await.unwrap();
    let inventory = json!({"engine": {"choice": {"own": {"account": "lost-anchore-user"}}}}).to_string();
    storage::query(LOST).bind(inventory).execute(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    let deadline = Instant::now() + DEADLINE;
    loop {
        let left: i64 = storage::query(
            "SELECT (SELECT count(*) FROM plane_services) + (SELECT count(*) FROM jobs) + \
                (SELECT count(*) FROM plane_secrets)",
        )
        .fetch_value(&database)
        .await
        .unwrap();
        if left == 0 {
            break;
        }
        assert!(Instant::now() < deadline, "{left} rows are left");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let account = "/v1/accounts/lost-anchore-user";
    assert_eq!(*deleted.lock().unwrap(), [format!("{account}/users/lost-anchore-user"), account.to_owned()]);
    working.close().await;
}

#[tokio::test]
async fn registries_of_a_service_may_be_where_the_engine_pulls_from() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path(), ServiceSettings::default());
    let mut named = HostList::default();
    named.add("127.0.0.1:5000").unwrap();
    settings.registry_addresses =
        RegistryAddresses::guarded(AddressRule::PublicOnly, AddressRule::PrivateNetworks, named);
    let plane = TestPlane::start(settings.clone()).await;
    let kubeconfig = token_kubeconfig(&format!("https://{}", closed_port().await)).to_string();
    let cluster = add_cluster(&plane, 1, "prod", &kubeconfig).await;
    let values = json!({"username": "ada", "password": "secret"});
    let body = json!({"name": "login", "type": "password", "values": values});
    let (_, secret) = plane.send(Method::POST, "/api/v1/orgs/1/secrets", &body).await;
    plane.close().await;
    // What holds for clusters and engines does not count here.
    settings.addresses = AddressRule::PublicOnly;
    let plane = TestPlane::start(settings).await;
    let mut registries = Vec::new();
    for registry in ["127.0.0.1:5000", "10.0.0.1:5000/team", "127.0.0.1:5001", "169.254.169.254"] {
        registries.push(json!({"registry": registry, "secretId": secret["id"]}));
    }
    let spec = json!({"spec": {"policy": {"policyId": "deny_all"}, "registries": registries}});
    let (status, answer) = plane.send(Method::POST, &format!("{cluster}/services/securityscan"), &spec).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer:#}");
    let problems: Vec<&str> =
        answer["violations"].as_array().unwrap().iter().filter_map(|problem| problem.as_str()).collect();
    let [loopback, metadata] = problems[..] else { unreachable!("{answer:#}") };
    assert!(loopback.starts_with("registry `127.0.0.1:5001`: "), "{loopback}");
    assert!(loopback.contains("`registries.private-hosts`"), "{loopback}");
    assert!(metadata.starts_with("registry `169.254.169.254`: "), "{metadata}");
    plane.close().await;
}
