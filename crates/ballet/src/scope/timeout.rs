//! A bound on time, as an ordinary typed error.

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as Poller, Poll};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{Either, lazy, ready};
use pin_project_lite::pin_project;
use tokio::task::coop::{Unconstrained, unconstrained};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::dispatch::guest::Ref;
use crate::job::{Node, Origin, Reason, Watched, current};

/// Runs `future` for at most `limit`.
///
/// The deadline can be read inside, and by the children of every scope opened there, with
/// [`Context::deadline`](crate::Context::deadline); the nearest one wins. An inner timeout never hides an outer one:
/// each gives its own [`Elapsed`] to its own caller. When it elapses, the future is dropped at its next yield; scopes
/// in it are cancelled with [`Reason::Timeout`] and adopted; a [`shield`](crate::shield) in it is finished first.
///
/// # Errors
///
/// [`Elapsed`] when the time is over. A `limit` of zero elapses without polling the future.
///
/// # Panics
///
/// On a Tokio runtime without its timer.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use std::time::Duration;
///
/// let answer = ballet::timeout(Duration::from_millis(5), std::future::pending::<()>()).await;
/// assert_eq!(answer.unwrap_err().limit(), Duration::from_millis(5));
/// # }
/// ```
#[track_caller]
pub fn timeout<F: Future>(limit: Duration, future: F) -> impl Future<Output = Result<F::Output, Elapsed>> {
    let place = Location::caller();
    lazy(move |_| {
        let elapsed = Elapsed::new(limit, place);
        if limit.is_zero() {
            return Either::Left(ready(Err(elapsed)));
        }
        // Beyond what the clock can say there is no deadline.
        let deadline = Instant::now().checked_add(limit);
        let region = Node::region(current().values().bounded_by(deadline), place);
        let timer = deadline.map(|deadline| unconstrained(sleep_until(deadline)));
        Either::Right(Timed { future: Some(future), timer, region, elapsed })
    })
    .flatten()
}

pin_project! {
    struct Timed<F> {
        // `None` once it was cut.
        #[pin]
        future: Option<F>,
        // Outside the cooperative budget: a future that uses it up must not silence its own clock.
        #[pin]
        timer: Option<Unconstrained<Sleep>>,
        region: Ref<Watched>,
        elapsed: Elapsed,
    }
}

impl<F: Future> Future for Timed<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let _inside = this.region.enter(cx);
        if let Some(running) = this.future.as_mut().as_pin_mut()
            && let Poll::Ready(value) = running.poll(cx)
        {
            return Poll::Ready(Ok(value));
        }
        if this.timer.as_pin_mut().is_none_or(|timer| timer.poll(cx).is_pending()) {
            return Poll::Pending;
        }
        let node = this.region.node();
        node.ask(&Reason::Timeout(Origin::new(node.path(), this.elapsed.place)));
        if !node.is_to_be_cut() {
            return Poll::Pending;
        }
        this.future.set(None);
        Poll::Ready(Err(*this.elapsed))
    }
}

/// A [`timeout`] elapsed.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let elapsed = ballet::timeout(std::time::Duration::ZERO, async {}).await.unwrap_err();
/// assert!(elapsed.to_string().starts_with("did not end within 0ns"));
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct Elapsed {
    limit: Duration,
    place: &'static Location<'static>,
}

impl Elapsed {
    pub(crate) fn new(limit: Duration, place: &'static Location<'static>) -> Self {
        Self { limit, place }
    }

    /// The time that was given.
    #[must_use]
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// The line that set the timeout.
    #[must_use]
    pub fn place(&self) -> &'static Location<'static> {
        self.place
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "did not end within {:?} (timeout at {})", self.limit, self.place)
    }
}

impl fmt::Debug for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Elapsed({self})")
    }
}

impl std::error::Error for Elapsed {}
