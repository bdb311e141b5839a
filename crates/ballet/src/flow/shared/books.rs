//! The books of a shared flow: the buffer, who waits for what, and the end. Plain sequential code; its callers hold the
//! lock.
//!
//! Invariant, which holds after every call: where emitters wait and there is room, the first of them has been called, or
//! is by whoever took the item that made room; where there are no subscribers, all of them have been.
//!
//! Items and wakers that leave the books are handed to the caller, to be dropped or woken when the lock is released:
//! both run foreign code, which may come back here.

use std::collections::BTreeMap;
use std::fmt::{self, DebugStruct};
use std::task::Waker;

use super::ring::{Cursor, Ring};
use super::{NotEmitted, Overflow, Sharing};
use crate::flow::audience::Audience;
use crate::flow::wait_list::{Called, Seat, WaitList};
use crate::sync::wake_each;

pub(super) struct Books<T, E> {
    overflow: Overflow,
    pub(super) ring: Ring<T>,
    /// The subscribers, and who waits for them to come or leave.
    pub(super) audience: Audience,
    /// Subscribers that wait for an item or the end.
    receivers: WaitList,
    /// Emitters that wait for room, by ticket: the first entry is the next to be served. One without a waker has been
    /// called and has not looked yet. A map, so that anybody can leave from the middle.
    line: BTreeMap<Ticket, Option<Waker>>,
    next_ticket: Ticket,
    end: Option<End<E>>,
}

/// How a flow ended.
type End<E> = Result<(), E>;

pub(super) type Ticket = u64;

/// Those who were called and have not been woken yet.
#[must_use = "they wait to be woken"]
pub(super) struct Calls {
    receivers: Called,
    emitters: Vec<Waker>,
    audience: Called,
}

impl Calls {
    /// Wakes them, outside of the lock.
    pub(super) fn wake(self) {
        self.receivers.wake();
        wake_each(self.emitters);
        self.audience.wake();
    }
}

impl<T, E> Books<T, E> {
    pub(super) fn new(sharing: Sharing) -> Self {
        Self {
            overflow: sharing.overflow,
            ring: Ring::new(sharing),
            audience: Audience::default(),
            receivers: WaitList::default(),
            line: BTreeMap::new(),
            next_ticket: 0,
            end: None,
        }
    }

    pub(super) fn is_ended(&self) -> bool {
        self.end.is_some()
    }

    pub(super) fn describe(&mut self, mut f: DebugStruct<'_, '_>) -> fmt::Result {
        f.field("buffered", &self.ring.len())
            .field("subscribers", &self.audience.present())
            .field("waiting_emitters", &self.line.len())
            .field("ended", &self.is_ended())
            .finish_non_exhaustive()
    }

    // What emitters do.

    /// Puts the item in; what it pushed out comes out. Or gives it back: where the flow has ended, where it is full, and
    /// where others have waited for longer. Those who wait for the item have still to be [called](Self::call).
    pub(super) fn emit(&mut self, item: T, ticket: Option<Ticket>) -> Result<Option<T>, NotEmitted<T>> {
        if self.end.is_some() {
            return Err(NotEmitted::ended(item));
        }
        let pushed_out = match self.overflow {
            Overflow::Suspend if self.ring.is_full() || !self.is_next(ticket) => {
                return Err(NotEmitted::full(item));
            }
            Overflow::DropLatest if self.ring.is_full() => {
                self.ring.skip();
                Some(item)
            }
            _ => self.ring.push(item, self.audience.present()),
        };
        if let Some(ticket) = ticket {
            self.line.remove(&ticket);
        }
        Ok(pushed_out)
    }

    /// After an emission: everybody who waits for an item, and the next emitter, if there is room for its item, too.
    #[inline]
    pub(super) fn call(&mut self) -> Option<Calls> {
        if self.receivers.is_empty() && self.line.is_empty() {
            return None;
        }
        let emitters = Vec::from_iter(self.call_next());
        Some(Calls { receivers: self.receivers.call(), emitters, audience: Called::default() })
    }

    /// Stands at the end of the line, or keeps its place. A waker that was replaced comes out.
    pub(super) fn queue(&mut self, ticket: &mut Option<Ticket>, waker: &Waker) -> Option<Waker> {
        let ticket = *ticket.get_or_insert_with(|| {
            self.next_ticket += 1;
            self.next_ticket
        });
        let known = self.line.entry(ticket).or_default();
        match known {
            Some(known) if known.will_wake(waker) => None,
            _ => known.replace(waker.clone()),
        }
    }

    /// Leaves the line without having emitted. Gives its own waker, and that of whoever is now first and finds room.
    pub(super) fn leave_line(&mut self, ticket: Ticket) -> (Option<Waker>, Option<Waker>) {
        let own = self.line.remove(&ticket).flatten();
        (own, self.call_next())
    }

    /// Ends the flow, unless it has ended.
    pub(super) fn end(&mut self, end: End<E>) -> Option<Calls> {
        if self.end.is_some() {
            return None;
        }
        self.end = Some(end);
        let emitters = self.call_line();
        Some(Calls { receivers: self.receivers.call(), emitters, audience: Called::default() })
    }

    // What subscribers do.

    pub(super) fn subscribe(&mut self) -> (Cursor<T>, Called) {
        (self.ring.enter(), self.audience.enter())
    }

    /// Takes the subscriber out. Gives what nobody needs any more, its own waker, and whoever is to be woken.
    pub(super) fn unsubscribe(
        &mut self,
        cursor: &Cursor<T>,
        seat: Option<Seat>,
    ) -> (Vec<T>, Option<Waker>, Calls) {
        let unneeded = self.ring.leave(cursor);
        let audience = self.audience.leave();
        let is_deserted = self.audience.present() == 0;
        let emitters = if is_deserted { self.call_line() } else { Vec::from_iter(self.call_next()) };
        (unneeded, self.receivers.leave(seat), Calls { receivers: Called::default(), emitters, audience })
    }

    /// How the flow ended, for a subscriber that has taken all there is.
    pub(super) fn ended(&self, cursor: &mut Cursor<T>) -> Option<End<E>>
    where
        E: Clone,
    {
        let end = self.end.as_ref()?;
        self.ring.end(cursor);
        Some(end.clone())
    }

    /// Waits for an item or for the end.
    pub(super) fn wait(&mut self, seat: &mut Option<Seat>, waker: &Waker) -> Option<Waker> {
        self.receivers.wait(seat, waker)
    }

    // The line.

    /// Whether an emitter may go before all others that wait. Where there are no subscribers, all may.
    fn is_next(&self, ticket: Option<Ticket>) -> bool {
        self.audience.present() == 0 || self.line.keys().next().is_none_or(|first| Some(*first) == ticket)
    }

    /// The first in line, if there is room for it and it has not been called yet.
    #[inline]
    pub(super) fn call_next(&mut self) -> Option<Waker> {
        if self.line.is_empty() || self.ring.is_full() {
            return None;
        }
        self.line.first_entry()?.get_mut().take()
    }

    fn call_line(&mut self) -> Vec<Waker> {
        self.line.values_mut().filter_map(Option::take).collect()
    }
}
