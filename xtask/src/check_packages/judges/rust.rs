//! The reader of those who made `cargo auditable`, asked about all programs.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{find, place};
use crate::check_packages::compare::Listed;
use crate::progress::step;
use crate::run::{cargo, command, output};

const READER: (&str, &str) = ("rust-audit-info", "0.5.4");

pub(super) fn ask(root: &Path, _scratch: &Path) -> Result<Option<Vec<Listed>>> {
    let programs = find(root, &|path| is_program(path).unwrap_or_default())?;
    let mut listed = Vec::new();
    if programs.is_empty() {
        return Ok(None);
    }
    let reader = reader()?;
    for program in programs {
        // It fails where there is no list.
        let answer = command(&reader).arg(&program).output()?;
        if answer.status.success() {
            listed.extend(parse(&String::from_utf8(answer.stdout)?, &place(root, &program))?);
        }
    }
    Ok((!listed.is_empty()).then_some(listed))
}

/// Whether the section of `cargo auditable` is named in a program. Others are no question for the reader.
fn is_program(path: &Path) -> Result<bool> {
    if !fs_err::symlink_metadata(path)?.is_file() {
        return Ok(false);
    }
    let content = fs_err::read(path)?;
    Ok(content.starts_with(b"\x7fELF") && content.windows(7).any(|bytes| bytes == b".dep-v0"))
}

/// Built once and kept in the cache.
fn reader() -> Result<PathBuf> {
    let (name, version) = READER;
    let folder = testkit::cache_folder()?.join(format!("{name}-{version}"));
    if !folder.exists() {
        let unfinished = folder.with_extension("unfinished");
        step(&format!("building {name} {version} (once)"), || {
            let install = ["install", "--quiet", "--locked", "--force", "--version", version, name, "--root"];
            output(command(cargo()).args(install).arg(&unfinished)).map(drop)
        })?;
        fs_err::rename(&unfinished, &folder)?;
    }
    Ok(folder.join("bin").join(name))
}

/// What a program was built with is not in it.
fn parse(answer: &str, place: &str) -> Result<Vec<Listed>> {
    let answer: Value = serde_json::from_str(answer)?;
    let packages = answer["packages"].as_array().context("the reader wrote no list")?;
    let word = |package: &Value, key: &str| package[key].as_str().unwrap_or_default().to_owned();
    let in_program = packages.iter().filter(|package| word(package, "kind") != "build");
    Ok(in_program.map(|it| Listed::new(&word(it, "name"), &word(it, "version"), place)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_of_the_program_are_read() {
        let answer = r#"{"packages": [
            {"name": "cc", "version": "1.2.0", "source": "crates.io", "kind": "build"},
            {"name": "uv", "version": "0.13.9", "source": "local", "dependencies": [0], "root": true}
        ]}"#;
        assert_eq!(parse(answer, "/p").unwrap(), [Listed::new("uv", "0.13.9", "/p")]);
        assert!(parse("{}", "/p").is_err());
    }
}
