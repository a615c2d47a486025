//! `bench`: figures against a baseline in the same run.

mod engine;
pub(crate) mod scan;

use std::time::Instant;

use anyhow::{Result, ensure};
use clap::ValueEnum;
use testkit::Cluster;

use crate::progress::say;
use crate::run::{cargo, command};
use crate::setup;

const CLUSTER_STARTS: usize = 3;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Subject {
    /// Scans of several images against inflating and hashing the same layers, their memory, and the cache of layers
    Scan,
    /// Admission reviews against a bare TLS echo of the same bytes
    Admission,
    /// How long tests wait for a cluster
    Cluster,
    /// `lazaret serve` and `lazaret work`: verdicts, pages of lists, memory, workers that share PostgreSQL
    Engine,
}

/// Measures a subject, optimized; without one all that need no server of ours.
pub(crate) fn bench(subject: Option<Subject>) -> Result<()> {
    match subject {
        Some(Subject::Scan) | None => setup::setup_for_images()?,
        Some(_) => setup::setup()?,
    }
    match subject {
        Some(Subject::Scan) => scan::bench(),
        Some(Subject::Admission) => run_benchmark("admission", "reviews", &[]),
        Some(Subject::Cluster) => time_cluster_starts(),
        Some(Subject::Engine) => engine::bench(),
        None => {
            scan::bench()?;
            run_benchmark("admission", "reviews", &[])?;
            time_cluster_starts()
        }
    }
}

/// A benchmark of a crate, which prints its own table.
fn run_benchmark(package: &str, name: &str, arguments: &[String]) -> Result<()> {
    say(&format!("\nbenchmark {name} of {package}: building and running"));
    let bench = ["bench", "--quiet", "--package", package, "--bench", name, "--"];
    let status = command(cargo()).args(bench).args(arguments).status()?;
    ensure!(status.success(), "benchmark {name} of {package} ended with {status}");
    Ok(())
}

/// How long a test waits for its cluster; tests themselves never fail for being slow.
fn time_cluster_starts() -> Result<()> {
    let mut seconds = Vec::new();
    for _ in 0..CLUSTER_STARTS {
        let begin = Instant::now();
        let cluster = Cluster::start()?;
        seconds.push(begin.elapsed().as_secs_f64());
        drop(cluster);
    }
    seconds.sort_by(f64::total_cmp);
    say(&format!(
        "\na test cluster is ready, {CLUSTER_STARTS} starts\n  median {:.1} s",
        seconds[CLUSTER_STARTS / 2]
    ));
    Ok(())
}
