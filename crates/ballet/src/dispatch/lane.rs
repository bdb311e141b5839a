//! A lane: one long-running Tokio task that polls many guests.
//!
//! While a lane is polled, its queue lies in a thread-local slot, so that whatever its guests wake or spawn goes
//! straight into it. A lane takes from its own queue, then from outside, then from other lanes; it gives the worker
//! back to Tokio after a slice of time or when Tokio's cooperative budget is used up, and sleeps when there is
//! nothing to do.

use std::cell::RefCell;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as Poller, Poll};
use std::time::{Duration, Instant};

use crossbeam_deque::Worker;
use tokio::task::coop::has_budget_remaining;
use tokio::task::yield_now;

use super::clock;
use super::crew::{Crew, Work};
use super::guest::Ran;
#[cfg(feature = "testing")]
use super::order;
use super::watch;

/// How long a lane runs before Tokio's drivers and other tasks have their turn.
const SLICE: Duration = Duration::from_micros(200);
/// Polls between two looks at the clock. Short polls are many and the clock is not free.
const POLLS_PER_LOOK: u32 = 16;
/// A mean poll longer than this is worth a look at the clock each time.
const LONG_POLL: Duration = Duration::from_micros(2);
/// Queued work that would take longer than this is worth the waking of another worker, which takes some tens of
/// microseconds of its own.
const WORTH_SHARING: Duration = Duration::from_micros(40);
/// Polls shorter than this gain nothing from another core: moving the cells there takes as long.
const TOO_SHORT_TO_SHARE: Duration = Duration::from_nanos(500);

/// One lane of a crew.
pub(super) struct Lane {
    crew: Arc<Crew>,
    index: usize,
    /// In the thread's slot while the lane is polled.
    queue: Option<Worker<Work>>,
    /// The mean duration of a poll, as last measured.
    mean: Duration,
}

/// The lane that is being polled on this thread.
struct Active {
    crew: Arc<Crew>,
    queue: Worker<Work>,
}

thread_local! {
    static ACTIVE: RefCell<Option<Active>> = const { RefCell::new(None) };
}

/// Adds work to the lane that is being polled on this thread, if it is one of `crew`; gives it back otherwise.
#[inline]
pub(super) fn add_here(crew: &Arc<Crew>, work: Work) -> Option<Work> {
    let mut left = Some(work);
    // A thread that ends may have no slot any more; it can wake guests all the same.
    let _ = ACTIVE.try_with(|active| {
        if let Some(active) = &*active.borrow()
            && Arc::ptr_eq(&active.crew, crew)
        {
            left.take().into_iter().for_each(|work| active.queue.push(work));
        }
    });
    left
}

impl Lane {
    pub(super) fn new(crew: Arc<Crew>, index: usize, queue: Worker<Work>) -> Self {
        Self { crew, index, queue: Some(queue), mean: Duration::ZERO }
    }

    /// Runs guests until the slice is over (`true`) or no work is left (`false`).
    fn work(&mut self) -> bool {
        let start = Instant::now();
        let mut look = Look { at: start, polls: 0 };
        while let Some(work) = self.next() {
            run(&self.crew, work);
            look.polls += 1;
            if look.polls >= POLLS_PER_LOOK || self.mean > LONG_POLL {
                self.look(&mut look);
                if look.at - start > SLICE {
                    return true;
                }
            }
            if !has_budget_remaining() {
                return true;
            }
        }
        false
    }

    /// As [`work`](Self::work), in the order that a test has set for this thread, if one has.
    #[cfg(feature = "testing")]
    fn work_as_told(&mut self) -> bool {
        if !order::is_set() {
            return self.work();
        }
        let mut ready = Vec::new();
        loop {
            ready.extend(std::iter::from_fn(|| self.next()));
            let next = order::pick(ready.len());
            if let Some(next) = next {
                run(&self.crew, ready.remove(next));
            }
            let gives_way = next.is_some() && (order::note_poll() || !has_budget_remaining());
            if gives_way || next.is_none() {
                let has_more = gives_way || !ready.is_empty();
                ready.into_iter().for_each(|work| self.crew.add(work));
                return has_more;
            }
        }
    }

    #[cfg(not(feature = "testing"))]
    fn work_as_told(&mut self) -> bool {
        self.work()
    }

    /// Lies down, unless work has come meanwhile.
    fn falls_asleep(&self, cx: &Poller<'_>) -> bool {
        self.crew.parking.lie_down(self.index, cx);
        if !self.crew.has_work() {
            return true;
        }
        self.crew.parking.rise(self.index);
        // It may have looked in the moment in which this lane lay.
        watch::wake();
        false
    }

    fn next(&self) -> Option<Work> {
        ACTIVE.with_borrow(|active| {
            let queue = &active.as_ref()?.queue;
            queue.pop().or_else(|| self.crew.find_work(self.index, queue))
        })
    }

    /// Looks at the clock, at what has come from outside, and at whether there is too much for one lane.
    fn look(&mut self, look: &mut Look) {
        let now = Instant::now();
        self.mean = (now - look.at) / look.polls;
        *look = Look { at: now, polls: 0 };
        clock::look_again();
        self.crew.note_round(self.index);
        let queued = ACTIVE.with_borrow(|active| {
            let Some(Active { queue, .. }) = active else { return 0 };
            if let Some(work) = self.crew.take_injected(queue) {
                queue.push(work);
            }
            queue.len()
        });
        let queued = u32::try_from(queued).unwrap_or(u32::MAX);
        if self.mean > TOO_SHORT_TO_SHARE
            && self.crew.parking.has_sleepers()
            && self.mean.saturating_mul(queued) > WORTH_SHARING
        {
            self.crew.reinforce_from_within();
        }
    }
}

/// When a lane last looked at the clock, and how many polls there were since.
struct Look {
    at: Instant,
    polls: u32,
}

fn run(crew: &Arc<Crew>, work: Work) {
    match work {
        Work::Turn(turn) => {
            if let Ran::Again(turn) = turn.run() {
                crew.add(Work::Turn(turn));
            }
        }
        Work::View(ticket) => ticket.run(),
    }
}

/// Takes the queue out of the slot when the poll of a lane ends, however it ends.
struct Restore<'a> {
    home: &'a mut Option<Worker<Work>>,
    outer: Option<Active>,
}

impl Drop for Restore<'_> {
    fn drop(&mut self) {
        clock::forget_clock();
        *self.home = ACTIVE.replace(self.outer.take()).map(|active| active.queue);
    }
}

impl Future for Lane {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<()> {
        let lane = &mut *self;
        let Some(queue) = lane.queue.take() else { return Poll::Ready(()) };
        lane.crew.parking.rise(lane.index);
        lane.crew.note_round(lane.index);
        clock::look_again();
        let outer = ACTIVE.replace(Some(Active { crew: Arc::clone(&lane.crew), queue }));
        let mut home = None;
        let restore = Restore { home: &mut home, outer };
        let has_more = lane.work_as_told() || !lane.falls_asleep(cx);
        drop(restore);
        lane.queue = home;
        if has_more {
            // Tokio polls its drivers before it comes back to a task that yields like this.
            let _ = pin!(yield_now()).poll(cx);
        }
        Poll::Pending
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        // Closed first: what the jobs in the queue wake as they end is not to be queued again.
        self.crew.lane_dropped();
        drop(self.queue.take());
    }
}
