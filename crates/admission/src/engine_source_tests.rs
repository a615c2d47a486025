//! The source against an engine that answers with the documents of the contract.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Json;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use engine_client::ClientSettings;
use model::Severity;
use serde_json::{Value, json};

use super::*;
use crate::test_support::{digest, now};

/// What the engine says at the moment.
struct Engine {
    /// How many reads of the image until it is analysed.
    reads_until_analysed: AtomicUsize,
    analysis_end: &'static str,
    add_answer: Option<(u16, Value)>,
    active: Mutex<&'static str>,
    exceptions: Mutex<Option<&'static str>>,
    /// What the feeds say of the database.
    database: Mutex<&'static str>,
    status: &'static str,
    rows: Vec<(&'static str, &'static str, &'static str, &'static str)>,
    posted: Mutex<Vec<Value>>,
    /// Whether the image is there before it is added.
    is_known: bool,
    asked_about: Mutex<Vec<String>>,
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            reads_until_analysed: AtomicUsize::new(2),
            analysis_end: "analyzed",
            add_answer: None,
            active: Mutex::new("deny_all"),
            exceptions: Mutex::default(),
            database: Mutex::new("loaded: revision 1"),
            status: "pass",
            rows: Vec::new(),
            posted: Mutex::default(),
            is_known: true,
            asked_about: Mutex::default(),
        }
    }
}

impl Engine {
    fn image(&self) -> Json<Value> {
        let left = self.reads_until_analysed.load(Ordering::SeqCst);
        self.reads_until_analysed.store(left.saturating_sub(1), Ordering::SeqCst);
        let status = if left == 0 { self.analysis_end } else { "analyzing" };
        Json(json!([{ "imageDigest": digest(3).to_string(), "analysis_status": status, "image_detail": [] }]))
    }

    fn check(&self) -> Json<Value> {
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|(trigger_id, gate, trigger, action)| {
                json!(["id", "docker.io/a:1", trigger_id, gate, trigger, "found", action, false, "p"])
            })
            .collect();
        let result = json!({ "image_id": "id", "final_action": "stop", "result": { "id": { "result": { "rows": rows } } } });
        Json(json!([{ (digest(3).to_string()): { "docker.io/a:1": [{
            "policyId": *self.active.lock().unwrap(), "status": self.status,
            "last_evaluation": "2026-01-01T00:00:00Z", "detail": { "result": result },
        }] } }]))
    }

    fn feeds(&self) -> Json<Value> {
        let state = *self.database.lock().unwrap();
        Json(
            json!([{ "name": "vulnerabilities", "groups": [], "state": state }, { "name": "osv", "groups": [] }]),
        )
    }

    fn policies(&self, with_bundle: Option<&str>) -> Json<Value> {
        let active = *self.active.lock().unwrap();
        let bundle = |id: &str| {
            let predefined = policy::predefined_bundles().iter().find(|bundle| bundle.id == id);
            predefined.map_or(json!({}), |bundle| serde_json::from_str(bundle.json).unwrap())
        };
        let record = |id: &str| json!({ "policyId": id, "active": id == active, "policybundle": bundle(id), "exceptions_revision": *self.exceptions.lock().unwrap() });
        match with_bundle {
            Some(id) => Json(json!([record(id)])),
            None => Json(json!([record("allow_all_and_warn"), record("deny_all")])),
        }
    }
}

async fn serve(engine: Engine) -> (Arc<Engine>, EngineClientSource) {
    // A second test of the same process finds the provider installed.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let engine = Arc::new(engine);
    type S = State<Arc<Engine>>;
    let router = Router::new()
        .route(
            "/v1/images",
            axum::routing::post(|State(engine): S, Json(body): Json<Value>| async move {
                engine.posted.lock().unwrap().push(body);
                match &engine.add_answer {
                    Some((status, body)) => (StatusCode::from_u16(*status).unwrap(), Json(body.clone())),
                    None => (StatusCode::OK, engine.image()),
                }
            }),
        )
        .route(
            "/v1/images/{digest}",
            get(|State(engine): S| async move {
                if engine.is_known || !engine.posted.lock().unwrap().is_empty() {
                    (StatusCode::OK, engine.image())
                } else {
                    (StatusCode::NOT_FOUND, Json(json!({ "message": "image data not found in DB" })))
                }
            }),
        )
        .route(
            "/v1/images/{digest}/check",
            get(|State(engine): S, Query(query): Query<BTreeMap<String, String>>| async move {
                engine.asked_about.lock().unwrap().push(query["tag"].clone());
                engine.check()
            }),
        )
        .route(
            "/v1/images/{digest}/vuln/all",
            get(|| async {
                Json(json!({ "vulnerabilities": [{
                    "vuln": "CVE-2026-1", "severity": "High", "package_name": "openssl",
                    "package_version": "1.0", "package_type": "dpkg", "fix": "1.1",
                }] }))
            }),
        )
        .route("/v1/policies", get(|State(engine): S| async move { engine.policies(None) }))
        .route(
            "/v1/policies/{id}",
            get(|State(engine): S, Path(id): Path<String>| async move { engine.policies(Some(&id)) }),
        )
        .route("/v1/system/feeds", get(|State(engine): S| async move { engine.feeds() }))
        .with_state(Arc::clone(&engine));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let client = Client::new(&ClientSettings::new(url, "admin", "secret")).unwrap();
    (engine, EngineClientSource::new(client, now))
}

async fn ask(source: &EngineClientSource, image: &str, time: Duration) -> Result<Verdict, VerdictError> {
    let question = VerdictQuestion { reference: image.parse().unwrap(), deadline: Instant::now() + time };
    source.verdict(&question).await
}

#[tokio::test]
async fn an_image_is_added_waited_for_and_judged() {
    let engine = Engine {
        status: "fail",
        rows: vec![
            ("CVE-2026-1+openssl", "vulnerabilities", "package", "stop"),
            ("CVE-2026-2+zlib", "vulnerabilities", "package", "warn"),
            ("CVE-2026-3+zlib", "vulnerabilities", "package", "go"),
            ("root+x", "dockerfile", "effective_user", "stop"),
        ],
        ..Engine::default()
    };
    let (engine, source) = serve(engine).await;
    let verdict = ask(&source, "a:1", Duration::from_secs(20)).await.unwrap();
    assert_eq!(engine.posted.lock().unwrap().as_slice(), [json!({ "tag": "docker.io/a:1" })]);
    assert!(!verdict.is_pass);
    assert_eq!((verdict.digest, verdict.policy_id.as_str()), (digest(3), "deny_all"));
    let openssl = &verdict.reasons[0];
    assert_eq!(openssl.vulnerability.as_deref(), Some("CVE-2026-1"));
    assert_eq!(openssl.installed.as_deref(), Some("1.0"));
    assert_eq!((openssl.fixed_in.as_deref(), openssl.severity), (Some("1.1"), Some(Severity::High)));
    assert_eq!((verdict.reasons[1].trigger.as_str(), &verdict.reasons[1].package), ("effective_user", &None));
    assert_eq!(verdict.reasons.len(), 2);
    assert_eq!(verdict.warnings.len(), 1);
    assert_eq!(verdict.warnings[0].package.as_deref(), Some("zlib"));
}

#[tokio::test]
async fn a_written_digest_is_not_resolved_again() {
    let (engine, source) = serve(Engine::default()).await;
    let image = format!("a:1@{}", digest(3));
    assert!(ask(&source, &image, Duration::from_secs(20)).await.unwrap().is_pass);
    assert!(engine.posted.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_digest_that_the_engine_does_not_know_is_added_under_a_tag_of_its_own() {
    let hex = digest(3).hex().to_owned();
    let posted =
        json!({ "tag": format!("docker.io/a:digest-{hex}"), "digest": format!("docker.io/a@sha256:{hex}") });
    for (image, name) in [
        (format!("a@{}", digest(3)), format!("docker.io/a:digest-{hex}")),
        (format!("a:1@{}", digest(3)), "docker.io/a:1".to_owned()),
    ] {
        for engine in [
            Engine { is_known: false, ..Engine::default() },
            // Only the first read finds the failure; adding starts the analysis again.
            Engine {
                reads_until_analysed: AtomicUsize::new(0),
                analysis_end: "analysis_failed",
                ..Engine::default()
            },
        ] {
            let (engine, source) = serve(engine).await;
            let verdict = ask(&source, &image, Duration::from_secs(20)).await;
            assert_eq!(engine.posted.lock().unwrap().as_slice(), std::slice::from_ref(&posted), "{image}");
            if !engine.is_known {
                assert!(verdict.unwrap().is_pass);
                assert_eq!(engine.asked_about.lock().unwrap().as_slice(), std::slice::from_ref(&name));
            }
        }
    }
}

#[tokio::test]
async fn what_the_engine_cannot_tell_is_told_apart() {
    let check = async |engine: Engine, time_ms: u64, expected: VerdictError| {
        let (_, source) = serve(engine).await;
        assert_eq!(ask(&source, "a:1", Duration::from_millis(time_ms)).await, Err(expected));
    };
    let endless = Engine { reads_until_analysed: AtomicUsize::new(usize::MAX), ..Engine::default() };
    check(endless, 700, VerdictError::NotYet).await;
    let failed = Engine { analysis_end: "analysis_failed", ..Engine::default() };
    let why = "the engine gives no reason".to_owned();
    check(failed, 20_000, VerdictError::AnalysisFailed(why)).await;
    let refused = |code: &str| Engine {
        add_answer: Some((
            400,
            json!({ "message": "cannot fetch", "httpcode": 400, "detail": { "error_codes": [code] } }),
        )),
        ..Engine::default()
    };
    check(refused("REGISTRY_IMAGE_NOT_FOUND"), 5_000, VerdictError::NotFound).await;
    let denied = VerdictError::Unauthorized("cannot fetch".to_owned());
    check(refused("REGISTRY_PERMISSION_DENIED"), 5_000, denied).await;
    let other = VerdictError::AnalysisFailed("cannot fetch".to_owned());
    check(refused("UNKNOWN"), 5_000, other).await;
    let nothing_active = Engine { active: Mutex::new("none"), ..Engine::default() };
    check(nothing_active, 20_000, VerdictError::NoPolicy).await;
}

#[tokio::test]
async fn the_state_follows_the_active_policy_and_brings_its_bundle() {
    let (engine, source) = serve(Engine::default()).await;
    let first = source.state().await.unwrap();
    let reference = "a:1".parse().unwrap();
    let refusal = policy::judge_without_image(first.bundle.as_ref().unwrap(), &reference, now());
    assert!(refusal.is_some_and(|decision| !decision.is_pass()), "deny_all refuses whatever the image holds");
    assert_eq!(source.state().await.unwrap().policy_revision, first.policy_revision);
    *engine.active.lock().unwrap() = "allow_all_and_warn";
    let second = source.state().await.unwrap();
    assert_ne!(second.policy_revision, first.policy_revision);
    assert_eq!(second.database_revision, first.database_revision);
    assert_eq!(second.bundle.unwrap().id(), "allow_all_and_warn");
    // So does what somebody has accepted.
    *engine.exceptions.lock().unwrap() = Some("e1");
    assert_ne!(source.state().await.unwrap().policy_revision, second.policy_revision);
}

#[tokio::test]
async fn the_state_follows_the_database_that_is_in_force() {
    let (engine, source) = serve(Engine::default()).await;
    let first = source.state().await.unwrap();
    assert_eq!(source.state().await.unwrap().database_revision, first.database_revision);
    // Nothing else that the feeds say has changed: the times were there before the database.
    *engine.database.lock().unwrap() = "loaded: revision 2";
    let second = source.state().await.unwrap();
    assert_ne!(second.database_revision, first.database_revision);
    assert_eq!(second.policy_revision, first.policy_revision);
}
