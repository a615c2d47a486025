//! `lazaret serve`: the control plane and the engine in one process.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use control_plane::{ControlPlane, WebhookHere};
use engine::DatabaseState;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::listener::Listener;
use super::running::{self, RunningEngine};
use super::{cluster_webhooks, data_folder, shutdown};
use crate::arguments::ServeArguments;
use crate::config;
use crate::config::server::{ServerConfig, Surroundings};
use crate::exit::Exit;
use crate::terminal;

/// How long webhooks and the work on clusters may take to end.
const TASKS_TIME: Duration = Duration::from_secs(25);

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
    let webhooks = cluster_webhooks::bind(config).await?;

    let stop = CancellationToken::new();
    let signals = shutdown::on_signal(stop.clone());
    let running = RunningEngine::start(config.engine.clone(), true, &stop).await?;
    let engine = &running.engine;
    let mut settings = config.control_plane.clone();
    settings.engine_url = format!("{}/v1", engine_api.url());
    if let Some(login) = settings.login.as_mut().filter(|login| login.public_url.is_empty()) {
        login.public_url = control_plane.url();
    }
    settings.services.engine =
        Some(cluster_webhooks::engine_access(engine, engine_address(config, &engine_api)).await?);
    settings.services.webhook.clone_from(&webhooks);
    let (plane, first_user) =
        ControlPlane::open(settings, engine.database().clone(), engine.sealer()).await?;
    terminal::print(&greeting(&Started {
        config,
        control_plane: &control_plane,
        engine_api: &engine_api,
        monitoring: monitoring.as_ref(),
        webhooks: webhooks.as_ref(),
        first_engine_user: &running.first_start,
        first_user: &first_user,
        database: &engine.database_state(),
    }))?;

    let mut tasks = vec![
        tokio::spawn(Arc::clone(&plane).watch_clusters(stop.clone())),
        tokio::spawn(Arc::clone(&plane).run_services(stop.clone().cancelled_owned())),
        tokio::spawn(Arc::clone(&plane).watch_running_pods(stop.clone())),
    ];
    tasks.extend(webhooks.map(|webhooks| tokio::spawn(webhooks.shared.run(stop.clone()))));
    let routes = control_plane::http::router(plane, running::readiness(engine.clone()));
    let served = tokio::try_join!(
        control_plane.serve(routes, &stop),
        engine_api.serve(engine::http::router(engine.clone()), &stop),
        running::serve_monitoring(monitoring, engine, &stop),
    );
    stop.cancel();
    let finished = end_tasks(tasks).await;
    let ended = running.end().await;
    signals.abort();
    served?;
    finished?;
    ended?;
    Ok(Exit::Clean)
}

/// Waits, a bounded time, until clusters are no longer asked, reviews are answered, and work is given back.
async fn end_tasks(tasks: Vec<JoinHandle<()>>) -> anyhow::Result<()> {
    let ending = async {
        for task in tasks {
            task.await.context("a task of the control plane ended badly")?;
        }
        Ok(())
    };
    tokio::time::timeout(TASKS_TIME, ending).await.unwrap_or_else(|_| {
        tracing::warn!("the control plane did not end within {} s", TASKS_TIME.as_secs());
        Ok(())
    })
}

/// Where clusters reach the engine: with port 0 nobody knew before which port was free.
fn engine_address(config: &ServerConfig, engine_api: &Listener) -> String {
    let address = &config.engine.base_url;
    if address.ends_with(":0") { engine_api.url() } else { address.clone() }
}

/// What the greeting tells about.
struct Started<'a> {
    config: &'a ServerConfig,
    control_plane: &'a Listener,
    engine_api: &'a Listener,
    monitoring: Option<&'a Listener>,
    webhooks: Option<&'a WebhookHere>,
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
    if let Some(webhooks) = started.webhooks {
        text.push_str(&format!("webhooks            {}/imagecheck/…\n", webhooks.url));
    }
    text.push_str("\nNext:\n");
    if !matches!(database, DatabaseState::Loaded { .. }) {
        text.push_str(&first_data(config));
    }
    if let Some(path) = &first_user.token_file {
        text.push_str(&format!(
            "  lazaret login -e {}{} -t \"$(cat {})\"\n",
            started.control_plane.url(),
            config.control_plane.base_path,
            path.display(),
        ));
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
