//! One who waits for the end of a channel.

use std::task::{Context as Poller, Poll};

use super::books::Books;
use super::line::Ticket;
use super::shared::Shared;

pub(super) struct Watch<'a, T> {
    shared: &'a Shared<T>,
    ticket: Option<Ticket>,
}

impl<'a, T> Watch<'a, T> {
    pub(super) fn new(shared: &'a Shared<T>) -> Self {
        Self { shared, ticket: None }
    }

    /// Ready when `is_over`, which only the close and the last receiver can make true.
    pub(super) fn poll(&mut self, cx: &Poller<'_>, is_over: impl FnOnce(&Books<T>) -> bool) -> Poll<()> {
        self.shared.change(|books, after| {
            if is_over(books) {
                return Poll::Ready(());
            }
            books.watch(&mut self.ticket, cx.waker(), after);
            Poll::Pending
        })
    }
}

impl<T> Drop for Watch<'_, T> {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        self.shared.change(|books, after| books.leave_watch(ticket, after));
    }
}
