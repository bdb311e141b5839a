//! A bound on time, as an ordinary typed error.

use std::fmt;
use std::future::poll_fn;
use std::panic::Location;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::task::coop::unconstrained;
use tokio::time::{Instant, sleep_until};

use crate::job::{Node, Origin, Reason, current};

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
    async move {
        let elapsed = Elapsed::new(limit, place);
        if limit.is_zero() {
            return Err(elapsed);
        }
        // Beyond what the clock can say there is no deadline.
        let Some(deadline) = Instant::now().checked_add(limit) else { return Ok(future.await) };
        let region = Node::region(current().values().with_deadline(deadline), place);
        let mut future = pin!(Some(future));
        // Outside the cooperative budget: a future that uses it up must not silence its own clock.
        let mut timer = pin!(unconstrained(sleep_until(deadline)));
        poll_fn(|cx| {
            let _inside = region.enter(cx);
            if let Some(running) = future.as_mut().as_pin_mut()
                && let Poll::Ready(value) = running.poll(cx)
            {
                return Poll::Ready(Ok(value));
            }
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let node = region.node();
            node.ask(&Reason::Timeout(Origin::new(node.path(), place)));
            if !node.is_to_be_cut() {
                return Poll::Pending;
            }
            future.set(None);
            Poll::Ready(Err(elapsed))
        })
        .await
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
