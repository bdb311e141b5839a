//! How many listen to a hot flow, and who waits for the first of them to come or for the last to leave.
//!
//! An [`Audience`] lies under the lock of its flow; what it gives out is woken or dropped when that is released.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Poller, Poll};

use super::wait_list::{Called, Seat, WaitList};
use crate::job::waits_for;

#[derive(Default)]
pub(super) struct Audience {
    present: usize,
    /// How many have ever come.
    visits: u64,
    /// How many [`Ticket`]s there are.
    tickets: usize,
    waiting: WaitList,
}

/// What one may wait for.
#[derive(Clone, Copy)]
pub(super) enum Wanted {
    Somebody,
    Nobody,
    /// That somebody is there, or has come and gone since there had been so many visits.
    Visitor {
        since: u64,
    },
    /// That nobody is there, and nobody can come any more.
    Desertion,
}

impl Audience {
    pub(super) fn present(&self) -> usize {
        self.present
    }

    pub(super) fn visits(&self) -> u64 {
        self.visits
    }

    /// One more listens.
    pub(super) fn enter(&mut self) -> Called {
        self.present += 1;
        self.visits += 1;
        if self.present == 1 { self.waiting.call() } else { Called::default() }
    }

    /// One listens no longer.
    pub(super) fn leave(&mut self) -> Called {
        self.present -= 1;
        if self.present == 0 { self.waiting.call() } else { Called::default() }
    }

    fn is(&self, wanted: Wanted) -> bool {
        match wanted {
            Wanted::Somebody => self.present > 0,
            Wanted::Nobody => self.present == 0,
            Wanted::Visitor { since } => self.present > 0 || self.visits > since,
            Wanted::Desertion => self.present == 0 && self.tickets == 0,
        }
    }
}

impl Wanted {
    /// As whoever waits for it says.
    fn wait(self) -> &'static str {
        match self {
            Self::Somebody | Self::Visitor { .. } => "waits for a subscriber of a hot flow",
            Self::Nobody | Self::Desertion => "waits for the last subscriber of a hot flow to leave",
        }
    }
}

/// Whatever has an audience under its lock.
pub(super) trait Venue {
    /// Runs with the lock held.
    fn with_audience<R>(&self, with: impl FnOnce(&mut Audience) -> R) -> R;
}

/// The right to listen, which handles share. While there is one, somebody may come.
pub(super) struct Ticket<V: Venue>(Arc<V>);

impl<V: Venue> Ticket<V> {
    pub(super) fn new(venue: &Arc<V>) -> Arc<Self> {
        venue.with_audience(|audience| audience.tickets += 1);
        Arc::new(Self(Arc::clone(venue)))
    }

    pub(super) fn venue(&self) -> &Arc<V> {
        &self.0
    }
}

impl<V: Venue> Drop for Ticket<V> {
    fn drop(&mut self) {
        let called = self.0.with_audience(|audience| {
            audience.tickets -= 1;
            if audience.is(Wanted::Desertion) { audience.waiting.call() } else { Called::default() }
        });
        called.wake();
    }
}

/// Waits until the audience is as wanted.
pub(super) struct Listening<'a, V: Venue> {
    venue: &'a V,
    wanted: Wanted,
    seat: Option<Seat>,
}

impl<'a, V: Venue> Listening<'a, V> {
    pub(super) fn new(venue: &'a V, wanted: Wanted) -> Self {
        Self { venue, wanted, seat: None }
    }
}

impl<V: Venue> Future for Listening<'_, V> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<()> {
        let Self { venue, wanted, seat } = &mut *self;
        let replaced = venue.with_audience(|audience| {
            if audience.is(*wanted) { Err(()) } else { Ok(audience.waiting.wait(seat, cx.waker())) }
        });
        match replaced {
            Err(()) => Poll::Ready(()),
            Ok(replaced) => {
                drop(replaced);
                waits_for(|| wanted.wait().to_owned());
                Poll::Pending
            }
        }
    }
}

impl<V: Venue> Drop for Listening<'_, V> {
    fn drop(&mut self) {
        let own = self.venue.with_audience(|audience| audience.waiting.leave(self.seat));
        drop(own);
    }
}
