//! What the tests share: a control plane with a listener.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use control_plane::{
    AddressRule, ControlPlane, ControlPlaneSettings, FirstStart, RunningSettings, SecretStoreSettings,
    ServiceSettings,
};
use jiff::Timestamp;
use outbound_guard::RegistryAddresses;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use storage::{Database, Location, PostgresSettings, Sealer};
use testkit::PostgresDatabase;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

const START: &str = "2026-11-22T03:00:00Z";
static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A clock that begins at the same time in every run.
pub(crate) fn clock() -> Timestamp {
    let start: Timestamp = START.parse().unwrap();
    start + STARTED.elapsed()
}

/// A running control plane with its listener, and the token of its first user.
pub(crate) struct TestPlane {
    pub(crate) first_start: FirstStart,
    pub(crate) url: String,
    pub(crate) token: String,
    client: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    task: tokio::task::JoinHandle<()>,
}

pub(crate) fn settings(folder: &Path) -> ControlPlaneSettings {
    ControlPlaneSettings {
        data_dir: folder.to_owned(),
        base_path: "/pipeline".to_owned(),
        signing_key: None,
        first_user: "ada".to_owned(),
        first_organization: "acme".to_owned(),
        program_version: "1.2.3".to_owned(),
        engine_url: "http://127.0.0.1:8228/v1".to_owned(),
        login: None,
        secrets: SecretStoreSettings::Embedded,
        addresses: AddressRule::PrivateToo,
        registry_addresses: RegistryAddresses::default(),
        cluster_check_every: Duration::from_millis(300),
        services: ServiceSettings::default(),
        running: RunningSettings::default(),
        clock,
    }
}

/// Where the tables of the control plane in this folder are. `tests/it_postgres` is a link to this folder: the same tests are
/// compiled once more under that name, and have an empty database on a server for each folder.
fn storage_of(folder: &Path) -> Location {
    static DATABASES: Mutex<BTreeMap<PathBuf, PostgresDatabase>> = Mutex::new(BTreeMap::new());
    if env!("CARGO_CRATE_NAME") != "it_postgres" {
        return Location::File(folder.join("plane.db"));
    }
    let mut databases = DATABASES.lock().unwrap();
    let database =
        databases.entry(folder.to_owned()).or_insert_with(|| testkit::postgres_database().unwrap());
    Location::Postgres(PostgresSettings::new(database.url.clone()))
}

/// The database of the control plane in this folder.
pub(crate) async fn database(folder: &Path) -> Database {
    Database::open(&storage_of(folder)).await.unwrap()
}

pub(crate) async fn open(settings: ControlPlaneSettings) -> (Arc<ControlPlane>, FirstStart) {
    let database = Database::open(&storage_of(&settings.data_dir)).await.unwrap();
    let sealer = Sealer::open_or_create(&settings.data_dir.join("sealing.keys")).unwrap();
    ControlPlane::open(settings, database, Arc::new(sealer)).await.unwrap()
}

impl TestPlane {
    pub(crate) async fn start(settings: ControlPlaneSettings) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::start_on(listener, settings).await
    }

    /// The same on a listener whose address the settings know.
    pub(crate) async fn start_on(listener: tokio::net::TcpListener, settings: ControlPlaneSettings) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let token_file = settings.data_dir.join(control_plane::TOKEN_FILE);
        let (plane, first_start) = open(settings).await;
        let token = fs_err::read_to_string(token_file).unwrap_or_default().trim().to_owned();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let readiness: control_plane::Readiness = Arc::new(|| Box::pin(std::future::ready(Ok(()))));
        let watched = CancellationToken::new();
        let watching = tokio::spawn(Arc::clone(&plane).watch_clusters(watched.clone()));
        let router = control_plane::http::router(plane, readiness);
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let shutdown = async { drop(stopped.await) };
            axum::serve(listener, router).with_graceful_shutdown(shutdown).await.unwrap();
            watched.cancel();
            watching.await.unwrap();
        });
        Self { first_start, url, token, client: reqwest::Client::new(), stop: Some(stop), task }
    }

    /// Adds a second organization, where the first user is an administrator too. Returns its number.
    pub(crate) async fn add_organization(&self, folder: &Path, name: &str) -> i64 {
        let database = database(folder).await;
        let mut tx = database.begin().await.unwrap();
        let id: i64 = storage::query(
            "INSERT INTO plane_organizations (id, name, provider, created_us, updated_us) \
             SELECT count(*) + 1, $1, 'test', 0, 0 FROM plane_organizations RETURNING id",
        )
        .bind(name)
        .fetch_value(&mut tx)
        .await
        .unwrap();
        storage::query(
            "INSERT INTO plane_members (organization_id, user_id, role, created_us) VALUES ($1, 1, 'admin', 0)",
        )
        .bind(id)
        .execute(&mut tx)
        .await
        .unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// Makes the first user something else in the first organization.
    pub(crate) async fn set_role(&self, folder: &Path, role: &'static str) {
        let sql = match role {
            "member" => "UPDATE plane_members SET role = 'member' WHERE organization_id = 1 AND user_id = $1",
            _ => "UPDATE plane_members SET role = 'admin' WHERE organization_id = 1 AND user_id = $1",
        };
        change_database(folder, sql, 1).await;
    }

    /// Ends the listener in order.
    pub(crate) async fn close(mut self) {
        drop(self.stop.take());
        drop(self.client);
        self.task.await.unwrap();
    }

    pub(crate) fn anonymous(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// A request of the first user.
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.anonymous(method, path).bearer_auth(&self.token)
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        answer(self.request(Method::GET, path)).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: &Value) -> (StatusCode, Value) {
        answer(self.request(method, path).json(body)).await
    }
}

/// Status and body; an empty body is null.
pub(crate) async fn answer(request: reqwest::RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    let status = response.status();
    let text = response.text().await.unwrap();
    let body = if text.is_empty() {
        Value::Null
    } else {
        serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text))
    };
    (status, body)
}

/// Changes the tables behind the back of the control plane.
pub(crate) async fn change_database(folder: &Path, sql: &'static str, id: i64) {
    let database = Database::open(&storage_of(folder)).await.unwrap();
    let mut tx = database.begin().await.unwrap();
    storage::query(sql).bind(id).execute(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
}
