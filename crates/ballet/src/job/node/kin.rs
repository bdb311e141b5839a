//! A list of nodes in the order in which they came in, whose links lie in the nodes: coming and going allocate
//! nothing and take a few steps.
//!
//! A list belongs to a family and is touched under that family's lock. It counts no references. What keeps its nodes
//! alive is invariant 6 of `node`.
#![expect(unsafe_code, reason = "links between nodes that are counted elsewhere")]

use std::cell::Cell;
use std::fmt;
use std::ptr::NonNull;

use super::{Node, NodeRef};
use crate::dispatch::guest::Ref;

type Link = Option<NonNull<Node>>;

/// The neighbours of a node in the list in which it stands.
#[derive(Default)]
pub(super) struct Links {
    before: Cell<Link>,
    after: Cell<Link>,
}

// SAFETY: Only `Kin` touches them, through `&mut self` or `&self` of the list in which the node stands. A node stands in
// one list at most, and each list is under a lock.
unsafe impl Sync for Links {}
// SAFETY: As above: the nodes that they point to are shared between threads anyway.
unsafe impl Send for Links {}

/// A list of nodes.
#[derive(Default)]
pub(super) struct Kin {
    first: Link,
    last: Link,
}

// SAFETY: It points to nodes, which any thread may see.
unsafe impl Send for Kin {}

impl Kin {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Puts a node at the end.
    ///
    /// # Safety
    ///
    /// The node stands in no list, and is taken out of this one before its memory is freed.
    #[inline]
    pub(super) unsafe fn push(&mut self, node: &NodeRef) {
        let this = Some(node.as_ptr());
        node.links.before.set(self.last);
        node.links.after.set(None);
        match self.last.replace(node.as_ptr()) {
            // SAFETY: By the promise of whoever pushed it, a node in the list is alive.
            Some(last) => unsafe { last.as_ref() }.links.after.set(this),
            None => self.first = this,
        }
    }

    /// Takes a node out.
    ///
    /// # Safety
    ///
    /// The node stands in this list.
    #[inline]
    pub(super) unsafe fn remove(&mut self, node: &NodeRef) {
        let (before, after) = (node.links.before.take(), node.links.after.take());
        match before {
            // SAFETY: As in `push`.
            Some(before) => unsafe { before.as_ref() }.links.after.set(after),
            None => self.first = after,
        }
        match after {
            // SAFETY: As in `push`.
            Some(after) => unsafe { after.as_ref() }.links.before.set(before),
            None => self.last = before,
        }
    }

    /// References to all, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = NodeRef> {
        // SAFETY: As in `push`; the list is borrowed, so none leaves meanwhile.
        let after = |node: &NonNull<Node>| unsafe { node.as_ref() }.links.after.get();
        // SAFETY: A node in the list is alive, so it has a reference that `from_ptr` may add to. The pointer was a
        // reference's.
        std::iter::successors(self.first, after).map(|node| unsafe { Ref::from_ptr(node) })
    }
}

impl fmt::Debug for Kin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kin")
    }
}
