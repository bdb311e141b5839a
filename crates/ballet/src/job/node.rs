//! The tree: who owns whom.
//!
//! Invariants, cited by number below:
//!
//! 1. A node that has begun and not ended stands in exactly one family: its owner's.
//! 2. A family's `children` are waited for; its `inline` scopes are not, because the owner's own task polls them.
//!    An inline scope whose future is dropped becomes a child: that is adoption.
//! 3. A node that ends hands what is left in its family to the nearest ancestor that has not ended, at last to the
//!    root, which never ends.
//! 4. Locks are taken in this order: a node's `moved`, then one `family` at a time.
//! 5. A node's owner is the node that it was born in, until the node is moved: then `moved` says who it is.

use std::panic::Location;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::task::Poll;
use std::time::Duration;

use atomic_waker::AtomicWaker;
use slab::Slab;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::cell;
use super::{Origin, Reason, lock};
use crate::context::{Name, Values};
use crate::dispatch::guest::{Cell, Header, Ref};
use crate::dispatch::{now, when_closed};
use crate::observe::{Kind, State, Tree};
use crate::sync::{AtomicU8, AtomicUsize, Mutex, OnceLock, Ordering, fence};

/// A job, an open scope, or the region of a timeout.
///
/// The beginning of the one allocation that is a job: what follows is the job's body. See [`cell`].
#[repr(C)]
pub(crate) struct Node {
    header: Header,
    /// Where this node was born: the scope of a job; what a scope or a region was opened in. `None` for a root.
    birth: Option<NodeRef>,
    /// The values of the node's context, unless it inherits those of its birth.
    values: Values,
    name: Option<Name>,
    pub(crate) place: &'static Location<'static>,
    pub(crate) born: Instant,
    /// Why it was asked to end, once it was.
    asked: OnceLock<Reason>,
    /// Who is told of progress: of a job whoever awaits it, of a scope the task that polls it.
    pub(super) watcher: AtomicWaker,
    /// What few jobs need and every scope.
    household: OnceLock<Box<Household>>,
    /// The key in the owner's family; guarded by that family's lock.
    seat: AtomicUsize,
    polls: AtomicU32,
    /// Milliseconds from birth to the last poll.
    polled_at_ms: AtomicU32,
    /// Milliseconds from birth to the end.
    ended_at_ms: AtomicU32,
    /// How many children the owner had before this one.
    order: AtomicU32,
    /// The number of a job without a name, from 1.
    number: AtomicU32,
    /// How many shields are being polled somewhere inside, in the same task.
    shields: AtomicU32,
    role: Role,
    /// The task that polls `birth` polls this node too.
    is_inline: bool,
    inherits_values: bool,
    /// Set by the adoption of a scope.
    adopted: AtomicBool,
    /// How it ended, as [`code`] writes it.
    ended: AtomicU8,
}

/// A counted reference to a node.
pub(crate) type NodeRef = Ref<Node>;

// SAFETY is argued in `cell`: the type is `repr(C)` and begins with its header.
cell::is_cell!(Node);

/// What decides how a node ends; regions are never in a family.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Root,
    Job,
    Scope,
    Region,
}

/// What a node has once it owns something or somebody waits for more than its end.
struct Household {
    family: Mutex<Family>,
    /// The owner, where it is not the one that the node was born with.
    moved: Mutex<Option<NodeRef>>,
    /// Tells any code that this node has been asked or has lost its last child, whatever polls that code.
    notice: Notify,
}

impl Household {
    fn new() -> Box<Self> {
        let (family, moved) = (Mutex::new(Family::default()), Mutex::new(None));
        Box::new(Self { family, moved, notice: Notify::new() })
    }
}

#[derive(Default)]
struct Family {
    children: Slab<NodeRef>,
    inline: Slab<NodeRef>,
    /// No child is taken any more: finalizers run or have run.
    closed: bool,
    next_order: u32,
    /// The number of the last nameless child.
    last_number: u32,
}

/// What a node is born with.
pub(crate) struct Birth {
    pub(crate) role: Role,
    pub(crate) birth: Option<NodeRef>,
    pub(crate) is_inline: bool,
    pub(crate) values: Option<Values>,
    pub(crate) name: Option<Name>,
    pub(crate) place: &'static Location<'static>,
}

static ROOT: LazyLock<NodeRef> = LazyLock::new(|| {
    when_closed(|| root().all().iter().for_each(NodeRef::wake));
    Node::root_named(None, Location::caller())
});

/// The root of the process: owner of what has no nearer one.
pub(crate) fn root() -> &'static NodeRef {
    &ROOT
}

/// A snapshot of everything that Ballet runs in this process.
///
/// # Examples
///
/// ```
/// let tree = ballet::tree();
/// assert_eq!(tree.kind, ballet::observe::Kind::Root);
/// ```
#[must_use]
pub fn tree() -> Tree {
    root().tree()
}

impl Node {
    pub(super) fn new(header: Header, birth: Birth) -> Self {
        Self {
            header,
            birth: birth.birth,
            inherits_values: birth.values.is_none(),
            values: birth.values.unwrap_or_default(),
            name: birth.name,
            place: birth.place,
            born: now(),
            asked: OnceLock::new(),
            watcher: AtomicWaker::new(),
            household: OnceLock::new(),
            seat: AtomicUsize::new(0),
            polls: AtomicU32::new(0),
            polled_at_ms: AtomicU32::new(0),
            ended_at_ms: AtomicU32::new(0),
            order: AtomicU32::new(0),
            number: AtomicU32::new(0),
            shields: AtomicU32::new(0),
            role: birth.role,
            is_inline: birth.is_inline,
            adopted: AtomicBool::new(false),
            ended: AtomicU8::new(0),
        }
    }

    fn root_named(name: Option<Name>, place: &'static Location<'static>) -> NodeRef {
        let birth = Birth { role: Role::Root, birth: None, is_inline: false, values: None, name, place };
        cell::passive(birth)
    }

    /// A root of its own, for a test.
    #[cfg(feature = "testing")]
    pub(crate) fn test_root(name: &'static str, place: &'static Location<'static>) -> NodeRef {
        Self::root_named(Some(Name::Given(name.into())), place)
    }

    /// A region inside the current node: it can be asked to end and holds shields, and owns nothing.
    pub(crate) fn region(values: Values, place: &'static Location<'static>) -> NodeRef {
        let birth = Some(super::current());
        cell::passive(Birth {
            role: Role::Region,
            birth,
            is_inline: true,
            values: Some(values),
            name: None,
            place,
        })
    }

    /// What a scope is born with that the current task polls.
    pub(super) fn scope_birth(values: Values, place: &'static Location<'static>) -> Birth {
        let birth = Some(super::current());
        Birth { role: Role::Scope, birth, is_inline: true, values: Some(values), name: None, place }
    }

    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    pub(super) fn birth(&self) -> Option<&NodeRef> {
        self.birth.as_ref()
    }

    /// The values of the node's context.
    pub(crate) fn values(&self) -> Values {
        match &self.birth {
            // A job that adds nothing; scopes and regions have values of their own, so this goes one step up.
            Some(birth) if self.inherits_values => birth.values(),
            _ => self.values.clone(),
        }
    }

    /// What a job that is born here has of its own; `None` where that is what this node has.
    pub(super) fn values_for_child(&self) -> Option<Values> {
        self.values.for_child()
    }

    /// A segment of the path: the node's name, or the number of a job that has none.
    pub(super) fn segment(&self) -> Option<Name> {
        let number = || Name::Number(self.number.load(Ordering::Relaxed).into());
        self.name.clone().or_else(|| (self.role == Role::Job).then(number))
    }

    pub(crate) fn kind(&self) -> Kind {
        match self.role {
            Role::Root => Kind::Root,
            Role::Job => Kind::Job,
            Role::Scope | Role::Region if !self.adopted.load(Ordering::Relaxed) => Kind::Scope,
            Role::Scope | Role::Region => Kind::Adopted,
        }
    }

    pub(crate) fn is_job(&self) -> bool {
        self.role == Role::Job
    }

    /// Why this node was asked to end, if it was.
    pub(crate) fn asked(&self) -> Option<Reason> {
        self.asked.get().cloned()
    }

    /// The reason to stop polling the body now: asked, and nothing inside is shielded.
    pub(crate) fn cut(&self) -> Option<Reason> {
        if self.shields.load(Ordering::Relaxed) > 0 { None } else { self.asked() }
    }

    /// Why whatever runs inside this node is being dropped: the nearest reason on the stack of nodes.
    pub(crate) fn surrounding_reason(&self) -> Option<Reason> {
        self.stack().find_map(Node::asked).map(Reason::inherited)
    }

    /// The nodes around the one born here, innermost first, as far as one task reaches.
    fn stack(&self) -> impl Iterator<Item = &Node> {
        std::iter::successors(self.within(), |node| node.within())
    }

    /// The node around this one in the same task; for reasons and shields, which follow the stack.
    fn within(&self) -> Option<&Node> {
        if self.is_inline { self.birth.as_deref() } else { None }
    }

    fn household(&self) -> &Household {
        if let Some(household) = self.household.get() {
            return household;
        }
        let household = self.household.get_or_init(Household::new);
        // Pairs with the fence in `announced`: whoever made the household sees what was done before it was there.
        fence(Ordering::SeqCst);
        household
    }

    /// The household as it is after a change that whoever makes one later will see by himself.
    fn announced(&self) -> Option<&Household> {
        fence(Ordering::SeqCst);
        self.known_household()
    }

    fn known_household(&self) -> Option<&Household> {
        self.household.get().map(Box::as_ref)
    }

    fn notify(&self) {
        if let Some(household) = self.announced() {
            household.notice.notify_waiters();
        }
    }

    /// Waits until this node is asked to end.
    pub(crate) async fn wait_asked(&self) -> Reason {
        loop {
            let notice = self.household().notice.notified();
            if let Some(reason) = self.asked() {
                return reason;
            }
            notice.await;
        }
    }

    /// Ready when no child is left. Whoever takes the last one wakes the node's task.
    pub(crate) fn poll_childless(&self) -> Poll<()> {
        if self.is_childless() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn is_childless(&self) -> bool {
        self.known_household().is_none_or(|household| lock(&household.family).children.is_empty())
    }

    /// Waits until no child is left. Any number of tasks may call it; roots have no task of their own.
    pub(crate) async fn wait_childless(&self) {
        self.wait_until(Self::is_childless).await;
    }

    /// Waits until neither a child nor an open scope is left.
    pub(crate) async fn wait_empty(&self) {
        let is_empty = |node: &Self| {
            let family = lock(&node.household().family);
            family.children.is_empty() && family.inline.is_empty()
        };
        self.wait_until(is_empty).await;
    }

    async fn wait_until(&self, condition: impl Fn(&Self) -> bool) {
        loop {
            let notice = self.household().notice.notified();
            if condition(self) {
                return;
            }
            notice.await;
        }
    }

    /// Refuses children from now on, if none is left.
    pub(crate) fn close_if_childless(&self) -> bool {
        let mut family = lock(&self.household().family);
        family.closed |= family.children.is_empty();
        family.closed
    }

    /// Refuses children from now on.
    pub(crate) fn close(&self) {
        lock(&self.household().family).closed = true;
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.household.get().is_some_and(|household| lock(&household.family).closed)
    }

    /// When and how it ended.
    pub(crate) fn ended(&self) -> Option<(State, Instant)> {
        let state = decode(self.ended.load(Ordering::Acquire))?;
        let after = Duration::from_millis(self.ended_at_ms.load(Ordering::Relaxed).into());
        Some((state, self.born + after))
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire) != 0
    }

    fn set_ended(&self, state: State) {
        self.ended_at_ms.store(self.age_ms(), Ordering::Relaxed);
        self.ended.store(code(state), Ordering::Release);
    }

    pub(crate) fn state(&self) -> State {
        match (self.ended(), self.asked.get()) {
            (Some((state, _)), _) => state,
            (None, Some(_)) => State::Cancelling,
            (None, None) => State::Running,
        }
    }

    /// Counts a poll. Only the task that polls this node calls it, so nothing is lost between load and store.
    pub(super) fn note_poll(&self) {
        self.polls.store(self.polls.load(Ordering::Relaxed).saturating_add(1), Ordering::Relaxed);
        self.polled_at_ms.store(self.age_ms(), Ordering::Relaxed);
    }

    fn age_ms(&self) -> u32 {
        u32::try_from(now().saturating_duration_since(self.born).as_millis()).unwrap_or(u32::MAX)
    }

    /// Counts one shield more, or less, in this node and those around it in the same task.
    pub(super) fn shield(&self, begins: bool) {
        for node in std::iter::once(self).chain(self.stack()) {
            if begins {
                node.shields.fetch_add(1, Ordering::Relaxed);
            } else {
                node.shields.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}

/// Gives the births up one after the other: freed inside each other, the nodes of a deep tree would use up the stack.
impl Drop for Node {
    fn drop(&mut self) {
        let mut next = self.birth.take();
        while let Some(mut birth) = next {
            next = birth.get_mut().and_then(|node| node.birth.take());
        }
    }
}

/// What needs to know the node as others refer to it.
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
    pub(super) fn admit(&self, newcomer: NodeRef) -> Result<(), Reason> {
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
    pub(super) fn enter_inline(&self) {
        if let Some(birth) = &self.birth {
            lock(&birth.nearest_owner().household().family).take_in(self.clone(), false);
        }
    }

    /// The node that waits for this one; `None` for a root. See invariant 5.
    fn owner(&self) -> Option<NodeRef> {
        let moved = self.household.get().and_then(|household| lock(&household.moved).clone());
        moved.or_else(|| self.birth.as_ref().map(NodeRef::nearest_owner))
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
    pub(super) fn nearest_owner(&self) -> NodeRef {
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
        let owner = moved.clone().or_else(|| self.birth.as_ref().map(NodeRef::nearest_owner));
        if let Some(owner) = owner {
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
            let is_ours = moved.as_ref().map_or_else(
                || node.birth.as_ref().is_some_and(|birth| birth.nearest_owner().ptr_eq(self)),
                |owner| owner.ptr_eq(self),
            );
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

    /// This node and all below it, in order of birth.
    pub(crate) fn all(&self) -> Vec<NodeRef> {
        let mut found = vec![self.clone()];
        let mut next = 0;
        while let Some(node) = found.get(next).cloned() {
            found.extend(node.kin());
            next += 1;
        }
        found
    }

    /// Children and open scopes, in order of birth.
    fn kin(&self) -> Vec<NodeRef> {
        let Some(household) = self.household.get() else { return Vec::new() };
        let family = lock(&household.family);
        let kin = family.children.iter().chain(family.inline.iter());
        let mut kin: Vec<_> = kin.map(|(_, node)| node.clone()).collect();
        drop(family);
        kin.sort_by_key(|node| node.order.load(Ordering::Relaxed));
        kin
    }

    pub(crate) fn tree(&self) -> Tree {
        let age = self.born.elapsed();
        let polls = self.polls.load(Ordering::Relaxed);
        let polled_at = Duration::from_millis(self.polled_at_ms.load(Ordering::Relaxed).into());
        Tree {
            path: self.path().to_string(),
            kind: self.kind(),
            place: self.place,
            state: self.state(),
            age,
            polls: polls.into(),
            idle: (polls > 0).then(|| age.saturating_sub(polled_at)),
            children: self.kin().iter().map(NodeRef::tree).collect(),
        }
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

/// A state in a byte; 0 is kept for a node that has not ended.
fn code(state: State) -> u8 {
    match state {
        State::Running | State::Cancelling => 0,
        State::Completed => 1,
        State::Failed => 2,
        State::Cancelled => 3,
        State::Panicked => 4,
    }
}

fn decode(code: u8) -> Option<State> {
    match code {
        1 => Some(State::Completed),
        2 => Some(State::Failed),
        3 => Some(State::Cancelled),
        4 => Some(State::Panicked),
        _ => None,
    }
}

/// Run by `cargo xtask loom`.
#[cfg(all(test, ballet_loom))]
mod models {
    use std::sync::Arc;
    use std::task::{Context as Poller, Poll, Wake, Waker};

    use loom::thread;

    use super::*;

    fn node(role: Role, birth: Option<&NodeRef>) -> NodeRef {
        let birth = birth.cloned();
        let place = Location::caller();
        cell::passive(Birth { role, birth, is_inline: role == Role::Scope, values: None, name: None, place })
    }

    /// A scope below a root of its own, for one execution of a model.
    fn scope(root: &NodeRef) -> NodeRef {
        let scope = node(Role::Scope, Some(root));
        scope.enter_inline();
        scope
    }

    fn reason() -> Reason {
        Reason::Requested(Origin::new(crate::context::Path::default(), Location::caller()))
    }

    /// Whether a task was woken.
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Release);
        }
    }

    /// Close against spawn: a child that is taken in is asked to end with the rest, or it is refused.
    #[test]
    fn a_child_is_refused_or_asked_when_its_scope_is_cancelled() {
        loom::model(|| {
            let root = node(Role::Root, None);
            let scope = scope(&root);
            let child = node(Role::Job, Some(&scope));
            let spawner = {
                let (scope, child) = (scope.clone(), child.clone());
                thread::spawn(move || scope.admit(child).is_ok())
            };
            scope.ask(reason());
            scope.ask_children(&reason());
            let is_in = spawner.join().unwrap();
            assert_eq!(is_in, child.asked().is_some());
            if is_in {
                child.end(State::Cancelled);
            }
            scope.end(State::Cancelled);
        });
    }

    /// Close against spawn: a scope that closes because it is childless takes no child afterwards.
    #[test]
    fn a_scope_does_not_close_over_a_child() {
        loom::model(|| {
            let root = node(Role::Root, None);
            let scope = scope(&root);
            let child = node(Role::Job, Some(&scope));
            let spawner = {
                let (scope, child) = (scope.clone(), child.clone());
                thread::spawn(move || scope.admit(child).is_ok())
            };
            let closed = scope.close_if_childless();
            let is_in = spawner.join().unwrap();
            assert_ne!(closed, is_in);
            if is_in {
                child.end(State::Completed);
            }
            scope.end(State::Completed);
        });
    }

    /// Join against completion: the task of a scope that waits for its last child is woken, or sees that it has left.
    #[test]
    fn the_last_child_to_leave_wakes_its_scope() {
        loom::model(|| {
            let root = node(Role::Root, None);
            let scope = scope(&root);
            let child = node(Role::Job, Some(&scope));
            scope.admit(child.clone()).unwrap();
            let leaver = thread::spawn(move || child.end(State::Completed));
            let woken = Arc::new(Woken(AtomicBool::new(false)));
            let waker = Waker::from(Arc::clone(&woken));
            scope.watcher.register(Poller::from_waker(&waker).waker());
            let ready = scope.poll_childless();
            leaver.join().unwrap();
            assert!(ready == Poll::Ready(()) || woken.0.load(Ordering::Acquire));
            assert!(scope.poll_childless().is_ready());
            scope.end(State::Completed);
        });
    }

    /// Adoption against completion: a child of a scope that is given up leaves whichever family it stands in.
    #[test]
    fn a_child_that_ends_while_it_is_handed_on_is_left_in_no_family() {
        loom::model(|| {
            let root = node(Role::Root, None);
            let scope = scope(&root);
            let child = node(Role::Job, Some(&scope));
            scope.admit(child.clone()).unwrap();
            let leaver = thread::spawn(move || child.end(State::Completed));
            scope.end(State::Cancelled);
            leaver.join().unwrap();
            assert!(root.is_childless());
        });
    }

    /// Adoption against completion, of a scope whose owner ends at the same time.
    #[test]
    fn a_scope_that_is_adopted_while_its_owner_ends_is_waited_for_above() {
        loom::model(|| {
            let root = node(Role::Root, None);
            let outer = scope(&root);
            let inner = node(Role::Scope, Some(&outer));
            inner.enter_inline();
            let adopter = {
                let inner = inner.clone();
                thread::spawn(move || inner.adopt())
            };
            outer.end(State::Completed);
            adopter.join().unwrap();
            assert!(!root.is_childless(), "nobody waits for the adopted scope");
            inner.end(State::Cancelled);
            assert!(root.is_childless());
        });
    }
}
