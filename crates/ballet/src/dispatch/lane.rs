//! A lane: one long-running Tokio task that polls many guests.
//!
//! While a lane polls a guest, its thread knows its queue (`active`), so that whatever the guest wakes or spawns goes
//! straight into it. A lane takes from its own queue, then from outside, then from other lanes; it gives the worker
//! back to Tokio after a slice of time or when Tokio's cooperative budget is used up, and sleeps when there is
//! nothing to do.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as Poller, Poll};
use std::time::Duration;

use crossbeam_deque::Worker;
use tokio::task::coop::has_budget_remaining;
use tokio::task::yield_now;

use super::active::Active;
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
    /// `None` while the lane is polled.
    active: Option<Active>,
    /// The mean duration of a poll, as last measured.
    mean: Duration,
    vigil: Vigil,
}

impl Lane {
    pub(super) fn new(crew: Arc<Crew>, index: usize, queue: Worker<Work>) -> Self {
        let active = Some(Active::new(Arc::clone(&crew), queue));
        Self { crew, index, active, mean: Duration::ZERO, vigil: Vigil::default() }
    }

    /// Runs guests until the slice is over (`true`) or no work is left (`false`).
    fn work(&mut self, active: &Active, round: &mut Round) -> bool {
        // Guests that always have more to do must not keep out what comes from outside.
        if !active.queue.is_empty() {
            self.take_in(active);
        }
        if self.mean > LONG_POLL {
            self.share(active);
        }
        while let Some(work) = self.next(active) {
            active.around(|| run(&self.crew, work));
            round.polls += 1;
            if self.is_look_due(active, round) {
                self.look(active, round);
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
    fn work_as_told(&mut self, active: &Active, round: &mut Round) -> bool {
        if !order::is_set() {
            return self.work(active, round);
        }
        let mut ready = Vec::new();
        loop {
            ready.extend(std::iter::from_fn(|| self.next(active)));
            let next = order::pick(ready.len());
            if let Some(next) = next {
                let work = ready.remove(next);
                active.around(|| run(&self.crew, work));
            }
            let gives_way = next.is_some() && (order::note_poll() || !has_budget_remaining());
            if gives_way || next.is_none() {
                let has_more = gives_way || !ready.is_empty();
                ready.into_iter().for_each(|work| active.queue.push(work));
                return has_more;
            }
        }
    }

    #[cfg(not(feature = "testing"))]
    fn work_as_told(&mut self, active: &Active, round: &mut Round) -> bool {
        self.work(active, round)
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

    fn next(&self, active: &Active) -> Option<Work> {
        active.queue.pop().or_else(|| self.crew.find_work(self.index, &active.queue))
    }

    /// Whether it is time to look at the clock: after the first two polls if others wait behind them, so that long ones
    /// are known at once, though the first may be of the body that has just spawned them; then where polls are long after
    /// each, and otherwise after some.
    fn is_look_due(&self, active: &Active, round: &Round) -> bool {
        let unseen = round.polls - round.polls_seen;
        self.mean > LONG_POLL || unseen >= POLLS_PER_LOOK || round.polls <= 2 && !active.queue.is_empty()
    }

    /// Looks at the clock, and whether there is too much for one lane.
    fn look(&mut self, active: &Active, round: &mut Round) {
        let now = clock::look_again();
        let (polls, added) = (round.polls - round.polls_seen, active.take_added());
        let spent = now.since(round.looked);
        (round.looked, round.polls_seen) = (now, round.polls);
        self.crew.note_round(self.index);
        self.mean = mean_of(spent, polls, added, self.mean);
        if polls > 1 || self.mean > ONE_TOO_SHORT_TO_SHARE {
            self.share(active);
        }
    }

    /// Takes in what has come from outside; gives how much is queued.
    fn take_in(&self, active: &Active) -> usize {
        if let Some(work) = self.crew.take_injected(&active.queue) {
            active.queue.push(work);
        }
        active.queue.len()
    }

    /// Takes in what has come from outside, and wakes another lane where there is too much for one.
    fn share(&self, active: &Active) {
        let queued = u32::try_from(self.take_in(active)).unwrap_or(u32::MAX);
        if self.mean > TOO_SHORT_TO_SHARE
            && self.crew.parking.has_sleepers()
            && self.mean.saturating_mul(queued) > WORTH_SHARING
        {
            self.crew.reinforce_from_within();
        }
    }
}

/// How long a poll takes, by the last ones. Where they queued more than they were, somebody has spawned: what that took
/// says little of what was spawned, of which the polls before may say more.
fn mean_of(spent: Duration, polls: u32, added: u32, before: Duration) -> Duration {
    if added > polls { before.max(spent / added) } else { spent / polls }
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

impl Future for Lane {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<()> {
        let lane = &mut *self;
        let Some(active) = lane.active.take() else { return Poll::Ready(()) };
        if lane.crew.parking.rise(lane.index) {
            // The watch may have fallen asleep while this lane lay.
            watch::wake();
        }
        lane.crew.note_round(lane.index);
        let (looked, now) = clock::look_afresh();
        let mut round = Round::begin(now);
        active.take_added();
        let has_more = lane.work_as_told(&active, &mut round);
        lane.vigil.note(&round, has_more, lane.crew.calls());
        let comes_back = has_more || !lane.falls_asleep(cx) || lane.stays_up(&round);
        drop(looked);
        lane.active = Some(active);
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
        self.active = None;
    }
}

#[cfg(all(test, not(ballet_loom)))]
mod tests {
    use super::*;

    const MICROSECOND: Duration = Duration::from_micros(1);

    #[test]
    fn a_mean_is_what_the_last_polls_took() {
        assert_eq!(mean_of(30 * MICROSECOND, 3, 3, 100 * MICROSECOND), 10 * MICROSECOND);
    }

    #[test]
    fn what_took_long_to_spawn_is_not_thought_to_take_long_itself() {
        let of_a_thousand = mean_of(60 * MICROSECOND, 1, 1000, Duration::ZERO);
        assert!(of_a_thousand < TOO_SHORT_TO_SHARE);
        assert_eq!(mean_of(3 * MICROSECOND, 1, 16, 10 * MICROSECOND), 10 * MICROSECOND);
    }

    #[test]
    fn a_tree_of_long_polls_is_known_to_be_long_while_it_grows() {
        assert!(mean_of(40 * MICROSECOND, 1, 2, Duration::ZERO) > ONE_TOO_SHORT_TO_SHARE);
    }
}
