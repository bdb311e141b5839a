//! Turns: what keeps a flow that never waits from keeping its worker. What they pay with stands in `dispatch/unit.rs`.

use std::task::{Context as Poller, Poll, ready};

use crate::dispatch::unit::{self, Mark, Next, UNKNOWN};

pub(super) use crate::dispatch::unit::{is_spent, poll_unit};

/// In the first unit, which pays for flows of few items without a look at the clock.
const ITEMS_AT_FIRST: u32 = 32;
const ITEMS_MAX: u32 = 4_096;

/// Counts the items of a source that is always ready.
#[derive(Clone, Debug)]
pub(super) struct Turns {
    left: u32,
    /// In the present unit; 0 before the first.
    items: u32,
    since: Mark,
}

impl Turns {
    pub(super) fn new() -> Self {
        Self { left: 0, items: 0, since: UNKNOWN }
    }

    /// Ready for one more item, or pending (and woken at once) when it is the turn of others.
    #[inline]
    pub(super) fn poll(&mut self, cx: &mut Poller<'_>) -> Poll<()> {
        let left = ready!(self.poll_items(cx));
        self.leave(left - 1);
        Poll::Ready(())
    }

    /// Ready for so many more items; those that are not taken are to be [left](Self::leave).
    #[inline]
    pub(super) fn poll_items(&mut self, cx: &mut Poller<'_>) -> Poll<u32> {
        if self.left == 0 {
            ready!(self.poll_unit(cx));
        }
        Poll::Ready(self.left)
    }

    #[inline]
    pub(super) fn leave(&mut self, items: u32) {
        self.left = items;
    }

    /// To be told when the source waits: that time is not its items'.
    #[inline]
    pub(super) fn waits(&mut self) {
        self.since = UNKNOWN;
    }

    /// Pays for the next unit, and for what the last one took beyond what was paid for it; gives way where that is more
    /// than there is.
    #[inline]
    fn poll_unit(&mut self, cx: &mut Poller<'_>) -> Poll<()> {
        let mut owed = 1;
        if self.items == 0 {
            self.items = ITEMS_AT_FIRST;
        } else {
            let Next { items, since, was_worth } = unit::next(self.items, ITEMS_MAX, self.since);
            (self.items, self.since, owed) = (items, since, was_worth);
        }
        for _ in 0..owed {
            if poll_unit(cx).is_pending() {
                self.waits();
                return Poll::Pending;
            }
        }
        self.left = self.items;
        Poll::Ready(())
    }
}
