//! `bench`: figures against a baseline in the same run.

use std::time::Instant;

use anyhow::{Result, ensure};
use testkit::Cluster;

use crate::progress::say;
use crate::run::{cargo, command};
use crate::setup;

/// Crate and name of each benchmark; each prints its own table.
const BENCHMARKS: [(&str, &str); 2] = [("scanner", "scan"), ("admission", "reviews")];

const CLUSTER_STARTS: usize = 3;

/// Runs all benchmarks, optimized.
pub(crate) fn bench() -> Result<()> {
    setup::setup()?;
    for (package, name) in BENCHMARKS {
        say(&format!("\nbenchmark {name} of {package}: building and running"));
        let status =
            command(cargo()).args(["bench", "--quiet", "--package", package, "--bench", name]).status()?;
        ensure!(status.success(), "benchmark {name} of {package} ended with {status}");
    }
    time_cluster_starts()
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
