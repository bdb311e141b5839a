//! The one writer of a room.
//!
//! It takes messages in their order. Operations are decided at once and gathered for a moment; then they are committed
//! together, and only then is anybody told. Whatever else comes (somebody joins, is sent out, renames themselves) waits
//! until what was gathered is durable, so nobody ever sees a half. When a commit fails, what was decided is forgotten,
//! the room is loaded from the store again and is read-only until a write succeeds.

use std::{collections::HashMap, sync::Arc, time::Duration};

use ballet::{SupervisorScope, channel::Receiver};
use bytes::Bytes;
use tokio::{
    select,
    sync::oneshot,
    time::{Instant, sleep_until},
};

use super::{
    Limits,
    batch::Batch,
    crowd::Crowd,
    decide::{Gate, decide},
    live::{ConnectionId, Fan, Joined, Joining, Live, Message},
    mailbox::State,
};
use crate::{
    canvas::{Canvas, Tally},
    clock::now_ms,
    metrics::Metrics,
    model::{Code, ReadOnly, Role},
    store::{self, Appended, Loaded, RoomRow, Store},
    wire::{Frames, LogFrame, Op, Record},
};

/// The least time between two commits of one room: what comes meanwhile shares the next one, and its frame.
const TICK: Duration = Duration::from_millis(25);
/// Messages taken at once.
const MESSAGES_MAX: usize = 64;
/// How often a room that cannot write tries again.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// How long a room stays in memory after the last connection left.
const IDLE: Duration = Duration::from_secs(15);
/// Records after the snapshot that are worth a new one, at least …
const TAIL_BYTES_MIN: u64 = 512 * 1024;
/// … and when the room is left.
const TAIL_BYTES_AT_END: u64 = 64 * 1024;

/// What the room is, as far as deciding needs it.
#[derive(Debug)]
pub(super) struct Drawing {
    canvas: Canvas<Tally>,
    last_ops: HashMap<u32, u32>,
}

impl Drawing {
    pub(super) fn last_op(&self, member: u32) -> u32 {
        self.last_ops.get(&member).copied().unwrap_or(0)
    }

    /// Decides an operation for good.
    pub(super) fn take(&mut self, member: u32, role: Role, number: u32, op: Op<'_>) -> Result<(), Code> {
        self.last_ops.insert(member, number);
        self.canvas.check(member, role, &op)?;
        // What was checked can be applied.
        self.canvas.apply(&Record { member, number, op }).map_err(|_| Code::Internal)
    }
}

/// Why the writer cannot go on. Its connections are ended, and the room is loaded anew for whoever comes next.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the room is not there any more")]
    Gone,
    #[error("the log was written to by somebody else")]
    Fenced,
    #[error(transparent)]
    Store(#[from] store::Error),
}

struct Writer {
    live: Arc<Live>,
    store: Store,
    metrics: Arc<Metrics>,
    limits: Limits,
    row: RoomRow,
    drawing: Drawing,
    /// What the records after the snapshot take up, and what they may before there is a new one.
    tail_bytes: u64,
    tail_bytes_max: u64,
    crowd: Crowd,
    batch: Batch,
    committed_at: Option<Instant>,
    /// Why nothing can be written, and when that is tried again.
    trouble: Option<ReadOnly>,
    probe_at: Option<Instant>,
    /// What everybody was told last.
    told: Option<ReadOnly>,
    /// Where compactions run.
    scope: SupervisorScope,
}

/// Runs the room until it has been empty for a while, is closed, or fails.
///
/// # Errors
///
/// When the room cannot be loaded, or somebody else writes to it.
pub(crate) async fn run(
    live: Arc<Live>,
    messages: Receiver<Message>,
    store: Store,
    metrics: Arc<Metrics>,
    limits: Limits,
    scope: SupervisorScope,
) -> Result<(), Error> {
    let loaded = store.load(live.key).await?.ok_or(Error::Gone)?;
    let mut writer = Writer::new(live, store, metrics, limits, loaded, scope);
    let ended = writer.serve(&messages).await;
    writer.compact_at_end().await;
    ended
}

impl Writer {
    fn new(
        live: Arc<Live>,
        store: Store,
        metrics: Arc<Metrics>,
        limits: Limits,
        loaded: Loaded,
        scope: SupervisorScope,
    ) -> Self {
        let Loaded { row, canvas, last_ops, tail_bytes } = loaded;
        Self {
            live,
            store,
            metrics,
            limits,
            tail_bytes_max: TAIL_BYTES_MIN.max(row.used_bytes / 2),
            row,
            drawing: Drawing { canvas, last_ops },
            tail_bytes,
            crowd: Crowd::default(),
            batch: Batch::default(),
            committed_at: None,
            trouble: None,
            probe_at: None,
            told: None,
            scope,
        }
    }

    async fn serve(&mut self, messages: &Receiver<Message>) -> Result<(), Error> {
        let mut waiting = Vec::with_capacity(MESSAGES_MAX);
        let mut idle_since = Instant::now();
        loop {
            select! {
                received = messages.recv_many(&mut waiting, MESSAGES_MAX) => match received {
                    Ok(1..) => {}
                    _ => return Ok(()),
                },
                () = self.live.wait_gone() => {}
                () = until(self.probe_at) => self.probe().await?,
                () = until(self.crowd.is_empty().then_some(idle_since + IDLE)) => return Ok(()),
                () = ballet::draining(), if self.crowd.is_empty() => return Ok(()),
            }
            if self.handle(&mut waiting).await? || self.gather(messages, &mut waiting).await? {
                return Ok(());
            }
            self.note_gone();
            if !self.crowd.is_empty() {
                idle_since = Instant::now();
            }
        }
    }

    /// Goes on deciding until it is time to commit, and commits. Whether the room is to close.
    async fn gather(
        &mut self,
        messages: &Receiver<Message>,
        waiting: &mut Vec<Message>,
    ) -> Result<bool, Error> {
        while !self.batch.is_idle() {
            let due = self.committed_at.map(|at| at + TICK).filter(|_| !self.batch.is_full());
            select! {
                received = messages.recv_many(waiting, MESSAGES_MAX), if due.is_some() => {
                    if !matches!(received, Ok(1..)) || self.handle(waiting).await? {
                        self.commit().await?;
                        return Ok(true);
                    }
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)) => self.commit().await?,
            }
        }
        Ok(false)
    }

    /// Whether the room is to close.
    async fn handle(&mut self, waiting: &mut Vec<Message>) -> Result<bool, Error> {
        for message in waiting.drain(..) {
            if let Message::Ops { from, ops } = message {
                if self.batch.is_full() {
                    self.commit().await?;
                }
                let gate = self.gate();
                if let Some(connection) = self.crowd.get_mut(from) {
                    decide(&mut self.drawing, &mut self.batch, gate, from, connection, &ops);
                }
                self.tell_if_read_only();
                continue;
            }
            self.commit().await?;
            self.note_gone();
            match message {
                Message::Ops { .. } => {}
                Message::Join { joining, answer } => self.join(joining, answer),
                Message::Rename { from, name } => self.rename(from, name).await,
                Message::SetRole { from, member, role } => self.set_role(from, member, role).await,
                Message::Kick { from, member, ban } => self.kick(from, member, ban).await,
                Message::Unbanned(member) => self.crowd.unban(member),
                Message::Changed(row) => self.changed(row),
                #[cfg(test)]
                Message::Panic => panic!("a test wants it"),
                Message::Close(code) => {
                    self.crowd.end_all(code);
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Makes durable what was gathered, and tells everybody.
    async fn commit(&mut self) -> Result<(), Error> {
        if self.batch.is_idle() {
            return Ok(());
        }
        let (records, count, waiting) = self.batch.take();
        if count > 0 {
            let began = Instant::now();
            self.committed_at = Some(began);
            if let Some(trouble) = self.append(records, count).await? {
                return self.undo(trouble, waiting).await;
            }
            self.metrics.committed(count, began.elapsed());
        }
        for id in waiting.into_keys() {
            if let Some(connection) = self.crowd.get(id) {
                connection.mailbox.acknowledge(self.drawing.last_op(connection.member), self.row.seq);
            }
        }
        self.tell_if_read_only();
        self.compact_if_long();
        Ok(())
    }

    /// Appends to the log and sends it to everybody. Gives what is in the way, if it did not come to that.
    async fn append(&mut self, records: Bytes, count: u16) -> Result<Option<ReadOnly>, Error> {
        let frame = LogFrame { first: self.row.seq + 1, at: now_ms(), count, records };
        let strokes = self.drawing.canvas.visible();
        let batch =
            store::Batch { room: self.row.key, log_id: self.row.log_id, frame: frame.clone(), strokes };
        match self.store.append(batch).await {
            Ok(Appended::Durable { used_bytes }) => self.row.used_bytes = used_bytes,
            Ok(Appended::Fenced) => return Err(Error::Fenced),
            Ok(Appended::DiskIsLow) | Err(store::Error::DiskFull) => return Ok(Some(ReadOnly::Disk)),
            Err(error) => {
                tracing::warn!(room = %self.live.id, %error, "a commit failed");
                return Ok(Some(ReadOnly::Store));
            }
        }
        self.row.seq = frame.last();
        self.tail_bytes += u64::try_from(frame.records.len()).unwrap_or(u64::MAX);
        let encoded = Frames::log(frame.first, frame.at, frame.count, &frame.records);
        self.send(Fan { first: frame.first, last: frame.last(), frame: Some(encoded) });
        Ok(None)
    }

    fn send(&self, fan: Fan) {
        // The flow drops the oldest, and it ends only with the room.
        let _ = self.live.fans.try_emit(fan);
    }

    /// What was gathered is not durable, as far as anybody knows: forget it, and have it sent again.
    async fn undo(
        &mut self,
        trouble: ReadOnly,
        waiting: HashMap<ConnectionId, Option<u32>>,
    ) -> Result<(), Error> {
        self.trouble = Some(trouble);
        self.probe_at = Some(Instant::now() + PROBE_EVERY);
        self.tell_if_read_only();
        self.reload().await?;
        for (id, first) in waiting {
            let Some(connection) = self.crowd.get_mut(id) else { continue };
            // Whoever is held already is held at an earlier one.
            if let Some(first) = first {
                let held = connection.held.map_or(first, |held| held.min(first));
                connection.held = Some(held);
                connection.mailbox.hold(held, trouble);
            }
        }
        Ok(())
    }

    async fn reload(&mut self) -> Result<(), Error> {
        let loaded = self.store.load(self.row.key).await?.ok_or(Error::Gone)?;
        if loaded.row.log_id != self.row.log_id {
            return Err(Error::Fenced);
        }
        let known = self.row.seq;
        self.row = loaded.row;
        self.drawing = Drawing { canvas: loaded.canvas, last_ops: loaded.last_ops };
        self.tail_bytes = loaded.tail_bytes;
        if self.row.seq > known {
            // A commit that failed was durable after all.
            self.send(Fan { first: known + 1, last: self.row.seq, frame: None });
        }
        Ok(())
    }

    /// Tries whether the store can write again.
    async fn probe(&mut self) -> Result<(), Error> {
        self.probe_at = Some(Instant::now() + PROBE_EVERY);
        match self.store.probe().await {
            Ok(()) => {
                self.reload().await?;
                (self.trouble, self.probe_at) = (None, None);
                self.crowd.end_guests();
                tracing::info!(room = %self.live.id, "the room takes strokes again");
            }
            Err(store::Error::DiskFull) => self.trouble = Some(ReadOnly::Disk),
            Err(_) => self.trouble = Some(ReadOnly::Store),
        }
        self.tell_if_read_only();
        Ok(())
    }

    fn gate(&self) -> Gate {
        Gate {
            trouble: self.trouble,
            used_bytes: self.row.used_bytes,
            quota_bytes: self.row.quota_bytes.unwrap_or(self.limits.quota_bytes),
        }
    }

    fn state(&self) -> State {
        let gate = self.gate();
        State { read_only: gate.read_only(), used_bytes: gate.used_bytes, quota_bytes: gate.quota_bytes }
    }

    fn tell_if_read_only(&mut self) {
        let state = self.state();
        if state.read_only != self.told {
            self.told = state.read_only;
            self.metrics.read_only(&state);
            self.crowd.tell_state(state);
        }
    }

    fn join(&mut self, joining: Joining, answer: oneshot::Sender<Result<Joined, Code>>) {
        let id = joining.id;
        if answer.send(self.admit(joining)).is_err() {
            // They went away while they waited, so nobody will say that they have left.
            self.forget(id);
        }
        self.live.set_online(self.crowd.len());
    }

    fn admit(&mut self, joining: Joining) -> Result<Joined, Code> {
        let Joining { id, mailbox, member, role, name } = joining;
        // Whoever is here already gives their own place to the newer connection.
        let is_here = member.is_some_and(|member| self.crowd.has(member));
        if !is_here && self.crowd.len() >= self.limits.connections_max {
            return Err(Code::Full);
        }
        if member.is_none() && self.trouble.is_none() {
            // The store could remember nobody a moment ago. If it can now, guests are to come again.
            (self.trouble, self.probe_at) = (Some(ReadOnly::Store), Some(Instant::now()));
        }
        mailbox.tell_state(self.state());
        let (member, role) = self.crowd.add(id, member, role, mailbox)?;
        self.live.board.put(member, role, &name);
        let mut speakers: Vec<u32> = self.drawing.canvas.sayings().map(|saying| saying.member).collect();
        speakers.sort_unstable();
        speakers.dedup();
        Ok(Joined {
            row: self.row.clone(),
            member,
            role,
            seq: self.row.seq,
            last_op: self.drawing.last_op(member),
            log: self.live.subscribe(),
            speakers,
        })
    }

    fn note_gone(&mut self) {
        for id in self.live.take_gone() {
            self.forget(id);
        }
        self.live.set_online(self.crowd.len());
    }

    fn forget(&mut self, id: ConnectionId) {
        if let Some(member) = self.crowd.remove(id) {
            self.live.board.remove(member);
        }
    }

    async fn rename(&mut self, from: ConnectionId, name: String) {
        let Some(connection) = self.crowd.get(from) else { return };
        let (member, role) = (connection.member, connection.role);
        if !connection.is_guest()
            && self.store.rename_member(self.row.key, member, name.clone()).await.is_err()
        {
            return self.notice(from, Code::Forbidden);
        }
        self.live.board.put(member, role, &name);
    }

    async fn set_role(&mut self, from: ConnectionId, member: u32, role: Role) {
        if !self.may_manage(from) {
            return self.notice(from, Code::Forbidden);
        }
        match self.store.set_role(self.row.key, member, role).await {
            Ok(true) => {
                self.crowd.set_role(member, role);
                if let Some(name) = self.live.board.name_of(member) {
                    self.live.board.put(member, role, &name);
                }
            }
            Ok(false) => self.notice(from, Code::NothingToDo),
            Err(_) => self.notice(from, Code::Forbidden),
        }
    }

    async fn kick(&mut self, from: ConnectionId, member: u32, ban: bool) {
        if !self.may_manage(from) {
            return self.notice(from, Code::Forbidden);
        }
        if ban {
            match self.store.set_banned(self.row.key, member, true).await {
                Ok(true) => {}
                Ok(false) => return self.notice(from, Code::NothingToDo),
                Err(_) => return self.notice(from, Code::Forbidden),
            }
        }
        if self.crowd.send_out(member, ban) {
            self.metrics.sent_out();
            self.live.board.remove(member);
        } else if !ban {
            self.notice(from, Code::NothingToDo);
        }
    }

    fn may_manage(&self, id: ConnectionId) -> bool {
        self.crowd.get(id).is_some_and(|connection| connection.role.may_manage())
    }

    fn notice(&self, id: ConnectionId, code: Code) {
        if let Some(connection) = self.crowd.get(id) {
            connection.mailbox.notice(code);
        }
    }

    /// Takes over what somebody else changed in the row: its name, its quota, what it takes up.
    fn changed(&mut self, row: RoomRow) {
        if row.key == self.row.key && row.log_id == self.row.log_id {
            // Somebody read the row a moment ago; how far the log is, nobody knows but us.
            let seq = self.row.seq;
            self.row = row;
            self.row.seq = seq;
            self.tell_if_read_only();
        }
    }

    /// Makes a snapshot beside the room's life, so that joining stays quick.
    fn compact_if_long(&mut self) {
        if self.tail_bytes < self.tail_bytes_max {
            return;
        }
        self.tail_bytes = 0;
        self.tail_bytes_max = TAIL_BYTES_MIN.max(self.row.used_bytes / 2);
        let (store, live) = (self.store.clone(), Arc::clone(&self.live));
        self.scope.named("compaction").spawn(async move { compact(&store, &live).await });
    }

    async fn compact_at_end(&mut self) {
        if self.tail_bytes >= TAIL_BYTES_AT_END
            && self.trouble.is_none()
            && let Err(error) = self.store.compact(self.row.key).await
        {
            tracing::warn!(room = %self.live.id, %error, "a snapshot could not be made");
        }
    }
}

async fn compact(store: &Store, live: &Live) -> Result<(), ballet::Error> {
    if let Err(error) = store.compact(live.key).await {
        tracing::warn!(room = %live.id, %error, "a snapshot could not be made");
        return Ok(());
    }
    if let Ok(Some(row)) = store.room(live.id).await {
        // A room that has ended does not need it.
        let _ = live.inbox.send(Message::Changed(row)).await;
    }
    Ok(())
}

/// Waits until then; for ever, where there is no such time.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
