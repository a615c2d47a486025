//! The security scan service while the secrets of organizations are in Vault.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::{EngineOptions, Method, Plane, cluster_state, plane_state, run_pod, service_reason, stop_at};
use serde_json::{Value, json};
use testkit::{Cluster, VaultServer, wait_until, workspace_folder};

const DEADLINE: Duration = Duration::from_secs(60);

/// A running Vault and who may do everything in it.
struct Vault {
    server: VaultServer,
    runtime: tokio::runtime::Runtime,
    client: reqwest::Client,
}

impl Vault {
    /// Starts it with a key-value engine where Pipeline had one.
    fn start() -> Result<Self> {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let vault = Self {
            server: VaultServer::start()?,
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()?,
            client: reqwest::Client::new(),
        };
        let engine = json!({"type": "kv", "options": {"version": "2"}});
        vault.ask(Method::POST, "sys/mounts/secret", &engine)?;
        Ok(vault)
    }

    fn ask(&self, method: Method, path: &str, body: &Value) -> Result<Value> {
        let request = self.client.request(method.clone(), format!("{}/v1/{path}", self.server.url()));
        let request = request.header("x-vault-token", self.server.root_token()).json(body);
        self.runtime.block_on(async {
            let response = request.send().await?;
            let (status, text) = (response.status(), response.text().await?);
            ensure!(status.is_success() || status == 404, "{method} {path}: {status} {text}");
            Ok(serde_json::from_str(&text).unwrap_or_default())
        })
    }

    /// Ids of the secrets of the first organization, as Vault lists them.
    fn ids(&self) -> Result<Vec<String>> {
        let answer = self.ask(Method::GET, "secret/metadata/orgs/1?list=true", &Value::Null)?;
        let mut ids: Vec<String> = answer["data"]["keys"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|id| Some(id.as_str()?.to_owned()))
            .collect();
        ids.sort();
        Ok(ids)
    }

    fn seal(&self) -> Result<()> {
        self.ask(Method::PUT, "sys/seal", &Value::Null).map(drop)
    }

    /// Unseals it and waits until it takes requests again.
    fn unseal(&self) -> Result<()> {
        self.ask(Method::PUT, "sys/unseal", &json!({"key": self.server.unseal_key()}))?;
        wait_until(DEADLINE, "Vault to be unsealed", || self.ids().ok().map(drop))
    }

    /// Settings of who may do what the documentation says that Lazaret has to, and nothing else.
    fn options(&self) -> Result<EngineOptions> {
        let page = fs_err::read_to_string(workspace_folder().join("docs/secrets.md"))?;
        let policy = page.split_once("vault policy write lazaret - <<'EOF'\n").context("a policy")?.1;
        let policy = policy.split_once("\nEOF").context("the end of the policy")?.0;
        self.ask(Method::POST, "sys/policies/acl/lazaret", &json!({"policy": policy}))?;
        self.ask(Method::POST, "sys/auth/approle", &json!({"type": "approle"}))?;
        let role = json!({"token_policies": "lazaret", "token_ttl": "1h", "token_max_ttl": "24h"});
        self.ask(Method::POST, "auth/approle/role/lazaret", &role)?;
        let id = self.ask(Method::GET, "auth/approle/role/lazaret/role-id", &Value::Null)?;
        let secret = self.ask(Method::POST, "auth/approle/role/lazaret/secret-id", &json!({}))?;
        let text = |value: &Value| value.as_str().map(str::to_owned).context("Vault answers with a text");
        Ok(EngineOptions {
            settings: vec![
                "secrets.store=vault".to_owned(),
                format!("vault.address={}", self.server.url()),
                format!("vault.role-id={}", text(&id["data"]["role_id"])?),
            ],
            environment: vec![("LAZARET_VAULT_SECRET_ID".to_owned(), text(&secret["data"]["secret_id"])?)],
            ..EngineOptions::default()
        })
    }
}

fn spec() -> Value {
    json!({"policy": {"policyId": "deny_all"}})
}

#[test]
fn the_technical_user_lives_in_vault_as_long_as_the_service() -> Result<()> {
    let vault = Vault::start()?;
    let plane = Plane::start(vault.options()?)?;
    let cluster = Cluster::start()?;
    let id = plane.import("one", &cluster)?;
    let before = (vault.ids()?, cluster_state(&cluster)?, plane_state(&plane)?);
    ensure!(before.0.len() == 1, "the kubeconfig: {:?}", before.0);

    plane.activate(id, &spec())?;
    let during = vault.ids()?;
    let added: Vec<&String> = during.iter().filter(|id| !before.0.contains(id)).collect();
    let [technical] = &added[..] else { anyhow::bail!("one secret more: {during:?}") };
    let stored = vault.ask(Method::GET, &format!("secret/data/orgs/1/{technical}"), &Value::Null)?;
    let text = stored["data"]["data"].to_string();
    let user = stored["data"]["data"]["value"]["values"]["username"].as_str().unwrap_or_default().to_owned();
    ensure!(user.ends_with("-anchore-user"), "{text}");
    // The secret is what the engine lets in.
    let password = stored["data"]["data"]["value"]["values"]["password"].as_str().context("a password")?;
    let request =
        vault.client.get(format!("{}/v1/user", plane.engine.url())).basic_auth(&user, Some(password));
    let status = vault.runtime.block_on(request.send())?.status();
    ensure!(status == 200, "the engine says {status} to the technical user");
    ensure!(!plane.engine.output().contains(password), "a log holds the password");
    run_pod(&cluster, "busybox1", "default", "busybox")?.failure()?;

    plane.deactivate(id)?;
    ensure!(vault.ids()? == before.0, "{:?}", vault.ids()?);
    let gone = vault.ask(Method::GET, &format!("secret/data/orgs/1/{technical}"), &Value::Null)?;
    ensure!(gone["data"].is_null(), "{gone:#}");
    ensure!(cluster_state(&cluster)? == before.1);
    wait_until(DEADLINE, "the account to be gone", || (plane_state(&plane).ok()? == before.2).then_some(()))
}

#[test]
fn a_sealed_vault_is_waited_for() -> Result<()> {
    let vault = Vault::start()?;
    let plane = Plane::start(vault.options()?)?;
    let cluster = Cluster::start()?;
    let id = plane.import("one", &cluster)?;
    let before = (vault.ids()?, cluster_state(&cluster)?);

    stop_at(&plane, Some("policies"))?;
    plane.ask(Method::POST, &Plane::service(id), Some(&json!({"spec": spec()})))?;
    service_reason(&plane, id, "the power is cut here")?;
    vault.seal()?;
    stop_at(&plane, None)?;
    let waiting = service_reason(&plane, id, "is sealed: unseal it")?;
    ensure!(waiting["status"] == "PENDING", "{waiting:#}");
    ensure!(run_pod(&cluster, "busybox1", "default", "busybox")?.is_success(), "nothing is half enforced");
    vault.unseal()?;
    plane.wait_for(id, "ACTIVE")?;
    run_pod(&cluster, "busybox2", "default", "busybox")?.failure()?;

    vault.seal()?;
    plane.ask(Method::DELETE, &Plane::service(id), None)?;
    service_reason(&plane, id, "is sealed: unseal it")?;
    vault.unseal()?;
    plane.wait_for(id, "INACTIVE")?;
    ensure!(vault.ids()? == before.0, "{:?}", vault.ids()?);
    ensure!(cluster_state(&cluster)? == before.1);
    Ok(())
}
