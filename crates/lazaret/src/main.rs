//! The program: reads its arguments, wires one role and turns the outcome into an exit code.

mod arguments;
mod client;
mod commands;
mod config;
mod exit;
mod logging;
mod name;
mod process_metrics;
mod progress;
mod scan_arguments;
mod terminal;
mod timing;
mod traces;

use std::process::ExitCode;

use clap::FromArgMatches as _;

use crate::arguments::Arguments;
use crate::exit::Exit;

fn main() -> ExitCode {
    let name = name::note(std::env::args_os().next().as_deref());
    let matches = name::command_named(name).try_get_matches();
    let arguments = match matches.and_then(|matches| Arguments::from_arg_matches(&matches)) {
        Ok(arguments) => arguments,
        Err(error) => return exit::from_usage(&error),
    };
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        terminal::error_line("error: another TLS provider is already installed");
        return Exit::Error.into();
    }
    match commands::run(arguments) {
        Ok(exit) => exit.into(),
        Err(error) => {
            terminal::error_line(&format!("error: {}", terminal::chain(&error)));
            Exit::Error.into()
        }
    }
}
