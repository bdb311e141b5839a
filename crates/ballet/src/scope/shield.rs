//! What must not be cut, and how code learns that it is to end.

use std::pin::Pin;
use std::task::{Context as Poller, Poll, ready};

use futures_util::future::select_all;
use pin_project_lite::pin_project;

use crate::job::{Reason, Shielding, current};

/// Finishes what must not be cut: while `future` is pending, the job and the scopes and timeouts around it in the
/// same task are not cut. A cancellation is not lost; it takes effect at the first yield after the shield.
///
/// A shield holds off Ballet's cancellations and [`timeout`](crate::timeout)s. It cannot hold off foreign code that
/// drops the future: a losing arm of `select!`, `tokio::time::timeout`, or a runtime that is shut down. For work
/// that must survive those too, use [`Scope::defer`](crate::Scope::defer) or spawn it into a longer-lived scope.
///
/// It holds off the job that polls it first; another task may go on with it, where it was boxed and handed on, or is
/// shared. What runs beside the shield in the same job, in a `join!`, goes on as long as the shield lasts.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::Scope;
/// use std::time::Duration;
///
/// let (sent, receipt) = tokio::sync::oneshot::channel();
/// ballet::scope(async |s: Scope| {
///     let payment = s.named("payment").spawn(async move {
///         ballet::shield(async {
///             tokio::time::sleep(Duration::from_millis(5)).await; // charge the card …
///             sent.send("charged").ok(); // … and write it down
///         })
///         .await;
///         std::future::pending::<Result<(), _>>().await // cut here
///     });
///     tokio::task::yield_now().await;
///     payment.job().cancel();
///     Ok(())
/// })
/// .await?;
/// assert_eq!(receipt.await?, "charged");
/// # Ok(()) }
/// ```
pub fn shield<F: Future>(future: F) -> impl Future<Output = F::Output> {
    Shield { future, shielding: None }
}

pin_project! {
    struct Shield<F> {
        #[pin]
        future: F,
        shielding: Option<Shielding>,
    }
}

impl<F: Future> Future for Shield<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<F::Output> {
        let this = self.project();
        let shielding = this.shielding.get_or_insert_with(Shielding::begin);
        let value = ready!(shielding.poll(|| this.future.poll(cx)));
        *this.shielding = None;
        Poll::Ready(value)
    }
}

/// Waits until the code that awaits it is asked to end, and gives the reason: its job, or a scope or timeout around it
/// in the same job, whichever is asked first.
///
/// Only a [graceful](crate::Child::graceful) job and shielded code live long enough to see it; any other is dropped at
/// the same yield. Outside every scope it never ends.
///
/// # Cancel safety
///
/// Dropping it loses nothing.
///
/// # Examples
///
/// See [`Child::graceful`](crate::Child::graceful).
pub async fn cancelled() -> Reason {
    let around = current().up_to_job();
    select_all(around.iter().map(|node| Box::pin(node.wait_asked()))).await.0
}
