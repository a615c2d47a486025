//! The reader of those who made `cargo auditable`, asked about all programs.

use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use fs_err::File;
use serde_json::Value;

use super::{find, named, place};
use crate::check_packages::compare::Listed;
use crate::run::command;
use crate::setup::cargo_tool;

const READER: (&str, &str) = ("rust-audit-info", "0.5.4");
const MAGIC: [u8; 4] = *b"\x7fELF";
const SECTION: &[u8] = b".dep-v0";

pub(super) fn ask(root: &Path, _scratch: &Path) -> Result<Option<Vec<Listed>>> {
    let programs = find(root, &|path| is_program(path).unwrap_or_default())?;
    let mut listed = Vec::new();
    if programs.is_empty() {
        return Ok(None);
    }
    let reader = cargo_tool::find_or_build(READER)?;
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
    let mut head = [0; MAGIC.len()];
    // A file that is shorter is none.
    if File::open(path)?.read_exact(&mut head).is_err() || head != MAGIC {
        return Ok(false);
    }
    let content = fs_err::read(path)?;
    Ok(content.windows(SECTION.len()).any(|bytes| bytes == SECTION))
}

/// What a program was built with is not in it.
fn parse(answer: &str, place: &str) -> Result<Vec<Listed>> {
    let answer: Value = serde_json::from_str(answer)?;
    let packages = answer["packages"].as_array().context("the reader wrote no list")?;
    let in_program = packages.iter().filter(|package| package["kind"] != "build");
    Ok(in_program.map(|package| named(package, place)).collect())
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
