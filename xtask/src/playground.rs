//! `cargo xtask playground`: a real API server and a real registry with two real images, until Ctrl-C.
//!
//! For trying things by hand, and for following the pages in `docs/`.

use anyhow::{Context, Result};
use testkit::{Cluster, KubernetesPrograms, Registry, RegistryMode, debian_images, workspace_folder};

use crate::progress::say;
use crate::setup;

/// File that a shell reads to know where everything is.
const ENVIRONMENT_FILE: &str = "target/playground.env";

/// Runs the playground until the process is interrupted.
pub(crate) fn playground() -> Result<()> {
    setup::setup()?;
    let images = debian_images()?;
    let registry = Registry::start(RegistryMode::Open)?;
    registry.push(&images.vulnerable, "debian:vulnerable")?;
    registry.push(&images.fixed, "debian:fixed")?;
    let cluster = Cluster::start()?;
    let kubectl = KubernetesPrograms::find()?.kubectl;
    let file = workspace_folder().join(ENVIRONMENT_FILE);
    let environment = format!(
        "export KUBECONFIG='{}'\nexport REGISTRY='{}'\nexport PATH='{}':\"$PATH\"\n",
        cluster.kubeconfig("admin")?.display(),
        registry.host(),
        kubectl.parent().context("kubectl lies in a folder")?.display(),
    );
    fs_err::create_dir_all(workspace_folder().join("target"))?;
    fs_err::write(&file, &environment)?;
    say(&format!(
        "\nThe cluster and the registry are running. In other terminals:\n\n  source {ENVIRONMENT_FILE}\n\n{environment}\n\
         images: $REGISTRY/debian:vulnerable and $REGISTRY/debian:fixed\n\nCtrl-C ends both."
    ));
    // Ctrl-C ends this process at once; cluster and registry are its children and end with it.
    loop {
        std::thread::park();
    }
}
