//! The processes of a test cluster and their arguments.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::certificates::{Authority, generate_key_pair};
use crate::kubernetes_tools::KubernetesPrograms;
use crate::ports::free_port;
use crate::process::GuardedChild;

/// Where the processes listen and which files they share.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) folder: PathBuf,
    pub(super) api_port: u16,
    etcd_port: u16,
    etcd_peer_port: u16,
}

pub(super) const ETCD_LOG: &str = "etcd.log";
pub(super) const API_SERVER_LOG: &str = "kube-apiserver.log";
pub(super) const CONTROLLER_MANAGER_LOG: &str = "kube-controller-manager.log";
/// The controller manager's own user: its permissions are the ones of a real cluster.
pub(super) const CONTROLLER_MANAGER_USER: &str = "system:kube-controller-manager";

impl Layout {
    /// Picks ports and writes keys and certificates.
    pub(super) fn prepare(folder: &Path, authority: &Authority) -> Result<Self> {
        fs_err::write(folder.join("ca.crt"), authority.certificate())?;
        let (private_key, public_key) = generate_key_pair()?;
        fs_err::write(folder.join("service-account.key"), private_key)?;
        fs_err::write(folder.join("service-account.pub"), public_key)?;
        let names = ["localhost", "127.0.0.1", "kubernetes.default.svc"];
        authority.issue_server(&names)?.write(folder, "kube-apiserver")?;
        let (api_port, etcd_port, etcd_peer_port) = (free_port()?, free_port()?, free_port()?);
        Ok(Self { folder: folder.to_owned(), api_port, etcd_port, etcd_peer_port })
    }

    pub(super) fn server_url(&self) -> String {
        format!("https://127.0.0.1:{}", self.api_port)
    }

    /// Addresses of Services are this machine's own, others for each cluster: who listens at one is reached by the API server as
    /// a Pod behind a Service is, without nodes that would lead there.
    fn service_range(&self) -> String {
        let [high, low] = self.api_port.to_be_bytes();
        format!("127.{}.{low}.0/24", 128 + high / 2)
    }

    pub(super) fn start_etcd(&self, programs: &KubernetesPrograms) -> Result<GuardedChild> {
        let client = format!("http://127.0.0.1:{}", self.etcd_port);
        let peer = format!("http://127.0.0.1:{}", self.etcd_peer_port);
        let arguments = [
            "--name=test".to_owned(),
            format!("--data-dir={}", self.path("etcd")),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=test={peer}"),
            // A test cluster survives no crash, so it need not wait for the disk.
            "--unsafe-no-fsync".to_owned(),
            "--logger=zap".to_owned(),
            "--log-level=warn".to_owned(),
        ];
        self.start(&programs.etcd, &arguments, ETCD_LOG)
    }

    pub(super) fn start_api_server(&self, programs: &KubernetesPrograms) -> Result<GuardedChild> {
        let arguments = [
            format!("--etcd-servers=http://127.0.0.1:{}", self.etcd_port),
            "--bind-address=127.0.0.1".to_owned(),
            // Given, so that no network interface is searched: tests run on machines that have only loopback.
            "--advertise-address=127.0.0.1".to_owned(),
            // The `kubernetes` endpoints may not be a loopback address, and nothing here uses them.
            "--endpoint-reconciler-type=none".to_owned(),
            format!("--secure-port={}", self.api_port),
            format!("--tls-cert-file={}", self.path("kube-apiserver.crt")),
            format!("--tls-private-key-file={}", self.path("kube-apiserver.key")),
            format!("--client-ca-file={}", self.path("ca.crt")),
            format!("--service-account-key-file={}", self.path("service-account.pub")),
            format!("--service-account-signing-key-file={}", self.path("service-account.key")),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            format!("--service-cluster-ip-range={}", self.service_range()),
            "--authorization-mode=RBAC".to_owned(),
            "--allow-privileged=true".to_owned(),
            "--profiling=false".to_owned(),
        ];
        self.start(&programs.api_server, &arguments, API_SERVER_LOG)
    }

    pub(super) fn start_controller_manager(
        &self,
        programs: &KubernetesPrograms,
        kubeconfig: &Path,
    ) -> Result<GuardedChild> {
        let kubeconfig = kubeconfig.display();
        let arguments = [
            format!("--kubeconfig={kubeconfig}"),
            format!("--authentication-kubeconfig={kubeconfig}"),
            format!("--authorization-kubeconfig={kubeconfig}"),
            format!("--root-ca-file={}", self.path("ca.crt")),
            format!("--service-account-private-key-file={}", self.path("service-account.key")),
            // As in a real cluster: what a controller creates comes from its own service account.
            "--use-service-account-credentials=true".to_owned(),
            // Every controller asks for its credentials at the start; the default rate makes that take 4 s.
            "--kube-api-qps=1000".to_owned(),
            "--kube-api-burst=1000".to_owned(),
            "--leader-elect=false".to_owned(),
            // Serves nothing, so needs no port.
            "--secure-port=0".to_owned(),
            "--profiling=false".to_owned(),
        ];
        self.start(&programs.controller_manager, &arguments, CONTROLLER_MANAGER_LOG)
    }

    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn start(&self, program: &Path, arguments: &[String], log: &str) -> Result<GuardedChild> {
        let log = self.log(log);
        let open = || OpenOptions::new().create(true).append(true).open(&log);
        let stdout = open().with_context(|| format!("failed to open `{}`", log.display()))?;
        let stderr = open().with_context(|| format!("failed to open `{}`", log.display()))?;
        GuardedChild::spawn(program, |command| {
            command.args(arguments).current_dir(&self.folder).stdout(stdout).stderr(stderr);
        })
    }
}
