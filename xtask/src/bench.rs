//! `bench`: figures against a baseline in the same run.

use anyhow::{Result, ensure};

use crate::progress::say;
use crate::run::{cargo, command};
use crate::setup;

/// Crate and name of each benchmark; each prints its own table.
const BENCHMARKS: [(&str, &str); 2] = [("scanner", "scan"), ("admission", "reviews")];

/// Runs all benchmarks, optimized.
pub(crate) fn bench() -> Result<()> {
    setup::setup()?;
    for (package, name) in BENCHMARKS {
        say(&format!("\nbenchmark {name} of {package}: building and running"));
        let status =
            command(cargo()).args(["bench", "--quiet", "--package", package, "--bench", name]).status()?;
        ensure!(status.success(), "benchmark {name} of {package} ended with {status}");
    }
    Ok(())
}
