//! `lazaret work`: analysis workers beside a `serve` that shares its PostgreSQL.

use anyhow::bail;
use storage::Location;
use tokio_util::sync::CancellationToken;

use super::running::{self, RunningEngine};
use super::shutdown;
use crate::arguments::WorkArguments;
use crate::config;
use crate::config::server::{ServerConfig, Surroundings};
use crate::exit::Exit;
use crate::terminal;

/// Runs until SIGTERM or Ctrl-C.
pub(super) fn run(arguments: WorkArguments) -> anyhow::Result<Exit> {
    let config = ServerConfig::load(arguments.settings, Surroundings::here())?;
    if !matches!(config.engine.storage, Some(Location::Postgres(_))) {
        bail!(
            "`lazaret work` works for a `lazaret serve` elsewhere, and a SQLite file is for one process: \
             give both the same PostgreSQL as storage.url (LAZARET_STORAGE_URL), or more --workers to `serve`"
        );
    }
    if config.engine.workers == 0 {
        bail!("`lazaret work` with 0 workers does nothing: give --workers");
    }
    running::run(&config, work(&config))
}

async fn work(config: &ServerConfig) -> anyhow::Result<Exit> {
    let monitoring = running::monitoring(config).await?;
    let stop = CancellationToken::new();
    let signals = shutdown::on_signal(stop.clone());
    let running = RunningEngine::start(config.engine.clone(), false, &stop).await?;
    let mut text = format!(
        "Lazaret {} worker\n\nworkers             {}\nstorage             {}\nvulnerability data  {}\n",
        config::VERSION,
        config.engine.workers,
        config.storage_text(),
        running.engine.database_state().describe(),
    );
    if let Some(listener) = &monitoring {
        text.push_str(&format!("monitoring          {}/metrics\n", listener.url()));
    }
    if let Some(password) = &running.first_start.generated_password {
        // The tables were empty: whoever comes first makes the first user.
        text.push_str(&format!(
            "first user          {}, with the one-time shown password `{password}`; write it down\n",
            running.first_start.user
        ));
    }
    terminal::print(&text)?;
    let served = running::serve_monitoring(monitoring, &running.engine, &stop).await;
    stop.cancel();
    let ended = running.end().await;
    signals.abort();
    served.and(ended)?;
    Ok(Exit::Clean)
}
