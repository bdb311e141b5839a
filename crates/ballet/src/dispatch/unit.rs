//! What a unit of Tokio's cooperative budget pays for, where a step takes nanoseconds.
//!
//! A poll has 128 units, which are meant for system calls and for locks that are fought for. To give way costs
//! microseconds: the lane goes back to Tokio, which wakes another worker. So channels and flows pay one unit for as many
//! items as take about [`UNIT_TIME`], and a task that never waits gives way after a quarter to half a millisecond, whether
//! its items take a nanosecond or a microsecond each. How many those are is measured, unit by unit.

use std::sync::LazyLock;
use std::task::{Context as Poller, Poll, ready};
use std::time::{Duration, Instant};

use tokio::task::coop::poll_proceed;

/// The least that a unit pays for; twice as long is the most, where one item does not take longer by itself.
const UNIT_TIME: Duration = Duration::from_micros(2);
/// Where a [`Mark`] counts from.
static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);

/// When a unit began, in nanoseconds; 0 where that is not known, since somebody waited in it.
pub(crate) type Mark = u64;
pub(crate) const UNKNOWN: Mark = 0;

/// How many items a unit pays for, after one that paid for so many and began at `since`; and when it begins.
#[inline]
pub(crate) fn next(items: u32, items_max: u32, since: Mark) -> (u32, Mark) {
    if is_order_set() {
        return (items, UNKNOWN);
    }
    let now = u64::try_from(BEGINNING.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1);
    let items = if since == UNKNOWN {
        items
    } else {
        fitted(items, items_max, Duration::from_nanos(now.saturating_sub(since)))
    };
    (items, now)
}

fn fitted(items: u32, items_max: u32, took: Duration) -> u32 {
    if took < UNIT_TIME {
        return (items * 2).min(items_max);
    }
    if took <= UNIT_TIME * 2 {
        return items;
    }
    let fit = u128::from(items) * UNIT_TIME.as_nanos() / took.as_nanos();
    u32::try_from(fit).map_or(items, |fit| fit.max(1))
}

/// Ready for one unit's worth of work, or pending (and woken at once) when it is the turn of others.
#[inline]
pub(crate) fn poll_unit(cx: &mut Poller<'_>) -> Poll<()> {
    ready!(poll_proceed(cx)).made_progress();
    Poll::Ready(())
}

/// Whether a test has set the order in which the guests of this thread are polled, which no measured time may change.
#[inline]
fn is_order_set() -> bool {
    #[cfg(feature = "testing")]
    return super::order::is_set();
    #[cfg(not(feature = "testing"))]
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_pays_for_as_many_items_as_take_its_time() {
        for (item_ns, at_least, at_most) in
            [(0, 4_096, 4_096), (1, 2_000, 4_000), (100, 20, 40), (50_000, 1, 1)]
        {
            let mut items = 32;
            for _ in 0..20 {
                items = fitted(items, 4_096, Duration::from_nanos(item_ns) * items);
            }
            assert!((at_least..=at_most).contains(&items), "{items} items of {item_ns} ns");
        }
        assert_eq!(fitted(4_096, 4_096, Duration::MAX), 1);
    }

    #[test]
    fn a_unit_in_which_somebody_waited_says_nothing() {
        let (items, since) = next(32, 4_096, UNKNOWN);
        assert!(items == 32 && since != UNKNOWN);
    }
}
