//! `lazaret serve`: the control plane and the engine in one process.

use control_plane::ProgramFacts;
use engine::{DatabaseState, FirstStart};
use tokio_util::sync::CancellationToken;

use super::listener::Listener;
use super::running::{self, RunningEngine};
use super::{data_folder, shutdown};
use crate::arguments::ServeArguments;
use crate::config;
use crate::config::server::{ServerConfig, Surroundings};
use crate::exit::Exit;
use crate::terminal;

/// Runs until SIGTERM or Ctrl-C.
pub(super) fn run(arguments: ServeArguments) -> anyhow::Result<Exit> {
    let config = ServerConfig::load(arguments.settings, Surroundings::here())?;
    running::run(&config, serve(&config))
}

async fn serve(config: &ServerConfig) -> anyhow::Result<Exit> {
    let _lock = data_folder::lock(&config.engine.data_dir)?;
    let control_plane = Listener::bind(config.listen, config.tls.as_ref()).await?;
    let engine_api = Listener::bind(config.engine_listen, config.tls.as_ref()).await?;
    let monitoring = running::monitoring(config).await?;

    let stop = CancellationToken::new();
    let signals = shutdown::on_signal(stop.clone());
    let running = RunningEngine::start(config.engine.clone(), true, &stop).await?;
    let engine = &running.engine;
    let facts =
        ProgramFacts { version: config::VERSION.to_owned(), engine_url: format!("{}/v1", engine_api.url()) };
    terminal::print(&greeting(
        config,
        &control_plane,
        &engine_api,
        monitoring.as_ref(),
        &running.first_start,
        &engine.database_state(),
    ))?;

    let routes = control_plane::router(facts, running::readiness(engine.clone()));
    let served = tokio::try_join!(
        control_plane.serve(routes, &stop),
        engine_api.serve(engine::http::router(engine.clone()), &stop),
        running::serve_monitoring(monitoring, engine, &stop),
    );
    stop.cancel();
    let ended = running.end().await;
    signals.abort();
    served?;
    ended?;
    Ok(Exit::Clean)
}

fn greeting(
    config: &ServerConfig,
    control_plane: &Listener,
    engine_api: &Listener,
    monitoring: Option<&Listener>,
    first_start: &FirstStart,
    database: &DatabaseState,
) -> String {
    let user = match (&first_start.generated_password, first_start.is_new) {
        (Some(password), _) => format!(
            "{}, with the one-time shown password `{password}`; it is not stored in clear: write it down",
            first_start.user
        ),
        (None, true) => format!("{}, with the password of LAZARET_ADMIN_PASSWORD", first_start.user),
        (None, false) => format!("{}, with the password set at the first start", first_start.user),
    };
    let mut text = format!(
        "Lazaret {}\n\ncontrol plane       {}\nengine API          {}/v1\ndata                {}\nstorage             {}\nfirst user          {user}\nvulnerability data  {}\n",
        config::VERSION,
        control_plane.url(),
        engine_api.url(),
        config.engine.data_dir.display(),
        config.storage_text(),
        database.describe(),
    );
    if let Some(listener) = monitoring {
        text.push_str(&format!("monitoring          {}/metrics\n", listener.url()));
    }
    text.push_str("\nNext:\n");
    if !matches!(database, DatabaseState::Loaded { .. }) {
        text.push_str(&first_data(config));
    }
    text.push_str(&format!(
        "  curl -u {user} {url}/v1/policies\n  LAZARET_ENGINE_PASSWORD=… lazaret admission --engine-url {url} --name HOST --state-dir DIR\n",
        user = first_start.user,
        url = engine_api.url(),
    ));
    text
}
/// What happens about missing data, or what to do.
fn first_data(config: &ServerConfig) -> String {
    let feeds = &config.engine.feeds;
    let sources = feeds.sources.iter().filter(|source| source.is_enabled).count();
    if feeds.is_fetching && sources > 0 {
        return format!(
            "  wait for the first vulnerability data, which {sources} sources are asked for now: until it is there, every \
             evaluation says that there is none   (`GET /v1/system/feeds` shows how far it is)\n"
        );
    }
    format!(
        "  lazaret db import --feed KIND=PATH --db {}   (no source is asked; `lazaret db import --help` lists kinds)\n",
        config.engine.database_path.display()
    )
}
