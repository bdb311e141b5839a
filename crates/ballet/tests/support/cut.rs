//! Cancellation by dropping, at a chosen yield.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

/// Drops `future` at its `limit`th yield.
pub(crate) async fn cut_at_yield<F: Future>(limit: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut yields = 0;
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => {
            yields += 1;
            if yields == limit { Poll::Ready(None) } else { Poll::Pending }
        }
    })
    .await
}
