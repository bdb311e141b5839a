//! The sending side of a channel.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;

use super::books::Books;
use super::error::{Cause, Unsent};
use super::pace::Pace;
use super::sending::Sending;
use super::shared::Shared;
use super::stats::Stats;
use super::watch::Watch;
use crate::job::Error;

/// A handle that sends into a channel. Clones send into the same one.
///
/// When the last of them is dropped the channel is closed: the receivers get what was sent, and then the end.
///
/// # Examples
///
/// Many senders, each in a child of its own:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::{Scope, channel};
///
/// let (tx, rx) = channel::bounded(8);
/// let mut heard = ballet::scope(async |s: Scope| {
///     for voice in ["alto", "bass", "tenor"] {
///         let tx = tx.clone();
///         s.spawn(async move { Ok(tx.send(voice).await?) });
///     }
///     drop(tx); // else this one would keep the channel open
///     let mut heard = Vec::new();
///     while let Some(voice) = rx.recv().await? {
///         heard.push(voice);
///     }
///     Ok(heard)
/// })
/// .await?;
/// heard.sort();
/// assert_eq!(heard, ["alto", "bass", "tenor"]);
/// # Ok(()) }
/// ```
pub struct Sender<T> {
    pub(super) shared: Arc<Shared<T>>,
    pace: Pace,
}

impl<T> Sender<T> {
    /// One that the books count already.
    pub(super) fn first(shared: Arc<Shared<T>>) -> Self {
        Self { shared, pace: Pace::default() }
    }

    /// Sends an item, and waits for a place where there is none. Those who wait are served in the order in which
    /// they came.
    ///
    /// # Errors
    ///
    /// [`Unsent`], with the item, where the channel is closed or has no receiver any more. Whoever waits when the
    /// channel is closed has come before, and still sends.
    ///
    /// # Panics
    ///
    /// When the future is polled again after it has ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the item, which has not been sent; whoever waits next gets the place. Only at a
    /// [`rendezvous`](super::rendezvous) a receiver may have taken it in the same moment.
    ///
    /// # Cost
    ///
    /// One uncontended lock, and no allocation, once the queue has grown to the length that is needed.
    pub fn send(&self, item: T) -> Sending<'_, T> {
        Sending::new(&self.shared, &self.pace, item)
    }

    /// Sends an item if that needs no waiting.
    ///
    /// # Errors
    ///
    /// [`Unsent`], with the item: the channel is full, or closed, or has no receiver any more.
    pub fn try_send(&self, item: T) -> Result<(), Unsent<T>> {
        self.shared.try_send(item)
    }

    /// Closes the channel: it takes nothing any more. Receivers get what is in it, and what others wait to send, and
    /// then the end.
    ///
    /// Returns whether it was open; only the first call counts.
    pub fn close(&self) -> bool {
        self.shared.change(|books, after| books.close(None, after))
    }

    /// Closes the channel with a cause: receivers get what is in it, and then the cause; and so does whoever sends.
    ///
    /// Returns whether it was open; only the first call counts.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, rx) = ballet::channel::bounded(1);
    /// tx.close_with(ballet::Error::msg("the theatre is closed"));
    /// let unsent = tx.try_send("a guest").unwrap_err();
    /// assert_eq!(unsent.cause().unwrap().to_string(), "the theatre is closed");
    /// ```
    pub fn close_with(&self, cause: impl Into<Error>) -> bool {
        self.shared.close_because(Cause::new(cause.into()))
    }

    /// Whether the channel takes nothing any more: it was closed, or has no receiver.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }

    /// Waits until the channel takes nothing any more: it was closed, or its last receiver has gone.
    ///
    /// # Cancel safety
    ///
    /// It has no result to lose.
    pub async fn closed(&self) {
        let mut watch = Watch::new(&self.shared);
        poll_fn(|cx| watch.poll(cx, |books| books.refusal().is_some())).await;
    }

    /// How full the channel is, who is at it, and what it has done.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.shared.change(|books, _| books.add_sender());
        Self::first(Arc::clone(&self.shared))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.shared.change(Books::remove_sender);
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sender").field(&self.stats()).finish()
    }
}
