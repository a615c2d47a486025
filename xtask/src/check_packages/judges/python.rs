//! pip, asked about every folder that has packages.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::Value;
use testkit::PYTHON;

use super::{find, has_extension, named, place};
use crate::check_packages::compare::Listed;
use crate::run::{command, output};

pub(super) fn ask(root: &Path, _scratch: &Path) -> Result<Option<Vec<Listed>>> {
    let found = find(root, &|path| has_extension(path, &["dist-info", "egg-info", "egg", "egg-link"]))?;
    let folders: BTreeSet<PathBuf> =
        found.iter().filter_map(|path| path.parent()).map(Path::to_owned).collect();
    // What an egg holds about itself is told by the folder that the egg lies in.
    let folders: Vec<PathBuf> =
        folders.into_iter().filter(|folder| !has_extension(folder, &["egg"])).collect();
    let mut listed = Vec::new();
    for folder in &folders {
        let mut pip = command(PYTHON);
        pip.args(["-m", "pip", "list", "--disable-pip-version-check", "--format", "json", "--path"]);
        let answer: Value = serde_json::from_str(&output(pip.arg(folder))?)?;
        for package in answer.as_array().context("`pip list` wrote no list")? {
            listed.push(named(package, &place(root, folder)));
        }
    }
    Ok((!folders.is_empty()).then_some(listed))
}
