//! One item on its way into a channel: from the first poll to the answer, or to the drop.

use std::fmt;
use std::pin::Pin;
use std::task::{Context as Poller, Poll, ready};

use tokio::task::coop::poll_proceed;

use super::error::Unsent;
use super::line::Ticket;
use super::shared::Shared;

/// The future of [`Sender::send`](super::Sender::send).
#[must_use = "a send does nothing until it is awaited"]
pub struct Sending<'a, T> {
    shared: &'a Shared<T>,
    /// Here, except while it is in the line or has been sent.
    item: Option<T>,
    /// From the moment at which it began to wait until it has its answer.
    ticket: Option<Ticket>,
}

/// The item is moved and never pinned.
impl<T> Unpin for Sending<'_, T> {}

impl<'a, T> Sending<'a, T> {
    pub(super) fn new(shared: &'a Shared<T>, item: T) -> Self {
        Self { shared, item: Some(item), ticket: None }
    }
}

impl<T> Future for Sending<'_, T> {
    type Output = Result<(), Unsent<T>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<Self::Output> {
        let budget = ready!(poll_proceed(cx));
        let Self { shared, item, ticket } = &mut *self;
        let answer = shared.change(|books, after| books.poll_send(item, ticket, true, cx.waker(), after));
        if answer.is_ready() {
            budget.made_progress();
        }
        answer
    }
}

impl<T> Drop for Sending<'_, T> {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        drop(self.shared.change(|books, after| books.leave_send(ticket, after)));
    }
}

impl<T> fmt::Debug for Sending<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending").field("is_waiting", &self.ticket.is_some()).finish_non_exhaustive()
    }
}
