//! The reading handle of a shared flow.

use std::any::type_name;
use std::fmt;
use std::future::poll_fn;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Poller, Poll, ready};

use super::Shared;
use super::books::Books;
use super::ring::{Cursor, Taken};
use crate::flow::basis::{Flow, Polled};
use crate::flow::budget::Turns;
use crate::flow::error::{FlowError, Never, Output};
use crate::flow::wait_list::Seat;
use crate::job::waits_for;
use crate::sync::MutexGuard;

/// One listener of a [`SharedFlow`](crate::SharedFlow): it receives the replay, then what is emitted, then the end. It is
/// a [`Flow`] of what it has still to receive.
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
/// assert_eq!(subscriber.recv().await, Some(4));
/// assert_eq!(subscriber.missed(), 3);
/// # Ok(()) }
/// ```
pub struct Subscriber<T, E = Never> {
    shared: Arc<Shared<T, E>>,
    cursor: Cursor<T>,
    /// While it waits.
    seat: Option<Seat>,
    turns: Turns,
}

impl<T, E> Subscriber<T, E> {
    pub(super) fn new(shared: &Arc<Shared<T, E>>) -> Self {
        let (cursor, audience) = shared.books().subscribe();
        audience.wake();
        Self { shared: Arc::clone(shared), cursor, seat: None, turns: Turns::new() }
    }

    /// Receives the next item; `None` when the flow has completed and everything was received. Asked again after the
    /// end, it says the same again.
    ///
    /// # Errors
    ///
    /// The error with which the flow [failed](crate::flow::SharedEmitter::fail), after everything was received.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing: an item is taken only by the poll that returns it.
    pub async fn recv(&mut self) -> Output<E, Option<T>>
    where
        T: Clone,
        E: FlowError + Clone,
    {
        E::output(poll_fn(|cx| self.poll_recv(cx)).await)
    }

    /// Receives up to `limit` items at once, as many as are there, and adds them to `into`. Waits while there is none.
    /// Gives how many they are; 0 when the flow has completed and everything was received.
    ///
    /// For subscribers to which many items together cost less than one by one, such as a writer that commits.
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
    /// assert_eq!(subscriber.recv_many(&mut frame, 3).await, 3);
    /// assert_eq!(subscriber.recv_many(&mut frame, 3).await, 2);
    /// assert_eq!(subscriber.recv_many(&mut frame, 3).await, 0);
    /// assert_eq!(frame, [1, 2, 3, 4, 5]);
    /// # Ok(()) }
    /// ```
    pub async fn recv_many(&mut self, into: &mut Vec<T>, limit: usize) -> Output<E, usize>
    where
        T: Clone,
        E: FlowError + Clone,
    {
        assert!(limit > 0, "to receive zero items at a time could not be told from the end");
        E::output(poll_fn(|cx| self.poll_many(into, limit, cx)).await)
    }

    /// The next item, if one is there: `None` where it would have to wait, and at the end, which
    /// [`recv`](Self::recv) tells.
    pub fn try_recv(&mut self) -> Option<T>
    where
        T: Clone,
    {
        let taken = take(&self.shared, &mut self.cursor).ok()?;
        Some(self.shared.received(taken))
    }

    /// How many items it has missed, up to the one that it received last: those that were pushed out before it took them,
    /// and those that overflow dropped at once. A gap in the replay that it was told counts, too.
    ///
    /// It grows only while something is received. So what was missed lies before the item received last, and after the
    /// one before it; what was missed after the last item is counted when the end is reached.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.cursor.missed
    }

    /// How many items are in the buffer that it has not received yet.
    #[must_use]
    pub fn behind(&self) -> usize {
        self.shared.books().ring.behind(&self.cursor)
    }

    fn poll_many(&mut self, into: &mut Vec<T>, limit: usize, cx: &mut Poller<'_>) -> Poll<Result<usize, E>>
    where
        T: Clone,
        E: Clone,
    {
        ready!(self.turns.poll(cx));
        let Self { shared, cursor, seat, turns } = self;
        let mut room = Room { shared, is_awaited: false };
        let before = into.len();
        while into.len() - before < limit {
            match take(shared, cursor) {
                Ok(Taken { item, is_awaited }) => {
                    room.is_awaited |= is_awaited;
                    into.push(item);
                }
                Err(books) if into.len() == before => {
                    turns.waits();
                    return poll_end(books, cursor, seat, cx).map_ok(|()| 0);
                }
                Err(_) => break,
            }
        }
        Poll::Ready(Ok(into.len() - before))
    }

    #[inline]
    fn poll_recv(&mut self, cx: &mut Poller<'_>) -> Poll<Result<Option<T>, E>>
    where
        T: Clone,
        E: Clone,
    {
        ready!(self.turns.poll(cx));
        let Self { shared, cursor, seat, turns } = self;
        match take(shared, cursor) {
            Ok(taken) => Poll::Ready(Ok(Some(shared.received(taken)))),
            Err(books) => {
                turns.waits();
                poll_end(books, cursor, seat, cx).map_ok(|()| None)
            }
        }
    }
}

/// The next item: from where the subscriber knows it to be, or by the books, which come back where there is none.
#[inline]
fn take<'a, T: Clone, E>(
    shared: &'a Shared<T, E>,
    cursor: &mut Cursor<T>,
) -> Result<Taken<T>, MutexGuard<'a, Books<T, E>>> {
    cursor.take().map_or_else(|| take_by_the_books(shared, cursor), Ok)
}

#[inline(never)]
fn take_by_the_books<'a, T: Clone, E>(
    shared: &'a Shared<T, E>,
    cursor: &mut Cursor<T>,
) -> Result<Taken<T>, MutexGuard<'a, Books<T, E>>> {
    let books = shared.books();
    books.ring.take(cursor).ok_or(books)
}

/// What it has still to receive.
impl<T: Clone, E: FlowError + Clone> Flow for Subscriber<T, E> {
    type Item = T;
    type Error = E;

    fn poll_each<K>(mut self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<E>
    where
        K: FnMut(T) -> ControlFlow<()>,
    {
        while let Some(item) = ready!(self.poll_recv(cx))? {
            if sink(item).is_break() {
                return Poll::Ready(Ok(ControlFlow::Break(())));
            }
        }
        Poll::Ready(Ok(ControlFlow::Continue(())))
    }
}

/// The end, for a subscriber that has taken all there is; or it waits.
fn poll_end<T, E: Clone>(
    mut books: MutexGuard<'_, Books<T, E>>,
    cursor: &mut Cursor<T>,
    seat: &mut Option<Seat>,
    cx: &mut Poller<'_>,
) -> Poll<Result<(), E>> {
    if let Some(end) = books.ended(cursor) {
        return Poll::Ready(end);
    }
    let replaced = books.wait(seat, cx.waker());
    drop(books);
    drop(replaced);
    waits_for(|| format!("waits for an item of a shared flow of {}", type_name::<T>()));
    Poll::Pending
}

/// Room that was made in a full buffer; an emitter that waits for it is called when this is dropped.
struct Room<'a, T, E> {
    shared: &'a Shared<T, E>,
    is_awaited: bool,
}

impl<T, E> Drop for Room<'_, T, E> {
    fn drop(&mut self) {
        if self.is_awaited {
            self.shared.call_next();
        }
    }
}

impl<T, E> Drop for Subscriber<T, E> {
    fn drop(&mut self) {
        let (unneeded, own, calls) = self.shared.books().unsubscribe(&self.cursor, self.seat);
        calls.wake();
        drop((unneeded, own));
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
