//! The receiving side of a channel.

use std::fmt;
use std::sync::Arc;

use super::books::Books;
use super::error::{Cause, Unreceived};
use super::pace::Pace;
use super::receiving::Receiving;
use super::shared::Shared;
use super::stats::Stats;
use crate::job::Error;

/// A handle that receives from a channel. Clones receive from the same one, and each item goes to one of them.
///
/// When the last of them is dropped the items that are left are dropped too, and nothing can be sent any more.
///
/// # Examples
///
/// Many receivers share the work:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::{Scope, channel};
///
/// let (tx, rx) = channel::bounded(8);
/// let sum: u32 = ballet::scope(async |s: Scope| {
///     let worker = |rx: channel::Receiver<u32>| async move {
///         let mut sum = 0;
///         while let Some(number) = rx.recv().await? {
///             sum += number;
///         }
///         Ok(sum)
///     };
///     let workers = [s.spawn(worker(rx.clone())), s.spawn(worker(rx))];
///     for number in 1..=100 {
///         tx.send(number).await?;
///     }
///     drop(tx);
///     let [first, second] = workers;
///     Ok(first.await + second.await)
/// })
/// .await?;
/// assert_eq!(sum, 5050);
/// # Ok(()) }
/// ```
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    pace: Pace,
}

impl<T> Receiver<T> {
    /// One that the books count already.
    pub(super) fn first(shared: Arc<Shared<T>>) -> Self {
        Self { shared, pace: Pace::default() }
    }

    /// Receives the next item, and waits for one where there is none; `None` when the channel is closed and all that
    /// was sent has been received. Those who wait are served in the order in which they came.
    ///
    /// # Errors
    ///
    /// The [`Cause`], instead of `None`, where the channel was closed with one. So a stream of items that broke off
    /// cannot be taken for one that is complete.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future at any moment loses nothing: an item is in the channel until a poll takes it out, and one
    /// that was kept for this receiver goes to whoever waits next.
    ///
    /// # Cost
    ///
    /// One uncontended lock.
    pub fn recv(&self) -> Receiving<'_, T> {
        Receiving::new(&self.shared, &self.pace)
    }

    /// Receives an item if one is there. Items that are kept for receivers who waited for them are not.
    ///
    /// # Errors
    ///
    /// [`Unreceived`]: there is no item now, or none will come.
    pub fn try_recv(&self) -> Result<T, Unreceived> {
        self.shared.change(Books::try_recv)
    }

    /// Waits for an item, then takes with it what else is there, up to `limit` in all, to the end of `batch`. Gives
    /// how many: 0 when the channel is closed and all that was sent has been received.
    ///
    /// For consumers to which many items together cost less than one by one, such as a writer that commits.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Panics
    ///
    /// When `limit` is zero.
    ///
    /// # Cancel safety
    ///
    /// As [`recv`](Self::recv): what was taken is in `batch` when it returns, and before that nothing is taken.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
    /// let (tx, rx) = ballet::channel::bounded(8);
    /// for stroke in 1..=5 {
    ///     tx.send(stroke).await?;
    /// }
    /// drop(tx);
    /// let mut batch = Vec::new();
    /// assert_eq!(rx.recv_many(&mut batch, 3).await?, 3);
    /// assert_eq!(rx.recv_many(&mut batch, 3).await?, 2);
    /// assert_eq!(rx.recv_many(&mut batch, 3).await?, 0);
    /// assert_eq!(batch, [1, 2, 3, 4, 5]);
    /// # Ok(()) }
    /// ```
    pub async fn recv_many(&self, batch: &mut Vec<T>, limit: usize) -> Result<usize, Cause> {
        assert!(limit > 0, "a batch of zero items would never end");
        let Some(first) = self.recv().await? else { return Ok(0) };
        batch.push(first);
        let more = self.shared.change(|books, after| {
            let before = batch.len();
            batch.extend(std::iter::from_fn(|| books.try_recv(after).ok()).take(limit - 1));
            batch.len() - before
        });
        Ok(1 + more)
    }

    /// Closes the channel: it takes nothing any more. What is in it, and what senders wait to send, can still be
    /// received.
    ///
    /// Returns whether it was open; only the first call counts. To give up what is in it too, drop all receivers.
    pub fn close(&self) -> bool {
        self.shared.change(|books, after| books.close(None, after))
    }

    /// Closes the channel with a cause, which whoever sends gets at once, and whoever receives when it is empty.
    ///
    /// Returns whether it was open; only the first call counts.
    pub fn close_with(&self, cause: impl Into<Error>) -> bool {
        self.shared.close_because(Cause::new(cause.into()))
    }

    /// Whether the channel takes nothing any more. Items may still be in it.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }

    /// How full the channel is, who is at it, and what it has done.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.shared.change(|books, _| books.add_receiver());
        Self::first(Arc::clone(&self.shared))
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        drop(self.shared.change(Books::remove_receiver));
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Receiver").field(&self.stats()).finish()
    }
}
