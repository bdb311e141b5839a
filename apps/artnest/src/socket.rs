//! One connection, from its upgrade to its end: a producer of operations and a listener of the room.
//!
//! One job does everything for it in turn: it hands in what the client sends, and sends what the room has for it. While
//! the room's channel is full it reads nothing more, so the client's socket fills up; while the client does not read,
//! it waits in a write, bounded in time, and the room goes on without it. Read `entry` for who comes in, `feed` for
//! what is sent of the log, `line` for the bounds of the socket.

mod entry;
mod feed;
mod line;
mod pace;

use std::{sync::Arc, time::Duration};

use ballet::channel::Sending;
use ballet::flow::Watcher;
use bytes::Bytes;
use tokio::{
    net::TcpStream,
    select,
    time::{Instant, sleep_until},
};

use self::{
    entry::Entered,
    feed::Feed,
    line::{Broken, Incoming, Line},
    pace::Pace,
};
use crate::{
    clock::now_ms,
    links::Mint,
    metrics::Metrics,
    model::{Code, Role, RoomId, Visibility, clean_name},
    room::{Mail, Mailbox, Message, Presence, Tick},
    rooms::Rooms,
    store::{RoomRow, Store},
    wire::{ClientFrame, Cursor, Frames, Pointing},
};

/// How often a client is asked whether it is there.
const PING_EVERY: Duration = Duration::from_secs(20);
/// A client that said nothing for so long, not even a pong, is gone.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// … unless so much was sent meanwhile that its pong may have to wait until it has read that. (A write that gets nowhere
/// ends the connection sooner.)
const BEHIND_BYTES: u64 = 64 * 1024;
const SILENCE_BEHIND_MAX: Duration = Duration::from_secs(600);
/// How long a connection waits, when the server stops, until what it handed in is decided.
const LAST_ACK_WAIT_MAX: Duration = Duration::from_secs(5);

/// What a connection needs of the server.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    pub(crate) store: Store,
    pub(crate) rooms: Rooms,
    pub(crate) mint: Mint,
    pub(crate) metrics: Arc<Metrics>,
}

impl Door {
    /// What a newcomer with this token may be; `None`: nothing lets them in.
    pub(crate) fn role_by(&self, row: &RoomRow, token: &str) -> Option<Role> {
        let as_anybody = (row.visibility == Visibility::Public).then_some(Role::Viewer);
        self.mint.role_of(row, token).or(as_anybody)
    }
}

/// Serves a socket that was upgraded, until it ends.
///
/// # Cancel safety
///
/// The room hears that the connection has ended. What was not acknowledged, the client has still.
pub(crate) async fn serve(door: Door, room: RoomId, stream: TcpStream, read: Vec<u8>) {
    let _connected = door.metrics.connected();
    let mut line = Line::new(stream, read).await;
    let ended = match come_in(&door, room, &mut line).await {
        Ok(entered) => stay(&door, &mut line, entered).await,
        Err(broken) => broken,
    };
    if let Broken::Told(code) = ended {
        door.metrics.ended(code);
        line.end(code, code.text()).await;
    }
}

async fn come_in(door: &Door, room: RoomId, line: &mut Line) -> Result<Box<Entered>, Broken> {
    let join = select! {
        join = entry::read_join(line) => join?,
        () = ballet::draining() => return Err(Broken::Told(Code::GoingAway)),
    };
    let entered = entry::enter(door, room, &join).await;
    door.metrics.joined(entered.as_ref().map(|_| ()).map_err(|&code| code));
    let mut entered = Box::new(entered.map_err(Broken::Told)?);
    for frame in entered.first.drain(..) {
        send(door, line, frame).await?;
    }
    Ok(entered)
}

/// Somebody in the room, with what was read from them and not handed in yet.
struct Guest<'a> {
    door: &'a Door,
    line: &'a mut Line,
    presence: &'a Presence,
    mailbox: &'a Mailbox,
    member: u32,
    pace: Pace,
    /// A message that waits for a place in the room's channel.
    sending: Option<Sending<'a, Message>>,
    /// Nothing is read before.
    read_at: Option<Instant>,
    heard_at: Instant,
    /// What had been sent by then.
    sent_when_heard: u64,
    /// When it is to be asked whether it is there.
    ask_at: Instant,
    /// The last operation that was handed in, and the last one that was decided.
    handed_in: u32,
    decided: u32,
    /// The tick of the board that the client knows.
    tick: u64,
}

async fn stay(door: &Door, line: &mut Line, entered: Box<Entered>) -> Broken {
    let Entered { presence, mailbox, member, joined, resumes, tick, .. } = *entered;
    let mut board = presence.live.board.watch();
    let (store, metrics) = (door.store.clone(), Arc::clone(&door.metrics));
    let mut feed = Feed::new(store, metrics, joined.row.key, joined.log, joined.seq, resumes);
    let now = Instant::now();
    let mut guest = Guest {
        door,
        line,
        presence: &presence,
        mailbox: &mailbox,
        member,
        pace: Pace::new(now),
        sending: None,
        read_at: None,
        heard_at: now,
        sent_when_heard: 0,
        ask_at: now + PING_EVERY,
        handed_in: joined.last_op,
        decided: joined.last_op,
        tick,
    };
    let broken = guest.converse(&mut feed, &mut board).await;
    if broken == Broken::Told(Code::GoingAway) {
        guest.finish().await;
    }
    broken
}

impl Guest<'_> {
    async fn converse(&mut self, feed: &mut Feed, board: &mut Watcher<Tick>) -> Broken {
        loop {
            let step = self.step(feed, board).await;
            if let Err(broken) = step {
                return broken;
            }
        }
    }

    /// Does the next thing that is to be done.
    async fn step(&mut self, feed: &mut Feed, board: &mut Watcher<Tick>) -> Result<(), Broken> {
        select! {
            mail = self.mailbox.take() => self.deliver(mail).await,
            sent = hand_in(&mut self.sending) => {
                self.sending = None;
                // The room has ended under us.
                if sent { Ok(()) } else { Err(Broken::Told(Code::Internal)) }
            }
            incoming = read(self.line, self.read_at), if self.sending.is_none() => {
                self.read_at = None;
                self.take(incoming?).await
            }
            frames = feed.next() => {
                for frame in frames.map_err(Broken::Told)? {
                    send(self.door, self.line, frame).await?;
                }
                Ok(())
            }
            tick = board.recv() => self.show(tick).await,
            () = sleep_until(self.ask_at) => self.ask().await,
            () = ballet::draining() => Err(Broken::Told(Code::GoingAway)),
        }
    }

    /// What the client sent.
    async fn take(&mut self, incoming: Incoming) -> Result<(), Broken> {
        let now = Instant::now();
        self.heard_at = now;
        self.sent_when_heard = self.line.sent();
        let frame = match incoming {
            Incoming::Frame(frame) => frame,
            Incoming::Sign => return Ok(()),
            Incoming::Text => return Err(Broken::Told(Code::Malformed)),
            Incoming::Closed => return Err(Broken::Gone),
        };
        let from = self.presence.id;
        let mut ops_count = 0;
        match ClientFrame::read(&frame).map_err(|_| Broken::Told(Code::Malformed))? {
            ClientFrame::Ops(ops) => {
                ops_count = ops.len();
                self.handed_in = self.handed_in.max(ops.first + u32::from(ops.len()) - 1);
                self.send_in(Message::Ops { from, ops });
            }
            ClientFrame::Cursor { x, y, state } => {
                let pointing = Pointing::from_code(state).ok_or(Broken::Told(Code::Malformed))?;
                self.presence.live.board.point(Cursor { member: self.member, x, y, pointing });
            }
            ClientFrame::Rename { name } => {
                let name = clean_name(&name).map_err(|_| Broken::Told(Code::Malformed))?;
                self.send_in(Message::Rename { from, name });
            }
            ClientFrame::SetRole { member, role } => self.send_in(Message::SetRole { from, member, role }),
            ClientFrame::Kick { member, ban } => self.send_in(Message::Kick { from, member, ban }),
            ClientFrame::Ping(nonce) => send(self.door, self.line, Frames::pong(nonce, now_ms())).await?,
            // Once is enough.
            ClientFrame::Join(_) | ClientFrame::OtherVersion(_) => return Err(Broken::Told(Code::Malformed)),
        }
        self.read_at = self.pace.count(ops_count, frame.len(), now);
        Ok(())
    }

    /// Begins to hand something in; until the room has taken it, nothing more is read.
    fn send_in(&mut self, message: Message) {
        self.sending = Some(self.presence.live.inbox.send(message));
    }

    /// What the room has for this client alone.
    async fn deliver(&mut self, mail: Mail) -> Result<(), Broken> {
        for (number, code) in mail.refused {
            send(self.door, self.line, Frames::refused(number, code, code.text())).await?;
        }
        for code in mail.notices {
            send(self.door, self.line, Frames::error(code, code.text())).await?;
        }
        if let Some(state) = mail.state {
            let frame = Frames::room_state(state.read_only, state.used_bytes, state.quota_bytes);
            send(self.door, self.line, frame).await?;
        }
        if let Some((number, reason)) = mail.held {
            // What follows it is not under way any more.
            self.handed_in = self.handed_in.min(number.saturating_sub(1));
            send(self.door, self.line, Frames::held(number, reason)).await?;
        }
        if let Some((number, seq)) = mail.ack {
            self.decided = number;
            send(self.door, self.line, Frames::ack(number, seq)).await?;
        }
        mail.end.map_or(Ok(()), |code| Err(Broken::Told(code)))
    }

    /// Who is here and where they point: what changed, or everything if something was missed.
    async fn show(&mut self, tick: Option<Tick>) -> Result<(), Broken> {
        let Some(tick) = tick else { return Err(Broken::Told(Code::Internal)) };
        if tick.number <= self.tick {
            return Ok(());
        }
        let frames = if tick.number == self.tick + 1 {
            self.tick = tick.number;
            [tick.roster, tick.cursors]
        } else {
            let whole = self.presence.live.board.whole(&[]);
            self.tick = whole.number;
            [Some(whole.roster), Some(whole.cursors)]
        };
        for frame in frames.into_iter().flatten() {
            send(self.door, self.line, frame).await?;
        }
        Ok(())
    }

    /// Asks whether the client is still there.
    async fn ask(&mut self) -> Result<(), Broken> {
        let is_behind = self.line.sent() - self.sent_when_heard > BEHIND_BYTES;
        let patience = if is_behind { SILENCE_BEHIND_MAX } else { SILENCE_MAX };
        if self.heard_at.elapsed() >= patience {
            return Err(Broken::Gone);
        }
        self.ask_at = Instant::now() + PING_EVERY;
        self.line.ping().await
    }

    /// When the server stops: what was handed in is decided, and the client hears of it.
    async fn finish(&mut self) {
        let all = async {
            if hand_in_if_any(&mut self.sending).await {
                while self.decided < self.handed_in {
                    let mail = self.mailbox.take().await;
                    if self.deliver(mail).await.is_err() {
                        break;
                    }
                }
            }
        };
        let _ = tokio::time::timeout(LAST_ACK_WAIT_MAX, all).await;
    }
}

/// Reads, but not before its time.
async fn read(line: &mut Line, at: Option<Instant>) -> Result<Incoming, Broken> {
    if let Some(at) = at {
        sleep_until(at).await;
    }
    line.receive().await
}

/// Whether what is being handed in was taken; waits for ever where there is nothing.
async fn hand_in(sending: &mut Option<Sending<'_, Message>>) -> bool {
    match sending {
        Some(sending) => sending.await.is_ok(),
        None => std::future::pending().await,
    }
}

async fn hand_in_if_any(sending: &mut Option<Sending<'_, Message>>) -> bool {
    match sending.take() {
        Some(sending) => sending.await.is_ok(),
        None => true,
    }
}

async fn send(door: &Door, line: &mut Line, frame: Bytes) -> Result<(), Broken> {
    door.metrics.sent(frame.len());
    line.send(frame).await
}
