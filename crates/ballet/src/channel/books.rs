//! Everything that changes in a channel: plain sequential code, which runs under the channel's lock.
//!
//! Invariants, cited by number below:
//!
//! 1. Every waiting receiver that can have an item is called up: while a receiver waits, there are as many items as
//!    receivers called up, and each of those will find one. So a newcomer overtakes nobody.
//! 2. Every waiting sender that can have a place is called up: while a sender waits, no place is free. A place at a
//!    rendezvous is a receiver that waits.
//! 3. Whoever was called up takes what is kept for it in its next poll, or gives it up when it leaves; then the next
//!    is called up. So neither an item nor a place is lost with whoever waited for it, and an item is in the
//!    channel until a poll of its receiver takes it out.
//! 4. Foreign code other than a waker's `clone` does not run here: wakers and items go into the [`Aftermath`].

use std::collections::VecDeque;
use std::task::{Poll, Waker};

use super::aftermath::Aftermath;
use super::error::{Cause, Unreceived, Unsent, Why};
use super::line::{Left, Line, Standing, Ticket};
use super::stats::Stats;

/// An emptied queue that had grown beyond this gives its memory back.
const KEPT_PLACES: usize = 4096;

/// What happens to an item for which there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overflow {
    /// Its sender waits.
    Wait,
    /// The oldest item makes room for it.
    DropOldest,
    /// It is dropped itself.
    DropLatest,
}

pub(super) struct Books<T> {
    overflow: Overflow,
    /// How many items may be here for a sender to put one in without looking further: 0 where it is closed or
    /// deserted, or a rendezvous, and nothing is simple.
    free_below: usize,
    items: VecDeque<T>,
    /// At a rendezvous a sender brings its item, which a receiver may take without waiting for the sender. Elsewhere
    /// the item stays with its sender until it is called up, so that a send that is cancelled has sent nothing.
    senders: Line<Option<T>>,
    receivers: Line<()>,
    /// Those who wait for the channel to take nothing any more.
    watchers: Line<()>,
    /// What it is closed with when its last sender goes, unless it was closed before.
    farewell: Option<Cause>,
    /// The cause, once it was closed or its last sender has gone.
    closed: Option<Option<Cause>>,
    /// Whether a sender was turned away because the last receiver has gone.
    has_missed_receivers: bool,
    /// All but `len` and the two `waiting_`, which are counted elsewhere.
    stats: Stats,
}

/// Whether an item may come in.
enum Admission {
    Free,
    Full,
    Refused(Why),
}

/// What a receiver is told: an item, the end, or what the channel was closed with.
pub(super) type Received<T> = Result<Option<T>, Cause>;

impl<T> Books<T> {
    pub(super) fn new(places: usize, overflow: Overflow) -> Self {
        let stats = Stats { places, senders: 1, receivers: 1, ..Stats::default() };
        Self {
            overflow,
            free_below: places,
            items: VecDeque::new(),
            senders: Line::new(),
            receivers: Line::new(),
            watchers: Line::new(),
            farewell: None,
            closed: None,
            has_missed_receivers: false,
            stats,
        }
    }

    pub(super) fn stats(&self) -> Stats {
        Stats {
            len: self.items.len(),
            waiting_senders: self.senders.waiting(),
            waiting_receivers: self.receivers.waiting(),
            ..self.stats
        }
    }

    /// Puts the item in, if there is nothing else to think of; takes the waker of whoever waits for it.
    #[inline]
    pub(super) fn put_at_once(&mut self, item: &mut Option<T>, wake: &mut Option<Waker>) -> bool {
        if self.items.len() + self.senders.granted() >= self.free_below {
            return false;
        }
        let Some(item) = item.take() else { return false };
        self.note_put(item);
        if self.receivers.waiting() > 0 {
            *wake = self.call_up_receiver();
        }
        true
    }

    /// Takes an item out, if one is there that is not kept for somebody; and the waker of whoever gets its place.
    #[inline]
    pub(super) fn take_at_once(&mut self, wake: &mut Option<Waker>) -> Option<T> {
        if self.free_below == 0 || self.items.len() <= self.receivers.granted() {
            return None;
        }
        let item = self.items.pop_front()?;
        self.stats.received += 1;
        if self.senders.waiting() > 0 {
            *wake = self.senders.grant_first();
        } else if self.items.is_empty() {
            self.give_memory_back();
        }
        Some(item)
    }

    /// Puts an item in; the item that was dropped for it comes back.
    pub(super) fn try_send(&mut self, item: T, after: &mut Aftermath) -> Result<Option<T>, Unsent<T>> {
        match self.admission() {
            Admission::Free => self.put(item, after),
            Admission::Full => return self.overflow(item, after),
            Admission::Refused(why) => {
                self.has_missed_receivers |= self.is_deserted();
                return Err(Unsent::new(item, why));
            }
        }
        Ok(None)
    }

    fn overflow(&mut self, item: T, after: &mut Aftermath) -> Result<Option<T>, Unsent<T>> {
        let dropped = match self.overflow {
            Overflow::Wait => return Err(Unsent::new(item, Why::Full(self.stats.places))),
            Overflow::DropLatest => Some(item),
            Overflow::DropOldest => {
                let oldest = self.items.pop_front();
                self.put(item, after);
                oldest
            }
        };
        self.stats.dropped += 1;
        Ok(dropped)
    }

    /// One poll of a sender; `item` is empty while the item is in the line or in the channel. With `brings`, a
    /// sender that has to wait at a rendezvous takes its item into the line.
    #[inline]
    pub(super) fn poll_send(
        &mut self,
        item: &mut Option<T>,
        ticket: &mut Option<Ticket>,
        brings: bool,
        waker: &Waker,
        after: &mut Aftermath,
    ) -> Poll<Result<Option<T>, Unsent<T>>> {
        let Some(known) = *ticket else {
            assert!(item.is_some(), "this send has ended and cannot be polled again");
            match self.admission() {
                Admission::Free => {
                    self.put(take(item), after);
                    return Poll::Ready(Ok(None));
                }
                Admission::Full if self.overflow == Overflow::Wait => {}
                Admission::Full | Admission::Refused(_) => {
                    return Poll::Ready(self.try_send(take(item), after));
                }
            }
            let brought = if brings && self.is_rendezvous() { item.take() } else { None };
            *ticket = Some(self.senders.join(brought, waker.clone()));
            self.stats.send_waits += 1;
            return Poll::Pending;
        };
        match self.senders.standing(known) {
            Standing::Done => {}
            _ if self.is_deserted() => {
                let Left { waker, brought, .. } = self.senders.leave(known);
                *ticket = None;
                after.drop_waker(waker);
                self.has_missed_receivers = true;
                let item = brought.unwrap_or_else(|| take(item));
                return Poll::Ready(Err(Unsent::new(item, self.refusal().unwrap_or(Why::Deserted))));
            }
            Standing::Waits => {
                after.drop_waker(self.senders.wait_on(known, waker));
                return Poll::Pending;
            }
            // The receiver for which it was called up has left meanwhile.
            Standing::Granted if self.is_rendezvous() && self.receivers.waiting() == 0 => {
                self.senders.return_to_front(known, waker.clone());
                return Poll::Pending;
            }
            Standing::Granted => {}
        }
        *ticket = None;
        if self.senders.leave(known).standing == Standing::Granted {
            self.put(take(item), after);
        }
        Poll::Ready(Ok(None))
    }

    /// A sender leaves before it was answered. What it brought comes back, unless it has been taken.
    pub(super) fn leave_send(&mut self, ticket: Ticket, after: &mut Aftermath) -> Option<T> {
        let Left { waker, brought, .. } = self.senders.leave(ticket);
        after.drop_waker(waker);
        self.call_up_sender(after);
        self.tell_end(after);
        brought
    }

    /// Whether the item of a sender has been taken, and it has only to be told.
    pub(super) fn has_sent(&self, ticket: Ticket) -> bool {
        self.senders.standing(ticket) == Standing::Done
    }

    /// An item, if there is one that is not kept for somebody else.
    pub(super) fn try_recv(&mut self, after: &mut Aftermath) -> Result<T, Unreceived> {
        self.take(after).ok_or_else(|| {
            Unreceived::new(match &self.closed {
                Some(cause) if self.is_drained() => Why::Closed(cause.clone()),
                _ => Why::Empty,
            })
        })
    }

    /// One poll of a receiver.
    #[inline]
    pub(super) fn poll_recv(
        &mut self,
        ticket: &mut Option<Ticket>,
        waker: &Waker,
        after: &mut Aftermath,
    ) -> Poll<Received<T>> {
        let Some(known) = *ticket else {
            if let Some(item) = self.take(after) {
                return Poll::Ready(Ok(Some(item)));
            }
            if let Some(end) = self.end() {
                return Poll::Ready(end);
            }
            *ticket = Some(self.receivers.join((), waker.clone()));
            self.stats.recv_waits += 1;
            self.call_up_sender(after);
            return Poll::Pending;
        };
        let answer = match self.receivers.standing(known) {
            Standing::Waits => match self.end() {
                Some(end) => {
                    after.drop_waker(self.receivers.leave(known).waker);
                    end
                }
                None => {
                    after.drop_waker(self.receivers.wait_on(known, waker));
                    return Poll::Pending;
                }
            },
            Standing::Granted | Standing::Done => {
                self.receivers.leave(known);
                Ok(self.pop(after))
            }
        };
        *ticket = None;
        Poll::Ready(answer)
    }

    /// A receiver leaves before it was answered.
    pub(super) fn leave_recv(&mut self, ticket: Ticket, after: &mut Aftermath) {
        after.drop_waker(self.receivers.leave(ticket).waker);
        after.wake(self.call_up_receiver());
    }

    /// Has `waker` told when the channel is closed, and when it is deserted.
    pub(super) fn watch(&mut self, ticket: &mut Option<Ticket>, waker: &Waker, after: &mut Aftermath) {
        match *ticket {
            Some(known) => after.drop_waker(self.watchers.wait_on(known, waker)),
            None => *ticket = Some(self.watchers.join((), waker.clone())),
        }
    }

    pub(super) fn leave_watch(&mut self, ticket: Ticket, after: &mut Aftermath) {
        after.drop_waker(self.watchers.leave(ticket).waker);
    }

    /// Takes nothing any more; returns whether it did until now. Those who wait to send have come before, and do.
    pub(super) fn close(&mut self, cause: Option<Cause>, after: &mut Aftermath) -> bool {
        if self.closed.is_some() {
            return false;
        }
        self.closed = Some(cause);
        self.free_below = 0;
        after.wake_all(self.watchers.wakers());
        self.tell_end(after);
        true
    }

    /// Why nothing is taken any more, if so.
    pub(super) fn refusal(&self) -> Option<Why> {
        match &self.closed {
            Some(cause) => Some(Why::Closed(cause.clone())),
            None => self.is_deserted().then_some(Why::Deserted),
        }
    }

    pub(super) fn add_sender(&mut self) {
        self.stats.senders += 1;
    }

    pub(super) fn remove_sender(&mut self, after: &mut Aftermath) {
        self.stats.senders -= 1;
        if self.stats.senders == 0 {
            let cause = if self.closed.is_none() { self.farewell.take() } else { None };
            self.close(cause, after);
        }
    }

    /// The channel is closed with this cause when the last sender has gone; the one that was said before comes out.
    pub(super) fn bid_farewell(&mut self, cause: Cause) -> Option<Cause> {
        self.farewell.replace(cause)
    }

    pub(super) fn add_receiver(&mut self) {
        self.stats.receivers += 1;
    }

    /// The last receiver that goes leaves behind what nobody will receive.
    pub(super) fn remove_receiver(&mut self, after: &mut Aftermath) -> VecDeque<T> {
        self.stats.receivers -= 1;
        if !self.is_deserted() {
            return VecDeque::new();
        }
        self.free_below = 0;
        after.wake_all(self.senders.wakers().chain(self.watchers.wakers()));
        self.stats.dropped += self.items.len() as u64;
        std::mem::take(&mut self.items)
    }

    /// Whether a sender was told that the last receiver has gone.
    pub(super) fn has_missed_receivers(&self) -> bool {
        self.has_missed_receivers
    }

    fn is_rendezvous(&self) -> bool {
        self.stats.places == 0
    }

    /// Whether the last receiver has gone.
    pub(super) fn is_deserted(&self) -> bool {
        self.stats.receivers == 0
    }

    /// Whether nothing will come, once it is closed.
    fn is_drained(&self) -> bool {
        self.items.is_empty() && self.senders.is_empty()
    }

    fn end(&self) -> Option<Received<T>> {
        let cause = self.closed.as_ref().filter(|_| self.is_drained())?;
        Some(cause.clone().map_or(Ok(None), Err))
    }

    #[inline]
    fn admission(&self) -> Admission {
        match self.refusal() {
            Some(why) => Admission::Refused(why),
            None if self.has_room() => Admission::Free,
            None => Admission::Full,
        }
    }

    /// Whether a place is free that is not kept for somebody. By 2, nobody waits for it.
    fn has_room(&self) -> bool {
        let kept = self.senders.granted();
        if self.is_rendezvous() {
            self.receivers.waiting() > kept
        } else {
            self.items.len() + kept < self.stats.places
        }
    }

    #[inline]
    fn put(&mut self, item: T, after: &mut Aftermath) {
        self.note_put(item);
        after.wake(self.call_up_receiver());
    }

    #[inline]
    fn note_put(&mut self, item: T) {
        self.items.push_back(item);
        self.stats.sent += 1;
        self.stats.peak = self.stats.peak.max(self.items.len());
    }

    /// Takes out the next item, unless it is kept for somebody who was called up. By 1, nobody waits for it.
    #[inline]
    fn take(&mut self, after: &mut Aftermath) -> Option<T> {
        if self.items.len() > self.receivers.granted() {
            return self.pop(after);
        }
        if self.receivers.waiting() > 0 {
            return None;
        }
        // At a rendezvous the first sender may have brought its item.
        let brought = self.senders.first_brought()?.take()?;
        after.wake(self.senders.tell_first_done());
        self.stats.sent += 1;
        if self.items.is_empty() {
            // No place became free by it, and nobody else waits for an item.
            self.stats.received += 1;
            return Some(brought);
        }
        // What is kept for others came before it, and goes first.
        self.items.push_back(brought);
        self.pop(after)
    }

    #[inline]
    fn pop(&mut self, after: &mut Aftermath) -> Option<T> {
        let item = self.items.pop_front()?;
        self.stats.received += 1;
        self.give_memory_back();
        self.call_up_sender(after);
        self.tell_end(after);
        Some(item)
    }

    #[inline]
    fn give_memory_back(&mut self) {
        if self.items.capacity() > KEPT_PLACES && self.items.is_empty() {
            self.items = VecDeque::new();
        }
    }

    /// Holds 1 after an item came in or a receiver that was called up left.
    #[inline]
    fn call_up_receiver(&mut self) -> Option<Waker> {
        if self.items.len() > self.receivers.granted() { self.receivers.grant_first() } else { None }
    }

    /// Holds 2 after a place became free.
    #[inline]
    fn call_up_sender(&mut self, after: &mut Aftermath) {
        if self.senders.waiting() == 0 || !self.has_room() {
            return;
        }
        match self.senders.first_brought().and_then(Option::take) {
            None => after.wake(self.senders.grant_first()),
            Some(item) => {
                after.wake(self.senders.tell_first_done());
                self.put(item, after);
            }
        }
    }

    /// Wakes the receivers who wait for what will not come.
    #[inline]
    fn tell_end(&mut self, after: &mut Aftermath) {
        if self.closed.is_some() && self.receivers.waiting() > 0 && self.is_drained() {
            after.wake_all(self.receivers.wakers());
        }
    }
}

fn take<T>(item: &mut Option<T>) -> T {
    item.take().unwrap_or_else(|| unreachable!("a sender that did not bring its item still has it"))
}
