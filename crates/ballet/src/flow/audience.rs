//! How many listen to a hot flow, and who waits for the first of them to come or for the last to leave.
//!
//! An [`Audience`] lies under the lock of its flow; what it gives out is woken or dropped when that is released.

use std::pin::Pin;
use std::task::{Context as Poller, Poll, Waker};

use super::wait_list::{Called, Seat, WaitList};

#[derive(Default)]
pub(super) struct Audience {
    present: usize,
    waiting: WaitList,
}

impl Audience {
    pub(super) fn present(&self) -> usize {
        self.present
    }

    /// One more listens.
    pub(super) fn enter(&mut self) -> Called {
        self.present += 1;
        if self.present == 1 { self.waiting.call() } else { Called::default() }
    }

    /// One listens no longer.
    pub(super) fn leave(&mut self) -> Called {
        self.present -= 1;
        if self.present == 0 { self.waiting.call() } else { Called::default() }
    }

    /// Whether somebody, or nobody, is there as it is wanted; else it waits for that.
    fn is(&mut self, wanted: bool, seat: &mut Option<Seat>, waker: &Waker) -> (bool, Option<Waker>) {
        if (self.present > 0) == wanted {
            return (true, None);
        }
        (false, self.waiting.wait(seat, waker))
    }
}

/// Whatever has an audience under its lock.
pub(super) trait Venue {
    /// Runs with the lock held.
    fn with_audience<R>(&self, with: impl FnOnce(&mut Audience) -> R) -> R;
}

/// Waits until somebody listens, or until nobody does.
pub(super) struct Listening<'a, S: Venue> {
    venue: &'a S,
    wanted: bool,
    seat: Option<Seat>,
}

impl<'a, S: Venue> Listening<'a, S> {
    pub(super) fn new(venue: &'a S, wanted: bool) -> Self {
        Self { venue, wanted, seat: None }
    }
}

impl<S: Venue> Future for Listening<'_, S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<()> {
        let Self { venue, wanted, seat } = &mut *self;
        let (is_so, replaced) = venue.with_audience(|audience| audience.is(*wanted, seat, cx.waker()));
        drop(replaced);
        if is_so { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl<S: Venue> Drop for Listening<'_, S> {
    fn drop(&mut self) {
        let own = self.venue.with_audience(|audience| audience.waiting.leave(self.seat));
        drop(own);
    }
}
