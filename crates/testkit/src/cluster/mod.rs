//! A real Kubernetes control plane on this machine: etcd, kube-apiserver and kube-controller-manager.
//!
//! There is no scheduler and no kubelet: Pods are admitted, stored, owned and collected, and stay Pending.

mod certificates;
mod control_plane;
mod kubeconfig;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use certificates::Authority;
use control_plane::{API_SERVER_LOG, CONTROLLER_MANAGER_LOG, CONTROLLER_MANAGER_USER, ETCD_LOG, Layout};

use crate::command::{Output, run};
use crate::kubernetes_tools::KubernetesPrograms;
use crate::ports::is_listening;
use crate::process::{GuardedChild, tail};
use crate::scratch::Scratch;
use crate::wait::wait_until;

/// Generous: on a machine where nothing else runs, a cluster is ready in 3 to 5 s.
const READY_DEADLINE: Duration = Duration::from_secs(60);
/// Another process may take a chosen port before the server binds it.
const ATTEMPTS_MAX: usize = 3;
const TAIL_LINES: usize = 25;

/// A running cluster; everything it consists of is gone when it is dropped, and when the test dies.
///
/// A cluster that is dropped by a panicking test prints the ends of its logs.
#[derive(Debug)]
pub struct Cluster {
    // Dropped in this order: processes first, then the folder they write to.
    processes: Mutex<Processes>,
    programs: KubernetesPrograms,
    layout: Layout,
    authority: Secret<Authority>,
    scratch: Scratch,
}

#[derive(Debug)]
struct Processes {
    controller_manager: GuardedChild,
    /// None while a test has stopped it.
    api_server: Option<GuardedChild>,
    etcd: GuardedChild,
}

/// Keeps keys out of debug output.
struct Secret<T>(T);

impl<T> std::fmt::Debug for Secret<T> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("…")
    }
}

impl Cluster {
    /// Starts a cluster and waits until Pods can be created in its `default` namespace.
    ///
    /// Users from the beginning: `admin`, in the group `system:masters`. Blocks: in asynchronous tests that serve something
    /// themselves, call it through `spawn_blocking`.
    pub fn start() -> Result<Self> {
        let programs = KubernetesPrograms::find()?;
        let mut attempt = 1;
        loop {
            match Self::start_once(programs.clone()) {
                Err(error)
                    if attempt < ATTEMPTS_MAX && format!("{error:#}").contains("address already in use") =>
                {
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    fn start_once(programs: KubernetesPrograms) -> Result<Self> {
        let scratch = Scratch::new("cluster")?;
        let authority = Authority::generate("test cluster")?;
        let layout = Layout::prepare(scratch.path(), &authority)?;
        write_kubeconfig(&layout, &authority, "admin", Some("system:masters"))?;
        let controller_manager_kubeconfig =
            write_kubeconfig(&layout, &authority, CONTROLLER_MANAGER_USER, None)?;

        let mut etcd = layout.start_etcd(&programs)?;
        let mut api_server = layout.start_api_server(&programs)?;
        wait_for_api_server(&layout, &programs, &mut etcd, &mut api_server)?;
        let controller_manager =
            layout.start_controller_manager(&programs, &controller_manager_kubeconfig)?;
        let processes = Mutex::new(Processes { etcd, api_server: Some(api_server), controller_manager });
        let cluster = Self { processes, programs, layout, authority: Secret(authority), scratch };
        cluster.wait_for_default_service_account()?;
        Ok(cluster)
    }

    /// The folder of this cluster: logs, certificates, kubeconfig files. A test may put its own files there.
    pub fn folder(&self) -> &Path {
        self.scratch.path()
    }

    /// The API server's address, `https://127.0.0.1:PORT`.
    pub fn server_url(&self) -> String {
        self.layout.server_url()
    }

    /// The certificate of the cluster's authority, as PEM.
    pub fn authority_certificate(&self) -> &str {
        self.authority.0.certificate()
    }

    /// A certificate and its key, as PEM, signed by the cluster's authority, for a server with these DNS names or addresses.
    pub fn issue_server_certificate(&self, names: &[&str]) -> Result<(String, String)> {
        let identity = self.authority.0.issue_server(names)?;
        Ok((identity.certificate, identity.key))
    }

    /// Makes a user who is in `group`, and returns the path of the kubeconfig. Roles are bound by the test, with `kubectl`.
    pub fn add_user(&self, user: &str, group: Option<&str>) -> Result<PathBuf> {
        write_kubeconfig(&self.layout, &self.authority.0, user, group)
    }

    /// The kubeconfig file of `admin` or of a user added before.
    pub fn kubeconfig(&self, user: &str) -> Result<PathBuf> {
        let file = kubeconfig_file(&self.layout, user);
        ensure!(file.exists(), "the test cluster has no user `{user}`: call `add_user` first");
        Ok(file)
    }

    /// Runs `kubectl` as `admin`.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<Output> {
        self.kubectl_as("admin", arguments, b"")
    }

    /// Runs `kubectl` as `admin` with something on standard input, such as objects for `apply -f -`.
    pub fn kubectl_with_stdin(&self, arguments: &[&str], stdin: &[u8]) -> Result<Output> {
        self.kubectl_as("admin", arguments, stdin)
    }

    /// Runs `kubectl` as the named user.
    pub fn kubectl_as(&self, user: &str, arguments: &[&str], stdin: &[u8]) -> Result<Output> {
        let kubeconfig = self.kubeconfig(user)?;
        kubectl(&self.programs, &self.layout, &kubeconfig, arguments, stdin)
    }

    /// The text the API server has logged so far.
    pub fn api_server_log(&self) -> Result<String> {
        let bytes = fs_err::read(self.layout.log(API_SERVER_LOG))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Ids of the running processes: etcd, API server, controller manager.
    pub fn process_ids(&self) -> Vec<u32> {
        let processes = self.lock();
        let api_server = processes.api_server.as_ref().map(GuardedChild::id);
        [Some(processes.etcd.id()), api_server, Some(processes.controller_manager.id())]
            .into_iter()
            .flatten()
            .collect()
    }

    /// Kills the API server. Clients see refused connections until [`Cluster::restart_api_server`].
    ///
    /// Killed, because a graceful end waits for open watches for many seconds; everything it knows is in etcd.
    pub fn stop_api_server(&self) {
        drop(self.lock().api_server.take());
    }

    /// Starts the API server again on the same port, after stopping it where it runs, and waits until it is ready.
    pub fn restart_api_server(&self) -> Result<()> {
        self.stop_api_server();
        let mut processes = self.lock();
        let mut api_server = self.layout.start_api_server(&self.programs)?;
        wait_for_api_server(&self.layout, &self.programs, &mut processes.etcd, &mut api_server)?;
        processes.api_server = Some(api_server);
        Ok(())
    }

    /// Pods need their namespace's service account, which the controller manager makes.
    fn wait_for_default_service_account(&self) -> Result<()> {
        let arguments = ["get", "serviceaccount", "default", "--namespace=default"];
        let answer = wait_until(READY_DEADLINE, "the default service account", || {
            if let Some(status) = self.lock().controller_manager.find_exit_status() {
                return Some(Err(anyhow::anyhow!("kube-controller-manager ended with {status}")));
            }
            self.kubectl(&arguments).ok().filter(Output::is_success).map(|_| Ok(()))
        });
        answer.and_then(|ready| ready).map_err(|error| with_logs(&self.layout, error))
    }

    fn lock(&self) -> MutexGuard<'_, Processes> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Cluster {
    #[expect(clippy::print_stderr, reason = "a failed test shows why")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", logs(&self.layout));
        }
    }
}

fn wait_for_api_server(
    layout: &Layout,
    programs: &KubernetesPrograms,
    etcd: &mut GuardedChild,
    api_server: &mut GuardedChild,
) -> Result<()> {
    let kubeconfig = kubeconfig_file(layout, "admin");
    let answer = wait_until(READY_DEADLINE, "the API server to be ready", || {
        for (name, child) in [("etcd", &mut *etcd), ("kube-apiserver", &mut *api_server)] {
            if let Some(status) = child.find_exit_status() {
                return Some(Err(anyhow::anyhow!("{name} ended with {status}")));
            }
        }
        // Asking costs a process, so first look whether anybody could answer.
        if !is_listening(layout.api_port) {
            return None;
        }
        let answer = kubectl(programs, layout, &kubeconfig, &["get", "--raw=/readyz"], b"");
        answer.ok().filter(Output::is_success).map(|_| Ok(()))
    });
    answer.and_then(|ready| ready).map_err(|error| with_logs(layout, error))
}

fn kubectl(
    programs: &KubernetesPrograms,
    layout: &Layout,
    kubeconfig: &Path,
    arguments: &[&str],
    stdin: &[u8],
) -> Result<Output> {
    run(&programs.kubectl, stdin, |command| {
        command.args(arguments).env("KUBECONFIG", kubeconfig);
        // Discovery caches and preferences belong to this cluster, not to the developer.
        command.env("HOME", &layout.folder).env("KUBECACHEDIR", layout.folder.join("kubectl-cache"));
    })
}

fn kubeconfig_file(layout: &Layout, user: &str) -> PathBuf {
    layout.folder.join(format!("{}.kubeconfig", user.replace(['/', ':'], "-")))
}

fn write_kubeconfig(
    layout: &Layout,
    authority: &Authority,
    user: &str,
    group: Option<&str>,
) -> Result<PathBuf> {
    let identity = authority.issue_client(user, group)?;
    let config = kubeconfig::kubeconfig(&layout.server_url(), authority.certificate(), user, &identity);
    let file = kubeconfig_file(layout, user);
    fs_err::write(&file, format!("{config:#}")).context("failed to write a kubeconfig")?;
    Ok(file)
}

fn with_logs(layout: &Layout, error: anyhow::Error) -> anyhow::Error {
    error.context(format!("failed to start a test cluster\n{}", logs(layout)))
}

fn logs(layout: &Layout) -> String {
    [ETCD_LOG, API_SERVER_LOG, CONTROLLER_MANAGER_LOG]
        .map(|name| tail(&layout.log(name), TAIL_LINES))
        .concat()
}
