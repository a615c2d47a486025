//! `lazaret completions SHELL`.

use crate::exit::Exit;
use crate::name::{command_named, program_name};
use crate::terminal;

/// Prints the script.
pub(crate) fn run(shell: clap_complete::Shell) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    let name = program_name();
    clap_complete::generate(shell, &mut command_named(name), name, &mut script);
    terminal::print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Clean)
}
