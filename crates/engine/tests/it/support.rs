//! What the tests share: an engine with a listener, images, bundles and a small vulnerability database.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use engine::{Engine, EngineSettings};
use jiff::Timestamp;
use model::{
    Advisory, AffectedPackage, AffectedState, Ecosystem, FeedKind, RangeEnd, Severity, SeverityRating,
    VersionInterval,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use storage::{Location, PostgresSettings};
use testkit::{Image, ImageBuilder, Layer, PostgresDatabase, Registry, RegistryMode};
use tokio::sync::oneshot;
use vulnerability_db::DatabaseSource;

pub(crate) const PASSWORD: &str = "correct horse";
const START: &str = "2026-11-22T03:00:00Z";
static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A clock that begins at the same time in every run.
pub(crate) fn clock() -> Timestamp {
    let start: Timestamp = START.parse().unwrap();
    start + STARTED.elapsed()
}

/// A running engine with its listener and, if asked for, its workers.
pub(crate) struct TestEngine {
    pub(crate) engine: Arc<Engine>,
    pub(crate) url: String,
    client: reqwest::Client,
    stop: Vec<oneshot::Sender<()>>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

pub(crate) fn settings(folder: &Path, registry: Option<&Registry>) -> EngineSettings {
    let mut settings = EngineSettings::new(folder.join("data"), folder.join("vulnerabilities.db"), clock);
    settings.admin_password = Some(PASSWORD.to_owned());
    settings.storage = storage_of(folder);
    settings.scan.registry.retry.tries_max = 1;
    if let Some(registry) = registry {
        settings.scan.registry.insecure_registries.insert(registry.host());
    }
    settings
}

/// Where the tables of the engine in this folder are. `tests/it_postgres` is a link to this folder: the same tests are compiled
/// once more under that name, and have an empty database on a server for each folder.
pub(crate) fn storage_of(folder: &Path) -> Option<Location> {
    static DATABASES: Mutex<BTreeMap<PathBuf, PostgresDatabase>> = Mutex::new(BTreeMap::new());
    if env!("CARGO_CRATE_NAME") != "it_postgres" {
        return None;
    }
    let mut databases = DATABASES.lock().unwrap();
    let database =
        databases.entry(folder.to_owned()).or_insert_with(|| testkit::postgres_database().unwrap());
    Some(Location::Postgres(PostgresSettings::new(database.url.clone())))
}

/// The tables of the engine in this folder, for tests that play a lost process.
pub(crate) async fn open_storage(folder: &Path) -> storage::Database {
    let location = storage_of(folder).unwrap_or_else(|| Location::File(folder.join("data/engine.db")));
    storage::Database::open(&location).await.unwrap()
}

impl TestEngine {
    pub(crate) async fn start(settings: EngineSettings, with_workers: bool) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let engine = Arc::new(Engine::open(settings).await.unwrap().0);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let router = engine::http::router(engine.clone());
        let mut this =
            Self { engine, url, client: reqwest::Client::new(), stop: vec![stop], tasks: Vec::new() };
        this.tasks.push(tokio::spawn(async move {
            let shutdown = async { drop(stopped.await) };
            axum::serve(listener, router).with_graceful_shutdown(shutdown).await.unwrap();
        }));
        if with_workers {
            let (stop, stopped) = oneshot::channel::<()>();
            this.stop.push(stop);
            let workers = this.engine.clone().run_workers(async { drop(stopped.await) });
            this.tasks.push(tokio::spawn(workers));
        }
        this
    }

    /// Also does the duties, at the intervals of the settings.
    pub(crate) fn with_duties(mut self) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        self.stop.push(stop);
        let duties = self.engine.clone().run_duties(async { drop(stopped.await) });
        self.tasks.push(tokio::spawn(duties));
        self
    }

    /// Ends listener, workers and engine in order.
    pub(crate) async fn close(self) {
        drop(self.stop);
        drop(self.client);
        for task in self.tasks {
            task.await.unwrap();
        }
        self.engine.shutdown().await;
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).basic_auth("admin", Some(PASSWORD))
    }

    pub(crate) fn anonymous(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        answer(self.request(Method::GET, path)).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: &Value) -> (StatusCode, Value) {
        answer(self.request(method, path).json(body)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        self.send(Method::POST, path, body).await
    }

    /// Adds an image and waits for the end of its analysis. Returns its record.
    pub(crate) async fn add_and_wait(&self, tag: &str) -> Value {
        let (status, added) = self.post("/v1/images", &json!({"tag": tag})).await;
        assert_eq!(status, StatusCode::OK, "{added:#}");
        self.wait(added[0]["imageDigest"].as_str().unwrap()).await
    }

    pub(crate) async fn wait(&self, digest: &str) -> Value {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let (_, records) = self.get(&format!("/images/{digest}")).await;
            if matches!(records[0]["analysis_status"].as_str(), Some("analyzed" | "analysis_failed")) {
                return records[0].clone();
            }
            assert!(Instant::now() < deadline, "{records:#}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn check(&self, digest: &str, tag: &str) -> (StatusCode, Value) {
        self.get(&format!("/v1/images/{digest}/check?history=false&detail=true&tag={tag}")).await
    }
}

pub(crate) async fn answer(request: reqwest::RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    let status = response.status();
    let text = response.text().await.unwrap();
    let value = serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text));
    (status, value)
}

/// Does the duties until a condition holds.
pub(crate) async fn duties(engine: &TestEngine, is_done: impl AsyncFn() -> bool) {
    let (stop, stopped) = oneshot::channel::<()>();
    let duties = tokio::spawn(engine.engine.clone().run_duties(async { drop(stopped.await) }));
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_done().await {
        assert!(Instant::now() < deadline, "the duties did not do it");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(stop);
    duties.await.unwrap();
}

pub(crate) fn registry() -> Registry {
    Registry::start(RegistryMode::Open).unwrap()
}

/// Debian 12 with one package, built from `openssl` of this version.
pub(crate) fn debian_image(openssl: &str) -> Image {
    debian_image_of("libssl3", "openssl", openssl)
}

/// Debian 12 with one package.
pub(crate) fn debian_image_of(package: &str, source: &str, version: &str) -> Image {
    let status = format!(
        "Package: {package}\nStatus: install ok installed\nMaintainer: Somebody <a@example.org>\nArchitecture: amd64\n\
         Source: {source}\nVersion: {version}\nInstalled-Size: 6000\nDescription: a library\n\n"
    );
    let release = "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n";
    ImageBuilder::new()
        .layer(Layer::new().file("etc/os-release", release).file("var/lib/dpkg/status", &status))
        .build()
}

pub(crate) const VULNERABLE: &str = "3.0.9-1";
pub(crate) const FIXED: &str = "3.0.11-1";

/// Writes a database in which `openssl` of Debian 12 is vulnerable before [`FIXED`].
pub(crate) fn write_database(path: &Path) {
    write_database_fixed(path, FIXED);
}

/// The same, fixed in this version.
pub(crate) fn write_database_fixed(path: &Path, fixed: &str) {
    let advisory = Advisory {
        id: "CVE-2099-0001".to_owned(),
        aliases: Vec::new(),
        feed: FeedKind::DebianTracker,
        summary: Some("a hole".to_owned()),
        url: Some("https://security.example.org/CVE-2099-0001".to_owned()),
        severities: Vec::new(),
        published: None,
        modified: None,
        is_withdrawn: false,
        affected: vec![AffectedPackage {
            ecosystem: Ecosystem { family: "debian".to_owned(), release: Some("12".to_owned()) },
            package: "openssl".to_owned(),
            state: AffectedState::Affected,
            intervals: vec![VersionInterval { introduced: None, end: RangeEnd::Fixed(fixed.to_owned()) }],
            versions: Vec::new(),
            severities: vec![SeverityRating {
                source: "debian".to_owned(),
                severity: Severity::High,
                vector: None,
                score: None,
            }],
            modularity: None,
        }],
    };
    let source = DatabaseSource {
        kind: FeedKind::DebianTracker,
        name: "tracker.json".to_owned(),
        advisories: vec![advisory],
        diagnostics_count: 0,
        synced_at: START.parse().unwrap(),
    };
    let image = vulnerability_db::build(vec![source], START.parse().unwrap()).unwrap();
    vulnerability_db::write(&image, path).unwrap();
}

pub(crate) fn database_path(folder: &Path) -> PathBuf {
    folder.join("vulnerabilities.db")
}

/// A bundle of one rule for all images.
pub(crate) fn bundle(id: &str, gate: &str, trigger: &str, action: &str, params: Value) -> Value {
    json!({
        "id": id, "version": "1_0", "name": format!("bundle {id}"), "comment": "", "whitelists": [],
        "whitelisted_images": [], "blacklisted_images": [],
        "policies": [{"id": "p1", "version": "1_0", "name": "p", "comment": "", "rules": [
            {"id": "r1", "gate": gate, "trigger": trigger, "action": action, "params": params}]}],
        "mappings": [{"id": "m1", "name": "all", "registry": "*", "repository": "*",
            "image": {"type": "tag", "value": "*"}, "policy_ids": ["p1"], "whitelist_ids": []}],
    })
}

/// Refuses vulnerabilities of severity high and above.
pub(crate) fn refuse_high(id: &str) -> Value {
    let params = json!([
        {"name": "package_type", "value": "all"},
        {"name": "severity_comparison", "value": ">="},
        {"name": "severity", "value": "high"},
    ]);
    bundle(id, "vulnerabilities", "package", "STOP", params)
}

/// Stores a bundle and makes it the active one.
pub(crate) async fn activate(engine: &TestEngine, bundle: &Value) {
    let (status, record) = engine.post("/v1/policies", bundle).await;
    assert_eq!(status, StatusCode::OK, "{record:#}");
    let mut record = record;
    record["active"] = json!(true);
    let path = format!("/v1/policies/{}", bundle["id"].as_str().unwrap());
    let (status, records) = engine.send(Method::PUT, &path, &record).await;
    assert_eq!(status, StatusCode::OK, "{records:#}");
    assert_eq!(records[0]["active"], true);
}
