//! `bench scan`: scans of several images against a baseline of the same run, and beside other scanners where they are.

pub(crate) mod images;
mod memory;
mod others;
mod rescan;

use anyhow::Result;

use super::run_benchmark;

/// Measures, and prints what there is beside.
pub(super) fn bench() -> Result<()> {
    let images = images::all()?;
    let arguments: Vec<String> = images
        .iter()
        .map(|image| format!("{}={}={}", image.name, image.memory_target, image.archive.display()))
        .collect();
    run_benchmark("scanner", "scan", &arguments)?;
    rescan::measure(&images)?;
    others::measure(&images)
}
