//! The name that the program was called by: under `banzai` it is the client that old scripts and hands know.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::OnceLock;

use clap::{Command, CommandFactory as _};

use crate::arguments::Arguments;

const OWN: &str = "lazaret";
const CLIENT: &str = "banzai";
/// What the client is not for; still understood under either name.
const NOT_OF_CLIENT: &[&str] =
    &["scan", "sbom", "why-not", "db", "serve", "work", "backup", "restore", "config", "admission"];
const CLIENT_HELP: &str = "Start here:\n  banzai login -e URL                                  remember a server\n  \
    banzai cluster list                                  what there is\n  \
    banzai cluster service securityscan activate         keep bad images out of a cluster\n  \
    banzai cluster shell                                 kubectl with the cluster as its context\n\n\
    Exit codes: 0 done, 1 error; `cluster shell` ends with that of its command.";

static NAME: OnceLock<&str> = OnceLock::new();

/// Notes the name; the first time counts.
pub(crate) fn note(called_as: Option<&OsStr>) -> &'static str {
    NAME.get_or_init(|| {
        let stem = called_as.and_then(|path| Path::new(path).file_stem());
        if stem == Some(OsStr::new(CLIENT)) { CLIENT } else { OWN }
    })
}

/// The name that the program was called by.
pub(crate) fn program_name() -> &'static str {
    NAME.get().copied().unwrap_or(OWN)
}

/// All that can be typed, with help that speaks of the program by this name.
pub(crate) fn command_named(name: &'static str) -> Command {
    let command = Arguments::command();
    if name != CLIENT {
        return command;
    }
    let command = command
        .name(CLIENT)
        .bin_name(CLIENT)
        .about("Clusters, secrets and services of a Pipeline server")
        .long_about(
            "Clusters, secrets and services of a Pipeline server, and what its security scan lets into them.",
        )
        .after_help(CLIENT_HELP);
    let hidden = NOT_OF_CLIENT
        .iter()
        .fold(command, |command, word| command.mut_subcommand(word, |subcommand| subcommand.hide(true)));
    hidden.mut_subcommands(renamed)
}

/// Examples call the program as the reader does.
fn renamed(command: Command) -> Command {
    let help = command.get_after_help().map(|help| help.to_string().replace("lazaret ", "banzai "));
    let command = match help {
        Some(help) => command.after_help(help),
        None => command,
    };
    command.mut_subcommands(renamed)
}
