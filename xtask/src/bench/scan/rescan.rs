//! `lazaret scan` as a user runs it: cold, again, and again with another vulnerability database.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::json;
use testkit::{Program, Scratch};

use super::images::BenchImage;
use crate::progress::{print, say};
use crate::run::{cargo, command};

const RESCAN_TARGET: Duration = Duration::from_millis(100);
const ROUNDS: usize = 5;
/// Vulnerabilities of each package.
const HOLES: usize = 50;

/// The program as built for release.
fn lazaret() -> Program {
    Program::at(&program_path())
}

fn program_path() -> PathBuf {
    testkit::workspace_folder().join("target/release/lazaret")
}

/// Builds it, and measures it with two databases and a cache.
pub(super) fn measure(images: &[BenchImage]) -> Result<()> {
    say("\nlazaret scan: building and running");
    let built = command(cargo()).args(["build", "--quiet", "--release", "--package", "lazaret"]).status()?;
    ensure!(built.success(), "the build ended with {built}");
    let scratch = Scratch::new("bench-rescan")?;
    let databases =
        [build_database(scratch.path(), "one", "9:2")?, build_database(scratch.path(), "two", "9:1")?];
    print("\nlazaret scan, whole program            first     again   another database");
    for image in images {
        let cache = scratch.path().join(image.name);
        let first = run(image, &databases[0], &cache)?;
        let again = median(|| run(image, &databases[0], &cache))?;
        let other = median(|| run(image, &databases[1], &cache))?;
        let word = if other <= RESCAN_TARGET { "held" } else { "MISSED" };
        print(&format!(
            "{:<34}{:>7.0} ms{:>7.0} ms{:>10.0} ms (target {} ms: {word})",
            image.name,
            milliseconds(first),
            milliseconds(again),
            milliseconds(other),
            RESCAN_TARGET.as_millis()
        ));
    }
    Ok(())
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn median(mut measure: impl FnMut() -> Result<Duration>) -> Result<Duration> {
    let mut times = (0..ROUNDS).map(|_| measure()).collect::<Result<Vec<_>>>()?;
    times.sort();
    Ok(times[ROUNDS / 2])
}

fn run(image: &BenchImage, database: &Path, cache: &Path) -> Result<Duration> {
    let began = Instant::now();
    let archive = format!("oci-archive:{}", image.archive.display());
    let program = lazaret().arguments(["scan", &archive, "-o", "json", "--db"]).argument(database);
    let output = program.argument("--cache-folder").argument(cache).run(b"")?;
    let time = began.elapsed();
    let found = output.success()?.matches("\"CVE-2099-").count();
    ensure!(found >= HOLES, "{found} findings in {}", image.name);
    Ok(time)
}

/// Lists the packages without a cache.
pub(super) fn sbom(image: &BenchImage) -> Command {
    let mut command = Command::new(program_path());
    let archive = format!("oci-archive:{}", image.archive.display());
    command.args(["sbom", &archive, "-o", "json", "--no-cache"]);
    command
}

/// A database of Debian's tracker in which packages that images have are mended in this version, which is above all there are.
fn build_database(folder: &Path, name: &str, version: &str) -> Result<PathBuf> {
    let packages = ["glibc", "openssl", "zlib", "bash", "perl", "systemd", "util-linux", "coreutils"];
    let tracker: serde_json::Map<_, _> = packages
        .iter()
        .enumerate()
        .map(|(index, package)| {
            let release = json!({"fixed_version": version, "status": "resolved", "urgency": "high"});
            let holes = (0..HOLES).map(|hole| {
                let id = format!("CVE-2099-{:05}", index * HOLES + hole);
                (id, json!({"releases": {"bookworm": &release}}))
            });
            ((*package).to_owned(), holes.collect::<serde_json::Map<_, _>>().into())
        })
        .collect();
    let (feed, database) = (folder.join(format!("{name}.json")), folder.join(format!("{name}.db")));
    fs_err::write(&feed, serde_json::Value::Object(tracker).to_string())?;
    let feed = format!("debian-tracker={}", feed.display());
    lazaret().arguments(["db", "build", "--feed", &feed, "-o"]).argument(&database).run(b"")?.success()?;
    Ok(database)
}
