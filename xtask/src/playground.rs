//! `cargo xtask playground`: a real API server and a real registry with two real images, until Ctrl-C.
//!
//! For trying things by hand, and for following the pages in `docs/`.

use std::time::Duration;

use anyhow::Result;
use testkit::workspace_folder;

use crate::demo::{Interruption, Stage};
use crate::progress::say;
use crate::setup;

/// File that a shell reads to know where everything is.
const ENVIRONMENT_FILE: &str = "target/playground.env";

/// Runs the playground until the process is interrupted.
pub(crate) fn playground() -> Result<()> {
    setup::setup()?;
    let interruption = Interruption::watch()?;
    let stage = Stage::start(&interruption)?;
    let file = workspace_folder().join(ENVIRONMENT_FILE);
    let environment = format!(
        "export KUBECONFIG='{}'\nexport REGISTRY='{}'\nexport PATH='{}':\"$PATH\"\n",
        stage.cluster.kubeconfig("admin")?.display(),
        stage.registry.host(),
        stage.kubectl_folder.display(),
    );
    fs_err::create_dir_all(workspace_folder().join("target"))?;
    fs_err::write(&file, &environment)?;
    say(&format!(
        "\nThe cluster and the registry are running. In other terminals:\n\n  source {ENVIRONMENT_FILE}\n\n{environment}\n\
         images: $REGISTRY/debian:vulnerable and $REGISTRY/debian:fixed\n\nCtrl-C ends both."
    ));
    interruption.wait(Duration::from_secs(60), || Ok(()))
}
