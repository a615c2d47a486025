//! A listener: its address, its certificate, and what nobody may do to it.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::time::Duration;

use admission::FirstBytes;
use anyhow::Context as _;
use axum::Router;
use axum_server::Handle;
use axum_server::accept::Accept;
use axum_server::tls_rustls::RustlsConfig;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio_util::sync::CancellationToken;

use crate::config::server::TlsFiles;

/// How long the head of a request may take, and a connection may be idle.
const HEADER_TIME: Duration = Duration::from_secs(15);
/// How long open requests may go on after the first signal.
const SHUTDOWN_TIME: Duration = Duration::from_secs(10);

/// An address that is taken, not yet answering.
pub(super) struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    tls: Option<RustlsConfig>,
}

impl Listener {
    /// Takes the address; with a certificate it speaks TLS.
    pub(super) async fn bind(address: SocketAddr, tls: Option<&TlsFiles>) -> anyhow::Result<Self> {
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

    /// Where it is reached: with port 0 the port that was free.
    pub(super) fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Answers until `stop`; then no new requests, and those that are open may finish.
    pub(super) async fn serve(self, routes: Router, stop: &CancellationToken) -> anyhow::Result<()> {
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
