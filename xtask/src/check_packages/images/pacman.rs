//! A database that pacman made, of packages that were made for it.

use anyhow::Result;

use super::Made;
use crate::run::{command, output};

const PACKAGES: usize = 40;
/// Nothing of this machine, and packages that nobody signed.
const SETTINGS: &str = "[options]\nArchitecture = x86_64\nSigLevel = Never\nLocalFileSigLevel = Never\n";

pub(super) fn database(made: &Made<'_>) -> Result<()> {
    let settings = made.scratch.join("pacman.conf");
    fs_err::write(&settings, SETTINGS)?;
    let folder = made.root.join("var/lib/pacman");
    fs_err::create_dir_all(&folder)?;
    let archives = (0..PACKAGES).map(|number| make_package(made, number)).collect::<Result<Vec<_>>>()?;
    let pacman = |arguments: &[String]| {
        let mut pacman = command("pacman");
        pacman.arg("--config").arg(&settings).arg("--root").arg(made.root).arg("--dbpath").arg(&folder);
        for option in ["--cachedir", "--hookdir", "--gpgdir", "--logfile"] {
            pacman.arg(option).arg(made.scratch.join(&option[2..]));
        }
        output(pacman.arg("--noconfirm").args(arguments)).map(drop)
    };
    pacman(&[vec!["-U".to_owned()], archives].concat())?;
    pacman(&["-R".to_owned(), "part3".to_owned(), "part8".to_owned()])
}

/// Names, versions and architectures of all shapes.
fn make_package(made: &Made<'_>, number: usize) -> Result<String> {
    let folder = made.scratch.join(format!("part{number}"));
    let shared = folder.join(format!("usr/share/part{number}"));
    fs_err::create_dir_all(&shared)?;
    fs_err::write(shared.join("file"), "content\n")?;
    let version = match number % 4 {
        0 => format!("{number}:1.{number}rc1-3"),
        1 => format!("r{number}.0abc12-1.1"),
        2 => format!("2024.{number}+4+gdeadbee-2"),
        _ => format!("{number}_beta-1"),
    };
    let name =
        if number.is_multiple_of(7) { format!("lib32-part{number}++") } else { format!("part{number}") };
    let architecture = if number.is_multiple_of(3) { "any" } else { "x86_64" };
    let information = format!(
        "pkgname = {name}\npkgbase = base{number}\npkgver = {version}\npkgdesc = a part\nurl = https://example.org\n\
         builddate = 1700000000\npackager = Some One <one@example.org>\nsize = 8\narch = {architecture}\nlicense = MIT\n"
    );
    fs_err::write(folder.join(".PKGINFO"), information)?;
    let archive = made.scratch.join(format!("part{number}.pkg.tar.gz"));
    let mut tar = command("tar");
    tar.arg("-C")
        .arg(&folder)
        .args(["--owner=0", "--group=0", "-czf"])
        .arg(&archive)
        .args([".PKGINFO", "usr"]);
    output(&mut tar)?;
    Ok(archive.display().to_string())
}
