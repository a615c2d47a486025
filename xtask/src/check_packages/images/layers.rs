//! An image whose upper layer takes away and replaces what the lower one brought.

use std::path::PathBuf;

use anyhow::Result;

use super::Made;
use crate::bench::scan::images as bench;
use crate::run::{command, output};

/// In the upper layer a program of Debian is purged, another one removed, a package of npm replaced and one of Python taken away.
pub(super) fn removed(made: &Made<'_>) -> Result<PathBuf> {
    let (layout, bundle) = (made.scratch.join("layout"), made.scratch.join("bundle"));
    let image = format!("{}:made", layout.display());
    let base = format!("oci-archive:{}", bench::npm_and_python()?.display());
    let copy = |from: &str, to: &str| {
        output(command("skopeo").args(["--insecure-policy", "copy", "--quiet", from, to]))
    };
    copy(&base, &format!("oci:{image}"))?;
    output(command("umoci").args(["unpack", "--rootless", "--image", &image]).arg(&bundle))?;
    let root = bundle.join("rootfs");
    let admin = root.join("var/lib/dpkg");
    let dpkg = |arguments: &[&str]| {
        let mut dpkg = command("dpkg");
        dpkg.arg(format!("--root={}", root.display())).arg(format!("--admindir={}", admin.display()));
        dpkg.args(["--force-all", "--no-triggers"]);
        // Its scripts are of another system than this one's.
        for script in ["prerm", "postrm", "postinst"] {
            for name in ["ncurses-bin", "adduser"] {
                let _ = fs_err::remove_file(admin.join(format!("info/{name}.{script}")));
            }
        }
        output(dpkg.args(arguments)).map(drop)
    };
    dpkg(&["--purge", "ncurses-bin"])?;
    dpkg(&["--remove", "adduser"])?;
    let app = root.join("srv/app");
    let npm = ["--ignore-scripts", "--legacy-peer-deps", "--no-audit", "--no-fund"];
    output(command("npm").current_dir(&app).arg("uninstall").args(npm).arg("express"))?;
    output(command("npm").current_dir(&app).arg("install").args(npm).arg("typescript@5.0.4"))?;
    let python = root.join("usr/local/lib/python3.11/dist-packages");
    for folder in ["black", "blackd", "black-22.12.0.dist-info"] {
        fs_err::remove_dir_all(python.join(folder))?;
    }
    output(command("umoci").args(["repack", "--image", &image]).arg(&bundle))?;
    let archive = made.scratch.join("image.tar");
    copy(&format!("oci:{image}"), &format!("oci-archive:{}:made", archive.display()))?;
    Ok(archive)
}
