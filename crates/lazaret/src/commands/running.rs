//! What `serve` and `work` share: an open engine with its workers, and ending both in bounded time.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use control_plane::{MetricsText, Readiness};
use engine::{Engine, FirstStart};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::listener::Listener;
use crate::config::server::ServerConfig;
use crate::{logging, process_metrics, terminal};

/// How long the engine may take to say that it is ready.
const READY_TIME: Duration = Duration::from_secs(5);
/// How long work may take to be given back after the first signal.
const GIVE_BACK_TIME: Duration = Duration::from_secs(15);
/// How long threads that read an image may go on after that.
const THREADS_TIME: Duration = Duration::from_secs(2);

/// Starts logging and runs a role to its end.
pub(super) fn run<T>(
    config: &ServerConfig,
    role: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    let runtime = super::runtime()?;
    let logging = {
        let _inside = runtime.enter();
        logging::start(&config.logging, config.tracing.as_ref())?
    };
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let result = runtime.block_on(role);
    logging.end();
    // Dropped, it would wait for every thread, however long an image takes to unpack.
    runtime.shutdown_timeout(THREADS_TIME);
    result
}

/// An engine, and what goes on in it beside requests.
pub(super) struct RunningEngine {
    pub(super) engine: Arc<Engine>,
    pub(super) first_start: FirstStart,
    tasks: Vec<(&'static str, JoinHandle<()>)>,
}

impl RunningEngine {
    /// Opens the engine and starts its workers; with `with_duties` also what comes back.
    pub(super) async fn start(
        settings: engine::EngineSettings,
        with_duties: bool,
        stop: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let (engine, first_start) = Engine::open(settings).await?;
        let engine = Arc::new(engine);
        let workers = Arc::clone(&engine).run_workers(stop.clone().cancelled_owned());
        let mut tasks = vec![("workers", tokio::spawn(workers))];
        if with_duties {
            let duties = Arc::clone(&engine).run_duties(stop.clone().cancelled_owned());
            tasks.push(("duties", tokio::spawn(duties)));
        }
        Ok(Self { engine, first_start, tasks })
    }

    /// Waits, a bounded time, until everything is given back and the database is closed.
    pub(super) async fn end(self) -> anyhow::Result<()> {
        let Self { engine, tasks, .. } = self;
        let ending = async {
            for (name, task) in tasks {
                task.await.with_context(|| format!("the {name} ended badly"))?;
            }
            engine.shutdown().await;
            Ok(())
        };
        tokio::time::timeout(GIVE_BACK_TIME, ending).await.unwrap_or_else(|_| {
            tracing::warn!(
                "work was not given back within {} s; others take it over when its leases end",
                GIVE_BACK_TIME.as_secs()
            );
            Ok(())
        })
    }
}

/// Ready is who can read his own tables; missing vulnerability data is a state that answers show, not a reason to hide.
pub(super) fn readiness(engine: Arc<Engine>) -> Readiness {
    Arc::new(move || {
        let engine = Arc::clone(&engine);
        Box::pin(async move {
            match tokio::time::timeout(READY_TIME, engine.status()).await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) => Err(terminal::chain(&anyhow::Error::new(error))),
                Err(_) => {
                    Err(format!("the engine's storage did not answer within {} s", READY_TIME.as_secs()))
                }
            }
        })
    })
}

/// The listener for monitoring, if one is wanted: plain HTTP, because it has no secrets.
pub(super) async fn monitoring(config: &ServerConfig) -> anyhow::Result<Option<Listener>> {
    match config.metrics_listen {
        Some(address) => Ok(Some(Listener::bind(address, None).await?)),
        None => Ok(None),
    }
}

/// Answers there until `stop`, or waits for it where there is no such listener.
pub(super) async fn serve_monitoring(
    listener: Option<Listener>,
    engine: &Arc<Engine>,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    match listener {
        Some(listener) => listener.serve(monitoring_routes(engine), stop).await,
        None => {
            stop.cancelled().await;
            Ok(())
        }
    }
}

fn monitoring_routes(engine: &Arc<Engine>) -> Router {
    let asked = Arc::clone(engine);
    let metrics: MetricsText = Arc::new(move || {
        let engine = Arc::clone(&asked);
        Box::pin(async move { format!("{}{}", engine.metrics_text().await, process_metrics::text()) })
    });
    control_plane::http::monitoring::monitoring_router(metrics, readiness(Arc::clone(engine)))
}
