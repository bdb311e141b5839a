//! Which node's code runs on this thread now, and whether it runs inside a shield.

use std::cell::RefCell;
use std::sync::Arc;
use std::task::Context as Poller;

use super::Node;
use super::node::root;
use crate::context::Entered;

thread_local! {
    static CURRENT: RefCell<Option<Arc<Node>>> = const { RefCell::new(None) };
    /// Where the innermost shield stands whose content is being polled.
    static SHIELDED: RefCell<Option<Arc<Node>>> = const { RefCell::new(None) };
}

/// The node whose code runs on this thread now, or the root.
pub(crate) fn current() -> Arc<Node> {
    CURRENT.with_borrow(|node| node.as_ref().map_or_else(|| Arc::clone(root()), Arc::clone))
}

impl Node {
    /// Makes this the current node of the thread until the guard is dropped, and counts a poll.
    pub(crate) fn enter(self: &Arc<Self>, cx: &Poller<'_>) -> Inside {
        self.note_poll(cx);
        self.stand_in()
    }

    /// Makes this the current node without a poll: for destructors.
    pub(crate) fn stand_in(self: &Arc<Self>) -> Inside {
        Inside { outer: CURRENT.replace(Some(Arc::clone(self))), _context: self.context.enter() }
    }
}

/// Puts the outer node back when a poll ends.
pub(crate) struct Inside {
    outer: Option<Arc<Node>>,
    _context: Entered,
}

impl Drop for Inside {
    fn drop(&mut self) {
        CURRENT.set(self.outer.take());
    }
}

/// Holds off the cut of every node around it in the same task, from its making to its drop.
pub(crate) struct Shielding {
    inside: Arc<Node>,
}

impl Shielding {
    pub(crate) fn begin() -> Self {
        let inside = current();
        inside.shield(true);
        Self { inside }
    }

    /// Runs one poll of what is shielded; [`is_active`](Self::is_active) says so inside.
    pub(crate) fn poll<R>(&self, poll: impl FnOnce() -> R) -> R {
        struct Restore(Option<Arc<Node>>);
        impl Drop for Restore {
            fn drop(&mut self) {
                SHIELDED.set(self.0.take());
            }
        }
        let _restore = Restore(SHIELDED.replace(Some(Arc::clone(&self.inside))));
        poll()
    }

    /// Whether the code that asks runs inside a shield that stands inside `scope`, so that the scope cannot cut it.
    pub(crate) fn is_active(scope: &Arc<Node>) -> bool {
        SHIELDED.with_borrow(|inside| inside.as_ref().is_some_and(|node| node.is_below(scope)))
    }
}

impl Drop for Shielding {
    fn drop(&mut self) {
        self.inside.shield(false);
    }
}
