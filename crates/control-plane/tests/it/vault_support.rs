//! What the tests of secrets share: a real Vault, and both places that keep secrets.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use control_plane::{
    ControlPlaneSettings, NewSecret, SecretKind, SecretStoreSettings, SecretValue, VaultLogin, VaultSettings,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::VaultServer;

use crate::support::{TestPlane, answer, settings};

pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// A running Vault and somebody who may do everything in it.
pub(crate) struct TestVault {
    url: String,
    root_token: String,
    client: reqwest::Client,
}

impl TestVault {
    /// The one that all tests of this process share, each with a mount of its own.
    pub(crate) async fn shared() -> Self {
        static SERVER: OnceLock<VaultServer> = OnceLock::new();
        let start = || SERVER.get_or_init(|| VaultServer::start().unwrap());
        Self::of(tokio::task::spawn_blocking(start).await.unwrap())
    }

    pub(crate) fn of(server: &VaultServer) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut builder = reqwest::Client::builder();
        if let Some(path) = server.certificate() {
            let pem = fs_err::read_to_string(path).unwrap();
            builder = builder.tls_certs_merge([reqwest::Certificate::from_pem(pem.as_bytes()).unwrap()]);
        }
        let (url, root_token) = (server.url(), server.root_token().to_owned());
        Self { url, root_token, client: builder.build().unwrap() }
    }

    pub(crate) async fn try_call(&self, method: Method, path: &str, body: &Value) -> (StatusCode, Value) {
        let request = self.client.request(method, format!("{}/v1/{path}", self.url));
        answer(request.header("x-vault-token", &self.root_token).json(body)).await
    }

    /// A call that has to succeed.
    pub(crate) async fn call(&self, method: Method, path: &str, body: &Value) -> Value {
        let (status, answer) = self.try_call(method, path, body).await;
        assert!(status.is_success(), "{path}: {status} {answer:#}");
        answer
    }

    /// A key-value engine that nobody else uses. Returns its path.
    pub(crate) async fn mount(&self, version: &str) -> String {
        let path = format!("team/kv-{}", uuid::Uuid::new_v4());
        let body = json!({"type": "kv", "options": {"version": version}});
        self.call(Method::POST, &format!("sys/mounts/{path}"), &body).await;
        path
    }

    /// A policy for the secrets below a mount. Returns its name.
    pub(crate) async fn policy(&self, mount: &str) -> String {
        let name = format!("secrets-{}", uuid::Uuid::new_v4());
        let text = format!(
            "path \"{mount}/data/orgs/*\" {{ capabilities = [\"create\", \"read\", \"update\"] }}\n\
             path \"{mount}/metadata/orgs/*\" {{ capabilities = [\"list\", \"delete\"] }}\n"
        );
        self.call(Method::POST, &format!("sys/policies/acl/{name}"), &json!({"policy": text})).await;
        name
    }

    pub(crate) fn settings(&self, mount: &str, login: VaultLogin) -> VaultSettings {
        VaultSettings {
            address: self.url.clone(),
            namespace: None,
            ca_certificates: Vec::new(),
            mount: mount.to_owned(),
            base: "orgs".to_owned(),
            login,
            time_max: Duration::from_secs(10),
        }
    }

    /// Settings of who may do everything.
    pub(crate) fn root_settings(&self, mount: &str) -> VaultSettings {
        self.settings(mount, VaultLogin::Token(SecretValue::new(&self.root_token)))
    }
}

/// Settings of a control plane whose secrets are in a Vault.
pub(crate) fn with_vault(folder: &Path, vault: VaultSettings) -> ControlPlaneSettings {
    ControlPlaneSettings { secrets: SecretStoreSettings::Vault(Box::new(vault)), ..settings(folder) }
}

/// The same case in both places that keep secrets. On PostgreSQL only the tables: Vault knows nothing of databases.
pub(crate) async fn in_both_places(case: impl AsyncFn(&TestPlane, &Path)) {
    let folder = tempfile::tempdir().unwrap();
    let plane = TestPlane::start(settings(folder.path())).await;
    case(&plane, folder.path()).await;
    plane.close().await;
    if env!("CARGO_CRATE_NAME") == "it_postgres" {
        return;
    }
    let vault = TestVault::shared().await;
    let mount = vault.mount("2").await;
    let folder = tempfile::tempdir().unwrap();
    let plane = TestPlane::start(with_vault(folder.path(), vault.root_settings(&mount))).await;
    case(&plane, folder.path()).await;
    plane.close().await;
}

/// A secret of the kind `password`.
pub(crate) fn password(name: &str, password: &str) -> NewSecret {
    let values = [("username", "ada"), ("password", password)];
    NewSecret {
        name: name.to_owned(),
        kind: SecretKind::Password,
        values: BTreeMap::from(values.map(|(key, value)| (key.to_owned(), SecretValue::new(value)))),
        tags: Vec::new(),
        updated_by: "ada".to_owned(),
    }
}
