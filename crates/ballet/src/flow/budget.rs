//! Turns: what keeps a flow that never waits from keeping its worker. What they pay with stands in `dispatch/unit.rs`.

use std::task::{Context as Poller, Poll, ready};

use crate::dispatch::unit::{self, Mark, UNKNOWN};

pub(super) use crate::dispatch::unit::poll_unit;

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
        if self.left == 0 {
            self.left = ready!(self.poll_items(cx));
        }
        self.left -= 1;
        Poll::Ready(())
    }

    /// Ready for so many more items.
    #[inline]
    pub(super) fn poll_items(&mut self, cx: &mut Poller<'_>) -> Poll<u32> {
        if poll_unit(cx).is_pending() {
            self.waits();
            return Poll::Pending;
        }
        (self.items, self.since) = match self.items {
            0 => (ITEMS_AT_FIRST, UNKNOWN),
            items => unit::next(items, ITEMS_MAX, self.since),
        };
        Poll::Ready(self.items)
    }

    /// To be told when the source waits: that time is not its items'.
    #[inline]
    pub(super) fn waits(&mut self) {
        self.since = UNKNOWN;
    }
}
