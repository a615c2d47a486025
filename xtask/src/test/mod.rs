//! `test`: everything, with one line at the end.

mod report;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::progress::{print, say, step};
use crate::run::{cargo, command, output};
use crate::{setup, tidy};
use report::{Report, Tally};

/// What properties are generated from.
const GENERATED_CASES_SEED: &str = "1";

/// Checks everything; true when all passed and nothing was skipped.
pub(crate) fn test() -> Result<bool> {
    let mut tally = Tally::default();
    if is_done("setup", setup::setup()) {
        check_all(&mut tally);
    } else {
        tally.failed += 1;
    }
    print(&tally.to_string());
    Ok(tally.is_success())
}

fn check_all(tally: &mut Tally) {
    let cargo_step = |title: &str, arguments: &[&str]| {
        let result = step(title, || output(command(cargo()).args(arguments)));
        is_done(title, result)
    };
    tally.count(cargo_step("format", &["fmt", "--all", "--check"]));
    let clippy = ["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"];
    tally.count(cargo_step("lints", &clippy));
    tally.count(is_done("tidy", step("tidy", check_tidy)));

    // Tests run the program as a user would, so it must be the one of these sources.
    let is_built = cargo_step("building the program", &["build", "--quiet", "--package=lazaret"])
        && cargo_step("building the tests", &["test", "--quiet", "--workspace", "--no-run"]);
    if !is_built {
        tally.failed += 1;
        return;
    }
    match run_tests() {
        Ok(report) => tally.add(&report),
        Err(error) => {
            say(&format!("tests: {error:#}"));
            tally.failed += 1;
        }
    }
}

fn check_tidy() -> Result<()> {
    let problems = tidy::find_problems()?;
    if problems.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = problems.iter().map(ToString::to_string).collect();
    bail!("{} problems\n{}", problems.len(), list.join("\n"));
}

/// True for a success; a failure is shown with all it says.
fn is_done<T>(title: &str, result: Result<T>) -> bool {
    match result {
        Ok(_) => true,
        Err(error) => {
            say(&format!("{title} failed: {error:#}"));
            false
        }
    }
}

/// Runs all tests, showing each target's result as it comes.
fn run_tests() -> Result<Report> {
    let begin = Instant::now();
    let mut report = Report::default();
    // One pipe for both streams keeps what cargo says of a target before what the target says.
    let (reader, writer) = std::io::pipe().context("failed to make a pipe")?;
    let mut tests: Command = command(cargo());
    // The same change gets the same answer; searching with other cases is a task of its own.
    tests.env("PROPTEST_RNG_SEED", GENERATED_CASES_SEED);
    tests.args(["test", "--workspace", "--no-fail-fast"]).stdin(Stdio::null());
    tests.stdout(writer.try_clone().context("failed to share a pipe")?).stderr(writer);
    let mut child = tests.spawn().context("failed to start `cargo test`")?;
    // The command holds the pipe's other end, which must close for the reading to end.
    drop(tests);
    for line in BufReader::new(reader).split(b'\n') {
        let line = line.context("failed to read what `cargo test` says")?;
        if let Some(message) = report.read_line(&String::from_utf8_lossy(&line)) {
            say(&message);
        }
    }
    let status = child.wait().context("failed to wait for `cargo test`")?;
    if let Some(message) = report.finish(status.success()) {
        say(&message);
    }
    say(&format!("tests: done in {:.1} s", begin.elapsed().as_secs_f64()));
    Ok(report)
}
