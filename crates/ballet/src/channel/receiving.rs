//! One receiver at a channel: from the first poll to the answer, or to the drop.

use std::any::type_name;
use std::fmt;
use std::pin::Pin;
use std::task::{Context as Poller, Poll};

use super::error::Cause;
use super::line::Ticket;
use super::pace::Pace;
use super::shared::Shared;
use crate::job::waits_for;

/// The future of [`Receiver::recv`](super::Receiver::recv).
#[must_use = "a receive does nothing until it is awaited"]
pub struct Receiving<'a, T> {
    shared: &'a Shared<T>,
    pace: &'a Pace,
    /// From the moment at which it began to wait until it has its answer.
    ticket: Option<Ticket>,
}

impl<'a, T> Receiving<'a, T> {
    pub(super) fn new(shared: &'a Shared<T>, pace: &'a Pace) -> Self {
        Self { shared, pace, ticket: None }
    }

    /// Leaves the line; what is kept for it goes to whoever waits next.
    pub(super) fn withdraw(&mut self) {
        let Some(ticket) = self.ticket.take() else { return };
        self.shared.change(|books, after| books.leave_recv(ticket, after));
    }
}

impl<T> Future for Receiving<'_, T> {
    type Output = Result<Option<T>, Cause>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<Self::Output> {
        let Self { shared, pace, ticket } = &mut *self;
        let polled = pace.poll(cx, |cx| shared.poll_recv(ticket, cx.waker()));
        if polled.is_pending() {
            waits_for(|| format!("waits to receive from a channel of {}", type_name::<T>()));
        }
        polled
    }
}

impl<T> Drop for Receiving<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.withdraw();
    }
}

impl<T> fmt::Debug for Receiving<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiving").field("is_waiting", &self.ticket.is_some()).finish_non_exhaustive()
    }
}
