//! One module per command; each turns arguments into one call of the libraries and its result into text.

pub(crate) mod admission;
mod backup;
mod base;
mod bundle;
pub(crate) mod cache;
mod cluster_webhooks;
mod completions;
mod config;
mod data_folder;
mod database;
pub(crate) mod image;
mod judgement;
mod key;
mod listener;
mod man;
mod package_list;
mod policy;
mod reports;
mod running;
mod sbom;
mod scan;
mod serve;
mod shutdown;
mod source;
mod why_not;
mod work;

use crate::arguments::{Arguments, Command};
use crate::client;
use crate::exit::Exit;

/// Runs the command that was typed.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    if !matches!(arguments.command, Command::Client(_) | Command::Policy(_)) && !arguments.leading.are_none()
    {
        anyhow::bail!("flags of this command stand behind its name");
    }
    match arguments.command {
        Command::Scan(arguments) => scan::run(&arguments),
        Command::Sbom(arguments) => sbom::run(&arguments),
        Command::WhyNot(arguments) => why_not::run(&arguments),
        Command::Db(command) => database::run(command),
        Command::Work(arguments) => work::run(*arguments),
        Command::Policy(command) => policy::run(arguments.leading, command),
        Command::Client(command) => client::run(arguments.leading, command),
        Command::Cache(command) => cache::run(&command),
        Command::Backup(arguments) => backup::backup(*arguments),
        Command::Restore(arguments) => backup::restore(*arguments),
        Command::Key(command) => key::run(command),
        Command::Config(command) => config::run(command),
        Command::Serve(arguments) => serve::run(*arguments),
        Command::Admission(arguments) => admission::run(*arguments),
        Command::Man { folder } => man::run(folder.as_deref()),
        Command::Completions { shell } => completions::run(shell),
    }
}

/// The runtime of a command that talks to the network.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    use anyhow::Context as _;
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("failed to start the runtime")
}
