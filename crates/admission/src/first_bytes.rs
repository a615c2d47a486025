//! A connection whose other end has to begin.
//!
//! Before the first bytes it is not known which version of HTTP is spoken, so none of the limits of either holds yet: a
//! connection on which nothing arrives would stay open for ever.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// What a client of HTTP/2 says first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Ends with an error when the version of HTTP is not known after some time; from then on it is the connection inside.
#[derive(Debug)]
pub struct FirstBytes<S> {
    inner: S,
    /// `None` once the version is known.
    deadline: Option<Pin<Box<Sleep>>>,
    /// Bytes of the preface that have arrived.
    matched: usize,
}

impl<S> FirstBytes<S> {
    /// Gives the other end so much time to begin.
    pub fn new(inner: S, time: Duration) -> Self {
        Self { inner, deadline: Some(Box::pin(tokio::time::sleep(time))), matched: 0 }
    }

    fn arrived(&mut self, bytes: &[u8]) {
        let expected = &PREFACE[self.matched..];
        if !bytes.is_empty() && bytes.len() < expected.len() && expected.starts_with(bytes) {
            self.matched += bytes.len();
        } else {
            self.deadline = None;
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FirstBytes<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut self.inner).poll_read(context, buffer) {
            if self.deadline.is_some() {
                self.arrived(&buffer.filled()[before..]);
            }
            return Poll::Ready(read);
        }
        let Some(deadline) = &mut self.deadline else { return Poll::Pending };
        ready!(deadline.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "nothing was asked")))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FirstBytes<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const TIME: Duration = Duration::from_secs(5);

    /// After these pieces, is a silent connection ended in time?
    async fn check(pieces: &[&[u8]], is_ended: bool) {
        let (mut client, server) = tokio::io::duplex(256);
        let mut server = FirstBytes::new(server, TIME);
        let mut buffer = [0; 64];
        for piece in pieces {
            client.write_all(piece).await.unwrap();
            assert_eq!(server.read(&mut buffer).await.unwrap(), piece.len());
        }
        let ended = tokio::time::timeout(TIME * 2, server.read(&mut buffer)).await;
        assert_eq!(ended.is_ok_and(|read| read.is_err()), is_ended, "{pieces:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_beginning_is_waited_for_with_a_deadline() {
        check(&[], true).await;
        check(&[b"P"], true).await;
        check(&[b"PRI * HT", b"TP/2.0\r\n"], true).await;
        check(&[&PREFACE[..23]], true).await;
        check(&[PREFACE], false).await;
        check(&[&PREFACE[..10], &PREFACE[10..]], false).await;
        check(&[b"P", b"OST /"], false).await;
        check(&[b"GET"], false).await;
    }
}
