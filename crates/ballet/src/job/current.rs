//! Which node's code runs on this thread now, and whether it runs inside a shield.
#![expect(
    unsafe_code,
    reason = "a poll must not count references, so the thread borrows the node for the time"
)]

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::task::Context as Poller;

use super::node::{Watched, root};
use super::{Node, NodeRef};
use crate::dispatch::guest::Ref;
use crate::dispatch::{Looked, look_at_clock};

thread_local! {
    /// Borrowed from the innermost [`Inside`] of this thread, for as long as that lives.
    static CURRENT: Cell<Option<NonNull<Node>>> = const { Cell::new(None) };
    /// Where the innermost shield stands whose content is being polled.
    static SHIELDED: RefCell<Option<NodeRef>> = const { RefCell::new(None) };
}

/// The node whose code runs on this thread now, or the root.
pub(crate) fn current() -> NodeRef {
    match CURRENT.get() {
        // SAFETY: It was put there by `stand_in`, from a reference that the `Inside` on this thread's stack borrows.
        Some(node) => unsafe { Ref::from_ptr(node) },
        None => root().clone(),
    }
}

impl Ref<Watched> {
    /// Makes this the current node of the thread until the guard is dropped, counts a poll, and remembers the task
    /// that polls: for what is not a job.
    pub(crate) fn enter(&self, cx: &Poller<'_>) -> (Inside<'_>, Looked) {
        let looked = look_at_clock();
        self.note_poll(cx);
        (self.node().stand_in(), looked)
    }

    /// Counts a poll, and remembers the task that polls.
    pub(crate) fn note_poll(&self, cx: &Poller<'_>) {
        self.watcher.register(cx.waker());
        self.node().note_poll();
    }
}

impl NodeRef {
    /// Makes this the current node without a poll.
    #[inline]
    pub(crate) fn stand_in(&self) -> Inside<'_> {
        Inside { outer: CURRENT.replace(Some(self.as_ptr())), inner: PhantomData }
    }
}

/// Puts the outer node back when a poll ends. Never leaked: it lives on the stack of this crate's own functions.
pub(crate) struct Inside<'a> {
    outer: Option<NonNull<Node>>,
    inner: PhantomData<&'a NodeRef>,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        CURRENT.set(self.outer);
    }
}

/// Holds off the cut of every node around it in the same task, from its making to its drop.
pub(crate) struct Shielding {
    inside: NodeRef,
}

impl Shielding {
    pub(crate) fn begin() -> Self {
        let inside = current();
        inside.shield();
        Self { inside }
    }

    /// Runs one poll of what is shielded; [`is_active`](Self::is_active) says so inside.
    pub(crate) fn poll<R>(&self, poll: impl FnOnce() -> R) -> R {
        struct Restore(Option<NodeRef>);
        impl Drop for Restore {
            fn drop(&mut self) {
                SHIELDED.set(self.0.take());
            }
        }
        let _restore = Restore(SHIELDED.replace(Some(self.inside.clone())));
        poll()
    }

    /// Whether the code that asks runs inside a shield that stands inside `scope`, so that the scope cannot cut it.
    pub(crate) fn is_active(scope: &NodeRef) -> bool {
        SHIELDED.with_borrow(|inside| inside.as_ref().is_some_and(|node| node.is_below(scope)))
    }
}

impl Drop for Shielding {
    fn drop(&mut self) {
        self.inside.unshield();
    }
}
