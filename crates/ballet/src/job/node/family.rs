//! A node's family: who comes in, who leaves, and who takes over what is left.
//!
//! The invariants that are cited here stand at the head of `node`.
#![expect(unsafe_code, reason = "nodes are put into lists that count no references")]

use super::birth::Keeping;
use super::kin::Kin;
use super::{Node, NodeRef, Role, Standing, root};
use crate::dispatch::guest::Audience;
use crate::job::{Origin, Reason, lock};
use crate::observe::State;
use crate::sync::{Ordering, ShortGuard, contain};

#[derive(Default)]
pub(super) struct Family {
    pub(super) children: Kin,
    pub(super) inline: Kin,
    /// Jobs that were taken in here and keep this node, see invariant 7.
    pub(super) records: usize,
    /// The node itself, for as long as there are records.
    pub(super) kept: Option<NodeRef>,
    /// No child is taken any more: finalizers run or have run.
    pub(super) closed: bool,
    /// Somebody beside the node's own task waits, or has waited, for the family to change.
    pub(super) is_awaited: bool,
    /// The number of the last nameless child.
    last_number: u32,
}

impl NodeRef {
    /// Asks this node to end, once: sets the flag and the reason and wakes its task. Children are not asked.
    ///
    /// Returns whether this was the first time.
    pub(crate) fn ask(&self, reason: &Reason) -> bool {
        if self.has_ended() || self.is_asked() || !self.asked.set(reason) {
            return false;
        }
        // Whoever asks has more to do, and may be a destructor that must not stop half-way.
        contain(|| self.wake());
        contain(|| self.notify_asked());
        true
    }

    /// Asks each child of the family to end.
    pub(crate) fn ask_children(&self, reason: &Reason) {
        for child in self.children() {
            child.ask(reason);
        }
    }

    pub(super) fn children(&self) -> Vec<NodeRef> {
        let Some(household) = self.announced() else { return Vec::new() };
        household.family.lock().children.iter().collect()
    }

    /// The children that the task of this scope polls.
    pub(crate) fn local_children(&self) -> Vec<NodeRef> {
        self.children().into_iter().filter(|child| child.is_job() && child.is_inline).collect()
    }

    /// Asks the scopes to end that foreign tasks have opened here, and their children.
    pub(crate) fn ask_open_scopes(&self, reason: &Reason) {
        let open: Vec<_> = self.household().family.lock().inline.iter().collect();
        for scope in open {
            scope.ask(reason);
            scope.ask_children(reason);
        }
    }

    /// Takes a newborn job into this node's family, unless the node has been asked to end or has ended. The job leaves
    /// the family before its life ends.
    #[inline]
    pub(in crate::job) fn admit(&self, newcomer: &NodeRef) -> bool {
        let mut family = self.household().family.lock();
        if self.is_asked() || family.closed {
            return false;
        }
        if newcomer.name().is_none() {
            family.last_number += 1;
            newcomer.number.store(family.last_number, Ordering::Relaxed);
        }
        if newcomer.keeping.load(Ordering::Relaxed) == Keeping::Borrowed as u8 {
            newcomer.keeping.store(Keeping::Recorded as u8, Ordering::Relaxed);
            family.record(self);
        }
        family.take_in(newcomer, Standing::AtBirth);
        true
    }

    /// Why this node takes no child, if it takes none.
    pub(crate) fn refusal(&self) -> Option<Reason> {
        let is_closed = self.household().family.lock().closed;
        self.asked().or_else(|| is_closed.then(|| self.parent_ended()))
    }

    /// Why this node took no child.
    pub(in crate::job) fn reason_of_refusal(&self) -> Reason {
        self.refusal().unwrap_or_else(|| self.parent_ended())
    }

    fn parent_ended(&self) -> Reason {
        Reason::ParentEnded(Origin::new(self.path(), self.place))
    }

    /// Enters a scope that the current task polls into the family of the nearest node that can own.
    pub(in crate::job) fn enter_inline(&self) {
        if let Some(birth) = self.birth() {
            let owner = birth.nearest();
            owner.household().family.lock().take_in(self, Standing::AtBirth);
        }
    }

    /// The node that waits for this one; `None` for a root. See invariant 5.
    fn owner(&self) -> Option<NodeRef> {
        let moved = self.household.get().and_then(|household| lock(&household.moved).clone());
        self.owner_where(moved.as_ref())
    }

    /// The owner, where `moved` is what the node's lock of that name holds.
    fn owner_where(&self, moved: Option<&NodeRef>) -> Option<NodeRef> {
        moved.cloned().or_else(|| self.birth().map(NodeRef::nearest_owner))
    }

    /// Whether `ancestor` owns this node, at whatever distance.
    pub(crate) fn is_below(&self, ancestor: &NodeRef) -> bool {
        self.nearest_owner().upwards().any(|node| node.ptr_eq(ancestor))
    }

    /// The root, where this node stands in nothing else.
    pub(crate) fn root_around(&self) -> Option<NodeRef> {
        let around = self.birth()?.nearest();
        (around.role == Role::Root).then(|| around.clone())
    }

    /// Whether no child is in this node, and no open scope but this one.
    pub(crate) fn holds_only(&self, scope: &NodeRef) -> bool {
        let family = self.household().family.lock();
        family.children.is_empty() && family.inline.iter().all(|open| open.ptr_eq(scope))
    }

    /// This node, its owner, the owner of that, up to a root.
    fn upwards(&self) -> impl Iterator<Item = NodeRef> {
        std::iter::successors(Some(self.clone()), NodeRef::owner)
    }

    /// This node and those around it, as far as the job that this code is part of.
    pub(crate) fn up_to_job(&self) -> Vec<NodeRef> {
        let outwards = |node: &NodeRef| match node.role {
            Role::Scope | Role::Region => node.birth().cloned(),
            Role::Root | Role::Job => None,
        };
        std::iter::successors(Some(self.clone()), outwards).collect()
    }

    /// This node, or where it is a region the node that the region is in.
    pub(in crate::job) fn nearest_owner(&self) -> NodeRef {
        self.nearest().clone()
    }

    #[inline]
    fn nearest(&self) -> &NodeRef {
        let mut node = self;
        while let (Role::Region, Some(birth)) = (node.role, node.birth()) {
            node = birth;
        }
        node
    }

    /// Makes an inline scope a child of the nearest node above that has not ended. See invariant 2.
    pub(crate) fn adopt(&self) {
        let mut moved = lock(&self.household().moved);
        let owner = self.owner_where(moved.as_ref());
        if let Some(owner) = &owner {
            let standing = if moved.is_some() { Standing::Moved } else { Standing::AtBirth };
            owner.household().family.lock().let_go(self, standing);
        }
        self.adopted.store(true, Ordering::Relaxed);
        *moved = owner.map(|owner| owner.take_over(self));
    }

    /// Puts `node` into this family, or the nearest one above that is still open; returns who took it.
    fn take_over(&self, node: &NodeRef) -> NodeRef {
        let mut taker = self.clone();
        loop {
            {
                let mut family = taker.household().family.lock();
                if !taker.has_ended() {
                    family.take_in(node, Standing::Moved);
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
    #[inline]
    pub(crate) fn conclude(&self, state: State) -> Audience {
        if !self.has_ended() {
            self.set_ended(state);
        }
        let audience = self.header.end();
        if audience.housed {
            contain(|| self.hand_on());
        }
        audience
    }

    /// Hands what is left in the family to whoever waits for this node.
    fn hand_on(&self) {
        let left = self.household().family.lock().disband();
        for node in left {
            let mut moved = lock(&node.household().moved);
            // One that has ended in the meantime leaves no family any more, so it must enter none; one that was
            // adopted in the meantime stands in another already.
            let is_ours = node.owner_where(moved.as_ref()).is_some_and(|owner| owner.ptr_eq(self));
            if is_ours && !node.has_ended() {
                *moved = Some(self.take_over(&node));
            }
        }
    }

    /// Leaves the owner's family, and wakes the owner if this was the last child.
    #[inline]
    pub(crate) fn leave(&self) {
        let Some(birth) = self.birth() else { return };
        if !self.leave_from(birth.nearest(), Standing::AtBirth) {
            self.leave_where_moved();
        }
    }

    /// Not where it was born, so it has been moved; or it is about to be, and will be found ended.
    #[cold]
    fn leave_where_moved(&self) {
        if let Some(owner) = &*lock(&self.household().moved) {
            self.leave_from(owner, Standing::Moved);
        }
    }

    /// Leaves the family of `owner`, if it stands there.
    #[inline]
    fn leave_from(&self, owner: &NodeRef, standing: Standing) -> bool {
        let mut family = owner.household().family.lock();
        if !family.let_go(self, standing) {
            return false;
        }
        self.part(owner, family);
        true
    }

    /// Ends a job that nobody knows but its family, and leaves that, in one step: nobody will see how it
    /// [ended](Node::ended). Where somebody knows it, or it has a family of its own, nothing changes, and it has to
    /// [end](Self::conclude) in the sight of others.
    #[inline]
    pub(in crate::job) fn end_unknown(&self) -> bool {
        let Some(owner) = self.birth() else { return false };
        if !self.header.is_unknown() {
            return false;
        }
        let mut family = owner.household().family.lock();
        // Whoever comes to know it now finds it in a family, which is this one where it has not been moved.
        if !self.stands(Standing::AtBirth) || !self.header.is_unknown() {
            return false;
        }
        self.header.end_unknown();
        family.let_go(self, Standing::AtBirth);
        self.part(owner, family);
        true
    }

    /// What is left to do for one that has just left the family of `owner`.
    #[inline]
    fn part(&self, owner: &NodeRef, mut family: ShortGuard<'_, Family>) {
        // Where nobody but the caller knows it any more, its record is struck out here, under the lock that is held, and
        // not when it is freed.
        let is_struck = self.is_recorded_by(owner) && self.header.is_alone();
        let mut kept = None;
        if is_struck {
            self.keeping.store(Keeping::Borrowed as u8, Ordering::Relaxed);
            kept = family.strike();
        }
        if family.children.is_empty() {
            if is_struck && kept.is_none() {
                // Kept by the records of others, who may give them up as soon as the lock is given back.
                kept = Some(owner.clone());
            }
            owner.miss(self, family);
        } else {
            drop(family);
        }
        if let Some(kept) = kept {
            contain(|| drop(kept));
        }
    }

    /// Tells whoever waits that `node` was the last child to leave, or the last of all.
    #[cold]
    fn miss(&self, node: &Node, family: ShortGuard<'_, Family>) {
        let (is_empty, is_awaited) = (family.inline.is_empty(), family.is_awaited);
        drop(family);
        contain(|| {
            if node.is_waited_for() {
                self.wake();
            }
            if is_awaited && (node.is_waited_for() || is_empty) {
                self.notify_family();
            }
        });
    }

    /// Whether `owner` is where it was born, and kept by its record.
    fn is_recorded_by(&self, owner: &NodeRef) -> bool {
        let is_recorded = self.keeping.load(Ordering::Relaxed) == Keeping::Recorded as u8;
        is_recorded && self.birth().is_some_and(|birth| birth.ptr_eq(owner))
    }
}

impl Family {
    /// Takes `node` into this family.
    #[inline]
    fn take_in(&mut self, node: &NodeRef, standing: Standing) {
        node.standing.store(standing as u8, Ordering::Relaxed);
        // SAFETY: By invariant 1 it stands in no list yet, and by 6 it leaves before it is freed.
        unsafe { self.list_of(node).push(node) };
    }

    /// Takes `node` out of this family, if it stands here: `standing` says which of its two owners' family this is.
    #[inline]
    fn let_go(&mut self, node: &NodeRef, standing: Standing) -> bool {
        // Written under the lock of this family where it says so, and that is held.
        if !node.stands(standing) {
            return false;
        }
        node.standing.store(Standing::Nowhere as u8, Ordering::Relaxed);
        // SAFETY: It stands here, in the list of its kind.
        unsafe { self.list_of(node).remove(node) };
        true
    }

    /// The list in which `node` stands, or would.
    #[inline]
    fn list_of(&mut self, node: &Node) -> &mut Kin {
        if node.is_waited_for() { &mut self.children } else { &mut self.inline }
    }

    /// Takes all out, and takes none in any more.
    fn disband(&mut self) -> Vec<NodeRef> {
        self.closed = true;
        let left: Vec<_> = self.children.iter().chain(self.inline.iter()).collect();
        for node in &left {
            node.standing.store(Standing::Nowhere as u8, Ordering::Relaxed);
        }
        (self.children, self.inline) = Default::default();
        left
    }

    /// Notes one job more whose memory `owner` has to outlive.
    #[inline]
    fn record(&mut self, owner: &NodeRef) {
        self.records += 1;
        if self.records == 1 {
            self.kept = Some(owner.clone());
        }
    }

    /// Notes one less; gives the reference that kept the owner for the last one.
    pub(super) fn strike(&mut self) -> Option<NodeRef> {
        self.records -= 1;
        if self.records == 0 { self.kept.take() } else { None }
    }
}
