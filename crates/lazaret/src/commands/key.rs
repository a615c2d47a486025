//! `lazaret key`: the keys that seal passwords and secrets, renewed without losing any.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use storage::{Database, Location, Sealer};

use crate::arguments::{KeyArguments, KeyCommand};
use crate::config::server::{ServerConfig, Surroundings};
use crate::exit::Exit;
use crate::terminal;

/// Lists, renews or forgets keys.
pub(super) fn run(command: KeyCommand) -> anyhow::Result<Exit> {
    let text = match command {
        KeyCommand::List(arguments) => {
            let config = load(arguments)?;
            list(&config.engine.key_file(), &count(&config)?)?
        }
        KeyCommand::Rotate(arguments) => rotate(&load(arguments)?.engine.key_file())?,
        KeyCommand::ForgetOld(arguments) => {
            let config = load(arguments)?;
            forget_old(&config.engine.key_file(), &count(&config)?)?
        }
    };
    terminal::print(&text)?;
    Ok(Exit::Clean)
}

fn load(arguments: KeyArguments) -> anyhow::Result<ServerConfig> {
    let config = ServerConfig::load(arguments.settings, Surroundings::here())?;
    let path = config.engine.key_file();
    anyhow::ensure!(
        path.try_exists().with_context(|| format!("failed to look for `{}`", path.display()))?,
        "there is no key file `{}`: the first `lazaret serve` makes it",
        path.display()
    );
    Ok(config)
}

/// How many values are sealed with which key.
fn count(config: &ServerConfig) -> anyhow::Result<BTreeMap<String, usize>> {
    let location = config.engine.location();
    if let Location::File(path) = &location {
        anyhow::ensure!(path.exists(), "there is no database `{}`: nothing is sealed yet", path.display());
    }
    let counted = async {
        let database = Database::open(&location).await?;
        let mut counts = engine::count_sealed_passwords(&database).await?;
        for (key, count) in control_plane::count_sealed_secrets(&database).await? {
            *counts.entry(key).or_default() += count;
        }
        database.close().await;
        anyhow::Ok(counts)
    };
    super::runtime()?
        .block_on(counted)
        .with_context(|| format!("failed to look what is sealed in {}", config.storage_text()))
}

fn list(path: &Path, counts: &BTreeMap<String, usize>) -> anyhow::Result<String> {
    let names = Sealer::key_names(path)?;
    let mut text = format!("{}\n", path.display());
    for (position, name) in names.iter().enumerate() {
        let role = if position == 0 { "seals" } else { "opens" };
        text.push_str(&format!("  {name}  {role}  {} values\n", counts.get(name).unwrap_or(&0)));
    }
    for (name, count) in counts.iter().filter(|(name, _)| !names.contains(name)) {
        text.push_str(&format!("  {name}  missing: {count} values cannot be opened\n"));
    }
    Ok(text)
}

fn rotate(path: &Path) -> anyhow::Result<String> {
    Sealer::rotate(path)?;
    let names = Sealer::key_names(path)?;
    let new = names.first().map(String::as_str).unwrap_or_default();
    Ok(format!(
        "key {new} seals from now on\n\
         next: copy `{}` to the other processes, restart `lazaret serve`, then `lazaret key forget-old`\n",
        path.display()
    ))
}

fn forget_old(path: &Path, counts: &BTreeMap<String, usize>) -> anyhow::Result<String> {
    let names = Sealer::key_names(path)?;
    let old = names.get(1..).unwrap_or_default();
    if let Some((name, count)) = old.iter().find_map(|name| Some((name, counts.get(name)?))) {
        anyhow::bail!(
            "{count} values are still sealed with key {name}: restart `lazaret serve`, which seals them again, \
             and repeat this"
        );
    }
    Sealer::forget_old(path)?;
    Ok(format!("forgot {} old keys; keep a copy of `{}`\n", old.len(), path.display()))
}
