//! A room that somebody is in: what its writer, its connections and the registry share.

use std::{
    mem,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use ballet::{
    SharedFlow, Sharing,
    channel::{self, Receiver, Sender},
    flow::{SharedEmitter, Subscriber},
};
use bytes::Bytes;
use tokio::sync::{Notify, oneshot};

use super::{board::Board, mailbox::Mailbox};
use crate::{
    model::{Code, Role, RoomId},
    store::{RoomKey, RoomRow},
    wire::Ops,
};

/// Messages that may wait for the writer. Whoever comes then waits for a place, and so does its socket.
const INBOX_PLACES: usize = 64;
/// Frames of the log that a connection may be behind before it has to read them from the store.
const FRAMES_BEHIND_MAX: usize = 64;

/// Which connection, in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ConnectionId(u64);

impl ConnectionId {
    pub(crate) fn fresh() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// What the writer is told.
#[derive(Debug)]
pub(crate) enum Message {
    Join {
        joining: Joining,
        answer: oneshot::Sender<Result<Joined, Code>>,
    },
    Ops {
        from: ConnectionId,
        ops: Ops,
    },
    Rename {
        from: ConnectionId,
        name: String,
    },
    SetRole {
        from: ConnectionId,
        member: u32,
        role: Role,
    },
    Kick {
        from: ConnectionId,
        member: u32,
        ban: bool,
    },
    /// Somebody may come again.
    Unbanned(u32),
    /// The room's row is another now, or what it takes up.
    Changed(RoomRow),
    /// The room goes away, and everybody is told so.
    Close(Code),
    /// The writer panics.
    #[cfg(test)]
    Panic,
}

/// Somebody who was let in.
#[derive(Debug)]
pub(crate) struct Joining {
    pub(crate) id: ConnectionId,
    pub(crate) mailbox: Arc<Mailbox>,
    /// `None`: a guest who could not be remembered, and can only look.
    pub(crate) member: Option<u32>,
    pub(crate) role: Role,
    pub(crate) name: String,
}

/// How the room was when they came.
#[derive(Debug)]
pub(crate) struct Joined {
    pub(crate) row: RoomRow,
    pub(crate) member: u32,
    pub(crate) role: Role,
    pub(crate) seq: u64,
    pub(crate) last_op: u32,
    pub(crate) log: Subscriber<Fan>,
    /// Who said the last sayings.
    pub(crate) speakers: Vec<u32>,
}

/// Records that have become durable, on their way to everybody.
#[derive(Debug, Clone)]
pub(crate) struct Fan {
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// `None`: they have to be read from the store.
    pub(crate) frame: Option<Bytes>,
}

#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) id: RoomId,
    pub(crate) key: RoomKey,
    pub(crate) inbox: Sender<Message>,
    pub(crate) board: Arc<Board>,
    pub(super) fans: SharedEmitter<Fan>,
    log: SharedFlow<Fan>,
    /// Connections that have ended, until the writer takes note.
    gone: Mutex<Vec<ConnectionId>>,
    went: Notify,
    online: AtomicU64,
}

impl Live {
    pub(crate) fn new(row: &RoomRow) -> (Arc<Self>, Receiver<Message>) {
        let (inbox, messages) = channel::bounded(INBOX_PLACES);
        let (fans, log) = SharedFlow::new(Sharing::drop_oldest(FRAMES_BEHIND_MAX));
        let live = Self {
            id: row.id,
            key: row.key,
            inbox,
            board: Arc::new(Board::new()),
            fans,
            log,
            gone: Mutex::default(),
            went: Notify::new(),
            online: AtomicU64::new(0),
        };
        (Arc::new(live), messages)
    }

    pub(super) fn subscribe(&self) -> Subscriber<Fan> {
        self.log.subscribe()
    }

    /// A connection has ended. Never waits, so that it can be told from a destructor.
    fn leave(&self, id: ConnectionId) {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner).push(id);
        self.went.notify_one();
    }

    pub(super) async fn wait_gone(&self) {
        self.went.notified().await;
    }

    pub(super) fn take_gone(&self) -> Vec<ConnectionId> {
        mem::take(&mut *self.gone.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set_online(&self, connections: usize) {
        self.online.store(u64::try_from(connections).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How many connections are in the room.
    pub(crate) fn online(&self) -> u64 {
        self.online.load(Ordering::Relaxed)
    }
}

/// The presence of one connection: however it ends, the room hears of it.
#[derive(Debug)]
pub(crate) struct Presence {
    pub(crate) live: Arc<Live>,
    pub(crate) id: ConnectionId,
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.live.leave(self.id);
    }
}
