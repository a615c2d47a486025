//! Programs that keep images on a machine, as Kubernetes nodes and developers have them: containerd and Podman, each with its data
//! in a folder of the test.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::environment::require_program;
use crate::process::GuardedChild;
use crate::wait::wait_until;

const START_TIME_MAX: Duration = Duration::from_secs(60);

/// A running daemon that answers on a socket; stopped when dropped.
#[derive(Debug)]
pub struct ImageDaemon {
    folder: tempfile::TempDir,
    client: Vec<String>,
    _child: GuardedChild,
}

impl ImageDaemon {
    /// Starts containerd.
    pub fn containerd() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name).display().to_string();
        let child = GuardedChild::spawn(&require_program("containerd")?, |command| {
            command.args(["--root", &path("root"), "--state", &path("state"), "--address", &path("socket")]);
        })?;
        let client = ["ctr", "--address", &path("socket")].map(str::to_owned).to_vec();
        Self { folder, client, _child: child }.wait()
    }

    /// Starts Podman's service, which speaks Docker's protocol.
    pub fn podman() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name).display().to_string();
        let (root, run) = (path("root"), path("run"));
        let options = ["--root", &root, "--runroot", &run, "--storage-driver", "vfs"];
        let child = GuardedChild::spawn(&require_program("podman")?, |command| {
            command.args(options).args(["system", "service", "-t", "0"]);
            command.arg(format!("unix://{}", path("socket")));
        })?;
        let client = [&["podman"], options.as_slice()].concat().into_iter().map(str::to_owned).collect();
        Self { folder, client, _child: child }.wait()
    }

    fn wait(self) -> Result<Self> {
        let socket = self.socket();
        wait_until(START_TIME_MAX, "the socket of the daemon", || {
            std::os::unix::net::UnixStream::connect(&socket).ok()
        })?;
        Ok(self)
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// Runs its client; what it printed.
    ///
    /// Errors: the client failed; the text has what it said.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        let [program, options @ ..] = self.client.as_slice() else { bail!("no client") };
        let mut command = std::process::Command::new(require_program(program)?);
        command.args(options).args(arguments);
        let output = command.output().with_context(|| format!("failed to start `{program}`"))?;
        if !output.status.success() {
            bail!("`{program} {arguments:?}`: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The folder of the test's data, for archives to import.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}
