//! `lazaret completions SHELL`.

use clap::CommandFactory as _;

use crate::arguments::Arguments;
use crate::exit::Exit;
use crate::terminal;

/// Prints the script.
pub(crate) fn run(shell: clap_complete::Shell) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "lazaret", &mut script);
    terminal::print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Clean)
}
