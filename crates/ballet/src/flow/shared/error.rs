//! What the handles of a shared flow are told.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::job::Error;

/// An error that many are told: one value, shared by all of them.
///
/// The error of a [`SharedFlow`](crate::SharedFlow) reaches each of its subscribers, so it must be `Clone`. This makes
/// any error so. It dereferences to the error, and `?` takes it into [`Error`] where that can be displayed.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use ballet::{SharedFlow, Sharing, flow::SharedError};
///
/// let (emitter, prices) = SharedFlow::<u32>::fallible::<SharedError>(Sharing::suspend(8));
/// let mut subscriber = prices.subscribe();
/// emitter.fail(ballet::Error::msg("the exchange has closed"));
/// let error = subscriber.recv().await.unwrap_err();
/// assert_eq!(error.to_string(), "the exchange has closed");
/// # }
/// ```
pub struct SharedError<E = Error>(Arc<E>);

impl<E> From<E> for SharedError<E> {
    fn from(error: E) -> Self {
        Self(Arc::new(error))
    }
}

impl<E> Clone for SharedError<E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<E> Deref for SharedError<E> {
    type Target = E;

    fn deref(&self) -> &E {
        &self.0
    }
}

impl<E: fmt::Display> fmt::Display for SharedError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<E: fmt::Debug> fmt::Debug for SharedError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for SharedError<E> {}

/// An item that a [`SharedFlow`](crate::SharedFlow) did not take: the flow has ended, or was full and the caller did not
/// want to wait. It gives the item back.
///
/// # Examples
///
/// ```
/// use ballet::{SharedFlow, Sharing};
///
/// let (emitter, flow) = SharedFlow::new(Sharing::suspend(1));
/// let _sleeps = flow.subscribe();
/// emitter.try_emit("first")?;
/// let refused = emitter.try_emit("second").unwrap_err();
/// assert!(refused.is_full());
/// assert_eq!(refused.into_item(), "second");
///
/// emitter.complete();
/// assert!(emitter.try_emit("third").unwrap_err().is_ended());
/// # Ok::<(), ballet::Error>(())
/// ```
pub struct NotEmitted<T> {
    item: T,
    why: Why,
}

#[derive(Clone, Copy, Debug)]
enum Why {
    Full,
    Ended,
}

impl<T> NotEmitted<T> {
    pub(super) fn full(item: T) -> Self {
        Self { item, why: Why::Full }
    }

    pub(super) fn ended(item: T) -> Self {
        Self { item, why: Why::Ended }
    }

    /// Whether the buffer was full.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self.why, Why::Full)
    }

    /// Whether the flow has completed or failed: no later emission will succeed.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        matches!(self.why, Why::Ended)
    }

    /// The item.
    #[must_use]
    pub fn into_item(self) -> T {
        self.item
    }
}

impl<T> fmt::Display for NotEmitted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.why {
            Why::Full => {
                "not emitted: the buffer is full, and its slowest subscriber has not taken the oldest item"
            }
            Why::Ended => "not emitted: the shared flow has ended",
        })
    }
}

impl<T> fmt::Debug for NotEmitted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NotEmitted({:?})", self.why)
    }
}

impl<T> std::error::Error for NotEmitted<T> {}
