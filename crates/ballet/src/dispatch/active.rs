//! The lane that is being polled on this thread, and its queue: where what its guests wake or spawn goes at once.
//!
//! This file refuses to know what a lane does with its queue.
#![expect(
    unsafe_code,
    reason = "each child goes through here twice, so the thread borrows the queue for the time of a poll"
)]

use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::Arc;

use crossbeam_deque::Worker;

use super::crew::{Crew, Work};

/// The queue of a lane.
pub(super) struct Active {
    crew: Arc<Crew>,
    pub(super) queue: Worker<Work>,
    /// How much guests have added since this was last asked for.
    added: Cell<u32>,
}

thread_local! {
    /// Borrowed from the innermost [`Polling`] of this thread, for as long as that lives.
    static ACTIVE: Cell<Option<NonNull<Active>>> = const { Cell::new(None) };
}

impl Active {
    pub(super) fn new(crew: Arc<Crew>, queue: Worker<Work>) -> Self {
        Self { crew, queue, added: Cell::new(0) }
    }

    /// Makes this what [`add_here`] adds to on this thread, until the guard is dropped.
    pub(super) fn begin(&self) -> Polling<'_> {
        Polling { outer: ACTIVE.replace(Some(NonNull::from(self))), active: PhantomData }
    }

    /// How much guests have added since this was last called.
    pub(super) fn take_added(&self) -> u32 {
        self.added.take()
    }
}

/// Puts back what was active before when the poll of a lane ends, however it ends. Never leaked: it lives on the stack of
/// the lane's own poll.
pub(super) struct Polling<'a> {
    outer: Option<NonNull<Active>>,
    active: PhantomData<&'a Active>,
}

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        ACTIVE.set(self.outer);
    }
}

/// Adds work to the lane that is being polled on this thread, if it is one of `crew`; gives it back otherwise.
#[inline]
pub(super) fn add_here(crew: &Arc<Crew>, work: Work) -> Option<Work> {
    let Some(active) = ACTIVE.get() else { return Some(work) };
    // SAFETY: It was put there by `begin`, and the `Polling` on this thread's stack borrows it. Neither call below comes
    // back here or ends that.
    let active = unsafe { active.as_ref() };
    if !Arc::ptr_eq(&active.crew, crew) {
        return Some(work);
    }
    active.queue.push(work);
    active.added.set(active.added.get().saturating_add(1));
    None
}
