//! The tree: who owns whom.
//!
//! Invariants, cited by number below:
//!
//! 1. A node that has begun and not ended stands in exactly one family: its owner's.
//! 2. A family's `children` are waited for; its `inline` scopes are not, because the owner's own task polls them.
//!    An inline scope whose future is dropped becomes a child: that is adoption.
//! 3. A node that ends hands what is left in its family to the nearest ancestor that has not ended, at last to the
//!    root, which never ends.
//! 4. Locks are taken in this order: a node's `owner`, then one `family` at a time.

use std::collections::BTreeMap;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context as Poller, Poll};

use atomic_waker::AtomicWaker;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::{Origin, Reason, lock};
use crate::context::{Context, Name};
use crate::observe::{Kind, State, Tree};

/// A job, an open scope, or the region of a timeout.
pub(crate) struct Node {
    /// Never given twice in a process; the key in the owner's family.
    id: u64,
    /// The node that waits for this one. `None` for a root and for a region.
    owner: Mutex<Option<Arc<Node>>>,
    /// The node around this one in the same task; for reasons and shields, which follow the stack. `None` for a
    /// job with a task of its own.
    within: Option<Arc<Node>>,
    pub(crate) context: Context,
    pub(crate) place: &'static Location<'static>,
    pub(crate) born: Instant,
    role: Role,
    /// Set by the first `ask`; spares most polls the lock.
    asked: AtomicBool,
    /// Set by the adoption of a scope.
    adopted: AtomicBool,
    /// How many shields are being polled somewhere inside, in the same task.
    shields: AtomicUsize,
    /// The task that polls this node: woken when it is asked to end and when its last child has ended.
    waker: AtomicWaker,
    /// Tells any code that this node has been asked or has lost its last child, whatever polls that code.
    notice: Notify,
    polls: AtomicU64,
    /// Milliseconds from birth to the last poll.
    polled_at: AtomicU64,
    family: Mutex<Family>,
}

/// What decides how a node ends; regions are never in a family.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Root,
    Job,
    Scope,
    Region,
}

#[derive(Default)]
struct Family {
    children: BTreeMap<u64, Arc<Node>>,
    inline: BTreeMap<u64, Arc<Node>>,
    asked: Option<Reason>,
    ended: Option<(State, Instant)>,
    /// No child is taken any more: finalizers run or have run.
    closed: bool,
    /// The number for the next nameless child.
    next_number: u64,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);
static ROOT: LazyLock<Arc<Node>> =
    LazyLock::new(|| Arc::new(Node::new(Role::Root, Context::default(), Location::caller())));

/// The root of the process: owner of what has no nearer one.
pub(crate) fn root() -> &'static Arc<Node> {
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
    fn new(role: Role, context: Context, place: &'static Location<'static>) -> Self {
        Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            owner: Mutex::new(None),
            within: None,
            context,
            place,
            born: Instant::now(),
            role,
            asked: AtomicBool::new(false),
            adopted: AtomicBool::new(false),
            shields: AtomicUsize::new(0),
            waker: AtomicWaker::new(),
            notice: Notify::new(),
            polls: AtomicU64::new(0),
            polled_at: AtomicU64::new(0),
            family: Mutex::default(),
        }
    }

    /// A root of its own, for a test.
    #[cfg(feature = "testing")]
    pub(crate) fn test_root(name: &'static str, place: &'static Location<'static>) -> Arc<Self> {
        let context = Context::default().with_name(Name::Given(name.into()));
        Arc::new(Self::new(Role::Root, context, place))
    }

    /// A scope that the current task polls: inline in the nearest node that can own.
    pub(crate) fn open(context: Context, place: &'static Location<'static>) -> Arc<Self> {
        let within = super::current();
        let owner = within.nearest_owner();
        let node = Arc::new(Self {
            owner: Mutex::new(Some(Arc::clone(&owner))),
            within: Some(within),
            ..Self::new(Role::Scope, context, place)
        });
        lock(&owner.family).inline.insert(node.id, Arc::clone(&node));
        node
    }

    /// A region inside the current node: it can be asked to end and holds shields, and owns nothing.
    pub(crate) fn region(context: Context, place: &'static Location<'static>) -> Arc<Self> {
        Arc::new(Self { within: Some(super::current()), ..Self::new(Role::Region, context, place) })
    }

    /// A job, taken into this node's family; refused with the reason if the node has been asked to end or has ended.
    ///
    /// `within` is the node whose task will poll the job, where it gets no task of its own.
    pub(crate) fn admit(
        self: &Arc<Self>,
        name: Option<Name>,
        place: &'static Location<'static>,
        within: Option<Arc<Node>>,
    ) -> Result<Arc<Self>, Reason> {
        let mut family = lock(&self.family);
        if let Some(reason) = &family.asked {
            return Err(reason.clone());
        }
        if family.closed {
            return Err(Reason::ParentEnded(Origin::new(self.context.path(), self.place)));
        }
        let name = name.unwrap_or_else(|| {
            family.next_number += 1;
            Name::Number(family.next_number)
        });
        let job = Arc::new(Self {
            owner: Mutex::new(Some(Arc::clone(self))),
            within,
            ..Self::new(Role::Job, self.context.with_name(name), place)
        });
        family.children.insert(job.id, Arc::clone(&job));
        Ok(job)
    }

    /// The node of a job that was refused: it has ended before it began and stands in no family.
    pub(crate) fn stillborn(&self, name: Option<Name>, place: &'static Location<'static>) -> Arc<Self> {
        let context = self.context.with_name(name.unwrap_or(Name::Number(0)));
        let job = Self::new(Role::Job, context, place);
        lock(&job.family).ended = Some((State::Cancelled, job.born));
        Arc::new(job)
    }

    pub(crate) fn kind(&self) -> Kind {
        match self.role {
            Role::Root => Kind::Root,
            Role::Job => Kind::Job,
            Role::Scope | Role::Region if !self.adopted.load(Ordering::Relaxed) => Kind::Scope,
            Role::Scope | Role::Region => Kind::Adopted,
        }
    }

    /// Asks this node to end, once: sets the flag and the reason and wakes its task. Children are not asked.
    ///
    /// Returns whether this was the first time.
    pub(crate) fn ask(&self, reason: Reason) -> bool {
        let mut family = lock(&self.family);
        if family.asked.is_some() || family.ended.is_some() {
            return false;
        }
        family.asked = Some(reason);
        self.asked.store(true, Ordering::Release);
        drop(family);
        self.waker.wake();
        self.notice.notify_waiters();
        true
    }

    /// Wakes the task that polls this node.
    pub(crate) fn wake(&self) {
        self.waker.wake();
    }

    /// Asks each child of the family to end.
    pub(crate) fn ask_children(&self, reason: &Reason) {
        let children: Vec<_> = lock(&self.family).children.values().cloned().collect();
        for child in children {
            child.ask(reason.clone());
        }
    }

    /// Why this node was asked to end, if it was.
    pub(crate) fn asked(&self) -> Option<Reason> {
        if !self.asked.load(Ordering::Acquire) {
            return None;
        }
        lock(&self.family).asked.clone()
    }

    /// Waits until this node is asked to end.
    pub(crate) async fn wait_asked(&self) -> Reason {
        loop {
            let notice = self.notice.notified();
            if let Some(reason) = self.asked() {
                return reason;
            }
            notice.await;
        }
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
        std::iter::successors(self.within.as_deref(), |node| node.within.as_deref())
    }

    /// Whether `ancestor` owns this node, at whatever distance.
    pub(crate) fn is_below(self: &Arc<Self>, ancestor: &Arc<Node>) -> bool {
        let mut node = self.nearest_owner();
        loop {
            if Arc::ptr_eq(&node, ancestor) {
                return true;
            }
            let owner = lock(&node.owner).clone();
            match owner {
                Some(owner) => node = owner,
                None => return false,
            }
        }
    }

    /// This node and those around it, as far as the job that this code is part of.
    pub(crate) fn up_to_job(self: &Arc<Self>) -> Vec<Arc<Node>> {
        let mut around = vec![Arc::clone(self)];
        let mut node = self;
        while let (Role::Scope | Role::Region, Some(within)) = (node.role, &node.within) {
            around.push(Arc::clone(within));
            node = within;
        }
        around
    }

    /// The root above this node.
    pub(crate) fn root(self: &Arc<Self>) -> Arc<Node> {
        let mut node = self.nearest_owner();
        loop {
            let owner = lock(&node.owner).clone();
            match owner {
                Some(owner) => node = owner,
                None => return node,
            }
        }
    }

    /// This node, or where it is a region the node that the region is in.
    pub(super) fn nearest_owner(self: &Arc<Self>) -> Arc<Node> {
        let mut node = self;
        while let (Role::Region, Some(within)) = (node.role, &node.within) {
            node = within;
        }
        Arc::clone(node)
    }

    /// Ready when no child is left. Only the task that polls this node may call it.
    pub(crate) fn poll_childless(&self, cx: &Poller<'_>) -> Poll<()> {
        self.waker.register(cx.waker());
        if lock(&self.family).children.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Waits until no child is left. Any number of tasks may call it; roots have no task of their own.
    pub(crate) async fn wait_childless(&self) {
        loop {
            let notice = self.notice.notified();
            if lock(&self.family).children.is_empty() {
                return;
            }
            notice.await;
        }
    }

    fn is_empty(&self) -> bool {
        let family = lock(&self.family);
        family.children.is_empty() && family.inline.is_empty()
    }

    /// Waits until neither a child nor an open scope is left.
    pub(crate) async fn wait_empty(&self) {
        loop {
            let notice = self.notice.notified();
            if self.is_empty() {
                return;
            }
            notice.await;
        }
    }

    /// Asks the scopes to end that foreign tasks have opened here, and their children.
    pub(crate) fn ask_open_scopes(&self, reason: &Reason) {
        let open: Vec<_> = lock(&self.family).inline.values().cloned().collect();
        for scope in open {
            scope.ask(reason.clone());
            scope.ask_children(reason);
        }
    }

    /// Refuses children from now on, if none is left.
    pub(crate) fn close_if_childless(&self) -> bool {
        let mut family = lock(&self.family);
        family.closed |= family.children.is_empty();
        family.closed
    }

    /// Refuses children from now on.
    pub(crate) fn close(&self) {
        lock(&self.family).closed = true;
    }

    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.family).closed
    }

    /// Makes an inline scope a child of the nearest node above that has not ended. See invariant 2.
    pub(crate) fn adopt(self: &Arc<Self>) {
        self.adopted.store(true, Ordering::Relaxed);
        let mut owner = lock(&self.owner);
        if let Some(old) = owner.take() {
            lock(&old.family).inline.remove(&self.id);
            *owner = Some(old.take_over(self, true));
        }
    }

    /// Puts `node` into this family, or the nearest one above that is still open; returns who took it.
    fn take_over(self: &Arc<Self>, node: &Arc<Node>, waited_for: bool) -> Arc<Node> {
        let mut taker = Arc::clone(self);
        loop {
            let mut family = lock(&taker.family);
            if family.ended.is_none() {
                let kin = if waited_for { &mut family.children } else { &mut family.inline };
                kin.insert(node.id, Arc::clone(node));
                drop(family);
                return taker;
            }
            drop(family);
            let above = lock(&taker.owner).clone();
            taker = above.unwrap_or_else(|| Arc::clone(root()));
        }
    }

    /// Ends this node and leaves its owner's family.
    pub(crate) fn end(self: &Arc<Self>, state: State) {
        self.conclude(state);
        self.leave();
    }

    /// Ends this node, which hands on what is left in its family. Its owner goes on waiting for it until it
    /// [leaves](Self::leave). See invariant 3.
    pub(crate) fn conclude(self: &Arc<Self>, state: State) {
        let left = {
            let mut family = lock(&self.family);
            if family.ended.is_some() {
                return;
            }
            family.ended = Some((state, Instant::now()));
            family.closed = true;
            let children = std::mem::take(&mut family.children).into_values().map(|node| (node, true));
            let inline = std::mem::take(&mut family.inline).into_values().map(|node| (node, false));
            children.chain(inline).collect::<Vec<_>>()
        };
        for (node, waited_for) in left {
            let mut owner = lock(&node.owner);
            // One that has ended in the meantime leaves no family any more, so it must enter none; one that was
            // adopted in the meantime stands in another already.
            let is_ours = owner.as_ref().is_some_and(|owner| Arc::ptr_eq(owner, self));
            if is_ours && lock(&node.family).ended.is_none() {
                *owner = Some(self.take_over(&node, waited_for));
            }
        }
    }

    /// Leaves the owner's family, and wakes the owner if this was the last child.
    pub(crate) fn leave(&self) {
        let owner = lock(&self.owner);
        let Some(owner) = owner.as_ref() else { return };
        let mut family = lock(&owner.family);
        family.inline.remove(&self.id);
        let was_last = family.children.remove(&self.id).is_some() && family.children.is_empty();
        let is_empty = family.children.is_empty() && family.inline.is_empty();
        drop(family);
        if was_last {
            owner.waker.wake();
        }
        if was_last || is_empty {
            owner.notice.notify_waiters();
        }
    }

    /// When and how it ended.
    pub(crate) fn ended(&self) -> Option<(State, Instant)> {
        lock(&self.family).ended
    }

    pub(crate) fn state(&self) -> State {
        let family = lock(&self.family);
        match (&family.ended, &family.asked) {
            (Some((state, _)), _) => *state,
            (None, Some(_)) => State::Cancelling,
            (None, None) => State::Running,
        }
    }

    /// Counts a poll by the task that `cx` wakes.
    pub(super) fn note_poll(&self, cx: &Poller<'_>) {
        self.waker.register(cx.waker());
        self.polls.fetch_add(1, Ordering::Relaxed);
        let age = u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.polled_at.store(age, Ordering::Relaxed);
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

    /// This node and all below it, in order of birth.
    pub(crate) fn all(self: &Arc<Self>) -> Vec<Arc<Node>> {
        let mut found = vec![Arc::clone(self)];
        let mut next = 0;
        while let Some(node) = found.get(next).cloned() {
            let family = lock(&node.family);
            found.extend(family.children.values().chain(family.inline.values()).cloned());
            next += 1;
        }
        found
    }

    pub(crate) fn is_job(&self) -> bool {
        self.role == Role::Job
    }

    pub(crate) fn tree(&self) -> Tree {
        let kin: Vec<_> = {
            let family = lock(&self.family);
            let mut kin: Vec<_> = family.children.values().chain(family.inline.values()).cloned().collect();
            kin.sort_by_key(|node| node.id);
            kin
        };
        let age = self.born.elapsed();
        let polls = self.polls.load(Ordering::Relaxed);
        let polled_at = std::time::Duration::from_millis(self.polled_at.load(Ordering::Relaxed));
        Tree {
            path: self.context.path().to_string(),
            kind: self.kind(),
            place: self.place,
            state: self.state(),
            age,
            polls,
            idle: (polls > 0).then(|| age.saturating_sub(polled_at)),
            children: kin.iter().map(|node| node.tree()).collect(),
        }
    }
}
