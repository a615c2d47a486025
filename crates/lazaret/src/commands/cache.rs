//! `lazaret cache`: what is kept of layers and images between scans; and the flags that say where.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use scanner::{CacheSummary, LayerCache};

use crate::config;
use crate::exit::Exit;
use crate::terminal;

/// Where what is taken out of layers, and found in images, is kept from scan to scan.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct CacheArguments {
    /// Folder for what is taken out of layers, so that other images on the same base need only their own layers, and for the
    /// packages of images, so that the same image is not read again
    /// [variable: LAZARET_CACHE_FOLDER, `off` for none; default: ~/.cache/lazaret/layers]
    #[arg(long, value_name = "DIR")]
    pub(crate) cache_folder: Option<PathBuf>,

    /// Read every layer, and keep nothing of it
    #[arg(long, conflicts_with = "cache_folder")]
    pub(crate) no_cache: bool,
}

#[derive(Debug, Subcommand)]
#[command(
    after_help = "The folder holds paths of files, package databases and lists of packages, no other contents. Nothing breaks when it is removed."
)]
pub(crate) enum CacheCommand {
    /// Show where it is and how large
    Show(FolderArguments),
    /// Remove everything in it
    Clean(FolderArguments),
}

#[derive(Debug, Args)]
pub(crate) struct FolderArguments {
    /// Folder of the cache [default: ~/.cache/lazaret/layers]
    #[arg(long, value_name = "DIR")]
    cache_folder: Option<PathBuf>,
}

/// Shows or empties it.
pub(super) fn run(command: &CacheCommand) -> anyhow::Result<Exit> {
    let (CacheCommand::Show(arguments) | CacheCommand::Clean(arguments)) = command;
    let cache_folder = arguments.cache_folder.clone();
    let cache = config::layer_cache(&CacheArguments { cache_folder, no_cache: false })
        .context("there is no home folder with a cache in it: give --cache-folder DIR")?;
    let (word, summary) = match command {
        CacheCommand::Show(_) => ("holds", cache.summary()),
        CacheCommand::Clean(_) => ("held, and holds no more,", cache.clean()),
    };
    let summary = summary.with_context(|| format!("failed to read `{}`", cache.folder().display()))?;
    terminal::print(&text(&cache, word, summary))?;
    Ok(Exit::Clean)
}

fn text(cache: &LayerCache, word: &str, summary: CacheSummary) -> String {
    let CacheSummary { layer_count, image_count, bytes } = summary;
    let megabytes = bytes.div_ceil(100_000) as f64 / 10.0;
    let folder = cache.folder().display();
    format!(
        "{folder} {word} facts of {layer_count} layers and packages of {image_count} images, {megabytes:.1} MB\n"
    )
}
