//! The reading handle of a shared flow.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context as Poller, Poll, Waker};

use tokio::task::coop::cooperative;

use super::books::{Cursor, Taken};
use super::{Shared, SharedError};
use crate::job::Error;

/// One listener of a [`SharedFlow`](crate::SharedFlow): it receives the replay, then what is emitted, then the end.
///
/// It holds nothing but its place in the flow's buffer. While it lives, what it has not received yet stays there, and
/// may make emitters wait; dropping it lets them go on.
///
/// # Examples
///
/// One that is too slow for a flow that drops the oldest:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::{SharedFlow, Sharing};
///
/// let (emitter, ticks) = SharedFlow::new(Sharing::drop_oldest(2));
/// let mut subscriber = ticks.subscribe();
/// for tick in 1..=5 {
///     emitter.emit(tick).await?;
/// }
/// assert_eq!(subscriber.recv().await?, Some(4));
/// assert_eq!(subscriber.missed(), 3);
/// # Ok(()) }
/// ```
pub struct Subscriber<T, E = Error> {
    shared: Arc<Shared<T, E>>,
    cursor: Cursor,
}

impl<T, E> Subscriber<T, E> {
    pub(super) fn new(shared: &Arc<Shared<T, E>>) -> Self {
        let (cursor, audience) = shared.books().subscribe();
        audience.wake();
        Self { shared: Arc::clone(shared), cursor }
    }

    /// Receives the next item; `None` when the flow has completed and everything was received. Asked again after the
    /// end, it says the same again.
    ///
    /// # Errors
    ///
    /// The error with which the flow [failed](crate::SharedEmitter::fail), after everything was received.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing: an item is taken only by the poll that returns it.
    pub async fn recv(&mut self) -> Result<Option<T>, SharedError<E>>
    where
        T: Clone,
    {
        cooperative(poll_fn(|cx| self.poll_recv(cx))).await
    }

    /// Receives up to `limit` items at once, as many as are there, and adds them to `into`. Waits while there is none.
    /// Gives how many they are; 0 when the flow has completed and everything was received.
    ///
    /// It takes the flow's lock once, so a subscriber that is behind catches up faster than by [`recv`](Self::recv).
    ///
    /// # Errors
    ///
    /// The error with which the flow failed, after everything was received.
    ///
    /// # Panics
    ///
    /// When `limit` is zero: it could not be told from the end.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing: items are taken only by the poll that returns.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
    /// use ballet::{SharedFlow, Sharing};
    ///
    /// let (emitter, strokes) = SharedFlow::new(Sharing::suspend(8));
    /// let mut subscriber = strokes.subscribe();
    /// for stroke in 1..=5 {
    ///     emitter.emit(stroke).await?;
    /// }
    /// emitter.complete();
    ///
    /// let mut frame = Vec::new();
    /// assert_eq!(subscriber.recv_many(&mut frame, 3).await?, 3);
    /// assert_eq!(subscriber.recv_many(&mut frame, 3).await?, 2);
    /// assert_eq!(subscriber.recv_many(&mut frame, 3).await?, 0);
    /// assert_eq!(frame, [1, 2, 3, 4, 5]);
    /// # Ok(()) }
    /// ```
    pub async fn recv_many(&mut self, into: &mut Vec<T>, limit: usize) -> Result<usize, SharedError<E>>
    where
        T: Clone,
    {
        assert!(limit > 0, "to receive zero items at a time could not be told from the end");
        cooperative(poll_fn(|cx| self.poll_many(into, limit, cx))).await
    }

    /// The next item, if one is there: `None` where it would have to wait, and at the end, which
    /// [`recv`](Self::recv) tells.
    pub fn try_recv(&mut self) -> Option<T>
    where
        T: Clone,
    {
        let (taken, emitter) = self.shared.books().take(&mut self.cursor);
        emitter.into_iter().for_each(Waker::wake);
        match taken {
            Taken::Item(item) => Some(item),
            Taken::Nothing | Taken::End(_) => None,
        }
    }

    /// How many items it has missed since it subscribed, up to the one that it received last: those that were pushed out
    /// before it took them, and those that overflow dropped at once.
    ///
    /// It grows only while something is received. So what was missed lies before the item received last, and after the
    /// one before it; what was missed after the last item is counted when the end is reached.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.cursor.missed
    }

    /// How many items are in the buffer that it has not received yet.
    #[must_use]
    pub fn behind(&self) -> u64 {
        self.shared.books().behind(&self.cursor)
    }

    fn poll_many(
        &mut self,
        into: &mut Vec<T>,
        limit: usize,
        cx: &mut Poller<'_>,
    ) -> Poll<Result<usize, SharedError<E>>>
    where
        T: Clone,
    {
        let before = into.len();
        // Dropped after the lock, also where a clone panics.
        let mut emitter = Call(None);
        let mut books = self.shared.books();
        let last = loop {
            let (taken, next) = books.take(&mut self.cursor);
            emitter.0 = emitter.0.take().or(next);
            match taken {
                Taken::Item(item) => into.push(item),
                last => break last,
            }
            if into.len() - before == limit {
                break Taken::Nothing;
            }
        };
        match (into.len() - before, last) {
            (0, Taken::Nothing) => {
                let replaced = books.wait(&mut self.cursor, cx.waker());
                drop(books);
                drop(replaced);
                Poll::Pending
            }
            (0, Taken::End(end)) => Poll::Ready(end.map(|()| 0)),
            (count, _) => Poll::Ready(Ok(count)),
        }
    }

    fn poll_recv(&mut self, cx: &mut Poller<'_>) -> Poll<Result<Option<T>, SharedError<E>>>
    where
        T: Clone,
    {
        let mut books = self.shared.books();
        let (taken, emitter) = books.take(&mut self.cursor);
        let replaced = matches!(taken, Taken::Nothing).then(|| books.wait(&mut self.cursor, cx.waker()));
        drop(books);
        drop(replaced);
        emitter.into_iter().for_each(Waker::wake);
        match taken {
            Taken::Item(item) => Poll::Ready(Ok(Some(item))),
            Taken::End(end) => Poll::Ready(end.map(|()| None)),
            Taken::Nothing => Poll::Pending,
        }
    }
}

/// An emitter that has been called, and is woken when this is dropped.
struct Call(Option<Waker>);

impl Drop for Call {
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(Waker::wake);
    }
}

impl<T, E> Drop for Subscriber<T, E> {
    fn drop(&mut self) {
        let left = self.shared.books().unsubscribe(&self.cursor);
        left.tell();
    }
}

impl<T, E> fmt::Debug for Subscriber<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber")
            .field("behind", &self.behind())
            .field("missed", &self.missed())
            .finish_non_exhaustive()
    }
}
