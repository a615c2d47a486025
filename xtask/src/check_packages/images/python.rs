//! Several Pythons with packages in all forms that were in use.

use std::path::Path;

use anyhow::Result;
use testkit::PYTHON;

use super::Made;
use crate::run::{command, output};

/// The last ones that make eggs.
const OLD_TOOLS: [&str; 2] = ["setuptools==65.5.0", "wheel==0.45.1"];
const PROJECT: &str = "[build-system]\nrequires = [\"setuptools==65.5.0\"]\nbuild-backend = \"setuptools.build_meta\"\n\
    [project]\nname = \"Mine.Own_Thing\"\nversion = \"1.2.0rc1\"\n";

/// Packages of the system, a virtual environment with an editable project, another Python with eggs.
pub(super) fn environments(made: &Made<'_>) -> Result<()> {
    let system = made.root.join("usr/local/lib/python3.11/dist-packages");
    let install = ["-m", "pip", "install", "--quiet", "--no-compile"];
    let quiet = |program: &Path| {
        let mut python = command(program);
        python.env("PIP_ROOT_USER_ACTION", "ignore").env("PIP_DISABLE_PIP_VERSION_CHECK", "1");
        python
    };
    let target = |packages: &[&str], folder: &Path| {
        output(quiet(Path::new(PYTHON)).args(install).arg("--target").arg(folder).args(packages)).map(drop)
    };
    target(&["flask==2.2.2", "requests==2.28.1", "zope.interface==5.5.2", "ruamel.yaml==0.17.21"], &system)?;

    let environment = made.root.join("opt/environment");
    output(command(PYTHON).args(["-m", "venv"]).arg(&environment))?;
    let python = environment.join("bin/python");
    let project = made.root.join("srv/project");
    fs_err::create_dir_all(project.join("mine"))?;
    fs_err::write(project.join("mine/__init__.py"), "")?;
    fs_err::write(project.join("pyproject.toml"), PROJECT)?;
    output(quiet(&python).args(install).args(OLD_TOOLS))?;
    output(quiet(&python).args(install).arg("celery==5.2.7"))?;
    output(quiet(&python).args(install).arg("--editable").arg(&project))?;

    let old = made.scratch.join("old");
    fs_err::create_dir_all(&old)?;
    fs_err::write(old.join("plain.py"), "")?;
    let setup =
        "from setuptools import setup\nsetup(name='old-style', version='0.9.post1', py_modules=['plain'])\n";
    fs_err::write(old.join("setup.py"), setup)?;
    let run_setup = |arguments: &[&str]| {
        output(quiet(&python).current_dir(&old).args(["-W", "ignore", "setup.py", "--quiet"]).args(arguments))
            .map(drop)
    };
    // One as a file, one as an archive, one as a folder with all that is in it.
    let folder_of = |version: &str| made.root.join(format!("usr/lib/{version}/site-packages"));
    for version in ["python3.7", "python3.8", "python3.9"] {
        fs_err::create_dir_all(folder_of(version))?;
    }
    run_setup(&["install_egg_info", "-d", &folder_of("python3.7").display().to_string()])?;
    run_setup(&["bdist_egg", "--dist-dir", &folder_of("python3.8").display().to_string()])?;
    for entry in fs_err::read_dir(folder_of("python3.8"))? {
        let egg = entry?.path();
        let folder = folder_of("python3.9").join(egg.file_name().unwrap_or_default());
        output(command(PYTHON).args(["-m", "zipfile", "-e"]).arg(&egg).arg(&folder))?;
    }
    Ok(())
}
