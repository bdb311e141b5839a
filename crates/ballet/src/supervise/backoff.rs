//! How long to wait before the next try: exponential, with full jitter.
//!
//! Full jitter draws the whole delay at random, so that what failed together does not come back together. A
//! [`Backoff`] is plain data: it draws and refuses to wait. A supervisor waits by it between two lives of a child, a
//! retry between two attempts, a breaker before it lets somebody try.

use std::time::Duration;

use tokio::time::Instant;

/// Doublings after which the bound no longer grows, whatever it has come to.
const DOUBLINGS_MAX: u32 = 31;

/// What is as good as never: thirty years.
pub(super) const NEVER: Duration = Duration::from_secs(60 * 60 * 24 * 365 * 30);

/// When to try again: a delay whose bound doubles with each failure, up to a longest.
///
/// The delay itself is drawn evenly between zero and that bound: *full jitter*.
///
/// # Examples
///
/// ```
/// use ballet::Backoff;
/// use std::time::Duration;
///
/// let backoff = Backoff::exponential(Duration::from_millis(100), Duration::from_secs(1));
/// let bounds: Vec<_> = (0..5).map(|failures| backoff.bound(failures).as_millis()).collect();
/// assert_eq!(bounds, [100, 200, 400, 800, 1_000]);
/// assert!(backoff.delay(2) <= Duration::from_millis(400));
/// assert_eq!(backoff.without_jitter().delay(2), Duration::from_millis(400));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    jitter: bool,
    healthy_after: Duration,
}

impl Backoff {
    /// No delay at all.
    pub const NONE: Self = Self::exponential(Duration::ZERO, Duration::ZERO);

    /// Delays of at most `first` after one failure, twice as much after each further one, and never more than
    /// `longest`.
    #[must_use]
    pub const fn exponential(first: Duration, longest: Duration) -> Self {
        Self { first, longest, jitter: true, healthy_after: longest }
    }

    /// Delays of at most `delay`, however many failures there were.
    #[must_use]
    pub const fn constant(delay: Duration) -> Self {
        Self::exponential(delay, delay)
    }

    /// Each delay is exactly its bound. For tests, and for where only one caller can come back.
    #[must_use]
    pub const fn without_jitter(mut self) -> Self {
        self.jitter = false;
        self
    }

    /// After how long a life of a supervised child its failures are forgotten, so that the delays begin anew. The
    /// default is the longest delay.
    #[must_use]
    pub const fn healthy_after(mut self, life: Duration) -> Self {
        self.healthy_after = life;
        self
    }

    /// The longest delay after `failures` failures before the last one.
    #[must_use]
    pub fn bound(&self, failures: u32) -> Duration {
        self.first.saturating_mul(1 << failures.min(DOUBLINGS_MAX)).min(self.longest)
    }

    /// Draws the delay after `failures` failures before the last one.
    #[must_use]
    pub fn delay(&self, failures: u32) -> Duration {
        self.delay_within(failures, Duration::MAX)
    }

    /// As [`delay`](Self::delay), drawn from a range that ends at `most` where that is nearer: for a try that has to be
    /// made before a deadline and need not crowd at it.
    #[must_use]
    pub fn delay_within(&self, failures: u32, most: Duration) -> Duration {
        let bound = self.bound(failures).min(most);
        if self.jitter { bound.mul_f64(fastrand::f64()) } else { bound }
    }

    /// Whether a life of this length is a healthy one.
    pub(super) fn is_healthy(&self, life: Duration) -> bool {
        life >= self.healthy_after
    }
}

/// A time after `now`, or as good as never where the clock does not reach so far.
pub(super) fn after(now: Instant, delay: Duration) -> Instant {
    now.checked_add(delay).unwrap_or_else(|| now + NEVER)
}
