//! The writing handle of a shared flow.

use std::any::type_name;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Poller, Poll, Waker};

use tokio::task::coop::cooperative;

use super::books::{Calls, Ticket};
use super::{NotEmitted, Shared, SharedFlow};
use crate::flow::audience::{Listening, Venue, Wanted};
use crate::flow::error::Never;
use crate::job::waits_for;

/// The writing side of a [`SharedFlow`]: it emits items, and ends the flow.
///
/// Cloning it is one reference count; each clone emits to the same flow, and each one's items stay in their order. When
/// the last is dropped, the flow completes, as by [`complete`](Self::complete).
///
/// # Examples
///
/// With nobody listening an emission never waits, and only the replay is kept:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::{SharedFlow, Sharing};
///
/// let (emitter, news) = SharedFlow::new(Sharing::suspend(8).replay(2));
/// for number in 1..=100 {
///     emitter.emit(number).await?;
/// }
/// assert_eq!(news.replayed(), [99, 100]);
/// # Ok(()) }
/// ```
pub struct SharedEmitter<T, E = Never>(Arc<LastOne<T, E>>);

/// What all emitters of a flow hold: its drop is the drop of the last one.
struct LastOne<T, E>(Arc<Shared<T, E>>);

impl<T, E> Drop for LastOne<T, E> {
    fn drop(&mut self) {
        self.0.end(Ok(()));
    }
}

impl<T, E> SharedEmitter<T, E> {
    pub(super) fn new(shared: &Arc<Shared<T, E>>) -> Self {
        Self(Arc::new(LastOne(Arc::clone(shared))))
    }

    /// Emits an item to all subscribers. Where the buffer is full, it waits until the slowest has taken its oldest item
    /// or is dropped, or does what [`Overflow`](super::Overflow) says instead. Emitters that wait are served in the
    /// order in which they came.
    ///
    /// It returns when the item is in the buffer, not when it has been received.
    ///
    /// # Errors
    ///
    /// [`NotEmitted`], with the item: the flow has ended, before or while it waited.
    ///
    /// # Cancel safety
    ///
    /// Where the future is dropped before it has returned, the item is dropped with it and nobody receives it.
    pub async fn emit(&self, item: T) -> Result<(), NotEmitted<T>> {
        cooperative(Emission { shared: self.shared(), item: Some(item), ticket: None }).await
    }

    /// Emits an item if that needs no waiting.
    ///
    /// # Errors
    ///
    /// [`NotEmitted`], with the item: the flow has ended, or it is full and suspends. It is full, too, while other
    /// emitters wait.
    pub fn try_emit(&self, item: T) -> Result<(), NotEmitted<T>> {
        let mut books = self.shared().books();
        let pushed_out = books.emit(item, None)?;
        let calls = books.call();
        drop(books);
        calls.into_iter().for_each(Calls::wake);
        drop(pushed_out);
        Ok(())
    }

    /// Completes the flow: subscribers receive what is in the buffer, then the end. Emitters that wait are refused.
    /// On a flow that has ended it does nothing.
    pub fn complete(&self) {
        self.shared().end(Ok(()));
    }

    /// Fails the flow: subscribers receive what is in the buffer, then this error. Emitters that wait are refused. On a
    /// flow that has ended it does nothing.
    pub fn fail(&self, error: impl Into<E>) {
        self.shared().end(Err(error.into()));
    }

    /// Forgets the replay: a new subscriber is told nothing that was emitted before.
    pub fn forget_replay(&self) {
        let unneeded = self.shared().books().ring.forget_replay();
        drop(unneeded);
    }

    /// Waits until somebody subscribes; returns at once where somebody is there.
    ///
    /// # Cancel safety
    ///
    /// It has no result to lose.
    pub async fn wait_subscribed(&self) {
        self.audience(Wanted::Somebody).await;
    }

    /// Waits until nobody is subscribed; returns at once where nobody is there.
    ///
    /// # Cancel safety
    ///
    /// It has no result to lose.
    pub async fn wait_unsubscribed(&self) {
        self.audience(Wanted::Nobody).await;
    }

    /// The reading side.
    #[must_use]
    pub fn flow(&self) -> SharedFlow<T, E> {
        SharedFlow::of(self.shared())
    }

    pub(in crate::flow) fn audience(&self, wanted: Wanted) -> Listening<'_, Shared<T, E>> {
        Listening::new(&**self.shared(), wanted)
    }

    pub(in crate::flow) fn visits(&self) -> u64 {
        self.shared().with_audience(|audience| audience.visits())
    }

    fn shared(&self) -> &Arc<Shared<T, E>> {
        &self.0.0
    }
}

impl<T, E> Shared<T, E> {
    fn end(&self, end: Result<(), E>) {
        let calls = self.books().end(end);
        calls.into_iter().for_each(Calls::wake);
    }
}

/// The future of [`SharedEmitter::emit`].
struct Emission<'a, T, E> {
    shared: &'a Shared<T, E>,
    /// Until it was emitted or refused.
    item: Option<T>,
    /// From the moment at which it began to wait until it has emitted.
    ticket: Option<Ticket>,
}

/// The item is moved and never pinned.
impl<T, E> Unpin for Emission<'_, T, E> {}

impl<T, E> Future for Emission<'_, T, E> {
    type Output = Result<(), NotEmitted<T>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<Self::Output> {
        let Some(item) = self.item.take() else { panic!("an emission was polled after it had returned") };
        let mut books = self.shared.books();
        let refused = match books.emit(item, self.ticket) {
            Ok(pushed_out) => {
                let calls = books.call();
                drop(books);
                self.ticket = None;
                calls.into_iter().for_each(Calls::wake);
                drop(pushed_out);
                return Poll::Ready(Ok(()));
            }
            Err(refused) if refused.is_ended() => return Poll::Ready(Err(refused)),
            Err(refused) => refused,
        };
        let replaced = books.queue(&mut self.ticket, cx.waker());
        drop(books);
        drop(replaced);
        self.item = Some(refused.into_item());
        waits_for(|| format!("waits to emit into a shared flow of {}", type_name::<T>()));
        Poll::Pending
    }
}

impl<T, E> Drop for Emission<'_, T, E> {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        let (own, next) = self.shared.books().leave_line(ticket);
        drop(own);
        next.into_iter().for_each(Waker::wake);
    }
}

impl<T, E> Clone for SharedEmitter<T, E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T, E> fmt::Debug for SharedEmitter<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared().books().describe(f.debug_struct("SharedEmitter"))
    }
}
