//! One item on its way into a channel: from the first poll to the answer, or to the drop.

use std::any::type_name;
use std::fmt;
use std::pin::Pin;
use std::task::{Context as Poller, Poll};

use super::error::Unsent;
use super::line::Ticket;
use super::pace::Pace;
use super::shared::Shared;
use crate::job::waits_for;

/// The future of [`Sender::send`](super::Sender::send).
#[must_use = "a send does nothing until it is awaited"]
pub struct Sending<'a, T> {
    shared: &'a Shared<T>,
    pace: &'a Pace,
    /// Here, except while it is in the line or has been sent.
    item: Option<T>,
    /// From the moment at which it began to wait until it has its answer.
    ticket: Option<Ticket>,
    /// Whether the item may go into the line, where a receiver takes it while nobody polls this.
    brings: bool,
}

/// The item is moved and never pinned.
impl<T> Unpin for Sending<'_, T> {}

impl<'a, T> Sending<'a, T> {
    pub(super) fn new(shared: &'a Shared<T>, pace: &'a Pace, item: T) -> Self {
        Self { shared, pace, item: Some(item), ticket: None, brings: true }
    }

    /// Leaves the line, with its item, unless that has been taken. `brings` holds when it comes back.
    pub(super) fn withdraw(&mut self, brings: bool) {
        self.brings = brings;
        let Some(ticket) = self.ticket else { return };
        self.shared.change(|books, after| {
            if books.has_sent(ticket) {
                return;
            }
            self.ticket = None;
            if let Some(item) = books.leave_send(ticket, after) {
                self.item = Some(item);
            }
        });
    }
}

impl<T> Future for Sending<'_, T> {
    type Output = Result<(), Unsent<T>>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<Self::Output> {
        let Self { shared, pace, item, ticket, brings } = &mut *self;
        let polled = pace.poll(cx, |cx| shared.poll_send(item, ticket, *brings, cx.waker()));
        if polled.is_pending() {
            waits_for(|| format!("waits to send into a channel of {}", type_name::<T>()));
        }
        polled
    }
}

impl<T> Drop for Sending<'_, T> {
    #[inline]
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
