//! The Vault that tests talk to: which version, built how, kept where. `cargo xtask setup` builds it as this module says.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use model::Digest;
use sha2::{Digest as _, Sha256};

use crate::environment::{cache_folder, is_executable, workspace_folder};

/// Name of the program.
const PROGRAM: &str = "vault-for-tests";

/// How Vault is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultBuild {
    /// The folder with `go.mod`, `go.sum` and `main.go`, where `go build` runs.
    pub source_folder: PathBuf,
    /// Vault's version without the `v`, from `go.mod`.
    pub version: String,
    /// The least version of Go, from `go.mod`.
    pub go_version: String,
    /// Arguments of `go build` before `-o`.
    pub arguments: Vec<String>,
    /// The program: the name of its folder carries a hash of everything that decides its bytes.
    pub program: PathBuf,
}

impl VaultBuild {
    /// Reads `tools/vault` of the workspace.
    pub fn load() -> Result<Self> {
        let source_folder = workspace_folder().join("tools/vault");
        let read = |name| {
            fs_err::read_to_string(source_folder.join(name)).context("failed to read the pinned Vault")
        };
        let files = [read("go.mod")?, read("go.sum")?, read("main.go")?];
        Self::parse(&files, &cache_folder()?, &source_folder)
    }

    /// The program, where it was built.
    pub(crate) fn find_program() -> Result<PathBuf> {
        let program = Self::load()?.program;
        let named = program.display();
        ensure!(is_executable(&program), "`{named}` is not there: run `cargo xtask setup`, which builds it");
        Ok(program)
    }

    fn parse(files: &[String; 3], cache: &Path, source_folder: &Path) -> Result<Self> {
        let [go_mod, ..] = files;
        let find = |prefix: &str| {
            let rest = go_mod.lines().find_map(|line| line.trim().strip_prefix(prefix));
            rest.and_then(|rest| rest.split_whitespace().next()).map(str::to_owned)
        };
        let version =
            find("github.com/hashicorp/vault v").context("`go.mod` of Vault names no version of it")?;
        let go_version = find("go ").context("`go.mod` of Vault names no Go version")?;
        let arguments =
            ["build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w"].map(str::to_owned).to_vec();
        let identity = [&files.join("\0"), "\0", &arguments.join("\n")].concat();
        let digest = Digest::from_sha256(&Sha256::digest(identity.as_bytes()).into());
        let folder = cache.join(format!("vault-{version}-{}", &digest.hex()[..16]));
        let (source_folder, program) = (source_folder.to_owned(), folder.join(PROGRAM));
        Ok(Self { source_folder, version, go_version, arguments, program })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_changed_file_gives_another_program() {
        let go_mod = "module x\n\ngo 1.26.0\n\nrequire (\n\tgithub.com/hashicorp/vault v1.21.4\n)\n";
        let parse = |go_mod: &str, go_sum: &str, main: &str| {
            let files = [go_mod, go_sum, main].map(str::to_owned);
            VaultBuild::parse(&files, Path::new("/cache"), Path::new("/source"))
        };
        let first = parse(go_mod, "sum", "main").unwrap();
        assert_eq!((first.version.as_str(), first.go_version.as_str()), ("1.21.4", "1.26.0"));
        assert!(first.program.starts_with("/cache") && first.program.ends_with(PROGRAM));
        assert_eq!(first, parse(go_mod, "sum", "main").unwrap());
        for other in [
            parse(&go_mod.replace("1.21.4", "1.21.5"), "sum", "main"),
            parse(go_mod, "other sum", "main"),
            parse(go_mod, "sum", "other main"),
        ] {
            assert_ne!(first.program, other.unwrap().program);
        }
        assert!(parse("go 1.26\n", "", "").is_err());
    }
}
