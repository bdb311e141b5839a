//! The guests of a local scope: polled inside the task of that scope, in the order in which they were woken.
//!
//! A queue is filled by any thread that wakes a guest, and run by the scope's own future. It is closed when that
//! future is dropped; a turn that comes later is dropped where it is, which ends its guest.

use std::collections::VecDeque;
use std::mem;
use std::task::Context as Poller;

use atomic_waker::AtomicWaker;
use tokio::runtime::Handle;
use tokio::task::coop::has_budget_remaining;

use super::guest::{Ran, Turn};
#[cfg(feature = "testing")]
use super::order;
use crate::sync::Mutex;

/// How many polls a scope's task makes before it yields to others.
const POLLS_PER_RUN: usize = 256;

/// The guests of one local scope that want to be polled.
pub(crate) struct LocalQueue {
    ready: Mutex<Ready>,
    /// The task of the scope.
    waker: AtomicWaker,
    pub(super) runtime: Handle,
}

#[derive(Default)]
struct Ready {
    turns: VecDeque<Turn>,
    /// The task is running the queue, or has been woken to do so: nobody has to wake it.
    is_attended: bool,
    is_closed: bool,
}

impl LocalQueue {
    pub(super) fn new(runtime: Handle) -> Self {
        Self { ready: Mutex::new(Ready::default()), waker: AtomicWaker::new(), runtime }
    }

    pub(super) fn add(&self, turn: Turn) {
        let mut ready = super::lock(&self.ready);
        if ready.is_closed {
            // Its destructors may come back here, so not under the lock.
            drop(ready);
            return drop(turn);
        }
        ready.turns.push_back(turn);
        let was_attended = mem::replace(&mut ready.is_attended, true);
        drop(ready);
        if !was_attended {
            self.waker.wake();
        }
    }

    /// Polls what is ready, and what becomes ready meanwhile, until nothing is or it is time for other tasks.
    /// Returns whether it came to the second.
    pub(crate) fn run(&self, cx: &Poller<'_>) -> bool {
        self.waker.register(cx.waker());
        super::lock(&self.ready).is_attended = true;
        let mut polls = 0;
        while let Some(mut batch) = self.next_batch() {
            while let Some(turn) = next(&mut batch) {
                polls += 1;
                if let Ran::Again(turn) = turn.run() {
                    self.add(turn);
                }
                if gives_way() || polls >= POLLS_PER_RUN || !has_budget_remaining() {
                    self.put_back(batch);
                    cx.waker().wake_by_ref();
                    return true;
                }
            }
        }
        false
    }

    /// All that is ready; `None` where nothing is, and from then on whoever adds a turn wakes the task.
    fn next_batch(&self) -> Option<VecDeque<Turn>> {
        let mut ready = super::lock(&self.ready);
        ready.is_attended = !ready.turns.is_empty();
        ready.is_attended.then(|| mem::take(&mut ready.turns))
    }

    /// Puts the rest of a batch before what has come since.
    fn put_back(&self, mut batch: VecDeque<Turn>) {
        let mut ready = super::lock(&self.ready);
        batch.append(&mut ready.turns);
        ready.turns = batch;
    }

    /// Drops what is queued, and whatever comes from now on.
    pub(crate) fn close(&self) {
        let mut ready = super::lock(&self.ready);
        ready.is_closed = true;
        let turns = mem::take(&mut ready.turns);
        drop(ready);
        drop(turns);
    }
}

/// The first of a batch, or the one that is next in the order of a test.
#[cfg(feature = "testing")]
fn next(batch: &mut VecDeque<Turn>) -> Option<Turn> {
    // Also before a cut: a turn that is taken is run, and the way is given right after it.
    batch.remove(order::pick(batch.len()).unwrap_or(0))
}

#[cfg(not(feature = "testing"))]
fn next(batch: &mut VecDeque<Turn>) -> Option<Turn> {
    batch.pop_front()
}

/// Whether a test wants other tasks to have their turn.
#[cfg(feature = "testing")]
fn gives_way() -> bool {
    order::note_poll()
}

#[cfg(not(feature = "testing"))]
fn gives_way() -> bool {
    false
}
