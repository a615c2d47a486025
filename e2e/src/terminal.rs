//! The program on a terminal.

use std::path::{Path, PathBuf};

use anyhow::Result;
use testkit::{Output, Program};

/// The small feed in the form of Debian's security tracker.
pub fn feed_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/debian-tracker.json")
}

/// Runs `lazaret` with these arguments to its end.
pub fn run_lazaret(arguments: &[&str]) -> Result<Output> {
    Program::lazaret()?.arguments(arguments).run(b"")
}

/// Builds a database out of [`feed_file`].
pub fn build_database(output: &Path) -> Result<()> {
    let feed = format!("debian-tracker={}", feed_file().display());
    let output = output.to_string_lossy();
    run_lazaret(&["db", "build", "--feed", &feed, "-o", &output])?.success()?;
    Ok(())
}
