//! The books of a bulkhead: places, who is in, who waits. Plain sequential code; its callers hold the lock.
//!
//! Invariants, which hold after every call:
//!
//! 1. A place is free only while nobody waits: `in_use < places` implies that the line is empty, or closed.
//! 2. A place that was granted is counted in `in_use` from that moment, also before its holder has learnt of it, and
//!    until it is given back. A ticket that is no longer in the line has been granted.
//! 3. `in_use` grows only while it is below `places`. So it exceeds `places` only after a shrinking `resize`, and
//!    then only falls.
//!
//! Every waker that leaves the books is handed to the caller, to be woken or dropped when the lock is released: both
//! run foreign code, which may come back here.

use std::collections::BTreeMap;
use std::task::Waker;

/// How full a [`Bulkhead`](crate::Bulkhead) is, and what it has done since it was made.
///
/// # Examples
///
/// ```
/// let rooms = ballet::Bulkhead::new("rooms", 2);
/// let busy = rooms.try_acquire()?.begin();
/// let acquired = rooms.try_acquire()?;
/// assert!(rooms.try_acquire().is_err());
///
/// let now = rooms.occupancy();
/// assert_eq!((now.places, now.in_use, now.busy, now.waiting), (2, 2, 1, 0));
/// assert_eq!((now.granted, now.rejected, now.timed_out), (2, 1, 0));
/// # Ok::<(), ballet::Rejected>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Occupancy {
    /// How many places there are.
    pub places: usize,
    /// How many are acquired or busy. More than `places` only after a shrinking [`resize`](crate::Bulkhead::resize).
    pub in_use: usize,
    /// How many of those in use are busy. A place that is in use and not busy is held by somebody who does not work yet.
    pub busy: usize,
    /// How many callers wait for a place.
    pub waiting: usize,
    /// How often a place was granted.
    pub granted: u64,
    /// How often a caller was turned away because it was full or closed.
    pub rejected: u64,
    /// How often the patience of [`acquire_within`](crate::Bulkhead::acquire_within) ended first.
    pub timed_out: u64,
}

pub(super) struct Line {
    closed: bool,
    /// Who waits, by ticket: tickets are given in order of arrival, so the first entry is the next to be served.
    /// A map, so that anybody can leave from the middle and leaves no gap behind.
    waiting: BTreeMap<Ticket, Waker>,
    next_ticket: Ticket,
    /// All but `waiting` and `busy`, which are counted elsewhere.
    occupancy: Occupancy,
}

pub(super) type Ticket = u64;

/// What a caller is told.
pub(super) enum Answer {
    Granted,
    Closed,
    Full,
}

impl Line {
    pub(super) fn new(places: usize) -> Self {
        let occupancy =
            Occupancy { places, in_use: 0, busy: 0, waiting: 0, granted: 0, rejected: 0, timed_out: 0 };
        Self { closed: false, waiting: BTreeMap::new(), next_ticket: 0, occupancy }
    }

    pub(super) fn occupancy(&self, busy: usize) -> Occupancy {
        Occupancy { busy, waiting: self.waiting.len(), ..self.occupancy }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Takes a place, or is turned away.
    pub(super) fn try_take(&mut self) -> Answer {
        let answer = self.take();
        self.occupancy.rejected += u64::from(matches!(answer, Answer::Full));
        answer
    }

    /// Takes a place that is free; by invariant 1 that overtakes nobody. Whoever is told `Full` may queue.
    pub(super) fn take(&mut self) -> Answer {
        if self.grant() {
            Answer::Granted
        } else if self.closed {
            self.occupancy.rejected += 1;
            Answer::Closed
        } else {
            Answer::Full
        }
    }

    /// Stands at the end of the line.
    pub(super) fn queue(&mut self, waker: Waker) -> Ticket {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.waiting.insert(ticket, waker);
        ticket
    }

    /// How a ticket stands: `Full` says that it still waits. A waker that the new one replaced comes along.
    pub(super) fn look(&mut self, ticket: Ticket, waker: &Waker) -> (Answer, Option<Waker>) {
        let Some(known) = self.waiting.get_mut(&ticket) else { return (Answer::Granted, None) };
        if self.closed {
            self.occupancy.rejected += 1;
            return (Answer::Closed, self.waiting.remove(&ticket));
        }
        let replaced = (!known.will_wake(waker)).then(|| std::mem::replace(known, waker.clone()));
        (Answer::Full, replaced)
    }

    /// Leaves the line before an answer was taken. Gives the ticket's own waker, to be dropped, and, where a place had
    /// been granted to it, the waker of whoever gets that place instead.
    pub(super) fn leave(&mut self, ticket: Ticket) -> (Option<Waker>, Option<Waker>) {
        match self.waiting.remove(&ticket) {
            Some(own) => (Some(own), None),
            None => (None, self.give_back()),
        }
    }

    /// Gives a place back; who gets it in turn is to be woken.
    pub(super) fn give_back(&mut self) -> Option<Waker> {
        self.occupancy.in_use -= 1;
        self.serve()
    }

    pub(super) fn note_timed_out(&mut self) {
        self.occupancy.timed_out += 1;
    }

    pub(super) fn resize(&mut self, places: usize) -> Vec<Waker> {
        self.occupancy.places = places;
        std::iter::from_fn(|| self.serve()).collect()
    }

    /// Everybody in line is to be woken, and finds it closed.
    pub(super) fn close(&mut self) -> Vec<Waker> {
        self.closed = true;
        self.waiting.values().cloned().collect()
    }

    /// Grants a free place to the first in line.
    fn serve(&mut self) -> Option<Waker> {
        if self.waiting.is_empty() || !self.grant() {
            return None;
        }
        self.waiting.pop_first().map(|(_, waker)| waker)
    }

    fn grant(&mut self) -> bool {
        let is_free = !self.closed && self.occupancy.in_use < self.occupancy.places;
        self.occupancy.in_use += usize::from(is_free);
        self.occupancy.granted += u64::from(is_free);
        is_free
    }
}
