//! The webhook as a Deployment, which is where it runs unless somebody says otherwise.
//!
//! Test clusters have no nodes. One replica is the built program, started on this machine as the Deployment says, with the
//! rights of its service account, at the address of the Service; that it is ready is what a kubelet would tell.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::{EngineOptions, Method, Plane, cluster_state, plane_state, run_pod, service_reason};
use serde_json::{Value, json};
use testkit::{Cluster, Program, RunningProgram, Scratch, wait_until};

const NAMESPACE: &str = "pipeline-system";
const NAME: &str = "lazaret-admission";
const IMAGE: &str = "registry.example.org/lazaret:1";
const DEADLINE: Duration = Duration::from_secs(60);

fn start_plane() -> Result<Plane> {
    let settings = vec![format!("control-plane.webhook-image={IMAGE}")];
    Plane::start_without_webhooks(EngineOptions { settings, ..EngineOptions::default() })
}

fn get(cluster: &Cluster, what: &[&str]) -> Result<Value> {
    let arguments = [&["get", "--namespace", NAMESPACE, "-o", "json"], what].concat();
    Ok(serde_json::from_str(&cluster.kubectl(&arguments)?.success()?)?)
}

/// Names of the Pods of the Deployment, when all are there.
fn await_pods(cluster: &Cluster) -> Result<Vec<String>> {
    wait_until(DEADLINE, "the Pods of the Deployment", || {
        let label = format!("--selector=app.kubernetes.io/component={NAME}");
        let pods = get(cluster, &["pods", &label]).ok()?;
        let names = pods["items"].as_array()?.iter();
        let names: Vec<String> =
            names.filter_map(|pod| Some(pod["metadata"]["name"].as_str()?.to_owned())).collect();
        (names.len() == 2).then_some(names)
    })
}

/// What a kubelet tells of a Pod whose probes succeed.
fn make_ready(cluster: &Cluster, pod: &str) -> Result<()> {
    let status = json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}});
    let patch = status.to_string();
    let arguments =
        ["patch", "pod", pod, "--namespace", NAMESPACE, "--subresource=status", "--type=merge", "-p", &patch];
    cluster.kubectl(&arguments)?.success().map(drop)
}

/// Runs what the Deployment describes.
fn start_replica(cluster: &Cluster, folder: &Path) -> Result<RunningProgram> {
    let container = get(cluster, &["deployment", NAME])?["spec"]["template"]["spec"]["containers"][0].clone();
    let kubeconfig = folder.join("replica.kubeconfig");
    let token = cluster.kubectl(&["create", "token", NAME, "--namespace", NAMESPACE])?.success()?;
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "clusters": [{"name": "it", "cluster": {
            "server": cluster.server_url(), "certificate-authority": cluster.folder().join("ca.crt"),
        }}],
        "users": [{"name": "it", "user": {"token": token.trim()}}],
    });
    fs_err::write(&kubeconfig, config.to_string())?;
    let service = get(cluster, &["service", NAME])?;
    let address = service["spec"]["clusterIP"].as_str().context("a Service has an address")?.to_owned();
    let listen = format!("{address}:{}", service["spec"]["ports"][0]["port"]);

    // The only thing that is not as in the Pod: where the state is, and the ways in and out of it.
    let state = folder.display().to_string();
    let arguments = container["args"].as_array().context("the container has arguments")?.iter();
    let arguments: Vec<&str> = arguments
        .filter_map(Value::as_str)
        .map(|argument| if argument == "/var/lib/lazaret" { &state } else { argument })
        .collect();
    let mut program = Program::lazaret()?.arguments(arguments).argument("--kubeconfig").argument(&kubeconfig);
    for variable in container["env"].as_array().context("the container has variables")? {
        let name = variable["name"].as_str().context("a variable has a name")?;
        let value = match (&variable["value"], &variable["valueFrom"]["secretKeyRef"]) {
            (Value::String(value), _) => value.clone(),
            (_, Value::Object(reference)) => {
                let (secret, key) = (&reference["name"], &reference["key"]);
                let template = format!("go-template={{{{index .data {key} | base64decode}}}}");
                let secret = secret.as_str().context("a Secret has a name")?;
                cluster
                    .kubectl(&["get", "secret", secret, "--namespace", NAMESPACE, "-o", &template])?
                    .success()?
            }
            _ => NAMESPACE.to_owned(),
        };
        program = program.environment(name, value);
    }
    let program = program.arguments(["--listen", &listen, "--health-listen", "127.0.0.1:0"]).start()?;
    program.wait_for_line("webhook  ", DEADLINE)?;
    Ok(program)
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
    let template = "go-template={{.data.password | base64decode}}";
    let secret = format!("{NAME}-engine");
    let password =
        cluster.kubectl(&["get", "secret", &secret, "--namespace", NAMESPACE, "-o", template])?.success()?;
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
    let pods = await_pods(&cluster)?;
    check_objects(&cluster)?;
    ensure!(
        run_pod(&cluster, "early", "default", "busybox")?.is_success(),
        "nobody answers, nothing is enforced"
    );
    let scratch = Scratch::new("replica")?;
    let replica = start_replica(&cluster, scratch.path())?;
    for pod in &pods {
        make_ready(&cluster, pod)?;
    }
    plane.wait_for(id, "ACTIVE").with_context(|| format!("the replica said:\n{}", replica.output()))?;

    let text = run_pod(&cluster, "busybox1", "default", "busybox")?.failure()?;
    ensure!(text.contains("denied the request: Image failed policy check: busybox"), "{text}");
    wait_until(DEADLINE, "the audit", || {
        let audits = cluster.kubectl(&["get", "audits", "-o", "name"]).ok()?.stdout;
        audits.contains("busybox1").then_some(())
    })?;
    // The webhook's own namespace goes on whatever is enforced.
    cluster.kubectl(&["delete", "pod", &pods[0], "--namespace", NAMESPACE, "--now"])?.success()?;
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
