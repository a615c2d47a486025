//! One search in one target: libFuzzer's run, what it printed, what it left.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use testkit::workspace_folder;

/// An input that takes longer is a finding.
const TIME_OF_ONE_MAX: &str = "-timeout=10";
/// So is one that needs more memory: readers are given at most a few hundred KiB here.
const MEMORY_MIB_MAX: &str = "-rss_limit_mb=1024";
const INPUT_BYTES_MAX: &str = "-max_len=131072";

/// What is to be searched.
pub(super) struct Search<'a> {
    pub(super) program: &'a Path,
    /// Inputs that reach new code stay here for the next search.
    pub(super) work_folder: &'a Path,
    pub(super) name: &'a str,
    pub(super) time: Duration,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    name: String,
    runs: u64,
    seconds: u64,
    coverage: u64,
    memory_mib: u64,
    /// The new test cases.
    pub(super) cases: Vec<PathBuf>,
}

impl Search<'_> {
    pub(super) fn run(&self) -> Result<Outcome> {
        let corpus = self.work_folder.join("corpus").join(self.name);
        let found = self.work_folder.join("found").join(self.name);
        for folder in [&corpus, &found] {
            fs_err::create_dir_all(folder)?;
        }
        let mut run = Command::new(self.program);
        run.env("LAZARET_FUZZ_TARGET", self.name).stdin(Stdio::null());
        run.args([
            TIME_OF_ONE_MAX,
            MEMORY_MIB_MAX,
            INPUT_BYTES_MAX,
            "-print_final_stats=1",
            "-detect_leaks=0",
        ]);
        run.arg(format!("-max_total_time={}", self.time.as_secs()));
        run.arg(format!("-artifact_prefix={}/", found.display()));
        run.arg(&corpus).args(self.given());
        let output = run.output().with_context(|| format!("failed to start {}", self.program.display()))?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let mut outcome = Outcome { seconds: self.time.as_secs(), ..read(self.name, &said) };
        if !output.status.success() {
            outcome.cases = self.keep(&found)?;
            if outcome.cases.is_empty() {
                let end: Vec<&str> = said.lines().rev().take(20).collect();
                anyhow::bail!(
                    "it ended with {}:\n{}",
                    output.status,
                    end.into_iter().rev().collect::<Vec<_>>().join("\n")
                );
            }
        }
        Ok(outcome)
    }

    /// Folders of the repository that the search begins with.
    fn given(&self) -> Vec<PathBuf> {
        let folders =
            ["seeds", "cases"].map(|kind| workspace_folder().join("fuzz").join(kind).join(self.name));
        folders.into_iter().filter(|folder| folder.is_dir()).collect()
    }

    /// Takes what was found over into the repository.
    fn keep(&self, found: &Path) -> Result<Vec<PathBuf>> {
        let cases = workspace_folder().join("fuzz/cases").join(self.name);
        let mut kept = Vec::new();
        for file in fs_err::read_dir(found)? {
            let file = file?;
            if !is_finding(&file.file_name().to_string_lossy()) {
                fs_err::remove_file(file.path())?;
                continue;
            }
            fs_err::create_dir_all(&cases)?;
            let case = cases.join(file.file_name());
            fs_err::copy(file.path(), &case)?;
            fs_err::remove_file(file.path())?;
            kept.push(case);
        }
        kept.sort();
        Ok(kept)
    }
}

/// What ends a search. An input that was only slow is also left there, on a busy machine any input.
fn is_finding(name: &str) -> bool {
    !name.starts_with("slow-unit-")
}

/// What libFuzzer says at its end, and the coverage of its last status line.
fn read(name: &str, said: &str) -> Outcome {
    let statistic = |key: &str| -> u64 {
        let value = said.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
        value.trim().parse().unwrap_or_default()
    };
    let coverage = said.lines().rev().find_map(|line| {
        let (_, rest) = line.split_once(" cov: ")?;
        rest.split_whitespace().next()?.parse().ok()
    });
    Outcome {
        name: name.to_owned(),
        runs: statistic("stat::number_of_executed_units:"),
        memory_mib: statistic("stat::peak_rss_mb:"),
        coverage: coverage.unwrap_or_default(),
        ..Outcome::default()
    }
}

impl Outcome {
    pub(super) fn header() -> String {
        format!("{:<20} {:>10} {:>6} {:>9} {:>11}  found", "target", "inputs", "s", "coverage", "memory MiB")
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, runs, seconds, coverage, memory_mib, cases } = self;
        write!(
            formatter,
            "{name:<20} {runs:>10} {seconds:>6} {coverage:>9} {memory_mib:>11}  {}",
            cases.len()
        )?;
        for case in cases {
            write!(formatter, "\n  {}", case.strip_prefix(workspace_folder()).unwrap_or(case).display())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_slow_on_a_busy_machine_is_no_case() {
        for (name, expected) in
            [("crash-1f", true), ("timeout-1f", true), ("oom-1f", true), ("slow-unit-1f", false)]
        {
            assert_eq!(is_finding(name), expected, "{name}");
        }
    }

    #[test]
    fn what_the_search_says_is_read() {
        let said = "#2\tINITED cov: 10 ft: 11\n#9\tDONE   cov: 42 ft: 99 corp: 7\nstat::number_of_executed_units: 905\nstat::peak_rss_mb:              77\n";
        let outcome = read("apk", said);
        assert_eq!((outcome.runs, outcome.coverage, outcome.memory_mib), (905, 42, 77));
        assert_eq!(read("apk", "nothing").runs, 0);
    }
}
