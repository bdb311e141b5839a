//! A rate limiter: so many calls in so much time, for all who share it, first come, first served.
//!
//! It is a token bucket, kept as one number: the time at which the bucket will be full again (the *generic cell rate
//! algorithm*, ITU-T I.371). Whoever is first in line waits for the next token and takes it only then, so one who goes
//! away while waiting takes none along. It refuses to hold permits: a call that was let through has nothing to give
//! back.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, sleep_until};

use super::backoff::{NEVER, after};
use crate::job::{Remark, lock, remark};
use crate::sync::{AtomicUsize, Mutex, Ordering};

/// How many calls in how much time, and how many of them at once.
///
/// # Examples
///
/// Sixty a minute, of which ten may come at once when it was quiet before:
///
/// ```
/// use ballet::Rate;
/// use std::time::Duration;
///
/// let rate = Rate::new(60, Duration::from_secs(60)).burst(10);
/// assert_eq!(rate.interval(), Duration::from_secs(1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    interval: Duration,
    burst: u32,
}

impl Rate {
    /// `calls` in each `period` at an even pace, and as many at once after a quiet period. So in a period that begins with
    /// a burst it may be nearly twice as many: `calls` and the [`burst`](Self::burst), less one. For a server that counts
    /// strictly, set a smaller burst.
    ///
    /// # Panics
    ///
    /// When `calls` is zero: nobody would ever be let through.
    #[must_use]
    #[track_caller]
    pub const fn new(calls: u32, period: Duration) -> Self {
        assert!(calls > 0, "a rate of no calls at all would never let anybody through");
        // Rounded up, so that the pace is never exceeded.
        let interval = match period.checked_add(Duration::from_nanos(calls as u64 - 1)) {
            Some(period) => period.checked_div(calls),
            None => period.checked_div(calls),
        };
        match interval {
            Some(interval) if interval.as_secs() < NEVER.as_secs() => Self { interval, burst: calls },
            _ => Self { interval: NEVER, burst: calls },
        }
    }

    /// At most this many at once; 0 is taken for 1.
    #[must_use]
    pub const fn burst(mut self, calls: u32) -> Self {
        self.burst = if calls == 0 { 1 } else { calls };
        self
    }

    /// The time between two calls when there are always some who wait.
    #[must_use]
    pub const fn interval(&self) -> Duration {
        self.interval
    }
}

/// A rate limiter that many callers share, as all who talk to one host do.
///
/// Callers are let through in the order in which they came. One that [`pause_for`](Self::pause_for) has told to pause,
/// because its server asked for it, lets nobody through meanwhile. Cloning is one reference count; all clones are one
/// limiter. It begins with its whole burst.
///
/// # Cost
///
/// One uncontended lock for a call that need not wait, and no allocation.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// use ballet::{Rate, RateLimiter};
/// use std::time::Duration;
/// use tokio::time::Instant;
///
/// let host = RateLimiter::new("api.example.org", Rate::new(10, Duration::from_secs(1)).burst(2));
/// let began = Instant::now();
/// for _call in 0..7 {
///     host.acquire().await; // two at once, then one each 100 ms
/// }
/// assert_eq!(began.elapsed().as_millis(), 500);
///
/// let limited = host.try_acquire().unwrap_err();
/// assert_eq!(limited.to_string(), "the rate limit of `api.example.org` is reached for another 100ms");
/// # }
/// ```
#[derive(Clone)]
pub struct RateLimiter(Arc<Shared>);

struct Shared {
    name: Arc<str>,
    /// One permit, for whoever is first in line; Tokio serves in order of arrival.
    line: Semaphore,
    bucket: Mutex<Bucket>,
    waiting: AtomicUsize,
}

struct Bucket {
    rate: Rate,
    /// When the bucket is full again; in the past, where it is full.
    full_at: Instant,
    /// Nobody is let through before, whatever is in the bucket.
    paused_until: Instant,
}

impl Bucket {
    /// When the bucket is full again, if a token is taken now.
    fn full_after_one(&self, now: Instant) -> Instant {
        after(self.full_at.max(now), self.rate.interval)
    }

    /// When the next token is there and may be taken; now at the earliest.
    fn token_at(&self, now: Instant) -> Instant {
        let depth = self.rate.interval.saturating_mul(self.rate.burst);
        let refilled = self.full_after_one(now).checked_sub(depth).unwrap_or(now);
        refilled.max(self.paused_until).max(now)
    }

    /// Takes a token, or says when there is one.
    fn take(&mut self, now: Instant) -> Result<(), Instant> {
        let token_at = self.token_at(now);
        if token_at > now {
            return Err(token_at);
        }
        self.full_at = self.full_after_one(now);
        Ok(())
    }
}

impl RateLimiter {
    /// A limiter under a name for its errors.
    #[must_use]
    pub fn new(name: impl Into<Cow<'static, str>>, rate: Rate) -> Self {
        let now = Instant::now();
        let bucket = Mutex::new(Bucket { rate, full_at: now, paused_until: now });
        let name = Arc::from(&*name.into());
        Self(Arc::new(Shared { name, line: Semaphore::new(1), bucket, waiting: AtomicUsize::new(0) }))
    }

    /// The name it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Waits until a call may be made. While it waits, the job says so in the tree.
    ///
    /// # Panics
    ///
    /// When it has to wait outside a Tokio runtime with its timer on.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses only the place in the line. No token is taken.
    pub async fn acquire(&self) {
        // First, so that no token is taken by a caller who is dropped here.
        consume_budget().await;
        if self.try_acquire().is_ok() {
            return;
        }
        let _waiting = Waiting::new(&self.0);
        let _remark = remark(self.0.clone());
        let turn = self.0.line.acquire().await;
        let _turn = turn.unwrap_or_else(|_| unreachable!("the line of a limiter is never closed"));
        while let Err(token_at) = self.0.take() {
            sleep_until(token_at).await;
        }
    }

    /// Takes leave for a call that may be made now, and says no at once if none may. It overtakes nobody who waits.
    ///
    /// # Errors
    ///
    /// [`Limited`], with the time after which to come again.
    pub fn try_acquire(&self) -> Result<(), Limited> {
        let limited = |until| Limited { limiter: Arc::clone(&self.0.name), until };
        match self.waiting() {
            0 => self.0.take().map_err(limited),
            waiting => {
                let bucket = lock(&self.0.bucket);
                let theirs = bucket.rate.interval.saturating_mul(u32::try_from(waiting).unwrap_or(u32::MAX));
                Err(limited(after(bucket.token_at(Instant::now()), theirs)))
            }
        }
    }

    /// Lets nobody through for this time, as a server may ask with `Retry-After`. Of several such times the one that ends
    /// last counts.
    pub fn pause_for(&self, time: Duration) {
        let mut bucket = lock(&self.0.bucket);
        bucket.paused_until = bucket.paused_until.max(after(Instant::now(), time));
    }

    /// How many callers wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.waiting.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn take(&self) -> Result<(), Instant> {
        lock(&self.bucket).take(Instant::now())
    }
}

/// What a job says that waits.
impl Remark for Shared {
    fn remark(&self) -> String {
        format!(
            "waits for the rate limiter `{}`, {} in line",
            self.name,
            self.waiting.load(Ordering::Relaxed)
        )
    }
}

/// Counts a caller for as long as it waits.
struct Waiting<'a>(&'a Shared);

impl<'a> Waiting<'a> {
    fn new(shared: &'a Shared) -> Self {
        shared.waiting.fetch_add(1, Ordering::Relaxed);
        Self(shared)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimiter")
            .field("name", &self.name())
            .field("waiting", &self.waiting())
            .finish_non_exhaustive()
    }
}

/// A [`RateLimiter`] let no call through.
///
/// # Examples
///
/// See [`RateLimiter`].
#[derive(Clone, Debug)]
pub struct Limited {
    limiter: Arc<str>,
    until: Instant,
}

impl Limited {
    /// The limiter's name.
    #[must_use]
    pub fn limiter(&self) -> &str {
        &self.limiter
    }

    /// After which time to come again. Where others wait, or come first, it may take longer.
    #[must_use]
    pub fn retry_after(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }
}

impl fmt::Display for Limited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the rate limit of `{}` is reached for another {:?}", self.limiter, self.retry_after())
    }
}

impl std::error::Error for Limited {}
