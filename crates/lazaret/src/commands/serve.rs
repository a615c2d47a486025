//! `lazaret serve`: the control plane and the engine in one process.

use std::sync::Arc;

use anyhow::Context as _;
use control_plane::ControlPlane;
use engine::DatabaseState;
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
    let mut settings = config.control_plane.clone();
    settings.engine_url = format!("{}/v1", engine_api.url());
    let (plane, first_user) =
        ControlPlane::open(settings, engine.database().clone(), engine.sealer()).await?;
    terminal::print(&greeting(&Started {
        config,
        control_plane: &control_plane,
        engine_api: &engine_api,
        monitoring: monitoring.as_ref(),
        first_engine_user: &running.first_start,
        first_user: &first_user,
        database: &engine.database_state(),
    }))?;

    let watching = tokio::spawn(Arc::clone(&plane).watch_clusters(stop.clone()));
    let routes = control_plane::http::router(plane, running::readiness(engine.clone()));
    let served = tokio::try_join!(
        control_plane.serve(routes, &stop),
        engine_api.serve(engine::http::router(engine.clone()), &stop),
        running::serve_monitoring(monitoring, engine, &stop),
    );
    stop.cancel();
    watching.await.context("watching clusters ended badly")?;
    let ended = running.end().await;
    signals.abort();
    served?;
    ended?;
    Ok(Exit::Clean)
}

/// What the greeting tells about.
struct Started<'a> {
    config: &'a ServerConfig,
    control_plane: &'a Listener,
    engine_api: &'a Listener,
    monitoring: Option<&'a Listener>,
    first_engine_user: &'a engine::FirstStart,
    first_user: &'a control_plane::FirstStart,
    database: &'a DatabaseState,
}

fn greeting(started: &Started<'_>) -> String {
    let Started { config, first_engine_user, first_user, database, .. } = started;
    let engine_user = match (&first_engine_user.generated_password, first_engine_user.is_new) {
        (Some(password), _) => format!(
            "{}, with the one-time shown password `{password}`; it is not stored in clear: write it down",
            first_engine_user.user
        ),
        (None, true) => format!("{}, with the password of LAZARET_ADMIN_PASSWORD", first_engine_user.user),
        (None, false) => format!("{}, with the password set at the first start", first_engine_user.user),
    };
    let user = match &first_user.token_file {
        Some(path) => format!("{}, with the token in {}", first_user.user, path.display()),
        None => format!("{}, with the token made at the first start", first_user.user),
    };
    let mut text = format!(
        "Lazaret {}\n\ncontrol plane       {}{}\nengine API          {}/v1\ndata                {}\nstorage             {}\n\
         first user          {user}\nfirst engine user   {engine_user}\nvulnerability data  {}\n",
        config::VERSION,
        started.control_plane.url(),
        config.control_plane.base_path,
        started.engine_api.url(),
        config.engine.data_dir.display(),
        config.storage_text(),
        database.describe(),
    );
    if let Some(listener) = started.monitoring {
        text.push_str(&format!("monitoring          {}/metrics\n", listener.url()));
    }
    text.push_str("\nNext:\n");
    if !matches!(database, DatabaseState::Loaded { .. }) {
        text.push_str(&first_data(config));
    }
    text.push_str(&format!(
        "  curl -u {user} {url}/v1/policies\n  LAZARET_ENGINE_PASSWORD=… lazaret admission --engine-url {url} --name HOST --state-dir DIR\n",
        user = first_engine_user.user,
        url = started.engine_api.url(),
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
