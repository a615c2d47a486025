//! Executables that no package manager knows of: what they were built from, compared with the toolchain that built them.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use e2e::run_lazaret;
use serde_json::Value;
use testkit::{GoTool, ImageBuilder, KubernetesPrograms, Layer, Program, Scratch};

/// `name version` of every module that `go version -m` lists; the main module and Go's library too.
fn modules_of(path: &std::path::Path) -> Result<BTreeSet<String>> {
    let listed = Program::at(std::path::Path::new("go"))
        .arguments(["version", "-m"])
        .argument(path)
        .run(b"")?
        .success()?;
    let mut lines = listed.lines();
    let go = lines.next().and_then(|line| line.rsplit_once(": go")).context("no version of Go")?.1;
    let library = go.split([' ', '-']).next().unwrap_or_default();
    let mut modules = vec![("stdlib".to_owned(), library.to_owned())];
    for line in lines {
        match line.trim().split('\t').collect::<Vec<_>>().as_slice() {
            ["mod" | "dep", path, version, ..] => {
                modules.push(((*path).to_owned(), (*version).to_owned()));
            }
            ["=>", path, version, ..] => {
                modules.pop();
                modules.push(((*path).to_owned(), (*version).to_owned()));
            }
            _ => {}
        }
    }
    Ok(modules.into_iter().map(|(path, version)| format!("{path} {version}")).collect())
}

#[test]
fn modules_of_go_are_those_that_go_names() -> Result<()> {
    let scratch = Scratch::new("executables")?;
    for (name, path) in [("kubectl", KubernetesPrograms::find()?.kubectl), ("helm", GoTool::HELM.find()?)] {
        let content = fs_err::read(&path)?;
        let folder = scratch.path().join(name);
        let layer = Layer::new().file_with_mode(&format!("usr/bin/{name}"), 0o755, content);
        ImageBuilder::new().layer(layer).build().write_oci_layout(&folder, "1")?;
        let image = format!("oci-layout:{}", folder.display());
        let json: Value = serde_json::from_str(&run_lazaret(&["sbom", &image, "-o", "json"])?.success()?)?;
        let packages = json["packages"].as_array().context("no packages")?;
        let found: BTreeSet<String> = packages
            .iter()
            .filter(|package| package["type"] == "golang")
            .map(|package| {
                let word = |key: &str| package[key].as_str().unwrap_or_default().to_owned();
                format!("{} {}", word("name"), word("version"))
            })
            .collect();
        let expected = modules_of(&path)?;
        ensure!(expected.len() > 50, "{expected:?}");
        let differing: Vec<_> = expected.symmetric_difference(&found).collect();
        ensure!(differing.is_empty(), "{name}: {differing:#?}");
    }
    Ok(())
}
