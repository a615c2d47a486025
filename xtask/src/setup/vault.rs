//! The Vault that tests talk to, built from its pinned module.

use std::path::Path;

use anyhow::{Context, Result};
use testkit::VaultBuild;

use super::go::check_go;
use super::{lock, unfinished_folder};
use crate::progress::step;
use crate::run::output;

/// Builds it unless it is there.
pub(crate) fn build_if_missing(cache: &Path) -> Result<()> {
    let build = VaultBuild::load()?;
    if testkit::is_executable(&build.program) {
        return Ok(());
    }
    let _lock = lock(&cache.join("vault.lock"))?;
    // Another setup may have finished while this one waited.
    if testkit::is_executable(&build.program) {
        return Ok(());
    }
    check_go(&build.go_version, "Vault")?;
    let folder = build.program.parent().context("a cached program is in a folder")?;
    let name = build.program.file_name().context("a cached program has a name")?;
    let unfinished = unfinished_folder(folder)?;
    let title = format!("building Vault {} for tests (5 minutes and more, once)", build.version);
    step(&title, || {
        let mut go = crate::run::command(testkit::require_program("go")?);
        go.current_dir(&build.source_folder).env("GOTOOLCHAIN", "local").args(&build.arguments);
        output(go.arg("-o").arg(unfinished.join(name)).arg("."))
    })?;
    // A folder without the program is of an older setup that was damaged.
    if folder.exists() {
        fs_err::remove_dir_all(folder)?;
    }
    fs_err::rename(&unfinished, folder)?;
    Ok(())
}
