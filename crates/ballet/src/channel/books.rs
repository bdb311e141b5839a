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
    items: VecDeque<T>,
    /// At a rendezvous a sender brings its item, which a receiver may take without waiting for the sender. Elsewhere
    /// the item stays with its sender until it is called up, so that a send that is cancelled has sent nothing.
    senders: Line<Option<T>>,
    receivers: Line<()>,
    /// Those who wait for the channel to take nothing any more.
    watchers: Line<()>,
    /// The cause, once it was closed or its last sender has gone.
    closed: Option<Option<Cause>>,
    /// All but `len` and the two `waiting_`, which are counted elsewhere.
    stats: Stats,
}

/// What is left to do when the lock has been given back, because it runs foreign code.
pub(super) struct Aftermath<T> {
    wake: Option<Waker>,
    wake_too: Option<Waker>,
    wake_all: Vec<Waker>,
    replaced: Option<Waker>,
    displaced: Option<T>,
}

impl<T> Aftermath<T> {
    pub(super) fn new() -> Self {
        Self { wake: None, wake_too: None, wake_all: Vec::new(), replaced: None, displaced: None }
    }

    /// Wakes those who were called up. What was replaced and displaced is dropped with the rest.
    pub(super) fn settle(self) {
        let Self { wake, wake_too, wake_all, .. } = self;
        wake.into_iter().chain(wake_too).chain(wake_all).for_each(Waker::wake);
    }

    fn wake(&mut self, waker: Option<Waker>) {
        match waker {
            None => {}
            waker if self.wake.is_none() => self.wake = waker,
            waker if self.wake_too.is_none() => self.wake_too = waker,
            waker => self.wake_all.extend(waker),
        }
    }
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
            items: VecDeque::new(),
            senders: Line::new(),
            receivers: Line::new(),
            watchers: Line::new(),
            closed: None,
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

    pub(super) fn try_send(&mut self, item: T, after: &mut Aftermath<T>) -> Result<(), Unsent<T>> {
        match self.admission() {
            Admission::Free => self.put(item, after),
            Admission::Full => match self.overflow {
                Overflow::Wait => return Err(Unsent::new(item, Why::Full(self.stats.places))),
                Overflow::DropOldest => {
                    self.drop_item(|items| items.pop_front(), after);
                    self.put(item, after);
                }
                Overflow::DropLatest => self.drop_item(|_| Some(item), after),
            },
            Admission::Refused(why) => return Err(Unsent::new(item, why)),
        }
        Ok(())
    }

    /// One poll of a sender; `item` is empty while the item is in the line or in the channel. With `brings`, a
    /// sender that has to wait at a rendezvous takes its item into the line.
    pub(super) fn poll_send(
        &mut self,
        item: &mut Option<T>,
        ticket: &mut Option<Ticket>,
        brings: bool,
        waker: &Waker,
        after: &mut Aftermath<T>,
    ) -> Poll<Result<(), Unsent<T>>> {
        let Some(known) = *ticket else {
            let must_wait = self.overflow == Overflow::Wait && matches!(self.admission(), Admission::Full);
            if !must_wait {
                return Poll::Ready(self.try_send(take(item), after));
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
                (*ticket, after.replaced) = (None, waker);
                let item = brought.unwrap_or_else(|| take(item));
                return Poll::Ready(Err(Unsent::new(item, self.refusal().unwrap_or(Why::Deserted))));
            }
            Standing::Waits => {
                after.replaced = self.senders.wait_on(known, waker);
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
        Poll::Ready(Ok(()))
    }

    /// A sender leaves before it was answered. Its item comes back, unless it has been taken.
    pub(super) fn leave_send(&mut self, ticket: Ticket, after: &mut Aftermath<T>) -> Left<Option<T>> {
        let left = self.senders.leave(ticket);
        self.call_up_sender(after);
        self.tell_end(after);
        left
    }

    /// An item, if there is one that is not kept for somebody else.
    pub(super) fn try_recv(&mut self, after: &mut Aftermath<T>) -> Result<T, Unreceived> {
        self.take(after).ok_or_else(|| {
            Unreceived::new(match &self.closed {
                Some(cause) if self.is_drained() => Why::Closed(cause.clone()),
                _ => Why::Empty,
            })
        })
    }

    /// One poll of a receiver.
    pub(super) fn poll_recv(
        &mut self,
        ticket: &mut Option<Ticket>,
        waker: &Waker,
        after: &mut Aftermath<T>,
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
                    after.replaced = self.receivers.leave(known).waker;
                    end
                }
                None => {
                    after.replaced = self.receivers.wait_on(known, waker);
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
    pub(super) fn leave_recv(&mut self, ticket: Ticket, after: &mut Aftermath<T>) {
        after.replaced = self.receivers.leave(ticket).waker;
        self.call_up_receiver(after);
    }

    /// Whether the channel takes nothing any more; if not, `waker` is told when it is so.
    pub(super) fn poll_closed(
        &mut self,
        ticket: &mut Option<Ticket>,
        waker: &Waker,
        after: &mut Aftermath<T>,
    ) -> Poll<()> {
        if self.refusal().is_some() {
            return Poll::Ready(());
        }
        match *ticket {
            Some(known) => after.replaced = self.watchers.wait_on(known, waker),
            None => *ticket = Some(self.watchers.join((), waker.clone())),
        }
        Poll::Pending
    }

    pub(super) fn leave_closed(&mut self, ticket: Ticket) -> Option<Waker> {
        self.watchers.leave(ticket).waker
    }

    /// Takes nothing any more; returns whether it did until now. Those who wait to send have come before, and do.
    pub(super) fn close(&mut self, cause: Option<Cause>, after: &mut Aftermath<T>) -> bool {
        if self.closed.is_some() {
            return false;
        }
        self.closed = Some(cause);
        after.wake_all.extend(self.watchers.wakers());
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

    pub(super) fn remove_sender(&mut self, after: &mut Aftermath<T>) {
        self.stats.senders -= 1;
        if self.stats.senders == 0 {
            self.close(None, after);
        }
    }

    pub(super) fn add_receiver(&mut self) {
        self.stats.receivers += 1;
    }

    /// The last receiver that goes leaves behind what nobody will receive.
    pub(super) fn remove_receiver(&mut self, after: &mut Aftermath<T>) -> VecDeque<T> {
        self.stats.receivers -= 1;
        if !self.is_deserted() {
            return VecDeque::new();
        }
        after.wake_all.extend(self.senders.wakers().chain(self.watchers.wakers()));
        self.stats.dropped += self.items.len() as u64;
        std::mem::take(&mut self.items)
    }

    fn is_rendezvous(&self) -> bool {
        self.stats.places == 0
    }

    fn is_deserted(&self) -> bool {
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

    fn put(&mut self, item: T, after: &mut Aftermath<T>) {
        self.items.push_back(item);
        self.stats.sent += 1;
        self.stats.peak = self.stats.peak.max(self.items.len());
        self.call_up_receiver(after);
    }

    /// Takes out the next item, unless it is kept for somebody who was called up. By 1, nobody waits for it.
    fn take(&mut self, after: &mut Aftermath<T>) -> Option<T> {
        if self.items.len() > self.receivers.granted() {
            return self.pop(after);
        }
        // At a rendezvous the first sender may have brought its item. It goes through the queue, for the order.
        let brought = self.senders.first_brought()?.take()?;
        after.wake(self.senders.tell_first_done());
        self.put(brought, after);
        self.pop(after)
    }

    fn pop(&mut self, after: &mut Aftermath<T>) -> Option<T> {
        let item = self.items.pop_front()?;
        self.stats.received += 1;
        if self.items.is_empty() && self.items.capacity() > KEPT_PLACES {
            self.items = VecDeque::new();
        }
        self.call_up_sender(after);
        self.tell_end(after);
        Some(item)
    }

    fn drop_item(&mut self, choose: impl FnOnce(&mut VecDeque<T>) -> Option<T>, after: &mut Aftermath<T>) {
        after.displaced = choose(&mut self.items);
        self.stats.dropped += 1;
    }

    /// Holds 1 after an item came in or a receiver that was called up left.
    fn call_up_receiver(&mut self, after: &mut Aftermath<T>) {
        if self.receivers.waiting() > 0 && self.items.len() > self.receivers.granted() {
            after.wake(self.receivers.grant_first());
        }
    }

    /// Holds 2 after a place became free.
    fn call_up_sender(&mut self, after: &mut Aftermath<T>) {
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
    fn tell_end(&mut self, after: &mut Aftermath<T>) {
        if self.closed.is_some() && self.receivers.waiting() > 0 && self.is_drained() {
            after.wake_all.extend(self.receivers.wakers());
        }
    }
}

fn take<T>(item: &mut Option<T>) -> T {
    item.take().unwrap_or_else(|| panic!("this send has ended and cannot be polled again"))
}
