//! The one allocation of a job: its node, the means to run it, its body, and in the end its outcome.
//!
//! ```text
//!  ┌ Node ──────────────────────────────────┬ home ┬ manner ─────┬ stage ──────────────────┐
//!  │ header · birth · name · place · reason │ who  │ span, grace │ the body, later the     │
//!  │ watcher · family · counts              │ polls│             │ outcome in its place    │
//!  └────────────────────────────────────────┴──────┴─────────────┴─────────────────────────┘
//! ```
//!
//! This file owns the layout and the table of functions that see through it; how a job lives stands in `life`, and
//! what a turn is in `dispatch/guest.rs`, whose invariants 3 and 4 are cited here. It adds one of its own:
//!
//! 5. A job is born in an [`Owner`] of the same error type, and holds a reference to it as long as it exists.
#![expect(unsafe_code, reason = "one allocation for a child, seen through a table without its type")]

use std::cell::UnsafeCell;
use std::future::Pending;
use std::marker::PhantomData;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context as Poller, Poll, ready};

use atomic_waker::AtomicWaker;

use super::life::{Life, Manner, Stage};
use super::node::{Birth, Node, NodeRef};
use super::panic::contain;
use super::{Fault, Job, Outcome, Owner, Reason};
use crate::dispatch::Dispatcher;
use crate::dispatch::guest::{self, Begins, Cell, Header, Ref, Turn, VTable};
use crate::observe::State;

/// Says that a `repr(C)` type begins with its header, by way of its first field.
macro_rules! is_cell {
    ($type:ty) => {
        // SAFETY: `repr(C)`, and the first field is a `Header`.
        #[expect(unsafe_code, reason = "the beginning of a cell")]
        unsafe impl Cell for $type {}
        // SAFETY: As above.
        #[expect(unsafe_code, reason = "the beginning of a cell")]
        unsafe impl crate::dispatch::guest::Begins<Header> for $type {}
    };
}
pub(super) use is_cell;

/// What polls a job, and what wakes it.
pub(crate) trait Home: Send + Sync {
    /// Hands a turn over.
    fn schedule(&self, owner: &Dispatcher, turn: Turn);

    /// Called with the waker of each poll.
    fn note_poller(&self, _cx: &Poller<'_>) {}

    /// The waker to wake instead of scheduling a turn, for a job that is polled by a task of its own.
    fn poller(&self) -> Option<&AtomicWaker> {
        None
    }
}

/// On the dispatcher of its scope.
pub(crate) struct WithOwner;

impl Home for WithOwner {
    fn schedule(&self, owner: &Dispatcher, turn: Turn) {
        owner.schedule(turn);
    }
}

/// On a dispatcher of its own choice.
impl Home for Dispatcher {
    fn schedule(&self, _owner: &Dispatcher, turn: Turn) {
        Dispatcher::schedule(self, turn);
    }
}

/// Inside a task that keeps the turn: one of Tokio's, or that of a local scope.
#[derive(Default)]
pub(crate) struct Carried {
    poller: AtomicWaker,
}

impl Home for Carried {
    fn schedule(&self, _owner: &Dispatcher, turn: Turn) {
        unreachable!("a carried job is never idle: {turn:?}");
    }

    fn note_poller(&self, cx: &Poller<'_>) {
        self.poller.register(cx.waker());
    }

    fn poller(&self) -> Option<&AtomicWaker> {
        Some(&self.poller)
    }
}

/// Takes a node out of the tree when it is dropped.
struct Leaves<'a>(&'a NodeRef);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// A job in memory.
#[repr(C)]
struct JobCell<F, T, E, H> {
    node: Node,
    home: H,
    manner: UnsafeCell<Manner>,
    stage: UnsafeCell<Stage<F, T, E>>,
}

// SAFETY: `repr(C)`, and the first field is a `Node`, which is a cell.
unsafe impl<F, T, E, H> Cell for JobCell<F, T, E, H> {}
// SAFETY: As above.
unsafe impl<F, T, E, H> Begins<Node> for JobCell<F, T, E, H> {}

/// A job that has been made and not yet been taken into its family.
pub(super) struct Unborn<F, T, E: Fault, H> {
    for_family: NodeRef,
    turn: Turn,
    claim: Claim<T, E>,
    body: PhantomData<(F, H)>,
}

impl<F, T, E, H> Unborn<F, T, E, H>
where
    F: Future<Output = Result<T, E>> + Send,
    T: Send,
    E: Fault,
    H: Home,
{
    /// Makes a job of `body`, born in an owner of the same error type.
    ///
    /// # Safety
    ///
    /// The turn and the claim are dropped, or leaked for ever, before what `F` and `T` borrow is gone.
    pub(super) unsafe fn new(birth: Birth, home: H, manner: Manner, body: F) -> Self {
        let header = Header::scheduled(JobCell::<F, T, E, H>::TABLE, 2);
        let node = JobCell::in_memory(header, birth, home, manner, Stage::Dancing { body });
        // SAFETY: The header counts two references and the turn: the one that is there, and those made here.
        let (for_family, turn) = unsafe { (node.again(), Turn::first(&node)) };
        Self { for_family, turn, claim: Claim::new(node), body: PhantomData }
    }

    /// Takes the job into its owner's family; gives the body back, with the reason, where the owner refuses.
    pub(super) fn enter(self, owner: &NodeRef) -> Result<(Claim<T, E>, Turn), (F, Reason)> {
        match owner.admit(self.for_family) {
            Ok(()) => Ok((self.claim, self.turn)),
            Err(reason) => {
                self.claim.node().header().end();
                let stage = self.claim.node().as_ptr().cast::<JobCell<F, T, E, H>>();
                let over = Stage::Over { outcome: None, state: State::Cancelled };
                // SAFETY: The cell is of this type, and the turn is here, so by 4 of `guest` nobody else touches the
                // stage. The body was never polled, so it may move.
                let stage = unsafe { std::mem::replace(&mut *stage.as_ref().stage.get(), over) };
                let Stage::Dancing { body } = stage else { unreachable!("a job is born with its body") };
                Err((body, reason))
            }
        }
    }
}

/// A job that was refused: it has ended before it began and stands in no family.
pub(super) fn stillborn<T: Send, E: Fault>(birth: Birth, outcome: Option<Outcome<T, E>>) -> Claim<T, E> {
    let header = Header::ended(JobCell::<Pending<Result<T, E>>, T, E, WithOwner>::TABLE);
    let stage = Stage::Over { outcome, state: State::Cancelled };
    Claim::new(JobCell::<Pending<Result<T, E>>, T, E, WithOwner>::in_memory(
        header,
        birth,
        WithOwner,
        Manner::default(),
        stage,
    ))
}

/// The right to the outcome of one job. At most one exists for a job.
pub(crate) struct Claim<T, E: Fault> {
    job: Job,
    taken: bool,
    outcome: PhantomData<Outcome<T, E>>,
}

// It holds no `T`, only the right to one.
impl<T, E: Fault> Unpin for Claim<T, E> {}

impl<T, E: Fault> Claim<T, E> {
    fn new(node: NodeRef) -> Self {
        Self { job: Job(node), taken: false, outcome: PhantomData }
    }

    pub(crate) fn job(&self) -> &Job {
        &self.job
    }

    pub(crate) fn node(&self) -> &NodeRef {
        &self.job.0
    }

    /// The scope that the job was born in.
    pub(super) fn owner(&self) -> &Ref<Owner<E>> {
        // SAFETY: Claims are made with jobs of their own `E`.
        unsafe { owner_of(self.node()) }
    }

    /// Gives the outcome, once; `None` where it went to the scope.
    ///
    /// # Panics
    ///
    /// When it has been given.
    pub(super) fn poll_take(&mut self, cx: &Poller<'_>) -> Poll<Option<Outcome<T, E>>> {
        assert!(!self.taken, "`{}` was awaited again after it had given its outcome", self.node().path());
        if !self.node().header().has_ended() {
            self.node().watcher.register(cx.waker());
            if !self.node().header().note_awaited() {
                return Poll::Pending;
            }
        }
        Poll::Ready(self.take())
    }

    /// Gives the outcome up: returns it where the end has come, and leaves it to the job otherwise.
    pub(super) fn abandon(&mut self) -> Option<Outcome<T, E>> {
        let has_ended =
            !self.taken && (self.node().header().has_ended() || self.node().header().note_abandoned());
        if has_ended { self.take() } else { None }
    }

    fn take(&mut self) -> Option<Outcome<T, E>> {
        // SAFETY: The job has ended, as both callers have seen, and has this one claim, made with its own types.
        let outcome = unsafe { take(self.node()) };
        self.taken = outcome.is_some();
        outcome
    }
}

/// The outcome of a job that has ended.
///
/// # Safety
///
/// The job is one of a `T` and an `E`, has ended, and nobody else asks.
unsafe fn take<T, E: Fault>(node: &NodeRef) -> Option<Outcome<T, E>> {
    let mut outcome: Option<Outcome<T, E>> = None;
    // SAFETY: The caller's promise; the table of such a job writes a value of this type.
    unsafe { node.take(NonNull::from(&mut outcome).cast()) };
    outcome
}

/// The scope that a job was born in.
///
/// # Safety
///
/// `job` is a job with the error type `E`.
unsafe fn owner_of<E: Fault>(job: &NodeRef) -> &Ref<Owner<E>> {
    let Some(owner) = job.birth() else { unreachable!("every job is born in a scope") };
    // SAFETY: By 5.
    unsafe { owner.downcast_ref() }
}

/// A node by itself: a root or a region.
pub(crate) fn passive(birth: Birth) -> NodeRef {
    static TABLE: VTable = VTable {
        poll: |_, _| Poll::Pending,
        abandon: |_| {},
        schedule: |_, _| {},
        // SAFETY: The caller's promise: a cell of the type that this table was made for.
        wake: |cell| unsafe { cell.cast::<Node>().as_ref() }.watcher.wake(),
        take: |_, _| {},
        // SAFETY: As above; by 2 of `guest` nobody else has a reference.
        free: |cell| drop(unsafe { Box::from_raw(cell.cast::<Node>().as_ptr()) }),
    };
    let cell = NonNull::from(Box::leak(Box::new(Node::new(Header::passive(&TABLE), birth))));
    // SAFETY: One reference is counted and one is made; a node is `Send`; the table frees the box.
    unsafe { Ref::new(cell) }
}

impl<E: Fault> Owner<E> {
    const TABLE: &'static VTable = &VTable {
        poll: |_, _| Poll::Pending,
        abandon: |_| {},
        schedule: |_, _| {},
        // SAFETY: The caller's promise: a cell of the type that this table was made for.
        wake: |cell| unsafe { cell.cast::<Self>().as_ref() }.node.watcher.wake(),
        take: |_, _| {},
        // SAFETY: As above; by 2 of `guest` nobody else has a reference.
        free: |cell| drop(unsafe { Box::from_raw(cell.cast::<Self>().as_ptr()) }),
    };

    /// Puts an owner into memory; `make` gets the node that it has to begin with.
    pub(super) fn in_memory(birth: Birth, make: impl FnOnce(Node) -> Self) -> Ref<Self> {
        let owner = make(Node::new(Header::passive(Self::TABLE), birth));
        let cell = NonNull::from(Box::leak(Box::new(owner)));
        // SAFETY: One reference is counted and one is made; an owner is `Send`; the table frees the box.
        unsafe { Ref::new(cell) }
    }
}

// SAFETY: `repr(C)`, and the first field is a `Node`.
unsafe impl<E> Cell for Owner<E> {}
// SAFETY: As above.
unsafe impl<E> Begins<Node> for Owner<E> {}

impl<F, T, E, H> JobCell<F, T, E, H>
where
    F: Future<Output = Result<T, E>> + Send,
    T: Send,
    E: Fault,
    H: Home,
{
    const TABLE: &'static VTable = &VTable {
        poll: Self::poll,
        abandon: Self::abandon,
        schedule: Self::schedule,
        wake: Self::wake,
        take: Self::take,
        free: Self::free,
    };

    fn in_memory(header: Header, birth: Birth, home: H, manner: Manner, stage: Stage<F, T, E>) -> NodeRef {
        let node = Node::new(header, birth);
        let cell = Self { node, home, manner: UnsafeCell::new(manner), stage: UnsafeCell::new(stage) };
        // SAFETY: The table frees the box. The body and the value are `Send` by the bounds above, errors by `Fault`.
        unsafe { Ref::new(NonNull::from(Box::leak(Box::new(cell)))).upcast() }
    }

    /// # Safety
    ///
    /// `node` is the beginning of a cell of this type, and the caller holds its turn, which nobody else uses as long
    /// as the life is looked at.
    unsafe fn life(node: &NodeRef) -> Life<'_, F, T, E> {
        // SAFETY: By 3 and 4 of `guest` the holder of the turn alone touches manner and stage. The stage is never
        // moved: it is in a box that is freed as it is.
        unsafe {
            let this = node.as_ptr().cast::<Self>();
            Life {
                node,
                owner: owner_of::<E>(node),
                manner: &mut *this.as_ref().manner.get(),
                stage: Pin::new_unchecked(&mut *this.as_ref().stage.get()),
            }
        }
    }

    unsafe fn poll(cell: NonNull<Header>, cx: &mut Poller<'_>) -> Poll<()> {
        // SAFETY: The caller's promise.
        unsafe {
            cell.cast::<Self>().as_ref().home.note_poller(cx);
            let node = guest::borrow(cell.cast::<Node>());
            let state = ready!(Self::life(&node).poll(cx));
            Self::finish(&node, state);
        }
        Poll::Ready(())
    }

    unsafe fn abandon(cell: NonNull<Header>) {
        // SAFETY: The caller's promise.
        unsafe {
            let node = guest::borrow(cell.cast::<Node>());
            let state = Self::life(&node).abandon();
            Self::finish(&node, state);
        }
    }

    /// Says that the outcome is there, and leaves the tree.
    ///
    /// # Safety
    ///
    /// As for [`life`](Self::life); the stage is over.
    unsafe fn finish(node: &NodeRef, state: State) {
        contain(|| {
            // Last: the scope may return as soon as its last child has left.
            let _leaves = Leaves(node);
            node.conclude(state);
            let audience = node.header().end();
            if audience.abandoned {
                // SAFETY: The job has ended, and whoever had the claim has given it up.
                unsafe { owner_of::<E>(node).unseen(node, take::<T, E>(node)) };
            }
            if audience.awaited {
                node.watcher.wake();
            }
        });
    }

    unsafe fn schedule(cell: NonNull<Header>, turn: Turn) {
        // SAFETY: The caller's promise: the cell, and with it its owner, lives through the call.
        unsafe {
            let node = guest::borrow(cell.cast::<Node>());
            cell.cast::<Self>().as_ref().home.schedule(&owner_of::<E>(&node).dispatcher, turn);
        }
    }

    unsafe fn wake(cell: NonNull<Header>) {
        // SAFETY: The caller's promise.
        match unsafe { cell.cast::<Self>().as_ref() }.home.poller() {
            Some(poller) => poller.wake(),
            // SAFETY: As above.
            None => unsafe { guest::wake_by_ref(cell) },
        }
    }

    unsafe fn take(cell: NonNull<Header>, place: NonNull<()>) {
        // SAFETY: The caller's promise: after the end the stage belongs to the one who may ask.
        unsafe {
            let stage = Pin::new_unchecked(&mut *cell.cast::<Self>().as_ref().stage.get());
            *place.cast::<Option<Outcome<T, E>>>().as_mut() = stage.take();
        }
    }

    unsafe fn free(cell: NonNull<Header>) {
        // SAFETY: By 2 of `guest` nobody else has a reference.
        drop(unsafe { Box::from_raw(cell.cast::<Self>().as_ptr()) });
    }
}
