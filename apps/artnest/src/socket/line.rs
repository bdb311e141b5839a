//! A WebSocket that speaks our frames: bounded in what it reads, in what it keeps to be written, and in time.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self, Message,
        protocol::{
            CloseFrame, Role, WebSocketConfig,
            frame::{
                Frame,
                coding::{CloseCode, Data, OpCode},
            },
        },
    },
};

use crate::{
    model::Code,
    wire::{CLIENT_FRAME_BYTES_MAX, Frames},
};

/// A client that takes not a byte for so long is too slow.
const WRITE_WAIT_MAX: Duration = Duration::from_secs(30);
/// How long a client may take to close after it was told to.
const CLOSE_WAIT_MAX: Duration = Duration::from_secs(2);
/// What is read at once. The library's own is 128 KiB each way, for each connection.
const READ_BYTES: usize = 2 * 1024;
/// Longer messages are sent in pieces of this, because the library keeps the room for the longest one that it sent.
const PIECE_BYTES: usize = 16 * 1024;
/// The first WebSocket close code that is ours.
const CLOSE_CODE_BASE: u16 = 4_000;

/// What came in.
#[derive(Debug)]
pub(super) enum Incoming {
    Frame(Bytes),
    /// A ping or a pong: somebody is there.
    Sign,
    /// A text, which nobody here reads.
    Text,
    /// Nothing comes any more.
    Closed,
}

/// Why a connection cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// The peer is gone.
    Gone,
    /// The peer is to be told why.
    Told(Code),
}

#[derive(Debug)]
pub(super) struct Line {
    socket: WebSocketStream<TcpStream>,
    /// Bytes of the frames that were sent.
    sent: u64,
}

impl Line {
    /// Takes over a socket that was upgraded, with what was read of it already.
    pub(super) async fn new(stream: TcpStream, read: Vec<u8>) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(4 * PIECE_BYTES)
            .max_message_size(Some(CLIENT_FRAME_BYTES_MAX))
            .max_frame_size(Some(CLIENT_FRAME_BYTES_MAX));
        let socket = WebSocketStream::from_partially_read(stream, read, Role::Server, Some(config)).await;
        Self { socket, sent: 0 }
    }

    /// Receives what comes next.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub(super) async fn receive(&mut self) -> Result<Incoming, Broken> {
        match self.socket.next().await {
            Some(Ok(Message::Binary(frame))) => Ok(Incoming::Frame(frame)),
            Some(Ok(Message::Text(_))) => Ok(Incoming::Text),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(Incoming::Sign),
            Some(Ok(Message::Close(_))) | None => Ok(Incoming::Closed),
            // A frame that is too long, or nonsense: the peer hears of it.
            Some(Err(
                tungstenite::Error::Capacity(_)
                | tungstenite::Error::Protocol(_)
                | tungstenite::Error::Utf8(_),
            )) => Err(Broken::Told(Code::Malformed)),
            Some(Err(_)) => Err(Broken::Gone),
        }
    }

    /// Sends one frame, whole, and waits until the system has taken it.
    pub(super) async fn send(&mut self, frame: Bytes) -> Result<(), Broken> {
        self.sent += u64::try_from(frame.len()).unwrap_or(u64::MAX);
        if frame.len() <= PIECE_BYTES {
            return self.put(Message::Binary(frame)).await;
        }
        let mut rest = frame;
        let mut kind = Data::Binary;
        while !rest.is_empty() {
            let piece = rest.split_to(rest.len().min(PIECE_BYTES));
            let piece = Frame::message(piece, OpCode::Data(kind), rest.is_empty());
            self.put(Message::Frame(piece)).await?;
            kind = Data::Continue;
        }
        Ok(())
    }

    /// How many bytes of frames were sent.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    pub(super) async fn ping(&mut self) -> Result<(), Broken> {
        self.put(Message::Ping(Bytes::new())).await
    }

    async fn put(&mut self, message: Message) -> Result<(), Broken> {
        match timeout(WRITE_WAIT_MAX, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Broken::Gone),
            Err(_elapsed) => Err(Broken::Told(Code::TooSlow)),
        }
    }

    /// Says why, closes, and waits a moment for the peer to do the same, so that what was said last arrives.
    pub(super) async fn end(mut self, code: Code, text: &str) {
        let farewell = async {
            let _ = self.socket.send(Message::Binary(Frames::error(code, text))).await;
            let close = CloseFrame {
                code: CloseCode::from(CLOSE_CODE_BASE + code.number()),
                reason: code.name().into(),
            };
            let _ = self.socket.close(Some(close)).await;
            while let Some(Ok(_)) = self.socket.next().await {}
        };
        let _ = timeout(CLOSE_WAIT_MAX, farewell).await;
    }
}
