//! A turn for the others.

use std::pin::Pin;
use std::task::{Context as Poller, Poll};

/// Lets the other children have their turn: the job goes to the end of its lane's queue.
///
/// `tokio::task::yield_now` waits, inside a child of a scope, until the whole lane goes back to Tokio; this does not.
/// A lane goes back to Tokio by itself often enough for its IO and timers. In a plain Tokio task it is an ordinary
/// yield.
///
/// # Cancel safety
///
/// It has no result to lose. It is a point at which a cancelled job is dropped.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
/// use std::sync::Arc;
///
/// let done = Arc::new(AtomicBool::new(false));
/// let seen = Arc::clone(&done);
/// ballet::scope(async move |s: ballet::Scope| {
///     let waits = s.spawn(async move {
///         while !seen.load(Relaxed) {
///             ballet::yield_now().await;
///         }
///         Ok(())
///     });
///     s.spawn(async move { Ok(done.store(true, Relaxed)) });
///     Ok(waits.await)
/// })
/// .await?;
/// # Ok(()) }
/// ```
pub fn yield_now() -> impl Future<Output = ()> {
    YieldNow { yielded: false }
}

struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
