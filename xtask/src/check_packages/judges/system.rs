//! dpkg, rpm and pacman.

use std::path::{Path, PathBuf};

use anyhow::Result;
use testkit::GoTool;

use super::{place, rows};
use crate::check_packages::compare::Listed;
use crate::run::{command, output};
use crate::setup::go_tool;

/// Where dpkg keeps its database, and where images without dpkg keep a file for each package.
const DPKG: &str = "var/lib/dpkg";

pub(super) fn ask_dpkg(root: &Path, scratch: &Path) -> Result<Option<Vec<Listed>>> {
    let admin = root.join(DPKG);
    let status = admin.join("status");
    let folder = admin.join("status.d");
    if status.exists() {
        return query_dpkg(&admin, &place(root, &status)).map(Some);
    }
    if !folder.exists() {
        return Ok(None);
    }
    // dpkg knows one file only, in which it also says what became of each package.
    let admin = scratch.join("dpkg");
    fs_err::create_dir_all(admin.join("info"))?;
    let mut text = String::new();
    let mut files = fs_err::read_dir(&folder)?.map(|file| Ok(file?.path())).collect::<Result<Vec<_>>>()?;
    files.retain(|file| file.extension().is_none_or(|extension| extension != "md5sums"));
    files.sort();
    for file in files {
        text += "Status: install ok installed\n";
        text += fs_err::read_to_string(file)?.trim_end();
        text += "\n\n";
    }
    fs_err::write(admin.join("status"), text)?;
    query_dpkg(&admin, &place(root, &folder)).map(Some)
}

fn query_dpkg(admin: &Path, place: &str) -> Result<Vec<Listed>> {
    let format = "${db:Status-Status}\t${Package}\t${Version}\t${Architecture}\n";
    let listed = output(
        command("dpkg-query").arg(format!("--admindir={}", admin.display())).args(["-W", "-f", format]),
    )?;
    let installed = rows(&listed).filter_map(|row| match row[..] {
        // What is removed but for its settings is not there.
        ["not-installed" | "config-files", ..] => None,
        [_, name, version, architecture] => {
            Some(Listed { architecture: architecture.to_owned(), ..Listed::new(name, version, place) })
        }
        _ => None,
    });
    Ok(installed.collect())
}

/// Folders of rpm's database, and which file means which form of it.
const RPM_FOLDERS: [&str; 3] = ["var/lib/rpm", "usr/lib/sysimage/rpm", "usr/share/rpm"];
const RPM_FORMS: [(&str, &str); 3] =
    [("rpmdb.sqlite", "sqlite"), ("Packages.db", "ndb"), ("Packages", "bdb_ro")];

fn find_rpm(root: &Path) -> Option<(PathBuf, &'static str)> {
    let files = RPM_FOLDERS
        .iter()
        .flat_map(|folder| RPM_FORMS.iter().map(move |(file, form)| (root.join(folder).join(file), *form)));
    files.into_iter().find(|(file, _)| file.exists())
}

/// Debian's rpm was built without `ndb`.
pub(super) fn ask_rpm(root: &Path, _scratch: &Path) -> Result<Option<Vec<Listed>>> {
    let Some((file, form)) = find_rpm(root).filter(|(_, form)| *form != "ndb") else { return Ok(None) };
    let format = "%{NAME}\\t%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\\t%{ARCH}\\n";
    let mut rpm = command("rpm");
    rpm.arg("--dbpath").arg(file.parent().unwrap_or(root));
    let listed = output(rpm.args(["--define", &format!("_db_backend {form}"), "-qa", "--qf", format]))?;
    Ok(Some(parse_rpm(&listed, &place(root, &file))))
}

/// It knows SQLite only with a driver that it does not bring along.
pub(super) fn ask_go_rpmdb(root: &Path, _scratch: &Path) -> Result<Option<Vec<Listed>>> {
    let Some((file, _)) = find_rpm(root).filter(|(_, form)| *form != "sqlite") else { return Ok(None) };
    go_tool::build_if_missing(&GoTool::RPMDB, &testkit::cache_folder()?)?;
    let listed = output(command(GoTool::RPMDB.find()?).arg(&file))?;
    Ok(Some(parse_rpm(&listed, &place(root, &file))))
}

fn parse_rpm(listed: &str, place: &str) -> Vec<Listed> {
    let packages = rows(listed).filter_map(|row| match row[..] {
        [name, version, architecture] => {
            Some(Listed { architecture: architecture.to_owned(), ..Listed::new(name, version, place) })
        }
        _ => None,
    });
    packages.collect()
}

pub(super) fn ask_pacman(root: &Path, scratch: &Path) -> Result<Option<Vec<Listed>>> {
    let folder = root.join("var/lib/pacman");
    if !folder.exists() {
        return Ok(None);
    }
    // Nothing of this machine.
    let settings = scratch.join("pacman.conf");
    fs_err::write(&settings, "[options]\n")?;
    let mut pacman = command("pacman");
    pacman
        .env("LC_ALL", "C")
        .arg("--config")
        .arg(&settings)
        .arg("--root")
        .arg(root)
        .arg("--dbpath")
        .arg(&folder);
    Ok(Some(parse_pacman(&output(pacman.arg("-Qi"))?, &place(root, &folder))))
}

/// Lines `Name            : part`, an empty line behind each package.
fn parse_pacman(answer: &str, place: &str) -> Vec<Listed> {
    let parse = |record: &str| {
        let field = |wanted: &str| {
            let mut fields = record.lines().filter_map(|line| line.split_once(" : "));
            fields.find(|(name, _)| name.trim() == wanted).map(|(_, value)| value.trim().to_owned())
        };
        let architecture = field("Architecture")?;
        Some(Listed { architecture, ..Listed::new(&field("Name")?, &field("Version")?, place) })
    };
    answer.split("\n\n").filter_map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_pacman_are_read() {
        let answer = "Name            : part\nVersion         : 1:2-3\nDescription     : a : b\nArchitecture    : any\n\n\
            Name            : other\nVersion         : 1-1\nArchitecture    : x86_64\n\n";
        let lines: Vec<String> = parse_pacman(answer, "/p")
            .iter()
            .map(|listed| format!("{} {} {}", listed.name, listed.version, listed.architecture))
            .collect();
        assert_eq!(lines, ["part 1:2-3 any", "other 1-1 x86_64"]);
    }
}
