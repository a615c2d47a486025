//! `setup`: what tests need of the machine, installed, built, or clearly asked for.

pub(crate) mod cargo_tool;
pub(crate) mod debian_images;
mod go;
pub(crate) mod go_tool;
mod kubernetes;
mod packages;
mod python;

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::progress::say;

/// Makes the machine ready; does nothing where it is.
pub(crate) fn setup() -> Result<()> {
    packages::install_for_tests()?;
    let cache = testkit::cache_folder()?;
    fs_err::create_dir_all(&cache)?;
    python::install_missing(&cache)?;
    kubernetes::build_if_missing(&cache)?;
    go_tool::build_missing(&cache)?;
    debian_images::make_if_missing(&cache)
}

/// What making images and judging them by package managers needs besides.
pub(crate) fn setup_for_images() -> Result<()> {
    setup()?;
    packages::install_for_images()
}

/// Holds the lock of a file until dropped, so that two setups do not make the same thing at the same time.
fn lock(file: &Path) -> Result<File> {
    let lock = File::create(file).with_context(|| format!("failed to make `{}`", file.display()))?;
    if lock.try_lock().is_err() {
        say(&format!("waiting for another setup, which holds `{}`", file.display()));
        lock.lock().with_context(|| format!("failed to lock `{}`", file.display()))?;
    }
    Ok(lock)
}

/// An empty folder beside `target`, on the same file system, to be renamed to it when all is in it.
fn unfinished_folder(target: &Path) -> Result<PathBuf> {
    let mut name = target.file_name().context("a cached thing has a name")?.to_owned();
    name.push(".unfinished");
    let folder = target.with_file_name(name);
    // The lock is ours, so what lies there was left by a setup that was killed.
    if folder.exists() {
        fs_err::remove_dir_all(&folder)?;
    }
    fs_err::create_dir_all(&folder)?;
    Ok(folder)
}
