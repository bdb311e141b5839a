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
use std::time::Duration;

use crossbeam_deque::Worker;
use tokio::task::coop::has_budget_remaining;
use tokio::task::yield_now;

use super::clock::{self, Moment};
use super::crew::{Crew, Work};
use super::guest::Ran;
#[cfg(feature = "testing")]
use super::order;
use super::vigil::Vigil;
use super::watch;

/// How long a lane runs before Tokio's drivers and other tasks have their turn.
const SLICE: Duration = Duration::from_micros(200);
/// Polls after which they have it whatever the clock says, since a virtual one stands still.
const POLLS_PER_SLICE: u32 = 4096;
/// Polls between two looks at the clock. Short polls are many and the clock is not free.
const POLLS_PER_LOOK: u32 = 16;
/// A mean poll longer than this is worth a look at the clock each time.
const LONG_POLL: Duration = Duration::from_micros(2);
/// Queued work that would take longer than this is worth the waking of another worker, which takes some tens of
/// microseconds of its own.
const WORTH_SHARING: Duration = Duration::from_micros(40);
/// Polls shorter than this gain nothing from another core: moving the cells there takes as long.
const TOO_SHORT_TO_SHARE: Duration = Duration::from_nanos(500);
/// Where a look covers one poll alone, that has to be longer: the first after a sleep finds all caches cold.
const ONE_TOO_SHORT_TO_SHARE: Duration = Duration::from_micros(5);

/// One lane of a crew.
pub(super) struct Lane {
    crew: Arc<Crew>,
    index: usize,
    /// In the thread's slot while the lane is polled.
    home: Option<Active>,
    /// The mean duration of a poll, as last measured.
    mean: Duration,
    vigil: Vigil,
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
        let home = Some(Active { crew: Arc::clone(&crew), queue });
        Self { crew, index, home, mean: Duration::ZERO, vigil: Vigil::default() }
    }

    /// Runs guests until the slice is over (`true`) or no work is left (`false`).
    fn work(&mut self, round: &mut Round) -> bool {
        // Guests that always have more to do must not keep out what comes from outside.
        if self.has_more() {
            self.take_in();
        }
        if self.mean > LONG_POLL {
            self.share();
        }
        while let Some(work) = self.next() {
            run(&self.crew, work);
            round.polls += 1;
            if self.is_look_due(round) {
                self.look(round);
                if round.looked.since(round.start) > SLICE || round.polls > POLLS_PER_SLICE {
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
    fn work_as_told(&mut self, round: &mut Round) -> bool {
        if !order::is_set() {
            return self.work(round);
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
    fn work_as_told(&mut self, round: &mut Round) -> bool {
        self.work(round)
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

    /// Whether the lane goes on looking for work though it has lain down. Never on one lane, where the clock may be a
    /// virtual one, on which a vigil would not end.
    fn stays_up(&mut self, round: &Round) -> bool {
        self.crew.is_watched() && self.vigil.lasts(round.start)
    }

    fn next(&self) -> Option<Work> {
        ACTIVE.with_borrow(|active| {
            let queue = &active.as_ref()?.queue;
            queue.pop().or_else(|| self.crew.find_work(self.index, queue))
        })
    }

    /// Whether it is time to look at the clock: after the first two polls if others wait behind them, so that long ones
    /// are known at once, though the first may be of the body that has just spawned them; then where polls are long after
    /// each, and otherwise after some.
    fn is_look_due(&self, round: &Round) -> bool {
        let unseen = round.polls - round.polls_seen;
        self.mean > LONG_POLL || unseen >= POLLS_PER_LOOK || round.polls <= 2 && self.has_more()
    }

    fn has_more(&self) -> bool {
        ACTIVE.with_borrow(|active| active.as_ref().is_some_and(|active| !active.queue.is_empty()))
    }

    /// Looks at the clock, and whether there is too much for one lane.
    fn look(&mut self, round: &mut Round) {
        let now = clock::look_again();
        let polls = round.polls - round.polls_seen;
        self.mean = now.since(round.looked) / polls;
        (round.looked, round.polls_seen) = (now, round.polls);
        self.crew.note_round(self.index);
        if polls > 1 || self.mean > ONE_TOO_SHORT_TO_SHARE {
            self.share();
        }
    }

    /// Takes in what has come from outside; gives how much is queued.
    fn take_in(&self) -> usize {
        ACTIVE.with_borrow(|active| {
            let Some(Active { queue, .. }) = active else { return 0 };
            if let Some(work) = self.crew.take_injected(queue) {
                queue.push(work);
            }
            queue.len()
        })
    }

    /// Takes in what has come from outside, and wakes another lane where there is too much for one.
    fn share(&self) {
        let queued = u32::try_from(self.take_in()).unwrap_or(u32::MAX);
        if self.mean > TOO_SHORT_TO_SHARE
            && self.crew.parking.has_sleepers()
            && self.mean.saturating_mul(queued) > WORTH_SHARING
        {
            self.crew.reinforce_from_within();
        }
    }
}

/// What a lane has done since Tokio polled it.
pub(super) struct Round {
    pub(super) start: Moment,
    pub(super) polls: u32,
    /// The last look at the clock, and the polls before it.
    pub(super) looked: Moment,
    polls_seen: u32,
}

impl Round {
    fn begin(start: Moment) -> Self {
        Self { start, polls: 0, looked: start, polls_seen: 0 }
    }

    /// A round of one poll.
    #[cfg(all(test, not(ballet_loom)))]
    pub(super) fn of(start: Moment, looked: Moment) -> Self {
        Self { start, polls: 1, looked, polls_seen: 1 }
    }
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
    home: &'a mut Option<Active>,
    outer: Option<Active>,
}

impl Drop for Restore<'_> {
    fn drop(&mut self) {
        clock::forget_clock();
        *self.home = ACTIVE.replace(self.outer.take());
    }
}

impl Future for Lane {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<()> {
        let lane = &mut *self;
        let Some(active) = lane.home.take() else { return Poll::Ready(()) };
        if lane.crew.parking.rise(lane.index) {
            // The watch may have fallen asleep while this lane lay.
            watch::wake();
        }
        lane.crew.note_round(lane.index);
        let mut round = Round::begin(clock::look_again());
        let mut home = None;
        let restore = Restore { home: &mut home, outer: ACTIVE.replace(Some(active)) };
        let has_more = lane.work_as_told(&mut round);
        lane.vigil.note(&round, has_more, lane.crew.calls());
        let comes_back = has_more || !lane.falls_asleep(cx) || lane.stays_up(&round);
        drop(restore);
        lane.home = home;
        if comes_back {
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
        drop(self.home.take());
    }
}
