//! How often a handle gives way.

use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context as Poller, Poll, ready};

use tokio::task::coop::poll_proceed;

/// So many items cost one unit of Tokio's cooperative budget, as in a flow. Its units are meant for system calls and locks
/// that are fought for; an item takes some tens of nanoseconds, and a lane that is given back to Tokio wakes another
/// worker, which takes as long as a thousand of them. So a task gives way after 4 096 items, in some 100 µs.
const ITEMS_PER_UNIT: u8 = 32;

/// Counts the items of one handle.
#[derive(Default)]
pub(super) struct Pace(AtomicU8);

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
        let count = self.0.load(Ordering::Relaxed);
        let budget = if count.is_multiple_of(ITEMS_PER_UNIT) { Some(ready!(poll_proceed(cx))) } else { None };
        let answer = step(cx);
        if answer.is_ready() {
            self.0.store(count.wrapping_add(1), Ordering::Relaxed);
            if let Some(budget) = budget {
                budget.made_progress();
            }
        }
        answer
    }
}
