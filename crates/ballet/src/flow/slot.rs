//! The one place in which an item lies between the code of a flow and whoever polls that code.
//!
//! A flow's body runs inside its [`Generator`](super::Generator), which polls it; the body puts an item down, yields,
//! and the generator takes the item and polls on. Both happen in one poll on one thread, so a lock would only cost:
//! with one, an item takes 12 ns through the slot, without it 4 (docs/design/flows.md).
#![expect(unsafe_code, reason = "a cell that is used from one poll at a time, without a lock")]

use std::cell::UnsafeCell;
use std::fmt;
use std::task::Waker;

/// Room for one item. See the invariant at [`with`](Self::with).
pub(super) struct Slot<T>(UnsafeCell<Inside<T>>);

struct Inside<T> {
    item: Option<T>,
    /// Whoever waits for the item to be taken, where that is not the body's own poll: a nested scope, a `join_all`.
    waiting: Option<Waker>,
    /// Identifies the waker with which the body is being polled; see [`Slot::polled_by`].
    poller: (usize, usize),
}

// SAFETY: A shared slot is never used by two threads at once; see `with`. It hands items from one thread to another
// when the generator moves between polls, so they must be `Send`. Wakers are.
unsafe impl<T: Send> Sync for Slot<T> {}

impl<T> Slot<T> {
    pub(super) fn new() -> Self {
        Self(UnsafeCell::new(Inside { item: None, waiting: None, poller: (0, 0) }))
    }

    /// The one access to what is inside.
    ///
    /// Two hold a slot, and each uses it only while it runs:
    ///
    /// - the generator, from its own `poll_each`, before and after it polls the body and never during it;
    /// - the emitter, inside the body's poll or drop. It cannot get out of the body: the body is given `&'a mut
    ///   Emitter<'b, T>` for *every* `'a` and `'b`, so it cannot keep it, hand it to a task, thread or static that outlives
    ///   the borrow, or swap it for the emitter of another flow. What borrows may be sent to a scoped thread, but then the
    ///   body's poll blocks until that thread has ended.
    ///
    /// The body belongs to the generator, which is polled and dropped through `Pin<&mut _>` or by value. So all uses
    /// have an order, also between threads: that by which the generator itself is handed on.
    #[inline]
    fn with<R>(&self, work: impl FnOnce(&mut Inside<T>) -> R) -> R {
        // SAFETY: By the above no other thread is inside. Nor is this one: `work` is one of the closures below, which
        // call nothing of ours and no code of the user's. (Items and wakers are moved out and dropped outside.)
        work(unsafe { &mut *self.0.get() })
    }

    /// Puts an item into the empty slot, for a body that is being polled by `waker`.
    #[inline]
    pub(super) fn put(&self, item: T, waker: &Waker) {
        let (replaced, is_poller) =
            self.with(|inside| (inside.item.replace(item), inside.poller == identity(waker)));
        if !is_poller {
            self.wait(waker);
        }
        // Only an `emit` that was leaked leaves one.
        drop(replaced);
    }

    #[cold]
    fn wait(&self, waker: &Waker) {
        let waker = waker.clone();
        let replaced = self.with(|inside| inside.waiting.replace(waker));
        drop(replaced);
    }

    /// Takes the item out, and wakes whoever waits for that.
    #[inline]
    pub(super) fn take(&self) -> Option<T> {
        let (item, is_awaited) = self.with(|inside| (inside.item.take(), inside.waiting.is_some()));
        if is_awaited {
            self.wake();
        }
        item
    }

    #[cold]
    fn wake(&self) {
        let waiting = self.with(|inside| inside.waiting.take());
        waiting.into_iter().for_each(Waker::wake);
    }

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.with(|inside| inside.item.is_some())
    }

    /// Says that the body is about to be polled by `waker`. Emitting code that runs under the same waker is polled again
    /// as soon as its item has been taken, and need not be woken.
    pub(super) fn polled_by(&self, waker: &Waker) {
        self.with(|inside| inside.poller = identity(waker));
    }
}

#[inline]
fn identity(waker: &Waker) -> (usize, usize) {
    (waker.data().addr(), std::ptr::from_ref(waker.vtable()).addr())
}

impl<T> fmt::Debug for Slot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slot")
    }
}
