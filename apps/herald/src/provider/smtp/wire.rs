//! The bytes between `lettre` and the relay, plain or encrypted, with replies made readable.
//!
//! `lettre` would start TLS beneath its own read buffer. What somebody on the line sent together with the reply to
//! STARTTLS would stay in that buffer and be read as replies that came encrypted: a forged acceptance. It is the
//! "response injection" of CVE-2020-14954, the client's side of CVE-2011-0411. RFC 3207 §4.2 has the client forget all
//! that it heard before the handshake; §6 says why. So a [`Wire`] is plain or encrypted for its whole life, each with a
//! `lettre` connection of its own, and STARTTLS drops the plain one with its buffer and everything it learned.
//!
//! A reply may hold bytes that are no UTF-8, such as a text in Latin-1. `lettre` fails on them and hides the code in
//! front, which is all that counts. So each such byte becomes `?`.
#![expect(deprecated, reason = "lettre has no other way to start TLS with its own parameters")]

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    str,
    task::{Context, Poll, ready},
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
    /// The beginning of a character whose end has not come yet.
    begun: Vec<u8>,
}

impl Wire {
    pub(super) fn plain(stream: TcpStream) -> Self {
        Self::of(AsyncNetworkStream::use_existing_tokio1(Box::new(stream)), &[])
    }

    /// Shakes hands over a connection whose relay is ready for it.
    pub(super) async fn encrypted(stream: TcpStream, tls: TlsParameters) -> Result<Self, smtp::Error> {
        let mut stream = AsyncNetworkStream::use_existing_tokio1(Box::new(stream));
        stream.upgrade_tls(tls).await?;
        Ok(Self::of(stream, GREETING_AFTER_TLS))
    }

    fn of(stream: AsyncNetworkStream, greeting: &'static [u8]) -> Self {
        Self { stream, greeting, begun: Vec::new() }
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
        let wire = &mut *self;
        loop {
            // `lettre` reads by kilobytes, so there is room for more than the few bytes that were kept.
            let bytes = buffer.initialize_unfilled();
            let kept = wire.begun.len();
            bytes[..kept].copy_from_slice(&wire.begun);
            let read = ready!(Pin::new(&mut wire.stream).poll_read(cx, &mut bytes[kept..]))?;
            let bytes = &mut bytes[..kept + read];
            let readable = make_readable(bytes, read == 0);
            wire.begun = bytes[readable..].to_vec();
            buffer.advance(readable);
            if readable > 0 || read == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

/// Puts `?` for each byte that is no UTF-8. Gives how many bytes are UTF-8 then: all but the beginning of a character
/// at the end, and all where nothing follows.
fn make_readable(bytes: &mut [u8], is_last: bool) -> usize {
    let mut readable = 0;
    while let Err(error) = str::from_utf8(&bytes[readable..]) {
        readable += error.valid_up_to();
        let length = match error.error_len() {
            Some(length) => length,
            None if is_last => bytes.len() - readable,
            None => return readable,
        };
        bytes[readable..readable + length].fill(b'?');
        readable += length;
    }
    bytes.len()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn readable(text: &[u8], is_last: bool) -> (String, Vec<u8>) {
        let mut bytes = text.to_vec();
        let length = make_readable(&mut bytes, is_last);
        (str::from_utf8(&bytes[..length]).expect("UTF-8").to_owned(), bytes[length..].to_vec())
    }

    #[test]
    fn what_is_no_utf_8_becomes_question_marks_and_the_rest_stays() {
        assert_eq!(readable("250 für ✓\r\n".as_bytes(), false), ("250 für ✓\r\n".to_owned(), vec![]));
        assert_eq!(readable(b"550 f\xfcr \xe4\r\n", false), ("550 f?r ?\r\n".to_owned(), vec![]));
    }

    #[test]
    fn half_a_character_waits_for_its_other_half_until_nothing_follows() {
        assert_eq!(readable(b"250 \xe2\x9c", false), ("250 ".to_owned(), b"\xe2\x9c".to_vec()));
        assert_eq!(readable(b"250 \xe2\x9c", true), ("250 ??".to_owned(), vec![]));
    }
}
