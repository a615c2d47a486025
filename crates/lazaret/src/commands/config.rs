//! `lazaret config`: what is wrong with a configuration, and what can stand in one.

use crate::arguments::ConfigCommand;
use crate::config::print;
use crate::config::server::{ServerConfig, Surroundings, load_values};
use crate::exit::Exit;
use crate::terminal;

/// Checks or prints; nothing is started.
pub(super) fn run(command: ConfigCommand) -> anyhow::Result<Exit> {
    match command {
        ConfigCommand::Check { file } => {
            let config = ServerConfig::new(load_values(file.as_deref(), Vec::new())?, Surroundings::here())?;
            for warning in &config.warnings {
                terminal::error_line(&format!("warning: {warning}"));
            }
            let what =
                file.map_or_else(|| "the environment".to_owned(), |path| format!("`{}`", path.display()));
            terminal::print(&format!("{what} is good: `lazaret serve` would start with it\n"))?;
        }
        ConfigCommand::Print { effective: false, .. } => terminal::print(&print::default_file())?,
        ConfigCommand::Print { effective: true, config } => {
            let values = load_values(config.as_deref(), Vec::new())?;
            terminal::print(&print::effective(&values))?;
            for problem in &values.problems {
                terminal::error_line(&format!("error: {problem}"));
            }
            if !values.problems.is_empty() {
                return Ok(Exit::Error);
            }
        }
    }
    Ok(Exit::Clean)
}
