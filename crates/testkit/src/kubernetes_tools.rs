//! The Kubernetes programs that test clusters run: which version, built how, kept where.
//!
//! `cargo xtask setup` builds them as this module says; clusters find them as this module says.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use model::Digest;
use sha2::{Digest as _, Sha256};

use crate::environment::{
    cache_folder, environment_variable, is_executable, require_program, workspace_folder,
};

/// The programs a cluster needs beside etcd; each is a package below `k8s.io/kubernetes/cmd`.
pub const KUBERNETES_PROGRAMS: [&str; 3] = ["kube-apiserver", "kube-controller-manager", "kubectl"];

/// How the Kubernetes programs are built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubernetesBuild {
    /// The folder with `go.mod` and `go.sum`, where `go build` runs.
    pub source_folder: PathBuf,
    /// Kubernetes' version without the `v`, from `go.mod`.
    pub version: String,
    /// The least version of Go, from `go.mod`.
    pub go_version: String,
    /// Arguments of `go build` before `-o`.
    pub arguments: Vec<String>,
    /// Where the programs belong: the name carries a hash of everything that decides their bytes.
    pub cached_folder: PathBuf,
}

impl KubernetesBuild {
    /// Reads `tools/kubernetes` of the workspace.
    pub fn load() -> Result<Self> {
        let source_folder = workspace_folder().join("tools/kubernetes");
        let read = |name| {
            fs_err::read_to_string(source_folder.join(name))
                .context("failed to read the pinned Kubernetes tools")
        };
        Self::parse(&read("go.mod")?, &read("go.sum")?, &cache_folder()?, &source_folder)
    }

    fn parse(go_mod: &str, go_sum: &str, cache: &Path, source_folder: &Path) -> Result<Self> {
        let find = |prefix: &str| {
            let rest = go_mod.lines().find_map(|line| line.trim().strip_prefix(prefix));
            rest.and_then(|rest| rest.split_whitespace().next()).map(str::to_owned)
        };
        let version = find("k8s.io/kubernetes v")
            .context("`go.mod` of the Kubernetes tools names no `k8s.io/kubernetes`")?;
        let go_version = find("go ").context("`go.mod` of the Kubernetes tools names no Go version")?;
        let mut numbers = version.split('.');
        let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
        // Without these, `kubectl version` cannot parse the server's version.
        let stamps = [
            format!("gitVersion=v{version}"),
            format!("gitMajor={major}"),
            format!("gitMinor={minor}"),
            "gitTreeState=clean".to_owned(),
        ];
        let link = stamps
            .iter()
            .fold("-s -w".to_owned(), |flags, stamp| flags + " -X k8s.io/component-base/version." + stamp);
        let arguments = vec!["build".to_owned(), "-trimpath".to_owned(), "-ldflags".to_owned(), link];
        let identity = [go_mod, go_sum, &arguments.join("\n")].join("\0");
        let digest = Digest::from_sha256(&Sha256::digest(identity.as_bytes()).into());
        let cached_folder = cache.join(format!("kubernetes-{version}-{}", &digest.hex()[..16]));
        Ok(Self { source_folder: source_folder.to_owned(), version, go_version, arguments, cached_folder })
    }
}

/// Where the programs of a cluster are.
#[derive(Debug, Clone)]
pub struct KubernetesPrograms {
    /// etcd.
    pub etcd: PathBuf,
    /// kube-apiserver.
    pub api_server: PathBuf,
    /// kube-controller-manager.
    pub controller_manager: PathBuf,
    /// kubectl.
    pub kubectl: PathBuf,
}

impl KubernetesPrograms {
    /// Finds them: in the folder `KUBEBUILDER_ASSETS`, else where `cargo xtask setup` put them.
    ///
    /// etcd comes from `KUBEBUILDER_ASSETS` too when it is there, else from the machine.
    pub fn find() -> Result<Self> {
        let assets = environment_variable("KUBEBUILDER_ASSETS").map(PathBuf::from);
        let folder = match &assets {
            Some(assets) => assets.clone(),
            None => KubernetesBuild::load()?.cached_folder,
        };
        let missing = find_missing_programs(&folder);
        let (named, list) = (folder.display(), missing.join("`, `"));
        match assets {
            Some(_) => ensure!(
                missing.is_empty(),
                "`KUBEBUILDER_ASSETS` names `{named}`, which does not hold `{list}`: unset it, or put the programs there"
            ),
            None => {
                ensure!(
                    missing.is_empty(),
                    "`{named}` does not hold `{list}`: run `cargo xtask setup`, which builds them"
                );
            }
        }
        let bundled_etcd = folder.join("etcd");
        let etcd = if is_executable(&bundled_etcd) { bundled_etcd } else { require_program("etcd")? };
        let [api_server, controller_manager, kubectl] = KUBERNETES_PROGRAMS.map(|name| folder.join(name));
        Ok(Self { etcd, api_server, controller_manager, kubectl })
    }
}

/// The programs of [`KUBERNETES_PROGRAMS`] that a folder does not hold.
pub fn find_missing_programs(folder: &Path) -> Vec<&'static str> {
    KUBERNETES_PROGRAMS.into_iter().filter(|name| !is_executable(&folder.join(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GO_MOD: &str = "module x\n\ngo 1.26.0\n\nrequire (\n\tk8s.io/kubelet v0.36.3\n\tk8s.io/kubernetes v1.36.3 // indirect\n)\n";

    fn parse(go_mod: &str, go_sum: &str) -> Result<KubernetesBuild> {
        KubernetesBuild::parse(go_mod, go_sum, Path::new("/cache"), Path::new("/source"))
    }

    #[test]
    fn version_and_flags_come_from_go_mod() {
        let build = parse(GO_MOD, "sum").unwrap();
        assert_eq!((build.version.as_str(), build.go_version.as_str()), ("1.36.3", "1.26.0"));
        let link = build.arguments.last().unwrap();
        assert!(link.starts_with("-s -w -X k8s.io/component-base/version.gitVersion=v1.36.3 -X "), "{link}");
        assert!(link.contains("version.gitMajor=1 ") && link.contains("version.gitMinor=36 "), "{link}");
        assert!(parse("go 1.26\n", "").is_err());
        assert!(parse("require k8s.io/kubernetes v1.36.3\n", "").is_err());
    }

    #[test]
    fn any_change_gives_another_folder() {
        let folder = |go_mod: &str, go_sum: &str| parse(go_mod, go_sum).unwrap().cached_folder;
        let first = folder(GO_MOD, "sum");
        assert!(first.to_string_lossy().starts_with("/cache/kubernetes-1.36.3-"));
        assert_eq!(first, folder(GO_MOD, "sum"));
        assert_ne!(first, folder(GO_MOD, "other sum"));
        assert_ne!(first, folder(&GO_MOD.replace("0.36.3", "0.36.4"), "sum"));
    }

    #[test]
    fn missing_programs_are_named() {
        let scratch = crate::Scratch::new("tools").unwrap();
        assert_eq!(find_missing_programs(scratch.path()), KUBERNETES_PROGRAMS);
        fs_err::copy("/bin/true", scratch.path().join("kubectl")).unwrap();
        fs_err::write(scratch.path().join("kube-apiserver"), "not executable").unwrap();
        assert_eq!(find_missing_programs(scratch.path()), ["kube-apiserver", "kube-controller-manager"]);
    }
}
