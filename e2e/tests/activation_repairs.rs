//! The security scan service when something goes wrong on the way, or is changed behind its back.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::{ADMIN_PASSWORD, Engine, EngineOptions, Method, Plane};
use serde_json::{Value, json};
use storage::{Database, Location};
use testkit::{Cluster, wait_until};

const DEADLINE: Duration = Duration::from_secs(90);
const REFUSED: &str = "Image failed policy check";
/// What `deny_all` says.
const DENIES_ALL: &str = "Unconditional trigger match";

fn run(cluster: &Cluster, name: &str) -> Result<testkit::Output> {
    cluster.kubectl(&["run", name, "--image=busybox", "--dry-run=server", "--", "sleep", "3600"])
}

/// Makes the work fail when this step begins, as often as it is tried.
fn stop_at(plane: &Plane, step: Option<&str>) -> Result<()> {
    let location = Location::File(plane.engine.data_folder().join("engine.db"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let database = Database::open(&location).await?;
        let mut tx = database.begin().await?;
        storage::query("DROP TRIGGER IF EXISTS stop_here").execute(&mut tx).await?;
        if let Some(step) = step {
            let trigger = format!(
                "CREATE TRIGGER stop_here BEFORE INSERT ON plane_service_steps WHEN NEW.step = '{step}' \
                 BEGIN SELECT RAISE(ABORT, 'the power is cut here'); END"
            );
            storage::query_built(trigger).execute(&mut tx).await?;
        }
        tx.commit().await?;
        database.close().await;
        Ok(())
    })
}

/// Waits until the service says why it is not further; the reason.
fn await_reason(plane: &Plane, cluster: i64, part: &str) -> Result<String> {
    wait_until(DEADLINE, &format!("a reason with `{part}`"), || {
        let details = plane.ask(Method::GET, &Plane::service(cluster), None).ok()?;
        let reason = details["output"]["reason"].as_str()?;
        reason.contains(part).then(|| reason.to_owned())
    })
}

fn update(plane: &Plane, cluster: i64, spec: &Value) -> Result<()> {
    plane.ask(Method::PUT, &Plane::service(cluster), Some(&json!({ "spec": spec }))).map(drop)
}

#[test]
fn the_live_webhook_asks_the_former_engine_until_the_new_one_is_prepared() -> Result<()> {
    let mut plane = Plane::start(EngineOptions::default())?;
    let other = Engine::start(EngineOptions {
        active_policy: Some("allow_all_and_warn".to_owned()),
        ..EngineOptions::default()
    })?;
    let cluster = Cluster::start()?;
    let id = plane.import("one", &cluster)?;
    plane.activate(id, &json!({"policy": {"policyId": "deny_all"}}))?;
    let first = run(&cluster, "first")?.failure()?;
    ensure!(first.contains(DENIES_ALL), "{first}");

    // The other engine is chosen and reached, and nothing is in it yet.
    let secret =
        plane.add_secret("other", "password", &json!({"username": "admin", "password": ADMIN_PASSWORD}))?;
    stop_at(&plane, Some("policies"))?;
    let spec = json!({
        "policy": {"policyId": "allow_all_and_warn"},
        "customAnchore": {"enabled": true, "url": other.url(), "secretId": secret},
    });
    update(&plane, id, &spec)?;
    await_reason(&plane, id, "the power is cut here")?;
    // A process that begins now joins the cluster to what the tables say.
    plane.engine.kill()?;
    plane.engine.resume()?;
    let text = wait_until(DEADLINE, "the webhook to be back", || {
        let output = run(&cluster, "second").ok()?;
        output.stderr.contains(REFUSED).then_some(output.stderr)
    })?;
    ensure!(text.contains(DENIES_ALL), "the engine that is not prepared was asked: {text}");
    stop_at(&plane, None)?;
    plane.wait_for(id, "ACTIVE")?;
    // The other engine would have to see the image.
    let text = run(&cluster, "third")?.failure()?;
    ensure!(text.contains("not decided"), "{text}");
    Ok(())
}

#[test]
fn a_rotated_kubeconfig_reaches_the_webhook() -> Result<()> {
    let plane = Plane::start(EngineOptions::default())?;
    let cluster = Cluster::start()?;
    let bind = |user: &str| -> Result<()> {
        let arguments = ["create", "clusterrolebinding", user, "--clusterrole=cluster-admin", "--user", user];
        cluster.kubectl(&arguments)?.success().map(drop)
    };
    let kubeconfig = |user: &str| -> Result<String> {
        let path = cluster.add_user(user, None)?;
        bind(user)?;
        Ok(fs_err::read_to_string(path)?)
    };
    let id = plane.import_with("one", &kubeconfig("first")?)?;
    plane.activate(id, &json!({"policy": {"policyId": "deny_all"}}))?;
    let secrets = plane.ask(Method::GET, "/orgs/1/secrets", None)?;
    let secret = secrets.as_array().into_iter().flatten().find(|secret| secret["name"] == "one-kubeconfig");
    let secret = secret.and_then(|secret| secret["id"].as_str()).context("the secret of the kubeconfig")?;
    let body = json!({
        "name": "one-kubeconfig", "type": "kubernetes", "values": {"K8Sconfig": kubeconfig("second")?},
    });
    plane.ask(Method::PUT, &format!("/orgs/1/secrets/{secret}?validate=false"), Some(&body))?;
    wait_until(DEADLINE, "the webhook to be joined again", || {
        plane.engine.output().contains("webhook of a cluster has a new way in").then_some(())
    })?;

    // Who has the former kubeconfig learns nothing any more; connections that were open are cut.
    cluster.kubectl(&["delete", "clusterrolebinding", "first"])?.success()?;
    cluster.restart_api_server()?;
    wait_until(DEADLINE, "the webhook to be asked", || {
        run(&cluster, "newcomer").ok()?.stderr.contains(REFUSED).then_some(())
    })?;
    let item = json!({
        "apiVersion": "security.banzaicloud.com/v1alpha1", "kind": "WhiteListItem",
        "metadata": {"name": "newcomer"}, "spec": {"creator": "me", "reason": "checked by hand"},
    });
    cluster.kubectl_with_stdin(&["apply", "-f", "-"], item.to_string().as_bytes())?.success()?;
    wait_until(DEADLINE, "the new item to be known", || {
        run(&cluster, "newcomer").ok()?.is_success().then_some(())
    })
}
