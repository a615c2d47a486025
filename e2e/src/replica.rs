//! A replica of the webhook's Deployment in a cluster that has no nodes.
//!
//! It is the built program, started on this machine as the Deployment says, with the rights of its service account, at the
//! address of the Service; that it is ready is what a kubelet would tell.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use testkit::{Cluster, Program, RunningProgram, Scratch, wait_until};

/// Where the service puts its webhook.
pub const WEBHOOK_NAMESPACE: &str = "pipeline-system";
/// What all of its objects are called.
pub const WEBHOOK_NAME: &str = "lazaret-admission";

const DEADLINE: Duration = Duration::from_secs(60);

/// A running replica.
#[derive(Debug)]
pub struct Replica {
    program: RunningProgram,
    pods: Vec<String>,
    _scratch: Scratch,
}

impl Replica {
    /// Waits for the Pods of the Deployment, does what they say, and tells the cluster that they are ready.
    pub fn start(cluster: &Cluster) -> Result<Self> {
        let pods = await_pods(cluster)?;
        let scratch = Scratch::new("replica")?;
        let program = program(cluster, scratch.path())?.start()?;
        program.wait_for_line("webhook  ", DEADLINE)?;
        for pod in &pods {
            make_ready(cluster, pod)?;
        }
        Ok(Self { program, pods, _scratch: scratch })
    }

    /// Names of the Pods that it stands for.
    pub fn pods(&self) -> &[String] {
        &self.pods
    }

    /// What it has printed.
    pub fn output(&self) -> String {
        self.program.output()
    }
}

/// An object of the webhook's namespace.
pub fn webhook_object(cluster: &Cluster, what: &[&str]) -> Result<Value> {
    let arguments = [&["get", "--namespace", WEBHOOK_NAMESPACE, "-o", "json"], what].concat();
    Ok(serde_json::from_str(&cluster.kubectl(&arguments)?.success()?)?)
}

/// A value of a Secret of the webhook's namespace.
pub fn webhook_secret(cluster: &Cluster, name: &str, key: &str) -> Result<String> {
    let template = format!("go-template={{{{index .data \"{key}\" | base64decode}}}}");
    cluster.kubectl(&["get", "secret", name, "--namespace", WEBHOOK_NAMESPACE, "-o", &template])?.success()
}

/// Names of the Pods of the Deployment, when all are there.
pub fn await_pods(cluster: &Cluster) -> Result<Vec<String>> {
    wait_until(DEADLINE, "the Pods of the Deployment", || {
        let label = format!("--selector=app.kubernetes.io/component={WEBHOOK_NAME}");
        let pods = webhook_object(cluster, &["pods", &label]).ok()?;
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
    let name = ["patch", "pod", pod, "--namespace", WEBHOOK_NAMESPACE];
    let change = ["--subresource=status", "--type=merge", "-p", &patch];
    cluster.kubectl(&[name.as_slice(), &change].concat())?.success().map(drop)
}

/// The program as the container of the Deployment has it; what differs is where files are, and how the API server is found.
fn program(cluster: &Cluster, folder: &Path) -> Result<Program> {
    let pod = webhook_object(cluster, &["deployment", WEBHOOK_NAME])?["spec"]["template"]["spec"].clone();
    let container = &pod["containers"][0];
    let service = webhook_object(cluster, &["service", WEBHOOK_NAME])?;
    let address = service["spec"]["clusterIP"].as_str().context("a Service has an address")?;
    let listen = format!("{address}:{}", service["spec"]["ports"][0]["port"]);

    let mut program = Program::lazaret()?;
    for argument in list(&container["args"])? {
        let argument = argument.as_str().context("an argument is a text")?;
        program = match argument.starts_with('/') {
            true => program.argument(in_folder(folder, argument)),
            false => program.argument(argument),
        };
    }
    for variable in list(&container["env"])? {
        let name = variable["name"].as_str().context("a variable has a name")?;
        let reference = &variable["valueFrom"]["secretKeyRef"];
        let value = match (variable["value"].as_str(), reference["name"].as_str(), reference["key"].as_str())
        {
            (Some(value), ..) => value.to_owned(),
            (None, Some(secret), Some(key)) => webhook_secret(cluster, secret, key)?,
            // The only other kind that there is says where the Pod is.
            _ => WEBHOOK_NAMESPACE.to_owned(),
        };
        program = program.environment(name, value);
    }
    mount(cluster, folder, &pod)?;
    let program = program.argument("--kubeconfig").argument(write_kubeconfig(cluster, folder)?);
    Ok(program.arguments(["--listen", &listen, "--health-listen", "127.0.0.1:0"]))
}

/// Puts the volumes of a Pod where the program finds them.
fn mount(cluster: &Cluster, folder: &Path, pod: &Value) -> Result<()> {
    for mounted in list(&pod["containers"][0]["volumeMounts"])? {
        let path = in_folder(folder, mounted["mountPath"].as_str().context("a volume has a path")?);
        fs_err::create_dir_all(&path)?;
        let volume = list(&pod["volumes"])?.iter().find(|volume| volume["name"] == mounted["name"]);
        let secret = &volume.context("what is mounted is a volume")?["secret"];
        let Some(name) = secret["secretName"].as_str() else { continue };
        for item in list(&secret["items"])? {
            let key = item["key"].as_str().context("an item has a key")?;
            let file = path.join(item["path"].as_str().context("an item has a path")?);
            fs_err::write(file, webhook_secret(cluster, name, key)?)?;
        }
    }
    Ok(())
}

fn in_folder(folder: &Path, path: &str) -> std::path::PathBuf {
    folder.join(path.trim_start_matches('/'))
}

/// What a Pod of the service account has instead.
fn write_kubeconfig(cluster: &Cluster, folder: &Path) -> Result<std::path::PathBuf> {
    let token =
        cluster.kubectl(&["create", "token", WEBHOOK_NAME, "--namespace", WEBHOOK_NAMESPACE])?.success()?;
    let authority = cluster.folder().join("ca.crt");
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "clusters": [{"name": "it", "cluster": {
            "server": cluster.server_url(), "certificate-authority": authority,
        }}],
        "users": [{"name": "it", "user": {"token": token.trim()}}],
    });
    let file = folder.join("kubeconfig");
    fs_err::write(&file, config.to_string())?;
    Ok(file)
}

fn list(value: &Value) -> Result<&Vec<Value>> {
    value.as_array().with_context(|| format!("no list: {value}"))
}
