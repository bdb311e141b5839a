//! A guest: one allocation that holds a body to be polled, and the counted references to it.
//!
//! This file owns the state word, the references and the wakers of every cell; it refuses to know what a cell is
//! for. What follows the [`Header`] in memory is the business of whoever built the [`VTable`]. Read the README of
//! this folder first: it draws the states and names the transitions that are cited here.
//!
//! Invariants, cited by number below:
//!
//! 1. A cell begins with its `Header`, in memory laid out by `repr(C)`; its `VTable` was made for its real type.
//! 2. The count of references in the state word is the number of [`Ref`]s and wakers, and one more for the *life* of
//!    a cell with a body. The cell is freed by whoever gives the last up.
//! 3. At most one [`Turn`] exists for a cell. It exists from the birth of the cell, or from the step that set `HELD` on
//!    an idle cell, to the step that clears `HELD`, or to the end.
//! 4. Only the holder of the `Turn` touches the body, until `ENDED` is set. After that nobody polls.
//! 5. The life lasts until the turn in which the cell ended is dropped; so a turn needs no reference of its own, and a
//!    cell that is idle and that nobody knows is still there for its family.
#![expect(unsafe_code, reason = "the one allocation of a child: counted by hand, and seen through a table")]

#[cfg(all(test, ballet_loom))]
mod models;

use std::fmt;
use std::marker::PhantomData;
use std::mem::{self, ManuallyDrop};
use std::ops::Deref;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context as Poller, Poll, RawWaker, RawWakerVTable, Waker};

use super::clock::look_at_clock;
use crate::sync::{AtomicUsize, Ordering, fence};

/// Somebody has woken the body since the turn was made or its last poll began. Set by a waker that finds a turn, or the
/// end; cleared when a poll begins.
const WOKEN: usize = 1;
/// The turn is in a queue or in somebody's hands. Set at birth and by the waker that makes the turn; cleared when a
/// poll ends that nobody woke meanwhile, unless that poll was the last.
const HELD: usize = 1 << 1;
/// The outcome is in the cell and the body is not. Set once, by the holder of the turn.
const ENDED: usize = 1 << 2;
/// Somebody has left a waker to be told of the end. Set by whoever awaits, before it looks again.
const AWAITED: usize = 1 << 3;
/// Nobody will ever ask for the outcome. Set once, by whoever could have asked.
const ABANDONED: usize = 1 << 4;
/// Something has been built that has to be taken apart at the end. Set before it is used; never together with the
/// end unseen, because both are steps of this word.
const HOUSED: usize = 1 << 5;
/// One reference.
const REFERENCE: usize = 1 << 6;

/// What every cell begins with.
pub(crate) struct Header {
    state: AtomicUsize,
    table: &'static VTable,
}

/// What is known of a cell's real type. Every function wants a pointer to a cell of the type it was made for.
pub(crate) struct VTable {
    /// Polls the body, and does not unwind. Only for the holder of the turn.
    pub(crate) poll: unsafe fn(NonNull<Header>, &mut Poller<'_>) -> Poll<()>,
    /// Drops the body before its end, and does not unwind. Only for the holder of the turn.
    pub(crate) abandon: unsafe fn(NonNull<Header>),
    /// Hands a turn to whatever runs the cell, which lives through the call without the turn.
    pub(crate) schedule: unsafe fn(NonNull<Header>, Turn),
    /// Wakes whoever polls the body.
    pub(crate) wake: unsafe fn(NonNull<Header>),
    /// Moves the outcome to where the second pointer says, which is of the type that the cell was made with. Only
    /// for the one who may ask, after the end.
    pub(crate) take: unsafe fn(NonNull<Header>, NonNull<()>),
    /// Frees the memory. Only for the holder of the last reference.
    pub(crate) free: unsafe fn(NonNull<Header>),
    /// Bytes from the beginning of the cell to what some cells have behind them.
    pub(crate) tail: usize,
}

impl fmt::Debug for VTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VTable")
    }
}

impl Header {
    /// The header of a cell that has one reference and is never polled.
    pub(crate) fn passive(table: &'static VTable) -> Self {
        Self { state: AtomicUsize::new(REFERENCE), table }
    }

    /// The header of a cell with a body: one reference, its life, and the turn that comes with it.
    #[inline]
    pub(crate) fn scheduled(table: &'static VTable) -> Self {
        Self { state: AtomicUsize::new(HELD | (2 * REFERENCE)), table }
    }

    /// The header of a cell that has ended before it began, with one reference.
    pub(crate) fn ended(table: &'static VTable) -> Self {
        Self { state: AtomicUsize::new(ENDED | REFERENCE), table }
    }

    /// Says that the outcome is in the cell. Only for the holder of the turn.
    #[inline]
    pub(crate) fn end(&self) -> Audience {
        let before = self.state.fetch_or(ENDED, Ordering::AcqRel);
        Audience {
            awaited: before & AWAITED != 0,
            abandoned: before & ABANDONED != 0,
            housed: before & HOUSED != 0,
        }
    }

    /// Whether nobody has a reference but the life of the cell, nobody has left a waker, and the end has nothing to look
    /// after. It stays so as long as nobody can come by a reference.
    #[inline]
    pub(crate) fn is_unknown(&self) -> bool {
        self.state.load(Ordering::Acquire) & (AWAITED | HOUSED | ENDED | !(REFERENCE - 1)) == REFERENCE
    }

    /// As [`end`](Self::end), for a cell that [is unknown](Self::is_unknown) and stays so meanwhile: nobody else writes.
    #[inline]
    pub(crate) fn end_unknown(&self) {
        self.state.store(self.state.load(Ordering::Relaxed) | ENDED, Ordering::Release);
    }

    #[inline]
    pub(crate) fn has_ended(&self) -> bool {
        self.state.load(Ordering::Acquire) & ENDED != 0
    }

    /// Says that a waker has been left; returns whether the end has come already.
    pub(crate) fn note_awaited(&self) -> bool {
        self.state.fetch_or(AWAITED, Ordering::AcqRel) & ENDED != 0
    }

    /// Takes back that a waker has been left, so that another can be left; returns whether the end has come already.
    pub(crate) fn note_unawaited(&self) -> bool {
        let before = self.state.load(Ordering::Acquire);
        before & ENDED != 0
            || before & AWAITED != 0 && self.state.fetch_and(!AWAITED, Ordering::AcqRel) & ENDED != 0
    }

    /// Says that something has been built that the end has to look after. Whoever calls it sees an end that came
    /// before, and an end that comes after is told.
    #[inline]
    pub(crate) fn note_housed(&self) {
        if self.state.load(Ordering::Acquire) & HOUSED == 0 {
            self.state.fetch_or(HOUSED, Ordering::AcqRel);
        }
    }

    /// Whether nobody has a reference but the life of the cell.
    #[inline]
    pub(crate) fn is_alone(&self) -> bool {
        self.state.load(Ordering::Acquire) < 2 * REFERENCE
    }

    /// Reads the pointer to what lies `tail` bytes behind the beginning.
    pub(crate) fn tail(&self) -> usize {
        self.table.tail
    }
}

/// Who wants to know of an end.
pub(crate) struct Audience {
    pub(crate) awaited: bool,
    pub(crate) abandoned: bool,
    pub(crate) housed: bool,
}

/// A type whose memory begins with a [`Header`].
///
/// # Safety
///
/// The type is `repr(C)`, and its first field is a `Header` or another `Cell`.
pub(crate) unsafe trait Cell {}

// SAFETY: It is the header.
unsafe impl Cell for Header {}

/// A counted reference to a cell, as thin as a pointer.
#[repr(transparent)]
pub(crate) struct Ref<C: Cell> {
    /// Points to a whole cell, of which `C` may be only the beginning.
    cell: NonNull<C>,
    owns: PhantomData<C>,
}

// SAFETY: As `Arc`: a `Ref` gives `&C` on any thread, and the last one drops the cell wherever it is. What follows
// `C` in memory is either `Send`, which whoever made the cell promised in `Ref::new`, or gone by then.
unsafe impl<C: Cell + Send + Sync> Send for Ref<C> {}
// SAFETY: As above.
unsafe impl<C: Cell + Send + Sync> Sync for Ref<C> {}

impl<C: Cell> Ref<C> {
    /// Takes over the one reference of a new cell, which its header counts already.
    ///
    /// # Safety
    ///
    /// `cell` is a whole cell that its table frees, and this is called once for it. What the cell holds may be sent to
    /// other threads.
    pub(crate) unsafe fn new(cell: NonNull<C>) -> Self {
        Self { cell, owns: PhantomData }
    }

    /// Gives up the claim to the outcome together with this reference, in one step; gives the reference back where
    /// the end has come already, and with it the outcome to look at.
    #[inline]
    pub(crate) fn abandon(self) -> Option<Self> {
        let this = ManuallyDrop::new(self);
        let state = &this.header().state;
        let abandoned = state.fetch_update(Ordering::AcqRel, Ordering::Acquire, |state| {
            // What has not ended has its life, so this is not the last reference.
            (state & ENDED == 0).then_some((state | ABANDONED) - REFERENCE)
        });
        if abandoned.is_ok() { None } else { Some(ManuallyDrop::into_inner(this)) }
    }

    /// The same reference, to a beginning of the same cell.
    pub(crate) fn upcast<D: Cell>(self) -> Ref<D>
    where
        C: Begins<D>,
    {
        let this = ManuallyDrop::new(self);
        Ref { cell: this.cell.cast(), owns: PhantomData }
    }

    /// This reference, seen as one to a beginning of the same cell.
    pub(crate) fn upcast_ref<D: Cell>(&self) -> &Ref<D>
    where
        C: Begins<D>,
    {
        // SAFETY: A `Ref` is nothing but its pointer, and a cell that begins with a `C` begins with a `D`.
        unsafe { &*std::ptr::from_ref(self).cast() }
    }

    /// This reference, seen as one to more of the same cell.
    ///
    /// # Safety
    ///
    /// The cell was made as a `D`, or as something that begins with one.
    pub(crate) unsafe fn downcast_ref<D: Begins<C>>(&self) -> &Ref<D> {
        // SAFETY: A `Ref` is nothing but its pointer; the rest is the caller's promise.
        unsafe { &*std::ptr::from_ref(self).cast() }
    }

    pub(crate) fn as_ptr(&self) -> NonNull<C> {
        self.cell
    }

    /// A reference from a pointer that some other `Ref` gave away.
    ///
    /// # Safety
    ///
    /// `cell` comes from [`as_ptr`](Self::as_ptr) of a `Ref` that is alive.
    #[inline]
    pub(crate) unsafe fn from_ptr(cell: NonNull<C>) -> Self {
        let borrowed = ManuallyDrop::new(Self { cell, owns: PhantomData });
        Self::clone(&borrowed)
    }

    /// The cell itself, where this is the last reference.
    pub(crate) fn get_mut(&mut self) -> Option<&mut C> {
        if self.header().state.load(Ordering::Acquire) >= 2 * REFERENCE {
            return None;
        }
        // SAFETY: By 2 nobody else has a reference or can come by one; the load sees what the others did last.
        Some(unsafe { self.cell.as_mut() })
    }

    pub(crate) fn ptr_eq(&self, other: &Self) -> bool {
        self.cell == other.cell
    }

    fn header_ptr(&self) -> NonNull<Header> {
        self.cell.cast()
    }

    #[inline]
    fn header(&self) -> &Header {
        // SAFETY: By 1 the cell begins with a header, and by 2 it lives as long as this reference does.
        unsafe { self.header_ptr().as_ref() }
    }

    /// Wakes whoever polls the body.
    pub(crate) fn wake(&self) {
        // SAFETY: By 1 the table was made for this cell.
        unsafe { (self.header().table.wake)(self.header_ptr()) }
    }

    /// Moves the outcome to `place`.
    ///
    /// # Safety
    ///
    /// The cell has ended, nobody else asks for its outcome, and `place` may be written with what the cell's table
    /// says it writes.
    pub(crate) unsafe fn take(&self, place: NonNull<()>) {
        // SAFETY: By 1 the table was made for this cell; the rest is the caller's promise.
        unsafe { (self.header().table.take)(self.header_ptr(), place) }
    }
}

/// A reference that counts nothing, for the time in which `cell` is alive by others.
///
/// # Safety
///
/// `cell` comes from [`Ref::as_ptr`], and lives as long as the result is used.
pub(crate) unsafe fn borrow<C: Cell>(cell: NonNull<C>) -> ManuallyDrop<Ref<C>> {
    ManuallyDrop::new(Ref { cell, owns: PhantomData })
}

/// A cell whose memory begins with a `D`.
///
/// # Safety
///
/// The type is `repr(C)` and its first field is a `D`, or it is generic over nothing but the rest.
pub(crate) unsafe trait Begins<D: Cell>: Cell {}

impl<C: Cell> Clone for Ref<C> {
    #[inline]
    fn clone(&self) -> Self {
        let before = self.header().state.fetch_add(REFERENCE, Ordering::Relaxed);
        // As in `Arc`: a count that overflows is a leak in a loop, and going on would free a cell that is in use.
        if before > usize::MAX / 2 {
            std::process::abort();
        }
        Self { cell: self.cell, owns: PhantomData }
    }
}

impl<C: Cell> Deref for Ref<C> {
    type Target = C;

    fn deref(&self) -> &C {
        // SAFETY: By 2 the cell lives as long as this reference does; `C` gives out no `&mut`.
        unsafe { self.cell.as_ref() }
    }
}

impl<C: Cell> Drop for Ref<C> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: This reference is not used again.
        unsafe { release(self.header_ptr()) }
    }
}

impl<C: Cell + fmt::Debug> fmt::Debug for Ref<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        C::fmt(self, f)
    }
}

/// Gives up one reference and frees the cell if it was the last.
///
/// # Safety
///
/// The caller owns one reference and forgets it.
#[inline]
unsafe fn release(cell: NonNull<Header>) {
    // SAFETY: By 2 the cell lives at least until the caller's reference is given up here.
    let header = unsafe { cell.as_ref() };
    // Nobody can come by a reference to a cell that only the caller knows, so the last one needs no step of its own.
    if !header.is_alone() && header.state.fetch_sub(REFERENCE, Ordering::Release) >= 2 * REFERENCE {
        return;
    }
    fence(Ordering::Acquire);
    // SAFETY: By 2 nobody else has a reference; the fence makes their last accesses happen before this.
    unsafe { (header.table.free)(cell) }
}

/// The right to poll a cell's body; see invariants 3 to 5. Dropping it ends the body, unless it has ended, and with
/// it the life.
pub(crate) struct Turn {
    cell: NonNull<Header>,
}

// SAFETY: What a turn gives access to is `Send`, as whoever made the cell promised in `Ref::new`, and by 3 there is
// one turn, so that no two threads have access at a time.
unsafe impl Send for Turn {}
// SAFETY: A shared turn gives access to nothing; `poll` is the business of the one task that carries it.
unsafe impl Sync for Turn {}

/// What became of a turn.
pub(crate) enum Ran {
    /// The body was woken while it was polled, and wants another turn.
    Again(Turn),
    /// The body waits to be woken, or has ended.
    Done,
}

impl Turn {
    /// The turn that a cell of [`Header::scheduled`] is born with.
    ///
    /// # Safety
    ///
    /// Called once for each such cell.
    #[inline]
    pub(crate) unsafe fn first<C: Cell>(cell: &Ref<C>) -> Self {
        Self { cell: cell.header_ptr() }
    }

    /// Polls the body once, with the cell's own waker.
    #[inline]
    pub(crate) fn run(self) -> Ran {
        self.begin();
        let this = ManuallyDrop::new(self);
        let waker = this.borrowed_waker();
        let mut cx = Poller::from_waker(&waker);
        if this.poll(&mut cx).is_ready() {
            // `ENDED` is set, so that no waker makes another turn.
            drop(ManuallyDrop::into_inner(this));
            return Ran::Done;
        }
        Self::rest(this)
    }

    /// Polls the body once, with the waker of a task that carries the cell; the turn stays.
    #[inline]
    pub(crate) fn poll(&self, cx: &mut Poller<'_>) -> Poll<()> {
        // SAFETY: By 1 the table was made for this cell, and by 3 this is the only turn.
        unsafe { (self.header().table.poll)(self.cell, cx) }
    }

    /// Hands the turn to whatever runs the cell; `keeper` is a reference to the same cell.
    #[inline]
    pub(crate) fn schedule<C: Cell>(self, keeper: &Ref<C>) {
        debug_assert!(self.cell == keeper.header_ptr(), "the keeper keeps another cell");
        // SAFETY: By 1 the table was made for this cell, and the keeper keeps it alive through the call.
        unsafe { (keeper.header().table.schedule)(keeper.header_ptr(), self) }
    }

    /// The transition `begin`: takes note of the wakes so far, in one step that sees what the wakers wrote. Where
    /// nobody has woken the body since the turn was made it needs none: what the maker wrote came with the turn. A wake
    /// that this does not see yet, `rest` will.
    #[inline]
    fn begin(&self) {
        let state = &self.header().state;
        if state.load(Ordering::Relaxed) & WOKEN != 0 {
            state.fetch_and(!WOKEN, Ordering::AcqRel);
        }
    }

    /// The transition `rest`: from HELD to idle, unless it was woken meanwhile.
    #[inline]
    fn rest(this: ManuallyDrop<Self>) -> Ran {
        let state = &this.header().state;
        let rested = state.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |state| {
            (state & WOKEN == 0).then_some(state & !HELD)
        });
        if rested.is_ok() { Ran::Done } else { Ran::Again(ManuallyDrop::into_inner(this)) }
    }

    fn header(&self) -> &Header {
        // SAFETY: By 1 the cell begins with a header, and by 5 it lives as long as the turn does.
        unsafe { self.cell.as_ref() }
    }

    /// A waker that borrows the life.
    #[inline]
    fn borrowed_waker(&self) -> ManuallyDrop<Waker> {
        let data = self.cell.as_ptr().cast_const().cast();
        // SAFETY: The functions of `WAKER` keep the contract of `RawWaker`; not dropping this one leaves the count
        // as it was, and it does not outlive the poll, through which the cell has its life.
        ManuallyDrop::new(unsafe { Waker::from_raw(RawWaker::new(data, &WAKER)) })
    }
}

impl Drop for Turn {
    #[inline]
    fn drop(&mut self) {
        if !self.header().has_ended() {
            // SAFETY: By 1 the table was made for this cell, and by 3 this is the only turn.
            unsafe { (self.header().table.abandon)(self.cell) }
        }
        // SAFETY: By 5 the life ends with this turn.
        unsafe { release(self.cell) }
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Turn")
    }
}

/// Polls a guest inside a task of its own, which keeps the turn.
#[derive(Debug)]
pub(crate) struct Carrier(pub(crate) Turn);

impl Future for Carrier {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<()> {
        let _looked = look_at_clock();
        self.0.poll(cx)
    }
}

/// The transition `wake`: an idle cell becomes HELD, and the step that did it makes the turn.
///
/// # Safety
///
/// `cell` points to a cell that lives through the call.
#[inline]
pub(crate) unsafe fn wake_by_ref(cell: NonNull<Header>) {
    // SAFETY: The caller's promise.
    let keeper = unsafe { borrow(cell) };
    if note_woken(keeper.header()) {
        Turn { cell }.schedule(&*keeper);
    }
}

/// Sets `HELD` on an idle cell, and `WOKEN` on any other; returns whether it was idle, so that the caller has to make
/// the turn.
///
/// Always a step that writes: a poll that begins after it sees what the waker's thread wrote before.
#[inline]
fn note_woken(header: &Header) -> bool {
    let is_idle = |state| state & (HELD | ENDED) == 0;
    let before = header.state.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |state| {
        Some(state | if is_idle(state) { HELD } else { WOKEN })
    });
    before.is_ok_and(is_idle)
}

static WAKER: RawWakerVTable = RawWakerVTable::new(clone_waker, wake_waker, wake_waker_by_ref, drop_waker);

fn waker_cell(data: *const ()) -> NonNull<Header> {
    // SAFETY: The data of our wakers is made from a `NonNull`.
    unsafe { NonNull::new_unchecked(data.cast_mut()) }.cast()
}

unsafe fn clone_waker(data: *const ()) -> RawWaker {
    // SAFETY: By 2 the waker that is cloned keeps the cell alive.
    let cell = unsafe { Ref::from_ptr(waker_cell(data)) };
    mem::forget(cell);
    RawWaker::new(data, &WAKER)
}

unsafe fn wake_waker(data: *const ()) {
    // SAFETY: By 2 the waker keeps the cell alive until it is dropped, which is last.
    unsafe {
        wake_by_ref(waker_cell(data));
        drop_waker(data);
    }
}

unsafe fn wake_waker_by_ref(data: *const ()) {
    // SAFETY: By 2 the waker keeps the cell alive.
    unsafe { wake_by_ref(waker_cell(data)) }
}

unsafe fn drop_waker(data: *const ()) {
    // SAFETY: By 2 the waker owns one reference, and it is not used again.
    unsafe { release(waker_cell(data)) }
}
