//! A real cluster and a real registry with the two Debian images: where the demonstration and the playground take place.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use testkit::{
    Cluster, DebianImages, KubernetesPrograms, Registry, RegistryMode, debian_images, require_program,
};

use super::interruption::Interruption;
use crate::progress::step;

/// What runs.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) cluster: Cluster,
    pub(crate) registry: Registry,
    /// The folder with `kubectl`.
    pub(crate) kubectl_folder: PathBuf,
}

impl Stage {
    /// Starts it on free ports.
    pub(crate) fn start(interruption: &Interruption) -> Result<Self> {
        let images = find_parts()?;
        let registry = step("starting a registry with two images of Debian 12", || {
            let registry = Registry::start(RegistryMode::Open)?;
            registry.push(&images.vulnerable, "debian:vulnerable")?;
            registry.push(&images.fixed, "debian:fixed")?;
            Ok(registry)
        })?;
        interruption.check()?;
        let cluster = step("starting a Kubernetes cluster", Cluster::start)?;
        interruption.check()?;
        let kubectl = KubernetesPrograms::find()?.kubectl;
        let kubectl_folder = kubectl.parent().context("kubectl lies in a folder")?.to_owned();
        Ok(Self { cluster, registry, kubectl_folder })
    }
}

/// Looks for everything before anything is started. Errors: all that is missing, and what brings it.
pub(crate) fn find_parts() -> Result<DebianImages> {
    let programs = ["etcd", "docker-registry", "skopeo", "setpriv"];
    let mut missing: Vec<String> = programs
        .iter()
        .filter_map(|name| require_program(name).err())
        .map(|error| error.to_string())
        .collect();
    missing.extend(KubernetesPrograms::find().err().map(|error| error.to_string()));
    match debian_images() {
        Ok(images) if missing.is_empty() => Ok(images),
        images => {
            missing.extend(images.err().map(|error| error.to_string()));
            missing.dedup();
            bail!("this machine is not ready: run `cargo xtask setup` first\n  {}", missing.join("\n  "))
        }
    }
}
