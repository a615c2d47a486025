//! `lazaret backup` and `lazaret restore`: everything in one file, and back.

use anyhow::Context as _;
use engine::BackupSummary;

use super::data_folder;
use crate::arguments::{BackupArguments, RestoreArguments};
use crate::config::VERSION;
use crate::config::server::{ServerConfig, Surroundings};
use crate::exit::Exit;
use crate::terminal;

/// Writes a backup; whoever uses the database goes on.
pub(super) fn backup(arguments: BackupArguments) -> anyhow::Result<Exit> {
    let BackupArguments { file, settings } = arguments;
    let config = ServerConfig::load(settings, Surroundings::here())?;
    let summary = super::runtime()?
        .block_on(engine::backup(&config.engine, VERSION, &file))
        .with_context(|| format!("failed to back up {} into `{}`", config.storage_text(), file.display()))?;
    terminal::print(&format!("`{}`: {}\n", file.display(), describe(&summary)))?;
    Ok(Exit::Clean)
}

/// Puts a backup back; nobody may use the data folder.
pub(super) fn restore(arguments: RestoreArguments) -> anyhow::Result<Exit> {
    let RestoreArguments { file, replace, settings } = arguments;
    let config = ServerConfig::load(settings, Surroundings::here())?;
    let _lock = data_folder::lock(&config.engine.data_dir)?;
    let summary = super::runtime()?
        .block_on(engine::restore(&config.engine, &file, replace))
        .with_context(|| format!("failed to restore `{}` into {}", file.display(), config.storage_text()))?;
    terminal::print(&format!("restored into {}: {}\n", config.storage_text(), describe(&summary)))?;
    Ok(Exit::Clean)
}

fn describe(summary: &BackupSummary) -> String {
    let BackupSummary { created_at, program, tables, rows, files } = summary;
    format!("{rows} rows of {tables} tables and {files} files, as of {created_at}, by Lazaret {program}")
}
