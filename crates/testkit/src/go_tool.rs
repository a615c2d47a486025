//! Programs in Go that tests use: which version, built how, kept where. `cargo xtask setup` builds them as this module says.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use model::Digest;
use sha2::{Digest as _, Sha256};

use crate::environment::{cache_folder, is_executable, workspace_folder};

/// A program that is built from a folder of `tools/`, which pins every byte of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GoTool {
    /// What people call it.
    pub title: &'static str,
    /// The folder below `tools/`; also the beginning of the cached folder's name.
    pub name: &'static str,
    /// The module whose version in `go.mod` is the program's.
    module: &'static str,
    /// What is built: a package of a module, or the folder itself.
    package: &'static str,
    /// The files that decide what is built.
    files: &'static [&'static str],
    /// The variable that the program's version is linked into, where it does not find it by itself.
    version_variable: Option<&'static str>,
    program: &'static str,
}

impl GoTool {
    /// All that tests use.
    pub const ALL: [Self; 4] = [Self::DEX, Self::ESTARGZ, Self::HELM, Self::VAULT];

    /// The server of the real Dex.
    pub const DEX: Self = Self {
        title: "Dex",
        name: "dex",
        module: "github.com/dexidp/dex",
        package: ".",
        files: &["go.mod", "go.sum", "main.go"],
        version_variable: None,
        program: "dex-for-tests",
    };

    /// The real library that makes layers of eStargz.
    pub const ESTARGZ: Self = Self {
        title: "eStargz",
        name: "estargz",
        module: "github.com/containerd/stargz-snapshotter/estargz",
        package: ".",
        files: &["go.mod", "go.sum", "main.go"],
        version_variable: None,
        program: "estargz-for-tests",
    };

    /// The real helm.
    pub const HELM: Self = Self {
        title: "Helm",
        name: "helm",
        module: "helm.sh/helm/v3",
        package: "helm.sh/helm/v3/cmd/helm",
        files: &["go.mod", "go.sum"],
        version_variable: Some("helm.sh/helm/v3/internal/version.version"),
        program: "helm",
    };

    /// A reader of rpm's databases that is not ours; no test needs it.
    pub const RPMDB: Self = Self {
        title: "go-rpmdb",
        name: "rpmdb",
        module: "github.com/knqyf263/go-rpmdb",
        package: ".",
        files: &["go.mod", "go.sum", "main.go"],
        version_variable: None,
        program: "rpmdb-for-checks",
    };

    /// The core of the real Vault.
    pub const VAULT: Self = Self {
        title: "Vault",
        name: "vault",
        module: "github.com/hashicorp/vault",
        package: ".",
        files: &["go.mod", "go.sum", "main.go"],
        version_variable: None,
        program: "vault-for-tests",
    };

    /// Reads how it is built.
    pub fn load(&self) -> Result<GoBuild> {
        let source_folder = workspace_folder().join("tools").join(self.name);
        let read = |name: &&str| {
            fs_err::read_to_string(source_folder.join(name))
                .with_context(|| format!("failed to read the pinned {}", self.title))
        };
        let files = self.files.iter().map(read).collect::<Result<Vec<_>>>()?;
        self.parse(&files, &cache_folder()?, &source_folder)
    }

    /// The program, where it was built.
    pub fn find(&self) -> Result<PathBuf> {
        let program = self.load()?.program;
        let named = program.display();
        ensure!(is_executable(&program), "`{named}` is not there: run `cargo xtask setup`, which builds it");
        Ok(program)
    }

    fn parse(&self, files: &[String], cache: &Path, source_folder: &Path) -> Result<GoBuild> {
        let go_mod = files.first().context("a tool has a `go.mod`")?;
        let find = |prefix: &str| {
            // A single requirement stands in no block.
            let mut lines = go_mod.lines().map(|line| line.trim().trim_start_matches("require "));
            let rest = lines.find_map(|line| line.strip_prefix(prefix));
            rest.and_then(|rest| rest.split_whitespace().next()).map(str::to_owned)
        };
        let Self { title, name, module, .. } = self;
        let version = find(&format!("{module} v"))
            .with_context(|| format!("`go.mod` of {title} names no version of it"))?;
        let go_version = find("go ").with_context(|| format!("`go.mod` of {title} names no Go version"))?;
        let link = match self.version_variable {
            Some(variable) => format!("-s -w -X {variable}=v{version}"),
            None => "-s -w".to_owned(),
        };
        let arguments =
            ["build", "-trimpath", "-buildvcs=false", "-ldflags", &link].map(str::to_owned).to_vec();
        let identity = [&files.join("\0"), "\0", &arguments.join("\n")].concat();
        let digest = Digest::from_sha256(&Sha256::digest(identity.as_bytes()).into());
        let folder = cache.join(format!("{name}-{version}-{}", &digest.hex()[..16]));
        Ok(GoBuild {
            source_folder: source_folder.to_owned(),
            package: self.package,
            version,
            go_version,
            arguments,
            program: folder.join(self.program),
        })
    }
}

/// How such a program is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoBuild {
    /// The folder with `go.mod` and `go.sum`, where `go build` runs.
    pub source_folder: PathBuf,
    /// What is built there.
    pub package: &'static str,
    /// The program's version without the `v`, from `go.mod`.
    pub version: String,
    /// The least version of Go, from `go.mod`.
    pub go_version: String,
    /// Arguments of `go build` before `-o`.
    pub arguments: Vec<String>,
    /// The program: the name of its folder carries a hash of everything that decides its bytes.
    pub program: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_changed_file_gives_another_program() {
        let go_mod = "module x\n\ngo 1.26.0\n\nrequire (\n\tgithub.com/hashicorp/vault v1.21.4\n)\n";
        let parse = |go_mod: &str, go_sum: &str, main: &str| {
            let files = [go_mod, go_sum, main].map(str::to_owned);
            GoTool::VAULT.parse(&files, Path::new("/cache"), Path::new("/source"))
        };
        let first = parse(go_mod, "sum", "main").unwrap();
        assert_eq!((first.version.as_str(), first.go_version.as_str()), ("1.21.4", "1.26.0"));
        assert!(first.program.starts_with("/cache") && first.program.ends_with("vault-for-tests"));
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

    #[test]
    fn the_version_is_linked_in_where_the_program_needs_it() {
        let files =
            ["go 1.26.0\nrequire (\n\thelm.sh/helm/v3 v3.22.0 // indirect\n)\n", ""].map(str::to_owned);
        let build = GoTool::HELM.parse(&files, Path::new("/cache"), Path::new("/source")).unwrap();
        assert_eq!(build.version, "3.22.0");
        assert!(build.arguments.iter().any(|argument| argument.ends_with("version.version=v3.22.0")));
    }

    #[test]
    fn all_are_pinned() {
        for tool in GoTool::ALL {
            tool.load().unwrap();
        }
    }
}
