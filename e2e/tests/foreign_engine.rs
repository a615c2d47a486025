//! An Anchore Engine that an organization brings along, behind TLS with an authority of its own.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::{
    ADMIN_PASSWORD, Engine, EngineOptions, Method, Plane, Replica, cluster_state, plane_state,
    wait_for_verdict,
};
use serde_json::{Value, json};
use testkit::{Cluster, Registry, RegistryMode, debian_images, wait_until};

const USER: &str = "warden";
const PASSWORD: &str = "warden-password";
const VULNERABILITY: &str = "CVE-2026-103111";

/// The engine of somebody else, and its administrator's and a user's view of it.
struct Foreign {
    engine: Engine,
    runtime: tokio::runtime::Runtime,
    client: reqwest::Client,
}

impl Foreign {
    /// Starts it with a certificate of this cluster's authority.
    fn start(cluster: &Cluster, registry: &Registry) -> Result<Self> {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let (certificate, key) = cluster.issue_server_certificate(&["127.0.0.1"])?;
        let (certificate_file, key_file) =
            (cluster.folder().join("engine.crt"), cluster.folder().join("engine.key"));
        fs_err::write(&certificate_file, certificate)?;
        fs_err::write(&key_file, key)?;
        let engine = Engine::start(EngineOptions {
            insecure_registries: vec![registry.host()],
            with_database: true,
            settings: vec![
                format!("listeners.tls-certificate={}", certificate_file.display()),
                format!("listeners.tls-key={}", key_file.display()),
            ],
            ..EngineOptions::default()
        })?;
        let authority = reqwest::Certificate::from_pem(cluster.authority_certificate().as_bytes())?;
        let foreign = Self {
            engine,
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()?,
            client: reqwest::Client::builder().tls_certs_only([authority]).build()?,
        };
        let account = json!({"name": USER, "email": "warden@example.org"});
        foreign.ask("admin", Method::POST, "/accounts", Some(&account))?;
        let user = json!({"username": USER, "password": PASSWORD});
        foreign.ask("admin", Method::POST, &format!("/accounts/{USER}/users"), Some(&user))?;
        // As in an engine that has never heard of the predefined bundles, but for one.
        for policy in ["deny_all", "reject_high"] {
            foreign.ask(USER, Method::DELETE, &format!("/policies/{policy}"), None)?;
        }
        let registry = json!({"registry": "mine.example.org", "registry_user": "me", "registry_pass": "mine", "registry_verify": true});
        foreign.ask(USER, Method::POST, "/registries?validate=false", Some(&registry))?;
        Ok(foreign)
    }

    fn ask(&self, user: &str, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let password = if user == USER { PASSWORD } else { ADMIN_PASSWORD };
        let url = format!("{}/v1{path}", self.engine.url());
        let request = self.client.request(method.clone(), url).basic_auth(user, Some(password));
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        self.runtime.block_on(async {
            let response = request.send().await?;
            let (status, text) = (response.status(), response.text().await?);
            ensure!(status.is_success(), "{method} {path}: {status} {text}");
            Ok(serde_json::from_str(&text).unwrap_or(Value::String(text)))
        })
    }

    /// What its owner has in it: bundles with the active one, registries, accounts.
    fn state(&self) -> Result<Vec<String>> {
        let lists = [
            (USER, "/policies", "policyId"),
            (USER, "/registries", "registry"),
            ("admin", "/policies", "policyId"),
            ("admin", "/registries", "registry"),
            ("admin", "/accounts", "name"),
        ];
        let mut state = Vec::new();
        for (user, path, key) in lists {
            let answer = self.ask(user, Method::GET, path, None)?;
            let items = answer.as_array().with_context(|| format!("{path} is a list: {answer:#}"))?;
            state.extend(items.iter().map(|item| format!("{user}{path} {} {}", item[key], item["active"])));
        }
        state.sort();
        Ok(state)
    }
}

/// Pods that run are judged by this engine as well.
fn judged_while_it_runs(plane: &Plane, cluster: i64) -> Result<()> {
    let mut last = Value::Null;
    let waited = wait_until(Duration::from_secs(120), "the Pod that runs to be judged", || {
        let path = format!("/orgs/1/clusters/{cluster}/podscan?state=refused");
        last = plane.ask(Method::GET, &path, None).ok()?;
        let image = &last["images"][0];
        let is_told = image["reasons"].to_string().contains(VULNERABILITY);
        (is_told && image["pods"][0]["name"] == "runs-already").then_some(())
    });
    waited.with_context(|| format!("{last:#}"))
}

#[test]
fn a_foreign_engine_judges_and_keeps_what_is_its_owners() -> Result<()> {
    let images = debian_images()?;
    let registry = Registry::start(RegistryMode::Open)?;
    registry.push(&images.vulnerable, "debian:vulnerable")?;
    registry.push(&images.fixed, "debian:fixed")?;
    let plane = Plane::start(EngineOptions::default())?;
    let cluster = Cluster::start()?;
    let foreign = Foreign::start(&cluster, &registry)?;
    let id = plane.import("one", &cluster)?;
    let right = plane.add_secret("engine", "password", &json!({"username": USER, "password": PASSWORD}))?;
    let wrong = plane.add_secret("engine-wrong", "password", &json!({"username": USER, "password": "x"}))?;
    let before = (foreign.state()?, cluster_state(&cluster)?, plane_state(&plane)?);

    let url = foreign.engine.url();
    let engine = |secret: &str, more: Value| {
        let mut engine = json!({"enabled": true, "url": url, "secretId": secret});
        engine.as_object_mut().into_iter().for_each(|engine| {
            engine.extend(more.as_object().cloned().unwrap_or_default());
        });
        json!({"policy": {"policyId": "reject_high"}, "customAnchore": engine})
    };
    let trusted = json!({"caCertificate": cluster.authority_certificate()});
    for (spec, told) in [
        (engine(&right, json!({})), "certificate"),
        (engine(&wrong, trusted.clone()), "refuses the user or password"),
    ] {
        let (status, refused) =
            plane.call(Method::POST, &Plane::service(id), Some(&json!({"spec": spec})))?;
        ensure!(status == 422 && refused["detail"].to_string().contains("customAnchore: "), "{refused:#}");
        ensure!(refused["detail"].to_string().contains(told), "{told}: {refused:#}");
    }
    ensure!((foreign.state()?, cluster_state(&cluster)?, plane_state(&plane)?) == before);

    let image = format!("--image={}", registry.reference("debian:vulnerable"));
    cluster.kubectl(&["run", "runs-already", &image])?.success()?;
    for trust in [trusted, json!({"insecure": true})] {
        plane.activate(id, &engine(&right, trust))?;
        judged_while_it_runs(&plane, id)?;
        ensure!(plane_state(&plane)? == before.2, "nothing of it is in our own engine");
        let text = wait_for_verdict(&cluster, &registry.reference("debian:vulnerable"), Some(VULNERABILITY))?;
        ensure!(text.contains("Image failed policy check: "), "{text}");
        wait_for_verdict(&cluster, &registry.reference("debian:fixed"), None)?;
        let during = foreign.state()?;
        ensure!(during.iter().any(|line| line == "warden/policies \"reject_high\" true"), "{during:#?}");

        plane.deactivate(id)?;
        ensure!(foreign.state()? == before.0, "{:#?}\n{:#?}", before.0, foreign.state()?);
        ensure!(cluster_state(&cluster)? == before.1);
        ensure!(plane_state(&plane)? == before.2);
    }
    Ok(())
}

/// The webhook in the cluster has to believe the authority too: it gets it from a Secret.
#[test]
fn the_webhook_in_the_cluster_trusts_the_authority_of_the_spec() -> Result<()> {
    let images = debian_images()?;
    let registry = Registry::start(RegistryMode::Open)?;
    registry.push(&images.vulnerable, "debian:vulnerable")?;
    let settings = vec!["control-plane.webhook-image=registry.example.org/lazaret:1".to_owned()];
    let plane = Plane::start_without_webhooks(EngineOptions { settings, ..EngineOptions::default() })?;
    let cluster = Cluster::start()?;
    let foreign = Foreign::start(&cluster, &registry)?;
    let id = plane.import("one", &cluster)?;
    let secret = plane.add_secret("engine", "password", &json!({"username": USER, "password": PASSWORD}))?;
    let before = (foreign.state()?, cluster_state(&cluster)?);
    let spec = json!({
        "policy": {"policyId": "reject_high"},
        "customAnchore": {
            "enabled": true, "url": foreign.engine.url(), "secretId": secret,
            "caCertificate": cluster.authority_certificate(),
        },
    });
    plane.ask(Method::POST, &Plane::service(id), Some(&json!({ "spec": spec })))?;
    let replica = Replica::start(&cluster)?;
    plane.wait_for(id, "ACTIVE").with_context(|| format!("the replica said:\n{}", replica.output()))?;
    let text = wait_for_verdict(&cluster, &registry.reference("debian:vulnerable"), Some(VULNERABILITY))?;
    ensure!(text.contains("Image failed policy check: "), "{text}");

    plane.deactivate(id)?;
    ensure!(foreign.state()? == before.0, "{:#?}\n{:#?}", before.0, foreign.state()?);
    wait_until(Duration::from_secs(60), "the namespace to be gone", || {
        (cluster_state(&cluster).ok()? == before.1).then_some(())
    })
}
