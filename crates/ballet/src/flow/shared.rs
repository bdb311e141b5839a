//! The hot flow that tells everybody everything: one buffer, a cursor for each subscriber.
//!
//! ```text
//!              tail                            head
//!                ▼                               ▼
//!   evicted ── [ a ][ b ][ c ][ d ][ e ][ f ] ── next
//!                ▲         ▲    └─ replay ─┘      ▲
//!            slowest     another               caught up
//! ```
//!
//! `ring` is the buffer, whose items have locks of their own; `books` is that and who waits, under one lock, in plain
//! sequential code. `emitter` is the writing handle, `subscriber` the reading one, `error` what they are told. This file
//! is what they share. It refuses to copy an item before somebody receives it, and to grow: there are never more items
//! than the buffer holds, whoever is slow.

mod books;
mod emitter;
mod error;
mod ring;
mod subscriber;

pub use emitter::SharedEmitter;
pub use error::{NotEmitted, SharedError};
pub use subscriber::Subscriber;

use std::fmt;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Poller, Waker};

use super::audience::{Audience, Ticket, Venue};
use super::basis::{Flow, Polled};
use super::error::{FlowError, Never};
use crate::job::lock;
use crate::sync::{Mutex, MutexGuard};
use books::Books;
use ring::Taken;

/// What an emission does when the buffer is full: when the slowest subscriber has still to take its oldest item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// It waits until there is room: everybody is as fast as the slowest.
    Suspend,
    /// It pushes the oldest item out. Whoever had still to take it has [missed](Subscriber::missed) it.
    DropOldest,
    /// It is dropped itself, and every subscriber has [missed](Subscriber::missed) it.
    DropLatest,
}

/// How a flow is shared: how far subscribers may fall behind, what happens then, and what a new one is told first.
///
/// # Examples
///
/// ```
/// use ballet::{SharedFlow, Sharing};
///
/// // The last 256 items for whoever is slow, of which a new subscriber gets the last 16.
/// let sharing = Sharing::drop_oldest(256).replay(16);
/// let (emitter, _chat) = SharedFlow::new(sharing);
/// assert!(emitter.try_emit("nobody hears it, and the replay keeps it".to_owned()).is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sharing {
    buffer: usize,
    replay: usize,
    overflow: Overflow,
}

impl Sharing {
    /// A subscriber may be `buffer` items behind; then emissions wait for it.
    #[must_use]
    pub const fn suspend(buffer: usize) -> Self {
        Self { buffer, replay: 0, overflow: Overflow::Suspend }
    }

    /// A subscriber may be `buffer` items behind; then it misses the oldest of them.
    #[must_use]
    pub const fn drop_oldest(buffer: usize) -> Self {
        Self { buffer, replay: 0, overflow: Overflow::DropOldest }
    }

    /// A subscriber may be `buffer` items behind; then nobody gets the newest.
    #[must_use]
    pub const fn drop_latest(buffer: usize) -> Self {
        Self { buffer, replay: 0, overflow: Overflow::DropLatest }
    }

    /// How many of the last items a new subscriber is told first; 0 unless it is said. A flow that replays more than
    /// its buffer holds has a buffer of that size.
    #[must_use]
    pub const fn replay(self, items: usize) -> Self {
        Self { replay: items, ..self }
    }

    /// How many items are held at most.
    fn capacity(&self) -> usize {
        self.buffer.max(self.replay)
    }
}

/// A hot flow: whatever is [emitted](SharedEmitter::emit), every [subscriber](Subscriber) receives, in the same order.
///
/// This is the reading side. Cloning it is one reference count; all clones are one flow. The writing side is the
/// [`SharedEmitter`] that came with it. A subscriber gets the replay, then what is emitted from then on, then the end: the
/// flow [completes](SharedEmitter::complete), or [fails](SharedEmitter::fail), or its last emitter is dropped, which completes it.
///
/// To hand each item to *one* of several receivers, take a channel; to tell only the newest value, a
/// [`StateFlow`](crate::StateFlow).
///
/// # Cost
///
/// One buffer, whoever subscribes: at most as many items as [`Sharing`] says, allocated as they come. An emission is
/// a few locks, and a wake-up for each subscriber that waits. A receipt is one lock, that of the item, and one `T::clone`;
/// the last subscriber to receive an item that need not be replayed gets the item itself. `T::clone` runs under that
/// lock, so put what is dear to clone in an `Arc`; it must not use the flow. To subscribe looks at each item of the
/// replay, and to leave at each that was not received.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::{Scope, SharedFlow, Sharing};
///
/// let (emitter, strokes) = SharedFlow::new(Sharing::suspend(64));
/// let heard = ballet::scope(async |s: Scope| {
///     let listen = || {
///         let mut subscriber = strokes.subscribe();
///         s.spawn(async move {
///             let mut heard = Vec::new();
///             while let Some(stroke) = subscriber.recv().await {
///                 heard.push(stroke);
///             }
///             Ok(heard)
///         })
///     };
///     let (anna, boris) = (listen(), listen());
///     for stroke in ["line", "circle"] {
///         emitter.emit(stroke).await?;
///     }
///     emitter.complete();
///     Ok((anna.await, boris.await))
/// })
/// .await?;
/// assert_eq!(heard, (vec!["line", "circle"], vec!["line", "circle"]));
/// # Ok(()) }
/// ```
pub struct SharedFlow<T, E = Never> {
    /// Shared by the clones.
    ticket: Arc<Ticket<Shared<T, E>>>,
    /// Once it is polled as a flow.
    listening: Option<Subscriber<T, E>>,
}

/// What all handles of one flow share.
pub(super) struct Shared<T, E>(Mutex<Books<T, E>>);

impl<T, E> Shared<T, E> {
    /// Of foreign code only `T::clone` and wakers' `clone` run under this lock and those of the items. Items and wakers
    /// come out, to be dropped or woken after.
    fn books(&self) -> MutexGuard<'_, Books<T, E>> {
        lock(&self.0)
    }

    /// The item that somebody has taken, after an emitter was called that waited for its place.
    #[inline]
    fn received(&self, Taken { item, is_awaited }: Taken<T>) -> T {
        if is_awaited {
            self.call_next();
        }
        item
    }

    /// Calls the emitter that is next in line, if there is room for its item.
    #[cold]
    fn call_next(&self) {
        let emitter = self.books().call_next();
        emitter.into_iter().for_each(Waker::wake);
    }
}

impl<T, E> Venue for Shared<T, E> {
    fn with_audience<R>(&self, with: impl FnOnce(&mut Audience) -> R) -> R {
        with(&mut self.books().audience)
    }
}

impl<T> SharedFlow<T> {
    /// A flow that nobody has emitted to, and the handle that emits.
    ///
    /// # Panics
    ///
    /// When `sharing` has neither a buffer nor a replay: no item could ever be received.
    #[must_use]
    #[track_caller]
    pub fn new(sharing: Sharing) -> (SharedEmitter<T>, Self) {
        Self::fallible(sharing)
    }

    /// As [`new`](Self::new), for a flow that can [fail](SharedEmitter::fail). Every subscriber is told the error, so it
    /// is cloned; [`SharedError`] makes any error `Clone`.
    ///
    /// # Panics
    ///
    /// As `new`.
    #[must_use]
    #[track_caller]
    pub fn fallible<E>(sharing: Sharing) -> (SharedEmitter<T, E>, SharedFlow<T, E>) {
        assert!(
            sharing.capacity() > 0,
            "a shared flow that buffers and replays nothing could never tell anything"
        );
        let shared = Arc::new(Shared(Mutex::new(Books::new(sharing))));
        (SharedEmitter::new(&shared), SharedFlow::of(&shared))
    }
}

impl<T, E> SharedFlow<T, E> {
    fn of(shared: &Arc<Shared<T, E>>) -> Self {
        Self { ticket: Ticket::new(shared), listening: None }
    }

    /// Begins to listen: the subscriber receives the replay, then everything that is emitted from now on.
    ///
    /// It counts as slow from now on, too: under [`Overflow::Suspend`] a subscriber that does not receive makes the
    /// emitters wait, until it is dropped.
    #[must_use = "dropping it ends the subscription"]
    pub fn subscribe(&self) -> Subscriber<T, E> {
        Subscriber::new(self.ticket.venue())
    }

    /// How many subscribers there are now.
    #[must_use]
    pub fn subscribers(&self) -> usize {
        self.ticket.venue().books().audience.present()
    }

    /// Whether it has completed or failed. Subscribers may still have items to receive.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.ticket.venue().books().is_ended()
    }

    /// What a new subscriber would be told first, oldest first.
    #[must_use]
    pub fn replayed(&self) -> Vec<T>
    where
        T: Clone,
    {
        self.ticket.venue().books().ring.replayed()
    }
}

/// Listens from its first poll on: what was emitted before is received only as far as it is replayed. Where the moment
/// matters, [`subscribe`](SharedFlow::subscribe) first.
impl<T: Clone, E: FlowError + Clone> Flow for SharedFlow<T, E> {
    type Item = T;
    type Error = E;

    fn poll_each<K>(mut self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<E>
    where
        K: FnMut(T) -> ControlFlow<()>,
    {
        let Self { ticket, listening } = &mut *self;
        Pin::new(listening.get_or_insert_with(|| Subscriber::new(ticket.venue()))).poll_each(cx, sink)
    }
}

/// Another handle, which does not listen.
impl<T, E> Clone for SharedFlow<T, E> {
    fn clone(&self) -> Self {
        Self { ticket: Arc::clone(&self.ticket), listening: None }
    }
}

impl<T, E> fmt::Debug for SharedFlow<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ticket.venue().books().describe(f.debug_struct("SharedFlow"))
    }
}
