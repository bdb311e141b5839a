//! A node's family: who comes in, who leaves, and who takes over what is left.
//!
//! The invariants that are cited here stand at the head of `node`.

use super::{Family, NodeRef, Role, root};
use crate::job::{Origin, Reason, lock};
use crate::observe::State;
use crate::sync::Ordering;

impl NodeRef {
    /// Asks this node to end, once: sets the flag and the reason and wakes its task. Children are not asked.
    ///
    /// Returns whether this was the first time.
    pub(crate) fn ask(&self, reason: Reason) -> bool {
        if self.has_ended() || self.asked.set(reason).is_err() {
            return false;
        }
        self.wake();
        self.notify();
        true
    }

    /// Asks each child of the family to end.
    pub(crate) fn ask_children(&self, reason: &Reason) {
        for child in self.children() {
            child.ask(reason.clone());
        }
    }

    fn children(&self) -> Vec<NodeRef> {
        let Some(household) = self.announced() else { return Vec::new() };
        lock(&household.family).children.iter().map(|(_, child)| child.clone()).collect()
    }

    /// The children that the task of this scope polls.
    pub(crate) fn local_children(&self) -> Vec<NodeRef> {
        self.children().into_iter().filter(|child| child.is_job() && child.is_inline).collect()
    }

    /// Asks the scopes to end that foreign tasks have opened here, and their children.
    pub(crate) fn ask_open_scopes(&self, reason: &Reason) {
        let open: Vec<_> =
            lock(&self.household().family).inline.iter().map(|(_, scope)| scope.clone()).collect();
        for scope in open {
            scope.ask(reason.clone());
            scope.ask_children(reason);
        }
    }

    /// Takes a newborn job into this node's family; refused with the reason if the node has been asked to end or
    /// has ended. `newcomer` is the reference that the family keeps.
    pub(in crate::job) fn admit(&self, newcomer: NodeRef) -> Result<(), Reason> {
        let mut family = lock(&self.household().family);
        if let Some(reason) = self.refusal_by(&family) {
            return Err(reason);
        }
        if newcomer.name.is_none() {
            family.last_number += 1;
            newcomer.number.store(family.last_number, Ordering::Relaxed);
        }
        family.take_in(newcomer, true);
        Ok(())
    }

    /// Why this node takes no child, if it takes none.
    pub(crate) fn refusal(&self) -> Option<Reason> {
        self.refusal_by(&lock(&self.household().family))
    }

    fn refusal_by(&self, family: &Family) -> Option<Reason> {
        let ended = || Reason::ParentEnded(Origin::new(self.path(), self.place));
        self.asked().or_else(|| family.closed.then(ended))
    }

    /// Enters a scope that the current task polls into the family of the nearest node that can own.
    pub(in crate::job) fn enter_inline(&self) {
        if let Some(birth) = &self.birth {
            lock(&birth.nearest_owner().household().family).take_in(self.clone(), false);
        }
    }

    /// The node that waits for this one; `None` for a root. See invariant 5.
    fn owner(&self) -> Option<NodeRef> {
        let moved = self.household.get().and_then(|household| lock(&household.moved).clone());
        self.owner_where(moved.as_ref())
    }

    /// The owner, where `moved` is what the node's lock of that name holds.
    fn owner_where(&self, moved: Option<&NodeRef>) -> Option<NodeRef> {
        moved.cloned().or_else(|| self.birth.as_ref().map(NodeRef::nearest_owner))
    }

    /// Whether `ancestor` owns this node, at whatever distance.
    pub(crate) fn is_below(&self, ancestor: &NodeRef) -> bool {
        self.nearest_owner().upwards().any(|node| node.ptr_eq(ancestor))
    }

    /// The root above this node.
    pub(crate) fn root(&self) -> NodeRef {
        self.upwards().last().unwrap_or_else(|| self.clone())
    }

    /// This node, its owner, the owner of that, up to a root.
    fn upwards(&self) -> impl Iterator<Item = NodeRef> {
        std::iter::successors(Some(self.clone()), NodeRef::owner)
    }

    /// This node and those around it, as far as the job that this code is part of.
    pub(crate) fn up_to_job(&self) -> Vec<NodeRef> {
        let outwards = |node: &NodeRef| match node.role {
            Role::Scope | Role::Region => node.birth.clone(),
            Role::Root | Role::Job => None,
        };
        std::iter::successors(Some(self.clone()), outwards).collect()
    }

    /// This node, or where it is a region the node that the region is in.
    pub(in crate::job) fn nearest_owner(&self) -> NodeRef {
        self.nearest().clone()
    }

    fn nearest(&self) -> &NodeRef {
        let mut node = self;
        while let (Role::Region, Some(birth)) = (node.role, &node.birth) {
            node = birth;
        }
        node
    }

    /// Makes an inline scope a child of the nearest node above that has not ended. See invariant 2.
    pub(crate) fn adopt(&self) {
        self.adopted.store(true, Ordering::Relaxed);
        let mut moved = lock(&self.household().moved);
        if let Some(owner) = self.owner_where(moved.as_ref()) {
            lock(&owner.household().family).let_go(self, false);
            *moved = Some(owner.take_over(self, true));
        }
    }

    /// Puts `node` into this family, or the nearest one above that is still open; returns who took it.
    fn take_over(&self, node: &NodeRef, waited_for: bool) -> NodeRef {
        let mut taker = self.clone();
        loop {
            {
                let mut family = lock(&taker.household().family);
                if !taker.has_ended() {
                    family.take_in(node.clone(), waited_for);
                    drop(family);
                    return taker;
                }
            }
            taker = taker.owner().unwrap_or_else(|| root().clone());
        }
    }

    /// Ends this node and leaves its owner's family.
    pub(crate) fn end(&self, state: State) {
        self.conclude(state);
        self.leave();
    }

    /// Ends this node, which hands on what is left in its family. Its owner goes on waiting for it until it
    /// [leaves](Self::leave). See invariant 3.
    pub(crate) fn conclude(&self, state: State) {
        if self.has_ended() {
            return;
        }
        self.set_ended(state);
        let Some(household) = self.announced() else { return };
        let (children, inline) = lock(&household.family).disband();
        let left =
            children.into_iter().map(|node| (node, true)).chain(inline.into_iter().map(|node| (node, false)));
        for (node, waited_for) in left {
            let mut moved = lock(&node.household().moved);
            // One that has ended in the meantime leaves no family any more, so it must enter none; one that was
            // adopted in the meantime stands in another already.
            let is_ours = node.owner_where(moved.as_ref()).is_some_and(|owner| owner.ptr_eq(self));
            if is_ours && !node.has_ended() {
                *moved = Some(self.take_over(&node, waited_for));
            }
        }
    }

    /// Leaves the owner's family, and wakes the owner if this was the last child.
    pub(crate) fn leave(&self) {
        let Some(birth) = &self.birth else { return };
        if self.leave_from(birth.nearest()) {
            return;
        }
        // Not where it was born, so it has been moved; or it is about to be, and will be found ended.
        if let Some(owner) = &*lock(&self.household().moved) {
            self.leave_from(owner);
        }
    }

    /// Leaves the family of `owner`, if it stands there.
    fn leave_from(&self, owner: &NodeRef) -> bool {
        let mut family = lock(&owner.household().family);
        let was_child = family.let_go(self, true);
        let was_inline = !was_child && family.let_go(self, false);
        let is_childless = family.children.is_empty();
        let is_empty = is_childless && family.inline.is_empty();
        drop(family);
        if was_child && is_childless {
            owner.wake();
            owner.notify();
        } else if was_inline && is_empty {
            owner.notify();
        }
        was_child || was_inline
    }
}

impl Family {
    fn take_in(&mut self, node: NodeRef, waited_for: bool) {
        node.order.store(self.next_order, Ordering::Relaxed);
        self.next_order = self.next_order.wrapping_add(1);
        let kin = if waited_for { &mut self.children } else { &mut self.inline };
        let seat = kin.vacant_entry();
        node.seat.store(seat.key(), Ordering::Relaxed);
        seat.insert(node);
    }

    /// Takes `node` out, if it is here.
    fn let_go(&mut self, node: &NodeRef, waited_for: bool) -> bool {
        let kin = if waited_for { &mut self.children } else { &mut self.inline };
        let seat = node.seat.load(Ordering::Relaxed);
        let is_here = kin.get(seat).is_some_and(|kin| kin.ptr_eq(node));
        if is_here {
            kin.remove(seat);
        }
        is_here
    }

    fn disband(&mut self) -> (Vec<NodeRef>, Vec<NodeRef>) {
        self.closed = true;
        (self.children.drain().collect(), self.inline.drain().collect())
    }
}
