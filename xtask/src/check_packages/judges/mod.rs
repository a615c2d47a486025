//! Those who know what is installed: the package managers themselves, asked about an unpacked file system.

mod composer;
mod go;
mod java;
mod npm;
mod python;
mod ruby;
mod rust;
mod system;

pub(super) use java::REPOSITORY;

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::Value;

use super::compare::Listed;

/// A package manager. It finds out by itself where in a file system it has something to say.
pub(super) struct Judge {
    pub(super) name: &'static str,
    /// The kind of packages, by Lazaret's name.
    pub(super) kind: &'static str,
    pub(super) tells_architecture: bool,
    /// `None` where there is nothing that it could be asked about.
    ask: fn(root: &Path, scratch: &Path) -> Result<Option<Vec<Listed>>>,
}

impl Judge {
    /// One for each kind of packages.
    pub(super) const ALL: [Self; 11] = [
        Self { name: "dpkg-query -W", kind: "deb", tells_architecture: true, ask: system::ask_dpkg },
        Self { name: "rpm -qa", kind: "rpm", tells_architecture: true, ask: system::ask_rpm },
        Self { name: "go-rpmdb", kind: "rpm", tells_architecture: true, ask: system::ask_go_rpmdb },
        Self { name: "pacman -Qi", kind: "alpm", tells_architecture: true, ask: system::ask_pacman },
        Self { name: "npm query *", kind: "npm", tells_architecture: false, ask: npm::ask },
        Self { name: "pip list", kind: "pypi", tells_architecture: false, ask: python::ask },
        Self { name: "go version -m", kind: "golang", tells_architecture: false, ask: go::ask },
        Self { name: "rust-audit-info", kind: "cargo", tells_architecture: false, ask: rust::ask },
        Self { name: "composer show", kind: "composer", tells_architecture: false, ask: composer::ask },
        Self { name: "RubyGems", kind: "gem", tells_architecture: false, ask: ruby::ask },
        Self { name: "Maven's repository", kind: "maven", tells_architecture: false, ask: java::ask },
    ];

    /// What it lists in the file system at `root`; `scratch` is for its own files.
    pub(super) fn list(&self, root: &Path, scratch: &Path) -> Result<Option<Vec<Listed>>> {
        (self.ask)(root, scratch)
    }
}

/// All files and folders below a folder for which the condition holds, sorted; symbolic links are not followed.
fn find(folder: &Path, is_wanted: &dyn Fn(&Path) -> bool) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(folder)? {
            let entry = entry?;
            let path = entry.path();
            if is_wanted(&path) {
                found.push(path.clone());
            }
            if entry.file_type()?.is_dir() {
                folders.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    path.extension().is_some_and(|found| extensions.iter().any(|extension| found == *extension))
}

/// A package of a list in JSON.
fn named(package: &Value, place: &str) -> Listed {
    let word = |key: &str| package[key].as_str().unwrap_or_default();
    Listed::new(word("name"), word("version"), place)
}

/// The path in the image.
fn place(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).map_or_else(|_| path.display().to_string(), |path| format!("/{}", path.display()))
}

/// Lines of words with tabs between them.
fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().map(|line| line.split('\t').collect())
}
