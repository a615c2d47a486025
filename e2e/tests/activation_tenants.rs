//! The security scan service beside others in the same cluster: other services, people, and what people put there.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{EngineOptions, Method, Plane};
use serde_json::{Value, json};
use testkit::{Cluster, wait_until};

const DEADLINE: Duration = Duration::from_secs(120);
const MARK: &str = "security.banzaicloud.com/security-scan-service";

fn run(cluster: &Cluster, name: &str) -> Result<testkit::Output> {
    cluster.kubectl(&["run", name, "--image=busybox", "--dry-run=server", "--", "sleep", "3600"])
}

fn scan_label(cluster: &Cluster, namespace: &str) -> Result<String> {
    let path = "jsonpath={.metadata.labels.scan}";
    cluster.kubectl(&["get", "namespace", namespace, "-o", path])?.success()
}

fn await_error(plane: &Plane, id: i64) -> Result<Value> {
    wait_until(DEADLINE, "the service to be in error", || {
        let details = plane.ask(Method::GET, &Plane::service(id), None).ok()?;
        (details["status"] == "ERROR").then_some(details)
    })
}

#[test]
fn a_cluster_that_was_imported_twice_has_one_service() -> Result<()> {
    let plane = Plane::start(EngineOptions::default())?;
    let cluster = Cluster::start()?;
    let (first, second) = (plane.import("first", &cluster)?, plane.import("second", &cluster)?);
    let item = |name: &str| json!({"policy": {"policyId": "deny_all"}, "releaseWhiteList": [{"name": name, "reason": "checked"}]});
    plane.activate(first, &item("of-first"))?;
    plane.ask(Method::POST, &Plane::service(second), Some(&json!({ "spec": item("of-second") })))?;
    let refused = await_error(&plane, second)?;
    let reason = refused["output"]["reason"].as_str().unwrap_or_default();
    ensure!(reason.contains("was imported more than once"), "{refused:#}");

    // Nothing of the first was touched, neither now nor when the second one goes.
    plane.deactivate(second)?;
    let items = cluster.kubectl(&["get", "whitelistitems", "-o", "name"])?.success()?;
    ensure!(items.contains("of-first") && !items.contains("of-second"), "{items}");
    ensure!(run(&cluster, "web")?.failure()?.contains("Image failed policy check"));
    let path = "jsonpath={.items[*].metadata.labels}";
    let labels = cluster.kubectl(&["get", "validatingwebhookconfigurations", "-o", path])?.success()?;
    ensure!(labels.contains(MARK), "{labels}");

    // What the first leaves the second may have.
    plane.deactivate(first)?;
    let anchor = cluster.kubectl(&["get", "namespace", "kube-system", "-o", "yaml"])?.success()?;
    ensure!(!anchor.contains(MARK), "{anchor}");
    plane.activate(second, &item("of-second"))?;

    // What was deleted with force leaves a mark that holds up nobody of the same installation; that of another one does.
    plane.ask(Method::DELETE, &format!("/orgs/1/clusters/{second}?force=true"), None)?;
    wait_until(DEADLINE, "the cluster to be gone", || {
        let (status, _) = plane.call(Method::GET, &format!("/orgs/1/clusters/{second}"), None).ok()?;
        (status == 404).then_some(())
    })?;
    plane.activate(first, &item("of-first"))?;
    plane.deactivate(first)?;
    let mark = format!("{MARK}=0123456789abcdef.somebody");
    cluster.kubectl(&["annotate", "namespace", "kube-system", &mark])?.success()?;
    plane.ask(Method::POST, &Plane::service(first), Some(&json!({ "spec": item("of-first") })))?;
    let refused = await_error(&plane, first)?;
    ensure!(refused["output"]["reason"].to_string().contains("of another installation"), "{refused:#}");
    Ok(())
}

#[test]
fn labels_that_people_changed_since_are_kept() -> Result<()> {
    let plane = Plane::start(EngineOptions::default())?;
    let cluster = Cluster::start()?;
    for namespace in ["shop", "bank"] {
        cluster.kubectl(&["create", "namespace", namespace])?.success()?;
        cluster.kubectl(&["label", "namespace", namespace, "scan=noscan"])?.success()?;
    }
    let id = plane.import("one", &cluster)?;
    let webhook = json!({"enabled": true, "selector": "include", "namespaces": ["shop", "bank"]});
    plane.activate(id, &json!({"policy": {"policyId": "deny_all"}, "webhookConfig": webhook}))?;
    ensure!(scan_label(&cluster, "shop")? == "scan" && scan_label(&cluster, "bank")? == "scan");
    cluster.kubectl(&["label", "--overwrite", "namespace", "shop", "scan=ours"])?.success()?;
    plane.deactivate(id)?;
    let labels = (scan_label(&cluster, "shop")?, scan_label(&cluster, "bank")?);
    ensure!(labels == ("ours".to_owned(), "noscan".to_owned()), "{labels:?}");
    Ok(())
}

#[test]
fn a_whitelist_that_exempts_everything_is_no_obstacle() -> Result<()> {
    let plane = Plane::start(EngineOptions::default())?;
    let cluster = Cluster::start()?;
    let id = plane.import("one", &cluster)?;
    let items = json!([{"name": "all", "reason": "a quiet beginning", "regexp": ".*"}]);
    plane.activate(id, &json!({"policy": {"policyId": "deny_all"}, "releaseWhiteList": items}))?;
    run(&cluster, "web")?.success()?;
    Ok(())
}

#[test]
fn a_namespace_in_which_others_live_stays() -> Result<()> {
    let plane = Plane::start(EngineOptions {
        settings: vec![
            "control-plane.service-attempts=1".to_owned(),
            "control-plane.webhook-image=registry.example/lazaret:1".to_owned(),
        ],
        ..EngineOptions::default()
    })?;
    // Without nodes no replica ever runs: both activations fail and are taken back.
    let (shared, alone) = (Cluster::start()?, Cluster::start()?);
    let (shared_id, alone_id) = (plane.import("shared", &shared)?, plane.import("alone", &alone)?);
    let webhook = json!({"enabled": true, "selector": "include", "namespaces": ["*"], "runIn": "cluster"});
    let spec = json!({"spec": {"policy": {"policyId": "deny_all"}, "webhookConfig": webhook}});
    for id in [shared_id, alone_id] {
        plane.ask(Method::POST, &Plane::service(id), Some(&spec))?;
    }
    wait_until(DEADLINE, "the namespace", || {
        shared.kubectl(&["get", "namespace", "pipeline-system"]).ok()?.is_success().then_some(())
    })?;
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": "pipeline-system"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
    });
    shared.kubectl_with_stdin(&["apply", "-f", "-"], claim.to_string().as_bytes())?.success()?;
    let details = await_error(&plane, shared_id)?;
    let text = "the namespace `pipeline-system` stays, because the PersistentVolumeClaim `data` is in it";
    ensure!(details.to_string().contains(text), "{details:#}");
    shared.kubectl(&["get", "persistentvolumeclaim", "data", "--namespace", "pipeline-system"])?.success()?;
    let details = await_error(&plane, alone_id)?;
    ensure!(!details.to_string().contains("stays, because"), "{details:#}");
    wait_until(DEADLINE, "the other namespace to be gone", || {
        let found = alone.kubectl(&["get", "namespace", "pipeline-system"]).ok()?;
        found.stderr.contains("NotFound").then_some(())
    })
}
