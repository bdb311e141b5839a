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
//!
//! This file is the node by itself; `family` is what happens between nodes, `snapshot` what can be seen of them.

mod family;
#[cfg(all(test, ballet_loom))]
mod models;
mod snapshot;

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
use super::remark::Remarks;
use super::{Reason, lock};
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
    /// What it says of itself in a snapshot. Its lock is taken alone.
    remarks: Mutex<Remarks>,
    /// Tells any code that this node has been asked or has lost its last child, whatever polls that code.
    notice: Notify,
}

impl Household {
    fn new() -> Box<Self> {
        let (family, moved) = (Mutex::new(Family::default()), Mutex::new(None));
        let remarks = Mutex::new(Remarks::default());
        Box::new(Self { family, moved, remarks, notice: Notify::new() })
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

    pub(super) fn remarks(&self) -> &Mutex<Remarks> {
        &self.household().remarks
    }

    pub(super) fn known_remarks(&self) -> Option<&Mutex<Remarks>> {
        self.known_household().map(|household| &household.remarks)
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
