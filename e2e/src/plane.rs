//! The control plane of a running `lazaret serve`, asked as its first user.

use std::net::TcpListener;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Cluster, wait_until};

use crate::stage::{ADMIN_PASSWORD, Engine, EngineOptions, address_in};

/// How long a service may take to become what is wanted; machines are slow when others build on them.
const SERVICE_DEADLINE: Duration = Duration::from_secs(120);
const CALL_DEADLINE: Duration = Duration::from_secs(60);

/// `lazaret serve` with the webhooks of clusters on a listener of its own.
#[derive(Debug)]
pub struct Plane {
    /// The program.
    pub engine: Engine,
    runtime: tokio::runtime::Runtime,
    client: reqwest::Client,
}

impl Plane {
    /// Starts it. The webhooks keep their port over restarts, because clusters know it.
    pub fn start(options: EngineOptions) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut options = options;
        options.settings.push(format!("listeners.webhooks=127.0.0.1:{port}"));
        Self::start_without_webhooks(options)
    }

    /// Starts it without a listener for webhooks: they run in the clusters.
    pub fn start_without_webhooks(options: EngineOptions) -> Result<Self> {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut options = options;
        options.settings.push("duties.account-deletion=1s".to_owned());
        let engine = Engine::start(options)?;
        Ok(Self {
            engine,
            runtime: tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?,
            client: reqwest::Client::builder().timeout(CALL_DEADLINE).build()?,
        })
    }

    /// One request to the control plane; an empty answer is null.
    pub fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<(u16, Value)> {
        let url = format!("{}/api/v1{path}", self.url()?);
        self.send(self.client.request(method, url).bearer_auth(self.token()?), body)
    }

    /// The token of the first user.
    pub fn token(&self) -> Result<String> {
        Ok(fs_err::read_to_string(self.engine.data_folder().join("admin.token"))?.trim().to_owned())
    }

    /// Its address with the base path.
    pub fn url(&self) -> Result<String> {
        let output = self.engine.output();
        let line = output.lines().rfind(|line| line.starts_with("control plane ")).context("no address")?;
        Ok(format!("http://{}/pipeline", address_in(line, "http://")?))
    }

    /// One request to the engine, as its administrator in an account.
    pub fn call_engine(&self, account: &str, path: &str) -> Result<(u16, Value)> {
        self.change_engine(Method::GET, account, path, None)
    }

    /// The same with any method and a body.
    pub fn change_engine(
        &self,
        method: Method,
        account: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(u16, Value)> {
        let url = format!("{}/v1{path}", self.engine.url());
        let request = self.client.request(method, url).basic_auth("admin", Some(ADMIN_PASSWORD));
        self.send(request.header("x-anchore-account", account), body)
    }

    fn send(&self, request: reqwest::RequestBuilder, body: Option<&Value>) -> Result<(u16, Value)> {
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        self.runtime.block_on(async {
            let response = request.send().await?;
            let status = response.status().as_u16();
            let text = response.text().await?;
            let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
            Ok((status, if body == "" { Value::Null } else { body }))
        })
    }

    /// The same, when it has to succeed.
    pub fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let (status, answer) = self.call(method.clone(), path, body)?;
        ensure!(status < 300, "{method} {path}: {status} {answer:#}");
        Ok(answer)
    }

    /// Makes a secret and returns its id.
    pub fn add_secret(&self, name: &str, kind: &str, values: &Value) -> Result<String> {
        let body = json!({"name": name, "type": kind, "values": values});
        let made = self.ask(Method::POST, "/orgs/1/secrets?validate=false", Some(&body))?;
        Ok(made["id"].as_str().context("a secret has an id")?.to_owned())
    }

    /// Imports a test cluster, waits until it runs, and returns its id.
    pub fn import(&self, name: &str, cluster: &Cluster) -> Result<i64> {
        self.import_with(name, &fs_err::read_to_string(cluster.kubeconfig("admin")?)?)
    }

    /// The same for whoever is in the kubeconfig.
    pub fn import_with(&self, name: &str, kubeconfig: &str) -> Result<i64> {
        let secret_id =
            self.add_secret(&format!("{name}-kubeconfig"), "kubernetes", &json!({"K8Sconfig": kubeconfig}))?;
        let body = json!({"name": name, "secretId": secret_id, "cloud": "kubernetes", "properties": {"kubernetes": {}}});
        let made = self.ask(Method::POST, "/orgs/1/clusters", Some(&body))?;
        let id = made["id"].as_i64().context("a cluster has an id")?;
        wait_until(SERVICE_DEADLINE, "the cluster to run", || {
            let cluster = self.ask(Method::GET, &format!("/orgs/1/clusters/{id}"), None).ok()?;
            (cluster["status"] == "RUNNING").then_some(())
        })?;
        Ok(id)
    }

    /// Waits until the service says why it is not further; the details.
    pub fn await_reason(&self, cluster: i64, part: &str) -> Result<Value> {
        wait_until(SERVICE_DEADLINE, &format!("a reason with `{part}`"), || {
            let details = self.ask(Method::GET, &Self::service(cluster), None).ok()?;
            details["output"]["reason"].as_str()?.contains(part).then_some(details)
        })
    }

    /// Wants another spec.
    pub fn update(&self, cluster: i64, spec: &Value) -> Result<()> {
        self.ask(Method::PUT, &Self::service(cluster), Some(&json!({ "spec": spec }))).map(drop)
    }

    /// Wants another spec and waits until it is carried out; the details.
    pub fn update_and_wait(&self, cluster: i64, spec: &Value) -> Result<Value> {
        self.update(cluster, spec)?;
        self.wait_for(cluster, "ACTIVE")
    }

    /// The path of the service of a cluster.
    pub fn service(cluster: i64) -> String {
        format!("/orgs/1/clusters/{cluster}/services/securityscan")
    }

    /// Activates the service and waits until it is active.
    pub fn activate(&self, cluster: i64, spec: &Value) -> Result<()> {
        self.ask(Method::POST, &Self::service(cluster), Some(&json!({ "spec": spec })))?;
        self.wait_for(cluster, "ACTIVE").map(drop)
    }

    /// Deactivates the service and waits until it is gone.
    pub fn deactivate(&self, cluster: i64) -> Result<()> {
        self.ask(Method::DELETE, &Self::service(cluster), None)?;
        self.wait_for(cluster, "INACTIVE").map(drop)
    }

    /// Waits for a status and returns the details. Errors: it ends up in another one.
    pub fn wait_for(&self, cluster: i64, status: &str) -> Result<Value> {
        let mut last = Value::Null;
        let waited = wait_until(SERVICE_DEADLINE, &format!("the service to be {status}"), || {
            last = self.ask(Method::GET, &Self::service(cluster), None).ok()?;
            (last["status"] == status || last["status"] == "ERROR").then_some(())
        });
        if waited.is_err() || last["status"] != status {
            bail!("the service is not {status}: {last:#}");
        }
        Ok(last)
    }
}
