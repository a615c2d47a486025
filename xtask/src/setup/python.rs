//! Python programs that tests run, each in a virtual environment of its own.

use std::path::Path;

use anyhow::Result;
use testkit::{PYTHON, PythonTool};

use super::lock;
use crate::progress::step;
use crate::run::{command, output};

/// Makes the environments that are not there.
pub(crate) fn install_missing(cache: &Path) -> Result<()> {
    for tool in PythonTool::ALL {
        if tool.find().is_err() {
            install(&tool, cache)?;
        }
    }
    Ok(())
}

fn install(tool: &PythonTool, cache: &Path) -> Result<()> {
    let folder = tool.cached_folder(cache)?;
    let _lock = lock(&cache.join(format!("python-{}.lock", tool.name)))?;
    // Another setup may have finished while this one waited.
    if tool.find().is_ok() {
        return Ok(());
    }
    if folder.exists() {
        fs_err::remove_dir_all(&folder)?;
    }
    step(&format!("installing {} from the Python package index (some seconds, once)", tool.name), || {
        output(command(PYTHON).args(["-m", "venv"]).arg(&folder))?;
        let pip = |requirements: &Path, arguments: &[&str]| {
            let mut pip = command(folder.join("bin/python"));
            pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]);
            // Only what is pinned, byte for byte, and nothing that would have to be built but what is named.
            pip.args(["--require-hashes", "--only-binary", ":all:"]).args(arguments);
            output(pip.arg("--requirement").arg(requirements)).map(drop)
        };
        match tool.source_package {
            Some(package) => {
                pip(&tool.build_requirements(), &[])?;
                pip(&tool.requirements(), &["--no-binary", package, "--no-build-isolation"])?;
            }
            None => pip(&tool.requirements(), &[])?,
        }
        fs_err::write(PythonTool::complete_marker(&folder), b"")?;
        Ok(())
    })
}
