//! Many flows that run side by side inside one task, each woken by itself.
//!
//! Each member is polled with a waker of its own. So a wake costs one poll of one member, however many there are, and
//! members that are ready take turns.

#[cfg(all(test, ballet_loom))]
mod models;

use std::collections::VecDeque;
use std::fmt;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Poller, Wake, Waker};

use atomic_waker::AtomicWaker;

use super::basis::Flow;
use super::budget::is_spent;
use super::upstream::{Burst, Upstream};
use crate::job::lock;
use crate::sync::{AtomicU8, Mutex, Ordering};

/// Flows of one kind that are polled together. Seats that have become free are used again.
pub(super) struct Herd<I> {
    seats: Vec<Seat<I>>,
    free: Vec<usize>,
    /// Seats whose members have had a turn and may have more, or have just come.
    ready: VecDeque<usize>,
    bell: Arc<Bell>,
}

struct Seat<I> {
    flow: Pin<Box<Upstream<I>>>,
    call: Arc<Call>,
    /// Of `call`.
    waker: Waker,
}

/// Where members that were woken are written down.
struct Bell {
    woken: Mutex<Vec<usize>>,
    /// The task that polls the herd.
    task: AtomicWaker,
}

/// Values of [`Call::is_queued`].
const FREE: u8 = 0;
const QUEUED: u8 = 1;

/// Wakes one member.
struct Call {
    bell: Arc<Bell>,
    seat: usize,
    /// Whether the seat is written down, at the bell or in `ready`; so it is there at most once.
    is_queued: AtomicU8,
}

impl Call {
    /// Whether the seat was not written down until now, so that the caller does it.
    fn queue(&self) -> bool {
        self.is_queued.swap(QUEUED, Ordering::AcqRel) == FREE
    }

    /// Before a poll: a wake during it counts. Who woke before it found the seat written down, and left it at that; this
    /// step reads theirs, so that the poll sees what they did before. A mere store would not be ordered before what the
    /// poll reads.
    fn begin(&self) {
        self.is_queued.swap(FREE, Ordering::AcqRel);
    }
}

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.queue() {
            lock(&self.bell.woken).push(self.seat);
            self.bell.task.wake();
        }
    }
}

/// How a round went.
pub(super) enum Round<E> {
    /// All wait, or there is none.
    Waits,
    /// Some may have more.
    Spent,
    /// This one has ended, and its seat is free.
    Ended(usize),
    /// The sink broke.
    Paused,
    /// One has failed.
    Failed(E),
}

impl<I> Herd<I> {
    pub(super) fn new() -> Self {
        let bell = Arc::new(Bell { woken: Mutex::default(), task: AtomicWaker::new() });
        Self { seats: Vec::new(), free: Vec::new(), ready: VecDeque::new(), bell }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.seats.len() - self.free.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Lets one more in, which has its first turn in the next round; returns its seat.
    pub(super) fn let_in(&mut self, flow: I) -> usize {
        let seat = match self.free.pop() {
            Some(seat) => seat,
            None => self.add_seat(),
        };
        self.seats[seat].flow.as_mut().begin(flow);
        self.queue(seat);
        seat
    }

    fn add_seat(&mut self) -> usize {
        let seat = self.seats.len();
        let (bell, is_queued) = (Arc::clone(&self.bell), AtomicU8::new(FREE));
        let call = Arc::new(Call { bell, seat, is_queued });
        let waker = Waker::from(Arc::clone(&call));
        self.seats.push(Seat { flow: Box::pin(Upstream::none()), call, waker });
        seat
    }

    fn queue(&mut self, seat: usize) {
        if self.seats[seat].call.queue() {
            self.ready.push_back(seat);
        }
    }
}

impl<I: Flow> Herd<I> {
    /// Gives a turn to each member that is ready, until one of them ends or is interrupted.
    pub(super) fn poll_round<K>(&mut self, cx: &Poller<'_>, sink: &mut K) -> Round<I::Error>
    where
        K: FnMut(I::Item) -> ControlFlow<()>,
    {
        self.bell.task.register(cx.waker());
        self.ready.extend(lock(&self.bell.woken).drain(..));
        for _ in 0..self.ready.len() {
            let Some(seat) = self.ready.pop_front() else { break };
            let Seat { flow, call, waker } = &mut self.seats[seat];
            call.begin();
            if flow.is_ended() {
                continue;
            }
            match flow.as_mut().poll_burst(&mut Poller::from_waker(waker), sink) {
                // Nothing is left for the others. They come first in the next poll.
                Burst::Waits if is_spent() => {
                    if !self.ready.is_empty() {
                        cx.waker().wake_by_ref();
                    }
                    return Round::Waits;
                }
                Burst::Waits => {}
                Burst::Spent => self.queue(seat),
                Burst::Paused => {
                    self.queue(seat);
                    return Round::Paused;
                }
                Burst::Ended => {
                    self.free.push(seat);
                    return Round::Ended(seat);
                }
                Burst::Failed(error) => return Round::Failed(error),
            }
        }
        if self.ready.is_empty() { Round::Waits } else { Round::Spent }
    }
}

impl<I> fmt::Debug for Herd<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Herd").field("members", &self.len()).finish_non_exhaustive()
    }
}
