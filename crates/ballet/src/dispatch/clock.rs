//! The time as jobs are told it: exact outside of polls, and inside them as of the last look at the clock, which is not
//! free.

use std::cell::Cell;
use std::sync::LazyLock;
use std::time::Duration;

use tokio::time::Instant;

/// An instant, as nanoseconds from a common beginning; half the size of an [`Instant`], and cheap to subtract.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(i64);

/// Where moments count from. Virtual clocks may begin before it.
static BEGINNING: LazyLock<Instant> = LazyLock::new(|| std::time::Instant::now().into());

impl Moment {
    fn of(instant: Instant) -> Self {
        let nanos = |duration: Duration| {
            let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
            seconds.saturating_mul(1_000_000_000).saturating_add(duration.subsec_nanos().into())
        };
        match instant.checked_duration_since(*BEGINNING) {
            Some(after) => Self(nanos(after)),
            None => Self(-nanos(BEGINNING.duration_since(instant))),
        }
    }

    #[cfg(all(test, not(ballet_loom)))]
    pub(super) fn at_micros(micros: i64) -> Self {
        Self(micros * 1_000)
    }

    pub(crate) fn to_instant(self) -> Instant {
        let distance = Duration::from_nanos(self.0.unsigned_abs());
        if self.0 < 0 { *BEGINNING - distance } else { *BEGINNING + distance }
    }

    /// From `earlier` to here; zero where that is later.
    #[inline]
    pub(super) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0 - earlier.0).unwrap_or(0))
    }

    /// From `earlier` to here; nothing where that is later.
    #[inline]
    pub(crate) fn lapse_since(self, earlier: Self) -> Lapse {
        Lapse::of_millis(u64::try_from((self.0 - earlier.0) / 1_000_000).unwrap_or(0))
    }
}

/// How much time has passed, in the room that a node has for it: whole milliseconds for three days, and then to a part in
/// 2²⁷, which is a second in four years.
///
/// Its bits are a whole number and, in the last four, by how many places that is to be shifted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Lapse(u32);

impl Lapse {
    const SHIFT_BITS: u32 = 4;
    const NUMBER_BITS: u32 = u32::BITS - Self::SHIFT_BITS;
    const MILLIS_MAX: u64 = (1 << (Self::NUMBER_BITS + (1 << Self::SHIFT_BITS) - 1)) - 1;

    #[inline]
    fn of_millis(millis: u64) -> Self {
        let millis = millis.min(Self::MILLIS_MAX);
        let shift = (u64::BITS - millis.leading_zeros()).saturating_sub(Self::NUMBER_BITS);
        // Of the number no more than its bits are left.
        #[expect(clippy::cast_possible_truncation, reason = "it has been shifted to fit")]
        let number = (millis >> shift) as u32;
        Self(number << Self::SHIFT_BITS | shift)
    }

    pub(crate) fn to_duration(self) -> Duration {
        let shift = self.0 & ((1 << Self::SHIFT_BITS) - 1);
        Duration::from_millis(u64::from(self.0 >> Self::SHIFT_BITS) << shift)
    }

    /// For an atomic of that size.
    #[inline]
    pub(crate) fn to_bits(self) -> u32 {
        self.0
    }

    pub(crate) fn from_bits(bits: u32) -> Self {
        Self(bits)
    }
}

thread_local! {
    /// The time as whoever polls on this thread last looked at the clock.
    static NOW: Cell<Option<Moment>> = const { Cell::new(None) };
}

/// The time.
#[inline]
pub(crate) fn now() -> Moment {
    NOW.get().unwrap_or_else(|| Moment::of(Instant::now()))
}

/// Looks at the clock, for the polls until the next look or until whoever began to look is done.
pub(super) fn look_again() -> Moment {
    let now = Moment::of(Instant::now());
    NOW.set(Some(now));
    now
}

/// Looks at the clock for the time of some polls, whatever polls around them: another runtime has another clock.
pub(super) fn look_afresh() -> (Looked, Moment) {
    let outer = NOW.get();
    (Looked { outer }, look_again())
}

/// Looks at the clock for the time of one poll, unless whoever polls has.
pub(crate) fn look_at_clock() -> Looked {
    let outer = NOW.get();
    if outer.is_none() {
        look_again();
    }
    Looked { outer }
}

/// As [`look_at_clock`], where it has been looked at just before.
pub(crate) fn go_by(just_now: Moment) -> Looked {
    let outer = NOW.get();
    if outer.is_none() {
        NOW.set(Some(just_now));
    }
    Looked { outer }
}

/// Goes back to what whoever polls knows of the time, when the poll ends.
pub(crate) struct Looked {
    outer: Option<Moment>,
}

impl Drop for Looked {
    fn drop(&mut self) {
        NOW.set(self.outer);
    }
}

#[cfg(all(test, not(ballet_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_lapse_is_exact_for_days_and_off_by_a_small_part_for_centuries() {
        let day = 24 * 60 * 60 * 1_000;
        for millis in [0, 1, 999, day, 3 * day, (1 << 28) - 1] {
            assert_eq!(Lapse::of_millis(millis).to_duration(), Duration::from_millis(millis));
        }
        for millis in [1 << 28, (1 << 29) + 1, 50 * day + 7, 60 * day, 365 * day + 1, 200 * 365 * day] {
            let kept = Lapse::of_millis(millis).to_duration();
            let lost = Duration::from_millis(millis) - kept;
            assert!(lost <= kept / (1 << 27), "of {millis} ms {lost:?} is lost");
        }
        assert_eq!(Lapse::of_millis(u64::MAX), Lapse::of_millis(Lapse::MILLIS_MAX));
        assert!(Lapse::of_millis(u64::MAX).to_duration() > Duration::from_millis(270 * 365 * day));
    }
}
