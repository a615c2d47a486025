//! An engine that writes down what it is asked, and a cluster whose service uses it.

use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{Response, StatusCode};
use control_plane::{ControlPlaneSettings, EngineAccess, ServiceSettings};
use reqwest::Method;
use serde_json::{Value, json};

use crate::cluster_support::{add_cluster, token_kubeconfig};
use crate::support::{TestPlane, database, settings};

/// Answers by the last word of the path; everything that it was asked is in the list.
#[derive(Clone, Default)]
pub(crate) struct RecordingEngine {
    asked: Arc<Mutex<Vec<Value>>>,
    /// Whether questions about accounts wait.
    is_held: Arc<tokio::sync::watch::Sender<bool>>,
}

impl RecordingEngine {
    /// What was asked since the last time.
    pub(crate) fn take(&self) -> Vec<Value> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    /// Lets questions about accounts wait, or go on.
    pub(crate) fn hold(&self, is_held: bool) {
        self.is_held.send_replace(is_held);
    }

    /// Whether something with this in its path was asked and not taken.
    pub(crate) fn was_asked(&self, part: &str) -> bool {
        self.asked.lock().unwrap().iter().any(|asked| asked["path"].as_str().unwrap().contains(part))
    }

    pub(crate) fn router(&self) -> Router {
        let engine = self.clone();
        Router::new().fallback(move |request: Request| {
            let engine = engine.clone();
            async move { engine.answer(request).await }
        })
    }

    async fn answer(&self, request: Request) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        let headers: serde_json::Map<String, Value> = parts
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), json!(value.to_str().unwrap_or_default())))
            .collect();
        let path = parts.uri.path().to_owned();
        self.asked.lock().unwrap().push(json!({
            "method": parts.method.as_str(),
            "path": path,
            "query": parts.uri.query(),
            "headers": headers,
            "body": String::from_utf8_lossy(&body),
        }));
        let json = |status: u16, body: Value| {
            let builder = Response::builder().status(status).header("content-type", "application/json");
            builder.header("set-cookie", "engine=1").body(Body::from(body.to_string())).unwrap()
        };
        if path.contains("/accounts/") {
            self.is_held.subscribe().wait_for(|is_held| !is_held).await.unwrap();
        }
        match path.rsplit('/').next().unwrap_or_default() {
            _ if path.contains("/account") => json(200, json!({"name": "x", "state": "enabled"})),
            "teapot" => json(418, json!({"message": "short and stout"})),
            "denied" => json(401, json!({"message": "wrong password"})),
            "moved" => Response::builder()
                .status(StatusCode::FOUND)
                .header("location", "http://169.254.169.254/")
                .body(Body::empty())
                .unwrap(),
            "long" => {
                Response::builder().header("content-length", "99999999999").body(Body::empty()).unwrap()
            }
            "policies" if parts.method == Method::POST => json(200, policy_record()),
            "policies" => json(200, json!([policy_record()])),
            "p1" if parts.method == Method::DELETE => json(200, Value::Null),
            "p1" => json(200, json!([policy_record()])),
            "p2" => json(404, json!({"message": "no such policy", "httpcode": 404, "detail": {}})),
            "images" if String::from_utf8_lossy(&body).contains("nosuch") => json(
                400,
                json!({"message": "cannot fetch", "httpcode": 400, "detail": {"error_codes": ["REGISTRY_IMAGE_NOT_FOUND"]}}),
            ),
            "all" => json(200, vulnerabilities()),
            word if word == "images" || word.starts_with("sha256:") => json(200, json!([image_record()])),
            _ => json(200, json!({})),
        }
    }
}

pub(crate) fn digest() -> String {
    format!("sha256:{}", "ab".repeat(32))
}

fn policy_record() -> Value {
    json!({
        "policyId": "p1", "userId": "u", "active": true, "policy_source": "local",
        "created_at": "2026-01-02T03:04:05Z", "last_updated": "2026-01-02T03:04:06Z",
        "policybundle": {"id": "p1", "version": "1_0", "policies": [], "mappings": [{"policy_ids": ["x"]}]},
    })
}

fn image_record() -> Value {
    json!({
        "imageDigest": digest(), "userId": "u", "image_status": "active", "analysis_status": "not_analyzed",
        "created_at": "2026-01-02T03:04:05Z", "last_updated": "2026-01-02T03:04:06Z", "image_content": {},
        "image_detail": [{"fulltag": "docker.io/library/nginx:1", "imageId": "i", "created_at": "2026-01-02T03:04:05Z"}],
    })
}

fn vulnerabilities() -> Value {
    json!({
        "imageDigest": digest(), "vulnerability_type": "all",
        "vulnerabilities": [{"vuln": "CVE-1", "fix": "2", "severity": "High", "feed_group": "debian:12", "package_name": "a"}],
    })
}

/// Settings with this engine as that of the installation.
pub(crate) fn settings_with(folder: &Path, engine: &RecordingEngine) -> ControlPlaneSettings {
    let access = EngineAccess {
        router: engine.router(),
        url: "http://127.0.0.1:8228".to_owned(),
        verdicts: Arc::new(|account, _| unreachable!("nobody judges for {account} here")),
        notify_running: Arc::new(|_, _, _| Box::pin(async { Ok(()) })),
    };
    ControlPlaneSettings {
        services: ServiceSettings { engine: Some(access), ..ServiceSettings::default() },
        ..settings(folder)
    }
}

/// A cluster whose service is active with the engine of the installation. Returns its path.
pub(crate) async fn active_cluster(plane: &TestPlane, folder: &Path, organization: i64) -> String {
    let kubeconfig = token_kubeconfig("https://127.0.0.1:1").to_string();
    let path = add_cluster(plane, organization, "demo", &kubeconfig).await;
    let id: i64 = path.rsplit_once('/').unwrap().1.parse().unwrap();
    let uid: String = storage::query("SELECT uid FROM plane_clusters WHERE id = $1")
        .bind(id)
        .fetch_value(&database(folder).await)
        .await
        .unwrap();
    let account = format!("{uid}-anchore-user");
    let secret = json!({
        "name": account, "type": "password", "tags": ["banzai:hidden"],
        "values": {"username": account, "password": "technical-password"},
    });
    let (status, made) =
        plane.send(Method::POST, &format!("/api/v1/orgs/{organization}/secrets"), &secret).await;
    assert_eq!(status, StatusCode::CREATED, "{made:#}");
    let choice = json!({"own": {"account": account}});
    set_service(folder, organization, id, "ACTIVE", Some(&choice)).await;
    path
}

/// Writes the row of a service, as activation leaves it.
pub(crate) async fn set_service(
    folder: &Path,
    organization: i64,
    cluster: i64,
    status: &'static str,
    choice: Option<&Value>,
) {
    let inventory = json!({"engine": choice.map(|choice| json!({"choice": choice}))});
    let database = database(folder).await;
    let mut tx = database.begin().await.unwrap();
    storage::query(
        "INSERT INTO plane_services (cluster_id, name, organization_id, status, spec, wanted, version, was_active, failures, \
            reason, inventory, created_by, created_us, updated_us) \
         VALUES ($1, 'securityscan', $2, $3, '{}', 'active', 1, 1, 0, '', $4, 'ada', 0, 0) \
         ON CONFLICT (cluster_id, name) DO UPDATE SET status = excluded.status, inventory = excluded.inventory",
    )
    .bind(cluster)
    .bind(organization)
    .bind(status)
    .bind(inventory.to_string())
    .execute(&mut tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();
}
