//! The Kubernetes programs of test clusters, built from their pinned modules.

use std::path::Path;

use anyhow::Result;
use testkit::{KUBERNETES_PROGRAMS, KubernetesBuild, KubernetesPrograms, find_missing_programs};

use super::go::check_go;
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
    check_go(&build.go_version, "Kubernetes")?;
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
