//! The books of a shared flow: items, who stands where, who waits. Plain sequential code; its callers hold the lock.
//!
//! Items have *positions*, from 0 in the order in which they were put: the first in the buffer lies at `tail`, the next
//! one will lie at `head`. A subscriber *stands* at the item that it takes next, or at the head; one whose item was
//! pushed out stands at the tail. Invariants, which hold after every call:
//!
//! 1. Each subscriber is counted once: in the `standing` of the slot at which it stands, or in `at_head`.
//! 2. There are never more than `capacity` items.
//! 3. The oldest item is there because somebody stands at it, or because it is to be replayed. So an item whose slot
//!    is left by its last subscriber is gone at once, and only the front has to be looked at.
//! 4. Where emitters wait and there is room, the first of them has been called; where there are no subscribers, all.
//!
//! Items and wakers that leave the books are handed to the caller, to be dropped or woken when the lock is released:
//! both run foreign code, which may come back here.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::{self, DebugStruct};
use std::mem;
use std::task::Waker;

use super::{NotEmitted, Overflow, SharedError, Sharing};
use crate::flow::audience::Audience;
use crate::flow::wait_list::{Called, Seat, WaitList};

pub(super) struct Books<T, E> {
    sharing: Sharing,
    ring: VecDeque<Slot<T>>,
    /// The position of the first item in `ring`.
    tail: u64,
    /// Items before this position are not replayed: the replay was forgotten there.
    forgotten: u64,
    /// How many items were emitted, also those that were dropped at once: the number of the next one.
    emitted: u64,
    /// The subscribers, and who waits for them to come or leave.
    audience: Audience,
    /// How many subscribers have taken all there is.
    at_head: usize,
    /// Subscribers that wait for an item or the end.
    receivers: WaitList,
    /// Emitters that wait for room, by ticket: the first entry is the next to be served. One without a waker has been
    /// called and has not looked yet. A map, so that anybody can leave from the middle.
    line: BTreeMap<Ticket, Option<Waker>>,
    next_ticket: Ticket,
    end: Option<End<E>>,
}

struct Slot<T> {
    item: T,
    number: u64,
    /// How many subscribers take this item next.
    standing: usize,
}

/// How a flow ended.
type End<E> = Result<(), SharedError<E>>;

pub(super) type Ticket = u64;

/// Where a subscriber stands; kept by the subscriber.
pub(super) struct Cursor {
    position: u64,
    /// The number of the item that it would receive next if none were dropped.
    number: u64,
    pub(super) missed: u64,
    seat: Option<Seat>,
}

/// What a subscriber gets.
pub(super) enum Taken<T, E> {
    Item(T),
    Nothing,
    End(End<E>),
}

/// What an emission leaves to be done outside of the lock.
#[must_use]
pub(super) struct Emitted<T> {
    receivers: Called,
    /// The next emitter in line, where there is room for its item, too.
    next: Option<Waker>,
    pushed_out: Option<T>,
}

/// What the end of a subscription leaves to be done outside of the lock.
#[must_use]
pub(super) struct Left<T> {
    unneeded: Vec<T>,
    emitters: Vec<Waker>,
    audience: Called,
    own: Option<Waker>,
}

impl<T, E> Books<T, E> {
    pub(super) fn new(sharing: Sharing) -> Self {
        Self {
            sharing,
            ring: VecDeque::new(),
            tail: 0,
            forgotten: 0,
            emitted: 0,
            audience: Audience::default(),
            at_head: 0,
            receivers: WaitList::default(),
            line: BTreeMap::new(),
            next_ticket: 0,
            end: None,
        }
    }

    pub(super) fn subscribers(&self) -> usize {
        self.audience.present()
    }

    pub(super) fn audience(&mut self) -> &mut Audience {
        &mut self.audience
    }

    pub(super) fn is_ended(&self) -> bool {
        self.end.is_some()
    }

    pub(super) fn describe(&self, mut f: DebugStruct<'_, '_>) -> fmt::Result {
        f.field("buffered", &self.ring.len())
            .field("subscribers", &self.subscribers())
            .field("waiting_emitters", &self.line.len())
            .field("ended", &self.is_ended())
            .finish_non_exhaustive()
    }

    // What emitters do.

    /// Puts the item in, or gives it back: where the flow has ended, where it is full, and where others have waited
    /// for longer. An item that overflow drops is put and pushed out in one step.
    pub(super) fn emit(&mut self, item: T, ticket: Option<Ticket>) -> Result<Emitted<T>, NotEmitted<T>> {
        if self.end.is_some() {
            return Err(NotEmitted::ended(item));
        }
        if !self.is_first(ticket) || (self.is_full() && self.sharing.overflow == Overflow::Suspend) {
            return Err(NotEmitted::full(item));
        }
        if let Some(ticket) = ticket {
            self.line.remove(&ticket);
        }
        if self.is_full() && self.sharing.overflow == Overflow::DropLatest {
            self.emitted += 1;
            return Ok(Emitted { receivers: Called::default(), next: None, pushed_out: Some(item) });
        }
        let pushed_out = self.push(item);
        Ok(Emitted { receivers: self.receivers.call(), next: self.call_first(), pushed_out })
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
        (own, self.call_first())
    }

    /// Ends the flow, unless it has ended. Subscribers and emitters are to be woken.
    pub(super) fn end(&mut self, end: End<E>) -> Option<(Called, Vec<Waker>)> {
        if self.end.is_some() {
            return None;
        }
        self.end = Some(end);
        Some((self.receivers.call(), self.call_line()))
    }

    /// A new subscriber is not told what was emitted so far.
    pub(super) fn forget_replay(&mut self) -> Vec<T> {
        self.forgotten = self.head();
        self.trim()
    }

    // What subscribers do.

    /// A new subscriber stands at the first item of the replay.
    pub(super) fn subscribe(&mut self) -> (Cursor, Called) {
        let position = self.replay_start();
        let emitted = self.emitted;
        let number = self.slot(position).map_or(emitted, |slot| slot.number);
        *self.standing(position) += 1;
        (Cursor { position, number, missed: 0, seat: None }, self.audience.enter())
    }

    /// The next item, and the emitter that has room for its own now.
    pub(super) fn take(&mut self, cursor: &mut Cursor) -> (Taken<T, E>, Option<Waker>)
    where
        T: Clone,
    {
        let position = cursor.position.max(self.tail);
        let (is_oldest, is_replayed) = (position == self.tail, position >= self.replay_start());
        let Some(slot) = self.slot(position) else { return (self.nothing(cursor), None) };
        let is_last = is_oldest && slot.standing == 1;
        // Before anything is changed, because it may panic.
        let copy = (!is_last || is_replayed).then(|| slot.item.clone());
        slot.standing -= 1;
        cursor.missed += slot.number - cursor.number;
        cursor.number = slot.number + 1;
        cursor.position = position + 1;
        *self.standing(position + 1) += 1;
        let item = copy.or_else(|| self.pop()).map_or(Taken::Nothing, Taken::Item);
        (item, if is_last { self.call_first() } else { None })
    }

    /// Waits for an item or for the end.
    pub(super) fn wait(&mut self, cursor: &mut Cursor, waker: &Waker) -> Option<Waker> {
        self.receivers.wait(&mut cursor.seat, waker)
    }

    /// How many items it has still to take.
    pub(super) fn behind(&self, cursor: &Cursor) -> u64 {
        self.head() - cursor.position.max(self.tail)
    }

    pub(super) fn unsubscribe(&mut self, cursor: &Cursor) -> Left<T> {
        *self.standing(cursor.position) -= 1;
        let audience = self.audience.leave();
        let own = self.receivers.leave(cursor.seat);
        let unneeded = self.trim();
        let emitters =
            if self.subscribers() == 0 { self.call_line() } else { Vec::from_iter(self.call_first()) };
        Left { unneeded, emitters, audience, own }
    }

    pub(super) fn replayed(&self) -> Vec<T>
    where
        T: Clone,
    {
        let skipped = index(self.tail, self.replay_start());
        self.ring.iter().skip(skipped).map(|slot| slot.item.clone()).collect()
    }

    // The buffer.

    /// Where the next item will lie.
    fn head(&self) -> u64 {
        self.tail + self.ring.len() as u64
    }

    /// The position of the first item that a new subscriber is told.
    fn replay_start(&self) -> u64 {
        let kept = self.ring.len().min(self.sharing.replay) as u64;
        (self.head() - kept).max(self.forgotten)
    }

    /// Somebody has still to take the oldest item, and there is no room beside it.
    fn is_full(&self) -> bool {
        self.ring.len() >= self.sharing.capacity()
            && self.ring.front().is_some_and(|oldest| oldest.standing > 0)
    }

    fn slot(&mut self, position: u64) -> Option<&mut Slot<T>> {
        self.ring.get_mut(index(self.tail, position))
    }

    /// Where those are counted who stand at a position.
    fn standing(&mut self, position: u64) -> &mut usize {
        match self.ring.get_mut(index(self.tail, position)) {
            Some(slot) => &mut slot.standing,
            None => &mut self.at_head,
        }
    }

    /// Puts an item in. At most one comes out: the oldest, which is pushed out, or which nobody needs any more.
    fn push(&mut self, item: T) -> Option<T> {
        self.ring.push_back(Slot { item, number: self.emitted, standing: mem::take(&mut self.at_head) });
        self.emitted += 1;
        if self.ring.len() <= self.sharing.capacity() && self.is_front_needed() {
            return None;
        }
        self.pop()
    }

    /// Takes the oldest item out. Whoever stood at it stands at the next.
    fn pop(&mut self) -> Option<T> {
        let Slot { item, standing, .. } = self.ring.pop_front()?;
        self.tail += 1;
        *self.standing(self.tail) += standing;
        Some(item)
    }

    /// Takes out what nobody needs any more.
    fn trim(&mut self) -> Vec<T> {
        let mut unneeded = Vec::new();
        while !self.is_front_needed() {
            unneeded.extend(self.pop());
        }
        unneeded
    }

    /// There is nothing at the front, or somebody stands at it, or it is to be replayed.
    fn is_front_needed(&self) -> bool {
        self.ring.front().is_none_or(|oldest| oldest.standing > 0) || self.tail >= self.replay_start()
    }

    // The line.

    fn is_first(&self, ticket: Option<Ticket>) -> bool {
        self.subscribers() == 0 || self.line.keys().next().is_none_or(|first| Some(*first) == ticket)
    }

    /// The first in line, if there is room for it and it has not been called yet.
    fn call_first(&mut self) -> Option<Waker> {
        if self.line.is_empty() || self.is_full() {
            return None;
        }
        self.line.first_entry()?.get_mut().take()
    }

    fn call_line(&mut self) -> Vec<Waker> {
        self.line.values_mut().filter_map(Option::take).collect()
    }

    /// What a subscriber gets that has taken all there is.
    fn nothing(&self, cursor: &mut Cursor) -> Taken<T, E> {
        let Some(end) = &self.end else { return Taken::Nothing };
        // Where overflow dropped the latest, nothing after them tells of the gap.
        cursor.missed += self.emitted - cursor.number;
        cursor.number = self.emitted;
        Taken::End(end.clone())
    }
}

impl<T> Emitted<T> {
    /// Wakes whom it concerns, and drops what was pushed out.
    pub(super) fn tell(self) {
        self.receivers.wake();
        self.next.into_iter().for_each(Waker::wake);
        drop(self.pushed_out);
    }
}

impl<T> Left<T> {
    /// Wakes whom it concerns, and drops what nobody needs any more.
    pub(super) fn tell(self) {
        self.emitters.into_iter().for_each(Waker::wake);
        self.audience.wake();
        drop((self.own, self.unneeded));
    }
}

/// Where a position lies in a buffer that begins at `tail`. A position that was pushed out lies at its front.
fn index(tail: u64, position: u64) -> usize {
    usize::try_from(position.saturating_sub(tail)).unwrap_or(usize::MAX)
}
