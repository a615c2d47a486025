//! npm, asked in every folder that has packages of its own.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{find, place};
use crate::check_packages::compare::Listed;
use crate::run::{command, output};

/// Where Debian's packages put theirs, which is no application.
const DEBIAN_FOLDER: &str = "usr/share/nodejs";

pub(super) fn ask(root: &Path, scratch: &Path) -> Result<Option<Vec<Listed>>> {
    let modules = find(root, &|path| path.ends_with("node_modules") && path.is_dir() && !path.is_symlink())?;
    let mut listed = Vec::new();
    let mut is_asked = false;
    for folder in modules.iter().filter_map(|path| path.parent()) {
        // Folders inside are a part of the outermost one's answer; members of a workspace are of their root's.
        let inner = folder.strip_prefix(root).unwrap_or(folder);
        let is_inside = inner.components().any(|part| part.as_os_str() == "node_modules");
        let is_of_debian = inner.starts_with(DEBIAN_FOLDER);
        if is_inside || is_of_debian || is_member(root, folder)? {
            continue;
        }
        is_asked = true;
        listed.extend(query(folder, &place(root, folder))?);
    }
    let of_debian = root.join(DEBIAN_FOLDER);
    if of_debian.exists() {
        is_asked = true;
        let folder = scratch.join("nodejs");
        fs_err::create_dir_all(&folder)?;
        output(command("cp").arg("-a").arg(&of_debian).arg(folder.join("node_modules")))?;
        let of_debian = query(&folder, "")?.into_iter().map(|mut listed| {
            listed.place = listed.place.replacen("/node_modules", "/usr/share/nodejs", 1);
            listed
        });
        listed.extend(of_debian);
    }
    Ok(is_asked.then_some(listed))
}

/// Whether a folder above is an application with workspaces.
fn is_member(root: &Path, folder: &Path) -> Result<bool> {
    for above in folder.ancestors().skip(1).take_while(|above| above.starts_with(root)) {
        let manifest = above.join("package.json");
        if manifest.exists() && read_json(&manifest)?.get("workspaces").is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn read_json(file: &Path) -> Result<Value> {
    let text = fs_err::read_to_string(file)?;
    serde_json::from_str(&text).with_context(|| format!("failed to read `{}`", file.display()))
}

fn query(folder: &Path, folder_place: &str) -> Result<Vec<Listed>> {
    // `npm` may keep state beside the user's own otherwise, and asks nobody for news of itself.
    let mut npm = command("npm");
    npm.current_dir(folder).env("npm_config_update_notifier", "false").args(["query", "*"]);
    let answer: Value = serde_json::from_str(&output(&mut npm)?)?;
    let nodes = answer.as_array().context("`npm query` wrote no list")?;
    let listed = nodes.iter().filter_map(|node| {
        let word = |key: &str| node[key].as_str().unwrap_or_default();
        // Links to members of a workspace are asked for where they lie; folders without a manifest are no packages.
        let location = word("location");
        let is_package = folder.join(location).join("package.json").exists();
        let place = format!("{folder_place}/{location}").replace("//", "/");
        let place = format!("{}/package.json", place.trim_end_matches('/'));
        is_package.then(|| Listed::new(word("name"), word("version"), &place))
    });
    Ok(listed.collect())
}
