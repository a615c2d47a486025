//! Programs written in Python that tests run: which, pinned where, kept where.
//!
//! `cargo xtask setup` installs each into a virtual environment of its own, for their pins clash; tests find them as this
//! module says.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::environment::{cache_folder, is_executable, workspace_folder};
use crate::image::digest_of;

/// The Python that the environments are made with: Debian's own, not one that a user has put before it.
pub const PYTHON: &str = "/usr/bin/python3";

/// A program and what it needs, in exact versions with the hashes of their files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PythonTool {
    /// The folder of `tools/` that pins it.
    pub name: &'static str,
    /// The program in the environment's `bin`.
    pub program: &'static str,
    /// The one package that has no built form, where there is one.
    pub source_package: Option<&'static str>,
}

impl PythonTool {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::ANCHORE_CLI, Self::SCHEMATHESIS];

    /// The client that most users of the Anchore API have.
    pub const ANCHORE_CLI: Self =
        Self { name: "anchorecli", program: "anchore-cli", source_package: Some("anchorecli") };

    /// Makes requests out of an OpenAPI document and checks the answers against it.
    pub const SCHEMATHESIS: Self =
        Self { name: "schemathesis", program: "schemathesis", source_package: None };

    /// The file that pins what the program runs with.
    pub fn requirements(&self) -> PathBuf {
        workspace_folder().join("tools").join(self.name).join("requirements.txt")
    }

    /// The file that pins what building [`Self::source_package`] needs.
    pub fn build_requirements(&self) -> PathBuf {
        workspace_folder().join("tools").join(self.name).join("build-requirements.txt")
    }

    /// Where the environment belongs: the name carries a hash of the pins.
    pub fn cached_folder(&self, cache: &Path) -> Result<PathBuf> {
        let mut pins = fs_err::read_to_string(self.requirements()).context("failed to read a tool's pins")?;
        if self.source_package.is_some() {
            pins += &fs_err::read_to_string(self.build_requirements())
                .context("failed to read what building a tool needs")?;
        }
        let digest = digest_of(format!("{self:?}\n{pins}").as_bytes());
        Ok(cache.join(format!("python-{}-{}", self.name, &digest.hex()[..16])))
    }

    /// The file that says that the environment in a folder is complete: one cannot be renamed when it is, because its
    /// programs begin with its path.
    pub fn complete_marker(folder: &Path) -> PathBuf {
        folder.join("complete")
    }

    /// The program; the error says how to install it.
    pub fn find(&self) -> Result<PathBuf> {
        let folder = self.cached_folder(&cache_folder()?)?;
        let program = folder.join("bin").join(self.program);
        ensure!(
            Self::complete_marker(&folder).exists() && is_executable(&program),
            "`{}` is not installed: run `cargo xtask setup`",
            program.display()
        );
        Ok(program)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::run;

    #[test]
    fn each_tool_is_installed_in_the_version_that_is_pinned() {
        for (tool, version) in
            [(PythonTool::ANCHORE_CLI, "version 0.9.3"), (PythonTool::SCHEMATHESIS, "version 4.")]
        {
            let output = run(&tool.find().unwrap(), b"", |command| {
                command.arg("--version");
            });
            let text = output.unwrap().success().unwrap();
            assert!(text.contains(version), "{text}");
        }
    }

    #[test]
    fn every_pin_has_a_hash() {
        for tool in PythonTool::ALL {
            let pins = fs_err::read_to_string(tool.requirements()).unwrap();
            for entry in pins.replace("\\\n", " ").lines() {
                assert!(entry.contains("==") && entry.contains("--hash=sha256:"), "{entry}");
            }
        }
    }
}
