//! How often a handle gives way.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context as Poller, Poll};

use tokio::task::coop::poll_proceed;

use crate::dispatch::unit::{self, Next, UNKNOWN};

/// So many items cost one unit of Tokio's cooperative budget, until it is known what an item takes.
const ITEMS_AT_FIRST: u8 = 32;
/// So many cost one at most: an item takes some tens of nanoseconds, unless whoever sends or receives takes longer over it.
const ITEMS_MAX: u8 = 128;

/// Counts the items of one handle, and measures what they take.
pub(super) struct Pace {
    /// That the present unit still pays for.
    left: AtomicU8,
    /// In the present unit.
    items: AtomicU8,
    since: AtomicU64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { left: AtomicU8::new(0), items: AtomicU8::new(ITEMS_AT_FIRST), since: AtomicU64::new(UNKNOWN) }
    }
}

impl Pace {
    /// Does `step`, unless it is time to give way.
    ///
    /// The count is not exact where several tasks share a handle, and need not be.
    #[inline]
    pub(super) fn poll<R>(
        &self,
        cx: &mut Poller<'_>,
        step: impl FnOnce(&mut Poller<'_>) -> Poll<R>,
    ) -> Poll<R> {
        let left = self.left.load(Ordering::Relaxed);
        let budget = if left > 0 {
            None
        } else if let Poll::Ready(budget) = poll_proceed(cx) {
            Some(budget)
        } else {
            return self.waits();
        };
        let answer = step(cx);
        if answer.is_pending() {
            return self.waits();
        }
        let left = match budget {
            None => left,
            Some(budget) => {
                budget.made_progress();
                self.begin_unit()
            }
        };
        self.left.store(left.saturating_sub(1), Ordering::Relaxed);
        answer
    }

    /// The time until this handle has its next item is not one that an item takes.
    #[inline]
    fn waits<R>(&self) -> Poll<R> {
        self.since.store(UNKNOWN, Ordering::Relaxed);
        Poll::Pending
    }

    /// Gives how many items it pays for.
    fn begin_unit(&self) -> u8 {
        let items = self.items.load(Ordering::Relaxed);
        let since = self.since.load(Ordering::Relaxed);
        let Next { items, since, .. } = unit::next(items.into(), ITEMS_MAX.into(), since);
        let items = u8::try_from(items).unwrap_or(ITEMS_MAX);
        self.items.store(items, Ordering::Relaxed);
        self.since.store(since, Ordering::Relaxed);
        items
    }
}
