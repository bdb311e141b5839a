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
//! 5. A node's owner is the node that it was born in, until the node is moved: then `moved` says who it is. `standing`
//!    says in whose family of the two it stands. It changes under the lock of the family that is entered or left; whoever
//!    asks for one of the two holds that family's lock, and for [`Standing::Moved`] the node's `moved`, too.
//! 6. A node leaves its family before its memory is freed: a job's life lasts until the job has left, a scope's frame
//!    ends the scope before it lets go of it. So a family counts no references.
//! 7. A job that its scope has taken in keeps that scope's node by the number of `records` in the family, and by no
//!    reference of its own: until its memory is freed, or until it has left the family and nobody but the holder of its
//!    turn knows it, who does not go back to its birth. All other births are counted references.
//!
//! This file is the node by itself; `birth` is where it comes from, `household` what it has once it owns something, `family`
//! what happens between nodes, `kin` the lists of them, `snapshot` what can be seen of them.
#![expect(unsafe_code, reason = "what few nodes have lies behind the cell that the node begins")]

mod birth;
mod family;
mod household;
mod kin;
#[cfg(all(test, ballet_loom))]
mod models;
mod snapshot;

use std::cell::UnsafeCell;
use std::mem::ManuallyDrop;
use std::panic::Location;
use std::ptr::NonNull;
use std::sync::LazyLock;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use atomic_waker::AtomicWaker;
use tokio::time::Instant;

pub(super) use self::birth::Birth;
use self::birth::Keeping;
use self::household::Household;
use self::kin::Links;
use super::asked::Asked;
use super::{Manner, Reason};
use crate::context::{Name, Values};
use crate::dispatch::guest::{Begins, Cell, Header, Ref};
use crate::dispatch::{Lapse, Moment, now, when_closed};
use crate::observe::{Kind, State, Tree};
use crate::sync::{AtomicU8, AtomicU32, OnceBox, Ordering, contain, fence};

/// A job, an open scope, or the region of a timeout.
///
/// The beginning of the one allocation that is a job: what follows is the job's body. See [`cell`](super::cell).
#[repr(C)]
pub(crate) struct Node {
    header: Header,
    /// Where this node was born: the scope of a job; what a scope or a region was opened in. `None` for a root.
    birth: Option<ManuallyDrop<NodeRef>>,
    pub(crate) place: &'static Location<'static>,
    pub(crate) born: Moment,
    /// Why it was asked to end, once it was.
    asked: Asked,
    /// What few jobs need and every scope.
    household: OnceBox<Household>,
    /// The neighbours in the owner's family; guarded by that family's lock.
    links: Links,
    polls: AtomicU32,
    /// The [`Lapse`] from birth to the last poll, or to the end.
    lapse: AtomicU32,
    /// The number of a job without a name, from 1.
    number: AtomicU32,
    /// How many shields are being polled somewhere inside, in the same task.
    shields: AtomicU32,
    role: Role,
    /// The task that polls `birth` polls this node too.
    is_inline: bool,
    inherits_values: bool,
    /// Whether it has [`Particulars`].
    has_particulars: bool,
    /// How `birth` is kept, as [`Keeping`] writes it.
    keeping: AtomicU8,
    /// In whose family it stands, as [`Standing`] writes it; written under the lock of the family that is left or
    /// entered.
    standing: AtomicU8,
    /// Set by the adoption of a scope, while it stands in no family.
    adopted: AtomicBool,
    /// How it ended, as [`code`] writes it.
    ended: AtomicU8,
}

/// A counted reference to a node.
pub(crate) type NodeRef = Ref<Node>;

// SAFETY: `repr(C)`, and the first field is a `Header`.
unsafe impl Cell for Node {}
// SAFETY: As above.
unsafe impl Begins<Header> for Node {}

/// A node that is not a job, with the task that polls it.
#[repr(C)]
pub(crate) struct Watched {
    pub(super) node: Node,
    pub(super) watcher: AtomicWaker,
}

// SAFETY: `repr(C)`, and the first field is a `Node`, which is a cell.
unsafe impl Cell for Watched {}
// SAFETY: As above.
unsafe impl Begins<Node> for Watched {}

/// What some nodes have beside what all have. It lies behind the cell, in the same allocation.
pub(crate) struct Particulars {
    name: Option<Name>,
    /// The values of the node's context, unless it inherits those of its birth.
    values: Values,
    /// Touched by the holder of the turn alone.
    manner: UnsafeCell<Option<Manner>>,
}

/// In whose family a node stands.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Standing {
    Nowhere,
    /// In that of the nearest owner above where it was born.
    AtBirth,
    /// In that of the owner that it was moved to.
    Moved,
}

/// What decides how a node ends; regions are never in a family.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Root,
    Job,
    Scope,
    Region,
}

impl Particulars {
    pub(super) fn new(name: Option<Name>, values: Values, manner: Option<Manner>) -> Self {
        Self { name, values, manner: UnsafeCell::new(manner) }
    }

    /// What a node has that is not a job.
    fn passive(name: Option<Name>, values: Values) -> Option<Self> {
        let is_plain = name.is_none() && values.is_empty();
        (!is_plain).then(|| Self::new(name, values, None))
    }
}

static ROOT: LazyLock<Ref<Watched>> = LazyLock::new(|| {
    when_closed(|| root().all().iter().for_each(NodeRef::wake));
    Node::root_of(None, Values::default(), Location::caller())
});

/// The root of the process: owner of what has no nearer one.
pub(crate) fn root() -> &'static NodeRef {
    ROOT.node()
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
    #[inline]
    pub(super) fn new(header: Header, birth: Birth, has_particulars: bool) -> Self {
        let keeping = if birth.is_borrowed { Keeping::Borrowed } else { Keeping::Counted };
        Self {
            header,
            birth: birth.birth,
            place: birth.place,
            born: now(),
            asked: Asked::new(),
            household: OnceBox::new(),
            links: Links::default(),
            polls: AtomicU32::new(0),
            lapse: AtomicU32::new(0),
            number: AtomicU32::new(0),
            shields: AtomicU32::new(0),
            role: birth.role,
            is_inline: birth.is_inline,
            inherits_values: birth.inherits_values,
            has_particulars,
            keeping: AtomicU8::new(keeping as u8),
            standing: AtomicU8::new(Standing::Nowhere as u8),
            adopted: AtomicBool::new(false),
            ended: AtomicU8::new(0),
        }
    }

    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    /// Whether something lies behind the cell; see [`Particulars`].
    pub(super) fn has_particulars(&self) -> bool {
        self.has_particulars
    }

    /// Whether its destructor would do nothing: whatever a node may own is asked for here.
    #[inline]
    pub(super) fn is_bare(&self) -> bool {
        debug_assert!(self.stands(Standing::Nowhere), "it is freed in a family");
        let has_birth = self.keeping.load(Ordering::Relaxed) != Keeping::Borrowed as u8;
        !has_birth && !self.has_particulars && !self.is_asked() && self.household.get().is_none()
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

    /// Stands among the children of its owner's family, or would, and not among the inline scopes.
    #[inline]
    fn is_waited_for(&self) -> bool {
        self.is_job() || self.adopted.load(Ordering::Relaxed)
    }

    #[inline]
    fn stands(&self, standing: Standing) -> bool {
        self.standing.load(Ordering::Relaxed) == standing as u8
    }

    /// Why this node was asked to end, if it was.
    pub(crate) fn asked(&self) -> Option<Reason> {
        self.asked.get()
    }

    pub(crate) fn is_asked(&self) -> bool {
        self.asked.is_set()
    }

    /// Whether to stop polling the body now: asked, and nothing inside is shielded.
    #[inline]
    pub(crate) fn is_to_be_cut(&self) -> bool {
        if !self.is_asked() {
            return false;
        }
        // With the fence in `unshield`: this finds the shield gone, or whoever ends that finds the node asked.
        fence(Ordering::SeqCst);
        self.shields.load(Ordering::Relaxed) == 0
    }

    /// Why whatever runs inside this node is being dropped: the nearest reason on the stack of nodes.
    pub(crate) fn surrounding_reason(&self) -> Option<Reason> {
        std::iter::successors(self.within(), |node| node.within())
            .find_map(|node| node.asked())
            .map(Reason::inherited)
    }

    /// The node around this one in the same task; for reasons and shields, which follow the stack.
    fn within(&self) -> Option<&NodeRef> {
        self.birth().filter(|_| self.is_inline)
    }

    /// When and how it ended.
    pub(crate) fn ended(&self) -> Option<(State, Instant)> {
        let state = decode(self.ended.load(Ordering::Acquire))?;
        Some((state, self.born.to_instant() + self.moment()))
    }

    #[inline]
    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire) != 0
    }

    #[inline]
    fn set_ended(&self, state: State) {
        self.note_lapse();
        self.ended.store(code(state), Ordering::Release);
    }

    pub(crate) fn state(&self) -> State {
        match self.ended() {
            Some((state, _)) => state,
            None if self.is_asked() => State::Cancelling,
            None => State::Running,
        }
    }

    /// Counts a poll. Only the task that polls this node calls it, so nothing is lost between load and store.
    #[inline]
    pub(super) fn note_poll(&self) {
        self.polls.store(self.polls.load(Ordering::Relaxed).saturating_add(1), Ordering::Relaxed);
        self.note_lapse();
    }

    #[inline]
    fn note_lapse(&self) {
        self.lapse.store(now().lapse_since(self.born).to_bits(), Ordering::Relaxed);
    }

    /// From birth to the last poll, or to the end.
    fn moment(&self) -> Duration {
        Lapse::from_bits(self.lapse.load(Ordering::Relaxed)).to_duration()
    }
}

/// Shields hold off the cut of a node and of those around it in the same task.
impl NodeRef {
    /// This node and those around it in the same task, innermost first.
    fn stack(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |node| node.within())
    }

    /// One shield more.
    pub(super) fn shield(&self) {
        for node in self.stack() {
            node.shields.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// One shield less. Who was asked to end meanwhile has used up the wake that said so, and may be polled by another
    /// task than the one that polls the shield; so it is woken again.
    pub(super) fn unshield(&self) {
        for node in self.stack() {
            node.shields.fetch_sub(1, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            if node.is_to_be_cut() {
                contain(|| node.wake());
            }
        }
    }
}

impl Ref<Watched> {
    pub(crate) fn node(&self) -> &NodeRef {
        self.upcast_ref()
    }
}

/// What a node has behind its cell, which only a reference to the whole cell can reach.
impl NodeRef {
    fn particulars(&self) -> Option<&Particulars> {
        // SAFETY: It is there, as the flag says, and immutable but for the manner, which is in a cell of its own. It
        // lies where the header says and lives as long as the node, which this reference keeps. The reference's pointer
        // is one to the whole allocation.
        self.has_particulars.then(|| unsafe { self.as_ptr().byte_add(self.header.tail()).cast().as_ref() })
    }

    /// Where the manner of a job lies, if it has any; for the holder of its turn.
    pub(super) fn manner(&self) -> Option<NonNull<Option<Manner>>> {
        self.particulars().and_then(|particulars| NonNull::new(particulars.manner.get()))
    }

    fn own_values(&self) -> Values {
        self.particulars().map(|particulars| particulars.values.clone()).unwrap_or_default()
    }

    /// The values of the node's context.
    pub(crate) fn values(&self) -> Values {
        match self.birth() {
            // A job that adds nothing; scopes and regions have values of their own, so this goes one step up.
            Some(birth) if self.inherits_values => birth.values(),
            _ => self.own_values(),
        }
    }

    /// Whether a job that is born here has values of its own.
    pub(super) fn changes_values(&self) -> bool {
        self.particulars().is_some_and(|particulars| particulars.values.differ_in_children())
    }

    /// What a job that is born here has of its own; `None` where that is what this node has.
    pub(super) fn values_for_child(&self) -> Option<Values> {
        self.particulars()?.values.for_child()
    }

    /// A segment of the path: the node's name, or the number of a job that has none.
    pub(super) fn segment(&self) -> Option<Name> {
        let number = || Name::Number(self.number.load(Ordering::Relaxed).into());
        self.name().cloned().or_else(|| (self.role == Role::Job).then(number))
    }

    fn name(&self) -> Option<&Name> {
        self.particulars()?.name.as_ref()
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
