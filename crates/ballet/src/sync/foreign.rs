//! Code of others, run where its panic has nowhere to go: wakers, destructors, subscribers of `tracing`.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

/// Runs code of the user's where a panic has nowhere to go; the hook has printed it.
pub(crate) fn contain(run: impl FnOnce()) {
    let Err(payload) = catch_unwind(AssertUnwindSafe(run)) else { return };
    // The destructor of a payload may panic, too; that of a second one is not tried.
    catch_unwind(AssertUnwindSafe(|| drop(payload))).unwrap_or_else(mem::forget);
}

/// Wakes all of them: one that panics keeps nobody else asleep.
pub(crate) fn wake_each(wakers: impl IntoIterator<Item = Waker>) {
    wakers.into_iter().for_each(|waker| contain(|| waker.wake()));
}
