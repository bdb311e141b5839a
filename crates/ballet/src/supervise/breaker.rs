//! A circuit breaker: what fails too often is left alone for a while, and then tried again by one caller.
//!
//! ```text
//!            too many failures                 rested, and one caller is let through
//!   Closed ─────────────────────▶ Open ──────────────────────────────────────────▶ HalfOpen
//!      ▲                           ▲                                                   │
//!      │                           └────────── that call fails ────────────────────────┤
//!      └────────────────────────────────────── that call succeeds ─────────────────────┘
//! ```
//!
//! `book` holds everything that changes, under one lock, and is plain sequential code; `trip` says what is too much. This
//! file is the handle. It refuses to know what a failure is: whoever makes the call says so.

mod book;
mod trip;

pub use book::BreakerState;
pub use trip::Trip;

use std::borrow::Cow;
use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{Either, lazy, ready};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::Backoff;
use crate::job::{Remark, lock, remark};
use crate::observe::say;
use crate::sync::{Mutex, MutexGuard};
use book::{Book, Ticket};

/// A circuit breaker, so that what is down is not asked until it may have recovered.
///
/// Closed, it lets every call through and counts. When too many fail, as [`Trip`] says, it opens, and turns callers
/// away for as long as its [`Backoff`] says. Then it is half-open: the first caller who comes is let through, all
/// others are still turned away, and that one call decides. Each call that fails there makes the next rest longer, as
/// far as the backoff goes.
///
/// A call that was dropped half-way says nothing. Nor does one that was let through before the breaker opened last:
/// it knows only how it was then. Cloning is one reference count; all clones are one breaker.
///
/// # Cost
///
/// One uncontended lock before a call and one after it, and no allocation.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// use ballet::{Backoff, Breaker, BreakerState, Error, Trip};
/// use std::time::Duration;
///
/// let rest = Backoff::constant(Duration::from_secs(2)).without_jitter();
/// let breaker = Breaker::new("search", Trip::in_a_row(3), rest);
/// for _call in 0..3 {
///     let failed = breaker.run(async { Err::<(), _>(Error::msg("connection refused")) }).await;
///     assert_eq!(failed.unwrap_err().to_string(), "connection refused");
/// }
/// let turned_away = breaker.run(async { Ok::<_, Error>("hits") }).await;
/// assert_eq!(turned_away.unwrap_err().to_string(), "the breaker `search` is open for another 2s");
///
/// tokio::time::sleep(Duration::from_secs(2)).await;
/// assert_eq!(breaker.run(async { Ok::<_, Error>("hits") }).await.ok(), Some("hits"));
/// assert_eq!(breaker.state(), BreakerState::Closed { failures: 0 });
/// # }
/// ```
#[derive(Clone)]
pub struct Breaker(Arc<Circuit>);

/// What all handles and admissions of one breaker share.
struct Circuit {
    name: Arc<str>,
    book: Mutex<Book>,
    /// Tells those who wait that the state has changed.
    changed: Notify,
}

impl Circuit {
    fn book(&self) -> MutexGuard<'_, Book> {
        lock(&self.book)
    }

    /// Enters the end of a call.
    fn enter(&self, entry: impl FnOnce(&mut Book, Instant) -> bool) {
        let (has_changed, state) = {
            let mut book = self.book();
            (entry(&mut book, Instant::now()), book.state())
        };
        if !has_changed {
            return;
        }
        self.changed.notify_waiters();
        say(|| match state {
            BreakerState::Open { until } => {
                let rest = until.saturating_duration_since(Instant::now());
                tracing::warn!(target: "ballet", breaker = &*self.name, ?rest, "a breaker opens");
            }
            BreakerState::Closed { .. } => {
                tracing::info!(target: "ballet", breaker = &*self.name, "a breaker closes");
            }
            BreakerState::HalfOpen => {}
        });
    }
}

impl Breaker {
    /// A breaker, closed, under a name for its errors. It rests as `rest` says, where failures are those of calls that it
    /// let through half-open.
    #[must_use]
    pub fn new(name: impl Into<Cow<'static, str>>, trip: Trip, rest: Backoff) -> Self {
        let name = Arc::from(&*name.into());
        Self(Arc::new(Circuit { name, book: Mutex::new(Book::new(trip, rest)), changed: Notify::new() }))
    }

    /// The name it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Makes a call, if the breaker lets it through; every error of it counts as a failure. Where only some do, use
    /// [`try_admit`](Self::try_admit).
    ///
    /// # Errors
    ///
    /// That of the call, or [`BreakerOpen`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the call, which says nothing then.
    pub fn run<T, E>(&self, call: impl Future<Output = Result<T, E>>) -> impl Future<Output = Result<T, E>>
    where
        E: From<BreakerOpen>,
    {
        lazy(|_| match self.try_admit() {
            Err(open) => Either::Left(ready(Err(open.into()))),
            Ok(admission) => Either::Right(call.inspect(|answer| match answer {
                Ok(_) => admission.succeeded(),
                Err(_) => admission.failed(),
            })),
        })
        .flatten()
    }

    /// Lets a call through, or turns it away at once.
    ///
    /// # Errors
    ///
    /// [`BreakerOpen`]: it is open, or half-open and somebody else is trying.
    pub fn try_admit(&self) -> Result<Admission, BreakerOpen> {
        let admitted = self.0.book().try_admit(Instant::now());
        match admitted {
            Ok(ticket) => Ok(Admission { circuit: Arc::clone(&self.0), ticket: Some(ticket) }),
            Err(until) => Err(BreakerOpen { breaker: Arc::clone(&self.0.name), until }),
        }
    }

    /// Waits until a call is let through: for work that is of no use without it. While it waits, the job says so in the
    /// tree.
    ///
    /// # Panics
    ///
    /// When it has to wait outside a Tokio runtime with its timer on.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses nothing.
    pub async fn admit(&self) -> Admission {
        let mut remarked = None;
        loop {
            // From here on no change is missed.
            let changed = self.0.changed.notified();
            let open = match self.try_admit() {
                Ok(admission) => return admission,
                Err(open) => open,
            };
            remarked = remarked.or_else(|| remark(self.0.clone()));
            let (mut changed, mut rested) = (pin!(changed), pin!(open.until.map(sleep_until)));
            poll_fn(|cx| {
                let is_rested = rested.as_mut().as_pin_mut().is_some_and(|rested| rested.poll(cx).is_ready());
                if is_rested { Poll::Ready(()) } else { changed.as_mut().poll(cx) }
            })
            .await;
        }
    }

    /// Its state now. It leaves `Open` when somebody is let through, not by the clock.
    #[must_use]
    pub fn state(&self) -> BreakerState {
        self.0.book().state()
    }
}

/// What a job says that waits for the breaker.
impl Remark for Circuit {
    fn remark(&self) -> String {
        let state = self.book().state();
        format!("waits for the breaker `{}`: {state}", self.name)
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker").field("name", &self.name()).field("state", &self.state()).finish()
    }
}

/// A call that a [`Breaker`] has let through, and is to be told of. Dropped, it says nothing; where it was the one call
/// of a half-open breaker, the next caller is let through in its place.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::{Backoff, Breaker, Trip};
/// # async fn ask() -> Result<u16, ballet::Error> { Ok(404) }
///
/// let breaker = Breaker::new("search", Trip::in_a_row(5), Backoff::constant(std::time::Duration::from_secs(2)));
/// let admission = breaker.try_admit()?;
/// match ask().await {
///     Ok(500..) | Err(_) => admission.failed(),
///     Ok(401) => admission.trip(), // our key is refused, and will be
///     Ok(_) => admission.succeeded(), // it is well, whatever it says to this one question
/// }
/// # Ok(()) }
/// ```
#[must_use = "a breaker learns nothing from an admission that is dropped"]
pub struct Admission {
    circuit: Arc<Circuit>,
    /// Empty once it is told.
    ticket: Option<Ticket>,
}

impl Admission {
    /// The call ended as it should.
    pub fn succeeded(self) {
        self.tell(Book::succeeded);
    }

    /// The call failed.
    pub fn failed(self) {
        self.tell(Book::failed);
    }

    /// The call failed in a way that will not pass by itself: the breaker opens at once.
    pub fn trip(self) {
        self.tell(Book::trip);
    }

    fn tell(mut self, entry: impl FnOnce(&mut Book, Ticket, Instant) -> bool) {
        if let Some(ticket) = self.ticket.take() {
            self.circuit.enter(|book, now| entry(book, ticket, now));
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.circuit.enter(|book, now| book.give_back(ticket, now));
        }
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Admission({:?})", self.circuit.name)
    }
}

/// A [`Breaker`] turned a caller away.
///
/// # Examples
///
/// See [`Breaker`].
#[derive(Clone, Debug)]
pub struct BreakerOpen {
    breaker: Arc<str>,
    /// `None` while somebody else is trying.
    until: Option<Instant>,
}

impl BreakerOpen {
    /// The breaker's name.
    #[must_use]
    pub fn breaker(&self) -> &str {
        &self.breaker
    }

    /// How long it rests from now on. `None` where it is half-open, and the call that is under way decides.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        Some(self.until?.saturating_duration_since(Instant::now()))
    }
}

impl fmt::Display for BreakerOpen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.retry_after() {
            Some(rest) => write!(f, "the breaker `{}` is open for another {rest:?}", self.breaker),
            None => write!(f, "the breaker `{}` is half-open, and another call is under way", self.breaker),
        }
    }
}

impl std::error::Error for BreakerOpen {}
