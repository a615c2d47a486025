//! Debian packages that tests and comparisons use.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use testkit::{PYTHON, PostgresServer};

use crate::progress::step;
use crate::run::{command, output};

/// What must be there, and the package that brings it.
struct Requirement {
    is_present: fn() -> bool,
    package: &'static str,
}

macro_rules! program {
    ($name:literal from $package:literal) => {
        Requirement { is_present: || testkit::find_program($name).is_some(), package: $package }
    };
}

const REQUIREMENTS: &[Requirement] = &[
    program!("etcd" from "etcd-server"),
    program!("docker-registry" from "docker-registry"),
    program!("skopeo" from "skopeo"),
    program!("umoci" from "umoci"),
    program!("mmdebstrap" from "mmdebstrap"),
    program!("zstd" from "zstd"),
    program!("setpriv" from "util-linux"),
    program!("perl" from "perl"),
    // Programs that keep images, which scans ask.
    program!("containerd" from "containerd"),
    program!("podman" from "podman"),
    program!("curl" from "curl"),
    program!("git" from "git"),
    program!("rpmbuild" from "rpm"),
    program!("db5.3_load" from "db5.3-util"),
    program!("xmllint" from "libxml2-utils"),
    program!("chromium" from "chromium"),
    Requirement {
        is_present: || Path::new("/usr/share/keyrings/debian-archive-keyring.gpg").exists(),
        package: "debian-archive-keyring",
    },
    Requirement { is_present: || PostgresServer::find_programs().is_some(), package: "postgresql-15" },
    Requirement { is_present: || Path::new(PYTHON).exists(), package: "python3" },
    // Package managers that judge how we order versions.
    program!("rpm" from "rpm"),
    program!("ruby" from "ruby"),
    program!("php" from "php-cli"),
    Requirement { is_present: has_packaging, package: "python3-packaging" },
    // Without this, `python3 -m venv` exists and fails.
    Requirement { is_present: has_venv, package: "python3-venv" },
];

/// Package managers that make images, and judge what is found in them: only who asks for that needs them.
const IMAGE_REQUIREMENTS: &[Requirement] = &[
    program!("pacman" from "pacman-package-manager"),
    program!("mvn" from "maven"),
    program!("npm" from "npm"),
    program!("composer" from "composer"),
    Requirement { is_present: has_pip, package: "python3-pip" },
];

fn has_venv() -> bool {
    let ensurepip = command(PYTHON).args(["-c", "import ensurepip, venv"]).output();
    ensurepip.is_ok_and(|output| output.status.success())
}

fn has_pip() -> bool {
    command(PYTHON).args(["-m", "pip", "--version"]).output().is_ok_and(|output| output.status.success())
}

fn has_packaging() -> bool {
    let packaging = command(PYTHON).args(["-c", "import packaging.version"]).output();
    packaging.is_ok_and(|output| output.status.success())
}

/// Installs what tests need.
pub(crate) fn install_for_tests() -> Result<()> {
    install_missing(REQUIREMENTS)
}

/// Installs what making and judging images needs besides.
pub(crate) fn install_for_images() -> Result<()> {
    install_missing(IMAGE_REQUIREMENTS)
}

/// Installs exactly what is missing; without root it says what that is.
fn install_missing(requirements: &[Requirement]) -> Result<()> {
    let missing = find_missing(requirements);
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if testkit::find_program("apt-get").is_none() {
        bail!(
            "missing: {list} (names of Debian packages); this machine has no `apt-get` to install them with"
        );
    }
    if !is_root()? {
        bail!(
            "missing packages: {list}\nrun this, then try again:\n  \
             sudo apt-get update && sudo apt-get install --yes --no-install-recommends {list}"
        );
    }
    let _no_services = KeepServicesStopped::begin()?;
    let apt = |arguments: &[&str]| {
        output(
            command("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1"),
        )
        .map(drop)
    };
    step("reading the package lists", || apt(&["update"]))?;
    step(&format!("installing {list}"), || {
        apt(&[&["install", "--yes", "--no-install-recommends"], missing.as_slice()].concat())
    })?;
    let still_missing = find_missing(requirements).join(" ");
    if !still_missing.is_empty() {
        bail!("apt-get installed {list}, and yet this is missing: {still_missing}");
    }
    Ok(())
}

fn find_missing(requirements: &[Requirement]) -> Vec<&'static str> {
    requirements
        .iter()
        .filter(|requirement| !(requirement.is_present)())
        .map(|requirement| requirement.package)
        .collect()
}

/// True for a process that may install packages and make root file systems.
pub(crate) fn is_root() -> Result<bool> {
    Ok(output(command("id").arg("-u"))?.trim() == "0")
}

/// While it lives, packages that are installed start no services: tests start their own, on their own ports.
struct KeepServicesStopped {
    /// None when the machine already has a policy: it is the machine's.
    policy: Option<PathBuf>,
}

impl KeepServicesStopped {
    fn begin() -> Result<Self> {
        use std::os::unix::fs::OpenOptionsExt;
        let policy = PathBuf::from("/usr/sbin/policy-rc.d");
        let opened = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o755).open(&policy);
        match opened {
            Ok(mut file) => {
                use std::io::Write;
                // 101: the action is forbidden.
                file.write_all(b"#!/bin/sh\nexit 101\n")
                    .context("failed to write `/usr/sbin/policy-rc.d`")?;
                Ok(Self { policy: Some(policy) })
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Self { policy: None }),
            Err(error) => Err(error).context("failed to make `/usr/sbin/policy-rc.d`"),
        }
    }
}

impl Drop for KeepServicesStopped {
    fn drop(&mut self) {
        if let Some(policy) = &self.policy {
            let _ = fs_err::remove_file(policy);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_missing_packages_are_named() {
        let requirements = [
            program!("sh" from "dash"),
            program!("no-such-program" from "no-such-package"),
            Requirement { is_present: || false, package: "other" },
        ];
        assert_eq!(find_missing(&requirements), ["no-such-package", "other"]);
    }
}
