//! The one allocation of a job: its node, the means to run it, its body, and in the end its outcome.
//!
//! ```text
//!  ┌ Node ───────────────────────────────┬ waiter ─┬ home ┬ stage ────────────┬ Particulars ──────┐
//!  │ header · birth · place · reason     │ who     │ who  │ the body, later   │ name · values     │
//!  │ household · links in the family     │ awaits  │ polls│ the outcome       │ span, grace       │
//!  └─────────────────────────────────────┴─────────┴──────┴───────────────────┴─── where any are ─┘
//! ```
//!
//! This file owns the layout and the table of functions that see through it; how a job lives stands in `life`, and
//! what a turn is in `dispatch/guest.rs`, whose invariants are cited here by their numbers. It adds two of its own:
//!
//! 6. A job is born in an [`Owner`] of the same error type, which is there at least until the job has ended and left (see
//!    `node`, 7).
//! 7. The waiter is the claim's as long as `AWAITED` is not set, and whoever ended the job takes it where it was.
#![expect(unsafe_code, reason = "one allocation for a child, seen through a table without its type")]

use std::alloc::Layout;
use std::cell::UnsafeCell;
use std::future::Pending;
use std::marker::PhantomData;
use std::mem::{ManuallyDrop, MaybeUninit, needs_drop, offset_of};
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context as Poller, Poll, Waker, ready};

use atomic_waker::AtomicWaker;

use super::life::{Life, Stage};
use super::node::{Birth, Node, NodeRef, Particulars, Watched};
use super::{Fault, Job, Outcome, Owner, Reason};
use crate::dispatch::guest::{self, Begins, Cell, Header, Ref, Turn, VTable};
use crate::dispatch::{Dispatcher, memory};
use crate::observe::State;
use crate::sync::contain;

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

/// What all jobs begin with, whatever their types.
#[repr(C)]
struct JobHead {
    node: Node,
    /// Who is told of the end.
    waiter: UnsafeCell<Option<Waker>>,
}

/// A job in memory.
#[repr(C)]
struct JobCell<F, T, E, H> {
    head: JobHead,
    home: H,
    stage: UnsafeCell<Stage<F, T, E>>,
}

// SAFETY: `repr(C)`, and the first field is a `JobHead`, which begins with a `Node`, which is a cell.
unsafe impl<F, T, E, H> Cell for JobCell<F, T, E, H> {}
// SAFETY: As above.
unsafe impl<F, T, E, H> Begins<Node> for JobCell<F, T, E, H> {}

/// The layout of a cell with particulars behind it, and where those begin.
const fn wide_layout<C>() -> (Layout, usize) {
    let Ok(wide) = Layout::new::<C>().extend(Layout::new::<Particulars>()) else {
        panic!("a cell too large")
    };
    wide
}

/// Makes a cell in memory, where it stays, and behind it what few cells have.
#[inline]
fn in_memory<C: Begins<Node>>(
    make: impl FnOnce() -> C,
    particulars: Option<impl FnOnce() -> Particulars>,
) -> NonNull<C> {
    let memory = match particulars {
        None => memory::allocate(Layout::new::<C>()).cast::<C>(),
        Some(make) => {
            // Before there is memory: it runs code of the context's keys, which may panic.
            let particulars = make();
            let (layout, tail) = wide_layout::<C>();
            let memory = memory::allocate(layout).cast::<C>();
            // SAFETY: The memory is new, and as large as the layout of both says.
            unsafe { memory.byte_add(tail).cast().write(particulars) };
            memory
        }
    };
    // SAFETY: The memory is new, and of this layout or a larger one.
    unsafe { memory.write(make()) };
    memory
}

/// Drops a cell and frees its memory. What the destructors panic with goes no further: whoever lets go of the last
/// reference is a lane, a queue or the end of a scope, and has more to do.
///
/// # Safety
///
/// `cell` comes from `in_memory` as a `C`, and nobody has a reference.
unsafe fn free<C: Begins<Node>>(cell: NonNull<Header>) {
    // SAFETY: The caller's promise.
    unsafe {
        if cell.cast::<Node>().as_ref().has_particulars() {
            return free_wide::<C>(cell);
        }
        contain(|| cell.cast::<C>().drop_in_place());
        memory::free(cell.cast(), Layout::new::<C>());
    }
}

/// As [`free`], for a cell with particulars behind it.
#[cold]
unsafe fn free_wide<C: Begins<Node>>(cell: NonNull<Header>) {
    let (layout, tail) = wide_layout::<C>();
    // SAFETY: The caller's promise.
    unsafe {
        contain(|| cell.byte_add(tail).cast::<Particulars>().drop_in_place());
        contain(|| cell.cast::<C>().drop_in_place());
        memory::free(cell.cast(), layout);
    }
}

/// A job that has been made and not yet been taken into its family.
pub(super) struct Unborn<F, T, E: Fault, H> {
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
    #[inline]
    pub(super) unsafe fn new(
        birth: Birth,
        particulars: Option<impl FnOnce() -> Particulars>,
        home: H,
        body: F,
    ) -> Self {
        let header = Header::scheduled(JobCell::<F, T, E, H>::TABLE);
        let node = JobCell::settle(header, birth, particulars, home, Stage::Dancing { body });
        // SAFETY: The header counts the turn that is made here.
        let turn = unsafe { Turn::first(&node) };
        Self { turn, claim: Claim::new(node), body: PhantomData }
    }

    /// Takes the job into its owner's family; gives the body back, with the reason, where the owner refuses.
    #[inline]
    pub(super) fn enter(self, owner: &NodeRef) -> Result<(Claim<T, E>, Turn), (F, Reason)> {
        if owner.admit(self.claim.node()) { Ok((self.claim, self.turn)) } else { Err(self.give_back(owner)) }
    }

    /// The body of a job that `owner` has refused, and why it was.
    #[cold]
    fn give_back(self, owner: &NodeRef) -> (F, Reason) {
        let reason = owner.reason_of_refusal();
        self.claim.node().header().end();
        let stage = self.claim.node().as_ptr().cast::<JobCell<F, T, E, H>>();
        let over = Stage::Over { outcome: None, state: State::Cancelled };
        // SAFETY: The cell is of this type, and the turn is here, so by 4 nobody else touches the stage. The body was
        // never polled, so it may move.
        let stage = unsafe { std::mem::replace(&mut *stage.as_ref().stage.get(), over) };
        let Stage::Dancing { body } = stage else { unreachable!("a job is born with its body") };
        (body, reason)
    }
}

/// A job that was refused: it has ended before it began and stands in no family.
pub(super) fn stillborn<T: Send, E: Fault>(
    birth: Birth,
    particulars: Option<impl FnOnce() -> Particulars>,
    outcome: Option<Outcome<T, E>>,
) -> Claim<T, E> {
    let header = Header::ended(JobCell::<Pending<Result<T, E>>, T, E, WithOwner>::TABLE);
    let stage = Stage::Over { outcome, state: State::Cancelled };
    Claim::new(JobCell::<Pending<Result<T, E>>, T, E, WithOwner>::settle(
        header,
        birth,
        particulars,
        WithOwner,
        stage,
    ))
}

/// The right to the outcome of one job. At most one exists for a job.
///
/// Dropped before the outcome was taken, it leaves that to the job, or, where the job has ended, has it seen to.
pub(crate) struct Claim<T, E: Fault> {
    job: ManuallyDrop<Job>,
    taken: bool,
    outcome: PhantomData<Outcome<T, E>>,
}

// It holds no `T`, only the right to one.
impl<T, E: Fault> Unpin for Claim<T, E> {}

impl<T, E: Fault> Claim<T, E> {
    fn new(node: NodeRef) -> Self {
        Self { job: ManuallyDrop::new(Job(node)), taken: false, outcome: PhantomData }
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
        if !self.node().header().has_ended() && !self.wait(cx.waker()) {
            return Poll::Pending;
        }
        Poll::Ready(self.take())
    }

    /// Leaves a waker to be told of the end; returns whether that has come already.
    fn wait(&self, waker: &Waker) -> bool {
        let header = self.node().header();
        if header.note_unawaited() {
            return true;
        }
        // SAFETY: By 7, `AWAITED` is not set and the claim is here.
        let waiter = unsafe { waiter_of(self.node()).as_mut() };
        if !waiter.as_ref().is_some_and(|left| left.will_wake(waker)) {
            *waiter = Some(waker.clone());
        }
        header.note_awaited()
    }

    fn take(&mut self) -> Option<Outcome<T, E>> {
        // SAFETY: The job has ended, as both callers have seen, and has this one claim, made with its own types.
        let outcome = unsafe { take(self.node()) };
        self.taken = outcome.is_some();
        outcome
    }
}

impl<T, E: Fault> Drop for Claim<T, E> {
    fn drop(&mut self) {
        // SAFETY: It is not used again.
        let Job(node) = unsafe { ManuallyDrop::take(&mut self.job) };
        if self.taken {
            return;
        }
        if let Some(node) = node.abandon() {
            // SAFETY: The job has ended, and this was the claim, made with its own types.
            unsafe { owner_of::<E>(&node).unseen(&node, take::<T, E>(&node)) };
        }
    }
}

/// Where the waker of whoever awaits a job lies.
///
/// # Safety
///
/// `job` is a job.
unsafe fn waiter_of(job: &NodeRef) -> NonNull<Option<Waker>> {
    // SAFETY: The caller's promise: the cell begins with a head.
    unsafe { NonNull::new_unchecked(job.as_ptr().cast::<JobHead>().as_ref().waiter.get()) }
}

/// The outcome of a job that has ended.
///
/// # Safety
///
/// The job is one of a `T` and an `E`, has ended, and nobody else asks.
unsafe fn take<T, E: Fault>(node: &NodeRef) -> Option<Outcome<T, E>> {
    let mut outcome = MaybeUninit::<Option<Outcome<T, E>>>::uninit();
    // SAFETY: The caller's promise; the table of such a job writes a value of this type.
    unsafe {
        node.take(NonNull::from(&mut outcome).cast());
        outcome.assume_init()
    }
}

/// The scope that a job was born in.
///
/// # Safety
///
/// `job` is a job with the error type `E`.
unsafe fn owner_of<E: Fault>(job: &NodeRef) -> &Ref<Owner<E>> {
    let Some(owner) = job.birth() else { unreachable!("every job is born in a scope") };
    // SAFETY: By 6.
    unsafe { owner.downcast_ref() }
}

/// A node by itself: a root or a region.
pub(crate) fn passive(birth: Birth, particulars: Option<Particulars>) -> Ref<Watched> {
    const TABLE: &VTable = &passive_table::<Watched>();
    let node = Node::new(Header::passive(TABLE), birth, particulars.is_some());
    let cell = in_memory(|| Watched { node, watcher: AtomicWaker::new() }, particulars.map(|own| || own));
    // SAFETY: One reference is counted and one is made; a node is `Send`; the table frees the cell.
    unsafe { Ref::new(cell) }
}

/// The table of a cell without a body, which begins with a watched node.
const fn passive_table<C: Begins<Node>>() -> VTable {
    VTable {
        poll: |_, _| Poll::Pending,
        abandon: |_| {},
        schedule: |_, _| {},
        // SAFETY: The caller's promise: a cell of a type that this table was made for.
        wake: |cell| unsafe { cell.cast::<Watched>().as_ref() }.watcher.wake(),
        take: |_, _| {},
        free: free::<C>,
        tail: wide_layout::<C>().1,
    }
}

impl<E: Fault> Owner<E> {
    const TABLE: &'static VTable = &passive_table::<Self>();

    /// Puts an owner into memory; `make` gets the node that it has to begin with.
    pub(super) fn settle(
        birth: Birth,
        particulars: Option<Particulars>,
        make: impl FnOnce(Watched) -> Self,
    ) -> Ref<Self> {
        let node = Node::new(Header::passive(Self::TABLE), birth, particulars.is_some());
        let cell =
            in_memory(|| make(Watched { node, watcher: AtomicWaker::new() }), particulars.map(|own| || own));
        // SAFETY: One reference is counted and one is made; an owner is `Send`; the table frees the cell.
        unsafe { Ref::new(cell) }
    }
}

// SAFETY: `repr(C)`, and the first field is a `Watched`, which begins with a `Node`.
unsafe impl<E> Cell for Owner<E> {}
// SAFETY: As above.
unsafe impl<E> Begins<Node> for Owner<E> {}
// SAFETY: As above.
unsafe impl<E> Begins<Watched> for Owner<E> {}

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
        tail: wide_layout::<Self>().1,
    };

    #[inline]
    fn settle(
        header: Header,
        birth: Birth,
        particulars: Option<impl FnOnce() -> Particulars>,
        home: H,
        stage: Stage<F, T, E>,
    ) -> NodeRef {
        const { assert!(offset_of!(Self, head) == 0 && offset_of!(JobHead, node) == 0) };
        let has_particulars = particulars.is_some();
        let make = || {
            let node = Node::new(header, birth, has_particulars);
            let head = JobHead { node, waiter: UnsafeCell::new(None) };
            Self { head, home, stage: UnsafeCell::new(stage) }
        };
        let cell = in_memory(make, particulars);
        // SAFETY: One reference is counted and one is made. The table frees the cell. The body and the value are `Send`
        // by the bounds above, errors by `Fault`.
        unsafe { Ref::new(cell).upcast() }
    }

    /// # Safety
    ///
    /// `node` is the beginning of a cell of this type, and the caller holds its turn, which nobody else uses as long
    /// as the life is looked at.
    unsafe fn life(node: &NodeRef) -> Life<'_, F, T, E> {
        // SAFETY: By 3 and 4 the holder of the turn alone touches manner and stage. The stage is never moved: it lies in
        // memory that is freed as it is.
        unsafe {
            let this = node.as_ptr().cast::<Self>();
            Life {
                node,
                owner: owner_of::<E>(node),
                manner: node.manner().map(|mut manner| manner.as_mut()),
                stage: Pin::new_unchecked(&mut *this.as_ref().stage.get()),
                fell: None,
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

    /// Says that the outcome is there, and leaves the tree. Does not unwind.
    ///
    /// # Safety
    ///
    /// As for [`life`](Self::life); the stage is over.
    #[inline]
    unsafe fn finish(node: &NodeRef, state: State) {
        // SAFETY: The caller's promise: the stage is not moved, and nobody else touches it before the end is seen.
        let stage = unsafe { Pin::new_unchecked(&*node.as_ptr().cast::<Self>().as_ref().stage.get()) };
        // Last of all, it leaves: the scope may return as soon as its last child has.
        if !(stage.is_nothing_left() && node.end_unknown()) {
            // SAFETY: The caller's promise.
            unsafe { Self::finish_in_sight(node, state) };
            node.leave();
        }
    }

    /// As [`finish`](Self::finish), where somebody may have to be told; it does not leave the tree.
    ///
    /// # Safety
    ///
    /// As for `finish`.
    unsafe fn finish_in_sight(node: &NodeRef, state: State) {
        let audience = node.conclude(state);
        if audience.abandoned {
            // SAFETY: The job has ended, and whoever had the claim has given it up. The stage is not moved.
            let stage =
                unsafe { Pin::new_unchecked(&mut *node.as_ptr().cast::<Self>().as_ref().stage.get()) };
            // SAFETY: The job is one of this `E`.
            contain(|| unsafe { owner_of::<E>(node) }.unseen(node, stage.take()));
        }
        if audience.awaited {
            // SAFETY: By 7, since the job has ended here and `AWAITED` was set.
            let waiter = unsafe { waiter_of(node).as_mut() }.take();
            contain(|| waiter.into_iter().for_each(Waker::wake));
        }
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

    /// Most jobs leave nothing behind, so only their memory is freed.
    unsafe fn free(cell: NonNull<Header>) {
        // SAFETY: The caller's promise: nobody else has a reference.
        unsafe {
            if cell.cast::<Self>().as_mut().is_bare() {
                memory::free(cell.cast(), Layout::new::<Self>());
            } else {
                free::<Self>(cell);
            }
        }
    }

    /// Whether the destructor would do nothing.
    #[inline]
    fn is_bare(&mut self) -> bool {
        !needs_drop::<H>()
            && self.head.node.is_bare()
            && self.head.waiter.get_mut().is_none()
            && self.stage.get_mut().is_nothing_left()
    }

    unsafe fn take(cell: NonNull<Header>, place: NonNull<()>) {
        // SAFETY: The caller's promise: after the end the stage belongs to the one who may ask.
        unsafe {
            let stage = Pin::new_unchecked(&mut *cell.cast::<Self>().as_ref().stage.get());
            place.cast::<Option<Outcome<T, E>>>().write(stage.take());
        }
    }
}
