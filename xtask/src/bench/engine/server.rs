//! The program under measure, started as a user starts it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use testkit::{Program, RunningProgram};

pub(super) const PASSWORD: &str = "correct horse battery";
const START_TIME: Duration = Duration::from_secs(60);

/// The program that lies beside this one: both are built by the same profile.
pub(super) fn lazaret() -> Result<Program> {
    let own = std::env::current_exe().context("find the path of this program")?;
    let path = own.parent().context("this program lies in no folder")?.join("lazaret");
    Ok(Program::at(&path).environment("LAZARET_FEEDS_FETCH", "false"))
}

/// Builds a vulnerability database of a feed.
pub(super) fn build_database(feed: &serde_json::Value, folder: &Path) -> Result<PathBuf> {
    let (file, database) = (folder.join("feed.json"), folder.join("vulnerability.db"));
    fs_err::write(&file, feed.to_string())?;
    let feed = format!("debian-tracker={}", file.display());
    lazaret()?.arguments(["db", "build", "--feed", &feed, "-o"]).argument(&database).run(b"")?.success()?;
    Ok(database)
}

/// `lazaret serve` or `lazaret work`.
pub(super) struct Role<'a> {
    pub(super) name: &'a str,
    pub(super) data: &'a Path,
    pub(super) registry: &'a str,
    pub(super) workers: &'a str,
    /// PostgreSQL instead of SQLite.
    pub(super) storage_url: Option<&'a str>,
}

impl Role<'_> {
    pub(super) fn start(&self) -> Result<RunningProgram> {
        let program = lazaret()?
            .arguments([
                self.name,
                "--insecure-registry",
                self.registry,
                "--workers",
                self.workers,
                "--data-dir",
            ])
            .argument(self.data)
            .environment("LAZARET_ADMIN_PASSWORD", PASSWORD);
        let program = match self.storage_url {
            Some(url) => program.environment("LAZARET_STORAGE_URL", url),
            None => program,
        };
        match self.name {
            "serve" => {
                program.arguments(["--listen", "127.0.0.1:0", "--engine-listen", "127.0.0.1:0"]).start()
            }
            _ => program.start(),
        }
    }
}

/// Where the engine's API is.
pub(super) fn address(program: &RunningProgram) -> Result<SocketAddr> {
    let line = program.wait_for_line("engine API", START_TIME)?;
    let address = line.split_once("http://").and_then(|(_, rest)| rest.split('/').next());
    address.and_then(|address| address.parse().ok()).with_context(|| format!("no address in `{line}`"))
}

/// Ends it in order.
pub(super) fn stop(program: RunningProgram) -> Result<()> {
    let (status, output) = program.stop()?;
    ensure!(status.success(), "the program ended with {status}:\n{output}");
    Ok(())
}

/// Resident memory in MiB.
pub(super) fn resident(program: &RunningProgram) -> Result<f64> {
    let status = fs_err::read_to_string(format!("/proc/{}/status", program.id()))?;
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().strip_suffix("kB").and_then(|number| number.trim().parse::<f64>().ok()));
    Ok(kib.with_context(|| format!("no memory in:\n{status}"))? / 1024.0)
}
