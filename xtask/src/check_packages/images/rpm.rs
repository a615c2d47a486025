//! Databases of rpm in two forms, made by rpm of packages that rpmbuild made.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::Made;
use crate::run::{command, output};

const PACKAGES: usize = 120;
const OS_RELEASE: &str =
    "NAME=\"Rocky Linux\"\nID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.3\"\n";

pub(super) fn sqlite(made: &Made<'_>) -> Result<()> {
    make(made, "usr/lib/sysimage/rpm", "sqlite").map(drop)
}

/// This machine's rpm only reads databases of Berkeley DB: its headers are loaded by Berkeley DB's own tool.
pub(super) fn berkeley(made: &Made<'_>) -> Result<()> {
    let folder = make(made, "var/lib/rpm", "sqlite")?;
    let exported = rpm("rpmdb", &folder, "sqlite").arg("--exportdb").output()?;
    ensure!(exported.status.success(), "`rpmdb --exportdb` ended with {}", exported.status);
    fs_err::remove_dir_all(&folder)?;
    fs_err::create_dir_all(&folder)?;
    let mut dump = "VERSION=3\nformat=bytevalue\ntype=hash\ndb_pagesize=4096\nHEADER=END\n".to_owned();
    let headers = split_headers(&exported.stdout)?;
    let last = u32::try_from(headers.len())?.to_ne_bytes();
    let mut add = |bytes: &[u8]| {
        dump.push(' ');
        bytes.iter().try_for_each(|byte| write!(dump, "{byte:02x}"))?;
        dump.push('\n');
        anyhow::Ok(())
    };
    // Number zero holds the last number that was given away.
    add(&0_u32.to_ne_bytes())?;
    add(&last)?;
    for (number, header) in (1_u32..).zip(headers) {
        add(&number.to_ne_bytes())?;
        add(header)?;
    }
    dump.push_str("DATA=END\n");
    let text = made.scratch.join("dump");
    fs_err::write(&text, dump)?;
    output(command("db5.3_load").arg("-f").arg(text).arg(folder.join("Packages")))?;
    Ok(())
}

/// What is exported is a row of packages' headers, each behind eight bytes that say so.
fn split_headers(exported: &[u8]) -> Result<Vec<&[u8]>> {
    let mut headers = Vec::new();
    let mut rest = exported;
    while !rest.is_empty() {
        let body = rest.strip_prefix(b"\x8e\xad\xe8\x01\0\0\0\0").context("not a header")?;
        let number = |at: usize| -> Result<usize> {
            let bytes = body.get(at..at + 4).context("a header ends too early")?;
            Ok(u32::from_be_bytes(bytes.try_into()?) as usize)
        };
        let (header, next) =
            body.split_at_checked(8 + 16 * number(0)? + number(4)?).context("a header ends too early")?;
        headers.push(header);
        rest = next;
    }
    Ok(headers)
}

fn rpm(program: &str, folder: &Path, form: &str) -> Command {
    let mut rpm = command(program);
    // Nothing of who runs it: no settings, no signatures, no other database.
    rpm.env("HOME", folder).arg("--dbpath").arg(folder).args(["--define", &format!("_db_backend {form}")]);
    rpm
}

/// Makes packages and installs them into a database; returns its folder.
fn make(made: &Made<'_>, folder: &str, form: &str) -> Result<PathBuf> {
    let build = made.scratch.join("build");
    for inner in ["SPECS", "BUILD", "RPMS", "SOURCES", "BUILDROOT"] {
        fs_err::create_dir_all(build.join(inner))?;
    }
    let spec = build.join("SPECS/all.spec");
    fs_err::write(&spec, spec_text()?)?;
    let mut rpmbuild = command("rpmbuild");
    rpmbuild.env("HOME", made.scratch).args(["-bb", "--quiet", "--define"]);
    output(rpmbuild.arg(format!("_topdir {}", build.display())).arg(&spec))?;
    let listed = output(command("find").arg(build.join("RPMS")).args(["-name", "*.rpm"]))?;
    let folder = made.root.join(folder);
    fs_err::create_dir_all(&folder)?;
    output(rpm("rpmdb", &folder, form).arg("--initdb"))?;
    let mut install = rpm("rpm", &folder, form);
    install.args(["-i", "--justdb", "--nodeps", "--noscripts", "--nosignature", "--ignorearch"]);
    output(install.args(listed.lines()))?;
    // Some go again, so that the database has gaps.
    let removed = (1..PACKAGES).step_by(17).map(|number| format!("part{number}"));
    output(rpm("rpm", &folder, form).args(["-e", "--justdb", "--nodeps", "--noscripts"]).args(removed))?;
    fs_err::create_dir_all(made.root.join("etc"))?;
    fs_err::write(made.root.join("etc/os-release"), OS_RELEASE)?;
    Ok(folder)
}

/// Versions of all shapes, with and without epochs, descriptions from a line to many pages.
fn spec_text() -> Result<String> {
    let mut spec = "%define debug_package %{nil}\n%define _build_id_links none\n\
        Name: first\nVersion: 1.2~rc1\nRelease: 3.el9\nSummary: one\nLicense: MIT\nEpoch: 2\n\
        %description\nfirst\n%files\n"
        .to_owned();
    for number in 1..PACKAGES {
        let version = match number % 5 {
            0 => format!("Epoch: 0\nVersion: {number}.0\nRelease: 1\n"),
            1 => format!("Epoch: {number}\nVersion: {number}.a_b\n"),
            2 => format!("Version: 1^git{number}\nRelease: 2.el9_{number}\n"),
            3 => format!("Version: {number}~beta+{number}\nRelease: 0.{number}\n"),
            _ => String::new(),
        };
        let architecture = if number.is_multiple_of(3) { "BuildArch: noarch\n" } else { "" };
        let text = "a line of a description\n".repeat(number * 20);
        write!(
            spec,
            "\n%package -n part{number}\nSummary: part\nLicense: Apache-2.0\n{version}{architecture}\
             %description -n part{number}\n{text}\n%files -n part{number}\n"
        )?;
    }
    Ok(spec)
}
