//! The lanes of one runtime, and what they share.
//!
//! A crew is made by the first scope that is opened on a runtime, and closed when that runtime is shut down: its
//! lanes are tasks of the runtime, and the runtime drops them. It refuses to outlive them: work that is added to a
//! closed crew is dropped there and then, which ends its job.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

use crossbeam_deque::{Injector, Steal, Stealer, Worker};
use tokio::runtime::{Handle, Id};

use super::active;
use super::clearing::Clearing;
use super::guest::Turn;
use super::hold::{self, When};
use super::lane::Lane;
use super::parking::{LANES_MAX, Parking};
use super::view::Ticket;
use super::watch;

/// Something that a lane does next.
pub(crate) enum Work {
    /// A poll of one guest.
    Turn(Turn),
    /// A poll of the next guest of a limited view.
    View(Ticket),
}

/// The lanes of one runtime.
pub(crate) struct Crew {
    id: Id,
    pub(super) parking: Parking,
    /// Work that was added from outside the lanes.
    injector: Injector<Work>,
    /// How often work was added neither by a lane nor by the body of a scope, but by one of Tokio's drivers or anybody
    /// else; counted where the watch looks after the crew.
    calls: Calls,
    /// The other end of each lane's own queue.
    stealers: Box<[Stealer<Work>]>,
    /// What each lane has done, for the watch.
    progress: Box<[Progress]>,
    /// Lanes that have not been dropped.
    alive: AtomicUsize,
    closed: AtomicBool,
    /// The dropping of work that is added to a closed crew.
    clearing: Clearing,
    handle: Handle,
}

/// How far a lane has come. In a cache line of its own, because a lane writes it often.
#[derive(Default)]
#[repr(align(64))]
struct Progress {
    /// Counted up by the lane, between its polls.
    rounds: AtomicU64,
    /// What the watch saw at its last look.
    seen: AtomicU64,
}

/// In a cache line of its own, as [`Progress`].
#[derive(Default)]
#[repr(align(64))]
struct Calls(AtomicU64);

/// The crews of all runtimes of the process.
static CREWS: LazyLock<Mutex<HashMap<Id, Arc<Crew>>>> = LazyLock::new(Mutex::default);

/// What is called when a crew has closed: it wakes every guest there is, and those of the crew are dropped as they
/// are queued.
static WHEN_CLOSED: OnceLock<fn()> = OnceLock::new();

/// Sets what wakes every guest of the process; the first call counts.
pub(crate) fn when_closed(wake_all: fn()) {
    WHEN_CLOSED.get_or_init(|| wake_all);
}

thread_local! {
    /// The crew that was last asked for on this thread.
    static LAST: RefCell<Option<Arc<Crew>>> = const { RefCell::new(None) };
}

impl Crew {
    /// The crew of the runtime that `handle` belongs to.
    pub(super) fn of(handle: &Handle) -> Arc<Self> {
        let id = handle.id();
        let last = LAST.with_borrow(|last| last.as_ref().filter(|crew| crew.id == id).cloned());
        last.unwrap_or_else(|| {
            let crew = Self::find(id, handle);
            drop(LAST.replace(Some(Arc::clone(&crew))));
            crew
        })
    }

    fn find(id: Id, handle: &Handle) -> Arc<Self> {
        let mut crews = CREWS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(crew) = crews.get(&id) {
            return Arc::clone(crew);
        }
        let (crew, queues) = Self::assemble(id, handle);
        crews.insert(id, Arc::clone(&crew));
        // A runtime that is gone drops its lanes as they are spawned, and the last of them takes the crew out again.
        drop(crews);
        crew.start(queues);
        crew
    }

    /// A crew whose lanes do not run yet, and the queues for them.
    fn assemble(id: Id, handle: &Handle) -> (Arc<Self>, Vec<Worker<Work>>) {
        let lanes = handle.metrics().num_workers().clamp(1, LANES_MAX);
        let queues: Vec<_> = (0..lanes).map(|_| Worker::new_fifo()).collect();
        let crew = Arc::new(Self {
            id,
            parking: Parking::new(lanes),
            injector: Injector::new(),
            calls: Calls::default(),
            stealers: queues.iter().map(Worker::stealer).collect(),
            progress: (0..lanes).map(|_| Progress::default()).collect(),
            alive: AtomicUsize::new(lanes),
            closed: AtomicBool::new(false),
            clearing: Clearing::default(),
            handle: handle.clone(),
        });
        (crew, queues)
    }

    #[expect(clippy::disallowed_methods, reason = "the lanes are the tasks that everything else runs in")]
    fn start(self: &Arc<Self>, queues: Vec<Worker<Work>>) {
        if self.is_watched() {
            watch::over(self);
        }
        for (index, queue) in queues.into_iter().enumerate() {
            drop(self.handle.spawn(Lane::new(Arc::clone(self), index, queue)));
        }
    }

    /// Adds work, from a lane of this crew or from anywhere else.
    #[inline]
    pub(crate) fn add(self: &Arc<Self>, work: Work) {
        if let Some(work) = active::add_here(self, work) {
            self.add_from_outside(work);
        }
    }

    fn add_from_outside(self: &Arc<Self>, work: Work) {
        let when = self.when_to_wake();
        self.injector.push(work);
        match when {
            _ if self.is_closed() => self.clear(),
            // The watch sees to it that the body's poll does not keep the work waiting for long.
            When::Later => watch::wake(),
            When::Now => self.wake_for_work(),
        }
    }

    /// When a lane is woken for work that is being added from outside; counts a call where no body adds it.
    fn when_to_wake(self: &Arc<Self>) -> When {
        if !self.is_watched() {
            return When::Now;
        }
        hold::when_to_wake(self).unwrap_or_else(|| {
            self.calls.0.fetch_add(1, Ordering::Relaxed);
            When::Now
        })
    }

    /// How often work was called out from outside.
    pub(super) fn calls(&self) -> u64 {
        self.calls.0.load(Ordering::Relaxed)
    }

    /// Whether the watch looks after the crew: where there is one lane, there is none that it could wake to help.
    pub(super) fn is_watched(&self) -> bool {
        self.stealers.len() > 1
    }

    /// Wakes a lane if all sleep.
    pub(super) fn wake_for_work(&self) {
        if let Some(waker) = self.parking.work_added() {
            waker.wake();
            watch::wake();
        }
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Work from outside first, as much as is good for a batch; then what other lanes have queued.
    pub(super) fn find_work(&self, lane: usize, queue: &Worker<Work>) -> Option<Work> {
        self.take_injected(queue).or_else(|| self.steal(lane, queue))
    }

    pub(super) fn take_injected(&self, queue: &Worker<Work>) -> Option<Work> {
        if self.injector.is_empty() {
            return None;
        }
        settle(|| self.injector.steal_batch_and_pop(queue))
    }

    fn steal(&self, lane: usize, queue: &Worker<Work>) -> Option<Work> {
        let lanes = self.stealers.len();
        (1..lanes).find_map(|distance| {
            let victim = &self.stealers[(lane + distance) % lanes];
            if victim.is_empty() { None } else { settle(|| victim.steal_batch_and_pop(queue)) }
        })
    }

    /// Whether there is work that a lane could find.
    pub(super) fn has_work(&self) -> bool {
        !self.injector.is_empty() || self.stealers.iter().any(|stealer| !stealer.is_empty())
    }

    /// Says that a lane is between two polls.
    pub(super) fn note_round(&self, lane: usize) {
        self.progress[lane].rounds.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether work waits behind a poll that has lasted since this was last asked, or for lanes that all sleep. For
    /// the watch.
    pub(super) fn has_stalled(&self) -> bool {
        let (mut all_stand_still, mut any_is_stuck) = (true, false);
        for (progress, queue) in self.progress.iter().zip(&self.stealers) {
            let rounds = progress.rounds.load(Ordering::Relaxed);
            let stands_still = progress.seen.swap(rounds, Ordering::Relaxed) == rounds;
            all_stand_still &= stands_still;
            any_is_stuck |= stands_still && !queue.is_empty();
        }
        any_is_stuck || all_stand_still && !self.injector.is_empty()
    }

    /// Wakes one more lane, from a thread of the runtime that is in the middle of a poll.
    ///
    /// Tokio puts a task that is woken on a worker into that worker's slot for the next task, which no other worker
    /// can steal from; and this worker is busy. An empty task takes the slot, so that the lane moves into the queue.
    #[expect(clippy::disallowed_methods, reason = "an empty task, to push the lane out of a slot")]
    pub(super) fn reinforce_from_within(&self) {
        if let Some(waker) = self.parking.reinforce() {
            waker.wake();
            drop(self.handle.spawn(std::future::ready(())));
        }
    }

    /// A lane was dropped, which only the end of its runtime does.
    pub(super) fn lane_dropped(&self) {
        self.closed.store(true, Ordering::SeqCst);
        if self.alive.fetch_sub(1, Ordering::AcqRel) == 1 {
            let mut crews = CREWS.lock().unwrap_or_else(PoisonError::into_inner);
            crews.remove(&self.id);
            drop(crews);
            if let Some(wake_all) = WHEN_CLOSED.get() {
                wake_all();
            }
        }
        self.clear();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Drops the work that nobody will do any more: its jobs end.
    ///
    /// What their destructors wake comes back here, and is left to the caller that is already at it: each dropped
    /// inside the other, a long chain of jobs would use up the stack.
    fn clear(&self) {
        self.clearing.run(|| {
            while let Some(work) = settle(|| self.injector.steal()) {
                drop(work);
            }
        });
    }
}

/// Repeats a step until it neither has to be repeated nor lost a race.
fn settle<T>(mut step: impl FnMut() -> Steal<T>) -> Option<T> {
    loop {
        match step() {
            Steal::Success(value) => return Some(value),
            Steal::Empty => return None,
            Steal::Retry => {}
        }
    }
}

impl fmt::Debug for Crew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crew")
            .field("runtime", &self.id)
            .field("lanes", &self.stealers.len())
            .finish_non_exhaustive()
    }
}
