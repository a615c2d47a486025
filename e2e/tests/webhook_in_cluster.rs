//! The webhook as a Deployment, which is where it runs unless somebody says otherwise.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::{
    EngineOptions, Method, Plane, Replica, WEBHOOK_NAME as NAME, WEBHOOK_NAMESPACE as NAMESPACE, await_pods,
    cluster_state, plane_state, run_pod, service_reason, webhook_object as get, webhook_secret,
};
use serde_json::json;
use testkit::{Cluster, wait_until};

const IMAGE: &str = "registry.example.org/lazaret:1";
const DEADLINE: Duration = Duration::from_secs(60);

fn start_plane() -> Result<Plane> {
    let settings = vec![format!("control-plane.webhook-image={IMAGE}")];
    Plane::start_without_webhooks(EngineOptions { settings, ..EngineOptions::default() })
}

/// What the cluster's operators expect of a Deployment that everything else waits for.
fn check_objects(cluster: &Cluster) -> Result<()> {
    let deployment = get(cluster, &["deployment", NAME])?;
    let pod = &deployment["spec"]["template"]["spec"];
    ensure!(deployment["spec"]["replicas"] == 2 && pod["containers"][0]["image"] == IMAGE, "{deployment:#}");
    let affinity = &pod["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"];
    ensure!(affinity[0]["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname", "{affinity:#}");
    let reference = json!({"name": format!("{NAME}-engine"), "key": "password"});
    let variables = pod["containers"][0]["env"].as_array().context("the container has variables")?;
    ensure!(
        variables.iter().any(|variable| variable["valueFrom"]["secretKeyRef"] == reference),
        "{variables:#?}"
    );
    let password = webhook_secret(cluster, &format!("{NAME}-engine"), "password")?;
    ensure!(password.len() >= 12 && !deployment.to_string().contains(&password), "{deployment:#}");
    let budget = get(cluster, &["poddisruptionbudget", NAME])?;
    ensure!(budget["spec"]["maxUnavailable"] == 1, "{budget:#}");
    Ok(())
}

#[test]
fn the_deployment_enforces_as_soon_as_a_replica_answers() -> Result<()> {
    let plane = start_plane()?;
    let cluster = Cluster::start()?;
    cluster.kubectl(&["create", "namespace", NAMESPACE])?.success()?;
    let restricted = "pod-security.kubernetes.io/enforce=restricted";
    cluster.kubectl(&["label", "namespace", NAMESPACE, restricted])?.success()?;
    let id = plane.import("one", &cluster)?;
    let before = (cluster_state(&cluster)?, plane_state(&plane)?);

    let spec = json!({"spec": {"policy": {"policyId": "deny_all"}}});
    plane.ask(Method::POST, &Plane::service(id), Some(&spec))?;
    // They are there, so the API server takes them where only restricted Pods are.
    await_pods(&cluster)?;
    check_objects(&cluster)?;
    ensure!(
        run_pod(&cluster, "early", "default", "busybox")?.is_success(),
        "nobody answers, nothing is enforced"
    );
    let replica = Replica::start(&cluster)?;
    plane.wait_for(id, "ACTIVE").with_context(|| format!("the replica said:\n{}", replica.output()))?;

    let text = run_pod(&cluster, "busybox1", "default", "busybox")?.failure()?;
    ensure!(text.contains("denied the request: Image failed policy check: busybox"), "{text}");
    wait_until(DEADLINE, "the audit", || {
        let audits = cluster.kubectl(&["get", "audits", "-o", "name"]).ok()?.stdout;
        audits.contains("busybox1").then_some(())
    })?;
    // The webhook's own namespace goes on whatever is enforced.
    cluster.kubectl(&["delete", "pod", &replica.pods()[0], "--namespace", NAMESPACE, "--now"])?.success()?;
    await_pods(&cluster)?;

    plane.deactivate(id)?;
    let after = cluster_state(&cluster)?;
    ensure!(after == before.0, "{:#?}\n{after:#?}", before.0);
    wait_until(DEADLINE, "the account to be gone", || (plane_state(&plane).ok()? == before.1).then_some(()))?;
    run_pod(&cluster, "busybox2", "default", "busybox")?.success()?;
    Ok(())
}

#[test]
fn a_cluster_without_nodes_is_told_what_is_missing() -> Result<()> {
    let plane = start_plane()?;
    let cluster = Cluster::start()?;
    let id = plane.import("one", &cluster)?;
    let before = cluster_state(&cluster)?;
    let spec = json!({"spec": {"policy": {"policyId": "deny_all"}}});
    plane.ask(Method::POST, &Plane::service(id), Some(&spec))?;
    let waiting = service_reason(&plane, id, "no replica of the Deployment")?;
    ensure!(waiting["status"] == "PENDING", "{waiting:#}");
    let reason = waiting["output"]["reason"].to_string();
    ensure!(reason.contains("--admission-listen") && reason.contains("minimum availability"), "{reason}");
    ensure!(run_pod(&cluster, "busybox1", "default", "busybox")?.is_success(), "nothing is enforced");
    // Given up: everything goes, the namespace too, which was not there before.
    plane.deactivate(id)?;
    wait_until(DEADLINE, "the namespace to be gone", || {
        (cluster_state(&cluster).ok()? == before).then_some(())
    })
}

#[test]
fn without_an_image_nothing_is_deployed() -> Result<()> {
    let plane = Plane::start_without_webhooks(EngineOptions::default())?;
    let cluster = Cluster::start()?;
    let id = plane.import("one", &cluster)?;
    let spec = json!({"spec": {"policy": {"policyId": "deny_all"}}});
    let (status, refused) = plane.call(Method::POST, &Plane::service(id), Some(&spec))?;
    ensure!(
        status == 422 && refused["detail"].to_string().contains("control-plane.webhook-image"),
        "{refused:#}"
    );
    Ok(())
}
