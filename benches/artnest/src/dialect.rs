//! The same strokes in three protocols: how a client joins a room, sends a batch, and finds in what it reads who sent
//! which.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, bail, ensure};
use artnest::wire::{ClientFrame, Join, Op, Point, Points, PointsWriter, RecordIter, ServerFrame};
use bytes::{Buf, Bytes};
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::load::Load;
use crate::server::{Kind, PEERS, Server};

/// What a stroke of a peer begins with, so that it is found in whatever is around it; then who sent it, and which.
const MAGIC: &[u8; 8] = b"ARTNEST!";
const MARK_BYTES: usize = 16;
/// Points in a batch: what a pen gives in 40 ms.
const POINTS: i32 = 8;
/// `Log`, its seq, time and count.
const LOG_HEAD_BYTES: usize = 19;
const LOG: u8 = 0x85;

/// What Yjs sends for the strokes of each person, made by Yjs itself.
pub(crate) struct Updates(Vec<Vec<Bytes>>);

impl Updates {
    pub(crate) fn make() -> Result<Updates> {
        let file = Path::new(PEERS).join("updates.bin");
        let payload = MARK_BYTES + batch().points().iter().count() * 5 + 17;
        let numbers = [Load::PEOPLE_MAX, Load::BATCHES_MAX, payload].map(|number| number.to_string());
        let mut node = Command::new("node");
        node.arg(Path::new(PEERS).join("updates.mjs")).arg(&file).args(numbers);
        ensure!(node.status().context("cannot run node")?.success(), "Yjs made no updates");
        let mut bytes = Bytes::from(fs::read(&file)?);
        let mut all = Vec::new();
        for _ in 0..Load::PEOPLE_MAX {
            let mut of_person = Vec::new();
            for _ in 0..Load::BATCHES_MAX {
                let length = usize::try_from(bytes.try_get_u32_le()?)?;
                of_person.push(bytes.split_to(length));
            }
            all.push(of_person);
        }
        Ok(Updates(all))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The points of a batch.
fn batch() -> PointsWriter {
    (0..POINTS).map(|x| Point { x: x * 40, y: x * x, pressure: 200 }).collect()
}

/// Where to come in.
pub(crate) struct Room {
    id: String,
    token: String,
}

/// One person in a room.
pub(crate) struct Client {
    kind: Kind,
    pub(crate) person: usize,
    points: PointsWriter,
}

impl Client {
    pub(crate) async fn new_room(server: &Server) -> Result<Room> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        if server.kind != Kind::Artnest {
            let id = format!("room-{}", NEXT.fetch_add(1, Ordering::Relaxed));
            return Ok(Room { id, token: String::new() });
        }
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build()?;
        let url = format!("http://{}/api/rooms", server.address);
        let created: serde_json::Value =
            client.post(url).json(&json!({ "name": "Bench" })).send().await?.json().await?;
        let text = |value: &serde_json::Value| value.as_str().map(str::to_owned).context("no room was made");
        Ok(Room { id: text(&created["room"]["id"])?, token: text(&created["links"]["artist"]["token"])? })
    }

    /// Joins a room; everybody in it has a number of their own.
    pub(crate) async fn join(
        server: &Server,
        room: &Room,
        person: usize,
    ) -> Result<(WebSocketStream<TcpStream>, Client)> {
        let mut socket = connect(server, room).await?;
        let person = match server.kind {
            Kind::Artnest => join_artnest(&mut socket, room, person).await?,
            // Whoever connects is in.
            Kind::Yjs => person,
            Kind::SocketIo => {
                join_socketio(&mut socket, room).await?;
                person
            }
        };
        Ok((socket, Client { kind: server.kind, person, points: batch() }))
    }

    /// The messages of a batch.
    pub(crate) fn stroke(&mut self, number: usize, updates: &Updates) -> Vec<Message> {
        let (person, points) = (self.person, self.points.points());
        match self.kind {
            Kind::Artnest => vec![artnest_stroke(number, points)],
            Kind::Yjs => vec![yjs_stroke(&updates.0[person][number])],
            Kind::SocketIo => socketio_stroke(person, number, points),
        }
    }

    /// Tells of each batch of somebody else in a message.
    pub(crate) fn deliveries(&mut self, message: &Message, mut tell: impl FnMut(usize, usize)) -> Result<()> {
        match (self.kind, message) {
            (_, Message::Close(_)) => bail!("a server closed a connection"),
            (Kind::Artnest, Message::Binary(frame)) => {
                let me = self.person;
                artnest_deliveries(frame, |person, number| {
                    if person != me {
                        tell(person, number);
                    }
                })
            }
            (Kind::Yjs, Message::Binary(frame)) => {
                if let Some((person, number)) = marked(frame)
                    && person != self.person
                {
                    tell(person, number);
                }
                Ok(())
            }
            (Kind::SocketIo, Message::Binary(frame)) => {
                if let Some((person, number)) = marked(frame) {
                    tell(person, number);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

async fn connect(server: &Server, room: &Room) -> Result<WebSocketStream<TcpStream>> {
    let address: SocketAddr = server.address;
    let path = match server.kind {
        Kind::Artnest => format!("/api/rooms/{}/socket", room.id),
        Kind::Yjs => format!("/{}", room.id),
        Kind::SocketIo => "/socket.io/?EIO=4&transport=websocket".to_owned(),
    };
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (socket, _) = client_async(format!("ws://{address}{path}"), stream).await?;
    Ok(socket)
}

/// In a new room, members are numbered from 1 as they come; that is who they are from then on. Each begins a stroke, as
/// operation 1.
async fn join_artnest(socket: &mut WebSocketStream<TcpStream>, room: &Room, person: usize) -> Result<usize> {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&u64::try_from(person)?.to_le_bytes());
    let join = Join { key, log_id: 0, seq: 0, token: room.token.clone(), name: String::new() };
    socket.send(Message::Binary(ClientFrame::Join(join).encode())).await?;
    let answer = socket.next().await.context("the server closed")??;
    let ServerFrame::Welcome(welcome) = ServerFrame::read(&answer.into_data())? else {
        bail!("no welcome");
    };
    let colour = [0, 0, 0, 255];
    let begin = Op::Begin { layer: 0, tool: 0, colour, size: 64, ends: false, points: Points::NONE };
    socket.send(Message::Binary(ClientFrame::ops(1, [begin]).encode())).await?;
    Ok(usize::try_from(welcome.member)? - 1)
}

/// The batch `number` is the operation `number + 2`.
fn artnest_stroke(number: usize, points: Points<'_>) -> Message {
    let number = u32::try_from(number).unwrap_or(u32::MAX - 2);
    Message::Binary(ClientFrame::ops(number + 2, [Op::Points { stroke: 1, ends: false, points }]).encode())
}

fn artnest_deliveries(frame: &Bytes, mut tell: impl FnMut(usize, usize)) -> Result<()> {
    if frame.first() != Some(&LOG) {
        return Ok(());
    }
    for record in RecordIter::new(&frame[LOG_HEAD_BYTES..]) {
        let record = record?;
        if record.number >= 2 {
            tell(usize::try_from(record.member)? - 1, usize::try_from(record.number)? - 2);
        }
    }
    Ok(())
}

/// `sync`, `update`, and the update behind its length.
fn yjs_stroke(update: &Bytes) -> Message {
    let mut frame = vec![0, 2];
    let mut rest = update.len();
    while rest >= 0x80 {
        frame.push(u8::try_from(rest & 0x7f).unwrap_or(0) | 0x80);
        rest >>= 7;
    }
    frame.push(u8::try_from(rest).unwrap_or(0));
    frame.extend_from_slice(update);
    Message::Binary(frame.into())
}

async fn join_socketio(socket: &mut WebSocketStream<TcpStream>, room: &Room) -> Result<()> {
    expect_text(socket, "0").await?;
    socket.send(Message::text("40")).await?;
    expect_text(socket, "40").await?;
    socket.send(Message::text(format!("42[\"join\",\"{}\"]", room.id))).await?;
    Ok(())
}

async fn expect_text(socket: &mut WebSocketStream<TcpStream>, prefix: &str) -> Result<()> {
    let message = socket.next().await.context("the server closed")??;
    ensure!(message.to_text().is_ok_and(|text| text.starts_with(prefix)), "{message:?} instead of {prefix}");
    Ok(())
}

/// An event with one attachment, which follows.
fn socketio_stroke(person: usize, number: usize, points: Points<'_>) -> Vec<Message> {
    let mut payload = MAGIC.to_vec();
    payload.extend_from_slice(&u32::try_from(person).unwrap_or(0).to_le_bytes());
    payload.extend_from_slice(&u32::try_from(number).unwrap_or(0).to_le_bytes());
    Op::Points { stroke: 1, ends: false, points }.put(&mut payload);
    vec![Message::text("451-[\"stroke\",{\"_placeholder\":true,\"num\":0}]"), Message::Binary(payload.into())]
}

/// Who sent what is in a message of a peer.
fn marked(frame: &[u8]) -> Option<(usize, usize)> {
    let at = frame.windows(MAGIC.len()).position(|window| window == MAGIC)?;
    let mut mark = frame.get(at + MAGIC.len()..at + MARK_BYTES)?;
    Some((usize::try_from(mark.get_u32_le()).ok()?, usize::try_from(mark.get_u32_le()).ok()?))
}
