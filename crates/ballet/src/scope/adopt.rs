//! Tasks that other code has spawned, taken into the tree.
//!
//! Nothing here is needed between scopes. Combinators of `futures` need no bridge either, because a
//! [`Deferred`](crate::Deferred) is a future as any other; cancellation tokens stand in `token` and `beside`.

use std::future::poll_fn;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Poller, Poll, ready};

use tokio::task::{JoinError, JoinHandle};

use super::{Scope, scope};
use crate::job::{Failure, lock};
use crate::sync::Mutex;

/// Waits for a task that other code has spawned, as for code of one's own: when what awaits it is cancelled or
/// dropped, the task is aborted, and the job or scope around waits until it has ended.
///
/// It owns the task from the call on, also before its first poll; so adopt a task as soon as you have its handle, and
/// move the future to the code that awaits it.
///
/// # Errors
///
/// A [`JoinError`] where something else aborted the task or shut its runtime down.
///
/// # Panics
///
/// Resumes a panic of the task. Panics outside a Tokio runtime with its timer on.
///
/// # Cancel safety
///
/// Dropping it aborts the task. Where it had been polled, the nearest enclosing job or scope, or the root, waits for
/// the task's end, for at most [`FINALIZER_BUDGET`](crate::FINALIZER_BUDGET); a task that takes longer, because it
/// blocks its worker, is left behind with a `tracing` error.
///
/// # Examples
///
/// A task of a library becomes a child with a name:
///
/// ```
/// # mod feed {
/// #     pub fn start() -> tokio::task::JoinHandle<u32> { tokio::spawn(async { 42 }) }
/// # }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::Scope;
///
/// let answer = ballet::scope(async |s: Scope| {
///     let feed = ballet::adopt(feed::start()); // which calls tokio::spawn
///     let feed = s.named("feed").spawn(async { Ok(feed.await?) });
///     Ok(feed.await)
/// })
/// .await?;
/// assert_eq!(answer, 42);
/// # Ok(()) }
/// ```
#[track_caller]
pub fn adopt<T: Send + 'static>(
    handle: JoinHandle<T>,
) -> impl Future<Output = Result<T, Failure<JoinError>>> {
    let task = Arc::new(Foreign(Mutex::new(Some(handle))));
    scope(async move |s: Scope<JoinError>| {
        // Runs on every way out, and is adopted with this scope where its future is dropped.
        let end = Arc::clone(&task);
        s.defer(async move { end.end().await });
        task.ended().await
    })
}

/// A task that is not ours, until it has given its result.
struct Foreign<T>(Mutex<Option<JoinHandle<T>>>);

impl<T> Foreign<T> {
    /// Its result, for the first who asks; a panic of it is his.
    async fn ended(&self) -> Result<T, JoinError> {
        match poll_fn(|cx| self.poll(cx)).await {
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            ended => ended,
        }
    }

    /// Aborts it, and waits until it has ended, unless it has.
    async fn end(&self) -> Result<(), JoinError> {
        if !self.abort() {
            return Ok(());
        }
        match self.ended().await {
            Err(error) if !error.is_cancelled() => Err(error),
            _ => Ok(()),
        }
    }

    fn poll(&self, cx: &mut Poller<'_>) -> Poll<Result<T, JoinError>> {
        let mut handle = lock(&self.0);
        let Some(running) = &mut *handle else { return Poll::Pending };
        let ended = ready!(Pin::new(running).poll(cx));
        *handle = None;
        Poll::Ready(ended)
    }

    /// Whether its result is still to come.
    fn abort(&self) -> bool {
        let handle = lock(&self.0);
        handle.as_ref().inspect(|handle| handle.abort()).is_some()
    }
}

impl<T> Drop for Foreign<T> {
    fn drop(&mut self) {
        self.abort();
    }
}
