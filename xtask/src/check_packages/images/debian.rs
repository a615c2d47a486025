//! Images of Debian's packages.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use super::Made;
use crate::image_archive;
use crate::run::{command, output};
use crate::setup::debian_images;

/// Installed without dpkg, so that each has its own file: as images do that have no shell.
const DISTROLESS: [&str; 5] = ["base-files", "netbase", "tzdata", "libc6", "libssl3"];

/// Two architectures; a package that is removed but for its settings, and one whose files are there and nothing else.
pub(super) fn two_architectures(made: &Made<'_>) -> Result<PathBuf> {
    debootstrap(
        made,
        "bookworm",
        &[
            "--architectures=amd64,i386",
            "--include=libc6:i386,zlib1g:i386,cron,nano,less",
            "--customize-hook=chroot \"$1\" dpkg --remove cron nano",
            "--customize-hook=echo less hold | chroot \"$1\" dpkg --set-selections",
            "--customize-hook=cd \"$1/tmp\" && chroot \"$1\" sh -c 'cd /tmp && apt-get download hostname && dpkg --unpack hostname_*.deb && rm hostname_*.deb'",
        ],
    )
}

pub(super) fn trixie(made: &Made<'_>) -> Result<PathBuf> {
    debootstrap(made, "trixie", &["--include=python3-requests"])
}

pub(super) fn ruby(made: &Made<'_>) -> Result<PathBuf> {
    debootstrap(made, "bookworm", &["--include=ruby-bundler,rake,ruby-nokogiri,ruby-sinatra"])
}

/// Some hundreds of packages of Node that Debian made its own, in folders of Debian's.
pub(super) fn node(made: &Made<'_>) -> Result<PathBuf> {
    debootstrap(made, "bookworm", &["--include=npm,node-express"])
}

fn debootstrap(made: &Made<'_>, suite: &str, arguments: &[&str]) -> Result<PathBuf> {
    let root = made.scratch.join("root.tar");
    let mirror = format!("deb {} {suite} main", debian_images::main_mirror()?);
    let mut mmdebstrap = command("mmdebstrap");
    mmdebstrap.args(["--variant=minbase", "--mode=root"]).args(arguments).arg(suite).arg(&root).arg(mirror);
    output(&mut mmdebstrap)?;
    image_archive::build(None, made.scratch, &[&|layer| Ok(fs_err::rename(&root, layer)?)])
}

pub(super) fn distroless(made: &Made<'_>) -> Result<()> {
    output(command("apt-get").current_dir(made.scratch).arg("download").args(DISTROLESS))?;
    let folder = made.root.join("var/lib/dpkg/status.d");
    fs_err::create_dir_all(&folder)?;
    for entry in fs_err::read_dir(made.scratch)? {
        let package = entry?.path();
        output(command("dpkg-deb").arg("--extract").arg(&package).arg(made.root))?;
        let control = output(command("dpkg-deb").arg("--field").arg(&package))?;
        let name = control.lines().find_map(|line| line.strip_prefix("Package: ")).context("no name")?;
        fs_err::write(folder.join(name), &control)?;
    }
    Ok(())
}
