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
    build_database_from(&[("debian-tracker", feed_file())], output)
}

/// Builds a database out of feeds: kind and file of each.
pub fn build_database_from(feeds: &[(&str, PathBuf)], output: &Path) -> Result<()> {
    let feeds: Vec<String> = feeds.iter().map(|(kind, file)| format!("{kind}={}", file.display())).collect();
    let mut arguments = vec!["db", "build"];
    arguments.extend(feeds.iter().flat_map(|feed| ["--feed", feed]));
    let output = output.to_string_lossy();
    arguments.extend(["-o", &output]);
    run_lazaret(&arguments)?.success()?;
    Ok(())
}
