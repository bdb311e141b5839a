//! Why an item was not sent, or not received.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use crate::job::Error;

/// What a channel was closed with: the error that whoever closed it gave.
///
/// Every sender and every receiver gets the same one. It displays as that error and has its chain of causes.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// let (tx, rx) = ballet::channel::bounded::<u32>(4);
/// tx.send(1).await?;
/// tx.close_with(std::io::Error::other("the cable was pulled"));
/// assert_eq!(rx.recv().await?, Some(1)); // what was sent before is received before
///
/// let cause = rx.recv().await.unwrap_err();
/// assert_eq!(cause.to_string(), "the cable was pulled");
/// assert!(cause.is::<std::io::Error>());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Cause(Arc<Error>);

impl Cause {
    pub(super) fn new(error: Error) -> Self {
        Self(Arc::new(error))
    }

    /// Whether the error is an `E`.
    #[must_use]
    pub fn is<E: StdError + 'static>(&self) -> bool {
        self.0.is::<E>()
    }

    /// The error, if it is an `E`.
    #[must_use]
    pub fn downcast_ref<E: StdError + 'static>(&self) -> Option<&E> {
        self.0.downcast_ref()
    }

    fn error(&self) -> &(dyn StdError + Send + Sync + 'static) {
        Error::as_ref(&self.0)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cause({:?})", self.0)
    }
}

impl StdError for Cause {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.error().source()
    }
}

/// Why a channel does not go on.
#[derive(Clone, Debug)]
pub(super) enum Why {
    /// For now: all of so many places are taken, or nobody is at the rendezvous.
    Full(usize),
    /// For now: there is no item.
    Empty,
    /// It was closed, or its last sender has gone.
    Closed(Option<Cause>),
    /// Its last receiver has gone.
    Deserted,
}

impl Why {
    fn is_closed(&self) -> bool {
        matches!(self, Why::Closed(_) | Why::Deserted)
    }

    fn cause(&self) -> Option<&Cause> {
        match self {
            Why::Closed(cause) => cause.as_ref(),
            Why::Full(_) | Why::Empty | Why::Deserted => None,
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Full(0) => f.write_str("no receiver waits at the rendezvous"),
            Why::Full(places) => write!(f, "the channel is full: {places} of {places} places are taken"),
            Why::Empty => f.write_str("the channel is empty"),
            Why::Closed(None) => f.write_str("the channel is closed"),
            Why::Closed(Some(cause)) => write!(f, "the channel is closed: {cause}"),
            Why::Deserted => f.write_str("the channel has no receiver any more"),
        }
    }
}

/// An item that was not sent, and why.
///
/// # Examples
///
/// ```
/// let (tx, rx) = ballet::channel::bounded(1);
/// tx.try_send("first").unwrap();
/// let unsent = tx.try_send("second").unwrap_err();
/// assert!(unsent.is_full() && !unsent.is_closed());
/// assert_eq!(unsent.to_string(), "the channel is full: 1 of 1 places are taken");
/// assert_eq!(unsent.into_item(), "second");
///
/// drop(rx);
/// assert!(tx.try_send("third").unwrap_err().is_closed());
/// ```
pub struct Unsent<T> {
    item: T,
    why: Why,
}

impl<T> Unsent<T> {
    pub(super) fn new(item: T, why: Why) -> Self {
        Self { item, why }
    }

    /// Whether there was no place for it, and the caller did not want to wait for one.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self.why, Why::Full(_))
    }

    /// Whether the channel takes nothing any more: it is closed, or has no receiver.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.why.is_closed()
    }

    /// What the channel was closed with, if it was closed with a cause.
    #[must_use]
    pub fn cause(&self) -> Option<&Cause> {
        self.why.cause()
    }

    /// The item.
    #[must_use]
    pub fn into_item(self) -> T {
        self.item
    }

    /// The error alone: `?` takes it into [`Error`] also where the item is not `Sync`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ballet::channel::{Sender, Unsent};
    /// async fn submit(tx: &Sender<Box<dyn FnOnce() + Send>>) -> Result<(), ballet::Error> {
    ///     tx.send(Box::new(|| ())).await.map_err(Unsent::without_item)?;
    ///     Ok(())
    /// }
    /// # let (tx, _) = ballet::channel::bounded(1);
    /// # let mut submit = std::pin::pin!(submit(&tx));
    /// # let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    /// # assert!(matches!(submit.as_mut().poll(&mut cx), std::task::Poll::Ready(Err(_))));
    /// ```
    #[must_use]
    pub fn without_item(self) -> Unsent<()> {
        Unsent { item: (), why: self.why }
    }
}

impl<T> fmt::Display for Unsent<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.why.fmt(f)
    }
}

impl<T> fmt::Debug for Unsent<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unsent({})", self.why)
    }
}

impl<T> StdError for Unsent<T> {}

/// Why [`try_recv`](super::Receiver::try_recv) has no item: there is none now, or none will come.
///
/// # Examples
///
/// ```
/// let (tx, rx) = ballet::channel::bounded::<u32>(1);
/// assert!(rx.try_recv().unwrap_err().is_empty());
/// drop(tx);
/// assert!(rx.try_recv().unwrap_err().is_closed());
/// ```
pub struct Unreceived(Why);

impl Unreceived {
    pub(super) fn new(why: Why) -> Self {
        Self(why)
    }

    /// Whether an item may still come.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self.0, Why::Empty)
    }

    /// Whether no item will come: the channel is closed, and what was in it has been received.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// What the channel was closed with, if it was closed with a cause.
    #[must_use]
    pub fn cause(&self) -> Option<&Cause> {
        self.0.cause()
    }
}

impl fmt::Display for Unreceived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Unreceived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unreceived({})", self.0)
    }
}

impl StdError for Unreceived {}
