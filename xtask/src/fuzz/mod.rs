//! `fuzz`: searches for inputs that break a reader, and keeps what it finds as test cases.

mod search;

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::ScopedJoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use testkit::workspace_folder;

use crate::progress::{print, say, step};
use crate::run::{cargo, command, output};
use search::{Outcome, Search};

/// What makes LLVM tell which code an input reaches; `cargo fuzz` passes the same ones.
const COVERAGE_FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 --cfg fuzzing";
/// Beside the other builds, whose flags are others.
const BUILD_FOLDER: &str = "target/fuzz";

/// Searches in every target, or in those that are named; true when nothing was found.
pub(crate) fn fuzz(names: &[String], seconds: u64) -> Result<bool> {
    let all = target_names()?;
    if let Some(unknown) = names.iter().find(|name| !all.contains(name)) {
        bail!("no target is called `{unknown}`; there are: {}", all.join(", "));
    }
    let names = if names.is_empty() { &all } else { names };
    let host = host()?;
    step("building the search", || {
        let mut build = command(cargo());
        build.args(["build", "--quiet", "--package=fuzz", "--features=libfuzzer", "--profile=fuzz"]);
        build.arg(format!("--target-dir={BUILD_FOLDER}")).arg(format!("--target={host}"));
        output(build.env("RUSTFLAGS", COVERAGE_FLAGS).env_remove("CARGO_ENCODED_RUSTFLAGS"))
    })?;
    let folder = workspace_folder().join(BUILD_FOLDER);
    let program = folder.join(&host).join("fuzz/fuzz");
    let at_once = std::thread::available_parallelism()?.get();
    say(&format!("{} targets, {seconds} s each, {at_once} at once", names.len()));
    print(&Outcome::header());
    let search = |name: &String| -> Result<usize> {
        let search =
            Search { program: &program, work_folder: &folder, name, time: Duration::from_secs(seconds) };
        let outcome = search.run().with_context(|| format!("failed to search in `{name}`"))?;
        print(&outcome.to_string());
        Ok(outcome.cases.len())
    };
    let next = AtomicUsize::new(0);
    // An error ends only the worker that met it: the others search in what is left.
    let work = || -> Result<usize> {
        let mut found = 0;
        while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
            found += search(name)?;
        }
        Ok(found)
    };
    let found: Vec<Result<usize>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..at_once).map(|_| scope.spawn(work)).collect();
        let join =
            |worker: ScopedJoinHandle<'_, _>| worker.join().unwrap_or_else(|panic| resume_unwind(panic));
        workers.into_iter().map(join).collect()
    });
    let found: usize = found.into_iter().sum::<Result<usize>>()?;
    if found > 0 {
        say(&format!("{found} new cases in fuzz/cases; `cargo test --package=fuzz` shows what breaks"));
    }
    Ok(found == 0)
}

/// The targets, out of the table in the source: the program itself must be built with other flags to be asked.
fn target_names() -> Result<Vec<String>> {
    let path = workspace_folder().join("fuzz/src/lib.rs");
    let source = fs_err::read_to_string(&path)?;
    let names: Vec<String> = source
        .lines()
        .filter_map(|line| line.trim().strip_prefix("target(\"")?.split('"').next().map(str::to_owned))
        .collect();
    if names.is_empty() {
        bail!("no targets in {}", path.display());
    }
    Ok(names)
}

fn host() -> Result<String> {
    let about = output(command("rustc").arg("-vV"))?;
    let line = about.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(line.context("`rustc -vV` names no host")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_targets_is_found() {
        let names = target_names().unwrap();
        assert!(names.contains(&"rpm-sqlite".to_owned()), "{names:?}");
        assert!(names.len() > 20, "{names:?}");
    }
}
