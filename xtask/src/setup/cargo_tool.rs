//! Programs that Cargo builds from the registry of crates, in the cache.

use std::path::PathBuf;

use anyhow::Result;

use super::{lock, unfinished_folder};
use crate::progress::step;
use crate::run::{cargo, command, output};

/// The program of a crate of this name and version; it is built if it is not there yet.
pub(crate) fn find_or_build((name, version): (&str, &str)) -> Result<PathBuf> {
    let cache = testkit::cache_folder()?;
    let folder = cache.join(format!("{name}-{version}"));
    let program = folder.join("bin").join(name);
    let _lock = lock(&cache.join(format!("{name}.lock")))?;
    if program.exists() {
        return Ok(program);
    }
    let unfinished = unfinished_folder(&folder)?;
    step(&format!("building {name} {version} (once)"), || {
        let install = ["install", "--quiet", "--locked", "--version", version, name, "--root"];
        output(command(cargo()).args(install).arg(&unfinished)).map(drop)
    })?;
    // A folder without the program was damaged.
    if folder.exists() {
        fs_err::remove_dir_all(&folder)?;
    }
    fs_err::rename(&unfinished, &folder)?;
    Ok(program)
}
