//! Databases of rpm from real distributions, which a library for reading them brings along.

use anyhow::Result;

use super::Made;
use crate::run::{command, output};

const MODULE: &str = "github.com/knqyf263/go-rpmdb";

pub(super) fn centos_7(made: &Made<'_>) -> Result<()> {
    install(made, "centos7-many/Packages", "var/lib/rpm", ["centos", "7"])
}

pub(super) fn centos_8(made: &Made<'_>) -> Result<()> {
    install(made, "centos8-modularitylabel/Packages", "var/lib/rpm", ["centos", "8"])
}

pub(super) fn ubi_8(made: &Made<'_>) -> Result<()> {
    install(made, "ubi8-s390x/Packages", "var/lib/rpm", ["rhel", "8.4"])
}

pub(super) fn fedora_35(made: &Made<'_>) -> Result<()> {
    install(made, "fedora35-plus-mongo/rpmdb.sqlite", "var/lib/rpm", ["fedora", "35"])
}

pub(super) fn sle_15(made: &Made<'_>) -> Result<()> {
    install(made, "sle15-bci/Packages.db", "usr/lib/sysimage/rpm", ["sles", "15.3"])
}

/// Puts a database where the distribution has it, and says which one it is.
fn install(made: &Made<'_>, database: &str, folder: &str, [id, version]: [&str; 2]) -> Result<()> {
    let go = |arguments: &[&str]| {
        output(command("go").current_dir(testkit::workspace_folder().join("tools/rpmdb")).args(arguments))
    };
    go(&["mod", "download", MODULE])?;
    let module = go(&["list", "-m", "-f", "{{.Dir}}", MODULE])?;
    let database = std::path::Path::new(module.trim()).join("pkg/testdata").join(database);
    let folder = made.root.join(folder);
    fs_err::create_dir_all(&folder)?;
    // Not `copy`, which would leave it as unwritable as it is among Go's modules.
    let mut from = fs_err::File::open(&database)?;
    let mut to = fs_err::File::create(folder.join(database.file_name().unwrap_or_default()))?;
    std::io::copy(&mut from, &mut to)?;
    fs_err::create_dir_all(made.root.join("etc"))?;
    fs_err::write(made.root.join("etc/os-release"), format!("ID={id}\nVERSION_ID=\"{version}\"\n"))?;
    Ok(())
}
