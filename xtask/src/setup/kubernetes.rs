//! The Kubernetes programs of test clusters, built from their pinned modules.

use std::path::Path;

use anyhow::{Context, Result, bail};
use testkit::{KUBERNETES_PROGRAMS, KubernetesBuild, KubernetesPrograms, find_missing_programs};

use super::{lock, unfinished_folder};
use crate::progress::step;
use crate::run::output;

/// Builds them unless they are there; with `KUBEBUILDER_ASSETS` it only checks them.
pub(crate) fn build_if_missing(cache: &Path) -> Result<()> {
    if testkit::environment_variable("KUBEBUILDER_ASSETS").is_some() {
        return KubernetesPrograms::find().map(drop);
    }
    let build = KubernetesBuild::load()?;
    if find_missing_programs(&build.cached_folder).is_empty() {
        return Ok(());
    }
    let _lock = lock(&cache.join("kubernetes.lock"))?;
    // Another setup may have finished while this one waited.
    if find_missing_programs(&build.cached_folder).is_empty() {
        return Ok(());
    }
    check_go(&build.go_version)?;
    let unfinished = unfinished_folder(&build.cached_folder)?;
    let title = format!("building Kubernetes {} (about 5 minutes, once)", build.version);
    step(&title, || {
        let mut go = crate::run::command(testkit::require_program("go")?);
        go.current_dir(&build.source_folder).env("GOTOOLCHAIN", "local").args(&build.arguments);
        go.arg("-o").arg(format!("{}/", unfinished.display()));
        go.args(KUBERNETES_PROGRAMS.map(|name| format!("k8s.io/kubernetes/cmd/{name}")));
        output(&mut go)
    })?;
    // A folder that lacks a program is of an older setup that was damaged.
    if build.cached_folder.exists() {
        fs_err::remove_dir_all(&build.cached_folder)?;
    }
    fs_err::rename(&unfinished, &build.cached_folder)?;
    Ok(())
}

fn check_go(required: &str) -> Result<()> {
    let Some(go) = testkit::find_program("go") else {
        bail!(
            "Go {required} or newer is needed to build Kubernetes, and there is no `go` on this machine's PATH"
        );
    };
    let answer = output(crate::run::command(go).arg("version").env("GOTOOLCHAIN", "local"))?;
    let version =
        parse_go_version(&answer).with_context(|| format!("`go version` said `{}`", answer.trim()))?;
    if numbers(version) < numbers(required) {
        bail!("Go {required} or newer is needed to build Kubernetes, this machine has {version}");
    }
    Ok(())
}

/// `go version go1.26.8 linux/amd64`.
fn parse_go_version(answer: &str) -> Option<&str> {
    answer.split_whitespace().nth(2)?.strip_prefix("go")
}

/// The numbers of a version; a release candidate counts as its release, so that `1.26rc1` is taken.
fn numbers(version: &str) -> Vec<u32> {
    let digits = version.split(|character: char| !character.is_ascii_digit() && character != '.').next();
    let mut numbers: Vec<u32> =
        digits.unwrap_or_default().split('.').map(|part| part.parse().unwrap_or(0)).collect();
    numbers.resize(3, 0);
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_versions_are_compared_as_numbers() {
        assert_eq!(parse_go_version("go version go1.26.8 linux/amd64\n"), Some("1.26.8"));
        assert_eq!(parse_go_version("something else"), None);
        let cases = [
            ("1.26.0", "1.26.0", true),
            ("1.26", "1.26.0", true),
            ("1.26.8", "1.26.0", true),
            ("1.26rc1", "1.26.0", true),
            ("1.100.0", "1.26.0", true),
            ("1.25.9", "1.26.0", false),
            ("1.9.0", "1.26.0", false),
        ];
        for (version, required, is_enough) in cases {
            assert_eq!(numbers(version) >= numbers(required), is_enough, "{version} for {required}");
        }
    }
}
