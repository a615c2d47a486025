//! `lazaret serve`: the control plane and the engine in one process.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use admission::FirstBytes;
use anyhow::Context as _;
use axum::Router;
use axum_server::Handle;
use axum_server::accept::Accept;
use axum_server::tls_rustls::RustlsConfig;
use control_plane::{ProgramFacts, Readiness};
use engine::{DatabaseState, Engine, FirstStart};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio_util::sync::CancellationToken;

use super::{data_folder, shutdown};
use crate::arguments::ServeArguments;
use crate::config;
use crate::config::server::{ServerConfig, TlsFiles};
use crate::exit::Exit;
use crate::{logging, terminal};

/// How long the head of a request may take, and a connection may be idle.
const HEADER_TIME: Duration = Duration::from_secs(15);
/// How long open requests may go on after the first signal.
const SHUTDOWN_TIME: Duration = Duration::from_secs(10);
/// How long the engine may take to say that it is ready.
const READY_TIME: Duration = Duration::from_secs(5);

/// Runs until SIGTERM or Ctrl-C.
pub(super) fn run(arguments: ServeArguments) -> anyhow::Result<Exit> {
    let config = ServerConfig::load(arguments.settings)?;
    logging::start(&config.logging)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    super::runtime()?.block_on(serve(config))
}

async fn serve(config: ServerConfig) -> anyhow::Result<Exit> {
    let _lock = data_folder::lock(&config.engine.data_dir)?;
    let control_plane = Listener::bind(config.listen, config.tls.as_ref()).await?;
    let engine_api = Listener::bind(config.engine_listen, config.tls.as_ref()).await?;
    let (engine, first_start) = Engine::open(config.engine.clone()).await?;
    let engine = Arc::new(engine);

    let stop = CancellationToken::new();
    let signals = shutdown::on_signal(stop.clone());
    let workers = tokio::spawn(Arc::clone(&engine).run_workers(stop.clone().cancelled_owned()));
    let duties = tokio::spawn(Arc::clone(&engine).run_duties(stop.clone().cancelled_owned()));
    let facts =
        ProgramFacts { version: config::VERSION.to_owned(), engine_url: format!("{}/v1", engine_api.url()) };
    terminal::print(&greeting(&config, &control_plane, &engine_api, &first_start, &engine.database_state()))?;

    let routes = control_plane::router(facts, readiness(Arc::clone(&engine)));
    let served = tokio::try_join!(
        control_plane.serve(routes, &stop),
        engine_api.serve(engine::http::router(Arc::clone(&engine)), &stop)
    );
    stop.cancel();
    signals.abort();
    workers.await.context("the workers ended badly")?;
    duties.await.context("the duties ended badly")?;
    engine.shutdown().await;
    served?;
    Ok(Exit::Clean)
}

/// Ready is who can read his own tables; missing vulnerability data is a state that answers show, not a reason to hide.
fn readiness(engine: Arc<Engine>) -> Readiness {
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

/// An address that is taken, not yet answering.
struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    tls: Option<RustlsConfig>,
}

impl Listener {
    async fn bind(address: SocketAddr, tls: Option<&TlsFiles>) -> anyhow::Result<Self> {
        let tls = match tls {
            None => None,
            Some(files) => Some(
                RustlsConfig::from_pem_file(&files.certificate, &files.key).await.with_context(|| {
                    format!(
                        "failed to use the certificate `{}` with the key `{}`",
                        files.certificate.display(),
                        files.key.display()
                    )
                })?,
            ),
        };
        let socket = TcpListener::bind(address)
            .with_context(|| format!("failed to listen on {address}: is another server there?"))?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address, tls })
    }

    fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Answers until `stop`; then no new requests, and those that are open may finish.
    async fn serve(self, routes: Router, stop: &CancellationToken) -> anyhow::Result<()> {
        let handle = Handle::new();
        let graceful = handle.clone();
        let stopped = stop.clone();
        let watcher = tokio::spawn(async move {
            stopped.cancelled().await;
            graceful.graceful_shutdown(Some(SHUTDOWN_TIME));
        });
        let service = routes.into_make_service();
        let result = match self.tls {
            Some(tls) => {
                let mut server = axum_server::from_tcp_rustls(self.socket, tls)?.handle(handle).map(Bounded);
                bound_connections(server.http_builder());
                server.serve(service).await
            }
            None => {
                let mut server = axum_server::from_tcp(self.socket)?.handle(handle).map(Bounded);
                bound_connections(server.http_builder());
                server.serve(service).await
            }
        };
        watcher.abort();
        result.with_context(|| format!("the listener on {} failed", self.address))
    }
}

/// Accepts as the acceptor inside does; who is accepted has to begin in time.
#[derive(Debug, Clone)]
struct Bounded<A>(A);

impl<I, S, A> Accept<I, S> for Bounded<A>
where
    A: Accept<I, S>,
    A::Future: Send + 'static,
{
    type Stream = FirstBytes<A::Stream>;
    type Service = A::Service;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Self::Stream, Self::Service)>> + Send>>;

    fn accept(&self, stream: I, service: S) -> Self::Future {
        let accepting = self.0.accept(stream, service);
        Box::pin(async move {
            let (stream, service) = accepting.await?;
            Ok((FirstBytes::new(stream, HEADER_TIME), service))
        })
    }
}

/// A connection that says nothing is closed: everybody may open them, and the files that a process may hold are few.
fn bound_connections(builder: &mut Builder<TokioExecutor>) {
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIME);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(HEADER_TIME))
        .keep_alive_timeout(HEADER_TIME)
        .max_concurrent_streams(100);
}

fn greeting(
    config: &ServerConfig,
    control_plane: &Listener,
    engine_api: &Listener,
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
        "Lazaret {}\n\ncontrol plane       {}\nengine API          {}/v1\ndata                {}\nfirst user          {user}\nvulnerability data  {}\n",
        config::VERSION,
        control_plane.url(),
        engine_api.url(),
        config.engine.data_dir.display(),
        database.describe(),
    );
    text.push_str("\nNext:\n");
    if !matches!(database, DatabaseState::Loaded { .. }) {
        text.push_str(&format!(
            "  lazaret db build --feed KIND=PATH -o {}   (`lazaret db build --help` lists kinds)\n",
            config.engine.database_path.display()
        ));
    }
    text.push_str(&format!(
        "  curl -u {user} {url}/v1/policies\n  LAZARET_ENGINE_PASSWORD=… lazaret admission --engine-url {url} --name HOST --state-dir DIR\n",
        user = first_start.user,
        url = engine_api.url(),
    ));
    text
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;

    /// The clock stands still and jumps to the next deadline when everybody waits.
    #[tokio::test(start_paused = true)]
    async fn a_connection_that_does_not_ask_is_closed() {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), None).await.unwrap();
        let address = listener.address;
        let stop = CancellationToken::new();
        let serving = tokio::spawn(async move { listener.serve(Router::new(), &stop).await });
        for said in ["", "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(said.as_bytes()).await.unwrap();
            let mut buffer = [0; 512];
            let closed = async { while stream.read(&mut buffer).await.is_ok_and(|count| count > 0) {} };
            assert!(tokio::time::timeout(HEADER_TIME * 3, closed).await.is_ok(), "open after `{said}`");
        }
        serving.abort();
    }
}
