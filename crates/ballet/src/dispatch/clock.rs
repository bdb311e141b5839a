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

    /// Whole milliseconds from `earlier` to here; zero where that is later.
    #[inline]
    pub(crate) fn millis_since(self, earlier: Self) -> u32 {
        u32::try_from((self.0 - earlier.0).max(0) / 1_000_000).unwrap_or(u32::MAX)
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
