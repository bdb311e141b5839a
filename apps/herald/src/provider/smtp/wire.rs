//! The bytes between `lettre` and the relay, plain or encrypted.
//!
//! `lettre` would start TLS beneath its own read buffer. What somebody on the line sent together with the reply to
//! STARTTLS would stay in that buffer and be read as replies that came encrypted: a forged acceptance. It is the
//! "response injection" of CVE-2020-14954, the client's side of CVE-2011-0411. RFC 3207 §4.2 has the client forget all
//! that it heard before the handshake; §6 says why. So a [`Wire`] is plain or encrypted for its whole life, each with a
//! `lettre` connection of its own, and STARTTLS drops the plain one with its buffer and everything it learned.
#![expect(deprecated, reason = "lettre has no other way to start TLS with its own parameters")]

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::io::{AsyncRead as _, AsyncWrite as _};
use lettre::transport::smtp::{
    self,
    client::{AsyncNetworkStream, AsyncTokioStream, TlsParameters},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// `lettre` begins each connection by reading a greeting, which a relay does not repeat after STARTTLS.
const GREETING_AFTER_TLS: &[u8] = b"220 encrypted\r\n";

/// A connection to the relay.
#[derive(Debug)]
pub(super) struct Wire {
    stream: AsyncNetworkStream,
    /// What is read before anything that the relay says.
    greeting: &'static [u8],
}

impl Wire {
    pub(super) fn plain(stream: TcpStream) -> Self {
        Self { stream: AsyncNetworkStream::use_existing_tokio1(Box::new(stream)), greeting: &[] }
    }

    /// Shakes hands over a connection whose relay is ready for it.
    pub(super) async fn encrypted(stream: TcpStream, tls: TlsParameters) -> Result<Self, smtp::Error> {
        let mut stream = AsyncNetworkStream::use_existing_tokio1(Box::new(stream));
        stream.upgrade_tls(tls).await?;
        Ok(Self { stream, greeting: GREETING_AFTER_TLS })
    }
}

impl AsyncTokioStream for Wire {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.greeting.is_empty() {
            let (now, later) = self.greeting.split_at(self.greeting.len().min(buffer.remaining()));
            buffer.put_slice(now);
            self.greeting = later;
            return Poll::Ready(Ok(()));
        }
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer.initialize_unfilled());
        read.map_ok(|bytes| buffer.advance(bytes))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}
