//! The buffer of a shared flow: its items, and how many subscribers each of them is still owed to.
//!
//! Items have *positions*, from 0 in the order in which they were put: the oldest that anybody may need lies at `tail`, the
//! next one will lie at the head. A subscriber *stands* at the item that it takes next, or at the head; one whose item was
//! pushed out stands at the oldest.
//!
//! Each item lies in a slot with a lock of its own, so that subscribers who receive different items do not meet. A receipt
//! takes that lock alone; all else here runs under the lock of the books, which is taken first where both are. Invariants,
//! which hold whenever no lock is held:
//!
//! 1. A slot owes its item to each subscriber that stands there or before it, and to nobody else. So what the one owes, the
//!    next one owes as well.
//! 2. There are never more than `capacity` items.
//! 3. An item is there because somebody is owed it, or because it is to be replayed. Whoever takes it last takes the item
//!    itself, so that it is gone at once, and nobody has to look for the slowest.
//! 4. Where the buffer was found full by an emitter that waits, the oldest slot knows it, and tells whoever takes its item
//!    last.
//!
//! Items that leave the buffer are handed to the caller, to be dropped when the locks are released.

#[cfg(all(test, ballet_loom))]
mod models;

use std::ops::Range;
use std::sync::Arc;

use super::{Overflow, Sharing};
use crate::job::lock;
use crate::sync::{Mutex, MutexGuard};

/// Slots at first, unless fewer are enough. Their number doubles as it has to.
const SLOTS_AT_FIRST: usize = 8;
/// The position of a slot that holds nothing.
const VACANT: u64 = u64::MAX;

pub(super) struct Ring<T> {
    slots: Slots<T>,
    capacity: usize,
    replay: usize,
    /// Whether emitters wait for room.
    is_awaited: bool,
    /// Items before this position are no longer needed. Some after it may not be either: it moves when room is wanted.
    tail: u64,
    /// The position of the next item.
    head: u64,
    /// How many items were emitted, also those that were dropped at once: the number of the next one.
    emitted: u64,
    /// Items before this position are not replayed: the replay was forgotten there.
    forgotten: u64,
}

/// A power of two of them: an item lies at its position, modulo their number. When there are too few, all move into a new
/// table, and leave an old one behind that is vacant.
type Slots<T> = Arc<[Mutex<Slot<T>>]>;

struct Slot<T> {
    /// Of the item that lies here, or lay here last.
    position: u64,
    /// The item's number among all that were emitted.
    number: u64,
    /// How many subscribers have still to take it.
    owed: usize,
    is_replayed: bool,
    /// Whether an emitter waits until nobody is owed the item.
    is_awaited: bool,
    /// There while it is owed to somebody, or replayed.
    item: Option<T>,
}

/// Where a subscriber stands; kept by the subscriber.
pub(super) struct Cursor<T> {
    /// The table as it was when the subscriber last looked at the books.
    slots: Slots<T>,
    position: u64,
    /// The number of the item that it would take next if none were dropped.
    number: u64,
    pub(super) missed: u64,
}

/// What a subscriber has taken.
pub(super) struct Taken<T> {
    pub(super) item: T,
    /// Whether an emitter waits for the place that this has made free.
    pub(super) is_awaited: bool,
}

impl<T> Slot<T> {
    fn vacant() -> Self {
        Self { position: VACANT, number: 0, owed: 0, is_replayed: false, is_awaited: false, item: None }
    }

    /// The item itself where nobody else needs it, and else a copy.
    #[inline]
    fn take(&mut self) -> Option<Taken<T>>
    where
        T: Clone,
    {
        if self.owed > 1 || self.is_replayed {
            // Before anything has changed, because it may panic.
            let item = self.item.clone()?;
            self.owed -= 1;
            return Some(Taken { item, is_awaited: self.owed == 0 && self.is_awaited });
        }
        let item = self.item.take()?;
        self.owed = 0;
        Some(Taken { item, is_awaited: self.is_awaited })
    }

    /// One is owed it no longer. What nobody needs any more comes out.
    fn forgive(&mut self) -> Option<T> {
        self.owed -= 1;
        self.unneeded()
    }

    /// A new subscriber is not told it. What nobody needs any more comes out.
    fn forget(&mut self) -> Option<T> {
        self.is_replayed = false;
        self.unneeded()
    }

    fn unneeded(&mut self) -> Option<T> {
        if self.is_needed() { None } else { self.item.take() }
    }

    fn is_needed(&self) -> bool {
        self.owed > 0 || self.is_replayed
    }

    /// Pushes the item out, whoever was owed it.
    fn vacate(&mut self) -> Option<T> {
        std::mem::replace(self, Self::vacant()).item
    }
}

impl<T> Cursor<T> {
    /// The subscriber's next item, if it lies where this knows it to be. Otherwise the ring [knows](Ring::take).
    #[inline]
    pub(super) fn take(&mut self) -> Option<Taken<T>>
    where
        T: Clone,
    {
        let mut slot = at(&self.slots, self.position);
        if slot.position != self.position {
            return None;
        }
        let number = slot.number;
        let taken = slot.take()?;
        drop(slot);
        self.position += 1;
        self.missed += number - self.number;
        self.number = number + 1;
        Some(taken)
    }
}

impl<T> Ring<T> {
    pub(super) fn new(sharing: Sharing) -> Self {
        let capacity = sharing.capacity();
        Self {
            slots: table(capacity.min(SLOTS_AT_FIRST).next_power_of_two()),
            capacity,
            replay: sharing.replay,
            is_awaited: sharing.overflow == Overflow::Suspend,
            tail: 0,
            head: 0,
            emitted: 0,
            forgotten: 0,
        }
    }

    pub(super) fn len(&mut self) -> usize {
        self.advance();
        self.span()
    }

    /// Somebody has still to take the oldest item, and there is no room beside it. Where emitters wait for room, whoever
    /// takes it last will be told.
    pub(super) fn is_full(&mut self) -> bool {
        if self.span() < self.capacity {
            return false;
        }
        self.advance();
        if self.span() < self.capacity {
            return false;
        }
        let mut oldest = at(&self.slots, self.tail);
        // Both in one section: a receipt that makes room after this look is told of it.
        oldest.is_awaited = self.is_awaited;
        oldest.owed > 0
    }

    /// Puts an item in, for so many subscribers. At most one comes out: the oldest, which is pushed out, or one that nobody
    /// needs any more.
    pub(super) fn push(&mut self, item: T, subscribers: usize) -> Option<T> {
        let number = self.emitted;
        self.emitted += 1;
        if subscribers == 0 && self.replay == 0 {
            return Some(item);
        }
        let unneeded = self.shift_replay();
        let pushed_out = self.make_room();
        let slot = Slot {
            position: self.head,
            number,
            owed: subscribers,
            is_replayed: self.replay > 0,
            is_awaited: false,
            item: Some(item),
        };
        *at(&self.slots, self.head) = slot;
        self.head += 1;
        unneeded.or(pushed_out)
    }

    /// An item is emitted and dropped at once.
    pub(super) fn skip(&mut self) {
        self.emitted += 1;
    }

    /// A new subscriber stands at the first item of the replay.
    pub(super) fn enter(&self) -> Cursor<T> {
        let replayed = self.replay_window();
        let position = replayed.start;
        let number = if replayed.is_empty() { self.emitted } else { at(&self.slots, position).number };
        replayed.for_each(|position| at(&self.slots, position).owed += 1);
        Cursor { slots: Arc::clone(&self.slots), position, number, missed: 0 }
    }

    /// The subscriber's next item, wherever it lies now.
    pub(super) fn take(&self, cursor: &mut Cursor<T>) -> Option<Taken<T>>
    where
        T: Clone,
    {
        if !Arc::ptr_eq(&cursor.slots, &self.slots) {
            cursor.slots = Arc::clone(&self.slots);
        }
        cursor.position = self.standing(cursor);
        cursor.take()
    }

    /// The subscriber has come to the end. Where items were dropped after the last, nothing else tells of the gap.
    pub(super) fn end(&self, cursor: &mut Cursor<T>) {
        cursor.missed += self.emitted - cursor.number;
        cursor.number = self.emitted;
    }

    /// A subscriber stands there no longer. What nobody needs any more comes out.
    pub(super) fn leave(&self, cursor: &Cursor<T>) -> Vec<T> {
        let owed = self.standing(cursor)..self.head;
        owed.filter_map(|position| at(&self.slots, position).forgive()).collect()
    }

    /// How many items the subscriber has still to take.
    pub(super) fn behind(&self, cursor: &Cursor<T>) -> usize {
        length(&(self.standing(cursor)..self.head))
    }

    /// What a new subscriber is told first.
    pub(super) fn replayed(&self) -> Vec<T>
    where
        T: Clone,
    {
        self.replay_window().filter_map(|position| at(&self.slots, position).item.clone()).collect()
    }

    /// A new subscriber is told nothing that was emitted so far.
    pub(super) fn forget_replay(&mut self) -> Vec<T> {
        let replayed = self.replay_window();
        self.forgotten = self.head;
        replayed.filter_map(|position| at(&self.slots, position).forget()).collect()
    }

    /// Where a subscriber stands that may have been pushed on.
    fn standing(&self, cursor: &Cursor<T>) -> u64 {
        cursor.position.max(self.tail)
    }

    /// From the oldest item that may be needed to the head.
    fn span(&self) -> usize {
        length(&(self.tail..self.head))
    }

    fn replay_window(&self) -> Range<u64> {
        let replay = u64::try_from(self.replay).unwrap_or(u64::MAX);
        self.head.saturating_sub(replay).max(self.forgotten)..self.head
    }

    /// Takes the oldest item out of the replay, where there will be one too many.
    fn shift_replay(&self) -> Option<T> {
        let replayed = self.replay_window();
        if replayed.is_empty() || length(&replayed) < self.replay {
            return None;
        }
        at(&self.slots, replayed.start).forget()
    }

    /// Leaves a slot for one more item; the item that was pushed out for it comes out.
    fn make_room(&mut self) -> Option<T> {
        let has_slot = self.span() < self.slots.len().min(self.capacity);
        if has_slot {
            return None;
        }
        self.advance();
        let mut pushed_out = None;
        if self.span() == self.capacity {
            pushed_out = at(&self.slots, self.tail).vacate();
            self.tail += 1;
        }
        if self.span() == self.slots.len() {
            self.grow();
        }
        pushed_out
    }

    /// Moves the tail over what nobody needs any more.
    fn advance(&mut self) {
        while self.tail < self.head && !at(&self.slots, self.tail).is_needed() {
            self.tail += 1;
        }
    }

    fn grow(&mut self) {
        let larger = table(self.slots.len() * 2);
        for position in self.tail..self.head {
            *at(&larger, position) = std::mem::replace(&mut *at(&self.slots, position), Slot::vacant());
        }
        self.slots = larger;
    }
}

fn table<T>(slots: usize) -> Slots<T> {
    (0..slots).map(|_| Mutex::new(Slot::vacant())).collect()
}

/// The slot of a position, locked.
#[inline]
fn at<T>(slots: &Slots<T>, position: u64) -> MutexGuard<'_, Slot<T>> {
    // Only the lowest bits count, which a smaller `usize` has, too.
    lock(&slots[position as usize & (slots.len() - 1)])
}

fn length(positions: &Range<u64>) -> usize {
    usize::try_from(positions.end.saturating_sub(positions.start)).unwrap_or(usize::MAX)
}
