//! What is too much for a breaker: so many failures in a row, or such a share of the calls of late.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Into how many slices the time is cut in which calls are counted.
const SLICES: u32 = 10;

/// When a [`Breaker`](crate::Breaker) opens.
///
/// # Examples
///
/// Five failures in a row, or half of at least twenty calls within the last twenty seconds:
///
/// ```
/// use ballet::Trip;
/// use std::time::Duration;
///
/// let trip = Trip::in_a_row(5).or_share(50, 20, Duration::from_secs(20));
/// assert_ne!(trip, Trip::in_a_row(5));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trip {
    in_a_row: u32,
    share: Option<Share>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Share {
    percent: u32,
    calls_min: u32,
    within: Duration,
}

impl Trip {
    /// It opens at this many failures in a row. With 0 it opens at the first, as with 1.
    #[must_use]
    pub const fn in_a_row(failures: u32) -> Self {
        Self { in_a_row: failures, share: None }
    }

    /// It opens, too, when `percent` of the calls within the last `within` have failed, and those were at least
    /// `calls_min`. The time is measured to a tenth of itself.
    #[must_use]
    pub const fn or_share(mut self, percent: u32, calls_min: u32, within: Duration) -> Self {
        self.share = Some(Share { percent, calls_min, within });
        self
    }
}

/// What a closed breaker remembers of its calls.
pub(super) struct Recent {
    trip: Trip,
    in_a_row: u32,
    slices: VecDeque<Slice>,
}

struct Slice {
    began: Instant,
    calls: u32,
    failures: u32,
}

impl Recent {
    pub(super) fn new(trip: Trip) -> Self {
        Self { trip, in_a_row: 0, slices: VecDeque::new() }
    }

    /// Failures since the last success.
    pub(super) fn in_a_row(&self) -> u32 {
        self.in_a_row
    }

    pub(super) fn forget(&mut self) {
        self.in_a_row = 0;
        self.slices.clear();
    }

    /// Counts a call; says whether it was too much.
    pub(super) fn count(&mut self, has_failed: bool, now: Instant) -> bool {
        self.in_a_row = if has_failed { self.in_a_row.saturating_add(1) } else { 0 };
        let is_share = self.trip.share.is_some_and(|share| self.is_share(share, has_failed, now));
        has_failed && (self.in_a_row >= self.trip.in_a_row || is_share)
    }

    fn is_share(&mut self, share: Share, has_failed: bool, now: Instant) -> bool {
        let Share { percent, calls_min, within } = share;
        self.slices.retain(|slice| now.duration_since(slice.began) < within);
        let is_fresh = |slice: &Slice| now.duration_since(slice.began) < within / SLICES;
        if !self.slices.back().is_some_and(is_fresh) {
            self.slices.push_back(Slice { began: now, calls: 0, failures: 0 });
        }
        if let Some(slice) = self.slices.back_mut() {
            slice.calls = slice.calls.saturating_add(1);
            slice.failures = slice.failures.saturating_add(u32::from(has_failed));
        }
        let sum =
            |count: fn(&Slice) -> u32| self.slices.iter().map(|slice| u64::from(count(slice))).sum::<u64>();
        let (calls, failures) = (sum(|slice| slice.calls), sum(|slice| slice.failures));
        calls >= u64::from(calls_min) && failures * 100 >= calls * u64::from(percent)
    }
}
