//! The client of a server: commands in the grammar of `banzai`, which this program is when it is called by that name.
//!
//! One file per kind of command. Transport, wire types and the configuration file are in crate `pipeline-client`.

pub(crate) mod arguments;
mod ask;
mod cluster;
pub(crate) mod cluster_arguments;
mod cluster_choice;
mod document;
mod failure;
mod image;
mod kubeconfig;
mod login;
mod login_browser;
mod organization;
mod output;
mod policy;
mod process;
mod running;
mod scan_log;
mod secret;
mod secret_wizard;
pub(crate) mod security_arguments;
mod security_scan;
mod service;
mod session;
mod shell;
#[cfg(test)]
mod tests;
mod token;
mod waiting;
mod whitelist;
mod wizard;

use arguments::{ClientCommand, ClientFlags, LeadingFlags};
use security_arguments::RemotePolicyCommand;

use crate::exit::Exit;
use session::Session;

/// Runs a command of the client.
pub(crate) fn run(leading: LeadingFlags, command: ClientCommand) -> anyhow::Result<Exit> {
    runtime()?.block_on(async { dispatch(leading, command).await }).map_err(failure::with_advice)
}

/// Runs a command about the policies of a cluster's engine.
pub(crate) fn run_policy(leading: LeadingFlags, command: RemotePolicyCommand) -> anyhow::Result<Exit> {
    runtime()?.block_on(policy::run(leading, command)).map_err(failure::with_advice)
}

async fn dispatch(leading: LeadingFlags, command: ClientCommand) -> anyhow::Result<Exit> {
    let open = |flags: ClientFlags| Session::open(leading.under(flags));
    match command {
        ClientCommand::Login(arguments) => login::run(open(arguments.flags.clone())?, arguments).await,
        ClientCommand::Organization(group) => organization::run(open(group.flags)?, group.command).await,
        ClientCommand::Secret(group) => secret::run(&open(group.flags)?, group.command).await,
        ClientCommand::Token(group) => token::run(&open(group.flags)?, group.command).await,
        ClientCommand::Cluster(arguments) => {
            cluster::run(&open(arguments.flags)?, &arguments.cluster, arguments.command).await
        }
        ClientCommand::Audits(arguments) => scan_log::run(&open(arguments.flags.clone())?, arguments).await,
        ClientCommand::Whitelist(group) => {
            whitelist::run(&open(group.flags)?, &group.cluster, group.command).await
        }
        ClientCommand::Process(group) => process::run(&open(group.flags)?, group.command).await,
        ClientCommand::Image(group) => image::run(&open(group.flags)?, &group.cluster, group.command).await,
    }
}

/// One thread is enough to ask one server.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    use anyhow::Context as _;
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("failed to start the runtime")
}
