//! Programs in Go that tests talk to, each built from its pinned modules.

use std::path::Path;

use anyhow::{Context, Result};
use testkit::GoTool;

use super::go::check_go;
use super::{lock, unfinished_folder};
use crate::progress::step;
use crate::run::output;

/// Builds those that are not there.
pub(crate) fn build_missing(cache: &Path) -> Result<()> {
    GoTool::ALL.iter().try_for_each(|tool| build_if_missing(tool, cache))
}

/// Builds one; those that tests use are built by `setup`.
pub(crate) fn build_if_missing(tool: &GoTool, cache: &Path) -> Result<()> {
    let build = tool.load()?;
    if testkit::is_executable(&build.program) {
        return Ok(());
    }
    let _lock = lock(&cache.join(format!("{}.lock", tool.name)))?;
    // Another setup may have finished while this one waited.
    if testkit::is_executable(&build.program) {
        return Ok(());
    }
    check_go(&build.go_version, tool.title)?;
    let folder = build.program.parent().context("a cached program is in a folder")?;
    let name = build.program.file_name().context("a cached program has a name")?;
    let unfinished = unfinished_folder(folder)?;
    let title = format!("building {} {} for tests (some minutes, once)", tool.title, build.version);
    step(&title, || {
        let mut go = crate::run::command(testkit::require_program("go")?);
        go.current_dir(&build.source_folder).env("GOTOOLCHAIN", "local").args(&build.arguments);
        output(go.arg("-o").arg(unfinished.join(name)).arg(build.package))
    })?;
    // A folder without the program is of an older setup that was damaged.
    if folder.exists() {
        fs_err::remove_dir_all(folder)?;
    }
    fs_err::rename(&unfinished, folder)?;
    Ok(())
}
