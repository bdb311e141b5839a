//! What a unit of Tokio's cooperative budget pays for, where a step takes nanoseconds.
//!
//! A poll has 128 units, which are meant for system calls and for locks that are fought for. To give way costs
//! microseconds: the lane goes back to Tokio, which wakes another worker. So channels and flows pay one unit for as many
//! items as take about [`UNIT_NS`], and a task that never waits gives way after a quarter to half a millisecond, whether
//! its items take a nanosecond or a microsecond each. How many those are is measured, unit by unit: by the clock on the
//! wall, so that whatever its task does between two items counts, except to wait for the next.

use std::sync::LazyLock;
use std::task::{Context as Poller, Poll, ready};
use std::time::Instant;

use tokio::task::coop::{has_budget_remaining, poll_proceed};

/// The least that a unit pays for; twice as long is the most, where one item does not take longer by itself.
const UNIT_NS: u64 = 2_000;
/// What a task of Tokio's has of them in a poll. No more is owed at a time: where there is no budget, as off its runtimes
/// and in `unconstrained`, nothing would end the paying.
const UNITS_MAX: u32 = 128;
/// Where a [`Mark`] counts from.
static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);

/// When a unit began, in nanoseconds; [`UNKNOWN`] where its task has waited since.
pub(crate) type Mark = u64;
pub(crate) const UNKNOWN: Mark = 0;

/// What comes after a unit.
pub(crate) struct Next {
    /// How many items the next one pays for.
    pub(crate) items: u32,
    /// When that begins.
    pub(crate) since: Mark,
    /// How many units the one before should have cost.
    pub(crate) was_worth: u32,
}

/// What comes after a unit that paid for so many items and began at `since`.
#[inline]
pub(crate) fn next(items: u32, items_max: u32, since: Mark) -> Next {
    if is_order_set() {
        return Next { items, since: UNKNOWN, was_worth: 1 };
    }
    let now = u64::try_from(BEGINNING.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1);
    if since == UNKNOWN {
        return Next { items, since: now, was_worth: 1 };
    }
    let took_ns = now.saturating_sub(since);
    Next { items: fitted(items, items_max, took_ns), since: now, was_worth: worth(took_ns) }
}

fn fitted(items: u32, items_max: u32, took_ns: u64) -> u32 {
    if took_ns < UNIT_NS {
        return (items * 2).min(items_max);
    }
    if took_ns <= 2 * UNIT_NS {
        return items;
    }
    let fit = u64::from(items) * UNIT_NS / took_ns;
    u32::try_from(fit).map_or(items, |fit| fit.max(1))
}

/// How many units would have paid for so long a time, all of them at most.
fn worth(took_ns: u64) -> u32 {
    let units = took_ns / (2 * UNIT_NS);
    u32::try_from(units).map_or(UNITS_MAX, |units| units.clamp(1, UNITS_MAX))
}

/// Ready for one unit's worth of work, or pending (and woken at once) when it is the turn of others.
#[inline]
pub(crate) fn poll_unit(cx: &mut Poller<'_>) -> Poll<()> {
    ready!(poll_proceed(cx)).made_progress();
    Poll::Ready(())
}

/// Whether nothing is left of this poll: whatever is polled now gives way at once, and who was polled before it may be the
/// reason. Who is in every poll would leave those after it without a turn for ever, so they come first in the next one.
#[inline]
pub(crate) fn is_spent() -> bool {
    !has_budget_remaining()
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
                items = fitted(items, 4_096, item_ns * u64::from(items));
            }
            assert!((at_least..=at_most).contains(&items), "{items} items of {item_ns} ns");
        }
        assert_eq!(fitted(4_096, 4_096, u64::MAX), 1);
    }

    #[test]
    fn a_unit_in_which_somebody_waited_says_nothing() {
        let Next { items, since, was_worth } = next(32, 4_096, UNKNOWN);
        assert!(items == 32 && since != UNKNOWN && was_worth == 1);
    }

    #[test]
    fn a_unit_that_took_too_long_is_worth_several() {
        let worths = [0, 2, 4, 7, 8, 400].map(|micros| worth(micros * 1_000));
        assert_eq!(worths, [1, 1, 1, 1, 2, 100]);
        assert_eq!([1, 3_600].map(|seconds| worth(seconds * 1_000_000_000)), [128, 128]);
        assert_eq!(worth(u64::MAX), 128);
    }
}
