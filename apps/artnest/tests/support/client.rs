//! A client that speaks the protocol: it joins, sends, and keeps what it is told.

use std::{collections::VecDeque, net::SocketAddr};

use artnest::wire::{ClientFrame, Join, Op, SUBPROTOCOL, ServerFrame, Welcome};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use rand::RngExt;
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use super::{Replica, SOON};

/// A key of nobody else.
pub(crate) fn key() -> [u8; 16] {
    rand::rng().random()
}

/// Where to knock, and with what.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    pub(crate) room: String,
    pub(crate) token: String,
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// With an error of the protocol.
    Told(u16),
    /// Without a word.
    Lost,
}

/// Somebody in a room.
pub(crate) struct Client {
    socket: WebSocketStream<TcpStream>,
    pub(crate) welcome: Welcome,
    pub(crate) replica: Replica,
    /// The number of the next operation.
    pub(crate) next: u32,
    pub(crate) acked: u32,
    pub(crate) refused: Vec<(u32, u16)>,
    pub(crate) held: Option<(u32, u8)>,
    /// The last reason that the room gave; 0: it takes strokes.
    pub(crate) read_only: Option<u8>,
    pub(crate) notices: Vec<u16>,
    pub(crate) end: Option<End>,
    /// Frames as they came, where somebody wants to see them.
    pub(crate) frames: VecDeque<ServerFrame>,
}

impl Door {
    /// Opens the socket, and no more.
    pub(crate) async fn open(&self) -> WebSocketStream<TcpStream> {
        self.try_open().await.expect("the server answers")
    }

    pub(crate) async fn try_open(&self) -> Option<WebSocketStream<TcpStream>> {
        let url = format!("ws://{}/api/rooms/{}/socket", self.address, self.room);
        let mut request = url.into_client_request().expect("a request");
        request.headers_mut().insert("sec-websocket-protocol", SUBPROTOCOL.parse().expect("a header"));
        let stream = TcpStream::connect(self.address).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let (socket, response) = client_async(request, stream).await.ok()?;
        assert_eq!(response.headers()["sec-websocket-protocol"], SUBPROTOCOL);
        Some(socket)
    }

    /// Joins as somebody new.
    pub(crate) async fn join(&self, name: &str) -> Client {
        self.join_as(key(), name).await.expect("it may come in")
    }

    /// Joins with nothing but a key.
    pub(crate) async fn join_as(&self, key: [u8; 16], name: &str) -> Result<Client, End> {
        self.resume(key, name, 0, Replica::default()).await
    }

    /// Joins with what is known from before.
    pub(crate) async fn resume(
        &self,
        key: [u8; 16],
        name: &str,
        log_id: u64,
        replica: Replica,
    ) -> Result<Client, End> {
        let mut socket = self.try_open().await.ok_or(End::Lost)?;
        let join = Join { key, log_id, seq: replica.seq, token: self.token.clone(), name: name.to_owned() };
        let frame = ClientFrame::Join(join).encode();
        socket.send(Message::Binary(frame)).await.map_err(|_| End::Lost)?;
        match timeout(SOON, read(&mut socket)).await.expect("an answer in time") {
            Ok(ServerFrame::Welcome(welcome)) => {
                let next = welcome.last_op + 1;
                let mut client = Client {
                    socket,
                    next,
                    acked: welcome.last_op,
                    welcome,
                    replica,
                    refused: Vec::new(),
                    held: None,
                    read_only: None,
                    notices: Vec::new(),
                    end: None,
                    frames: VecDeque::new(),
                };
                let (seq, known) = (client.welcome.seq, client.replica.snapshots);
                let begun = |client: &Client| client.welcome.resumes || client.replica.snapshots > known;
                let here = |client: &Client| begun(client) && client.replica.seq >= seq;
                client.until_or_end("it has caught up", here).await;
                if here(&client) { Ok(client) } else { Err(client.end.unwrap_or(End::Lost)) }
            }
            Ok(ServerFrame::Error { code, .. }) => Err(End::Told(code)),
            Ok(frame) => panic!("{frame:?} instead of a welcome"),
            Err(end) => Err(end),
        }
    }
}

/// The next frame.
pub(crate) async fn read(socket: &mut WebSocketStream<TcpStream>) -> Result<ServerFrame, End> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Binary(frame))) => {
                return Ok(ServerFrame::read(&frame).expect("the server keeps to the protocol"));
            }
            Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(End::Lost),
            Some(Ok(_)) => {}
        }
    }
}

impl Client {
    pub(crate) fn member(&self) -> u32 {
        self.welcome.member
    }

    /// Sends operations with the next numbers; the number of the last.
    pub(crate) async fn send<'a>(&mut self, ops: impl IntoIterator<Item = Op<'a>>) -> u32 {
        let frame = ClientFrame::ops(self.next, ops);
        let ClientFrame::Ops(ops) = &frame else { unreachable!("they are operations") };
        self.next += u32::from(ops.len());
        self.send_frame(&frame).await;
        self.next - 1
    }

    /// Sends operations and waits until they are decided; the number of the last.
    pub(crate) async fn act<'a>(&mut self, ops: impl IntoIterator<Item = Op<'a>>) -> u32 {
        let last = self.send(ops).await;
        self.until("the operations are decided", |client| client.acked >= last || client.end.is_some()).await;
        last
    }

    pub(crate) async fn send_frame(&mut self, frame: &ClientFrame) {
        self.send_bytes(frame.encode()).await;
    }

    pub(crate) async fn send_bytes(&mut self, bytes: Bytes) {
        // That the server has gone shows when it is read from.
        let _ = self.socket.send(Message::Binary(bytes)).await;
    }

    /// Takes one frame.
    pub(crate) async fn take(&mut self) {
        match read(&mut self.socket).await {
            Ok(frame) => self.keep(frame),
            Err(end) => {
                self.end.get_or_insert(end);
            }
        }
    }

    fn keep(&mut self, frame: ServerFrame) {
        self.replica.take(&frame);
        match &frame {
            ServerFrame::Ack { number, .. } => self.acked = *number,
            ServerFrame::Refused { number, code, .. } => self.refused.push((*number, *code)),
            ServerFrame::Held { number, reason } => self.held = Some((*number, *reason)),
            ServerFrame::RoomState { reason, .. } => self.read_only = Some(*reason),
            ServerFrame::Error { code, fatal: true, .. } => self.end = Some(End::Told(*code)),
            ServerFrame::Error { code, .. } => self.notices.push(*code),
            _ => {}
        }
        self.frames.push_back(frame);
        if self.frames.len() > 1_000 {
            self.frames.pop_front();
        }
    }

    /// Takes frames until it is so, or the connection ends.
    async fn until_or_end(&mut self, what: &str, is_so: impl Fn(&Client) -> bool) {
        let waiting = async {
            while !is_so(self) && self.end.is_none() {
                self.take().await;
            }
        };
        assert!(timeout(SOON, waiting).await.is_ok(), "not within {SOON:?}: {what}");
    }

    /// Takes frames until it is so.
    pub(crate) async fn until(&mut self, what: &str, mut is_so: impl FnMut(&Client) -> bool) {
        let waiting = async {
            while !is_so(self) {
                assert!(self.end.is_none(), "the connection ended ({:?}) before {what}", self.end);
                self.take().await;
            }
        };
        assert!(timeout(SOON, waiting).await.is_ok(), "not within {SOON:?}: {what}");
    }

    /// Takes frames until the connection has ended; how.
    pub(crate) async fn ended(&mut self) -> End {
        let waiting = async {
            while self.end.is_none() {
                self.take().await;
            }
        };
        timeout(SOON, waiting).await.expect("the connection ends");
        self.end.clone().expect("it has ended")
    }

    /// Takes what is on its way, for a moment.
    pub(crate) async fn settle(&mut self, seq: u64) {
        self.until("everything is there", |client| client.replica.seq >= seq).await;
    }

    pub(crate) fn leave(self) -> Replica {
        self.replica
    }

    /// Closes properly.
    pub(crate) async fn close(mut self) {
        let _ = self.socket.close(None).await;
    }
}
