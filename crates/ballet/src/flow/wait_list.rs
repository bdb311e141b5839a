//! Wakers that wait for the same event. Its callers hold a lock, under which nobody is woken: wakers come out, and are
//! woken or dropped when the lock is released, because both run foreign code.

use std::mem;
use std::task::Waker;

use crate::sync::wake_each;

use slab::Slab;

/// Everybody who waits for the next event.
#[derive(Default)]
pub(super) struct WaitList {
    wakers: Slab<Waker>,
    /// How many events there have been. A seat of an earlier round is no longer taken.
    round: u64,
}

/// One waiter's place in the list, kept by the waiter.
#[derive(Clone, Copy)]
pub(super) struct Seat {
    round: u64,
    key: usize,
}

impl WaitList {
    pub(super) fn is_empty(&self) -> bool {
        self.wakers.is_empty()
    }

    /// Waits for the next event, in the seat that the waiter has or in a new one. A waker that was replaced comes out.
    pub(super) fn wait(&mut self, seat: &mut Option<Seat>, waker: &Waker) -> Option<Waker> {
        if let Some(taken) = self.taken(*seat) {
            let known = &mut self.wakers[taken];
            return (!known.will_wake(waker)).then(|| mem::replace(known, waker.clone()));
        }
        *seat = Some(Seat { round: self.round, key: self.wakers.insert(waker.clone()) });
        None
    }

    /// Waits no longer.
    pub(super) fn leave(&mut self, seat: Option<Seat>) -> Option<Waker> {
        self.taken(seat).map(|key| self.wakers.remove(key))
    }

    /// The event: everybody is to be woken, and the list is empty.
    pub(super) fn call(&mut self) -> Called {
        if self.wakers.is_empty() {
            return Called::default();
        }
        self.round += 1;
        // Those who wait now will most likely wait again.
        let next = Slab::with_capacity(self.wakers.len());
        Called(mem::replace(&mut self.wakers, next))
    }

    fn taken(&self, seat: Option<Seat>) -> Option<usize> {
        seat.filter(|seat| seat.round == self.round).map(|seat| seat.key)
    }
}

/// Those who were called and have not been woken yet.
#[derive(Default)]
#[must_use = "they wait to be woken"]
pub(super) struct Called(Slab<Waker>);

impl Called {
    /// Wakes them, outside of the lock.
    pub(super) fn wake(mut self) {
        wake_each(self.0.drain());
    }
}
