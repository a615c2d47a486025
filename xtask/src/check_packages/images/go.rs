//! Programs that Go built.

use anyhow::Result;
use testkit::{GoTool, KubernetesPrograms};

use super::Made;
use crate::run::{command, output};

/// Large ones, and a small one whose module a folder replaces.
pub(super) fn programs(made: &Made<'_>) -> Result<()> {
    let folder = made.root.join("usr/bin");
    fs_err::create_dir_all(&folder)?;
    for program in [
        KubernetesPrograms::find()?.kubectl,
        GoTool::HELM.find()?,
        GoTool::VAULT.find()?,
        GoTool::DEX.find()?,
        GoTool::ESTARGZ.find()?,
    ] {
        let name = program.file_name().unwrap_or_default();
        fs_err::copy(&program, folder.join(name))?;
    }
    let (own, inner) = (made.scratch.join("own"), made.scratch.join("own/inner"));
    fs_err::create_dir_all(&inner)?;
    fs_err::write(inner.join("go.mod"), "module example.org/inner\n\ngo 1.21\n")?;
    fs_err::write(
        inner.join("inner.go"),
        "// Package inner says something.\npackage inner\n\nconst Text = \"hello\"\n",
    )?;
    let module = "module example.org/own\n\ngo 1.21\n\nrequire example.org/inner v1.2.3\n\nreplace example.org/inner => ./inner\n";
    fs_err::write(own.join("go.mod"), module)?;
    let program = "package main\n\nimport \"example.org/inner\"\n\nfunc main() { println(inner.Text) }\n";
    fs_err::write(own.join("main.go"), program)?;
    // One as it is, one without its tables of names.
    for (name, flags) in [("own", ""), ("own-stripped", "-s -w")] {
        let mut go = command("go");
        go.current_dir(&own).args(["build", "-ldflags", flags, "-o"]).arg(folder.join(name)).arg(".");
        output(go.env("CGO_ENABLED", "0").env("GOFLAGS", "-mod=mod"))?;
    }
    Ok(())
}
