//! What may be waited for: what holds nothing while nobody polls it.

use std::fmt;
use std::pin::Pin;
use std::task::{Context as Poller, Poll};
use std::time::Duration;

use tokio::task::coop::{Unconstrained, unconstrained};
use tokio::time::{Instant, Sleep, sleep_until};

use super::super::{Receiving, Sending};
use crate::job::{Deferred, Fault, Isolated, Together};

/// One arm of a [`select`](super::select()): a send, a receive, a join or a clock.
///
/// Its output is that of the future. The trait is closed: an arbitrary future may hold a lock, a permit or an item
/// while it waits, and to be given back unpolled would be a trap.
pub trait Arm: Future + Unpin + closed::Arm {}

/// What a select asks of an arm and of a set of arms; nobody else can call it or implement it.
pub(super) mod closed {
    pub trait Arm {
        /// Begins to take part: from now on nothing but its own poll makes it take effect.
        fn enter(&mut self) {}
        /// Has lost: gives up its place in any line, and what was kept for it.
        fn leave(&mut self) {}
    }
}

impl<T> Arm for Sending<'_, T> {}

impl<T> closed::Arm for Sending<'_, T> {
    fn enter(&mut self) {
        self.withdraw(false);
    }

    fn leave(&mut self) {
        self.withdraw(true);
    }
}

impl<T> Arm for Receiving<'_, T> {}

impl<T> closed::Arm for Receiving<'_, T> {
    fn leave(&mut self) {
        self.withdraw();
    }
}

impl<T, E: Fault> Arm for Deferred<T, E, Together> {}

impl<T, E: Fault> Arm for Deferred<T, E, Isolated> {}

/// Whoever awaits a job leaves a waker with it and holds nothing.
impl<T, E: Fault, D> closed::Arm for Deferred<T, E, D> {}

/// A clock, as an arm of a [`select`](super::select()): ready when its time is over. Made by [`after`].
#[must_use = "a clock does nothing until it is awaited"]
pub struct After(Clock);

enum Clock {
    Over,
    Runs(Pin<Box<Unconstrained<Sleep>>>),
    /// The limit is beyond what the clock can say.
    Never,
}

/// A clock that begins now and is ready after `limit`; at once where that is zero. What comes back from a
/// [`select`](super::select()) that it has lost goes on.
///
/// To bound a single future, use [`timeout`](crate::timeout).
///
/// # Panics
///
/// Outside a Tokio runtime with its timer on.
pub fn after(limit: Duration) -> After {
    After(match Instant::now().checked_add(limit) {
        _ if limit.is_zero() => Clock::Over,
        // Outside the cooperative budget: an arm that uses it up must not silence the clock.
        Some(deadline) => Clock::Runs(Box::pin(unconstrained(sleep_until(deadline)))),
        None => Clock::Never,
    })
}

impl Future for After {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<()> {
        match &mut self.0 {
            Clock::Over => Poll::Ready(()),
            Clock::Runs(sleep) => sleep.as_mut().poll(cx),
            Clock::Never => Poll::Pending,
        }
    }
}

impl Arm for After {}

impl closed::Arm for After {}

impl fmt::Debug for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("After")
    }
}
