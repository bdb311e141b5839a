//! The lane that is being polled on this thread, and its queue: where what its guests wake or spawn goes at once.
//!
//! This file refuses to know what a lane does with its queue.
#![expect(
    unsafe_code,
    reason = "each child goes through here twice, so the thread borrows the queue for the time of a poll"
)]

use std::cell::Cell;
use std::ptr::NonNull;
use std::sync::Arc;

use crossbeam_deque::Worker;

use super::crew::{Crew, Work};

/// The queue of a lane, and whose it is.
pub(super) struct Active {
    crew: Arc<Crew>,
    pub(super) queue: Worker<Work>,
    /// How much guests have queued since this was last asked for.
    added: Cell<u32>,
}

thread_local! {
    /// Borrowed from the innermost [`Active::around`] of this thread, except while its queue is being written.
    static ACTIVE: Cell<Option<NonNull<Active>>> = const { Cell::new(None) };
}

impl Active {
    pub(super) fn new(crew: Arc<Crew>, queue: Worker<Work>) -> Self {
        Self { crew, queue, added: Cell::new(0) }
    }

    /// Runs the poll of a guest, whose work [`add_here`] adds to this queue.
    #[inline]
    pub(super) fn around<R>(&self, poll: impl FnOnce() -> R) -> R {
        struct Restore(Option<NonNull<Active>>);
        impl Drop for Restore {
            fn drop(&mut self) {
                ACTIVE.set(self.0);
            }
        }
        let _restore = Restore(ACTIVE.replace(Some(NonNull::from(self))));
        poll()
    }

    /// How much guests have queued since this was last called.
    pub(super) fn take_added(&self) -> u32 {
        self.added.take()
    }
}

/// The crew keeps the other end of the queue, so that what is left in it would stay, and keep the crew.
impl Drop for Active {
    fn drop(&mut self) {
        while let Some(work) = self.queue.pop() {
            drop(work);
        }
    }
}

/// Adds work to the lane that is being polled on this thread, if it is one of `crew`; gives it back otherwise.
#[inline]
pub(super) fn add_here(crew: &Arc<Crew>, work: Work) -> Option<Work> {
    // Taken out meanwhile: a queue that grows may run what others have left to the collector of its old memory, and what
    // that wakes must not write to the queue in the midst of it.
    let Some(pointer) = ACTIVE.take() else { return Some(work) };
    // SAFETY: It was put there by `around`, which is further down on this thread's stack and borrows it.
    let active = unsafe { pointer.as_ref() };
    let left = if Arc::ptr_eq(&active.crew, crew) {
        active.queue.push(work);
        active.added.set(active.added.get().saturating_add(1));
        None
    } else {
        Some(work)
    };
    ACTIVE.set(Some(pointer));
    left
}
