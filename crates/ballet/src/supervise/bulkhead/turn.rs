//! One caller in the line: from the first poll to the answer, or to the drop.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Poller, Poll};

use super::Pool;
use super::line::{Answer, Ticket};
use super::place::{Acquired, Place};
use super::rejected::{Rejected, Why};
use crate::job::{Remarked, remark};
use crate::sync::wake_each;

/// The future of [`Bulkhead::acquire`](crate::Bulkhead::acquire).
pub(super) struct Turn<'a> {
    pool: &'a Arc<Pool>,
    /// From the moment at which it began to wait until it has its answer.
    ticket: Option<Ticket>,
    /// Shows in the tree that its job waits.
    remarked: Option<Remarked>,
}

impl<'a> Turn<'a> {
    pub(super) fn new(pool: &'a Arc<Pool>) -> Self {
        Self { pool, ticket: None, remarked: None }
    }
}

impl Future for Turn<'_> {
    type Output = Result<Acquired, Rejected>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<Self::Output> {
        let mut line = self.pool.line();
        let (answer, replaced) = match self.ticket {
            Some(ticket) => line.look(ticket, cx.waker()),
            None => (line.take(), None),
        };
        if matches!(answer, Answer::Full) && self.ticket.is_none() {
            self.ticket = Some(line.queue(cx.waker().clone()));
        }
        let polled = match answer {
            Answer::Full => Poll::Pending,
            Answer::Granted => Poll::Ready(Ok(Place::acquired(self.pool))),
            Answer::Closed => Poll::Ready(Err(self.pool.rejected(Why::Closed, &line))),
        };
        drop(line);
        drop(replaced);
        if polled.is_ready() {
            (self.ticket, self.remarked) = (None, None);
        } else if self.remarked.is_none() {
            self.remarked = remark(self.pool.clone());
        }
        polled
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        let (own, next) = self.pool.line().leave(ticket);
        drop(own);
        wake_each(next);
    }
}
