//! One receiver at a channel: from the first poll to the answer, or to the drop.

use std::fmt;
use std::pin::Pin;
use std::task::{Context as Poller, Poll, ready};

use tokio::task::coop::poll_proceed;

use super::error::Cause;
use super::line::Ticket;
use super::shared::Shared;

/// The future of [`Receiver::recv`](super::Receiver::recv).
#[must_use = "a receive does nothing until it is awaited"]
pub struct Receiving<'a, T> {
    shared: &'a Shared<T>,
    /// From the moment at which it began to wait until it has its answer.
    ticket: Option<Ticket>,
}

impl<'a, T> Receiving<'a, T> {
    pub(super) fn new(shared: &'a Shared<T>) -> Self {
        Self { shared, ticket: None }
    }
}

impl<T> Future for Receiving<'_, T> {
    type Output = Result<Option<T>, Cause>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<Self::Output> {
        let budget = ready!(poll_proceed(cx));
        let Self { shared, ticket } = &mut *self;
        let answer = shared.change(|books, after| books.poll_recv(ticket, cx.waker(), after));
        if answer.is_ready() {
            budget.made_progress();
        }
        answer
    }
}

impl<T> Drop for Receiving<'_, T> {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        self.shared.change(|books, after| books.leave_recv(ticket, after));
    }
}

impl<T> fmt::Debug for Receiving<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiving").field("is_waiting", &self.ticket.is_some()).finish_non_exhaustive()
    }
}
