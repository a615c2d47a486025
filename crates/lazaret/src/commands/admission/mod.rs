//! `lazaret admission`: the webhook, and putting it into a cluster.

pub(crate) mod arguments;
mod engine_access;
mod install;
pub(super) mod own_engine;
mod run;

use anyhow::Context as _;
use kube::config::{KubeConfigOptions, Kubeconfig};

use crate::exit::Exit;

use self::arguments::{AdmissionArguments, AdmissionCommand, ClusterArguments};

/// Runs the command that was typed.
pub(super) fn run(arguments: AdmissionArguments) -> anyhow::Result<Exit> {
    let runtime = super::runtime()?;
    runtime.block_on(async {
        match arguments.command {
            None => run::run(arguments.run).await,
            Some(AdmissionCommand::Install(arguments)) => install::install(arguments).await,
            Some(AdmissionCommand::Uninstall(arguments)) => install::uninstall(arguments).await,
        }
    })
}

/// A client of the cluster that the arguments name.
async fn connect(cluster: &ClusterArguments) -> anyhow::Result<kube::Client> {
    let options = KubeConfigOptions { context: cluster.context.clone(), ..KubeConfigOptions::default() };
    let mut config = match &cluster.kubeconfig {
        Some(path) => {
            let file = Kubeconfig::read_from(path)
                .with_context(|| format!("failed to read the kubeconfig `{}`", path.display()))?;
            kube::Config::from_custom_kubeconfig(file, &options)
                .await
                .with_context(|| format!("the kubeconfig `{}` does not lead to a cluster", path.display()))?
        }
        None if cluster.context.is_some() => kube::Config::from_kubeconfig(&options)
            .await
            .context("the customary kubeconfig does not lead to a cluster; give --kubeconfig FILE")?,
        None => kube::Config::infer()
            .await
            .context("there is neither a kubeconfig nor a Pod's account; give --kubeconfig FILE")?,
    };
    // An API server is spoken to directly; a proxy of the environment is for registries.
    if config.proxy_url.take().is_some() {
        tracing::warn!("the proxy that is set is not used for the connection to the cluster");
    }
    config.connect_timeout = Some(std::time::Duration::from_secs(10));
    kube::Client::try_from(config).context("failed to make a client of the cluster")
}
