//! A bare HTTP server, which answers the same bytes to whatever is asked: what any server costs on this machine.

use std::net::SocketAddr;

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::http::header;
use tokio::runtime::Runtime;

/// Runs until it is dropped.
pub(super) struct BareServer {
    pub(super) address: SocketAddr,
    _runtime: Runtime,
}

impl BareServer {
    pub(super) fn start(body: &[u8]) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        let body = Bytes::copy_from_slice(body);
        let answer = move || {
            let body = body.clone();
            async move { ([(header::CONTENT_TYPE, "application/json")], body) }
        };
        runtime.spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        Ok(Self { address, _runtime: runtime })
    }
}
