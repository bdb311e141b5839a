//! The rooms that somebody is in.
//!
//! A room is loaded when the first connection asks for it, runs as a child of its own under a supervisor scope, and is
//! let go when it has been empty for a while. One whose writer fails or panics ends everybody's connection with "come
//! again" and is started anew; the others do not notice. Nothing of a room is kept here but the way to reach it.

#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use ballet::{SupervisorScope, channel::Receiver};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep},
};

use crate::{
    metrics::Metrics,
    model::{Code, RoomId},
    room::{self, Joined, Joining, Limits, Live, Message},
    store::{RoomRow, Store},
};

/// A writer that failed is started again so often …
const RESTARTS_MAX: usize = 5;
/// … within this time; then the room is given up until somebody asks for it again.
const RESTARTS_WITHIN: Duration = Duration::from_secs(60);
/// The pause before a writer is started again.
const RESTART_PAUSE: Duration = Duration::from_millis(200);
/// A room that ended in the moment in which somebody came is asked for again so often.
const ENTER_TRIES: usize = 3;

/// The way to the rooms; cloning it is cheap.
#[derive(Debug, Clone)]
pub(crate) struct Rooms(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    metrics: Arc<Metrics>,
    limits: Limits,
    live: Mutex<HashMap<RoomId, Arc<Live>>>,
    /// Where rooms run, once [`Rooms::run`] does.
    scope: OnceLock<SupervisorScope>,
}

impl Rooms {
    pub(crate) fn new(store: Store, metrics: Arc<Metrics>, limits: Limits) -> Self {
        let live = Mutex::default();
        Self(Arc::new(Inner { store, metrics, limits, live, scope: OnceLock::new() }))
    }

    pub(crate) fn limits(&self) -> Limits {
        self.0.limits
    }

    /// Lets rooms run until the stage drains and the last connection has left them.
    ///
    /// # Errors
    ///
    /// None that a room has.
    ///
    /// # Cancel safety
    ///
    /// What is not acknowledged yet may be lost, and its author has it still.
    pub(crate) async fn run(self) -> Result<(), ballet::Error> {
        ballet::supervisor_scope(async |scope: SupervisorScope| {
            // It runs once.
            let _ = self.0.scope.set(scope);
            ballet::draining().await;
            Ok(())
        })
        .await?;
        Ok(())
    }

    /// Brings somebody who was let in into the room.
    ///
    /// # Errors
    ///
    /// With what they are told.
    pub(crate) async fn enter(
        &self,
        row: &RoomRow,
        mut joining: impl FnMut() -> Joining,
    ) -> Result<(Arc<Live>, Joined), Code> {
        for _ in 0..ENTER_TRIES {
            let live = self.live_or_start(row)?;
            let (answer, answered) = oneshot::channel();
            // One that ended a moment ago takes no message, or drops it; the next one is asked then.
            let message = Message::Join { joining: joining(), answer };
            if live.inbox.send(message).await.is_err() {
                continue;
            }
            if let Ok(joined) = answered.await {
                return Ok((live, joined?));
            }
        }
        Err(Code::Internal)
    }

    fn live_or_start(&self, row: &RoomRow) -> Result<Arc<Live>, Code> {
        let mut rooms = self.lock();
        if let Some(live) = rooms.get(&row.id).filter(|live| live.key == row.key) {
            return Ok(Arc::clone(live));
        }
        let scope = self.0.scope.get().ok_or(Code::GoingAway)?;
        let (live, messages) = Live::new(row);
        let room = keep_running(self.clone(), Arc::clone(&live), messages);
        scope.named(row.id.to_string()).try_spawn(room).map_err(|_| Code::GoingAway)?;
        rooms.insert(row.id, Arc::clone(&live));
        Ok(live)
    }

    /// Tells a room something, if it is live.
    pub(crate) async fn tell(&self, id: RoomId, message: Message) {
        let live = self.lock().get(&id).cloned();
        if let Some(live) = live {
            // One that ends does not need to know.
            let _ = live.inbox.send(message).await;
        }
    }

    /// How many connections are in a room.
    pub(crate) fn online(&self, id: RoomId) -> u64 {
        self.lock().get(&id).map_or(0, |live| live.online())
    }

    /// Who is in a room.
    pub(crate) fn people(&self, id: RoomId) -> HashSet<u32> {
        self.lock().get(&id).map_or_else(HashSet::new, |live| live.board.people())
    }

    /// Every live room, with its connections.
    pub(crate) fn census(&self) -> Vec<(RoomId, u64)> {
        self.lock().iter().map(|(&id, live)| (id, live.online())).collect()
    }

    fn forget(&self, live: &Arc<Live>) {
        let mut rooms = self.lock();
        if rooms.get(&live.id).is_some_and(|known| Arc::ptr_eq(known, live)) {
            rooms.remove(&live.id);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RoomId, Arc<Live>>> {
        self.0.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a room until its writer ends by itself, and starts the writer again when it fails.
async fn keep_running(
    rooms: Rooms,
    live: Arc<Live>,
    messages: Receiver<Message>,
) -> Result<(), ballet::Error> {
    let forget = Forget { rooms: rooms.clone(), live: Arc::clone(&live) };
    ballet::supervisor_scope(async |scope: SupervisorScope| {
        scope.named("board").spawn(Arc::clone(&live.board).publish());
        let mut failures: Vec<Instant> = Vec::new();
        loop {
            let Inner { store, metrics, limits, .. } = &*rooms.0;
            let (live, messages, scope_of_writer) = (Arc::clone(&live), messages.clone(), scope.clone());
            let writer =
                room::run(live, messages, store.clone(), Arc::clone(metrics), *limits, scope_of_writer);
            let Err(failure) = scope.named("writer").spawn(async move { Ok(writer.await?) }).await else {
                break;
            };
            metrics.writer_failed();
            failures.retain(|at| at.elapsed() < RESTARTS_WITHIN);
            failures.push(Instant::now());
            let gives_up = is_final(&failure) || failures.len() > RESTARTS_MAX;
            tracing::error!(%failure, gives_up, "the writer of a room failed");
            if gives_up {
                break;
            }
            sleep(RESTART_PAUSE).await;
        }
        // First out of sight, then deaf: whoever comes in between asks for the next one.
        drop(forget);
        drop(messages);
        scope.cancel_children();
        Ok(())
    })
    .await?;
    Ok(())
}

/// Whether starting the writer again would meet the same.
fn is_final(failure: &ballet::Failure<ballet::Error>) -> bool {
    failure
        .error()
        .and_then(|error| error.downcast_ref())
        .is_some_and(|error| matches!(error, room::Error::Gone | room::Error::Fenced))
}

/// Takes a room out of the registry, however it ends.
struct Forget {
    rooms: Rooms,
    live: Arc<Live>,
}

impl Drop for Forget {
    fn drop(&mut self) {
        self.rooms.forget(&self.live);
    }
}
