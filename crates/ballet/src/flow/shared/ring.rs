//! The buffer of a shared flow: its items, and how many subscribers stand at each.
//!
//! Items have *positions*, from 0 in the order in which they were put: the oldest in the buffer lies at `tail`, the next
//! one will lie at the head. A subscriber *stands* at the item that it takes next, or at the head; one whose item was
//! pushed out stands at the oldest. Invariants, which hold after every call:
//!
//! 1. Each subscriber is counted once: in the `standing` of the slot at which it stands, or in `at_head`.
//! 2. There are never more than `capacity` items.
//! 3. The oldest item is there because somebody stands at it, or because it is to be replayed. So an item that its last
//!    subscriber leaves is gone at once, and nobody has to look for the slowest.
//!
//! Items that leave the buffer are handed to the caller, to be dropped when the lock is released.

use std::collections::VecDeque;
use std::mem;

use super::Sharing;

pub(super) struct Ring<T> {
    slots: VecDeque<Slot<T>>,
    capacity: usize,
    replay: usize,
    /// The position of the oldest item.
    tail: u64,
    /// How many subscribers have taken all there is.
    at_head: usize,
    /// How many items were emitted, also those that were dropped at once: the number of the next one.
    emitted: u64,
    /// Items before this position are not replayed: the replay was forgotten there.
    forgotten: u64,
}

struct Slot<T> {
    item: T,
    /// Its position, and how many were dropped before it.
    number: u64,
    /// How many subscribers take this item next.
    standing: usize,
}

/// Where a subscriber stands; kept by the subscriber.
pub(super) struct Cursor {
    position: u64,
    /// The number of the item that it would take next if none were dropped.
    number: u64,
    pub(super) missed: u64,
}

impl<T> Ring<T> {
    pub(super) fn new(sharing: Sharing) -> Self {
        Self {
            slots: VecDeque::new(),
            capacity: sharing.capacity(),
            replay: sharing.replay,
            tail: 0,
            at_head: 0,
            emitted: 0,
            forgotten: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Somebody has still to take the oldest item, and there is no room beside it.
    pub(super) fn is_full(&self) -> bool {
        self.slots.len() >= self.capacity && self.slots.front().is_some_and(|oldest| oldest.standing > 0)
    }

    /// Puts an item in. At most one comes out: the oldest, which is pushed out, or which nobody needs any more.
    pub(super) fn push(&mut self, item: T) -> Option<T> {
        let slot = Slot { item, number: self.emitted, standing: mem::take(&mut self.at_head) };
        self.slots.push_back(slot);
        self.emitted += 1;
        if self.slots.len() > self.capacity || !self.is_oldest_needed() { self.pop() } else { None }
    }

    /// An item is emitted and dropped at once.
    pub(super) fn skip(&mut self) {
        self.emitted += 1;
    }

    /// A new subscriber stands at the first item of the replay.
    pub(super) fn enter(&mut self) -> Cursor {
        let index = self.slots.len() - self.replayed().len();
        let number = self.slots.get(index).map_or(self.emitted, |slot| slot.number);
        *self.standing(index) += 1;
        Cursor { position: self.tail + index as u64, number, missed: 0 }
    }

    /// The subscriber's next item: the item itself where nobody else needs it, and else a copy.
    pub(super) fn take(&mut self, cursor: &mut Cursor) -> Option<T>
    where
        T: Clone,
    {
        let index = self.index(cursor);
        let is_replayed = self.is_oldest_replayed();
        let slot = self.slots.get_mut(index)?;
        let number = slot.number;
        let (item, next) = if index == 0 && slot.standing == 1 && !is_replayed {
            slot.standing = 0;
            (self.pop()?, 0)
        } else {
            // Before anything has changed, because it may panic.
            let copy = slot.item.clone();
            slot.standing -= 1;
            (copy, index + 1)
        };
        *self.standing(next) += 1;
        cursor.position = self.tail + next as u64;
        cursor.missed += number - cursor.number;
        cursor.number = number + 1;
        Some(item)
    }

    /// The subscriber has come to the end. Where items were dropped after the last, nothing else tells of the gap.
    pub(super) fn end(&self, cursor: &mut Cursor) {
        cursor.missed += self.emitted - cursor.number;
        cursor.number = self.emitted;
    }

    /// A subscriber stands there no longer. What nobody needs any more comes out.
    pub(super) fn leave(&mut self, cursor: &Cursor) -> Vec<T> {
        let index = self.index(cursor);
        *self.standing(index) -= 1;
        self.trim()
    }

    /// How many items the subscriber has still to take.
    pub(super) fn behind(&self, cursor: &Cursor) -> usize {
        self.slots.len() - self.index(cursor)
    }

    /// What a new subscriber is told first.
    pub(super) fn replayed(&self) -> impl ExactSizeIterator<Item = &T> {
        let forgotten = usize::try_from(self.forgotten.saturating_sub(self.tail)).unwrap_or(usize::MAX);
        let first = self.slots.len().saturating_sub(self.replay).max(forgotten);
        self.slots.range(first..).map(|slot| &slot.item)
    }

    /// A new subscriber is told nothing that was emitted so far.
    pub(super) fn forget_replay(&mut self) -> Vec<T> {
        self.forgotten = self.tail + self.slots.len() as u64;
        self.trim()
    }

    /// The place in the buffer of the item that the subscriber takes next. One that was pushed out lies at the front.
    fn index(&self, cursor: &Cursor) -> usize {
        usize::try_from(cursor.position.saturating_sub(self.tail)).unwrap_or(usize::MAX)
    }

    /// Where those are counted who stand at a place, or beyond the last.
    fn standing(&mut self, index: usize) -> &mut usize {
        self.slots.get_mut(index).map_or(&mut self.at_head, |slot| &mut slot.standing)
    }

    /// Takes the oldest item out. Whoever stood at it stands at the next.
    fn pop(&mut self) -> Option<T> {
        let Slot { item, standing, .. } = self.slots.pop_front()?;
        self.tail += 1;
        *self.standing(0) += standing;
        Some(item)
    }

    /// Takes out what nobody needs any more.
    fn trim(&mut self) -> Vec<T> {
        let mut unneeded = Vec::new();
        while !self.is_oldest_needed() {
            unneeded.extend(self.pop());
        }
        unneeded
    }

    /// There is none, or somebody stands at it, or it is to be replayed.
    fn is_oldest_needed(&self) -> bool {
        self.slots.front().is_none_or(|oldest| oldest.standing > 0) || self.is_oldest_replayed()
    }

    fn is_oldest_replayed(&self) -> bool {
        self.slots.len() <= self.replay && self.tail >= self.forgotten
    }
}
