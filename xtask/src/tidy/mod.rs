//! `tidy`: the rules of this repository that no other tool knows.
//!
//! Every rule is a function from text to problems; this file gathers the texts.

mod edges;
mod graph;
mod manifests;
mod sources;

use std::fmt;

use anyhow::{Context, Result};

use crate::progress::{print, say};
use crate::run::{cargo, command, output};

/// Something that is against a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Problem {
    file: String,
    /// From 1.
    line: usize,
    text: String,
}

impl Problem {
    fn new(file: &str, line: usize, text: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, text: text.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.file, self.line, self.text)
    }
}

/// Prints all problems; true when there are none.
pub(crate) fn tidy() -> Result<bool> {
    let problems = find_problems()?;
    for problem in &problems {
        print(&problem.to_string());
    }
    say(&format!("tidy: {} problems", problems.len()));
    Ok(problems.is_empty())
}

/// All problems, sorted by file.
pub(crate) fn find_problems() -> Result<Vec<Problem>> {
    let files = list_files()?;
    let mut problems = Vec::new();
    for file in &files {
        problems.extend(sources::check(&file.path, &file.text));
    }
    let members = load_members()?;
    for member in &members {
        let manifest = files.iter().find(|file| file.path == member.manifest).map_or("", |file| &file.text);
        problems.extend(manifests::check(&member.manifest, manifest));
        problems.extend(edges::check(member, manifest));
    }
    let lock = files.iter().find(|file| file.path == "Cargo.lock").map_or("", |file| &file.text);
    problems.extend(graph::check(&load_graph()?, lock));
    problems.sort();
    Ok(problems)
}

struct TextFile {
    /// From the root of the workspace.
    path: String,
    text: String,
}

/// Every file that is tracked, or would be by `git add`: a problem is better seen before the commit.
fn list_files() -> Result<Vec<TextFile>> {
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let list = output(command("git").args(arguments))?;
    let root = testkit::workspace_folder();
    let mut files = Vec::new();
    for path in list.split('\0').filter(|path| !path.is_empty()) {
        // A tracked file that was deleted is no file.
        if root.join(path).is_file() {
            let bytes = fs_err::read(root.join(path))?;
            files
                .push(TextFile { path: path.to_owned(), text: String::from_utf8_lossy(&bytes).into_owned() });
        }
    }
    Ok(files)
}

/// A crate of the workspace and which other ones it uses.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Member {
    name: String,
    /// Path of its `Cargo.toml` from the root of the workspace.
    manifest: String,
    normal: Vec<String>,
    dev: Vec<String>,
}

fn load_members() -> Result<Vec<Member>> {
    let arguments = ["metadata", "--format-version=1", "--no-deps", "--locked"];
    let text = output(command(cargo()).args(arguments))?;
    parse_members(&text)
}

fn parse_members(metadata: &str) -> Result<Vec<Member>> {
    let metadata: serde_json::Value =
        serde_json::from_str(metadata).context("failed to parse `cargo metadata`")?;
    let root = metadata["workspace_root"].as_str().context("`cargo metadata` names no root")?;
    let packages = metadata["packages"].as_array().context("`cargo metadata` lists no packages")?;
    let members = packages.iter().map(|package| {
        let name = package["name"].as_str().context("a package has no name")?;
        let manifest = package["manifest_path"].as_str().context("a package has no manifest")?;
        let dependencies = package["dependencies"].as_array().map_or(&[][..], Vec::as_slice);
        // Only crates of the workspace have a path.
        let ours = |is_wanted: fn(Option<&str>) -> bool| {
            let chosen = dependencies
                .iter()
                .filter(move |one| one["path"].is_string() && is_wanted(one["kind"].as_str()));
            chosen.filter_map(|one| one["name"].as_str()).map(str::to_owned).collect()
        };
        Ok(Member {
            name: name.to_owned(),
            manifest: manifest.trim_start_matches(root).trim_start_matches('/').to_owned(),
            normal: ours(|kind| kind != Some("dev")),
            dev: ours(|kind| kind == Some("dev")),
        })
    });
    members.collect()
}

/// Everything that is compiled into the programs and tests, one crate per line: `name vVERSION …<tab>licence`.
///
/// From `cargo tree`, because the graph of `cargo metadata` also holds optional crates that nobody switched on.
fn load_graph() -> Result<String> {
    let arguments =
        ["tree", "--workspace", "--locked", "--prefix=none", "--edges=normal,build,dev", "--format={p}\t{l}"];
    output(command(cargo()).args(arguments).arg("--target=x86_64-unknown-linux-gnu"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_read_with_both_kinds_of_edges() {
        let metadata = r#"{ "workspace_root": "/w", "packages": [{
            "name": "scanner", "manifest_path": "/w/crates/scanner/Cargo.toml", "dependencies": [
                { "name": "model", "path": "/w/crates/model", "kind": null },
                { "name": "engine", "path": "/w/crates/engine", "kind": "build" },
                { "name": "testkit", "path": "/w/crates/testkit", "kind": "dev" },
                { "name": "serde", "kind": null }
            ] }] }"#;
        let expected = Member {
            name: "scanner".into(),
            manifest: "crates/scanner/Cargo.toml".into(),
            normal: vec!["model".into(), "engine".into()],
            dev: vec!["testkit".into()],
        };
        assert_eq!(parse_members(metadata).unwrap(), [expected]);
        assert!(parse_members("{}").is_err());
    }

    #[test]
    fn a_problem_is_a_place_and_a_text() {
        assert_eq!(Problem::new("a.rs", 7, "bad").to_string(), "a.rs:7: bad");
    }
}
