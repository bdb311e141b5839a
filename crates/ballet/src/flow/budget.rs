//! Turns: what keeps a flow that never waits from keeping its worker.

use std::task::{Context as Poller, Poll, ready};

use tokio::task::coop::poll_proceed;

/// How many items one unit of Tokio's cooperative budget pays for. A poll has 128 units, so that a flow that never waits
/// gives its worker back after about 4 000 items.
pub(super) const ITEMS_PER_UNIT: u32 = 32;

/// Counts the items of a source that is always ready.
#[derive(Clone, Debug)]
pub(super) struct Turns {
    left: u32,
}

impl Turns {
    pub(super) fn new() -> Self {
        Self { left: 0 }
    }

    /// Ready for one more item, or pending (and woken at once) when it is the turn of others.
    #[inline]
    pub(super) fn poll(&mut self, cx: &mut Poller<'_>) -> Poll<()> {
        if self.left == 0 {
            ready!(poll_unit(cx));
            self.left = ITEMS_PER_UNIT;
        }
        self.left -= 1;
        Poll::Ready(())
    }
}

/// Ready for [`ITEMS_PER_UNIT`] more items.
#[inline]
pub(super) fn poll_unit(cx: &mut Poller<'_>) -> Poll<()> {
    ready!(poll_proceed(cx)).made_progress();
    Poll::Ready(())
}
