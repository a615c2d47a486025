//! Applications that npm, pnpm and yarn installed.

use std::path::Path;

use anyhow::Result;

use super::Made;
use crate::run::{command, output};

/// Manifests of applications: the folder, the manifest.
const APPLICATIONS: [(&str, &str); 5] = [
    (
        "srv/workspace",
        r#"{"name":"shop","version":"1.0.0","private":true,"workspaces":["packages/*"],"dependencies":{"express":"4.18.2"}}"#,
    ),
    (
        "srv/workspace/packages/a",
        r#"{"name":"@shop/a","version":"0.1.0","dependencies":{"lodash":"4.17.21","@shop/b":"0.2.0"}}"#,
    ),
    (
        "srv/workspace/packages/b",
        r#"{"name":"@shop/b","version":"0.2.0","dependencies":{"lodash":"3.10.1","lodash-old":"npm:lodash@2.4.2"}}"#,
    ),
    (
        "srv/pnpm",
        r#"{"name":"pages","version":"1.0.0","dependencies":{"express":"4.18.2","eslint":"8.30.0"}}"#,
    ),
    (
        "srv/yarn",
        r#"{"name":"forms","version":"1.0.0","dependencies":{"express":"4.18.2","webpack":"5.75.0"}}"#,
    ),
];

/// A workspace of npm with an alias, an application of pnpm, one of yarn.
pub(super) fn layouts(made: &Made<'_>) -> Result<()> {
    for (folder, manifest) in APPLICATIONS {
        let folder = made.root.join(folder);
        fs_err::create_dir_all(&folder)?;
        fs_err::write(folder.join("package.json"), manifest)?;
    }
    let run = |folder: &str, program: &str, arguments: &[&str]| -> Result<()> {
        output(command(program).current_dir(made.root.join(folder)).args(arguments)).map(drop)
    };
    run("srv/workspace", "npm", &["install", "--ignore-scripts", "--no-audit", "--no-fund"])?;
    let store = format!("--store-dir={}", made.scratch.join("store").display());
    let pnpm =
        ["--yes", "pnpm@9.15.0", "install", "--ignore-scripts", "--package-import-method=copy", &store];
    run("srv/pnpm", "npx", &pnpm)?;
    let yarn = ["--yes", "yarn@1.22.22", "install", "--ignore-scripts", "--non-interactive"];
    run("srv/yarn", "npx", &yarn)?;
    forget_store(&made.root.join("srv/pnpm/node_modules"))
}

/// What pnpm notes about this machine is no part of an image.
fn forget_store(modules: &Path) -> Result<()> {
    let note = modules.join(".modules.yaml");
    if note.exists() {
        fs_err::remove_file(note)?;
    }
    Ok(())
}
